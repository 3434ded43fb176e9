/* Splits pieces of text at matches, and joins the spans as the behaviour says. */
#include "token/words.h"

#include "base/alloc.h"

#include <string.h>

void weir_words_close(struct weir_words *words)
{
    weir_text_close(&words->text);
    weir_text_close(&words->next_text);
    weir_free(words->pieces);
    weir_free(words->next);
    weir_free(words->spans);
    weir_match_close(words->match);
    *words = (struct weir_words){0};
}

weir_status weir_words_push(struct weir_words *words, struct weir_piece piece)
{
    if (words->n_next == words->capacity_next)
        TRY(weir_grow(&words->next, &words->capacity_next, words->n_next + 1, sizeof *words->next));
    words->next[words->n_next++] = piece;
    return WEIR_OK;
}

void weir_words_turn(struct weir_words *words, bool text)
{
    struct weir_piece *pieces = words->pieces;
    size_t capacity = words->capacity_pieces;
    words->pieces = words->next;
    words->n_pieces = words->n_next;
    words->capacity_pieces = words->capacity_next;
    words->next = pieces;
    words->capacity_next = capacity;
    words->n_next = 0;
    if (text) {
        struct weir_text old = words->text;
        words->text = words->next_text;
        words->next_text = old;
        words->next_text.n = 0;
    }
}

static weir_status add_span(struct weir_words *words, size_t start, size_t end, bool is_match)
{
    if (words->n_spans == words->capacity_spans)
        TRY(weir_grow(&words->spans, &words->capacity_spans, words->n_spans + 1, sizeof *words->spans));
    words->spans[words->n_spans++] = (struct weir_span){start, end, is_match};
    return WEIR_OK;
}

/* A match and the text before it. */
static weir_status add_match_span(struct weir_words *words, size_t *last, size_t start, size_t end)
{
    if (*last != start)
        TRY(add_span(words, *last, start, false));
    *last = end;
    return add_span(words, start, end, true);
}

static weir_status span_by_regex(struct weir_words *words, const struct weir_regex *regex, const char *text, size_t n)
{
    struct weir_matches matches = {0};
    size_t last = 0;
    for (;;) {
        TRY(weir_regex_next(&matches, regex, words->match, text, n));
        if (!matches.found)
            break;
        TRY(add_match_span(words, &last, matches.start, matches.end));
    }
    return last != n ? add_span(words, last, n, false) : WEIR_OK;
}

static weir_status span_by_code(struct weir_words *words, const struct weir_splitter *splitter, const char *text,
                                size_t n)
{
    size_t last = 0;
    for (size_t at = 0, length; at < n; at += length) {
        uint32_t code = weir_utf8_decode(text + at, &length);
        if (splitter->is_match(splitter->with, code))
            TRY(add_match_span(words, &last, at, at + length));
    }
    return last != n ? add_span(words, last, n, false) : WEIR_OK;
}

/* Each behaviour: the first of a run is joined to what is before it (going backwards: after it) where this is true.
 */
static bool joins_previous(enum weir_behavior behavior, bool is_match, bool previous)
{
    if (behavior == WEIR_CONTIGUOUS)
        return is_match == previous;
    return is_match && !previous;
}

static size_t join_forwards(struct weir_span *spans, size_t n, enum weir_behavior behavior)
{
    size_t kept = 0;
    bool previous = false;
    for (size_t i = 0; i < n; i++) {
        struct weir_span span = spans[i];
        if (joins_previous(behavior, span.is_match, previous) && kept > 0)
            spans[kept - 1].end = span.end;
        else
            spans[kept++] = span;
        previous = span.is_match;
    }
    return kept;
}

/* Leaves the spans at the end of the array; @return how many. */
static size_t join_backwards(struct weir_span *spans, size_t n, enum weir_behavior behavior)
{
    size_t kept = n;
    bool previous = false;
    for (size_t i = n; i-- > 0;) {
        struct weir_span span = spans[i];
        if (joins_previous(behavior, span.is_match, previous) && kept < n)
            spans[kept].start = span.start;
        else
            spans[--kept] = span;
        previous = span.is_match;
    }
    return n - kept;
}

static weir_status push_spans(struct weir_words *words, const struct weir_piece *piece, enum weir_behavior behavior)
{
    struct weir_span *spans = words->spans;
    size_t n = words->n_spans;
    if (behavior == WEIR_CONTIGUOUS || behavior == WEIR_MERGED_WITH_PREVIOUS) {
        n = join_forwards(spans, n, behavior);
    } else if (behavior == WEIR_MERGED_WITH_NEXT) {
        size_t kept = join_backwards(spans, n, behavior);
        spans += n - kept;
        n = kept;
    }
    for (size_t i = 0; i < n; i++) {
        if (spans[i].start == spans[i].end || (behavior == WEIR_REMOVED && spans[i].is_match))
            continue;
        TRY(weir_words_push(words, (struct weir_piece){piece->start + spans[i].start, spans[i].end - spans[i].start, -1,
                                                       piece->first && spans[i].start == 0}));
    }
    return WEIR_OK;
}

weir_status weir_words_split(struct weir_words *words, const struct weir_splitter *splitter)
{
    for (size_t i = 0; i < words->n_pieces; i++) {
        const struct weir_piece *piece = &words->pieces[i];
        if (piece->id >= 0) {
            TRY(weir_words_push(words, *piece));
            continue;
        }
        const char *text = words->text.data + piece->start;
        words->n_spans = 0;
        if (splitter->regex)
            TRY(span_by_regex(words, splitter->regex, text, piece->n));
        else
            TRY(span_by_code(words, splitter, text, piece->n));
        for (size_t k = 0; splitter->invert && k < words->n_spans; k++)
            words->spans[k].is_match = !words->spans[k].is_match;
        TRY(push_spans(words, piece, splitter->behavior));
    }
    weir_words_turn(words, false);
    return WEIR_OK;
}
