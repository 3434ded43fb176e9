/* Fetches a model from the hub into the Hugging Face cache, only where a person asked for it. */
#ifndef WEIR_CLI_HUB_PULL_H
#define WEIR_CLI_HUB_PULL_H

#include "base/status.h"

struct hub_pulled {
    char *path; /* the snapshot's folder; the file where one was named */
    size_t n_fetched, n_there;
    uint64_t bytes; /* that came over the network */
};

/* NAME or NAME@REVISION, and n names of files; none: what the model needs. Shows a progress bar on standard error.
   WEIR_E_USAGE for what is no such name, and for a file that is not there; WEIR_E_INPUT for what the network or the hub
   does not give, WEIR_E_UNSUPPORTED for a repository without a model that weir reads or without libcurl, WEIR_E_OUTPUT
   for what cannot be written; WEIR_E_STOPPED after a signal. What was fetched stays, for the next time. Close with
   hub_pulled_close, also after a failure. */
WEIR_CHECKED weir_status hub_pull(struct hub_pulled *pulled, const char *where, const char *const *files, size_t n);
void hub_pulled_close(struct hub_pulled *pulled);

#endif
