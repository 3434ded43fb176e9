/* Packs inputs and weights for products in bfloat16 or int8, and picks the kernels. */
#include "tensor/narrow.h"

#include "base/cpu.h"

#include <string.h>

size_t weir_panel_size(const struct weir_narrow *narrow, size_t n_in)
{
    return WEIR_PANEL * (2 * weir_narrow_groups(narrow, n_in) + weir_narrow_units(narrow, n_in));
}

size_t weir_panel_scratch(const struct weir_narrow *narrow, size_t n_in)
{
    return WEIR_PANEL * n_in + weir_panel_size(narrow, n_in); /* the outputs in order, and the panel turned over */
}

void weir_panel_fill(uint32_t *panel, const struct weir_narrow *narrow, const float *weights, size_t ld,
                     bool input_major, size_t n, size_t n_in, float *scratch)
{
    size_t groups = weir_narrow_groups(narrow, n_in), n_units = weir_narrow_units(narrow, n_in);
    float *scales = scratch + WEIR_PANEL * n_in;                          /* [WEIR_PANEL, groups] */
    int32_t *starts = (int32_t *)(void *)(scales + WEIR_PANEL * groups);  /* [WEIR_PANEL, groups] */
    uint32_t *units = (uint32_t *)(void *)(starts + WEIR_PANEL * groups); /* [WEIR_PANEL, n_units] */
    if (input_major) {
        narrow->turn_over(scratch, n_in, weights, ld, n_in, n);
        weights = scratch;
        ld = n_in;
    }
    memset(scales, 0, weir_panel_size(narrow, n_in) * sizeof *scales); /* outputs that are not there */
    for (size_t i = 0; i < n; i++)
        narrow->weights(units + i * n_units, scales + i * groups, starts + i * groups, weights + i * ld, n_in);
    narrow->turn_over(panel, WEIR_PANEL, scales, groups, WEIR_PANEL, groups);
    narrow->turn_over(panel + groups * WEIR_PANEL, WEIR_PANEL, starts, groups, WEIR_PANEL, groups);
    narrow->turn_over(panel + 2 * groups * WEIR_PANEL, WEIR_PANEL, units, n_units, WEIR_PANEL, n_units);
}

/* A way to compute in fewer bits. */
struct way {
    const char *name, *needs;
    const struct weir_narrow *kernels;
    bool (*has)(void);
};

#if defined(__x86_64__)
#define KERNELS(name) &weir_narrow_##name
#else
#define KERNELS(name) NULL
#endif

static const struct way ways[] = {
    [WEIR_COMPUTE_F32] = {NULL, NULL, NULL, NULL},
    [WEIR_COMPUTE_BF16] = {"bf16", "AVX512-BF16", KERNELS(bf16), weir_cpu_has_bf16},
    [WEIR_COMPUTE_INT8] = {"int8", "AVX512-VNNI", KERNELS(int8), weir_cpu_has_vnni},
};

const char *weir_compute_name(weir_compute compute)
{
    return ways[compute].name;
}

weir_status weir_narrow_find(const struct weir_narrow **out, weir_compute compute)
{
    *out = NULL;
    if ((unsigned)compute >= sizeof ways / sizeof *ways)
        return weir_fail(WEIR_E_USAGE, "compute is %d, which is not a weir_compute", (int)compute);
    const struct way *way = &ways[compute];
    if (!way->name)
        return WEIR_OK;
    if (weir_isa() != WEIR_ISA_AVX512 || !way->has())
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "this processor cannot compute in %s (it lacks %s): omit it to compute in float32", way->name,
                         way->needs);
    *out = way->kernels;
    return WEIR_OK;
}
