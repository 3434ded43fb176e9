/* Prompts of random tokens that come twice: the second time, only the first can tell which token follows. */
#include "cli/args/repeats.h"

#include "base/alloc.h"

/* SplitMix64: the same prompts from a seed on every machine. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The beginning-of-sequence token; -1 where the model's tokenizer has none. */
static weir_status find_bos(int32_t *out, const weir_model *model)
{
    weir_tokens tokens;
    *out = -1;
    if (!weir_model_get_info(model)->has_tokenizer)
        return WEIR_OK;
    weir_status status = weir_tokenize(&tokens, model, "", 0, WEIR_BOS_YES);
    if (status == WEIR_OK && tokens.n > 0)
        *out = tokens.ids[0];
    weir_tokens_close(&tokens);
    return status == WEIR_E_UNSUPPORTED ? WEIR_OK : status;
}

/* BOS, n random tokens that are not BOS, and the same again. ids is [1 + 2 n]. @return how many. */
static size_t fill_repeated(int32_t *ids, size_t n, int32_t bos, int n_vocab, uint64_t *state)
{
    size_t at = 0;
    if (bos >= 0)
        ids[at++] = bos;
    uint64_t choices = (uint64_t)(n_vocab - (bos >= 0));
    for (size_t i = 0; i < n; i++) {
        int32_t id = (int32_t)(next_random(state) % choices);
        ids[at + i] = ids[at + n + i] = id + (bos >= 0 && id >= bos);
    }
    return at + 2 * n;
}

/* The number of tokens to repeat: as asked for, else as many as the context holds, up to REPEAT_LENGTH. */
static weir_status choose_repeat_length(size_t *out, int asked, bool has_bos, int n_context)
{
    int most = (n_context - has_bos) / 2, n = asked > 0 ? asked : most < REPEAT_LENGTH ? most : REPEAT_LENGTH;
    if (n > most || n < 1)
        return weir_fail(WEIR_E_USAGE, "--length: %d tokens twice%s do not fit into the model's context of %d", n,
                         has_bos ? " and BOS" : "", n_context);
    *out = (size_t)n;
    return WEIR_OK;
}

weir_status repeats_make(struct prompts *out, const weir_model *model, const struct repeats *how)
{
    const weir_model_info *info = weir_model_get_info(model);
    uint64_t state = how->seed;
    int32_t bos = -1, *ids = NULL;
    size_t length = 0;
    weir_status status;
    *out = (struct prompts){0};
    TRY_DONE(find_bos(&bos, model));
    TRY_DONE(choose_repeat_length(&length, how->length, bos >= 0, info->n_context));
    if (info->n_vocab < 2)
        TRY_DONE(
            weir_fail(WEIR_E_UNSUPPORTED, "a vocabulary of %d tokens is too small for random repeats", info->n_vocab));
    TRY_DONE(weir_alloc(&ids, 1 + 2 * length, sizeof *ids));
    TRY_DONE(weir_alloc_zero(&out->list, (size_t)how->sequences, sizeof *out->list));
    for (; out->n < (size_t)how->sequences; out->n++)
        TRY_DONE(weir_tokens_from_ids(&out->list[out->n], model, ids,
                                      fill_repeated(ids, length, bos, info->n_vocab, &state)));
done:
    weir_free(ids);
    if (status != WEIR_OK)
        prompts_close(out);
    return status;
}
