/* The tokenizer.ggml.* values of a GGUF file. */
#include "token/gguf_pre.h"
#include "token/pipeline.h"
#include "token/scored.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <math.h>
#include <string.h>

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER, TYPE_UNUSED, TYPE_BYTE };

/* ---- values ---------------------------------------------------------------------------------------------------- */

static weir_status find_array(const struct weir_gguf_value **out, const struct weir_gguf *gguf, const char *key,
                              enum weir_gguf_type element, size_t n)
{
    const struct weir_gguf_value *value = *out = weir_gguf_find(gguf, key);
    if (!value)
        return WEIR_OK;
    bool whole = element == WEIR_GGUF_INT && value->element == WEIR_GGUF_UINT;
    if (value->type != WEIR_GGUF_ARRAY || (value->element != element && !whole))
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must be an array of another type", gguf->path, key);
    if (n != 0 && value->n != n)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" has %zu elements for %zu tokens", gguf->path, key, value->n, n);
    return WEIR_OK;
}

static int64_t type_of_token(const struct weir_gguf_value *types, size_t id)
{
    if (!types)
        return TYPE_NORMAL;
    return types->element == WEIR_GGUF_UINT ? (int64_t)types->us[id] : types->is[id];
}

/* Optional; checked to be a token. -1 when absent. */
static weir_status read_id(const struct weir_gguf *gguf, const char *key, size_t n_tokens, int32_t *out)
{
    int64_t id = -1;
    *out = -1;
    TRY(weir_gguf_int(gguf, key, &id));
    if (id >= (int64_t)n_tokens || id > INT32_MAX)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" is %lld, and there are %zu tokens", gguf->path, key, (long long)id,
                         n_tokens);
    *out = id < 0 ? -1 : (int32_t)id;
    return WEIR_OK;
}

/* ---- parts ----------------------------------------------------------------------------------------------------- */

/* One token; control and user-defined ones, and the unknown one, are recognised in text. Of two tokens with one text
 * the later counts. */
static weir_status read_token(struct weir_tokenizer *t, const struct weir_gguf *gguf, size_t id,
                              struct weir_gguf_string s, int64_t type)
{
    size_t bad;
    if (!weir_utf8_valid(s.data, s.n, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: token %zu is not UTF-8", gguf->path, id);
    TRY(weir_in(weir_vocab_add(&t->vocab, (int32_t)id, s.data, s.n, true), gguf->path));
    if (s.n == 0 || (type != TYPE_CONTROL && type != TYPE_USER && type != TYPE_UNKNOWN))
        return WEIR_OK;
    return weir_added_add_text(&t->added, s.data, s.n, (int32_t)id, type != TYPE_USER);
}

/* The file has spaces in user-defined tokens where SentencePiece has U+2581: puts U+2581 back. */
static weir_status mark_spaces(struct weir_text *to, struct weir_gguf_string *s)
{
    to->n = 0;
    for (size_t i = 0; i < s->n; i++)
        TRY(s->data[i] == ' ' ? weir_text_add(to, WEIR_SPACE_MARK, strlen(WEIR_SPACE_MARK))
                              : weir_text_add(to, s->data + i, 1));
    *s = (struct weir_gguf_string){to->data, to->n};
    return WEIR_OK;
}

/* The vocabulary in the order of ids, with the type of each token. */
static weir_status read_tokens(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                               const struct weir_gguf_value *tokens, const struct weir_gguf_value *types,
                               bool sentencepiece)
{
    struct weir_text marked = {0};
    weir_status status;
    if (tokens->n >= INT32_MAX)
        return weir_fail(WEIR_E_INPUT, "%s: %zu tokens are too many", gguf->path, tokens->n);
    TRY_DONE(weir_vocab_open(&t->vocab, tokens->n));
    for (size_t id = 0; id < tokens->n; id++) {
        struct weir_gguf_string s = tokens->ss[id];
        int64_t type = type_of_token(types, id);
        if (sentencepiece && type == TYPE_USER && memchr(s.data, ' ', s.n))
            TRY_DONE(mark_spaces(&marked, &s));
        TRY_DONE(read_token(t, gguf, id, s, type));
    }
done:
    weir_text_close(&marked);
    return status;
}

static weir_status read_ends(struct weir_tokenizer *t, const struct weir_gguf *gguf, bool add_bos)
{
    bool add_eos = false;
    int32_t eos;
    TRY(read_id(gguf, "tokenizer.ggml.bos_token_id", t->vocab.n_entries, &t->bos));
    TRY(read_id(gguf, "tokenizer.ggml.eos_token_id", t->vocab.n_entries, &eos));
    TRY(weir_gguf_bool(gguf, "tokenizer.ggml.add_bos_token", &add_bos));
    TRY(weir_gguf_bool(gguf, "tokenizer.ggml.add_eos_token", &add_eos));
    if (add_bos && t->bos >= 0)
        TRY(weir_ids_add(&t->front, t->bos));
    return add_eos && eos >= 0 ? weir_ids_add(&t->back, eos) : WEIR_OK;
}

/* ---- "gpt2": byte-level BPE ------------------------------------------------------------------------------------ */

static weir_status read_gguf_merges(struct weir_tokenizer *t, const struct weir_gguf *gguf)
{
    const struct weir_gguf_value *merges;
    TRY(find_array(&merges, gguf, "tokenizer.ggml.merges", WEIR_GGUF_STRING, 0));
    if (!merges)
        return weir_fail(WEIR_E_INPUT, "%s: \"tokenizer.ggml.merges\" is missing", gguf->path);
    TRY(weir_bpe_open(&t->bpe, merges->n));
    for (size_t i = 0; i < merges->n; i++)
        TRY(weir_add_merge_line(t, gguf->path, i, merges->ss[i].data, merges->ss[i].n));
    return WEIR_OK;
}

static bool text_is(const struct weir_gguf_string *s, const char *text)
{
    return s->n == strlen(text) && memcmp(s->data, text, s->n) == 0;
}

const char *weir_tokenizer_assumed_pre(const struct weir_gguf *gguf)
{
    static const struct {
        const char *token;
        size_t id;
        const char *pre;
    } known[] = {
        {"<|endoftext|>", 50256, "gpt-2"},
        {"<|begin_of_text|>", 128000, "llama-bpe"},
        {"<|im_start|>", 151644, "qwen2"},
    };
    const struct weir_gguf_value *model = weir_gguf_find(gguf, "tokenizer.ggml.model"),
                                 *tokens = weir_gguf_find(gguf, "tokenizer.ggml.tokens");
    if (weir_gguf_find(gguf, "tokenizer.ggml.pre") || !model || model->type != WEIR_GGUF_STRING ||
        !text_is(&model->s, "gpt2"))
        return NULL;
    bool listed = tokens && tokens->type == WEIR_GGUF_ARRAY && tokens->element == WEIR_GGUF_STRING;
    for (size_t i = 0; listed && i < sizeof known / sizeof *known; i++)
        if (known[i].id < tokens->n && text_is(&tokens->ss[known[i].id], known[i].token))
            return known[i].pre;
    return "default";
}

/* Byte-level BPE: its stages are named by tokenizer.ggml.pre. */
static weir_status read_gguf_byte_level(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                                        const struct weir_gguf_value *types)
{
    char *name = NULL;
    weir_status status;
    (void)types;
    TRY_DONE(weir_gguf_text(gguf, "tokenizer.ggml.pre", &name));
    const struct weir_gguf_pre *pre = weir_gguf_pre_find(name ? name : weir_tokenizer_assumed_pre(gguf));
    if (!pre) {
        status = weir_fail(WEIR_E_UNSUPPORTED, "%s: tokenizer.ggml.pre \"%.64s\" is not supported", gguf->path, name);
        goto done;
    }
    TRY_DONE(read_gguf_merges(t, gguf));
    TRY_DONE(weir_read_stages(t, gguf->path, pre->normalizer, pre->pre_tokenizer));
    TRY_DONE(read_ends(t, gguf, pre->add_bos));
    t->bpe.ignore_merges = pre->ignore_merges;
    t->spelling = WEIR_SPELLING_BYTES;
done:
    weir_free(name);
    return status;
}

/* ---- "llama": SentencePiece BPE, whose merges are the tokens in the order of their scores ---------------------- */

/* User-defined tokens come before all others; controls, bytes and what is unused are joined from nothing. */
static weir_status read_scores(double **out, const struct weir_tokenizer *t, const struct weir_gguf *gguf,
                               const struct weir_gguf_value *types)
{
    const struct weir_gguf_value *scores;
    size_t n = t->vocab.n_entries;
    TRY(find_array(&scores, gguf, "tokenizer.ggml.scores", WEIR_GGUF_FLOAT, n));
    if (!scores)
        return weir_fail(WEIR_E_INPUT, "%s: \"tokenizer.ggml.scores\" is missing", gguf->path);
    TRY(weir_alloc(out, n, sizeof **out));
    for (size_t id = 0; id < n; id++) {
        int64_t type = type_of_token(types, id);
        if (isnan(scores->fs[id]))
            return weir_fail(WEIR_E_INPUT, "%s: the score of token %zu is not a number", gguf->path, id);
        (*out)[id] = type == TYPE_NORMAL ? scores->fs[id] : type == TYPE_USER ? (double)INFINITY : (double)NAN;
    }
    return WEIR_OK;
}

static weir_status read_scored_merges(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                                      const struct weir_gguf_value *types)
{
    double *scores = NULL; /* [n_entries] */
    weir_status status;
    TRY_DONE(read_scores(&scores, t, gguf, types));
    TRY_DONE(weir_bpe_open_scored(&t->bpe, &t->vocab, scores));
done:
    weir_free(scores);
    return status;
}

static weir_status read_sentencepiece(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                                      const struct weir_gguf_value *types)
{
    bool prefix = true, squeeze = false;
    int32_t unknown;
    TRY(weir_gguf_bool(gguf, "tokenizer.ggml.add_space_prefix", &prefix));
    TRY(weir_gguf_bool(gguf, "tokenizer.ggml.remove_extra_whitespaces", &squeeze));
    if (squeeze)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: tokenizer.ggml.remove_extra_whitespaces is not supported",
                         gguf->path);
    TRY(read_scored_merges(t, gguf, types));
    TRY(read_id(gguf, "tokenizer.ggml.unknown_token_id", t->vocab.n_entries, &unknown));
    TRY(weir_read_stages(t, gguf->path, prefix ? WEIR_MARKS_WITH_PREFIX : WEIR_MARKS, NULL));
    t->bpe.unknown = unknown;
    t->bpe.byte_fallback = t->bpe.fuse_unknown = true;
    t->spelling = WEIR_SPELLING_SPACES;
    return read_ends(t, gguf, true);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    weir_status (*read)(struct weir_tokenizer *t, const struct weir_gguf *gguf, const struct weir_gguf_value *types);
    bool sentencepiece;
} models[] = {{"gpt2", read_gguf_byte_level, false}, {"llama", read_sentencepiece, true}};

static weir_status read_gguf_model(struct weir_tokenizer *t, const struct weir_gguf *gguf, const char *name)
{
    const struct weir_gguf_value *tokens, *types;
    TRY(find_array(&tokens, gguf, "tokenizer.ggml.tokens", WEIR_GGUF_STRING, 0));
    if (!tokens)
        return weir_fail(WEIR_E_INPUT, "%s: \"tokenizer.ggml.tokens\" is missing", gguf->path);
    TRY(find_array(&types, gguf, "tokenizer.ggml.token_type", WEIR_GGUF_INT, tokens->n));
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i].name, name) == 0) {
            TRY(read_tokens(t, gguf, tokens, types, models[i].sentencepiece));
            TRY(models[i].read(t, gguf, types));
            return weir_in(weir_tokenizer_finish(t), gguf->path);
        }
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: tokenizer.ggml.model \"%.64s\" is not supported", gguf->path, name);
}

weir_status weir_tokenizer_from_gguf(struct weir_tokenizer **out, const struct weir_gguf *gguf)
{
    struct weir_tokenizer *t = NULL;
    char *name = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_gguf_text(gguf, "tokenizer.ggml.model", &name));
    if (!name || strcmp(name, "no_vocab") == 0 || strcmp(name, "none") == 0)
        goto done;
    TRY_DONE(weir_tokenizer_new(&t));
    TRY_DONE(read_gguf_model(t, gguf, name));
    *out = t;
    t = NULL;
done:
    weir_tokenizer_close(t);
    weir_free(name);
    return status;
}
