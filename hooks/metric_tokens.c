/* The tokens that a metric names, in one prompt. */
#include "base/alloc.h"
#include "base/json.h"
#include "hooks/metric.h"

#include <math.h>
#include <string.h>

/* The tokens of one measure while they are found. */
struct token_search {
    const struct weir_model *model;
    const weir_tokens *prompt;
    size_t n_vocab;
    struct weir_metric_ids *out;
};

static weir_status put_id(struct token_search *search, double id)
{
    struct weir_metric_ids *out = search->out;
    if (id < 0 || id >= (double)search->n_vocab || floor(id) < id)
        return weir_fail(WEIR_E_USAGE, "%.17g is no token that the model predicts: they go from 0 to %zu", id,
                         search->n_vocab - 1);
    for (size_t i = 0; i < out->n; i++)
        if (out->list[i] == (int32_t)id)
            return WEIR_OK;
    TRY(weir_grow(&out->list, &out->capacity, out->n + 1, sizeof *out->list));
    out->list[out->n++] = (int32_t)id;
    return WEIR_OK;
}

/* "' Mary' is 2 tokens, ' Ma' 'ry'" */
static weir_status fail_not_one(const struct weir_model *model, const char *text, const weir_tokens *tokens)
{
    char shown[256] = "", token[48];
    for (size_t i = 0; i < tokens->n && strlen(shown) + sizeof token < sizeof shown; i++) {
        weir_token_text(model, tokens->ids[i], token, sizeof token);
        weir_text_append(shown, sizeof shown, " '%s' (%d)", token, tokens->ids[i]);
    }
    return weir_fail(WEIR_E_USAGE, "'%.80s' is %zu tokens,%s: a metric takes single ones, by text or id", text,
                     tokens->n, shown);
}

static weir_status put_text_token(struct token_search *search, const char *text)
{
    weir_tokens tokens;
    TRY(weir_tokenize(&tokens, search->model, text, strlen(text), WEIR_BOS_NO));
    weir_status status =
        tokens.n == 1 ? put_id(search, (double)tokens.ids[0]) : fail_not_one(search->model, text, &tokens);
    weir_tokens_close(&tokens);
    return status;
}

/* A text, an id, or a list of these. */
static weir_status put_json(struct token_search *search, const cJSON *value, bool in_list)
{
    const cJSON *item;
    if (cJSON_IsString(value))
        return put_text_token(search, value->valuestring);
    if (cJSON_IsNumber(value))
        return put_id(search, value->valuedouble);
    if (in_list || !cJSON_IsArray(value) || !value->child)
        return weir_fail(WEIR_E_INPUT, "it is neither a token's text, nor its id, nor a list of these");
    cJSON_ArrayForEach(item, value) TRY(put_json(search, item, true));
    return WEIR_OK;
}

static weir_status put_field_of(struct token_search *search, const cJSON *object, const char *name)
{
    char where[80] = "";
    const cJSON *value = weir_json_get(object, name);
    weir_text_append(where, sizeof where, "its field '%.60s'", name);
    if (!value)
        return weir_fail(WEIR_E_INPUT, "it has no field '%s'; a token's text takes quotes: \"%s\"", name, name);
    if (cJSON_IsObject(value)) {
        value = search->prompt->side ? weir_json_get(value, search->prompt->side) : NULL;
        if (!value)
            return weir_fail(WEIR_E_INPUT, "%s has nothing for its side", where);
    }
    return weir_in(put_json(search, value, false), where);
}

static weir_status put_field_tokens(struct token_search *search, const char *name)
{
    const char *fields = search->prompt->fields ? search->prompt->fields : "{}";
    cJSON *object;
    TRY(weir_json_parse(&object, "fields", fields, strlen(fields)));
    weir_status status = put_field_of(search, object, name);
    cJSON_Delete(object);
    return status;
}

weir_status weir_metric_ids_find(struct weir_metric_ids *out, size_t *fault, const struct weir_model *model,
                                 const struct weir_metric *metric, const weir_tokens *prompt)
{
    size_t shape[WEIR_MAX_AXES];
    weir_model_shape(model, WEIR_P_LOGITS, shape);
    struct token_search search = {.model = model, .prompt = prompt, .n_vocab = shape[1], .out = out};
    for (size_t i = 0; i < metric->n_tokens; i++) {
        const struct weir_metric_token *token = &metric->tokens[i];
        *fault = token->at;
        TRY(token->kind == WEIR_TOKEN_BY_ID     ? put_id(&search, (double)token->id)
            : token->kind == WEIR_TOKEN_BY_TEXT ? put_text_token(&search, token->text)
                                                : put_field_tokens(&search, token->text));
    }
    return WEIR_OK;
}

void weir_metric_ids_close(struct weir_metric_ids *ids)
{
    weir_free(ids->list);
    *ids = (struct weir_metric_ids){0};
}
