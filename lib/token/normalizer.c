#include "token/stages.h"

#include "base/alloc.h"

#include <string.h>

enum { LARGEST = 1 << 30 };

static weir_status read_nfc(struct weir_stage *stage, const cJSON *json, const char *file)
{
    (void)json, (void)file;
    stage->form = WEIR_NFC;
    return WEIR_OK;
}

static weir_status read_nfd(struct weir_stage *stage, const cJSON *json, const char *file)
{
    (void)json, (void)file;
    stage->form = WEIR_NFD;
    return WEIR_OK;
}

static weir_status read_nfkc(struct weir_stage *stage, const cJSON *json, const char *file)
{
    (void)json, (void)file;
    stage->form = WEIR_NFKC;
    return WEIR_OK;
}

static weir_status read_nfkd(struct weir_stage *stage, const cJSON *json, const char *file)
{
    (void)json, (void)file;
    stage->form = WEIR_NFKD;
    return WEIR_OK;
}

static weir_status normal_form(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                               const char *text, size_t n)
{
    (void)match;
    return weir_unicode_normalize(out, text, n, stage->form);
}

static weir_status read_replace(struct weir_stage *stage, const cJSON *json, const char *file)
{
    const char *content;
    TRY(weir_read_pattern(&stage->regex, json, file));
    TRY(weir_read_string(json, file, "content", &content));
    return weir_text_add(&stage->string, content, strlen(content));
}

/* A file may replace one letter by a million, over and over: memory is not for that. */
static weir_status check_size(const struct weir_text *out)
{
    return out->n <= LARGEST ? WEIR_OK
                             : weir_fail(WEIR_E_UNSUPPORTED, "the normalized text is larger than %d bytes", LARGEST);
}

/* Matches as cut_at_regex of words.c finds them. */
static weir_status replace(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                           const char *text, size_t n)
{
    size_t last = 0, from = 0, start = 0, end = 0, length;
    bool found, any = false;
    while (n > 0 && from <= n) {
        TRY(weir_regex_find(stage->regex, match, text, n, from, &found, &start, &end));
        if (!found)
            break;
        if (start == end && any && end == last) {
            if (from == n)
                break;
            weir_utf8_decode(text + from, &length);
            from += length;
            continue;
        }
        TRY(weir_text_add(out, text + last, start - last));
        TRY(weir_text_add(out, stage->string.data, stage->string.n));
        TRY(check_size(out));
        last = from = end;
        any = true;
    }
    return weir_text_add(out, text + last, n - last);
}

static weir_status read_prepend(struct weir_stage *stage, const cJSON *json, const char *file)
{
    const char *text;
    TRY(weir_read_string(json, file, "prepend", &text));
    return weir_text_add(&stage->string, text, strlen(text));
}

static weir_status prepend(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                           const char *text, size_t n)
{
    (void)match;
    if (n > 0)
        TRY(weir_text_add(out, stage->string.data, stage->string.n));
    return weir_text_add(out, text, n);
}

static const struct weir_stage_type types[] = {
    {"NFC", read_nfc, normal_form, NULL},     {"NFD", read_nfd, normal_form, NULL},
    {"NFKC", read_nfkc, normal_form, NULL},   {"NFKD", read_nfkd, normal_form, NULL},
    {"Replace", read_replace, replace, NULL}, {"Prepend", read_prepend, prepend, NULL},
};

weir_status weir_normalizers_read(struct weir_stages *stages, const cJSON *json, const char *file)
{
    return weir_stages_read(stages, types, sizeof types / sizeof types[0], "normalizer", "normalizers", json, file);
}

weir_status weir_normalize_text(const struct weir_stages *stages, struct weir_match *match, struct weir_text *out,
                                const char *text, size_t n)
{
    struct weir_text step[2] = {0};
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < stages->n; i++) {
        const struct weir_stage *stage = &stages->stages[i];
        struct weir_text *to = i + 1 == stages->n ? out : &step[i % 2];
        if (to != out)
            to->n = 0;
        TRY_DONE(stage->type->normalize(stage, match, to, text, n));
        text = to->data;
        n = to->n;
    }
    if (stages->n == 0)
        TRY_DONE(weir_text_add(out, text, n));
done:
    weir_text_close(&step[0]);
    weir_text_close(&step[1]);
    return status;
}

weir_status weir_normalize_words(const struct weir_stages *stages, struct weir_words *words)
{
    if (stages->n == 0)
        return WEIR_OK;
    for (size_t i = 0; i < words->n_pieces; i++) {
        struct weir_piece piece = words->pieces[i];
        size_t start = words->next_text.n;
        if (piece.id < 0) {
            TRY(weir_normalize_text(stages, words->match, &words->next_text, words->text.data + piece.start, piece.n));
            piece.n = words->next_text.n - start;
        }
        piece.start = start;
        if (piece.id >= 0 || piece.n > 0)
            TRY(weir_words_push(words, piece));
    }
    weir_words_turn(words, true);
    return WEIR_OK;
}
