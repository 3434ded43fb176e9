/* tokenizer.json but for its "model" (read_json_model.c): added tokens, post-processors, decoders, and the stages. */
#include "token/pipeline.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- added tokens ---------------------------------------------------------------------------------------------- */

/* As tokenizers numbers them, whatever "id" says: a string that the vocabulary has keeps that id, others follow the
   vocabulary in their order. */
static weir_status number_added_token(struct weir_tokenizer *t, struct weir_added_token *token, const char *content,
                                      int32_t *next, const char *file)
{
    if (token->n_content == 0)
        return WEIR_OK;
    token->id = weir_token_id(t, content, token->n_content);
    if (token->id < 0)
        token->id = (*next)++;
    TRY(weir_copy_bytes(&token->content, content, token->n_content));
    weir_status status = weir_in(weir_added_add(&t->added, token), file);
    weir_free(token->content);
    return status;
}

/* All but the id. The content stays the JSON's; NULL when it is empty, which stands for nothing. */
static weir_status read_added_fields(struct weir_added_token *token, const char **content, const cJSON *json,
                                     const char *file)
{
    *token = (struct weir_added_token){0};
    if (!cJSON_IsObject(json))
        return weir_fail(WEIR_E_INPUT, "%s: an added token must be an object", file);
    TRY(weir_read_string(json, file, "content", content));
    TRY(weir_json_bool(json, file, "special", &token->special));
    token->normalized = !token->special;
    TRY(weir_json_bool(json, file, "normalized", &token->normalized));
    TRY(weir_json_bool(json, file, "single_word", &token->single_word));
    TRY(weir_json_bool(json, file, "lstrip", &token->lstrip));
    TRY(weir_json_bool(json, file, "rstrip", &token->rstrip));
    token->n_content = strlen(*content);
    return WEIR_OK;
}

static weir_status read_added_token(struct weir_tokenizer *t, const cJSON *json, int32_t *next, const char *file)
{
    struct weir_added_token token;
    const cJSON *id = weir_json_get(json, "id");
    const char *content = "";
    TRY(read_added_fields(&token, &content, json, file));
    if (!cJSON_IsNumber(id))
        return weir_fail(WEIR_E_INPUT, "%s: the \"id\" of added token \"%.64s\" must be a number", file, content);
    TRY(weir_check_id(file, id->valuedouble, t->vocab.n_tokens + t->added.n));
    return number_added_token(t, &token, content, next, file);
}

static weir_status read_added_tokens(struct weir_tokenizer *t, const cJSON *json, const char *file)
{
    const cJSON *token;
    int32_t next = (int32_t)t->vocab.n_tokens;
    if (!json)
        return WEIR_OK;
    if (!cJSON_IsArray(json))
        return weir_fail(WEIR_E_INPUT, "%s: \"added_tokens\" must be an array", file);
    cJSON_ArrayForEach(token, json)
    {
        TRY(read_added_token(t, token, &next, file));
    }
    return WEIR_OK;
}

/* An id that the vocabulary does not know its string by is the key's: it follows the vocabulary, or takes the place of
   a token that was reserved. */
static weir_status read_decoder_token(struct weir_tokenizer *t, const cJSON *json, const char *file)
{
    struct weir_added_token token;
    const char *content = "";
    char *end;
    TRY(read_added_fields(&token, &content, json, file));
    double id = strtod(json->string, &end);
    if (*json->string == '\0' || *end != '\0')
        return weir_fail(WEIR_E_INPUT, "%s: added_tokens_decoder: \"%.64s\" is not an id", file, json->string);
    TRY(weir_check_id(file, id, t->vocab.n_tokens + t->added.n));
    int32_t wanted = (int32_t)id;
    return number_added_token(t, &token, content, &wanted, file);
}

weir_status weir_read_added_decoder(struct weir_tokenizer *t, const cJSON *config, const char *file)
{
    const cJSON *tokens = weir_json_get(config, "added_tokens_decoder"), *token;
    if (!tokens)
        return WEIR_OK;
    if (!cJSON_IsObject(tokens))
        return weir_fail(WEIR_E_INPUT, "%s: \"added_tokens_decoder\" must be an object", file);
    cJSON_ArrayForEach(token, tokens)
    {
        TRY(read_decoder_token(t, token, file));
    }
    return WEIR_OK;
}

/* ---- post-processor -------------------------------------------------------------------------------------------- */

static weir_status add_special_ids(struct weir_tokenizer *t, const cJSON *json, const char *name, bool after,
                                   const char *file)
{
    const cJSON *special = weir_json_get(weir_json_get(json, "special_tokens"), name);
    const cJSON *ids = weir_json_get(special, "ids"), *id;
    if (!cJSON_IsArray(ids))
        return weir_fail(WEIR_E_INPUT, "%s: TemplateProcessing: special token \"%.64s\" has no ids", file, name);
    cJSON_ArrayForEach(id, ids)
    {
        if (!cJSON_IsNumber(id))
            return weir_fail(WEIR_E_INPUT, "%s: TemplateProcessing: the ids of \"%.64s\" must be numbers", file, name);
        TRY(weir_check_id(file, id->valuedouble, t->vocab.n_tokens + t->added.n));
        TRY(weir_ids_add(after ? &t->back : &t->front, (int32_t)id->valuedouble));
    }
    return WEIR_OK;
}

/* "single": what is put before and after the text, which is {"Sequence": {"id": "A"}}. */
static weir_status read_template(struct weir_tokenizer *t, const cJSON *json, const char *file)
{
    const cJSON *single = weir_json_get(json, "single"), *piece;
    int n_texts = 0;
    if (!cJSON_IsArray(single))
        return weir_fail(WEIR_E_INPUT, "%s: TemplateProcessing: \"single\" must be an array", file);
    cJSON_ArrayForEach(piece, single)
    {
        const cJSON *special = weir_json_get(piece, "SpecialToken"), *text = weir_json_get(piece, "Sequence");
        const char *id;
        if (!special && !text)
            return weir_fail(WEIR_E_INPUT, "%s: TemplateProcessing: a piece is neither text nor token", file);
        TRY(weir_read_string(special ? special : text, file, "id", &id));
        if (special)
            TRY(add_special_ids(t, json, id, n_texts > 0, file));
        else if (strcmp(id, "A") == 0)
            n_texts++;
    }
    if (n_texts != 1)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: TemplateProcessing: \"single\" has the text %d times, not once", file,
                         n_texts);
    return WEIR_OK;
}

static weir_status leave_ids(struct weir_tokenizer *t, const cJSON *json, const char *file)
{
    (void)t, (void)json, (void)file; /* ByteLevel corrects offsets, which weir does not have */
    return WEIR_OK;
}

static const struct {
    const char *type;
    weir_status (*read)(struct weir_tokenizer *t, const cJSON *json, const char *file);
} post_processors[] = {{"ByteLevel", leave_ids}, {"TemplateProcessing", read_template}};

static weir_status read_post_processor(struct weir_tokenizer *t, const cJSON *json, const char *file)
{
    const char *type = NULL;
    if (!json)
        return WEIR_OK;
    if (!cJSON_IsObject(json))
        return weir_fail(WEIR_E_INPUT, "%s: a post-processor must be an object", file);
    TRY(weir_in(weir_read_string(json, file, "type", &type), "post-processor"));
    for (size_t i = 0; i < sizeof post_processors / sizeof post_processors[0]; i++)
        if (strcmp(post_processors[i].type, type) == 0)
            return post_processors[i].read(t, json, file);
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: post-processor of type \"%s\" is not supported", file, type);
}

/* A Sequence, not nested (tokenizers writes none), with one template at most: with two tokenizers fails as well. */
static weir_status read_post_processors(struct weir_tokenizer *t, const cJSON *json, const char *file)
{
    const cJSON *members = weir_json_get(json, "processors"), *member, *type = weir_json_get(json, "type");
    int n_templates = 0;
    if (!cJSON_IsString(type) || strcmp(type->valuestring, "Sequence") != 0)
        return read_post_processor(t, json, file);
    if (!cJSON_IsArray(members))
        return weir_fail(WEIR_E_INPUT, "%s: post-processor Sequence: \"processors\" must be an array", file);
    cJSON_ArrayForEach(member, members)
    {
        type = weir_json_get(member, "type");
        n_templates += cJSON_IsString(type) && strcmp(type->valuestring, "TemplateProcessing") == 0;
        TRY(read_post_processor(t, member, file));
    }
    if (n_templates > 1)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: %d TemplateProcessing post-processors in a Sequence", file,
                         n_templates);
    return WEIR_OK;
}

weir_status weir_read_stages(struct weir_tokenizer *t, const char *file, const char *normalizer,
                             const char *pre_tokenizer)
{
    cJSON *first = NULL, *second = NULL;
    weir_status status = WEIR_OK;
    if (normalizer)
        TRY_DONE(weir_json_parse(&first, file, normalizer, strlen(normalizer)));
    if (pre_tokenizer)
        TRY_DONE(weir_json_parse(&second, file, pre_tokenizer, strlen(pre_tokenizer)));
    TRY_DONE(weir_normalizers_read(&t->normalizers, first, file));
    TRY_DONE(weir_pre_tokenizers_read(&t->pre_tokenizers, second, file));
done:
    cJSON_Delete(first);
    cJSON_Delete(second);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static weir_status read_decoder(enum weir_spelling *spelling, const cJSON *json, const char *file, int depth);

static weir_status read_decoders(enum weir_spelling *spelling, const cJSON *json, const char *file, int depth)
{
    const cJSON *members = weir_json_get(json, "decoders"), *member;
    if (!cJSON_IsArray(members))
        return weir_fail(WEIR_E_INPUT, "%s: decoder Sequence: \"decoders\" must be an array", file);
    if (depth == WEIR_MAX_NESTING)
        return weir_fail(WEIR_E_INPUT, "%s: decoder Sequences are nested deeper than %d", file, WEIR_MAX_NESTING);
    cJSON_ArrayForEach(member, members)
    {
        TRY(read_decoder(spelling, member, file, depth + 1));
    }
    return WEIR_OK;
}

/* Decoders say how token strings read. What they do to a text as a whole (Fuse, Strip) is nothing to one token. */
static weir_status read_decoder(enum weir_spelling *spelling, const cJSON *json, const char *file, int depth)
{
    static const struct {
        const char *type;
        enum weir_spelling spelling;
    } decoders[] = {
        {"ByteLevel", WEIR_SPELLING_BYTES},     {"Metaspace", WEIR_SPELLING_SPACES}, {"Replace", WEIR_SPELLING_SPACES},
        {"ByteFallback", WEIR_SPELLING_SPACES}, {"BPEDecoder", WEIR_SPELLING_ENDS},  {"Fuse", WEIR_SPELLING_PLAIN},
        {"Strip", WEIR_SPELLING_PLAIN},
    };
    const char *type = NULL;
    if (!cJSON_IsObject(json))
        return weir_fail(WEIR_E_INPUT, "%s: a decoder must be an object", file);
    TRY(weir_in(weir_read_string(json, file, "type", &type), "decoder"));
    if (strcmp(type, "Sequence") == 0)
        return read_decoders(spelling, json, file, depth);
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++)
        if (strcmp(decoders[i].type, type) == 0) {
            if (decoders[i].spelling != WEIR_SPELLING_PLAIN)
                *spelling = decoders[i].spelling;
            return WEIR_OK;
        }
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: decoder of type \"%s\" is not supported", file, type);
}

static bool has_byte_level(const struct weir_stages *stages)
{
    for (size_t i = 0; i < stages->n; i++)
        if (strcmp(stages->stages[i].type->name, "ByteLevel") == 0)
            return true;
    return false;
}

/* Without a decoder the stages and the model show how tokens are written. */
static weir_status read_spelling(struct weir_tokenizer *t, const cJSON *json, const char *file)
{
    t->spelling = t->bpe.byte_fallback || t->model == WEIR_MODEL_UNIGRAM ? WEIR_SPELLING_SPACES : WEIR_SPELLING_PLAIN;
    if (json)
        TRY(read_decoder(&t->spelling, json, file, 0));
    if (has_byte_level(&t->pre_tokenizers) || has_byte_level(&t->normalizers))
        t->spelling = WEIR_SPELLING_BYTES;
    return WEIR_OK;
}

weir_status weir_tokenizer_from_json(struct weir_tokenizer **out, const char *text, size_t n, const char *file)
{
    static const char *const names[] = {"vocab", "merges"};
    struct weir_json_text parts[2];
    cJSON *json;
    *out = NULL;
    TRY(weir_json_parse_without(&json, file, text, n, "model", names, 2, parts));
    const struct weir_model_text large = {.vocab = parts[0], .merges = parts[1]};
    weir_status status = weir_tokenizer_from_parts(out, json, &large, file);
    cJSON_Delete(json);
    return status;
}

weir_status weir_tokenizer_from_parts(struct weir_tokenizer **out, const cJSON *json,
                                      const struct weir_model_text *large, const char *file)
{
    struct weir_tokenizer *t = NULL;
    weir_status status;
    *out = NULL;
    if (!cJSON_IsObject(json))
        return weir_fail(WEIR_E_INPUT, "%s: not a JSON object", file);
    TRY_DONE(weir_tokenizer_new(&t));
    TRY_DONE(weir_read_model(t, weir_json_get(json, "model"), large, file));
    TRY_DONE(read_added_tokens(t, weir_json_get(json, "added_tokens"), file));
    TRY_DONE(weir_read_added_decoder(t, json, file)); /* what weir itself puts there for a folder without this file */
    TRY_DONE(weir_normalizers_read(&t->normalizers, weir_json_get(json, "normalizer"), file));
    TRY_DONE(weir_pre_tokenizers_read(&t->pre_tokenizers, weir_json_get(json, "pre_tokenizer"), file));
    TRY_DONE(read_post_processors(t, weir_json_get(json, "post_processor"), file));
    TRY_DONE(read_spelling(t, weir_json_get(json, "decoder"), file));
    TRY_DONE(weir_in(weir_tokenizer_finish(t), file));
    *out = t;
    t = NULL;
done:
    weir_tokenizer_close(t);
    return status;
}
