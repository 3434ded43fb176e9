/* The normalizers of tokenizer.json: one row and one function per type. */
#include "token/stages.h"

#include "base/alloc.h"

#include <string.h>

enum { LARGEST = 1 << 30 };

static weir_status normal_form(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                               const char *text, size_t n)
{
    (void)match;
    return weir_unicode_normalize(out, text, n, stage->type->form);
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

static weir_status normalize_replace(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                                     const char *text, size_t n)
{
    struct weir_matches matches = {0};
    size_t last = 0;
    if (n == 0) /* it may have no address */
        return WEIR_OK;
    for (;;) {
        TRY(weir_regex_next(&matches, stage->regex, match, text, n));
        if (!matches.found)
            break;
        TRY(weir_text_add(out, text + last, matches.start - last));
        TRY(weir_text_add(out, stage->string.data, stage->string.n));
        TRY(check_size(out));
        last = matches.end;
    }
    return weir_text_add(out, text + last, n - last);
}

static weir_status read_prepend(struct weir_stage *stage, const cJSON *json, const char *file)
{
    const char *text;
    TRY(weir_read_string(json, file, "prepend", &text));
    return weir_text_add(&stage->string, text, strlen(text));
}

static weir_status normalize_prepend(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                                     const char *text, size_t n)
{
    (void)match;
    if (n > 0)
        TRY(weir_text_add(out, stage->string.data, stage->string.n));
    return weir_text_add(out, text, n);
}

static weir_status normalize_lowercase(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                                       const char *text, size_t n)
{
    (void)stage, (void)match;
    for (size_t at = 0, length; at < n; at += length)
        TRY(weir_unicode_lower(out, weir_utf8_decode(text + at, &length)));
    return WEIR_OK;
}

/* Combining marks go; letters that have one in them stay as they are. */
static weir_status strip_accents(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                                 const char *text, size_t n)
{
    const struct weir_unicode_class *marks = weir_unicode_find("combining mark", strlen("combining mark"));
    (void)stage, (void)match;
    for (size_t at = 0, length; at < n; at += length)
        if (!weir_unicode_has(marks, weir_utf8_decode(text + at, &length)))
            TRY(weir_text_add(out, text + at, length));
    return WEIR_OK;
}

static weir_status read_strip(struct weir_stage *stage, const cJSON *json, const char *file)
{
    TRY(weir_json_bool(json, file, "strip_left", &stage->left));
    return weir_json_bool(json, file, "strip_right", &stage->right);
}

/* Bytes of the spaces at the front, or at the back, of the text. */
static size_t count_spaces(const char *text, size_t n, bool back)
{
    const struct weir_unicode_class *spaces = weir_unicode_find("posix space", strlen("posix space"));
    size_t at = 0, length;
    for (; at < n; at += length) {
        const char *from = back ? text + n - at - weir_utf8_back(text + n - at) : text + at;
        if (!weir_unicode_has(spaces, weir_utf8_decode(from, &length)))
            break;
    }
    return at;
}

static weir_status normalize_strip(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                                   const char *text, size_t n)
{
    (void)match;
    if (stage->right)
        n -= count_spaces(text, n, true);
    size_t left = stage->left ? count_spaces(text, n, false) : 0;
    return weir_text_add(out, text + left, n - left);
}

/* Controls that Nmt drops, and what is a space to it. */
static bool nmt_drops(uint32_t code)
{
    return (code >= 1 && code <= 8) || code == 0xb || (code >= 0xe && code <= 0x1f) || code == 0x7f || code == 0x8f ||
           code == 0x9f;
}

static bool nmt_is_space(uint32_t code)
{
    static const uint32_t others[] = {'\t', '\n', '\f', '\r', 0x1680, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (code == others[i])
            return true;
    return code >= 0x200b && code <= 0x200f;
}

static weir_status normalize_nmt(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                                 const char *text, size_t n)
{
    (void)stage, (void)match;
    for (size_t at = 0, length; at < n; at += length) {
        uint32_t code = weir_utf8_decode(text + at, &length);
        if (!nmt_drops(code))
            TRY(weir_text_add_code(out, nmt_is_space(code) ? ' ' : code));
    }
    return WEIR_OK;
}

static weir_status read_precompiled(struct weir_stage *stage, const cJSON *json, const char *file)
{
    const char *text;
    TRY(weir_read_string(json, file, "precompiled_charsmap", &text));
    return weir_charsmap_open_base64(&stage->charsmap, file, text);
}

static weir_status normalize_precompiled(const struct weir_stage *stage, struct weir_match *match,
                                         struct weir_text *out, const char *text, size_t n)
{
    (void)match;
    TRY(weir_charsmap_apply(&stage->charsmap, out, LARGEST, text, n));
    return check_size(out);
}

/* Every byte as the letter that stands for it. */
static weir_status byte_level(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                              const char *text, size_t n)
{
    (void)stage, (void)match;
    for (size_t i = 0; i < n; i++)
        TRY(weir_text_add_code(out, weir_byte_code((unsigned char)text[i])));
    return WEIR_OK;
}

static const struct weir_stage_type precompiled_type = {
    .name = "Precompiled", .read = read_precompiled, .normalize = normalize_precompiled};

weir_status weir_normalizers_add_charsmap(struct weir_stages *stages, const char *file, const void *bytes, size_t n)
{
    struct weir_stage *stage;
    TRY(weir_stages_add(stages, &precompiled_type, &stage));
    return weir_charsmap_open(&stage->charsmap, file, bytes, n);
}

static const struct weir_stage_type types[] = {
    {.name = "NFC", .normalize = normal_form, .form = WEIR_NFC},
    {.name = "NFD", .normalize = normal_form, .form = WEIR_NFD},
    {.name = "NFKC", .normalize = normal_form, .form = WEIR_NFKC},
    {.name = "NFKD", .normalize = normal_form, .form = WEIR_NFKD},
    {.name = "Replace", .read = read_replace, .normalize = normalize_replace},
    {.name = "Prepend", .read = read_prepend, .normalize = normalize_prepend},
    {.name = "Lowercase", .normalize = normalize_lowercase},
    {.name = "StripAccents", .normalize = strip_accents},
    {.name = "Strip", .read = read_strip, .normalize = normalize_strip},
    {.name = "Nmt", .normalize = normalize_nmt},
    {.name = "Precompiled", .read = read_precompiled, .normalize = normalize_precompiled},
    {.name = "ByteLevel", .normalize = byte_level},
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
