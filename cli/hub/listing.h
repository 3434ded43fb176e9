/* The files of a repository at one commit, as the hub lists them, and which of them a model needs. */
#ifndef WEIR_CLI_HUB_LISTING_H
#define WEIR_CLI_HUB_LISTING_H

#include "base/status.h"

struct hub_file {
    char *name;   /* relative, of ordinary parts: it can be joined to a folder */
    int64_t size; /* bytes; -1: the hub does not tell */
};

struct hub_listing {
    char commit[65];        /* hex digits */
    struct hub_file *files; /* [n], by name */
    size_t n, capacity;
};

/* Reads the answer to api/models/NAME/revision/REVISION; `from` is its address, for messages. WEIR_E_INPUT for anything
   that is no such answer, and for names that would leave the snapshot's folder. Close with hub_listing_close, also
   after a failure. */
WEIR_CHECKED weir_status hub_listing_read(struct hub_listing *listing, const char *from, const char *text, size_t n);
void hub_listing_close(struct hub_listing *listing);

/* The file of that name, or NULL. */
const struct hub_file *hub_listing_find(const struct hub_listing *listing, const char *name);

/* Files that are wanted, in the order in which they are fetched; none twice. */
struct hub_wanted {
    const struct hub_file **files; /* [n], of one listing */
    size_t n, capacity;
    bool *taken; /* [files of the listing] */
};

/* The files that a person named; a part of a split GGUF stands for all parts. WEIR_E_USAGE names the nearest files for
   one that is not there. `repository` is for messages. */
WEIR_CHECKED weir_status hub_wanted_named(struct hub_wanted *wanted, const struct hub_listing *listing,
                                          const char *repository, const char *const *names, size_t n);
/* config.json, the tokenizer's files and the weights, or the index of the weights instead of them: then *index is that
   file, else NULL. WEIR_E_UNSUPPORTED or WEIR_E_USAGE explains a repository without config.json and safetensors. */
WEIR_CHECKED weir_status hub_wanted_model(struct hub_wanted *wanted, const struct hub_file **index,
                                          const struct hub_listing *listing, const char *repository);
/* The shards that the index at `path` names. */
WEIR_CHECKED weir_status hub_wanted_shards(struct hub_wanted *wanted, const struct hub_listing *listing,
                                           const char *path);
void hub_wanted_close(struct hub_wanted *wanted);

#endif
