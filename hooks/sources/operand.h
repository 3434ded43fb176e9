/* The numbers by which a box of cells is changed, wherever they come from. */
#ifndef WEIR_HOOKS_SOURCES_OPERAND_H
#define WEIR_HOOKS_SOURCES_OPERAND_H

#include <stddef.h>

/* That of a box's row i, unit j, element k (counted in the box) is data[i * row_step + j * unit_step + k * inner_step].
   A step of 0: one serves all. Elements are what a unit has at a row: channels of a head, or the box's keys. */
struct weir_operand {
    const float *data;
    size_t row_step, unit_step, inner_step;
};

#endif
