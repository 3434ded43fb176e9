/* "model" of tokenizer.json: BPE with its vocabulary and merges, or Unigram with its scores. */
#include "token/pipeline.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* An id's value; the token is for the message. */
static weir_status take_id(struct weir_json_text *t, const struct weir_json_chars *token, double *id)
{
    char first = weir_json_peek(t);
    if (first != '-' && (first < '0' || first > '9'))
        return weir_fail(WEIR_E_INPUT, "%s: the id of token \"%.*s\" must be a number", t->file,
                         (int)(token->n < 64 ? token->n : 64), token->text);
    return weir_json_take_number(t, id);
}

static weir_status read_vocab(struct weir_tokenizer *t, struct weir_json_text vocab, const char *file)
{
    struct weir_json_chars token = {0};
    weir_status status;
    bool more;
    double id = 0;
    if (weir_json_peek(&vocab) != '{')
        return weir_fail(WEIR_E_INPUT, "%s: the model's \"vocab\" must be an object", file);
    TRY(weir_vocab_open(&t->vocab, vocab.n_elements));
    TRY(weir_json_enter(&vocab, '{', '}', &more));
    while (more) {
        TRY_DONE(weir_json_take_string(&vocab, &token));
        TRY_DONE(weir_json_take(&vocab, ':'));
        TRY_DONE(take_id(&vocab, &token, &id));
        TRY_DONE(weir_check_id(file, id, vocab.n_elements));
        TRY_DONE(weir_in(weir_vocab_add(&t->vocab, (int32_t)id, token.text, token.n, false), file));
        TRY_DONE(weir_json_next(&vocab, '}', &more));
    }
    status = WEIR_OK;
done:
    weir_json_string_close(&token);
    return status;
}

static weir_status wrong_merge(const struct weir_json_text *merges, size_t number)
{
    return weir_fail(WEIR_E_INPUT, "%s: merge %zu must be a string or two strings", merges->file, number);
}

/* ["LEFT", "RIGHT"] */
static weir_status read_merge_pair(struct weir_tokenizer *t, struct weir_json_text *merges, size_t number,
                                   struct weir_json_chars both[2])
{
    TRY(weir_json_take(merges, '['));
    for (int i = 0; i < 2; i++) {
        if (i > 0 && weir_json_peek(merges) != ',')
            return wrong_merge(merges, number);
        if (i > 0)
            TRY(weir_json_take(merges, ','));
        if (weir_json_peek(merges) != '"')
            return wrong_merge(merges, number);
        TRY(weir_json_take_string(merges, &both[i]));
    }
    if (weir_json_peek(merges) != ']')
        return wrong_merge(merges, number);
    TRY(weir_json_take(merges, ']'));
    return weir_add_merge(t, merges->file, number, both[0].text, both[0].n, both[1].text, both[1].n);
}

static bool is_header(const char *line, size_t n)
{
    return n >= 8 && memcmp(line, "#version", 8) == 0;
}

/* *number counts those that are merges. */
static weir_status read_merge(struct weir_tokenizer *t, struct weir_json_text *merges, size_t *number,
                              struct weir_json_chars both[2])
{
    char first = weir_json_peek(merges);
    if (first == '[')
        return read_merge_pair(t, merges, (*number)++, both);
    if (first != '"')
        return wrong_merge(merges, *number);
    TRY(weir_json_take_string(merges, &both[0]));
    if (is_header(both[0].text, both[0].n))
        return WEIR_OK;
    return weir_add_merge_line(t, merges->file, (*number)++, both[0].text, both[0].n);
}

static weir_status read_json_merges(struct weir_tokenizer *t, struct weir_json_text merges)
{
    struct weir_json_chars both[2] = {0};
    size_t number = 0;
    weir_status status;
    bool more;
    TRY(weir_json_enter(&merges, '[', ']', &more));
    while (more) {
        TRY_DONE(read_merge(t, &merges, &number, both));
        TRY_DONE(weir_json_next(&merges, ']', &more));
    }
    status = WEIR_OK;
done:
    weir_json_string_close(&both[0]);
    weir_json_string_close(&both[1]);
    return status;
}

/* merges.txt */
static weir_status read_merge_lines(struct weir_tokenizer *t, const char *text, size_t n_text, const char *file)
{
    size_t number = 0;
    for (const char *end = text + n_text, *next; text < end; text = next) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((newline ? newline : end) - text);
        next = text + n + (newline ? 1 : 0);
        n -= n > 0 && text[n - 1] == '\r';
        if (n > 0 && !is_header(text, n))
            TRY(weir_add_merge_line(t, file, number++, text, n));
    }
    return WEIR_OK;
}

static weir_status read_affix(struct weir_text *out, const cJSON *model, const char *file, const char *key)
{
    const char *text = NULL;
    TRY(weir_json_string(model, file, key, &text));
    return text ? weir_text_add(out, text, strlen(text)) : WEIR_OK;
}

static weir_status read_bpe_options(struct weir_tokenizer *t, const cJSON *model, const char *file)
{
    const char *unknown = NULL;
    double dropout = 0;
    TRY(weir_json_number(model, file, "dropout", &dropout));
    if (dropout != 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: BPE with dropout is not supported: ids would be random", file);
    TRY(weir_json_bool(model, file, "fuse_unk", &t->bpe.fuse_unknown));
    TRY(weir_json_bool(model, file, "byte_fallback", &t->bpe.byte_fallback));
    TRY(weir_json_bool(model, file, "ignore_merges", &t->bpe.ignore_merges));
    TRY(read_affix(&t->bpe.prefix, model, file, "continuing_subword_prefix"));
    TRY(read_affix(&t->bpe.suffix, model, file, "end_of_word_suffix"));
    TRY(weir_json_string(model, file, "unk_token", &unknown));
    if (!unknown)
        return WEIR_OK;
    t->bpe.unknown = weir_vocab_find(&t->vocab, unknown, strlen(unknown));
    if (t->bpe.unknown < 0)
        return weir_fail(WEIR_E_INPUT, "%s: unk_token \"%.64s\" is not a token", file, unknown);
    return WEIR_OK;
}

static weir_status read_bpe(struct weir_tokenizer *t, const cJSON *model, const struct weir_model_text *large,
                            const char *file)
{
    if (!large->lines && (!large->merges.at || *large->merges.at != '['))
        return weir_fail(WEIR_E_INPUT, "%s: the model's \"merges\" must be an array", file);
    TRY(read_vocab(t, large->vocab, file));
    TRY(weir_bpe_open(&t->bpe, large->merges.n_elements));
    TRY(read_bpe_options(t, model, file));
    return large->lines ? read_merge_lines(t, large->lines, large->n_lines, file) : read_json_merges(t, large->merges);
}

static weir_status wrong_entry(const struct weir_json_text *vocab, int32_t id)
{
    return weir_fail(WEIR_E_INPUT, "%s: entry %d of the model's \"vocab\" must be a token and its score", vocab->file,
                     id);
}

/* ["token", score], the place being the id. */
static weir_status read_scored_token(struct weir_tokenizer *t, struct weir_json_text *vocab, int32_t id,
                                     struct weir_json_chars *token)
{
    if (weir_json_peek(vocab) != '[')
        return wrong_entry(vocab, id);
    TRY(weir_json_take(vocab, '['));
    if (weir_json_peek(vocab) != '"')
        return wrong_entry(vocab, id);
    TRY(weir_json_take_string(vocab, token));
    if (weir_json_peek(vocab) != ',')
        return wrong_entry(vocab, id);
    TRY(weir_json_take(vocab, ','));
    char first = weir_json_peek(vocab);
    if (first != '-' && (first < '0' || first > '9'))
        return wrong_entry(vocab, id);
    TRY(weir_json_take_number(vocab, &t->unigram.scores[id]));
    if (weir_json_peek(vocab) != ']')
        return wrong_entry(vocab, id);
    TRY(weir_json_take(vocab, ']'));
    return weir_in(weir_vocab_add(&t->vocab, id, token->text, token->n, true), vocab->file);
}

static weir_status read_scored_tokens(struct weir_tokenizer *t, struct weir_json_text vocab)
{
    struct weir_json_chars token = {0};
    size_t n = 0;
    weir_status status;
    bool more;
    TRY(weir_json_enter(&vocab, '[', ']', &more));
    while (more && n < vocab.n_elements) {
        TRY_DONE(read_scored_token(t, &vocab, (int32_t)n++, &token));
        TRY_DONE(weir_json_next(&vocab, ']', &more));
    }
    status = more ? wrong_entry(&vocab, (int32_t)n) : WEIR_OK; /* more commas than there is room for entries */
done:
    weir_json_string_close(&token);
    return status;
}

static weir_status read_unigram_options(struct weir_tokenizer *t, const cJSON *model, const char *file)
{
    int64_t unknown = -1;
    double alpha = 0;
    TRY(weir_json_number(model, file, "alpha", &alpha));
    if (alpha != 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: Unigram with alpha is not supported: ids would be random", file);
    TRY(weir_json_int(model, file, "unk_id", 0, (int64_t)t->vocab.n_entries - 1, &unknown));
    t->unigram.unknown = (int32_t)unknown;
    return weir_json_bool(model, file, "byte_fallback", &t->unigram.byte_fallback);
}

static weir_status read_unigram(struct weir_tokenizer *t, const cJSON *model, const struct weir_model_text *large,
                                const char *file)
{
    size_t n = large->vocab.n_elements;
    if (!large->vocab.at || *large->vocab.at != '[')
        return weir_fail(WEIR_E_INPUT, "%s: the \"vocab\" of a Unigram model must be an array", file);
    if (n >= INT32_MAX)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: %zu tokens are more than ids can count", file, n);
    t->model = WEIR_MODEL_UNIGRAM;
    TRY(weir_vocab_open(&t->vocab, n));
    TRY(weir_alloc(&t->unigram.scores, n, sizeof *t->unigram.scores));
    TRY(read_scored_tokens(t, large->vocab));
    return read_unigram_options(t, model, file);
}

static const struct {
    const char *type;
    weir_status (*read)(struct weir_tokenizer *t, const cJSON *model, const struct weir_model_text *large,
                        const char *file);
} models[] = {{"BPE", read_bpe}, {"Unigram", read_unigram}};

weir_status weir_read_model(struct weir_tokenizer *t, const cJSON *model, const struct weir_model_text *large,
                            const char *file)
{
    const char *type = large->vocab.at && *large->vocab.at == '[' ? "Unigram" : "BPE"; /* old files leave it out */
    if (!cJSON_IsObject(model))
        return weir_fail(WEIR_E_INPUT, "%s: \"model\" must be an object", file);
    TRY(weir_json_string(model, file, "type", &type));
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i].type, type) == 0)
            return models[i].read(t, model, large, file);
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: model of type \"%s\" is not supported", file, type);
}
