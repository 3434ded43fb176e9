/* Reads what a cache file has of its prompts: ids, texts, tokens, and tables such as the most likely next tokens. */
#include "base/alloc.h"
#include "store/read/reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t token_blocks(const struct weir_open_prompt *prompt)
{
    return (prompt->n + WEIR_TOKENS_AT_ONCE - 1) / WEIR_TOKENS_AT_ONCE;
}

void weir_reader_free_prompt(struct weir_open_prompt *prompt)
{
    if (!prompt)
        return;
    for (size_t i = 0; prompt->tokens && i < token_blocks(prompt); i++)
        weir_free(prompt->tokens[i]);
    weir_free(prompt->ids);
    weir_free(prompt->positions);
    weir_free(prompt->text);
    weir_free(prompt->fields);
    weir_free(prompt->tokens);
    weir_free(prompt);
}

static weir_status read_row(const weir_file *file, int set, int prompt, size_t first, size_t n, void *out)
{
    const size_t start[WEIR_MAX_RANK] = {(size_t)prompt, first}, count[WEIR_MAX_RANK] = {1, n};
    return weir_stored_read(&file->sets[set], start, count, out);
}

/* Positions must ascend, then be -1 to the end of the row. */
static weir_status read_row_positions(const weir_file *file, struct weir_open_prompt *prompt, int index)
{
    size_t n = (size_t)file->info.n_positions, rows = 0;
    TRY(weir_alloc(&prompt->positions, n, sizeof *prompt->positions));
    TRY(read_row(file, WEIR_S_TOKEN_POSITION, index, 0, n, prompt->positions));
    while (rows < n && prompt->positions[rows] >= 0)
        rows++;
    for (size_t i = 0; i < n; i++)
        if (prompt->positions[i] < -1 || (i >= rows && prompt->positions[i] != -1) ||
            prompt->positions[i] >= file->lengths[index] ||
            (i > 0 && i < rows && prompt->positions[i] <= prompt->positions[i - 1]))
            return weir_fail(WEIR_E_INPUT, "%s: /tokens/position: prompt %d, row %zu: %d is out of order or range",
                             file->path, index, i, prompt->positions[i]);
    prompt->n_rows = rows;
    return WEIR_OK;
}

/* *out stays NULL where the text is empty, or the file has no such table. */
static weir_status read_prompt_text(const weir_file *file, char **out, int set, int index)
{
    uint8_t reference[WEIR_TEXT_REFERENCE];
    if (file->sets[set].id < 0)
        return WEIR_OK;
    TRY(read_row(file, set, index, 0, 1, reference));
    TRY(weir_stored_text(out, &file->source, reference, weir_set_at(set)->path));
    if (*out && !**out) {
        weir_free(*out);
        *out = NULL;
    }
    return WEIR_OK;
}

static weir_status load_prompt(struct weir_open_prompt **out, const weir_file *file, int index)
{
    struct weir_open_prompt *prompt;
    weir_status status;
    *out = NULL;
    TRY(weir_alloc_zero(&prompt, 1, sizeof *prompt));
    prompt->n = (size_t)file->lengths[index];
    TRY_DONE(weir_alloc(&prompt->ids, prompt->n, sizeof *prompt->ids));
    TRY_DONE(read_row(file, WEIR_S_TOKEN_ID, index, 0, prompt->n, prompt->ids));
    TRY_DONE(read_row_positions(file, prompt, index));
    TRY_DONE(read_prompt_text(file, &prompt->text, WEIR_S_PROMPT_TEXT, index));
    TRY_DONE(read_prompt_text(file, &prompt->fields, WEIR_S_PROMPT_FIELDS, index));
    *out = prompt;
    prompt = NULL;
done:
    weir_reader_free_prompt(prompt);
    return status;
}

/* NULL, and why in *status, when it cannot be had. */
static struct weir_open_prompt *get_prompt(weir_status *status, const weir_file *file, int index)
{
    *status = weir_reader_check_prompt(file, index);
    if (*status != WEIR_OK)
        return NULL;
    if (!file->prompts[index]) {
        weir_h5_begin();
        *status = load_prompt(&file->prompts[index], file, index);
    }
    return file->prompts[index];
}

weir_status weir_file_get_prompt(const weir_file *file, int index, weir_file_prompt *out)
{
    weir_status status;
    TRY_GIVEN(out);
    memset(out, 0, sizeof *out);
    TRY_GIVEN(file);
    const struct weir_open_prompt *prompt = get_prompt(&status, file, index);
    if (!prompt)
        return status;
    *out = (weir_file_prompt){.ids = prompt->ids,
                              .n = prompt->n,
                              .text = prompt->text,
                              .fields = prompt->fields,
                              .positions = prompt->positions,
                              .n_rows = prompt->n_rows,
                              .loss = file->losses ? file->losses[index] : NAN};
    return WEIR_OK;
}

/* [n, width] to [n, width + 1], each ended by NUL. */
static void spread_texts(char *texts, size_t n, size_t width)
{
    for (size_t i = n; i-- > 0;) {
        memmove(texts + i * (width + 1), texts + i * width, width);
        texts[i * (width + 1) + width] = '\0';
    }
}

/* Block `which` of the texts of tokens, each ended by NUL, unless it is there. */
static weir_status load_tokens(const weir_file *file, struct weir_open_prompt *prompt, int index, size_t which)
{
    size_t width = file->token_width, first = which * WEIR_TOKENS_AT_ONCE, left = prompt->n - first;
    size_t n = left < WEIR_TOKENS_AT_ONCE ? left : WEIR_TOKENS_AT_ONCE;
    char *tokens = NULL; /* first packed, then spread from the end */
    weir_status status;
    if (prompt->tokens && prompt->tokens[which])
        return WEIR_OK;
    weir_h5_begin();
    if (!prompt->tokens)
        TRY(weir_alloc_zero(&prompt->tokens, token_blocks(prompt), sizeof *prompt->tokens));
    TRY_DONE(weir_alloc_zero(&tokens, n, width + 1));
    TRY_DONE(read_row(file, WEIR_S_TOKEN_TEXT, index, first, n, tokens));
    spread_texts(tokens, n, width);
    prompt->tokens[which] = tokens;
    tokens = NULL;
done:
    weir_free(tokens);
    return status;
}

/* Keeps the first failure of a text, for weir_file_check_texts. @return "", the text that its caller gets. */
static const char *text_failed(const weir_file *file, weir_status status)
{
    struct weir_text_failure *kept = file->texts_failed;
    if (kept->status == WEIR_OK) {
        kept->status = status;
        snprintf(kept->message, sizeof kept->message, "%s", weir_message());
    }
    return "";
}

weir_status weir_file_check_texts(const weir_file *file)
{
    TRY_GIVEN(file);
    const struct weir_text_failure *kept = file->texts_failed;
    return kept->status == WEIR_OK ? WEIR_OK : weir_fail(kept->status, "%s", kept->message);
}

const char *weir_file_token(const weir_file *file, int index, int token)
{
    weir_status status = WEIR_OK;
    struct weir_open_prompt *prompt = file ? get_prompt(&status, file, index) : NULL;
    if (!prompt)
        return file && status != WEIR_E_USAGE ? text_failed(file, status) : "";
    if (token < 0 || (size_t)token >= prompt->n)
        return "";
    size_t which = (size_t)token / WEIR_TOKENS_AT_ONCE, in = (size_t)token % WEIR_TOKENS_AT_ONCE;
    status = load_tokens(file, prompt, index, which);
    if (status != WEIR_OK)
        return text_failed(file, status);
    return prompt->tokens[which] + in * (file->token_width + 1);
}

/* ---- tables ---- */

/* One prompt's rows of a table that has rows; columns that are NULL are not read. */
static weir_status read_table(const weir_file *file, int id, int index, void *const columns[WEIR_MAX_COLUMNS])
{
    int own = weir_table_width_dim(weir_table_at(id));
    weir_status status;
    const struct weir_open_prompt *prompt = get_prompt(&status, file, index);
    if (!prompt)
        return status;
    const size_t start[WEIR_MAX_RANK] = {(size_t)index},
                 count[WEIR_MAX_RANK] = {1, prompt->n_rows, own < 0 ? 0 : file->sizes.size[own]};
    for (int c = 0; c < WEIR_MAX_COLUMNS; c++)
        if (columns[c])
            TRY(weir_stored_read(&file->tables[id].columns[c], start, count, columns[c]));
    return WEIR_OK;
}

weir_status weir_file_next(const weir_file *file, int index, int32_t *ids, float *logits, float *logprobs)
{
    TRY_GIVEN(file);
    weir_h5_begin();
    if (!file->tables[WEIR_TABLE_NEXT].stored)
        return weir_fail(WEIR_E_USAGE, "%s: contains no next tokens: dump with --next K", file->path);
    return read_table(file, WEIR_TABLE_NEXT, index, (void *const[WEIR_MAX_COLUMNS]){ids, logits, logprobs});
}

/* Ids and texts of the tokens in /next, both in full. */
static weir_status load_words(const weir_file *file, struct weir_open_words *words)
{
    const size_t start[WEIR_MAX_RANK] = {0}, count[WEIR_MAX_RANK] = {file->sizes.size[WEIR_DIM_WORD]};
    size_t n = count[0];
    char *texts = NULL;
    int32_t *ids = NULL;
    weir_status status;
    TRY(weir_reader_check_stored(file, &file->sets[WEIR_S_WORD_TEXT], n));
    TRY_DONE(weir_reader_list(file, &ids, &file->sets[WEIR_S_WORD_ID]));
    TRY_DONE(weir_alloc_zero(&texts, n, words->width + 1));
    TRY_DONE(weir_stored_read(&file->sets[WEIR_S_WORD_TEXT], start, count, texts));
    spread_texts(texts, n, words->width);
    *words = (struct weir_open_words){ids, texts, n, words->width};
    ids = NULL;
    texts = NULL;
done:
    weir_free(ids);
    weir_free(texts);
    return status;
}

const char *weir_file_next_text(const weir_file *file, int32_t id)
{
    struct weir_open_words *words = file ? file->words : NULL;
    if (!words || file->sets[WEIR_S_WORD_ID].id < 0 || file->sets[WEIR_S_WORD_TEXT].id < 0)
        return "";
    weir_h5_begin();
    weir_status status = words->ids ? WEIR_OK : load_words(file, words);
    if (status != WEIR_OK)
        return text_failed(file, status);
    size_t first = 0, last = words->n;
    while (first < last) {
        size_t middle = first + (last - first) / 2;
        if (words->ids[middle] == id)
            return words->texts + middle * (words->width + 1);
        if (words->ids[middle] < id)
            first = middle + 1;
        else
            last = middle;
    }
    return "";
}

/* ---- checks ---- */

static weir_status check_token_texts(const weir_file *file, struct weir_open_prompt *prompt, int index)
{
    for (size_t which = 0; which < token_blocks(prompt); which++)
        TRY(load_tokens(file, prompt, index, which));
    return WEIR_OK;
}

/* Column by column into the same memory. */
static weir_status check_next_tokens(const weir_file *file, const struct weir_open_prompt *prompt, int index)
{
    const struct weir_table_kind *table = weir_table_at(WEIR_TABLE_NEXT);
    weir_status status = WEIR_OK;
    int32_t *values; /* [rows, top] */
    size_t n;
    TRY(weir_mul(&n, prompt->n_rows, file->sizes.size[weir_table_width_dim(table)]));
    TRY(weir_alloc(&values, n, sizeof *values));
    for (int c = 0; c < table->n_columns && status == WEIR_OK; c++) {
        void *columns[WEIR_MAX_COLUMNS] = {NULL};
        columns[c] = values;
        status = read_table(file, WEIR_TABLE_NEXT, index, columns);
    }
    weir_free(values);
    return status;
}

weir_status weir_reader_check_texts(const weir_file *file, int index)
{
    struct weir_open_words *words = file->words;
    weir_status status;
    struct weir_open_prompt *prompt = get_prompt(&status, file, index);
    if (!prompt)
        return status;
    weir_h5_begin();
    TRY(check_token_texts(file, prompt, index));
    if (!file->tables[WEIR_TABLE_NEXT].stored)
        return WEIR_OK;
    if (words && !words->ids && file->sets[WEIR_S_WORD_ID].id >= 0 && file->sets[WEIR_S_WORD_TEXT].id >= 0)
        TRY(load_words(file, words));
    return check_next_tokens(file, prompt, index);
}
