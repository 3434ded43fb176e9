/* What the files that make a page share. */
#ifndef WEIR_CLI_PAGE_PARTS_H
#define WEIR_CLI_PAGE_PARTS_H

#include "cli/cut.h"
#include "cli/page.h"

#include "base/json.h"

#include <stdio.h>

/* One value a position: a unit of a hook point, as of neurons. */
struct page_unit {
    const weir_point *point;
    int layer; /* -1 outside blocks */
    size_t unit;
};

/* One row of the residual view: the norms of a hook point in one layer. */
struct page_norm {
    const weir_file_point *point;
    int layer;
};

/* A page that is being made. */
struct page {
    const weir_file *file;
    const weir_file_point *pattern;   /* NULL: no patterns */
    struct picked layers, heads;      /* of the patterns */
    struct picked prompts, chosen;    /* chosen: layers, stored or not */
    struct weir_selection *selection; /* of units, NULL: none */
    bool top;                         /* chosen as the most active */
    struct page_unit *units;          /* [n_units] in the order of the selection */
    size_t n_units, unit_capacity;
    struct page_norm *norms; /* [n_norms] by point, then layer */
    size_t n_norms;
    size_t n_rows; /* stored positions of all chosen prompts */
};

/* The i-th chosen prompt. */
WEIR_CHECKED weir_status page_prompt(weir_file_prompt *out, const struct page *page, size_t i);

/* ---- base64.c: bytes on their way into the page ---- */

struct base64 {
    FILE *to;
    uint8_t held[3];
    size_t n_held;
};

void base64_put(struct base64 *out, const void *bytes, size_t n);
void base64_put_u16(struct base64 *out, uint16_t value); /* little-endian */
void base64_put_float(struct base64 *out, float value);
/* Writes what is left; `out` begins anew. */
void base64_end(struct base64 *out);
/* How many characters n bytes become. */
uint64_t base64_size(uint64_t n);

/* ---- page_weights.c: attention patterns ---- */

uint64_t page_weights_size(const struct page *page, const weir_file_prompt *prompt);
WEIR_CHECKED weir_status page_put_weights(struct base64 *out, const struct page *page);

/* ---- page_series.c: units and norms ---- */

/* Which units: those of the selection, or the most active of each layer that fit `room` bytes. */
WEIR_CHECKED weir_status page_choose_units(struct page *page, const char *selection, uint64_t room);
WEIR_CHECKED weir_status page_choose_norms(struct page *page);
WEIR_CHECKED weir_status page_put_units(struct base64 *out, const struct page *page);
WEIR_CHECKED weir_status page_put_norms(struct base64 *out, const struct page *page);

/* ---- page_json.c ---- */

/* What the page holds, as JSON that may stand in a script element; free with weir_free. */
WEIR_CHECKED weir_status page_json(char **out, const struct page *page);

/* ---- made of cli/page/ by embed.py: the page up to its data, and from there on ---- */

extern const char page_shell_head[], page_shell_tail[];
extern const size_t page_shell_head_size, page_shell_tail_size;

#endif
