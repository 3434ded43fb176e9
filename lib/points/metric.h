/* Metrics as data: sums of measures of the next token, of hook points and of products with vectors. Parsed from text;
   no model is asked here. */
#ifndef WEIR_POINTS_METRIC_H
#define WEIR_POINTS_METRIC_H

#include "points/edit.h"

/* What is measured of the logits at a position. */
enum weir_measure {
    WEIR_MEASURE_LOGIT, /* of tokens: the mean of their logits */
    WEIR_MEASURE_LOGPROB,
    WEIR_MEASURE_PROB, /* the sum of their probabilities, of which logprob is the logarithm */
    WEIR_MEASURE_RANK, /* how many tokens have a larger logit: of several, of the best */
    WEIR_MEASURE_LOSS, /* of the token that stands at the position, in nats, predicted in front of it */
    WEIR_MEASURE_ENTROPY,
    WEIR_MEASURE_KL, /* of the distribution here from that of another prompt */
    WEIR_N_MEASURES
};

enum weir_token_kind { WEIR_TOKEN_BY_ID, WEIR_TOKEN_BY_TEXT, WEIR_TOKEN_BY_FIELD };

/* A token as written: its id, a quoted text, a field of the prompt's line that has either or a list of them. */
struct weir_metric_token {
    enum weir_token_kind kind;
    char *text; /* BY_TEXT: without quotes and escapes; BY_FIELD: its name */
    int64_t id; /* BY_ID */
    size_t at;  /* the byte of the metric's text at which it begins */
};

enum weir_metric_kind {
    WEIR_METRIC_NUMBER,  /* the factor alone */
    WEIR_METRIC_MEASURE, /* logit(answer)@-1#clean */
    WEIR_METRIC_PLACE,   /* [z:5.3@-1], or z:5.3@-1 */
    WEIR_METRIC_SUM,     /* sum(children[0]): over positions, which are averaged otherwise */
    WEIR_METRIC_DOT,     /* dot(PLACE, FILE) */
    WEIR_METRIC_ADD,     /* children, each times its factor */
};

struct weir_metric {
    enum weir_metric_kind kind;
    double factor; /* of the whole, with its sign */
    char *text;    /* the whole as written, of the root; NULL below it */
    size_t at;     /* the byte of it at which this part begins, behind sign and factor */
    enum weir_measure measure;
    struct weir_metric_token *tokens; /* [n_tokens] MEASURE */
    size_t n_tokens, token_capacity;
    struct weir_whose against; /* KL: a side, "base", or one number of a prompt */
    bool has_positions;
    struct weir_spots positions;  /* MEASURE; not written: the last */
    char *side;                   /* MEASURE: the side of the line that is measured; NULL: the prompt itself */
    struct weir_term *place;      /* PLACE, DOT */
    struct weir_file_name file;   /* DOT */
    struct weir_metric *children; /* [n_children] SUM, ADD */
    size_t n_children, child_capacity;
};

/* "logit", "kl", ... */
const char *weir_measure_name(enum weir_measure measure);

/* True where some part of it is of a side of that name. */
bool weir_metric_names_side(const struct weir_metric *metric, const char *side);

/* Why the metric has no derivative, as one part of it; NULL where it has one. */
const char *weir_metric_lacks_derivative(const struct weir_metric *metric);

#endif
