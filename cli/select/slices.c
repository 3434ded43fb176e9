/* Reads the slices of options and marks what they name. */
#include "cli/select/slices.h"

#include "base/alloc.h"

#include <string.h>

weir_status slices_parse(struct weir_slices *out, const char *text, const char *what)
{
    *out = (struct weir_slices){0};
    return weir_slices_parse(out, text ? text : "", text ? strlen(text) : 0, what);
}

weir_status slices_mark(bool **marked, struct weir_slices *slices, size_t n, const char *text, const char *what)
{
    *slices = (struct weir_slices){0};
    TRY(weir_alloc_zero(marked, n, sizeof **marked));
    TRY(slices_parse(slices, text, what));
    return weir_slices_mark(slices, *marked, n, what);
}

weir_status stored_units_mark(bool **marked, size_t n, const weir_file_point *point, const bool *layers, int n_layers)
{
    TRY(weir_alloc_zero(marked, n, sizeof **marked));
    for (int layer = 0; layer < n_layers; layer++)
        for (size_t unit = 0; (!layers || layers[layer]) && unit < n; unit++)
            (*marked)[unit] |= weir_file_has_unit(point, layer, unit);
    return WEIR_OK;
}
