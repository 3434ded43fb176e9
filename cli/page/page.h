/* A page: part of a file as one HTML document that needs nothing else, for a browser (docs/viewer.md). */
#ifndef WEIR_CLI_PAGE_PAGE_H
#define WEIR_CLI_PAGE_PAGE_H

#include "base/status.h"

/* The part of the file that goes into the page. Slices as in selections ("0:6", "3+7"); NULL: all that is stored. */
struct page_choice {
    const char *layers, *heads, *prompts;
    const char *units; /* a selection of hook points [pos, units], "mlp_post:3.10+25"; NULL: the most active neurons */
    uint64_t limit;    /* no page larger than that many bytes */
    const char *raise; /* how a person asks for more, up to its option --max-size: "", "weir view" */
    bool force;        /* replace an existing file */
};

/* The largest page that is written by default. */
enum { PAGE_MB = 1000000, PAGE_LIMIT = 100 * PAGE_MB };

/* The parts that went in. Layers and heads are those of the patterns, 0 where there are none. */
struct page_summary {
    uint64_t bytes;
    size_t n_layers, n_heads, n_prompts, n_units, n_norms, n_grids;
    size_t n_patterns, n_whole; /* heads times prompts; those of them that are there with every weight */
};

/* Writes the page to `path`, whole or not at all. Where not every weight fits the limit, the heads with the highest
   detection scores are whole, the others have their largest weights and each query's strongest keys. WEIR_E_USAGE for
   what is not stored, WEIR_E_UNSUPPORTED when even that is larger: the message says how large, and what to choose. */
WEIR_CHECKED weir_status page_write(struct page_summary *out, const char *path, const weir_file *file,
                                    const struct page_choice *choice);

#endif
