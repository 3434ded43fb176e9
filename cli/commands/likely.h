/* Prints likely next tokens and losses: those that a file stores (weir next), and those of a run (weir run). */
#ifndef WEIR_CLI_COMMANDS_LIKELY_H
#define WEIR_CLI_COMMANDS_LIKELY_H

#include "base/status.h"

/* How it is printed. */
struct likely_form {
    size_t top; /* tokens at each position; 0: as many as look well, in JSON and CSV all that there are */
    bool json, csv;
    bool against_base; /* each prompt has a base */
    bool is_first;     /* nothing is printed yet */
};

/* The same prompt without edits: of the same tokens and metrics. */
struct likely_base {
    const float *logits, *logprobs; /* [n_rows, n_next] of the tokens that are likely with edits */
    const double *values;           /* [n_metrics] */
    float loss;
    double kl; /* of the predictions with edits from those without, mean over the rows, in nats */
};

/* The likely next tokens of one prompt, at the positions that were asked for. */
struct likely {
    int prompt, n_prompts;
    const int32_t *tokens; /* [n_tokens] ids of the prompt */
    size_t n_tokens;
    int32_t *positions; /* [n_rows] ascending */
    size_t n_rows, n_next;
    int32_t *ids;               /* [n_rows, n_next] the likeliest first, and so on */
    float *logits, *logprobs;   /* [n_rows, n_next] */
    float loss;                 /* NaN: not known */
    const char *const *metrics; /* [n_metrics] as they were written */
    const double *values;       /* [n_metrics] of this prompt */
    size_t n_metrics;
    const struct likely_base *base;                                                     /* NULL: there is none */
    const void *from;                                                                   /* what the texts come from */
    void (*token_at)(char *to, size_t size, const struct likely *likely, int position); /* the prompt's token there */
    void (*word_of)(char *to, size_t size, const struct likely *likely, int32_t id); /* a likely one; "": not known */
};

/* Refuses what a table cannot show at that many positions of each prompt. */
WEIR_CHECKED weir_status likely_check(const struct likely_form *form, size_t n_positions);
/* What comes before the first prompt and after the last. */
WEIR_CHECKED weir_status likely_begin(struct likely_form *form, const char *const *metrics, size_t n_metrics);
WEIR_CHECKED weir_status likely_print(const struct likely *likely, struct likely_form *form);
void likely_end(const struct likely_form *form);

#endif
