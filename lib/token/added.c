/* Finds added tokens in text: the longest that begins at each place. */
#include "token/added.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { LONG_SEARCH = 4 << 20 }; /* bytes of text that are searched 256 tokens deep, however short it is */

static void token_close(struct weir_added_token *token)
{
    weir_free(token->content);
    weir_free(token->match);
}

weir_status weir_added_add(struct weir_added *added, const struct weir_added_token *token)
{
    struct weir_added_token copy = *token;
    weir_status status;
    copy.match = NULL;
    TRY(weir_copy_bytes(&copy.content, token->content, token->n_content));
    if (!added->by_content.slots)
        TRY_DONE(weir_vocab_open(&added->by_content, 16));
    int32_t at = weir_vocab_find(&added->by_content, copy.content, copy.n_content);
    if (at >= 0) {
        token_close(&added->tokens[at]);
        added->tokens[at] = copy;
        return WEIR_OK;
    }
    if (added->n == added->capacity)
        TRY_DONE(weir_grow(&added->tokens, &added->capacity, added->n + 1, sizeof *added->tokens));
    TRY_DONE(weir_vocab_add(&added->by_content, (int32_t)added->n, copy.content, copy.n_content, false));
    added->tokens[added->n++] = copy;
    return WEIR_OK;
done:
    weir_free(copy.content);
    return status;
}

weir_status weir_added_add_text(struct weir_added *added, const char *text, size_t n, int32_t id, bool special)
{
    struct weir_added_token token = {.id = id, .n_content = n, .special = special};
    TRY(weir_copy_bytes(&token.content, text, n));
    weir_status status = weir_added_add(added, &token);
    weir_free(token.content);
    return status;
}

const struct weir_added_token *weir_added_find(const struct weir_added *added, const char *content, size_t n)
{
    int32_t at = added->by_content.slots ? weir_vocab_find(&added->by_content, content, n) : -1;
    return at < 0 ? NULL : &added->tokens[at];
}

static int compare_matches(const void *a, const void *b)
{
    const struct weir_found *pa = a, *pb = b;
    const struct weir_added_token *x = pa->token, *y = pb->token;
    int order = memcmp(x->match, y->match, x->n_match < y->n_match ? x->n_match : y->n_match);
    return order ? order : x->n_match < y->n_match ? -1 : x->n_match > y->n_match;
}

static weir_status finder_open(struct weir_finder *finder, const struct weir_added *added, bool normalized)
{
    TRY(weir_alloc_zero(&finder->tokens, added->n, sizeof *finder->tokens));
    for (size_t i = 0; i < added->n; i++) {
        const struct weir_added_token *token = &added->tokens[i];
        if (token->normalized != normalized || token->n_match == 0)
            continue;
        finder->tokens[finder->n++].token = token;
        finder->begins[(unsigned char)token->match[0]] = true;
    }
    if (finder->n > 0)
        qsort(finder->tokens, finder->n, sizeof *finder->tokens, compare_matches);
    for (size_t i = 1; i < finder->n; i++)
        if (compare_matches(&finder->tokens[i - 1], &finder->tokens[i]) == 0)
            return weir_fail(WEIR_E_INPUT, "the added tokens %d and %d are the same text",
                             finder->tokens[i - 1].token->id, finder->tokens[i].token->id);
    return WEIR_OK;
}

static weir_status normalize_token(struct weir_added_token *token, const struct weir_stages *normalizers,
                                   struct weir_match *match)
{
    struct weir_text text = {0};
    weir_status status;
    if (token->normalized)
        TRY_DONE(weir_normalize_text(normalizers, match, &text, token->content, token->n_content));
    else
        TRY_DONE(weir_text_add(&text, token->content, token->n_content));
    TRY_DONE(weir_copy_bytes(&token->match, text.n ? text.data : "", text.n));
    token->n_match = text.n;
done:
    weir_text_close(&text);
    return status;
}

weir_status weir_added_index(struct weir_added *added, const struct weir_stages *normalizers)
{
    struct weir_match *match = NULL;
    weir_status status;
    TRY_DONE(weir_match_open(&match));
    for (size_t i = 0; i < added->n; i++)
        TRY_DONE(normalize_token(&added->tokens[i], normalizers, match));
    TRY_DONE(finder_open(&added->raw, added, false));
    TRY_DONE(finder_open(&added->normalized, added, true));
done:
    weir_match_close(match);
    return status;
}

void weir_added_close(struct weir_added *added)
{
    for (size_t i = 0; i < added->n; i++)
        token_close(&added->tokens[i]);
    weir_free(added->tokens);
    weir_vocab_close(&added->by_content);
    weir_free(added->raw.tokens);
    weir_free(added->normalized.tokens);
    *added = (struct weir_added){0};
}

/* The first token in [low, high) whose byte number `depth` is at least `byte`. */
static size_t lower_bound(const struct weir_finder *finder, size_t low, size_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct weir_added_token *token = finder->tokens[middle].token;
        if (token->n_match <= depth || (unsigned char)token->match[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The state of a search through one text. */
struct search {
    const struct weir_finder *finder;
    const struct weir_unicode_class *spaces, *words;
    struct {
        size_t from, to;
    } run;        /* of spaces, the last that was walked over to the right: its ends need no other walk */
    size_t steps; /* bytes that were compared with tokens */
};

/* The longest token that `text` begins with, or NULL. All in [low, high) have the first `depth` bytes of the text. */
static const struct weir_added_token *find_longest_at(struct search *search, const char *text, size_t n)
{
    const struct weir_finder *finder = search->finder;
    const struct weir_added_token *best = NULL;
    size_t low = 0, high = finder->n;
    for (size_t depth = 0; low < high; depth++) {
        search->steps++;
        if (finder->tokens[low].token->n_match == depth)
            best = finder->tokens[low++].token;
        if (depth == n)
            break;
        unsigned byte = (unsigned char)text[depth];
        low = lower_bound(finder, low, high, depth, byte);
        high = lower_bound(finder, low, high, depth, byte + 1);
    }
    return best;
}

/* True where the characters before and after [start, end) are not part of a word. */
static bool stands_alone(const struct search *search, const char *text, size_t n, size_t start, size_t end)
{
    size_t length;
    if (start > 0 &&
        weir_unicode_has(search->words, weir_utf8_decode(text + start - weir_utf8_back(text + start), &length)))
        return false;
    return end == n || !weir_unicode_has(search->words, weir_utf8_decode(text + end, &length));
}

/* `least` is where the last token ended: no space is walked over twice. */
static size_t strip_left(const struct search *search, const char *text, size_t start, size_t least)
{
    size_t length;
    while (start > least) {
        size_t back = weir_utf8_back(text + start);
        if (!weir_unicode_has(search->spaces, weir_utf8_decode(text + start - back, &length)))
            break;
        start -= back;
    }
    return start;
}

static size_t strip_right(struct search *search, const char *text, size_t n, size_t end)
{
    size_t length, from = end;
    if (end >= search->run.from && end <= search->run.to)
        return search->run.to;
    for (; end < n && weir_unicode_has(search->spaces, weir_utf8_decode(text + end, &length)); end += length)
        ;
    search->run.from = from;
    search->run.to = end;
    return end;
}

/* Tokens as long as a text can be compared with nearly all of it at every place. */
static weir_status check_steps(const struct search *search, size_t n)
{
    if (search->steps / 256 <= n + LONG_SEARCH)
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "the added tokens are too long to be looked for everywhere in a text of %zu bytes: over %zu "
                     "million bytes were compared",
                     n, search->steps / 1000000);
}

static weir_status push_text(struct weir_words *words, const struct weir_piece *piece, size_t start, size_t end)
{
    if (start >= end)
        return WEIR_OK;
    return weir_words_push(words,
                           (struct weir_piece){piece->start + start, end - start, -1, piece->first && start == 0});
}

/* Takes tokens out from left to right, with the spaces that they strip on either side. */
static weir_status split_piece(const struct weir_finder *finder, struct weir_words *words,
                               const struct weir_piece *piece)
{
    const char *text = words->text.data + piece->start;
    struct search search = {.finder = finder,
                            .spaces = weir_unicode_find("rust space", strlen("rust space")),
                            .words = weir_unicode_find("rust word", strlen("rust word")),
                            .run = {1, 0}};
    size_t n = piece->n, last = 0;
    for (size_t at = 0; at < n;) {
        const struct weir_added_token *token = NULL;
        if (finder->begins[(unsigned char)text[at]])
            token = find_longest_at(&search, text + at, n - at);
        if (!token) {
            TRY(check_steps(&search, n));
            at++;
            continue;
        }
        size_t start = at, end = at + token->n_match;
        at = end; /* the search goes on here even when the token strips more, or does not count */
        if (token->single_word && !stands_alone(&search, text, n, start, end))
            continue;
        if (token->lstrip)
            start = start > last ? strip_left(&search, text, start, last) : last;
        if (token->rstrip)
            end = strip_right(&search, text, n, end);
        TRY(push_text(words, piece, last, start));
        if (start < end) /* else a token before it took all of its text: tokenizers drops it too */
            TRY(weir_words_push(words, (struct weir_piece){piece->start + start, 0, token->id, false}));
        last = end;
    }
    return push_text(words, piece, last, n);
}

weir_status weir_added_split(const struct weir_finder *finder, struct weir_words *words)
{
    if (finder->n == 0)
        return WEIR_OK;
    for (size_t i = 0; i < words->n_pieces; i++) {
        if (words->pieces[i].id >= 0)
            TRY(weir_words_push(words, words->pieces[i]));
        else
            TRY(split_piece(finder, words, &words->pieces[i]));
    }
    weir_words_turn(words, false);
    return WEIR_OK;
}
