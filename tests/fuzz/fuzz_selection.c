/* Any bytes as a selection of hook points: parsed, and its slices laid over axes of several lengths. */
#include "base/alloc.h"
#include "points/select.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mark(const struct weir_slices *slices)
{
    bool marks[40];
    for (size_t length = 0; length <= sizeof marks; length += 8) {
        memset(marks, 0, sizeof marks);
        if (weir_slices_mark(slices, marks, length, "position") != WEIR_OK)
            continue;
        for (size_t i = 0; i < length; i++)
            if (marks[i] != weir_slices_name(slices, i, length))
                __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_selection *selection = NULL;
    char *text;
    if (weir_copy_bytes(&text, (const char *)data, size) != WEIR_OK)
        return 0;
    if (weir_selection_parse(&selection, text) == WEIR_OK)
        for (size_t i = 0; i < selection->n; i++) {
            mark(&selection->terms[i].layers);
            mark(&selection->terms[i].units);
            mark(&selection->terms[i].positions);
        }
    weir_selection_close(selection);
    weir_free(text);
    return 0;
}
