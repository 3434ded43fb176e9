/* The hook points of points.def, by number and by name. */
#include "points/points.h"

#include <stdlib.h>
#include <string.h>

static const char *const axis_names[WEIR_N_AXES] = {
    [WEIR_AXIS_LAYER] = "layer",       [WEIR_AXIS_PROMPT] = "prompt",     [WEIR_AXIS_POS] = "pos",
    [WEIR_AXIS_QUERY] = "query",       [WEIR_AXIS_KEY] = "key",           [WEIR_AXIS_HEAD] = "head",
    [WEIR_AXIS_KV_HEAD] = "kv_head",   [WEIR_AXIS_D_HEAD] = "d_head",     [WEIR_AXIS_D_MODEL] = "d_model",
    [WEIR_AXIS_D_MLP] = "d_mlp",       [WEIR_AXIS_D_EXPERT] = "d_expert", [WEIR_AXIS_EXPERT] = "expert",
    [WEIR_AXIS_EXPERT_K] = "expert_k", [WEIR_AXIS_VOCAB] = "vocab",
};

#define PREFIX "blocks.{layer}."

#define NAME_BLOCK(full) PREFIX full
#define NAME_MODEL(full) full
#define IS_BLOCK         true
#define IS_MODEL         false
/* Axes by count: AXES((POS, HEAD)) -> 2, {WEIR_AXIS_POS, WEIR_AXIS_HEAD} */
#define PICK(_1, _2, _3, name, ...) name
#define AXES1(a)                                                                                                       \
    1,                                                                                                                 \
    {                                                                                                                  \
        WEIR_AXIS_##a                                                                                                  \
    }
#define AXES2(a, b)                                                                                                    \
    2,                                                                                                                 \
    {                                                                                                                  \
        WEIR_AXIS_##a, WEIR_AXIS_##b                                                                                   \
    }
#define AXES3(a, b, c)                                                                                                 \
    3,                                                                                                                 \
    {                                                                                                                  \
        WEIR_AXIS_##a, WEIR_AXIS_##b, WEIR_AXIS_##c                                                                    \
    }
#define AXES(...) PICK(__VA_ARGS__, AXES3, AXES2, AXES1, )(__VA_ARGS__)
enum stored { DEFAULT, GLOB, NAMED };

#define POINT(id, short_name, full, scope, stored, axes, meaning)                                                      \
    {WEIR_P_##id, short_name,          NAME_##scope(full), meaning,                                                    \
     IS_##scope,  (stored) == DEFAULT, (stored) == NAMED,  AXES axes},
#define ALIAS(short_name, full, when)
static const weir_point points[WEIR_N_POINTS] = {
#include "points/points.def"
};
#undef POINT
#undef ALIAS

#define POINT(id, short_name, full, scope, stored, axes, meaning)
#define ALIAS(short_name, full, when) {short_name, full, WEIR_WHEN_##when},
static const struct weir_alias aliases[] = {
#include "points/points.def"
};
#undef POINT
#undef ALIAS

const char *weir_axis_name(weir_axis axis)
{
    return axis < WEIR_N_AXES ? axis_names[axis] : NULL;
}

int weir_n_points(void)
{
    return WEIR_N_POINTS;
}

const weir_point *weir_point_at(int id)
{
    return id >= 0 && id < WEIR_N_POINTS ? &points[id] : NULL;
}

bool weir_axis_is_position(weir_axis axis)
{
    return axis == WEIR_AXIS_POS || axis == WEIR_AXIS_QUERY || axis == WEIR_AXIS_KEY;
}

int weir_point_unit_axis(const weir_point *point)
{
    for (int i = 0; point && i < point->n_axes; i++)
        if (point->axes[i] == WEIR_AXIS_HEAD || point->axes[i] == WEIR_AXIS_KV_HEAD)
            return i;
    return point && point->n_axes == 2 ? 1 : -1;
}

bool weir_point_has_experts(const weir_point *point)
{
    return point->n_axes == 3 && point->axes[2] == WEIR_AXIS_D_EXPERT;
}

int weir_point_row_axis(const weir_point *point)
{
    for (int i = 0; point && i < point->n_axes; i++)
        if (point->axes[i] == WEIR_AXIS_POS || point->axes[i] == WEIR_AXIS_QUERY)
            return i;
    return -1;
}

/* "blocks.7.rest", "blocks.{layer}.rest" and "blocks.*.rest" to rest; *layer is 7 or -1. NULL for other names. */
static const char *inside_block(const char *name, int *layer)
{
    *layer = -1;
    if (strncmp(name, "blocks.", 7) != 0)
        return NULL;
    name += 7;
    if (strncmp(name, "{layer}.", 8) == 0)
        return name + 8;
    if (strncmp(name, "*.", 2) == 0)
        return name + 2;
    char *end;
    long number = strtol(name, &end, 10);
    if (end == name || *end != '.' || number < 0 || number > 1000000 || *name == '+')
        return NULL;
    *layer = (int)number;
    return end + 1;
}

static const weir_point *by_short_name(const char *name)
{
    for (int i = 0; i < WEIR_N_POINTS; i++)
        if (strcmp(points[i].name, name) == 0)
            return &points[i];
    return NULL;
}

static const struct weir_alias *find_alias(const char *hook, bool in_block)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].hook, hook) == 0 && by_short_name(aliases[i].name)->per_layer == in_block)
            return &aliases[i];
    return NULL;
}

const weir_point *weir_point_find(const char *name, int *layer)
{
    const char *rest = inside_block(name, layer);
    const weir_point *found = rest ? NULL : by_short_name(name);
    if (found)
        return found;
    for (int i = 0; i < WEIR_N_POINTS; i++)
        if (points[i].per_layer == (rest != NULL) &&
            strcmp(rest ? points[i].hook + strlen(PREFIX) : points[i].hook, rest ? rest : name) == 0)
            return &points[i];
    const struct weir_alias *alias = find_alias(rest ? rest : name, rest != NULL);
    return alias && alias->when == WEIR_WHEN_ALWAYS ? by_short_name(alias->name) : NULL;
}

const struct weir_alias *weir_alias_find(const char *name, int *layer)
{
    const char *rest = inside_block(name, layer);
    const struct weir_alias *alias = find_alias(rest ? rest : name, rest != NULL);
    return alias && alias->when != WEIR_WHEN_ALWAYS ? alias : NULL;
}

const struct weir_alias *weir_alias_next(const struct weir_alias *alias)
{
    const struct weir_alias *next = alias + 1;
    return next < aliases + sizeof aliases / sizeof *aliases && strcmp(next->hook, alias->hook) == 0 ? next : NULL;
}

const weir_point *weir_alias_point(const struct weir_alias *alias)
{
    return by_short_name(alias->name);
}
