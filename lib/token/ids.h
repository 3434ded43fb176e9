/* Token ids that grow. */
#ifndef WEIR_TOKEN_IDS_H
#define WEIR_TOKEN_IDS_H

#include "base/status.h"

/* All zero is empty. */
struct weir_ids {
    int32_t *ids; /* [n] */
    size_t n, capacity;
};

WEIR_CHECKED weir_status weir_ids_add(struct weir_ids *ids, int32_t id);
void weir_ids_close(struct weir_ids *ids);

#endif
