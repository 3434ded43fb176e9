/* The keys that each head attends to: sums over its pattern, from a file or from a run. The sums of one prompt at a
   time are kept beside those over all prompts, as TransformerLens's scores are a prompt's each. */
#ifndef WEIR_ANALYSIS_HEADS_H
#define WEIR_ANALYSIS_HEADS_H

#include "analysis/analysis.h"
#include "analysis/detect.h"
#include "points/select.h"

/* The share of a head that matches a detection pattern. `weight` is weir's: what a query gives to the keys that match,
   mean over the queries that have one. `mul` and `abs` are those of TransformerLens's detect_head, mean over prompts:
   the fraction of all weight that is on matching keys, and 1 - the difference between the patterns, summed over keys
   and mean over queries, rounded to 3 decimals as there. NaN where there is nothing to take the mean of. */
struct weir_match {
    uint64_t queries; /* that have a key which matches */
    double weight, mul, abs;
};

/* A summary of one head's attention: means over all queries of all prompts. */
struct weir_head {
    uint64_t n;         /* queries */
    double entropy;     /* nats */
    double self, first; /* weight on the query's own and on the first token */
    double distance;    /* mean of query minus key, weighted */
    struct weir_match match[WEIR_N_DETECTIONS];
};

/* Needed until the call that it is given to returns. */
struct weir_heads_options {
    bool exclude_bos;                           /* in detection, weight on the first token counts as 0 */
    bool exclude_current_token;                 /* the same for the query's own */
    const struct weir_detection_matrix *detect; /* one more detection pattern; NULL: none */
    struct weir_slices layers, heads, prompts;  /* of a model, prompts are all */
    weir_stored_row_fn *also;                   /* of a file: sees each stored query before it is counted; NULL: none */
    void *payload;                              /* what it is called with */
};

struct weir_heads;

/* Reads the patterns of a file. WEIR_E_INPUT when there are none, WEIR_E_USAGE for a selection that is not there. */
WEIR_CHECKED weir_status weir_heads_of_file(struct weir_heads **out, const weir_file *file,
                                            const struct weir_heads_options *options);
/* Runs the prompts up to the last pattern that is wanted; nothing is stored. */
WEIR_CHECKED weir_status weir_heads_of_model(struct weir_heads **out, weir_model *model, const weir_tokens *prompts,
                                             size_t n, const struct weir_heads_options *options);
void weir_heads_close(struct weir_heads *heads);

int weir_heads_layers(const struct weir_heads *heads);
int weir_heads_heads(const struct weir_heads *heads);
/* @return false when that head was not asked for or has no query. */
bool weir_heads_get(struct weir_head *out, const struct weir_heads *heads, int layer, int head);

#endif
