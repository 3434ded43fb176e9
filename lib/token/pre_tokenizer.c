#include "token/stages.h"

#include "base/alloc.h"

#include <string.h>

#define GPT2_PATTERN "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/* Puts `string` in front of the pieces that `wanted` says; nothing is copied when there are none. */
static weir_status put_before(struct weir_words *words, const struct weir_text *string,
                              bool (*wanted)(const struct weir_stage *, const struct weir_text *,
                                             const struct weir_piece *),
                              const struct weir_stage *stage)
{
    bool any = false;
    for (size_t i = 0; i < words->n_pieces && !any; i++)
        any = words->pieces[i].id < 0 && wanted(stage, &words->text, &words->pieces[i]);
    for (size_t i = 0; any && i < words->n_pieces; i++) {
        struct weir_piece piece = words->pieces[i];
        size_t start = words->next_text.n;
        if (piece.id < 0) {
            if (wanted(stage, &words->text, &piece))
                TRY(weir_text_add(&words->next_text, string->data, string->n));
            TRY(weir_text_add(&words->next_text, words->text.data + piece.start, piece.n));
            piece.n = words->next_text.n - start;
        }
        piece.start = start;
        TRY(weir_words_push(words, piece));
    }
    if (any)
        weir_words_turn(words, true);
    return WEIR_OK;
}

static weir_status read_byte_level(struct weir_stage *stage, const cJSON *json, const char *file)
{
    bool use_regex = true;
    stage->prefix_space = true;
    TRY(weir_json_bool(json, file, "add_prefix_space", &stage->prefix_space));
    TRY(weir_json_bool(json, file, "use_regex", &use_regex));
    return use_regex ? weir_regex_open(&stage->regex, file, GPT2_PATTERN, strlen(GPT2_PATTERN)) : WEIR_OK;
}

static bool lacks_space(const struct weir_stage *stage, const struct weir_text *text, const struct weir_piece *piece)
{
    (void)stage;
    return text->data[piece->start] != ' ';
}

/* Every byte as the letter that stands for it: one or two bytes of UTF-8. */
static weir_status spell_bytes(struct weir_words *words)
{
    char letters[256][2];
    struct weir_text *out = &words->next_text;
    for (unsigned b = 0; b < 256; b++) {
        uint32_t code = weir_byte_code((unsigned char)b);
        char utf8[4] = {0};
        weir_utf8_encode(utf8, code);
        memcpy(letters[b], utf8, 2);
    }
    for (size_t i = 0; i < words->n_pieces; i++) {
        struct weir_piece *piece = &words->pieces[i];
        const unsigned char *text = (const unsigned char *)words->text.data + piece->start;
        size_t start = out->n;
        if (piece->id < 0) {
            if (out->capacity - out->n < 2 * piece->n)
                TRY(weir_grow(&out->data, &out->capacity, out->n + 2 * piece->n, 1));
            for (size_t k = 0; k < piece->n; k++) {
                const char *letter = letters[text[k]];
                out->data[out->n] = letter[0];
                out->n++;
                if ((unsigned char)letter[0] >= 0x80)
                    out->data[out->n++] = letter[1];
            }
            piece->n = out->n - start;
        }
        piece->start = start;
        TRY(weir_words_push(words, *piece));
    }
    weir_words_turn(words, true);
    return WEIR_OK;
}

static weir_status cut_byte_level(const struct weir_stage *stage, struct weir_words *words)
{
    char space[] = " ";
    if (stage->prefix_space)
        TRY(put_before(words, &(struct weir_text){space, 1, 1}, lacks_space, stage));
    if (stage->regex)
        TRY(weir_words_split(words, &(struct weir_cutter){.regex = stage->regex, .behavior = WEIR_ISOLATED}));
    return spell_bytes(words);
}

static weir_status read_behavior(struct weir_stage *stage, const cJSON *json, const char *file)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const char *name;
    TRY(weir_read_string(json, file, "behavior", &name));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) {
            stage->behavior = (enum weir_behavior)i;
            return WEIR_OK;
        }
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: Split: behavior \"%s\" is not supported", file, name);
}

static weir_status read_split(struct weir_stage *stage, const cJSON *json, const char *file)
{
    TRY(weir_read_pattern(&stage->regex, json, file));
    TRY(weir_json_bool(json, file, "invert", &stage->invert));
    return read_behavior(stage, json, file);
}

static weir_status cut_split(const struct weir_stage *stage, struct weir_words *words)
{
    return weir_words_split(
        words, &(struct weir_cutter){.regex = stage->regex, .behavior = stage->behavior, .invert = stage->invert});
}

static weir_status read_digits(struct weir_stage *stage, const cJSON *json, const char *file)
{
    bool individual = false;
    TRY(weir_json_bool(json, file, "individual_digits", &individual));
    stage->behavior = individual ? WEIR_ISOLATED : WEIR_CONTIGUOUS;
    return WEIR_OK;
}

static bool is_numeric(const void *class, uint32_t code)
{
    if (code < 0x80)
        return code >= '0' && code <= '9';
    return weir_unicode_has(class, code);
}

static weir_status cut_digits(const struct weir_stage *stage, struct weir_words *words)
{
    return weir_words_split(words, &(struct weir_cutter){.is_match = is_numeric,
                                                         .with = weir_unicode_find("rust numeric", 12),
                                                         .behavior = stage->behavior});
}

static weir_status read_prepend_scheme(struct weir_stage *stage, const cJSON *json, const char *file)
{
    static const char *const names[] = {"always", "first", "never"};
    const char *scheme = "always";
    bool prefix = true, known = false;
    TRY(weir_json_string(json, file, "prepend_scheme", &scheme));
    TRY(weir_json_bool(json, file, "add_prefix_space", &prefix));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], scheme) == 0) {
            stage->prepend = (enum weir_prepend)i;
            known = true;
        }
    if (!known)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: Metaspace: prepend_scheme \"%s\" is not supported", file, scheme);
    if (!prefix && weir_json_get(json, "prepend_scheme") && stage->prepend != WEIR_PREPEND_NEVER)
        return weir_fail(WEIR_E_INPUT, "%s: Metaspace: add_prefix_space and prepend_scheme contradict each other",
                         file);
    if (!prefix)
        stage->prepend = WEIR_PREPEND_NEVER;
    return WEIR_OK;
}

static weir_status read_metaspace(struct weir_stage *stage, const cJSON *json, const char *file)
{
    const char *replacement;
    size_t length = 0;
    stage->split = true;
    TRY(weir_read_string(json, file, "replacement", &replacement));
    if (*replacement)
        weir_utf8_decode(replacement, &length);
    if (length == 0 || replacement[length])
        return weir_fail(WEIR_E_INPUT, "%s: Metaspace: \"replacement\" must be one character", file);
    TRY(weir_text_add(&stage->string, replacement, length));
    TRY(weir_json_bool(json, file, "split", &stage->split));
    return read_prepend_scheme(stage, json, file);
}

static bool lacks_metaspace(const struct weir_stage *stage, const struct weir_text *text,
                            const struct weir_piece *piece)
{
    if (stage->prepend == WEIR_PREPEND_NEVER || (stage->prepend == WEIR_PREPEND_FIRST && !piece->first))
        return false;
    const struct weir_text *mark = &stage->string;
    return piece->n < mark->n || memcmp(text->data + piece->start, mark->data, mark->n) != 0;
}

static weir_status replace_spaces(const struct weir_stage *stage, struct weir_words *words)
{
    for (size_t i = 0; i < words->n_pieces; i++) {
        struct weir_piece piece = words->pieces[i];
        const char *text = words->text.data + piece.start;
        size_t start = words->next_text.n;
        for (size_t at = 0, n; piece.id < 0 && at < piece.n; at += n) {
            const char *space = memchr(text + at, ' ', piece.n - at);
            n = space ? (size_t)(space - text) - at : piece.n - at;
            TRY(weir_text_add(&words->next_text, text + at, n));
            if (space) {
                TRY(weir_text_add(&words->next_text, stage->string.data, stage->string.n));
                n++;
            }
        }
        piece.n = words->next_text.n - start;
        piece.start = start;
        TRY(weir_words_push(words, piece));
    }
    weir_words_turn(words, true);
    return WEIR_OK;
}

static bool is_metaspace(const void *stage, uint32_t code)
{
    size_t length;
    return code == weir_utf8_decode(((const struct weir_stage *)stage)->string.data, &length);
}

static weir_status cut_metaspace(const struct weir_stage *stage, struct weir_words *words)
{
    TRY(replace_spaces(stage, words));
    TRY(put_before(words, &stage->string, lacks_metaspace, stage));
    if (!stage->split)
        return WEIR_OK;
    return weir_words_split(
        words, &(struct weir_cutter){.is_match = is_metaspace, .with = stage, .behavior = WEIR_MERGED_WITH_NEXT});
}

static const struct weir_stage_type types[] = {
    {"ByteLevel", read_byte_level, NULL, cut_byte_level},
    {"Split", read_split, NULL, cut_split},
    {"Digits", read_digits, NULL, cut_digits},
    {"Metaspace", read_metaspace, NULL, cut_metaspace},
};

weir_status weir_pre_tokenizers_read(struct weir_stages *stages, const cJSON *json, const char *file)
{
    return weir_stages_read(stages, types, sizeof types / sizeof types[0], "pre-tokenizer", "pretokenizers", json,
                            file);
}

weir_status weir_pre_tokenize(const struct weir_stages *stages, struct weir_words *words)
{
    for (size_t i = 0; i < stages->n; i++)
        TRY(stages->stages[i].type->cut(&stages->stages[i], words));
    return WEIR_OK;
}
