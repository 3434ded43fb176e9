/* For test_every_edit.py: every_edit_cli MODEL edits data at every hook point in every layer, and judges each edit by
   what the pass gives without it and by a hook in C that makes the same change. It prints a line for what is wrong, and
   at the end how many sites there were, each a point of a layer. */
#include "../unit/same_bits.h"

#include <weir.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first prompt is longer, and a source; the second is edited, from BEGIN on, up to END: beyond the windows of the
   models that have them, and not in its last row. */
enum {
    N_PROMPTS = 2,
    SOURCE = 0,
    EDITED = 1,
    BEGIN = 9,
    END = 11,
    FIRST_KEY = 3,
    N_VOCAB = 211,
    MOST_IDS = 14,
    MOST_LAYERS = 8
};
static const size_t n_ids[N_PROMPTS] = {14, 12};

/* What a hook saw of one point in one layer of one prompt. */
struct seen {
    float *data; /* NULL: it was not called */
    size_t shape[WEIR_MAX_AXES], n;
    size_t order; /* how many calls came before it in its run */
};

/* One run's values, by prompt, point and layer; layer 0 is that of points outside blocks. */
struct record {
    struct seen *list;
    size_t n_calls;
};

enum kind { HALVE, PATCH, HALVE_AT_KEYS, N_KINDS };
static const char *const written[N_KINDS] = {"*= 0.5", "= 0.5 * [#0]", "*= 0.5"};

/* One edit. */
struct change {
    int point, layer;
    size_t first_unit, end_unit;
    enum kind kind;
    const struct record *plain;
};

struct judge {
    weir_model *model;
    weir_tokens prompts[N_PROMPTS];
    struct record plain;
    size_t n_sites, n_wrong;
};

static struct seen *seen_of(const struct record *record, int prompt, int point, int layer)
{
    return &record->list[((size_t)prompt * (size_t)weir_n_points() + (size_t)point) * (MOST_LAYERS + 1) +
                         (size_t)(layer + 1)];
}

static size_t n_seen(void)
{
    return (size_t)N_PROMPTS * (size_t)weir_n_points() * (MOST_LAYERS + 1);
}

static void clear(struct record *record)
{
    for (size_t i = 0; record->list && i < n_seen(); i++)
        free(record->list[i].data);
    free(record->list);
    *record = (struct record){0};
}

static weir_status keep(const weir_event *e, void *payload)
{
    struct record *record = payload;
    struct seen *seen = seen_of(record, e->prompt, e->point->id, e->layer);
    seen->n = 1;
    seen->order = record->n_calls++;
    for (int axis = 0; axis < e->n_axes; axis++)
        seen->n *= seen->shape[axis] = e->shape[axis];
    free(seen->data);
    seen->data = malloc(seen->n * sizeof(float));
    if (!seen->data)
        return WEIR_E_MEMORY;
    memcpy(seen->data, e->data, seen->n * sizeof(float));
    return WEIR_OK;
}

/* ---- the edit, by itself ---- */

static void find_index(size_t *index, const size_t *shape, int n_axes, size_t element)
{
    for (int axis = n_axes - 1; axis >= 0; axis--) {
        index[axis] = element % shape[axis];
        element /= shape[axis];
    }
}

static size_t row_of(const weir_point *point, const size_t *shape, size_t element)
{
    size_t index[WEIR_MAX_AXES];
    find_index(index, shape, point->n_axes, element);
    return index[weir_point_row_axis(point)];
}

static bool is_named(const struct change *change, const weir_point *point, const size_t *index)
{
    size_t row = index[weir_point_row_axis(point)];
    int units = weir_point_unit_axis(point);
    return row >= BEGIN && row < END &&
           (units < 0 || (index[units] >= change->first_unit && index[units] < change->end_unit)) &&
           (change->kind != HALVE_AT_KEYS || index[point->n_axes - 1] >= FIRST_KEY);
}

/* What the change makes of one element of the edited prompt. */
static float changed(const struct change *change, const size_t *shape, size_t element, float x)
{
    const weir_point *point = weir_point_at(change->point);
    const struct seen *source = seen_of(change->plain, SOURCE, change->point, change->layer);
    size_t index[WEIR_MAX_AXES], at = 0;
    find_index(index, shape, point->n_axes, element);
    if (!is_named(change, point, index))
        return x;
    for (int axis = 0; axis < point->n_axes; axis++)
        at = at * source->shape[axis] + index[axis];
    return 0.5F * (change->kind == PATCH ? source->data[at] : x);
}

static weir_status change_by_hook(const weir_event *e, void *payload)
{
    size_t n = 1;
    for (int axis = 0; axis < e->n_axes; axis++)
        n *= e->shape[axis];
    for (size_t i = 0; e->prompt == EDITED && i < n; i++)
        e->data[i] = changed(payload, e->shape, i, e->data[i]);
    return WEIR_OK;
}

/* ---- runs ---- */

static weir_status read_everything(const struct judge *judge, weir_run *run, struct record *record)
{
    for (int point = 0; point < weir_n_points(); point++)
        for (int layer = -1; layer < weir_model_get_info(judge->model)->n_layers; layer++) {
            if (!weir_model_has_point(judge->model, point, layer, NULL))
                continue;
            weir_status status = weir_run_hook_at(run, point, layer, WEIR_READ, keep, record);
            if (status != WEIR_OK)
                return status;
        }
    return WEIR_OK;
}

static weir_status add_edit(weir_run *run, const char *text)
{
    weir_edit *edit = NULL;
    weir_status status = weir_edit_parse(&edit, text);
    if (status == WEIR_OK)
        status = weir_run_edit(run, edit);
    weir_edit_close(edit);
    return status;
}

/* A run with an edit, or a hook that edits, or neither, and what it gives: everything, or only the logits. */
static weir_status run_once(const struct judge *judge, struct record *record, const char *text, struct change *change,
                            bool everything)
{
    weir_run *run = NULL;
    clear(record);
    record->list = calloc(n_seen(), sizeof *record->list);
    weir_status status = record->list ? weir_run_open(&run, judge->model, NULL) : WEIR_E_MEMORY;
    if (status == WEIR_OK && text)
        status = add_edit(run, text);
    if (status == WEIR_OK && change)
        status = weir_run_hook_at(run, change->point, change->layer, WEIR_EDIT, change_by_hook, change);
    if (status == WEIR_OK)
        status =
            everything ? read_everything(judge, run, record) : weir_run_hook(run, "logits", WEIR_READ, keep, record);
    if (status == WEIR_OK)
        status = weir_run_forward(run, judge->prompts, N_PROMPTS);
    weir_run_close(run);
    return status;
}

/* ---- judging ---- */

static void complain(struct judge *judge, const char *text, const char *what, int prompt, const weir_point *point,
                     int layer)
{
    judge->n_wrong++;
    printf("%s: %s", text, what);
    if (point)
        printf(" at %s:%d of prompt %d", point->name, layer, prompt);
    puts("");
}

static bool is_same(const struct seen *a, const struct seen *b)
{
    return a->n == b->n && (!a->n || same_bits(a->data, b->data, a->n * sizeof(float)));
}

/* Whether the rows before the first edited one are the same to the bit. */
static bool begins_the_same(const weir_point *point, const struct seen *a, const struct seen *b)
{
    for (size_t i = 0; i < a->n; i++)
        if (row_of(point, a->shape, i) < BEGIN && !same_bits(&a->data[i], &b->data[i], sizeof(float)))
            return false;
    return true;
}

static bool is_as_defined(const struct change *change, const struct seen *plain, const struct seen *edited)
{
    for (size_t i = 0; i < plain->n; i++) {
        float x = changed(change, plain->shape, i, plain->data[i]);
        if (!same_bits(&x, &edited->data[i], sizeof x))
            return false;
    }
    return true;
}

/* One value of a run with the edit, by that without it and by that with the hook. NULL: nothing is wrong. */
static const char *find_fault(const struct change *change, int prompt, int point, int layer, const struct seen *edited,
                              const struct seen *hooked)
{
    const struct seen *plain = seen_of(change->plain, prompt, point, layer);
    const struct seen *target = seen_of(change->plain, EDITED, change->point, change->layer);
    if (edited->n != plain->n || hooked->n != plain->n)
        return "was not seen in each run";
    if (!is_same(edited, hooked))
        return "is not what a hook that makes the same change gives";
    if (prompt != EDITED)
        return is_same(edited, plain) ? NULL : "changed another prompt";
    if (point == change->point && layer == change->layer)
        return is_as_defined(change, plain, edited) ? NULL : "is not what the edit says";
    if (plain->order < target->order)
        return is_same(edited, plain) ? NULL : "changed what comes before it";
    return begins_the_same(weir_point_at(point), plain, edited) ? NULL : "changed rows before its own";
}

static void compare(struct judge *judge, const char *text, const struct change *change, const struct record *edited,
                    const struct record *hooked)
{
    for (int prompt = 0; prompt < N_PROMPTS; prompt++)
        for (int point = 0; point < weir_n_points(); point++)
            for (int layer = -1; layer < MOST_LAYERS; layer++) {
                const char *fault = find_fault(change, prompt, point, layer, seen_of(edited, prompt, point, layer),
                                               seen_of(hooked, prompt, point, layer));
                if (fault)
                    complain(judge, text, fault, prompt, weir_point_at(point), layer);
            }
}

static bool logits_are_same(const struct record *a, const struct record *b)
{
    int logits = weir_n_points() - 1;
    return is_same(seen_of(a, EDITED, logits, -1), seen_of(b, EDITED, logits, -1)) &&
           is_same(seen_of(a, SOURCE, logits, -1), seen_of(b, SOURCE, logits, -1));
}

/* "z:1", or "z" where only blocks have layers. */
static void name_site(char *text, size_t size, int point, int layer)
{
    if (layer < 0)
        snprintf(text, size, "%s", weir_point_at(point)->name);
    else
        snprintf(text, size, "%s:%d", weir_point_at(point)->name, layer);
}

/* Some of the units at some of the positions of one prompt: "z:1.1:5@9:11#1 *= 0.5". */
static void write_edit(char *text, size_t size, struct change *change)
{
    size_t shape[WEIR_MAX_AXES];
    char site[64], some[64] = "", keys[16] = "";
    int units = weir_point_unit_axis(weir_point_at(change->point));
    memcpy(shape, seen_of(change->plain, EDITED, change->point, change->layer)->shape, sizeof shape);
    change->first_unit = 0;
    change->end_unit = units >= 0 ? shape[units] : 0;
    if (change->end_unit > 2) {
        change->first_unit = 1;
        change->end_unit--;
        snprintf(some, sizeof some, "%s.%zu:%zu", change->layer < 0 ? ":" : "", change->first_unit, change->end_unit);
    }
    name_site(site, sizeof site, change->point, change->layer);
    if (change->kind == HALVE_AT_KEYS)
        snprintf(keys, sizeof keys, "/%d:", FIRST_KEY);
    snprintf(text, size, "%s%s@%d:%d%s#%d %s", site, some, BEGIN, END, keys, EDITED, written[change->kind]);
}

static void judge_edit(struct judge *judge, struct change *change)
{
    char text[256];
    struct record edited = {0}, hooked = {0};
    write_edit(text, sizeof text, change);
    if (run_once(judge, &edited, text, NULL, true) != WEIR_OK ||
        run_once(judge, &hooked, NULL, change, true) != WEIR_OK) {
        complain(judge, text, weir_message(), 0, NULL, 0);
    } else {
        compare(judge, text, change, &edited, &hooked);
        if (logits_are_same(&edited, change->plain))
            complain(judge, text, "changed no logit", 0, NULL, 0);
    }
    clear(&edited);
    clear(&hooked);
}

/* An edit that changes nothing, in a run that gives no more than the logits. */
static void judge_nothing(struct judge *judge, const struct record *logits, int point, int layer)
{
    char site[64], text[128];
    struct record edited = {0};
    name_site(site, sizeof site, point, layer);
    snprintf(text, sizeof text, "%s *= 1", site);
    if (run_once(judge, &edited, text, NULL, false) != WEIR_OK)
        complain(judge, text, weir_message(), 0, NULL, 0);
    else if (!logits_are_same(&edited, logits))
        complain(judge, text, "changed the logits", 0, NULL, 0);
    clear(&edited);
}

static bool has_keys(const weir_point *point)
{
    return point->axes[point->n_axes - 1] == WEIR_AXIS_KEY;
}

static void judge_point(struct judge *judge, const struct record *logits, int point)
{
    for (int layer = -1; layer < weir_model_get_info(judge->model)->n_layers; layer++) {
        if (!seen_of(&judge->plain, EDITED, point, layer)->data)
            continue;
        judge->n_sites++;
        for (enum kind kind = 0; kind < N_KINDS; kind++)
            if (kind != HALVE_AT_KEYS || has_keys(weir_point_at(point)))
                judge_edit(judge, &(struct change){point, layer, 0, 0, kind, &judge->plain});
        judge_nothing(judge, logits, point, layer);
    }
}

/* All points at once, changed by nothing: not a bit is another anywhere. */
static void judge_noop(struct judge *judge, const char *points, const char *what)
{
    char text[2048];
    struct record edited = {0};
    snprintf(text, sizeof text, "%s %s", points, what);
    if (run_once(judge, &edited, text, NULL, true) != WEIR_OK)
        complain(judge, text, weir_message(), 0, NULL, 0);
    else
        for (size_t i = 0; i < n_seen(); i++)
            if (!is_same(&edited.list[i], &judge->plain.list[i]))
                complain(judge, what, "changed bits", (int)(i / (n_seen() / N_PROMPTS)),
                         weir_point_at((int)(i / (MOST_LAYERS + 1)) % weir_n_points()),
                         (int)(i % (MOST_LAYERS + 1)) - 1);
    clear(&edited);
}

static void judge_noops(struct judge *judge)
{
    static const char *const nothing[] = {"*= 1", "+= 0", "-= 0", "= [#base]", "= []"};
    char points[1024] = "";
    const char *indices = "expert_indices";
    for (int point = 0; point < weir_n_points(); point++) {
        const char *name = weir_point_at(point)->name;
        bool has = false;
        for (int layer = -1; layer < MOST_LAYERS; layer++)
            has |= seen_of(&judge->plain, EDITED, point, layer)->data != NULL;
        if (has && strcmp(name, indices) != 0)
            snprintf(points + strlen(points), sizeof points - strlen(points), "%s%s", *points ? "," : "", name);
    }
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        judge_noop(judge, points, nothing[i]);
}

static weir_status judge_model(struct judge *judge, const char *where)
{
    struct record logits = {0};
    weir_status status = weir_model_open(&judge->model, where, &(weir_model_options){.n_threads = 1});
    for (int i = 0; status == WEIR_OK && i < N_PROMPTS; i++) {
        int32_t ids[MOST_IDS];
        for (int j = 0; j < MOST_IDS; j++)
            ids[j] = (37 * j * j + 101 * i + 11 * j + 5) % N_VOCAB;
        status = weir_tokens_from_ids(&judge->prompts[i], judge->model, ids, n_ids[i]);
    }
    if (status == WEIR_OK)
        status = run_once(judge, &judge->plain, NULL, NULL, true);
    if (status == WEIR_OK)
        status = run_once(judge, &logits, NULL, NULL, false);
    for (int point = 0; status == WEIR_OK && point < weir_n_points(); point++)
        if (strcmp(weir_point_at(point)->name, "expert_indices") != 0)
            judge_point(judge, &logits, point);
    if (status == WEIR_OK)
        judge_noops(judge);
    clear(&logits);
    return status;
}

int main(int n, char **argument)
{
    struct judge judge = {0};
    if (n != 2) {
        fprintf(stderr, "usage: every_edit_cli MODEL\n");
        return WEIR_E_USAGE;
    }
    weir_status status = judge_model(&judge, argument[1]);
    if (status != WEIR_OK)
        fprintf(stderr, "%s\n", weir_message());
    else
        printf("%zu sites\n", judge.n_sites);
    clear(&judge.plain);
    for (int i = 0; i < N_PROMPTS; i++)
        weir_tokens_close(&judge.prompts[i]);
    weir_model_close(judge.model);
    return status != WEIR_OK || judge.n_wrong > 0;
}
