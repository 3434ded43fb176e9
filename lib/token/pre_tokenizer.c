/* The pre-tokenizers of tokenizer.json: one row and one function per type. */
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

static weir_status read_byte_level_stage(struct weir_stage *stage, const cJSON *json, const char *file)
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

static weir_status split_byte_level(const struct weir_stage *stage, struct weir_words *words)
{
    char space[] = " ";
    if (stage->prefix_space)
        TRY(put_before(words, &(struct weir_text){space, 1, 1}, lacks_space, stage));
    if (stage->regex)
        TRY(weir_words_split(words, &(struct weir_splitter){.regex = stage->regex, .behavior = WEIR_ISOLATED}));
    return spell_bytes(words);
}

/* Of Split, which must say it, or of Punctuation: Isolated when it does not. */
static weir_status read_behavior(struct weir_stage *stage, const cJSON *json, const char *file)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const char *name = stage->regex ? NULL : "Isolated";
    TRY(weir_json_string(json, file, "behavior", &name));
    if (!name)
        return weir_fail(WEIR_E_INPUT, "%s: Split: \"behavior\" is missing", file);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) {
            stage->behavior = (enum weir_behavior)i;
            return WEIR_OK;
        }
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: %s: behavior \"%s\" is not supported", file, stage->type->name, name);
}

static weir_status read_split(struct weir_stage *stage, const cJSON *json, const char *file)
{
    TRY(weir_read_pattern(&stage->regex, json, file));
    TRY(weir_json_bool(json, file, "invert", &stage->invert));
    return read_behavior(stage, json, file);
}

static weir_status split_by_regex(const struct weir_stage *stage, struct weir_words *words)
{
    return weir_words_split(
        words, &(struct weir_splitter){.regex = stage->regex, .behavior = stage->behavior, .invert = stage->invert});
}

static weir_status read_digits(struct weir_stage *stage, const cJSON *json, const char *file)
{
    bool individual = false;
    TRY(weir_json_bool(json, file, "individual_digits", &individual));
    stage->behavior = individual ? WEIR_ISOLATED : WEIR_CONTIGUOUS;
    return WEIR_OK;
}

static bool is_in_class(const void *class, uint32_t code)
{
    return weir_unicode_has(class, code);
}

static weir_status split_at_class(struct weir_words *words, const char *class, enum weir_behavior behavior)
{
    const struct weir_unicode_class *with = weir_unicode_find(class, strlen(class));
    return weir_words_split(words,
                            &(struct weir_splitter){.is_match = is_in_class, .with = with, .behavior = behavior});
}

static weir_status split_digits(const struct weir_stage *stage, struct weir_words *words)
{
    return split_at_class(words, "rust numeric", stage->behavior);
}

static weir_status split_punctuation(const struct weir_stage *stage, struct weir_words *words)
{
    return split_at_class(words, "bert punctuation", stage->behavior);
}

static weir_status split_at_whitespace(const struct weir_stage *stage, struct weir_words *words)
{
    (void)stage;
    return split_at_class(words, "posix space", WEIR_REMOVED);
}

/* Runs of letters and digits, and runs of what is neither those nor space. */
static weir_status split_whitespace(const struct weir_stage *stage, struct weir_words *words)
{
    (void)stage;
    TRY(split_at_class(words, "rust space", WEIR_REMOVED));
    return split_at_class(words, "rust word", WEIR_CONTIGUOUS);
}

static weir_status split_bert(const struct weir_stage *stage, struct weir_words *words)
{
    TRY(split_at_whitespace(stage, words));
    return split_at_class(words, "bert punctuation", WEIR_ISOLATED);
}

/* A member that must be one character. */
static weir_status read_character(struct weir_stage *stage, const cJSON *json, const char *file, const char *key)
{
    const char *text;
    size_t length = 0;
    TRY(weir_read_string(json, file, key, &text));
    if (*text)
        weir_utf8_decode(text, &length);
    if (length == 0 || text[length])
        return weir_fail(WEIR_E_INPUT, "%s: %s: \"%s\" must be one character", file, stage->type->name, key);
    return weir_text_add(&stage->string, text, length);
}

static bool is_the_character(const void *stage, uint32_t code)
{
    size_t length;
    return code == weir_utf8_decode(((const struct weir_stage *)stage)->string.data, &length);
}

static weir_status read_delimiter(struct weir_stage *stage, const cJSON *json, const char *file)
{
    return read_character(stage, json, file, "delimiter");
}

static weir_status split_at_delimiter(const struct weir_stage *stage, struct weir_words *words)
{
    return weir_words_split(
        words, &(struct weir_splitter){.is_match = is_the_character, .with = stage, .behavior = WEIR_REMOVED});
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
    stage->split = true;
    TRY(read_character(stage, json, file, "replacement"));
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

/* Copies each piece with every space replaced by the stage's string. */
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

static weir_status split_metaspace(const struct weir_stage *stage, struct weir_words *words)
{
    TRY(replace_spaces(stage, words));
    TRY(put_before(words, &stage->string, lacks_metaspace, stage));
    if (!stage->split)
        return WEIR_OK;
    return weir_words_split(
        words, &(struct weir_splitter){.is_match = is_the_character, .with = stage, .behavior = WEIR_MERGED_WITH_NEXT});
}

static const struct weir_stage_type types[] = {
    {.name = "ByteLevel", .read = read_byte_level_stage, .split = split_byte_level},
    {.name = "Split", .read = read_split, .split = split_by_regex},
    {.name = "Digits", .read = read_digits, .split = split_digits},
    {.name = "Metaspace", .read = read_metaspace, .split = split_metaspace},
    {.name = "Punctuation", .read = read_behavior, .split = split_punctuation},
    {.name = "Whitespace", .split = split_whitespace},
    {.name = "WhitespaceSplit", .split = split_at_whitespace},
    {.name = "BertPreTokenizer", .split = split_bert},
    {.name = "CharDelimiterSplit", .read = read_delimiter, .split = split_at_delimiter},
};

weir_status weir_pre_tokenizers_read(struct weir_stages *stages, const cJSON *json, const char *file)
{
    return weir_stages_read(stages, types, sizeof types / sizeof types[0], "pre-tokenizer", "pretokenizers", json,
                            file);
}

weir_status weir_pre_tokenize(const struct weir_stages *stages, struct weir_words *words)
{
    for (size_t i = 0; i < stages->n; i++)
        TRY(stages->stages[i].type->split(&stages->stages[i], words));
    return WEIR_OK;
}
