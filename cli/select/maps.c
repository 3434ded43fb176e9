/* Marks the layers, heads, prompts and tokens that options name, and walks their maps. */
#include "cli/select/maps.h"

#include "cli/select/files.h"
#include "cli/select/slices.h"

#include "base/alloc.h"
#include "base/ranked.h"
#include "points/nearest.h"
#include "points/text.h"

#include <stdio.h>
#include <string.h>

enum { MOST_NEAR = 3, MOST_TOKEN = 128 };

/* ---- layers, heads and prompts ---- */

/* True where the list names i by its number, not as a part of a slice. */
static bool is_named_singly(const struct weir_slices *slices, int i, int n)
{
    for (size_t j = 0; j < slices->n; j++)
        if (slices->list[j].single && (slices->list[j].start + n) % n == i)
            return true;
    return false;
}

/* Leaves out what is not stored; things that were asked for by number have to be. */
static weir_status keep_stored_marks(bool *marked, int n, const bool *stored, const struct weir_slices *slices,
                                     const char *what)
{
    bool any = false;
    for (int i = 0; i < n; i++) {
        if (marked[i] && !stored[i] && is_named_singly(slices, i, n))
            return weir_fail(WEIR_E_USAGE, "the pattern of %s %d is not stored", what, i);
        marked[i] = marked[i] && stored[i];
        any = any || marked[i];
    }
    return any ? WEIR_OK : weir_fail(WEIR_E_USAGE, "--%s names nothing that is stored", what);
}

static weir_status choose_map_layers(struct map_choice *chosen, const struct args *args, int opt)
{
    struct weir_slices slices = {0};
    int n = chosen->n_layers_all;
    weir_status status;
    TRY_DONE(slices_mark(&chosen->layers, &slices, (size_t)n, args->text[opt], "layer"));
    TRY_DONE(keep_stored_marks(chosen->layers, n, chosen->pattern->layers, &slices, "layer"));
done:
    weir_slices_close(&slices);
    return status;
}

static weir_status choose_map_heads(struct map_choice *chosen, const struct args *args, int opt)
{
    struct weir_slices slices = {0};
    bool *stored = NULL;
    int n = chosen->n_heads_all;
    weir_status status;
    TRY_DONE(slices_mark(&chosen->heads, &slices, (size_t)n, args->text[opt], "head"));
    TRY_DONE(stored_units_mark(&stored, (size_t)n, chosen->pattern, chosen->layers, chosen->n_layers_all));
    TRY_DONE(keep_stored_marks(chosen->heads, n, stored, &slices, "head"));
done:
    weir_free(stored);
    weir_slices_close(&slices);
    return status;
}

static weir_status choose_map_prompts(struct map_choice *chosen, const struct args *args, int opt, bool all)
{
    struct weir_slices slices = {0};
    weir_status status;
    TRY_DONE(slices_mark(&chosen->prompts, &slices, (size_t)chosen->n_prompts_all, prompts_text(args, opt), "prompt"));
    if (!args->has[opt] && !all)
        memset(chosen->prompts + 1, 0, (size_t)chosen->n_prompts_all - 1);
done:
    weir_slices_close(&slices);
    return status;
}

static size_t count_marks(const bool *marked, int n)
{
    size_t found = 0;
    for (int i = 0; i < n; i++)
        found += marked[i];
    return found;
}

/* ---- queries and keys ---- */

/* "3", "-1", "2:5+7": what begins like a number and has nothing but the letters of slices in it. */
static bool is_slices(const char *text)
{
    return *text && text[strspn(text, "0123456789:+-")] == '\0' && strpbrk(text, "0123456789:");
}

/* The text between bars is always text: |7| is a token, 7 a position. Bars are how the tables show tokens. */
static weir_status name_token(struct named *named, const char *text)
{
    TRY(weir_grow(&named->list, &named->capacity, named->n + 1, sizeof *named->list));
    struct tokens_named *one = &named->list[named->n];
    *one = (struct tokens_named){0};
    if (*text == '\0')
        return weir_fail(WEIR_E_USAGE, "%s: give a position, a slice, or a token's text", named->option);
    if (is_slices(text))
        TRY(weir_in(weir_slices_parse(&one->slices, text, strlen(text), "position"), named->option));
    else
        one->text = text;
    named->n++;
    return WEIR_OK;
}

static weir_status name_tokens(struct named *named, const struct map_choice *chosen, const struct args *args, int opt,
                               const char *option)
{
    named->option = option;
    for (size_t i = 0; i < args->n_given; i++)
        if (args->given[i].opt == opt)
            TRY(name_token(named, args->given[i].text));
    if (named->n > 0)
        TRY(weir_alloc_zero(&named->marked, (size_t)weir_file_get_info(chosen->file)->n_key, sizeof *named->marked));
    return WEIR_OK;
}

/* True where a token's text is the n bytes, with a space before them if `space`. */
static bool is_token_text(const char *token, const char *text, size_t n, bool space)
{
    if (space && *token++ != ' ')
        return false;
    return strlen(token) == n && memcmp(token, text, n) == 0;
}

static size_t mark_text(bool *marked, const struct map_choice *chosen, int prompt, size_t n_tokens, const char *text,
                        size_t n, bool space)
{
    size_t found = 0;
    for (size_t i = 0; i < n_tokens; i++)
        if (is_token_text(weir_file_token(chosen->file, prompt, (int)i), text, n, space)) {
            marked[i] = true;
            found++;
        }
    return found;
}

static bool is_text_listed(const char *const *list, size_t n, const char *token)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], token) == 0)
            return true;
    return false;
}

/* Fails, with the prompt's nearest tokens, each once. */
static weir_status no_such_token(const struct named *named, const struct map_choice *chosen, int prompt,
                                 size_t n_tokens, const char *text)
{
    const char *near[MOST_NEAR + 1]; /* the last takes those that are not near */
    float nearness[MOST_NEAR];
    size_t n = 0;
    char list[MOST_NEAR * (MOST_TOKEN + 8)] = "";
    for (size_t i = 0; i < n_tokens; i++) {
        const char *token = weir_file_token(chosen->file, prompt, (int)i);
        float is = -(float)weir_edit_distance(text, token);
        if (!is_text_listed(near, n, token))
            near[weir_ranked_insert(nearness, near, sizeof *near, &n, MOST_NEAR, is)] = token;
    }
    for (size_t i = 0; i < n; i++)
        weir_text_append(list, sizeof list, "%s|%s|", i ? ", " : "", near[i]);
    return weir_fail(WEIR_E_USAGE, "%s: prompt %d has no token |%.64s|; the nearest are %s", named->option, prompt,
                     text, list);
}

/* Marks the tokens of exactly that text; where there are none, those that have a space before it. */
static weir_status mark_tokens(struct named *named, const struct map_choice *chosen, int prompt, size_t n_tokens,
                               const char *text)
{
    size_t n = strlen(text);
    bool barred = n > 2 && text[0] == '|' && text[n - 1] == '|';
    if (mark_text(named->marked, chosen, prompt, n_tokens, text, n, false) > 0)
        return WEIR_OK;
    if (barred && mark_text(named->marked, chosen, prompt, n_tokens, text + 1, n - 2, false) > 0)
        return WEIR_OK;
    if (!barred && mark_text(named->marked, chosen, prompt, n_tokens, text, n, true) > 0)
        return WEIR_OK;
    return no_such_token(named, chosen, prompt, n_tokens, text);
}

static weir_status mark_named(struct named *named, const struct map_choice *chosen, int prompt, size_t n_tokens)
{
    memset(named->marked, 0, (size_t)weir_file_get_info(chosen->file)->n_key);
    for (size_t i = 0; i < named->n; i++) {
        const struct tokens_named *one = &named->list[i];
        TRY(one->text ? mark_tokens(named, chosen, prompt, n_tokens, one->text)
                      : weir_in(weir_slices_mark(&one->slices, named->marked, n_tokens, "position"), named->option));
    }
    return WEIR_OK;
}

/* A prompt without the tokens is an error when it is the only one; else it is left out. */
static weir_status mark_or_leave(const bool **out, struct named *named, const struct map_choice *chosen, int prompt,
                                 size_t n_tokens)
{
    *out = named->marked;
    weir_status status = named->n > 0 ? mark_named(named, chosen, prompt, n_tokens) : WEIR_OK;
    if (status == WEIR_E_USAGE && chosen->n_prompts > 1) {
        memset(named->marked, 0, n_tokens);
        return WEIR_OK;
    }
    return status;
}

weir_status map_choice_tokens(const bool **queries, const bool **keys, int prompt, void *payload)
{
    struct map_choice *chosen = payload;
    weir_file_prompt tokens;
    TRY(weir_file_get_prompt(chosen->file, prompt, &tokens));
    TRY(mark_or_leave(queries, &chosen->queries, chosen, prompt, tokens.n));
    return mark_or_leave(keys, &chosen->keys, chosen, prompt, tokens.n);
}

/* ---- all of it ---- */

/* Reads all options and counts what they mark. */
static weir_status choose_maps(struct map_choice *chosen, const struct args *args, const struct map_choice_opts *opts,
                               bool all_prompts)
{
    TRY(weir_stored_pattern(&chosen->pattern, chosen->file));
    chosen->n_layers_all = weir_file_get_info(chosen->file)->n_layers;
    chosen->n_heads_all = (int)chosen->pattern->shape[0];
    chosen->n_prompts_all = weir_file_get_info(chosen->file)->n_prompts;
    TRY(choose_map_layers(chosen, args, opts->layer));
    TRY(choose_map_heads(chosen, args, opts->head));
    TRY(choose_map_prompts(chosen, args, opts->prompt, all_prompts));
    chosen->n_layers = count_marks(chosen->layers, chosen->n_layers_all);
    chosen->n_heads = count_marks(chosen->heads, chosen->n_heads_all);
    chosen->n_prompts = count_marks(chosen->prompts, chosen->n_prompts_all);
    TRY(name_tokens(&chosen->queries, chosen, args, opts->query, "--query"));
    return name_tokens(&chosen->keys, chosen, args, opts->key, "--key");
}

weir_status map_choice_open(struct map_choice *out, const weir_file *file, const struct args *args,
                            const struct map_choice_opts *opts, bool all_prompts)
{
    *out = (struct map_choice){.file = file};
    weir_status status = choose_maps(out, args, opts, all_prompts);
    if (status != WEIR_OK)
        map_choice_close(out);
    return status;
}

static void close_named(struct named *named)
{
    for (size_t i = 0; i < named->n; i++)
        weir_slices_close(&named->list[i].slices);
    weir_free(named->list);
    weir_free(named->marked);
}

void map_choice_close(struct map_choice *chosen)
{
    close_named(&chosen->queries);
    close_named(&chosen->keys);
    weir_free(chosen->layers);
    weir_free(chosen->heads);
    weir_free(chosen->prompts);
    *chosen = (struct map_choice){0};
}

/* True where the pattern of that head is wanted and stored. */
static bool has_map(const struct map_choice *chosen, int layer, int head)
{
    return chosen->layers[layer] && chosen->heads[head] && weir_file_has_unit(chosen->pattern, layer, (size_t)head);
}

int map_choice_first_prompt(const struct map_choice *chosen)
{
    return (int)((const bool *)memchr(chosen->prompts, true, (size_t)chosen->n_prompts_all) - chosen->prompts);
}

size_t map_choice_count(const struct map_choice *chosen)
{
    size_t maps = 0;
    for (int layer = 0; layer < chosen->n_layers_all; layer++)
        for (int head = 0; head < chosen->n_heads_all; head++)
            maps += has_map(chosen, layer, head);
    return chosen->n_prompts * (chosen->join == EACH ? maps : 1);
}

/* ---- maps ---- */

/* One prompt on its way: what is marked there, and the sum so far when heads are joined. */
struct walk {
    struct map_choice *chosen;
    int prompt;
    const bool *queries, *keys;
    struct weir_attention *sum;
    size_t n_joined;
    map_fn *each;
    void *payload;
    size_t n_handed;
};

static weir_status visit_map(struct walk *walk, struct weir_attention *attention, int layer, int head)
{
    weir_attention_pick(attention, walk->queries, walk->keys);
    if (attention->n_queries == 0 || attention->n_keys == 0)
        return WEIR_OK;
    if (walk->chosen->mask)
        weir_attention_mask(attention);
    struct map map = {walk->chosen, layer, head, walk->prompt, walk->n_joined, attention};
    walk->n_handed++;
    return walk->each(&map, walk->payload);
}

/* Visits the head's map, or adds it to the sum. */
static weir_status walk_one_head(struct walk *walk, int layer, int head)
{
    struct weir_attention *attention = NULL;
    weir_status status;
    TRY_DONE(weir_attention_read(&attention, walk->chosen->file, &layer, &head, walk->prompt));
    if (walk->chosen->drop_first)
        weir_attention_drop_first(attention);
    walk->n_joined++;
    if (walk->chosen->join == EACH) {
        walk->n_joined = 1;
        TRY_DONE(visit_map(walk, attention, layer, head));
    } else if (walk->sum) {
        TRY_DONE(weir_attention_add(walk->sum, attention));
    } else {
        walk->sum = attention;
        attention = NULL;
    }
done:
    weir_attention_close(attention);
    return status;
}

/* Visits each head's map, or one map of all of them. */
static weir_status walk_prompt_heads(struct walk *walk)
{
    const struct map_choice *chosen = walk->chosen;
    for (int layer = 0; layer < chosen->n_layers_all; layer++)
        for (int head = 0; head < chosen->n_heads_all; head++)
            if (has_map(chosen, layer, head))
                TRY(walk_one_head(walk, layer, head));
    if (!walk->sum)
        return WEIR_OK;
    if (chosen->join == MEAN)
        weir_attention_scale(walk->sum, 1 / (float)walk->n_joined);
    return visit_map(walk, walk->sum, -1, -1);
}

static bool any_token_marked(const bool *marked, const struct map_choice *chosen)
{
    return !marked || memchr(marked, true, (size_t)weir_file_get_info(chosen->file)->n_key);
}

static weir_status walk_prompt_maps(struct walk *walk)
{
    TRY(map_choice_tokens(&walk->queries, &walk->keys, walk->prompt, walk->chosen));
    if (!any_token_marked(walk->queries, walk->chosen) || !any_token_marked(walk->keys, walk->chosen))
        return WEIR_OK;
    weir_status status = walk_prompt_heads(walk);
    weir_attention_close(walk->sum);
    walk->sum = NULL;
    walk->n_joined = 0;
    return status;
}

weir_status map_choice_each(struct map_choice *chosen, map_fn *each, void *payload)
{
    struct walk walk = {.chosen = chosen, .each = each, .payload = payload};
    for (walk.prompt = 0; walk.prompt < chosen->n_prompts_all; walk.prompt++)
        if (chosen->prompts[walk.prompt])
            TRY(walk_prompt_maps(&walk));
    if (walk.n_handed == 0)
        return weir_fail(WEIR_E_USAGE, "no prompt stores the queries and keys of --query and --key");
    return WEIR_OK;
}

void map_title(char *to, size_t size, const struct map *map)
{
    const struct map_choice *chosen = map->chosen;
    char layers[64], heads[64];
    if (map->layer >= 0)
        snprintf(to, size, "layer %d, head %d, prompt %d of %d", map->layer, map->head, map->prompt,
                 chosen->n_prompts_all);
    else
        snprintf(to, size, "%s of %zu heads (layers %s, heads %s), prompt %d of %d",
                 chosen->join == SUM ? "sum" : "mean", map->n_joined,
                 weir_ranges_text(layers, chosen->layers, chosen->n_layers_all),
                 weir_ranges_text(heads, chosen->heads, chosen->n_heads_all), map->prompt, chosen->n_prompts_all);
}

double map_most(const struct map *map)
{
    return map->chosen->join == SUM ? (double)map->n_joined : 1;
}
