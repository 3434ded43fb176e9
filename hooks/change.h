/* What an edit does to numbers: cells of one prompt's value, set, added to, scaled, held, whole or along a basis. */
#ifndef WEIR_HOOKS_CHANGE_H
#define WEIR_HOOKS_CHANGE_H

#include "base/parallel.h"
#include "engine/scope.h"
#include "hooks/sources/operand.h"
#include "points/edit.h"

/* One prompt's value of a point as rows by units by what a unit has at a row; n_units is 1 for points without units.
   Element (row, unit, i) is data[row * row_step + unit * unit_step + i]. */
struct weir_cells {
    float *data;
    size_t n_rows, n_units, n_inner; /* n_inner: channels of a head; keys; 1 where each unit is one number */
    size_t row_step, unit_step;
    bool has_keys;
    const int32_t
        *experts; /* [n_rows, n_chosen] where units are experts, which stand where they were chosen for; NULL */
    size_t n_chosen;
    size_t first, window; /* where it has keys: row r is the query at first + r, which sees the last `window` keys up to
                             itself; 0: all */
};

/* The change, the same at all sites of an edit. */
struct weir_change {
    enum weir_edit_op op;
    float factor;        /* of the operand */
    const double *basis; /* [rank, width] orthonormal rows; NULL: none. Numbers are changed as coordinates in it */
    size_t rank, width;
    bool by_coordinate; /* the operand's number stands for each coordinate; else it is a vector of `width` */
    bool keeps_norm;
};

/* The cells of a prompt's value. `window`: of the layer. */
struct weir_cells weir_cells_of(const weir_event *event, size_t window);
/* The same of a point of experts' neurons, with experts as units: of which `chosen`, [n_rows, expert_k], were chosen.
   NULL: that is not known yet. */
void weir_cells_by_expert(struct weir_cells *cells, const struct weir_model *model, const int32_t *chosen);
/* What a unit has at a row; NULL where that is an expert that was not chosen. */
float *weir_cells_unit(const struct weir_cells *cells, size_t row, size_t unit);
/* The keys that a row sees: *begin to *end - 1. All of what a unit has where there are no keys. */
void weir_cells_visible(const struct weir_cells *cells, size_t row, size_t *begin, size_t *end);
/* How many cells of a box are not masked. */
size_t weir_cells_count(const struct weir_cells *cells, const struct weir_box *box);

/* Changes the cells of a box that are not masked, on all threads. */
void weir_change_box(const struct weir_change *change, const struct weir_cells *cells, const struct weir_box *box,
                     const struct weir_operand *operand, struct weir_pool *pool);

/* Makes the rows of basis [rank, width] orthonormal, in place. @return WEIR_E_INPUT, naming the row, where one is a sum
   of those before it. */
WEIR_CHECKED weir_status weir_orthonormalize(double *basis, size_t rank, size_t width);

#endif
