/* Appends to a list of token ids. */
#include "token/ids.h"

#include "base/alloc.h"

weir_status weir_ids_add(struct weir_ids *ids, int32_t id)
{
    if (ids->n == ids->capacity)
        TRY(weir_grow(&ids->ids, &ids->capacity, ids->n + 1, sizeof *ids->ids));
    ids->ids[ids->n++] = id;
    return WEIR_OK;
}

void weir_ids_close(struct weir_ids *ids)
{
    weir_free(ids->ids);
    *ids = (struct weir_ids){0};
}
