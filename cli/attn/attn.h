/* The answers of weir attn: text, JSON, grids, lists and pictures. */
#ifndef WEIR_CLI_ATTN_ATTN_H
#define WEIR_CLI_ATTN_ATTN_H

#include "cli/figure/figure.h"
#include "cli/select/maps.h"

struct look {
    enum scale scale;
    bool per_head;               /* the scale ends at each map's largest weight */
    size_t columns;              /* maps beside each other at the most; 0: as many as fit */
    const struct scheme *scheme; /* of pictures */
};

/* A sentence for a title or a note about --drop-first; "" without it. */
const char *drop_first_note(const struct map_choice *chosen);
/* The value at which a map's scale ends. */
double look_most(const struct look *look, const struct map *map);

/* ---- text.c ---- */

/* One map with labels, and the strongest keys of each query, or the strongest queries of each key when keys were
   chosen. */
WEIR_CHECKED weir_status attn_print_map(struct map_choice *chosen, const struct look *look);
/* {"maps": [...]}, written as it is read. */
WEIR_CHECKED weir_status attn_print_json(struct map_choice *chosen);

/* ---- grid.c ---- */

/* Many maps, small, a line of them for each layer. */
WEIR_CHECKED weir_status attn_print_grid(struct map_choice *chosen, const struct look *look);

/* ---- top.c ---- */

enum form { FORM_TABLE, FORM_JSON, FORM_CSV };

WEIR_CHECKED weir_status attn_print_top(struct map_choice *chosen, size_t k, bool drop_self, enum form form);

/* ---- figure.c ---- */

struct figure;
/* The chosen maps as a picture; close with figure_close. */
WEIR_CHECKED weir_status attn_figure(struct figure **out, struct map_choice *chosen, const struct look *look);

#endif
