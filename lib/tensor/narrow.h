/* Products in fewer bits than float32, where the processor has instructions for them: bfloat16, or bytes with a scale
   for each group of 64 inputs, of a row and of an output's weights. Sums are in float32; within a group they are exact.
 */
#ifndef WEIR_TENSOR_NARROW_H
#define WEIR_TENSOR_NARROW_H

#include "base/status.h"

enum {
    WEIR_PANEL = 32,  /* outputs that are computed side by side */
    WEIR_N_NARROW = 2 /* ways to compute that are not float32 */
};

/* The kernels of one kind (kernel_narrow.c). A unit is 32 bits: `per` consecutive inputs. A row of n has n_units of
   them, filled up with zeros to whole units and groups.

   A panel is the weights of WEIR_PANEL outputs, in values of 32 bits: scales [n_groups, WEIR_PANEL] (float), what sums
   start with [n_groups, WEIR_PANEL] (int32), units [n_units, WEIR_PANEL]. */
struct weir_narrow {
    size_t per;         /* values in a unit */
    size_t group_units; /* units in a group; 0: no groups */
    /* A row of inputs [n] to units [n_units], scales [n_groups]. */
    void (*row)(uint32_t *units, float *scales, const float *x, size_t n);
    /* One output's weights [n] to units [n_units], scales and starts [n_groups]. */
    void (*weights)(uint32_t *units, float *scales, int32_t *starts, const float *x, size_t n);
    /* to [n, ld_to] = from [m, ld_from] turned over: values of 32 bits */
    void (*turn_over)(void *to, size_t ld_to, const void *from, size_t ld_from, size_t m, size_t n);
    /* out [m, ldo], of which n <= WEIR_PANEL columns are written, from x [m, n_units] with its scales [m, n_groups]. A
       row comes out the same whatever m is. */
    void (*product)(float *out, size_t ldo, const uint32_t *x, const float *scales, size_t m, const uint32_t *panel,
                    size_t n_units, size_t n);
};

extern const struct weir_narrow weir_narrow_bf16, weir_narrow_int8; /* x86-64 only */

static inline size_t weir_narrow_groups(const struct weir_narrow *narrow, size_t n)
{
    size_t group = narrow->group_units * narrow->per;
    return group ? (n + group - 1) / group : 0;
}

static inline size_t weir_narrow_units(const struct weir_narrow *narrow, size_t n)
{
    return narrow->group_units ? weir_narrow_groups(narrow, n) * narrow->group_units
                               : (n + narrow->per - 1) / narrow->per;
}

/* Values of 32 bits that a panel of n_in inputs has, and that weir_panel_fill needs to work in. */
size_t weir_panel_size(const struct weir_narrow *narrow, size_t n_in);
size_t weir_panel_scratch(const struct weir_narrow *narrow, size_t n_in);
/* Packs n outputs (at most WEIR_PANEL; the rest are zeros): weights [n, ld] of n_in, or [n_in, ld] when input_major. */
void weir_panel_fill(uint32_t *panel, const struct weir_narrow *narrow, const float *weights, size_t ld,
                     bool input_major, size_t n, size_t n_in, float *scratch);

/* "bf16", "int8"; NULL for float32. */
const char *weir_compute_name(weir_compute compute);
/* *out: the kernels for a way to compute; NULL for WEIR_COMPUTE_F32. WEIR_E_UNSUPPORTED where the processor has none.
 */
WEIR_CHECKED weir_status weir_narrow_find(const struct weir_narrow **out, weir_compute compute);

#endif
