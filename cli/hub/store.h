/* One repository's folder in the Hugging Face cache: blobs by their ETag, snapshots of links to them, refs, and locks,
   as huggingface_hub keeps them. A file has its name there once it is whole. */
#ifndef WEIR_CLI_HUB_STORE_H
#define WEIR_CLI_HUB_STORE_H

#include "base/status.h"

struct hub_store {
    char *folder;   /* CACHE/models--ORG--NAME */
    char *locks;    /* CACHE/.locks/models--ORG--NAME */
    char *snapshot; /* folder/snapshots/COMMIT */
};

/* Finds the names; makes no folder. Close with hub_store_close, also after a failure. */
WEIR_CHECKED weir_status hub_store_open(struct hub_store *store, const char *repository, const char *commit);
void hub_store_close(struct hub_store *store);

/* Makes the folders. */
WEIR_CHECKED weir_status hub_store_make(const struct hub_store *store);
/* True where the snapshot has the file, with that size unless it is -1. */
bool hub_store_has(const struct hub_store *store, const char *name, int64_t size);
/* Bytes that are free where the cache is, or will be; -1 where the system does not tell. */
int64_t hub_store_free_bytes(const struct hub_store *store);
/* How many bytes of a blob are there, in its file or its partial one. */
uint64_t hub_store_bytes(const struct hub_store *store, const char *etag, uint64_t size);

/* A blob that is being fetched; its lock is held. */
struct hub_blob {
    char *path, *partial; /* blobs/ETAG, blobs/ETAG.incomplete */
    char etag[129];
    uint64_t size, at; /* bytes, and how many of them the partial file has so far */
    int fd, lock;      /* -1: none */
    bool whole;        /* it was there */
};

/* Takes the lock, waiting for whoever has it (`what` is the file's name, for the message that it waits), and opens the
   partial file where the blob is not there. WEIR_E_INPUT for an ETag that is no file's name, WEIR_E_OUTPUT where
   something cannot be made. Close with hub_blob_close, also after a failure: the partial file stays, for another time.
 */
WEIR_CHECKED weir_status hub_blob_open(struct hub_blob *blob, const struct hub_store *store, const char *etag,
                                       uint64_t size, const char *what);
WEIR_CHECKED weir_status hub_blob_write(struct hub_blob *blob, const char *bytes, size_t n);
/* Compares the partial file with the size and the hash that the ETag is: SHA-256 of the contents, or git's SHA-1. *good
   says whether it is right; then it has the blob's name, else it is empty again and `why` says what differed. */
WEIR_CHECKED weir_status hub_blob_finish(struct hub_blob *blob, bool *good, char why[200]);
/* The file's name in the snapshot, as a link to the blob. */
WEIR_CHECKED weir_status hub_blob_link(const struct hub_blob *blob, const struct hub_store *store, const char *name);
void hub_blob_close(struct hub_blob *blob);

/* Has a branch or tag name the commit. Nothing where the revision is the commit. */
WEIR_CHECKED weir_status hub_store_set_ref(const struct hub_store *store, const char *revision, const char *commit);

#endif
