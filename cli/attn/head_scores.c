/* The table of head scores, and heads sorted by one of them. */
#include "cli/attn/head_scores.h"

#include "base/alloc.h"
#include "base/text.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF(field) .offset = offsetof(struct weir_head, field)

#define DETECTION(text, which)                                                                                         \
    {text, OF(match[which].weight), .measure = MEASURE_OURS, .pattern = (which)},                                      \
        {text "_mul", OF(match[which].mul), .measure = MEASURE_MUL, .pattern = (which)},                               \
    {                                                                                                                  \
        text "_abs", OF(match[which].abs), .measure = MEASURE_ABS, .pattern = (which)                                  \
    }

static const struct score scores[] = {
    {"entropy", OF(entropy)},
    {"self", OF(self)},
    DETECTION("previous", WEIR_DETECT_PREVIOUS),
    {"first", OF(first)},
    DETECTION("duplicate", WEIR_DETECT_DUPLICATE),
    DETECTION("induction", WEIR_DETECT_INDUCTION),
    DETECTION("detect", WEIR_DETECT_MATRIX),
    {"distance", OF(distance)},
};

enum { N_SCORES = sizeof scores / sizeof *scores };

const struct score *score_at(int i)
{
    return i < N_SCORES ? &scores[i] : NULL;
}

bool score_is_shown(const struct score *score, enum measure measure, bool matrix)
{
    if (score->measure == MEASURE_BOTH)
        return true;
    if (score->pattern == WEIR_DETECT_MATRIX && !matrix)
        return false;
    return measure == MEASURE_ALL || score->measure == measure;
}

const char *score_name(int i)
{
    const struct score *score = score_at(i);
    return score ? score->name : NULL;
}

weir_status score_find(const struct score **out, const char *name, bool matrix, const char *option)
{
    char all[512] = "";
    for (int i = 0; i < N_SCORES; i++) {
        if (!score_is_shown(&scores[i], MEASURE_ALL, matrix))
            continue;
        *out = &scores[i];
        if (strcmp(name, scores[i].name) == 0)
            return WEIR_OK;
        weir_text_append(all, sizeof all, "%s%s", *all ? ", " : "", scores[i].name);
    }
    return weir_fail(WEIR_E_USAGE, "--%s: '%s' is not a score; the scores are %s", option, name, all);
}

double score_of(const struct score *score, const struct weir_head *head)
{
    double value;
    memcpy(&value, (const char *)head + score->offset, sizeof value);
    return value;
}

/* ---- the list ---- */

weir_status head_list_open(struct head_list *out, const struct weir_heads *heads)
{
    int n_layers = weir_heads_layers(heads), n_heads = weir_heads_heads(heads);
    *out = (struct head_list){0};
    TRY(weir_alloc(&out->lines, (size_t)n_layers * (size_t)n_heads, sizeof *out->lines));
    for (int layer = 0; layer < n_layers; layer++)
        for (int head = 0; head < n_heads; head++) {
            struct head_line *line = &out->lines[out->n];
            *line = (struct head_line){.layer = layer, .head = head};
            out->n += weir_heads_get(&line->scores, heads, layer, head);
        }
    if (out->n > 0)
        return WEIR_OK;
    head_list_close(out);
    return weir_fail(WEIR_E_USAGE, "none of the selected patterns is stored");
}

void head_list_close(struct head_list *list)
{
    weir_free(list->lines);
    *list = (struct head_list){0};
}

struct order {
    const struct score *by;
    bool smallest_first;
};

static int compare_head_lines(const void *a, const void *b, void *payload)
{
    const struct head_line *x = a, *y = b;
    const struct order *order = payload;
    double p = order->by ? score_of(order->by, &x->scores) : 0, q = order->by ? score_of(order->by, &y->scores) : 0;
    if (isnan(p) != isnan(q))
        return isnan(p) ? 1 : -1;
    if (!isnan(p) && p != q)
        return (p > q) == order->smallest_first ? 1 : -1;
    return x->layer != y->layer ? x->layer - y->layer : x->head - y->head;
}

void head_list_sort(struct head_list *list, const struct score *by, bool smallest_first)
{
    struct order order = {by, smallest_first};
    qsort_r(list->lines, list->n, sizeof *list->lines, compare_head_lines, &order);
}
