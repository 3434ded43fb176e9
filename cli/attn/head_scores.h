/* The scores of weir heads by name, and the heads as a list to sort and print. */
#ifndef WEIR_CLI_ATTN_HEAD_SCORES_H
#define WEIR_CLI_ATTN_HEAD_SCORES_H

#include "analysis/heads.h"

enum measure { MEASURE_BOTH, MEASURE_OURS, MEASURE_MUL, MEASURE_ABS, MEASURE_ALL };

struct score {
    const char *name;
    size_t offset;               /* of a double in struct weir_head */
    enum measure measure;        /* MEASURE_BOTH: no detection pattern's; shown whatever the measure */
    enum weir_detection pattern; /* of the others */
};

/* Score i in the order of columns; NULL past the last. */
const struct score *score_at(int i);
/* Its name, for a shell to offer. */
const char *score_name(int i);
/* The one of that name; `matrix`: whether there are those of a detection matrix. WEIR_E_USAGE lists what there is. */
WEIR_CHECKED weir_status score_find(const struct score **out, const char *name, bool matrix, const char *option);
double score_of(const struct score *score, const struct weir_head *head);
/* True where a table of `measure` has the score as a column. */
bool score_is_shown(const struct score *score, enum measure measure, bool matrix);

struct head_line {
    int layer, head;
    struct weir_head scores;
};

struct head_list {
    struct head_line *lines; /* [n] */
    size_t n;
};

/* All heads that have a query, by layer and head. WEIR_E_USAGE when none has. */
WEIR_CHECKED weir_status head_list_open(struct head_list *out, const struct weir_heads *heads);
void head_list_close(struct head_list *list);
/* The largest first, or the smallest; equal ones stay in order, those without the score come last.
   `by` NULL: by layer and head. */
void head_list_sort(struct head_list *list, const struct score *by, bool smallest_first);

#endif
