/* Runs text through the stages to ids, and ids back to text. */
#include "token/pipeline.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <math.h>
#include <string.h>

weir_status weir_tokenizer_new(struct weir_tokenizer **out)
{
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    (*out)->bos = (*out)->eos = -1;
    return WEIR_OK;
}

void weir_tokenizer_close(struct weir_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    weir_vocab_close(&tokenizer->vocab);
    weir_added_close(&tokenizer->added);
    weir_stages_close(&tokenizer->normalizers);
    weir_stages_close(&tokenizer->pre_tokenizers);
    weir_bpe_close(&tokenizer->bpe);
    weir_unigram_close(&tokenizer->unigram);
    weir_ids_close(&tokenizer->front);
    weir_ids_close(&tokenizer->back);
    weir_vocab_close(&tokenizer->shown);
    weir_free(tokenizer);
}

weir_status weir_check_id(const char *file, double id, size_t n_tokens)
{
    double most = 16.0 * (double)n_tokens + 65536;
    if (!(id >= 0) || id != floor(id))
        return weir_fail(WEIR_E_INPUT, "%s: token id %.17g is not a whole number from 0 on", file, id);
    if (id >= most || id >= INT32_MAX)
        return weir_fail(WEIR_E_INPUT, "%s: token id %.17g is too large for a vocabulary of %zu tokens", file, id,
                         n_tokens);
    return WEIR_OK;
}

int32_t weir_token_id(const struct weir_tokenizer *t, const char *string, size_t n)
{
    const struct weir_added_token *added = weir_added_find(&t->added, string, n);
    return added ? added->id : weir_vocab_find(&t->vocab, string, n);
}

static weir_status no_token(const char *file, size_t number, const char *string, size_t n)
{
    return weir_fail(WEIR_E_INPUT, "%s: merge %zu names \"%.*s\", which is not a token", file, number,
                     (int)(n < 64 ? n : 64), string);
}

/* Results of merges are mostly in the vocabulary in the order of the merges: looking after the last one saves a search.
 */
static int32_t find_merged(struct weir_tokenizer *t, const char *string, size_t n)
{
    size_t n_next;
    const char *next = weir_vocab_string(&t->vocab, t->last_merged + 1, &n_next);
    if (next && n_next == n && memcmp(next, string, n) == 0)
        t->last_merged++;
    else
        t->last_merged = weir_vocab_find(&t->vocab, string, n);
    return t->last_merged;
}

weir_status weir_add_merge(struct weir_tokenizer *t, const char *file, size_t number, const char *left, size_t n_left,
                           const char *right, size_t n_right)
{
    char joined[512], *both = joined;
    size_t n_prefix = t->bpe.prefix.n, n = n_left + n_right - n_prefix;
    int32_t a = weir_vocab_find(&t->vocab, left, n_left), b = weir_vocab_find(&t->vocab, right, n_right);
    if (a < 0)
        return no_token(file, number, left, n_left);
    if (b < 0)
        return no_token(file, number, right, n_right);
    if (n_right < n_prefix)
        return weir_fail(WEIR_E_INPUT, "%s: merge %zu: \"%.*s\" is shorter than continuing_subword_prefix", file,
                         number, (int)n_right, right);
    if (n > sizeof joined)
        TRY(weir_alloc(&both, n, 1));
    memcpy(both, left, n_left);
    memcpy(both + n_left, right + n_prefix, n_right - n_prefix);
    int32_t id = find_merged(t, both, n);
    weir_status status = id < 0 ? no_token(file, number, both, n) : WEIR_OK;
    if (both != joined)
        weir_free(both);
    TRY(status);
    return weir_bpe_add(&t->bpe, a, b, (uint32_t)number, id);
}

weir_status weir_add_merge_line(struct weir_tokenizer *t, const char *file, size_t number, const char *line, size_t n)
{
    const char *space = memchr(line, ' ', n);
    size_t n_left = space ? (size_t)(space - line) : 0;
    if (!space || memchr(space + 1, ' ', n - n_left - 1))
        return weir_fail(WEIR_E_INPUT, "%s: merge %zu is not two tokens with one space between", file, number);
    return weir_add_merge(t, file, number, line, n_left, space + 1, n - n_left - 1);
}

/* ---- bytes of tokens ------------------------------------------------------------------------------------------- */

/* A byte-level token that has a letter for no byte stands for itself, as in tokenizers' decoder. */
static weir_status show_byte_level(struct weir_text *out, const char *string, size_t n)
{
    out->n = 0;
    if (!out->data || out->capacity < n + 1)
        TRY(weir_grow(&out->data, &out->capacity, n + 1, 1));
    for (size_t at = 0, length; at < n; at += length) {
        int byte = weir_code_byte(weir_utf8_decode(string + at, &length));
        if (byte < 0) {
            out->n = 0;
            return weir_text_add(out, string, n);
        }
        out->data[out->n++] = (char)byte;
    }
    return WEIR_OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* SentencePiece's spelling as bytes: <0xNN> is a byte, U+2581 a space. */
static weir_status show_spaces(struct weir_text *out, const char *string, size_t n)
{
    out->n = 0;
    if (n == 6 && memcmp(string, "<0x", 3) == 0 && string[5] == '>' && hex_value(string[3]) >= 0 &&
        hex_value(string[4]) >= 0) {
        char byte = (char)(hex_value(string[3]) * 16 + hex_value(string[4]));
        return weir_text_add(out, &byte, 1);
    }
    for (size_t at = 0; at < n;) {
        if (n - at >= 3 && memcmp(string + at, WEIR_SPACE_MARK, 3) == 0) {
            TRY(weir_text_add(out, " ", 1));
            at += 3;
        } else {
            TRY(weir_text_add(out, string + at++, 1));
        }
    }
    return WEIR_OK;
}

static weir_status show_end(struct weir_text *out, const char *string, size_t n, const struct weir_text *suffix)
{
    bool ends = suffix->n > 0 && n >= suffix->n && memcmp(string + n - suffix->n, suffix->data, suffix->n) == 0;
    out->n = 0;
    TRY(weir_text_add(out, string, ends ? n - suffix->n : n));
    return ends ? weir_text_add(out, " ", 1) : WEIR_OK;
}

static bool is_shown_token(const struct weir_tokenizer *t, size_t id)
{
    return id < t->shown.n_entries && t->shown.entries[id].present;
}

/* As the decoder has it, into `out`. */
static weir_status show_one(const struct weir_tokenizer *t, struct weir_text *out, const char *string, size_t n)
{
    static const struct weir_text none;
    if (t->spelling == WEIR_SPELLING_BYTES)
        return show_byte_level(out, string, n);
    if (t->spelling == WEIR_SPELLING_SPACES)
        return show_spaces(out, string, n);
    return show_end(out, string, n, t->spelling == WEIR_SPELLING_ENDS ? &t->bpe.suffix : &none);
}

/* Added tokens are as they are, but for spaces. Of two with one id, a reserved token and the one that took its place,
   the later counts. */
static weir_status show_added(struct weir_tokenizer *t, struct weir_text *text)
{
    for (size_t i = t->added.n; i-- > 0;) {
        const struct weir_added_token *token = &t->added.tokens[i];
        if (is_shown_token(t, (size_t)token->id))
            continue;
        text->n = 0;
        if (t->spelling == WEIR_SPELLING_SPACES)
            TRY(show_spaces(text, token->content, token->n_content));
        else
            TRY(weir_text_add(text, token->content, token->n_content));
        TRY(weir_vocab_store(&t->shown, token->id, text->data, text->n));
    }
    return WEIR_OK;
}

static weir_status show_tokens(struct weir_tokenizer *t)
{
    struct weir_text text = {0};
    weir_status status;
    TRY_DONE(show_added(t, &text));
    for (size_t i = 0, n; i < t->vocab.n_entries; i++) {
        const char *string = weir_vocab_string(&t->vocab, (int32_t)i, &n);
        if (!string || is_shown_token(t, i))
            continue;
        TRY_DONE(show_one(t, &text, string, n));
        TRY_DONE(weir_vocab_store(&t->shown, (int32_t)i, text.data, text.n));
    }
done:
    weir_text_close(&text);
    return status;
}

weir_status weir_tokenizer_finish(struct weir_tokenizer *t)
{
    if (t->model == WEIR_MODEL_UNIGRAM)
        TRY(weir_unigram_index(&t->unigram, &t->vocab));
    else
        weir_bpe_index(&t->bpe, &t->vocab);
    TRY(weir_added_index(&t->added, &t->normalizers));
    TRY(show_tokens(t));
    t->size = t->shown.n_entries;
    return WEIR_OK;
}

const char *weir_tokenizer_bytes(const struct weir_tokenizer *tokenizer, int32_t id, size_t *n)
{
    return weir_vocab_string(&tokenizer->shown, id, n);
}

size_t weir_tokenizer_size(const struct weir_tokenizer *tokenizer)
{
    return tokenizer->size;
}

/* ---- encode ---------------------------------------------------------------------------------------------------- */

/* Words met in this call and where their ids are in the output. A word takes the place of another of its hash. */
struct memory {
    struct remembered {
        const char *word;
        size_t n, at, n_ids;
    } * words; /* [mask + 1]; NULL for short texts */
    size_t mask;
};

enum { MEMORY_LEAST = 32, MEMORY_MOST = 8192, WORD_MOST = 64 };

static weir_status memory_open(struct memory *memory, size_t n_pieces)
{
    size_t size = MEMORY_LEAST;
    if (n_pieces < MEMORY_LEAST)
        return WEIR_OK;
    while (size < n_pieces && size < MEMORY_MOST)
        size *= 2;
    memory->mask = size - 1;
    return weir_alloc_zero(&memory->words, size, sizeof *memory->words);
}

/* Work space of one call. */
struct work {
    struct memory memory;
    struct weir_bpe_work bpe;
    struct weir_unigram_work unigram;
};

static weir_status encode_new(const struct weir_tokenizer *t, struct work *work, const char *piece, size_t n,
                              struct weir_ids *out)
{
    if (t->model == WEIR_MODEL_UNIGRAM)
        return weir_unigram_encode(&t->unigram, &t->vocab, &work->unigram, piece, n, out);
    TRY(weir_bpe_encode(&t->bpe, &t->vocab, &work->bpe, piece, n));
    for (size_t i = 0; i < work->bpe.n_symbols; i++)
        if (work->bpe.symbols[i].id >= 0)
            TRY(weir_ids_add(out, work->bpe.symbols[i].id));
    return WEIR_OK;
}

/* Copies the ids of a word that this call has met, else encodes it and remembers it. */
static weir_status encode_piece(const struct weir_tokenizer *t, struct work *work, const char *piece, size_t n,
                                struct weir_ids *out)
{
    struct remembered *r = NULL;
    if (work->memory.words && n <= WORD_MOST) {
        r = &work->memory.words[weir_hash_bytes(piece, n) & work->memory.mask];
        if (r->n == n && memcmp(r->word, piece, n) == 0) {
            for (size_t i = 0; i < r->n_ids; i++)
                TRY(weir_ids_add(out, out->ids[r->at + i]));
            return WEIR_OK;
        }
    }
    size_t at = out->n;
    TRY(encode_new(t, work, piece, n, out));
    if (r)
        *r = (struct remembered){piece, n, at, out->n - at};
    return WEIR_OK;
}

static weir_status encode_pieces(const struct weir_tokenizer *t, const struct weir_words *words, struct weir_ids *out)
{
    struct work work = {0};
    weir_status status;
    TRY_DONE(memory_open(&work.memory, words->n_pieces));
    for (size_t i = 0; i < words->n_pieces; i++) {
        const struct weir_piece *piece = &words->pieces[i];
        if (piece->id >= 0)
            TRY_DONE(weir_ids_add(out, piece->id));
        else
            TRY_DONE(encode_piece(t, &work, words->text.data + piece->start, piece->n, out));
    }
done:
    weir_free(work.memory.words);
    weir_bpe_work_close(&work.bpe);
    weir_unigram_work_close(&work.unigram);
    return status;
}

static weir_status encode_text(const struct weir_tokenizer *t, const char *text, size_t n, struct weir_ids *out)
{
    struct weir_words words = {0};
    weir_status status;
    TRY_DONE(weir_match_open(&words.match));
    weir_match_begin(words.match, n);
    TRY_DONE(weir_text_add(&words.text, text, n));
    TRY_DONE(weir_words_push(&words, (struct weir_piece){0, n, -1, true}));
    weir_words_turn(&words, false);
    TRY_DONE(weir_added_split(&t->added.raw, &words));
    TRY_DONE(weir_normalize_words(&t->normalizers, &words));
    TRY_DONE(weir_added_split(&t->added.normalized, &words));
    TRY_DONE(weir_pre_tokenize(&t->pre_tokenizers, &words));
    TRY_DONE(encode_pieces(t, &words, out));
done:
    weir_words_close(&words);
    return status;
}

static weir_status add_all(struct weir_ids *out, const struct weir_ids *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        TRY(weir_ids_add(out, ids->ids[i]));
    return WEIR_OK;
}

static weir_status bos_in_front(struct weir_ids *out, int32_t bos)
{
    if (out->n > 0 && out->ids[0] == bos)
        return WEIR_OK;
    TRY(weir_ids_add(out, bos));
    memmove(out->ids + 1, out->ids, (out->n - 1) * sizeof *out->ids);
    out->ids[0] = bos;
    return WEIR_OK;
}

weir_status weir_tokenizer_encode(const struct weir_tokenizer *tokenizer, const char *text, size_t n, enum weir_bos bos,
                                  int32_t **ids, size_t *n_ids)
{
    struct weir_ids out = {0};
    weir_status status;
    size_t bad;
    *ids = NULL;
    *n_ids = 0;
    if (!weir_utf8_valid(text, n, &bad))
        return weir_fail(WEIR_E_INPUT, "the text is not UTF-8 at byte %zu", bad);
    if (bos == WEIR_BOS_YES && tokenizer->bos < 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "this tokenizer has no BOS token to put in front");
    TRY_DONE(weir_grow(&out.ids, &out.capacity, n / 4 + 16, sizeof *out.ids));
    if (bos != WEIR_BOS_NO)
        TRY_DONE(add_all(&out, &tokenizer->front));
    if (n > 0)
        TRY_DONE(encode_text(tokenizer, text, n, &out));
    if (bos != WEIR_BOS_NO)
        TRY_DONE(add_all(&out, &tokenizer->back));
    if (bos == WEIR_BOS_YES)
        TRY_DONE(bos_in_front(&out, tokenizer->bos));
    *ids = out.ids;
    *n_ids = out.n;
    return WEIR_OK;
done:
    weir_ids_close(&out);
    return status;
}
