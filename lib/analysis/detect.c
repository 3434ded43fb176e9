/* Finds, for each query, the keys that a detection pattern names. */
#include "analysis/detect.h"

#include "base/alloc.h"

#include <stdlib.h>

/* A position and the token there. */
struct place {
    int32_t id, position;
};

static int by_id_then_position(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->position < y->position ? -1 : 1;
}

weir_status weir_echoes_open(struct weir_echoes *out, const int32_t *ids, size_t n)
{
    struct place *places = NULL;
    weir_status status;
    *out = (struct weir_echoes){.n = n};
    TRY_DONE(weir_alloc(&out->last, n, sizeof *out->last));
    TRY_DONE(weir_alloc(&places, n, sizeof *places));
    for (size_t i = 0; i < n; i++)
        places[i] = (struct place){ids[i], (int32_t)i};
    qsort(places, n, sizeof *places, by_id_then_position);
    for (size_t i = 0; i < n; i++) {
        bool again = i > 0 && places[i - 1].id == places[i].id;
        out->last[places[i].position] = again ? places[i - 1].position : -1;
    }
done:
    weir_free(places);
    if (status != WEIR_OK)
        weir_echoes_close(out);
    return status;
}

void weir_echoes_close(struct weir_echoes *echoes)
{
    weir_free(echoes->last);
    *echoes = (struct weir_echoes){0};
}

bool weir_detect_next(int32_t *key, const struct weir_echoes *echoes, enum weir_detection which, size_t query)
{
    int32_t after = which == WEIR_DETECT_INDUCTION; /* how far the key is after the earlier copy of the query's token */
    if (which == WEIR_DETECT_PREVIOUS)
        *key = *key < 0 ? (int32_t)query - 1 : -1;
    else {
        int32_t echo = echoes->last[*key < 0 ? (int32_t)query : *key - after];
        *key = echo < 0 ? -1 : echo + after;
    }
    return *key >= 0;
}
