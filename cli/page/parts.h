/* Types and functions that the files of this room share: a page while it is made. */
#ifndef WEIR_CLI_PAGE_PARTS_H
#define WEIR_CLI_PAGE_PARTS_H

#include "cli/export/base64.h"
#include "cli/page/page.h"
#include "cli/print/heatmap.h"
#include "cli/select/values.h"

#include "analysis/analysis.h"
#include "base/json.h"
#include "store/read/grids.h"

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

/* Detection patterns that heads are scored by: previous, duplicate, induction. */
enum { PAGE_SCORES = 3 };

/* The blocks of a prompt's overviews: of `side` queries by `side` keys, row by row of blocks, each up to the block of
   its last query; thumbnails have fewer and larger ones, n_thumb a side. */
struct page_blocks {
    size_t side, n_rows, *start; /* start: [n_rows + 1] where each row of blocks begins */
    size_t n_thumb, thumb_rows, thumb_columns;
};

/* The bytes of a block of data. `fits`: they are all there. */
struct packed {
    uint8_t *bytes; /* [n] */
    size_t n;
    bool deflated, fits;
};

/* One prompt's patterns as they are made before they are written. */
struct page_part {
    struct page_blocks blocks;
    uint8_t *thumbs;     /* [heads, page_thumb_size]; NULL: made from the weights, which are few */
    struct packed *maps; /* [heads] overviews, where not every head is whole */
    uint64_t *dense;     /* [heads] how many weights are not tiny: what the size of a whole head depends on */
    bool *whole;         /* [heads] written with every weight */
};

/* A page that is being made. Heads of patterns are counted through the grid of layers and heads. */
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
    struct weir_stored_grid *grids; /* [n_grids] all that the file has */
    size_t n_grids, n_shown_grids, n_grid_values;
    size_t n_rows, n_tokens;       /* stored positions and tokens of all chosen prompts */
    uint64_t reserved;             /* characters kept for units that are not chosen yet */
    struct page_part *parts;       /* [prompts] */
    size_t n_strongest;            /* keys of each query in an overview; 0: every head is whole, there are none */
    double (*scores)[PAGE_SCORES]; /* [heads] NaN where there is none */
    size_t *order;                 /* [heads] by their largest score, falling */
};

/* The i-th chosen prompt. */
WEIR_CHECKED weir_status page_prompt(weir_file_prompt *out, const struct page *page, size_t i);

/* ---- code.c: weights as codes, and codes as bytes ---- */

enum { PAGE_CODE_TINY = 1, PAGE_CODE_NONE = 65535 };

#define PAGE_MOST_WEIGHT 1.0005 /* more is no rounding of a weight */

/* The code of a weight; false for what cannot be one. */
bool page_code(uint16_t *out, float weight);
/* The square root of a weight on a scale of 0 to 255, rounded up. */
uint8_t page_level(float weight);
/* Puts value i of n where high bytes and low bytes lie apart, which deflate likes: planes is [2, n]. */
void page_planes(uint8_t *planes, size_t n, size_t i, uint16_t value);
/* Bytes as they go into the page, deflated where there are many; what does not go into `room` bytes does not fit. */
WEIR_CHECKED weir_status page_pack(struct packed *out, const uint8_t *bytes, size_t n, size_t room);
void page_unpack(struct packed *packed);

/* ---- weights.c: patterns whole ---- */

/* The number of weights of one head on a prompt, its sink counted; the code of what the sink has of a row. */
uint64_t page_weights_of(const struct page *page, const weir_file_prompt *prompt);
uint16_t page_sink_code(const struct weir_row *row);
/* A failure that names the weight of a key that is no weight. */
weir_status page_no_weight(const struct weir_row *row, size_t key);
WEIR_CHECKED weir_status page_pack_head(struct packed *out, const struct page *page, size_t prompt, size_t head,
                                        size_t room);

/* ---- overview.c: overviews of patterns that are not there whole ---- */

enum { PAGE_THUMB = 64 };

struct strong {
    uint16_t distance, code; /* query minus key */
};

/* The overview of one head of one prompt, on its way. */
struct overview {
    const struct page *page;
    const struct page_blocks *blocks;
    size_t n_queries, n_kept;     /* kept: strongest keys of the query at hand */
    float *cells, *without_first; /* largest weights: of the blocks; of each row's first block without key 0 */
    struct strong *strongest;     /* [rows, n_strongest] falling; a row that is not stored begins with PAGE_CODE_NONE */
    float *least;                 /* [n_strongest] the weights of those at hand */
    uint16_t *sinks;              /* [rows] */
    uint64_t dense;
};

WEIR_CHECKED weir_status page_blocks_open(struct page_blocks *out, const weir_file_prompt *prompt, size_t side);
size_t page_blocks_cells(const struct page_blocks *blocks);
size_t page_thumb_size(const struct page_blocks *blocks);
size_t page_map_size(const struct page *page, const struct page_blocks *blocks, const weir_file_prompt *prompt);
/* Room for any prompt of the page; close after a failure too. */
WEIR_CHECKED weir_status page_overview_open(struct overview *out, const struct page *page);
void page_overview_close(struct overview *overview);
void page_overview_begin(struct overview *overview, size_t prompt, size_t n_rows);
/* WEIR_E_UNSUPPORTED for what no causal softmax gives. */
WEIR_CHECKED weir_status page_overview_add(struct overview *overview, const struct weir_row *row);
/* out [page_thumb_size]: zeros before. */
void page_overview_thumb(uint8_t *out, const struct overview *overview);
WEIR_CHECKED weir_status page_overview_pack(struct packed *out, const struct overview *overview, size_t room);

/* ---- survey.c ---- */

/* Reads every chosen pattern once: fills thumbs, maps, dense, scores and order. */
WEIR_CHECKED weir_status page_survey(struct page *page, const struct page_choice *choice);

/* ---- budget.c: room ---- */

/* Opens parts, and chooses how fine overviews are and how many strongest keys they have, so that the page stays within
   the limit; there are none where every weight goes in. WEIR_E_UNSUPPORTED, with what to choose, when nothing fits. */
WEIR_CHECKED weir_status page_plan(struct page *page, const struct page_choice *choice);
/* Characters in the page apart from patterns; json NULL: not made yet, its size is guessed. */
uint64_t page_rest_size(const struct page *page, const char *json);
/* Characters of a head's overview and thumbnail, of all its weights where it has no overview. */
uint64_t page_block_size(const struct page *page, size_t prompt, size_t head);
/* WEIR_E_UNSUPPORTED: the page would be `bytes` long. Says what to choose so that it is not. */
weir_status page_refuse(struct page *page, const struct page_choice *choice, uint64_t bytes);

/* ---- series.c: units and norms ---- */

/* The units of a selection; or, after page_reserve_units, the most active of each layer that fit what was reserved. */
WEIR_CHECKED weir_status page_choose_units(struct page *page, const char *selection);
void page_reserve_units(struct page *page, uint64_t most);
WEIR_CHECKED weir_status page_choose_norms(struct page *page);
WEIR_CHECKED weir_status page_put_units(struct base64 *out, const struct page *page);
WEIR_CHECKED weir_status page_put_norms(struct base64 *out, const struct page *page);

/* ---- grids.c: grids of patches ---- */

WEIR_CHECKED weir_status page_find_grids(struct page *page);
WEIR_CHECKED weir_status page_put_grids(struct base64 *out, const struct page *page);
WEIR_CHECKED weir_status page_add_grids(cJSON *root, const struct page *page);

/* ---- json.c ---- */

/* The contents of the page as JSON that is safe in a script element; free with weir_free. */
WEIR_CHECKED weir_status page_json(char **out, const struct page *page);

/* ---- made of cli/page/web/ by its embed.py: the page up to its data, and the script, and the end ---- */

extern const char page_shell_head[], page_shell_script[], page_shell_tail[];
extern const size_t page_shell_head_size, page_shell_script_size, page_shell_tail_size;

#endif
