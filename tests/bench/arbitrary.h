/* The prompt of the programs of the bench: peers.py has the same tokens. */
#ifndef WEIR_TESTS_BENCH_ARBITRARY_H
#define WEIR_TESTS_BENCH_ARBITRARY_H

#include "weir.h"
#include <stdlib.h>

/* n tokens that follow no rule of language. Free with weir_tokens_close. */
static inline weir_status arbitrary_tokens(weir_tokens *out, const weir_model *model, size_t n)
{
    int32_t *ids = calloc(n ? n : 1, sizeof *ids); /* [n] */
    if (!ids)
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)((i * 7919 + 13) % (size_t)weir_model_get_info(model)->n_vocab);
    weir_status status = weir_tokens_from_ids(out, model, ids, n);
    free(ids);
    return status;
}

#endif
