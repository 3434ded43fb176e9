/* Schedules: prompts that read each other made into groups, groups into an order, the order into batches. */
#include "engine/schedule.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

weir_status weir_schedule_open(struct weir_schedule *schedule, const weir_tokens *prompts, size_t n)
{
    *schedule = (struct weir_schedule){.n = n, .n_given = n};
    TRY(weir_grow(&schedule->prompts, &schedule->cap_prompts, n, sizeof *schedule->prompts));
    memcpy(schedule->prompts, prompts, n * sizeof *prompts);
    return weir_alloc_zero(&schedule->copy, n, sizeof *schedule->copy);
}

void weir_schedule_close(struct weir_schedule *schedule)
{
    weir_free(schedule->prompts);
    weir_free(schedule->copy);
    weir_free(schedule->needs);
    weir_free(schedule->order);
    weir_free(schedule->ends);
    *schedule = (struct weir_schedule){0};
}

weir_status weir_schedule_copy(size_t *number, struct weir_schedule *schedule, size_t prompt)
{
    if (schedule->copy[prompt] == 0) {
        TRY(weir_grow(&schedule->prompts, &schedule->cap_prompts, schedule->n + 1, sizeof *schedule->prompts));
        schedule->prompts[schedule->n] = schedule->prompts[prompt];
        schedule->copy[prompt] = schedule->n++; /* never 0: a prompt is in front of it */
    }
    *number = schedule->copy[prompt];
    return WEIR_OK;
}

weir_status weir_schedule_need(struct weir_schedule *schedule, size_t reader, size_t source, bool strictly)
{
    TRY(weir_grow(&schedule->needs, &schedule->cap_needs, schedule->n_needs + 1, sizeof *schedule->needs));
    schedule->needs[schedule->n_needs++] = (struct weir_need){reader, source, strictly};
    return WEIR_OK;
}

/* ---- prompts that read each other ---- */

/* The needs of every prompt in turn: of prompt i, list[first[i]] to list[first[i + 1] - 1]. */
struct need_index {
    size_t *first; /* [n + 1] */
    size_t *list;  /* [n_needs] indices into the schedule's needs */
};

static size_t end_of(const struct weir_need *need, bool by_source)
{
    return by_source ? need->source : need->reader;
}

/* By the prompts that read, or that are read. */
static weir_status index_needs(struct need_index *index, const struct weir_schedule *schedule, bool by_source)
{
    TRY(weir_alloc_zero(&index->first, schedule->n + 2, sizeof *index->first));
    TRY(weir_alloc(&index->list, schedule->n_needs, sizeof *index->list));
    size_t *next = index->first + 1; /* moved up by one: what is filled in becomes where the next begins */
    for (size_t i = 0; i < schedule->n_needs; i++)
        next[end_of(&schedule->needs[i], by_source) + 1]++;
    for (size_t i = 0; i < schedule->n; i++)
        next[i + 1] += next[i];
    for (size_t i = 0; i < schedule->n_needs; i++)
        index->list[next[end_of(&schedule->needs[i], by_source)]++] = i;
    return WEIR_OK;
}

static void close_index(struct need_index *index)
{
    weir_free(index->first);
    weir_free(index->list);
}

/* What settling needs, for every prompt; a group is the prompts that read each other, in a circle. */
struct settling {
    struct weir_schedule *schedule;
    struct need_index by_reader, by_source;
    size_t *stack, *at; /* [n] a walk along needs: the prompts on the way, the need that each has come to */
    bool *seen;         /* [n] */
    size_t *done;       /* [n] prompts in the order in which the walk left them: sources first */
    size_t n_done;
    size_t *group;       /* [n] */
    size_t n_groups;     /* numbered so that a group's sources have smaller numbers */
    size_t *level;       /* [n_groups] how many passes come before it */
    size_t *rank;        /* [n_groups] where it stands in its level: as the prompts were given, sources first */
    size_t *members;     /* [n] prompts by level, rank, group */
    size_t *group_total; /* [n_groups] positions */
};

static void close_settling(struct settling *s)
{
    close_index(&s->by_reader);
    close_index(&s->by_source);
    void *const all[] = {s->stack, s->at, s->seen, s->done, s->group, s->level, s->rank, s->members, s->group_total};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        weir_free(all[i]);
}

static weir_status open_settling(struct settling *s, struct weir_schedule *schedule)
{
    size_t n = schedule->n;
    *s = (struct settling){.schedule = schedule};
    TRY(index_needs(&s->by_reader, schedule, false));
    TRY(index_needs(&s->by_source, schedule, true));
    TRY(weir_alloc(&s->stack, n, sizeof *s->stack));
    TRY(weir_alloc(&s->at, n, sizeof *s->at));
    TRY(weir_alloc_zero(&s->seen, n, sizeof *s->seen));
    TRY(weir_alloc(&s->done, n, sizeof *s->done));
    TRY(weir_alloc(&s->group, n, sizeof *s->group));
    TRY(weir_alloc_zero(&s->level, n, sizeof *s->level));
    TRY(weir_alloc_zero(&s->rank, n, sizeof *s->rank));
    TRY(weir_alloc(&s->members, n, sizeof *s->members));
    return weir_alloc_zero(&s->group_total, n, sizeof *s->group_total);
}

/* Goes from a prompt to all that it reads, and so on, depth first; those left are appended to `done`. */
static void walk_to_sources(struct settling *s, size_t from)
{
    size_t depth = 0;
    s->seen[from] = true;
    s->at[from] = s->by_reader.first[from];
    s->stack[depth++] = from;
    while (depth > 0) {
        size_t prompt = s->stack[depth - 1];
        if (s->at[prompt] == s->by_reader.first[prompt + 1]) {
            s->done[s->n_done++] = prompt;
            depth--;
            continue;
        }
        size_t source = s->schedule->needs[s->by_reader.list[s->at[prompt]++]].source;
        if (s->seen[source])
            continue;
        s->seen[source] = true;
        s->at[source] = s->by_reader.first[source];
        s->stack[depth++] = source;
    }
}

/* All that read `from`, directly or not, and have no group yet: they are read by it too. */
static void walk_to_readers(struct settling *s, size_t from)
{
    size_t depth = 0;
    s->stack[depth++] = from;
    s->group[from] = s->n_groups;
    while (depth > 0) {
        size_t prompt = s->stack[--depth];
        for (size_t i = s->by_source.first[prompt]; i < s->by_source.first[prompt + 1]; i++) {
            size_t reader = s->schedule->needs[s->by_source.list[i]].reader;
            if (s->group[reader] != SIZE_MAX)
                continue;
            s->group[reader] = s->n_groups;
            s->stack[depth++] = reader;
        }
    }
    s->n_groups++;
}

/* Kosaraju's algorithm, from which groups come with readers before their sources: then turned round. */
static void find_groups(struct settling *s)
{
    size_t n = s->schedule->n;
    for (size_t i = 0; i < n; i++)
        if (!s->seen[i])
            walk_to_sources(s, i);
    for (size_t i = 0; i < n; i++)
        s->group[i] = SIZE_MAX;
    for (size_t i = n; i-- > 0;)
        if (s->group[s->done[i]] == SIZE_MAX)
            walk_to_readers(s, s->done[i]);
    for (size_t i = 0; i < n; i++) {
        s->group[i] = s->n_groups - 1 - s->group[i];
        s->group_total[s->group[i]] += s->schedule->prompts[i].n;
    }
}

/* ---- the order ---- */

/* Where a prompt was given; a copy stands just before what it is a copy of. */
static void rank_groups(struct settling *s)
{
    const struct weir_schedule *schedule = s->schedule;
    for (size_t i = 0; i < s->n_groups; i++)
        s->rank[i] = SIZE_MAX;
    for (size_t i = 0; i < schedule->n_given; i++) {
        size_t *own = &s->rank[s->group[i]];
        *own = 2 * i + 1 < *own ? 2 * i + 1 : *own;
        if (schedule->copy[i] > 0 && 2 * i < s->rank[s->group[schedule->copy[i]]])
            s->rank[s->group[schedule->copy[i]]] = 2 * i;
    }
}

/* Levels and ranks from those of the sources; groups have their sources before them. */
static void level_groups(struct settling *s)
{
    const struct weir_schedule *schedule = s->schedule;
    for (size_t at = 0; at < schedule->n; at++) {
        size_t prompt = s->members[at], group = s->group[prompt];
        for (size_t i = s->by_reader.first[prompt]; i < s->by_reader.first[prompt + 1]; i++) {
            const struct weir_need *need = &schedule->needs[s->by_reader.list[i]];
            size_t source = s->group[need->source], level = s->level[source] + need->strictly;
            if (source != group && level > s->level[group])
                s->level[group] = level;
        }
    }
    for (size_t at = 0; at < schedule->n; at++) {
        size_t prompt = s->members[at], group = s->group[prompt];
        for (size_t i = s->by_reader.first[prompt]; i < s->by_reader.first[prompt + 1]; i++) {
            size_t source = s->group[schedule->needs[s->by_reader.list[i]].source];
            if (s->level[source] == s->level[group] && s->rank[source] > s->rank[group])
                s->rank[group] = s->rank[source];
        }
    }
}

/* qsort has no context: what is compared is brought along. */
struct place {
    size_t level, rank, group, prompt;
};

static int by_level(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->prompt < y->prompt ? -1 : 1;
}

/* Sorts the prompts by level, rank and group. */
static weir_status sort_members(struct settling *s)
{
    size_t n = s->schedule->n;
    struct place *places;
    TRY(weir_alloc(&places, n, sizeof *places));
    for (size_t i = 0; i < n; i++)
        places[i] = (struct place){s->level[s->group[i]], s->rank[s->group[i]], s->group[i], i};
    qsort(places, n, sizeof *places, by_level);
    for (size_t i = 0; i < n; i++)
        s->members[i] = places[i].prompt;
    weir_free(places);
    return WEIR_OK;
}

/* A need inside a group that asks for an earlier pass. */
static const struct weir_need *find_cycle(const struct settling *s)
{
    const struct weir_schedule *schedule = s->schedule;
    for (size_t i = 0; i < schedule->n_needs; i++)
        if (schedule->needs[i].strictly && s->group[schedule->needs[i].reader] == s->group[schedule->needs[i].source])
            return &schedule->needs[i];
    return NULL;
}

/* Groups one after the other, as many to a batch as fit, those of one level together. */
static void cut_into_batches(struct settling *s, size_t positions)
{
    struct weir_schedule *schedule = s->schedule;
    size_t total = 0;
    schedule->n_batches = 0;
    for (size_t at = 0; at < schedule->n; at++) {
        size_t group = s->group[s->members[at]];
        schedule->order[at] = s->members[at];
        if (at > 0 && group == s->group[s->members[at - 1]])
            continue;
        bool next_level = at > 0 && s->level[group] != s->level[s->group[s->members[at - 1]]];
        if (at > 0 && (next_level || total + s->group_total[group] > positions)) {
            schedule->ends[schedule->n_batches++] = at;
            total = 0;
        }
        total += s->group_total[group];
    }
    schedule->ends[schedule->n_batches++] = schedule->n;
}

static weir_status settle_needs(struct settling *s, struct weir_schedule *schedule, size_t positions,
                                const struct weir_need **cycle)
{
    TRY(open_settling(s, schedule));
    find_groups(s);
    *cycle = find_cycle(s);
    TRY(sort_members(s)); /* by group only: sources first */
    rank_groups(s);
    level_groups(s);
    TRY(sort_members(s));
    cut_into_batches(s, positions);
    return WEIR_OK;
}

weir_status weir_schedule_settle(struct weir_schedule *schedule, size_t positions, const struct weir_need **cycle)
{
    struct settling settling = {0};
    weir_status status;
    TRY_DONE(weir_alloc(&schedule->order, schedule->n, sizeof *schedule->order));
    TRY_DONE(weir_alloc(&schedule->ends, schedule->n, sizeof *schedule->ends));
    TRY_DONE(settle_needs(&settling, schedule, positions, cycle));
done:
    close_settling(&settling);
    return status;
}
