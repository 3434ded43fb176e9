/* The values in flight during a pass: taking, passing on and giving up their buffers. */
#include "engine/values.h"

#include "engine/run.h"

weir_status weir_value_take(struct weir_run *run, weir_buffer **slot, size_t n)
{
    weir_value_drop(slot);
    return weir_buffer_take(slot, run->buffers, n);
}

weir_status weir_value_take_rows(struct weir_run *run, weir_buffer **slot, size_t width)
{
    return weir_value_take(run, slot, weir_total_pos(run) * width);
}

void weir_value_drop(weir_buffer **slot)
{
    weir_buffer_release(*slot);
    *slot = NULL;
}

weir_status weir_value_renew(struct weir_run *run, weir_buffer **slot, weir_buffer **old, size_t width)
{
    *old = *slot;
    if (!weir_buffer_is_shared(*slot)) {
        weir_buffer_retain(*old);
        return WEIR_OK;
    }
    *slot = NULL;
    weir_status status = weir_value_take_rows(run, slot, width);
    if (status != WEIR_OK)
        weir_value_drop(old);
    return status;
}

void weir_value_move(weir_buffer **to, weir_buffer **from)
{
    weir_value_drop(to);
    *to = *from;
    *from = NULL;
}

void weir_values_drop(struct weir_run *run)
{
    for (size_t i = 0; i < WEIR_N_VALUES; i++)
        weir_value_drop(&run->all_values[i]);
}
