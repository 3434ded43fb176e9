/* Which axis of what an edit changes each axis of an array is, by its size. */
#ifndef WEIR_HOOKS_SOURCES_FIT_H
#define WEIR_HOOKS_SOURCES_FIT_H

#include "format/tensors.h"

enum weir_fit_name { WEIR_FIT_LAYERS, WEIR_FIT_PROMPTS, WEIR_FIT_ROWS, WEIR_FIT_HEADS, WEIR_FIT_COLUMNS, WEIR_N_FIT };

/* The sizes that an array may have along an axis. */
struct weir_fit_axis {
    size_t chosen, whole; /* as many as are changed; as many as there are */
};

/* What an array has along an axis. */
struct weir_fitted {
    size_t size; /* 0 or 1: one serves all */
    size_t step; /* values from one to the next; 0 where one serves all */
};

struct weir_fit {
    struct weir_fit_axis axes[WEIR_N_FIT];
    bool heads_first;      /* the value is [head, query, key], not [pos, head, ...] */
    weir_axis column_axis; /* WEIR_N_AXES: the value has no columns */
    struct weir_fitted fitted[WEIR_N_FIT];
};

/* Fills fit->fitted. The array's last axis is the value's last, and the others, in order, are axes of their sizes;
   those of size 1 serve all. @return WEIR_E_USAGE where it fits in no way or in two, naming sizes and axes; `point` is
   for that. An array that has as many axes as the value, some of size 1, is taken as it stands where it fits so. */
WEIR_CHECKED weir_status weir_fit_array(struct weir_fit *fit, const struct weir_tensor *array, const char *point);

#endif
