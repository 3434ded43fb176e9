/* Numbers on rows, heads and columns that serve the cells of an edit: by their own number, one for all, or in order. */
#ifndef WEIR_HOOKS_SOURCES_GRID_H
#define WEIR_HOOKS_SOURCES_GRID_H

#include "engine/scope.h"
#include "hooks/sources/operand.h"

/* The axes of a point's value apart from its rows. */
struct weir_form {
    weir_axis head_axis, column_axis; /* WEIR_N_AXES: it has none */
    size_t heads, columns;            /* 1 where it has none; columns 0: they are keys, as many as a prompt has */
    bool by_heads, by_columns;        /* which of the two a selection's units choose from */
    bool by_neurons;                  /* heads are experts, and a box's keys choose of the columns, their neurons */
    bool has_keys;
};

struct weir_form weir_form_of(const struct weir_model *model, int point);
/* The same of a site of a scope, whose units may be experts. */
struct weir_form weir_form_of_site(const struct weir_scope *scope, const struct weir_site *site);

enum weir_serves {
    WEIR_SERVES_ALL,    /* one number for all */
    WEIR_SERVES_NUMBER, /* number i serves i */
    WEIR_SERVES_LISTED, /* number i serves of.list[i] */
};

struct weir_grid_axis {
    enum weir_serves how;
    size_t step;         /* floats from one number to the next */
    size_t first;        /* what is added to a cell's number before it is looked for */
    struct weir_some of; /* of LISTED; not owned. In rising order, or as an edit names them */
};

/* Whose numbers they are belongs to the source. */
struct weir_grid {
    const float *data;
    struct weir_grid_axis rows, heads, columns;
};

/* Memory for boxes whose numbers stand apart. All zero is empty. */
struct weir_grid_scratch {
    float *data;
    size_t capacity;
};

/* The heads and columns of a box of a point of that form: all, where it chooses none. */
void weir_form_box(struct weir_some *heads, struct weir_some *columns, const struct weir_form *form,
                   const struct weir_box *box);

/* The numbers for a box: where they lie, or copied to the scratch, which holds them until it is used again. Every cell
   of the box is served. @return WEIR_E_MEMORY. */
WEIR_CHECKED weir_status weir_grid_operand(struct weir_operand *out, const struct weir_grid *grid,
                                           const struct weir_form *form, const struct weir_box *box,
                                           struct weir_grid_scratch *scratch);
/* How the numbers of a box [rows, heads, columns] with those steps are paired with its units and elements. */
struct weir_operand weir_form_operand(const struct weir_form *form, const float *data, size_t row_step,
                                      size_t head_step, size_t column_step);

#endif
