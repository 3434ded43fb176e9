/* What a selection names: scopes and regions against a cube of flags, positions by field and text, prompts by side. */
#include "weir.h"

#include "base/alloc.h"
#include "engine/positions.h"
#include "engine/scope.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a run's prompts, and a cube of flags for what is named of them ---- */

enum { LAYERS = 3, HEADS = 6, KV_HEADS = 2, N_PROMPTS = 3, LONGEST = 7, MOST_UNITS = HEADS, N_POINTS = 4 };

static const size_t lengths[N_PROMPTS] = {LONGEST, 4, 5};
static const char *const sides[N_PROMPTS] = {"clean", "corrupt", "clean"};
/* one position, three of them in no order, one per side */
static const char *const fields[N_PROMPTS] = {
    "{\"one\":-1,\"some\":[3,0,2],\"mine\":{\"clean\":1,\"corrupt\":0},\"pairs\":[[3,1],[2,2]]}",
    "{\"one\":2,\"some\":[1,3,0],\"mine\":{\"clean\":1,\"corrupt\":0},\"pairs\":[[1,0]]}",
    "{\"one\":0,\"some\":[4,2,1],\"mine\":{\"clean\":[3,4],\"corrupt\":0},\"pairs\":[]}"};

static weir_model *model;
static weir_tokens prompts[N_PROMPTS];

static void open_prompts(void)
{
    int32_t ids[LONGEST] = {5, 42, 79, 116, 153, 190, 16};
    cr_assert(weir_model_open(&model, MODELS "llama", &(weir_model_options){.n_threads = 1}) == WEIR_OK, "%s",
              weir_message());
    for (size_t i = 0; i < N_PROMPTS; i++) {
        cr_assert(weir_tokens_from_ids(&prompts[i], model, ids, lengths[i]) == WEIR_OK);
        prompts[i].fields = strdup(fields[i]);
        prompts[i].side = strdup(sides[i]);
    }
}

static void close_prompts(void)
{
    for (size_t i = 0; i < N_PROMPTS; i++)
        weir_tokens_close(&prompts[i]);
    weir_model_close(model);
}

TestSuite(scope, .init = open_prompts, .fini = close_prompts);

/* The points of random selections; units of the first two are heads, of the third query heads or key-value heads. */
static const struct {
    const char *name;
    int id;
    size_t n_units;
    bool has_keys;
} points[N_POINTS] = {{"z", WEIR_P_Z, HEADS, false},
                      {"pattern", WEIR_P_PATTERN, HEADS, true},
                      {"k", WEIR_P_K, KV_HEADS, false},
                      {"ln1_scale", WEIR_P_LN1_SCALE, 0, false}};

struct cube {
    bool cell[N_POINTS][LAYERS][N_PROMPTS][LONGEST][MOST_UNITS][LONGEST]; /* row, unit, key */
};

/* ---- random terms, as text and as flags ---- */

struct random_term {
    char text[256];
    bool takes_away, points[N_POINTS], layers[LAYERS], units[MOST_UNITS];
    bool positions[N_PROMPTS][LONGEST], keys[N_PROMPTS][LONGEST], prompts[N_PROMPTS];
    bool pair[N_PROMPTS][LONGEST][LONGEST]; /* query, key */
};

static uint64_t seed;

static size_t below(size_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % n;
}

static void append(char *text, const char *format, size_t a, size_t b)
{
    size_t n = strlen(text);
    snprintf(text + n, 256 - n, format, a, b);
}

/* "2", "1:3" or "0+2:" of n, added to the text and marked. */
static void random_slices(char *text, bool *marked, size_t n)
{
    size_t a = below(n), b = below(n);
    switch (below(4)) {
    case 0:
        append(text, "%zu", a, 0);
        marked[a] = true;
        break;
    case 1:
        append(text, "-%zu", a + 1, 0);
        marked[n - 1 - a] = true;
        break;
    case 2:
        if (a == b)
            a = 0, b = n;
        append(text, "%zu:%zu", a < b ? a : b, a < b ? b : a);
        for (size_t i = a < b ? a : b; i < (a < b ? b : a); i++)
            marked[i] = true;
        break;
    default:
        append(text, "%zu+%zu:", a, b);
        marked[a] = true;
        for (size_t i = b; i < n; i++)
            marked[i] = true;
    }
}

/* The same for positions, which each prompt has its own of: only numbers that all have, or a field. */
static void random_spots(char *text, bool marked[N_PROMPTS][LONGEST])
{
    static const size_t one[N_PROMPTS] = {6, 2, 0}, some[N_PROMPTS][3] = {{3, 0, 2}, {1, 3, 0}, {4, 2, 1}};
    static const size_t mine[N_PROMPTS][2] = {{1, 1}, {0, 0}, {3, 4}};
    size_t a = below(4), kind = below(6);
    static const char *const texts[] = {"%zu", "-1+%zu", "%zu:", "one+%zu", "some[-1]", "some+mine"};
    append(text, texts[kind], a, 0);
    for (size_t p = 0; p < N_PROMPTS; p++) {
        if (kind < 2 || kind == 3)
            marked[p][a] = true;
        if (kind == 1)
            marked[p][lengths[p] - 1] = true;
        for (size_t i = a; kind == 2 && i < lengths[p]; i++)
            marked[p][i] = true;
        if (kind == 3)
            marked[p][one[p]] = true;
        if (kind == 4)
            marked[p][some[p][2]] = true;
        for (size_t i = 0; kind == 5 && i < 3; i++)
            marked[p][some[p][i]] = true;
        for (size_t i = 0; kind == 5 && i < 2; i++)
            marked[p][mine[p][i]] = true;
    }
}

static void random_prompts(struct random_term *term)
{
    bool named = below(3) == 0;
    if (named) {
        bool clean = below(2);
        append(term->text, clean ? "#clean" : "#corrupt", 0, 0);
        for (size_t p = 0; p < N_PROMPTS; p++)
            term->prompts[p] = strcmp(sides[p], clean ? "clean" : "corrupt") == 0;
    } else if (below(3) == 0) {
        append(term->text, "#", 0, 0);
        random_slices(term->text, term->prompts, N_PROMPTS);
    } else {
        memset(term->prompts, true, sizeof term->prompts);
    }
}

/* Queries and keys, or pairs: `keys` says whether the point has them. */
static void random_cells(struct random_term *term, bool keys)
{
    static const size_t pairs[N_PROMPTS][2][2] = {{{3, 1}, {2, 2}}, {{1, 0}, {1, 0}}, {{0, 0}, {0, 0}}};
    memset(term->positions, true, sizeof term->positions);
    memset(term->keys, true, sizeof term->keys);
    if (keys && below(4) == 0) {
        append(term->text, "@pairs", 0, 0);
        memset(term->positions, false, sizeof term->positions);
        for (size_t p = 0; p < N_PROMPTS - 1; p++)
            for (size_t i = 0; i < 2; i++)
                term->pair[p][pairs[p][i][0]][pairs[p][i][1]] = true;
        return;
    }
    if (below(2)) {
        append(term->text, "@", 0, 0);
        memset(term->positions, false, sizeof term->positions);
        random_spots(term->text, term->positions);
    }
    if (keys && below(2)) {
        append(term->text, "/", 0, 0);
        memset(term->keys, false, sizeof term->keys);
        random_spots(term->text, term->keys);
    }
}

/* One term; `by_query` writes units of k as query heads. */
static void make_term(struct random_term *term, size_t point, bool takes_away, bool by_query)
{
    *term = (struct random_term){.takes_away = takes_away};
    term->points[point] = true;
    append(term->text, takes_away ? "-" : "", 0, 0);
    strcat(term->text, points[point].name);
    memset(term->layers, true, sizeof term->layers);
    memset(term->units, true, sizeof term->units);
    if (below(3)) {
        append(term->text, ":", 0, 0);
        memset(term->layers, false, sizeof term->layers);
        random_slices(term->text, term->layers, LAYERS);
        if (below(2) && points[point].n_units) {
            bool heads = by_query && points[point].id == WEIR_P_K;
            append(term->text, heads ? ".h" : ".", 0, 0);
            memset(term->units, false, sizeof term->units);
            random_slices(term->text, term->units, heads ? HEADS : points[point].n_units);
        }
    }
    random_cells(term, points[point].has_keys);
    random_prompts(term);
}

static bool is_named(const struct random_term *term, size_t p, size_t row, size_t key)
{
    return term->prompts[p] && (term->pair[p][row][key] || (term->positions[p][row] && term->keys[p][key]));
}

/* A point without keys has one cell for all, and one unit where it has none. */
static void mark_cube(struct cube *cube, const struct random_term *term)
{
    for (size_t x = 0; x < N_POINTS; x++)
        for (size_t l = 0; l < LAYERS; l++)
            for (size_t p = 0; p < N_PROMPTS; p++)
                for (size_t row = 0; row < lengths[p]; row++)
                    for (size_t u = 0; u < MOST_UNITS; u++)
                        for (size_t key = 0; key < (points[x].has_keys ? lengths[p] : 1); key++)
                            if (term->points[x] && term->layers[l] && term->units[u] && is_named(term, p, row, key))
                                cube->cell[x][l][p][row][u][key] = !term->takes_away;
}

/* ---- comparing ---- */

/* Counts a region's cells into the cube; a cell that is in two boxes, or was not named, is an error. */
static size_t count_cells(const struct cube *cube, const struct weir_region *region, size_t x, size_t l, size_t p,
                          const char *text)
{
    static bool seen[LONGEST][MOST_UNITS][LONGEST];
    size_t n = 0;
    memset(seen, 0, sizeof seen);
    for (size_t b = 0; b < region->n; b++) {
        const struct weir_box *box = &region->boxes[b];
        size_t n_units = box->units.n ? box->units.n : 1, n_keys = box->keys.n ? box->keys.n : 1;
        for (size_t i = 0; i < box->rows.n * n_units * n_keys; i++, n++) {
            size_t row = weir_some_at(&box->rows, i / (n_units * n_keys));
            size_t unit = weir_some_at(&box->units, i / n_keys % n_units), key = weir_some_at(&box->keys, i % n_keys);
            cr_assert(row < lengths[p] && unit < MOST_UNITS && key < LONGEST);
            cr_expect(!seen[row][unit][key] && cube->cell[x][l][p][row][unit][key],
                      "%s: point %zu, layer %zu, prompt %zu: cell %zu,%zu,%zu", text, x, l, p, row, unit, key);
            seen[row][unit][key] = true;
        }
    }
    return n;
}

/* The units of a value in the cube, of which ones past the last are flags too. */
static size_t units_of(size_t x, bool by_query)
{
    return points[x].n_units == 0 ? 1 : points[x].id == WEIR_P_K && by_query ? HEADS : points[x].n_units;
}

static size_t count_flags(const struct cube *cube, size_t x, size_t l, size_t p, size_t n_units)
{
    size_t n = 0;
    for (size_t row = 0; row < LONGEST; row++)
        for (size_t u = 0; u < n_units; u++)
            for (size_t key = 0; key < LONGEST; key++)
                n += cube->cell[x][l][p][row][u][key];
    return n;
}

/* The rows of the value that have a flag must be those of the scope. */
static void compare_rows(const struct cube *cube, const struct weir_some *rows, size_t x, size_t l, size_t p,
                         size_t n_units, const char *text)
{
    bool named[LONGEST] = {0};
    for (size_t i = 0; i < rows->n; i++)
        named[weir_some_at(rows, i)] = true;
    for (size_t row = 0; row < LONGEST; row++) {
        bool any = false;
        for (size_t u = 0; u < n_units; u++)
            for (size_t key = 0; key < LONGEST; key++)
                any |= cube->cell[x][l][p][row][u][key];
        cr_expect(any == named[row], "%s: point %zu, layer %zu, prompt %zu, row %zu", text, x, l, p, row);
    }
}

static void compare(const struct cube *cube, const struct weir_scope *scope, bool by_query, const char *text)
{
    for (size_t x = 0; x < N_POINTS; x++)
        for (size_t l = 0; l < LAYERS; l++)
            for (size_t p = 0; p < N_PROMPTS; p++) {
                const struct weir_site *site = weir_scope_site(scope, points[x].id, (int)l);
                size_t n = count_flags(cube, x, l, p, units_of(x, by_query)), got = 0;
                if (site) {
                    const struct weir_region region = weir_scope_region(scope, site, p);
                    const struct weir_some rows = weir_scope_rows(scope, site, p);
                    got = count_cells(cube, &region, x, l, p, text);
                    /* without units in its terms k counts by key-value heads */
                    if (points[x].id == WEIR_P_K && by_query && !region.by_query_head)
                        n = count_flags(cube, x, l, p, KV_HEADS);
                    compare_rows(cube, &rows, x, l, p, units_of(x, region.by_query_head), text);
                }
                cr_expect(got == n, "%s: point %zu, layer %zu, prompt %zu: %zu cells, not %zu", text, x, l, p, got, n);
            }
}

static bool is_empty(const struct cube *cube)
{
    static const struct cube none;
    return memcmp(cube, &none, sizeof none) == 0;
}

/* 300 selections of up to five terms, each against flags that were set one by one. */
Test(scope, regions_are_what_a_cube_of_flags_has, .timeout = 120)
{
    static struct cube cube;
    size_t n_named = 0, n_boxes = 0;
    seed = 20261128;
    for (size_t i = 0; i < 300; i++) {
        char text[2048] = "";
        size_t n_terms = 1 + below(5);
        bool by_query = below(2);
        struct weir_selection *selection;
        struct weir_scope *scope;
        memset(&cube, 0, sizeof cube);
        for (size_t t = 0, point = 0; t < n_terms; t++) {
            struct random_term term;
            point = t == 0 || below(3) == 0 ? below(N_POINTS) : point;
            make_term(&term, point, t > 0 && below(2), by_query);
            mark_cube(&cube, &term);
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", t ? "," : "", term.text);
        }
        cr_assert(weir_selection_parse(&selection, text) == WEIR_OK, "%s: %s", text, weir_message());
        weir_status status = weir_scope_open_selection(&scope, model, selection);
        if (status != WEIR_OK) { /* nothing to take away from, or nothing left */
            cr_expect(status == WEIR_E_USAGE && strstr(weir_message(), "takes away"), "%s: %s", text, weir_message());
            weir_selection_close(selection);
            continue;
        }
        cr_assert(weir_scope_find_rows(scope, prompts, NULL, N_PROMPTS) == WEIR_OK, "%s: %s", text, weir_message());
        compare(&cube, scope, by_query, text);
        n_named += !is_empty(&cube);
        for (size_t s = 0; s < scope->n_sites * N_PROMPTS; s++)
            n_boxes += weir_scope_region(scope, &scope->sites[s / N_PROMPTS], s % N_PROMPTS).n > 1;
        weir_scope_close(scope);
        weir_selection_close(selection);
    }
    cr_expect(n_named > 200, "%zu selections name something", n_named);
    cr_expect(n_boxes > 50, "%zu values are no single box", n_boxes);
}

/* ---- exclusions that are resolved without prompts ---- */

static struct weir_scope *open_scope(const char *text)
{
    struct weir_scope *scope;
    cr_assert(weir_scope_open(&scope, model, text, NULL) == WEIR_OK, "%s: %s", text, weir_message());
    return scope;
}

Test(scope, a_layer_that_is_taken_away_is_no_site)
{
    struct weir_scope *scope = open_scope("z,q:0,-z:-1");
    cr_expect_eq(scope->n_sites, 3);
    cr_expect_null(weir_scope_site(scope, WEIR_P_Z, LAYERS - 1));
    weir_scope_close(scope);
    scope = open_scope("z,-z:1,z:1.2"); /* and may come back */
    cr_expect_eq(weir_scope_site(scope, WEIR_P_Z, 1)->units.n, 1);
    cr_expect_eq(weir_scope_site(scope, WEIR_P_Z, 0)->units.n, HEADS);
    weir_scope_close(scope);
}

Test(scope, units_that_are_taken_away_everywhere_are_none_of_its_units)
{
    struct weir_scope *scope = open_scope("z,-z:1.0+3,-z:2.1@0");
    const struct weir_some *units = &weir_scope_site(scope, WEIR_P_Z, 1)->units;
    cr_assert_eq(units->n, HEADS - 2);
    cr_expect(units->list[0] == 1 && units->list[1] == 2 && units->list[2] == 4);
    cr_expect_eq(weir_scope_site(scope, WEIR_P_Z, 2)->units.n, HEADS, "one position keeps it");
    weir_scope_close(scope);
}

/* Opens a scope that is an error, in text. */
static void refused(const char *text, weir_status expected, const char *message)
{
    struct weir_scope *scope;
    weir_status status = weir_scope_open(&scope, model, text, NULL);
    if (status == WEIR_OK)
        status = weir_scope_find_rows(scope, prompts, NULL, N_PROMPTS);
    cr_expect(status == expected && strstr(weir_message(), message), "%s: %d %s", text, status, weir_message());
    weir_scope_close(scope);
}

Test(scope, what_cannot_be_is_refused_by_term_and_prompt)
{
    refused("z,-q:1", WEIR_E_USAGE, "'-q:1' takes away what no term before it names");
    refused("z:0,-z:1", WEIR_E_USAGE, "'-z:1' takes away");
    refused("z,-z", WEIR_E_USAGE, "'-z' takes away all that is left");
    refused("k:0.h1,k:0.1", WEIR_E_USAGE, "'k:0.h1' names query heads and 'k:0.1' key-value heads");
    refused("k:0.h6", WEIR_E_USAGE, "k:0.h6: unit 6 is out of range; it goes from 0 to 5");
    refused("z@pairs", WEIR_E_USAGE,
            "prompt 0: z@pairs: pairs of query and key: only pattern and attn_scores have keys");
    refused("pattern@pairs/0", WEIR_E_USAGE, "prompt 0: pattern@pairs/0: pairs of query and key have their keys");
    refused("pattern@0/pairs", WEIR_E_USAGE, "prompt 0: pattern@0/pairs: pairs of query and key are named where a key");
    refused("pattern@0/5", WEIR_E_USAGE, "prompt 1: pattern@0/5: key 5 is out of range; it goes from 0 to 3");
    refused("z@subject", WEIR_E_USAGE,
            "prompt 0: z@subject: the prompt has no field 'subject'; it has one, some, mine, pairs");
    refused("z@new[-1]", WEIR_E_USAGE, "'new' is what was generated, and nothing is generated here");
    refused("z@some[3]", WEIR_E_USAGE, "prompt 0: z@some[3]: the field 'some': number 3 is out of range");
    refused("z#other", WEIR_E_USAGE, "z#other: no prompt is of side other; there are clean, corrupt");
    refused("z#3", WEIR_E_USAGE, "z#3: prompt 3 is out of range; it goes from 0 to 2");
}

/* ---- who takes less than any cells ---- */

static weir_status nothing(const weir_event *event, void *payload)
{
    (void)event;
    (void)payload;
    return WEIR_OK;
}

Test(scope, a_hook_takes_what_an_exclusion_leaves_if_that_is_rows_by_units)
{
    static const struct {
        const char *text, *message; /* NULL: fine */
    } cases[] = {
        {"z,-z:1", NULL},
        {"z,-z:1.2", NULL},
        {"z@0+2,-z:1.2@0+2", NULL},
        {"z,-z@1:3", NULL},
        {"z:1.2#0,z:1.3@1#corrupt", NULL},
        {"pattern@some,-pattern@0", NULL},
        {"z,-z:1.2@0", "prompt 0: '-z:1.2@0': what the selection names with it is no set of heads or neurons at a set"},
        {"z:1.1@0#0,z:1.2@1#0", "'z:1.2@1#0': what the selection names with it is no set"},
        {"pattern@0/1", "'pattern@0/1': a hook gets all keys of a query: omit the /"},
        {"pattern@pairs", "pattern@pairs: pairs of query and key: a hook gets all keys of a query"},
        {"k:0.h3", "'k:0.h3': a hook gets key-value heads"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_run *run;
        cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
        weir_status status = weir_run_hook(run, cases[i].text, WEIR_READ, nothing, NULL);
        if (status == WEIR_OK)
            status = weir_run_forward(run, prompts, N_PROMPTS);
        if (cases[i].message)
            cr_expect(status == WEIR_E_USAGE && strstr(weir_message(), cases[i].message), "%s: %s", cases[i].text,
                      weir_message());
        else
            cr_expect(status == WEIR_OK, "%s: %s", cases[i].text, weir_message());
        weir_run_close(run);
    }
}

static weir_status see_units(const weir_event *event, void *payload)
{
    int *seen = payload;
    cr_expect_eq(event->n_units, 1);
    cr_expect_eq(event->units[0], event->prompt == 0 ? 2 : 3);
    cr_expect_eq(event->n_rows, event->prompt == 0 ? lengths[0] : 1);
    ++*seen;
    return WEIR_OK;
}

Test(scope, a_hook_is_given_the_units_and_rows_of_each_prompt)
{
    weir_run *run;
    int seen = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_run_hook(run, "z:1.2#0,z:1.3@1#1:", WEIR_READ, see_units, &seen) == WEIR_OK);
    cr_assert(weir_run_forward(run, prompts, N_PROMPTS) == WEIR_OK, "%s", weir_message());
    cr_expect_eq(seen, N_PROMPTS);
    weir_run_close(run);
}

/* A prompt that follows another: rows count from the first that runs, keys are all positions. */
Test(scope, keys_reach_back_before_the_rows)
{
    struct weir_selection *selection;
    struct weir_scope *scope;
    const size_t past[N_PROMPTS] = {10, 0, 0};
    cr_assert(weir_selection_parse(&selection, "pattern:0@11/2:4+-1") == WEIR_OK, "%s", weir_message());
    cr_assert(weir_scope_open_selection(&scope, model, selection) == WEIR_OK);
    cr_assert(weir_scope_find_rows(scope, prompts, past, 1) == WEIR_OK, "%s", weir_message());
    const struct weir_region region = weir_scope_region(scope, weir_scope_site(scope, WEIR_P_PATTERN, 0), 0);
    cr_assert_eq(region.n, 1);
    cr_expect(region.boxes->rows.n == 1 && region.boxes->rows.list[0] == 1);
    cr_assert_eq(region.boxes->keys.n, 3);
    cr_expect(region.boxes->keys.list[0] == 2 && region.boxes->keys.list[2] == 16);
    weir_scope_close(scope);
    weir_selection_close(selection);
}

/* ---- positions by field ---- */

static const char *const tokens[] = {"<s>",  "Anna",  " met",  " Ann", "ette", " and", " the",
                                     " caf", "\\xc3", "\\xa9", ".",    "\\n",  " the"};

enum { N_TOKENS = sizeof tokens / sizeof *tokens };

static size_t text_of_token(const void *context, size_t position, char *text, size_t size)
{
    (void)context;
    return (size_t)snprintf(text, size, "%s", tokens[position]);
}

/* Finds `spots` where the prompt's fields are these; the positions as text, or the message. */
static void find(char to[256], const char *line, const char *spots_text, const char *side)
{
    struct weir_lookup lookup = {.n = N_TOKENS, .fields = line, .side = side, .token_text = text_of_token};
    struct weir_spots spots;
    struct weir_positions found;
    *to = '\0';
    cr_assert(weir_spots_parse(&spots, spots_text, strlen(spots_text), "position") == WEIR_OK, "%s", weir_message());
    if (weir_lookup_find(&found, &lookup, &spots, "position") != WEIR_OK)
        weir_text_append(to, 256, "%s", weir_message());
    for (size_t i = 0; i < found.n; i++)
        weir_text_append(to, 256, found.keys && found.keys[i] >= 0 ? "%s%d<%d" : "%s%d", i ? " " : "", found.list[i],
                         found.keys ? found.keys[i] : 0);
    weir_positions_close(&found);
    weir_spots_close(&spots);
    weir_lookup_close(&lookup);
}

Test(lookup, finds_what_fields_name)
{
    static const struct {
        const char *line, *spots, *side, *expected;
    } cases[] = {
        {"{\"x\":3}", "x", NULL, "3"},
        {"{\"x\":-1}", "x", NULL, "12"},
        {"{\"x\":[5,2,5,-2]}", "x", NULL, "5 2 11"},
        {"{\"x\":[5,2,7,1]}", "x[1:3]", NULL, "2 7"},
        {"{\"x\":[5,2,7,1]}", "x[-1]+2:4", NULL, "1 2 3"},
        {"{\"x\":[5],\"y\":[5,1]}", "y+x", NULL, "5 1"},
        {"{\"x\":[]}", "x", NULL, ""},
        {"{\"x\":\"Anna\"}", "x", NULL, "1"},
        {"{\"x\":\"Annette\"}", "x", NULL, "3 4"},
        {"{\"x\":\" Annette and\"}", "x[-1]", NULL, "5"},
        {"{\"x\":\"caf\\u00e9\"}", "x", NULL, "7 8 9"},
        {"{\"x\":\".\\n\"}", "x", NULL, "10 11"},
        {"{\"x\":[\"Anna\",-1,\"met\"]}", "x", NULL, "1 12 2"},
        {"{\"x\":[[5,1],[6,-13]]}", "x", NULL, "5<1 6<0"},
        {"{\"x\":[[5,1],[6,2]]}", "x[1]+0", NULL, "6<2 0"},
        {"{\"x\":[[5,1]]}", "0+x", NULL, "0 5<1"},
        {"{\"x\":{\"clean\":\"Anna\",\"corrupt\":[1,2]}}", "x", "corrupt", "1 2"},
        {"{\"x\":{\"clean\":\"Anna\",\"corrupt\":[1,2]}}", "x", "clean", "1"},
        {"{\"x\":{\"clean\":7},\"side\":\"clean\"}", "x", NULL, "7"},
        {"{\"a b\":4}", "\"a b\"", NULL, "4"},
        {NULL, "11:+0", NULL, "11 12 0"},
        /* what is wrong */
        {"{\"x\":\"the\"}", "x", NULL,
         "the field 'x': 'the' occurs 2 times in the prompt, at positions 6 and 12: give a position"},
        {"{\"x\":\"The\"}", "x", NULL, "the field 'x': 'The' does not occur in the prompt"},
        {"{\"x\":\"Ann\"}", "x", NULL, "3"},
        {"{\"x\":\"nnet\"}", "x", NULL,
         "the field 'x': 'nnet' ends or begins inside the token | Ann| at position 3: give whole tokens, or a "
         "position"},
        {"{\"x\":\"\"}", "x", NULL, "the field 'x' is an empty text"},
        {"{\"x\":13}", "x", NULL, "the field 'x' has position 13, which is out of range; it goes from 0 to 12"},
        {"{\"x\":-14}", "x", NULL, "the field 'x' has position -14, which is out of range; it goes from 0 to 12"},
        {"{\"x\":1.5}", "x", NULL, "the field 'x' has 1.5, which is no position: give a whole number"},
        {"{\"x\":1e300}", "x", NULL, "the field 'x' has position 1e+300, which is out of range; it goes from 0 to 12"},
        {"{\"x\":true}", "x", NULL,
         "the field 'x' names no positions: give a position, a text of the prompt, a list of these, or pairs [query, "
         "key]"},
        {"{\"x\":[[1,2,3]]}", "x", NULL,
         "the field 'x' names no positions: give a position, a text of the prompt, a list of these, or pairs [query, "
         "key]"},
        {"{\"x\":null,\"y\":1}", "x", NULL, "the field 'x' is null: give it a value"},
        {"{}", "x", NULL, "the prompt has no field 'x'; it has none"},
        {NULL, "x", NULL, "'x' is a field of the prompt's line of JSON, and the prompt has no fields"},
        {"{\"x\":{\"clean\":1}}", "x", NULL,
         "the field 'x' has a value for each side (clean), and the prompt is of no side"},
        {"{\"x\":{\"clean\":1}}", "x", "corrupt", "the field 'x' has no value for side corrupt, only for clean"},
        {"{\"x\":[4,2]}", "x[2]", NULL, "the field 'x': number 2 is out of range; it goes from 0 to 1"},
        {"[1]", "x", NULL, "the prompt's fields are no JSON object"},
        {"{\"x\":", "x", NULL, "the prompt's fields: byte 4: not valid JSON"},
        {"{\"x\":1}", "new", NULL,
         "'new' is what was generated, and nothing is generated here: name positions of the prompt"},
        {"{\"x\":1}", "13", NULL, "position 13 is out of range; it goes from 0 to 12"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[256];
        find(got, cases[i].line, cases[i].spots, cases[i].side);
        cr_expect_str_eq(got, cases[i].expected, "%s of %s: '%s', not '%s'", cases[i].spots,
                         cases[i].line ? cases[i].line : "nothing", got, cases[i].expected);
    }
}

Test(lookup, every_allocation_may_fail)
{
    long n = 0;
    weir_status status = WEIR_E_MEMORY;
    for (; status == WEIR_E_MEMORY && n < 100; n++) {
        struct weir_lookup lookup = {
            .n = N_TOKENS, .fields = "{\"x\":[[5,1],\"Annette\"]}", .token_text = text_of_token};
        struct weir_spots spots;
        struct weir_positions found;
        cr_assert(weir_spots_parse(&spots, "x[0]+3:", 7, "position") == WEIR_OK);
        weir_alloc_fail_after(n);
        status = weir_lookup_find(&found, &lookup, &spots, "position");
        weir_alloc_fail_after(-1);
        weir_positions_close(&found);
        weir_spots_close(&spots);
        weir_lookup_close(&lookup);
    }
    cr_expect(status == WEIR_OK && n > 5, "%ld allocations", n);
}

Test(scope, every_allocation_of_a_search_may_fail)
{
    struct weir_selection *selection;
    long n = 0;
    weir_status status = WEIR_E_MEMORY;
    cr_assert(weir_selection_parse(&selection, "z,-z:1.2@some#clean,pattern@pairs,-pattern@1:/0,pattern:0@1/0") ==
              WEIR_OK);
    for (; status == WEIR_E_MEMORY && n < 2000; n++) {
        struct weir_scope *scope;
        weir_alloc_fail_after(n);
        status = weir_scope_open_selection(&scope, model, selection);
        if (status == WEIR_OK)
            status = weir_scope_find_rows(scope, prompts, NULL, N_PROMPTS);
        weir_alloc_fail_after(-1);
        weir_scope_close(scope);
    }
    cr_expect(status == WEIR_OK && n > 100, "%ld allocations", n);
    weir_selection_close(selection);
}
