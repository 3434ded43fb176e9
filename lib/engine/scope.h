/* What a selection names in one model: points and layers, the units of each, and of each prompt that runs the cells.
   The plan, captures and editors all read it here: nothing resolves a selection twice.

   A term of the selection names a box: sites, units, positions, keys and prompts. The terms act in the order written:
   each adds its box to what those before it named, or takes it away. Sites that the same terms name, of points with the
   same axes, are a group, whose cells are found once for each prompt. */
#ifndef WEIR_ENGINE_SCOPE_H
#define WEIR_ENGINE_SCOPE_H

#include "engine/region.h"
#include "model/model.h"
#include "points/select.h"

/* A point in a layer, -1 outside the blocks. */
struct weir_site {
    int point, layer;
    size_t group;
    struct weir_some units; /* that it may have in a prompt; n 0: the point has none to choose from */
};

/* Sites that share their cells. */
struct weir_scope_group {
    size_t *terms; /* [n] indices into the selection */
    size_t n;
    size_t n_units;   /* along the axis of units: of heads, neurons, ...; of query heads where by_query_head; 0: none */
    size_t n_neurons; /* of an expert, where the units are experts, each in whichever place it was chosen for; 0: they
                         are not. Boxes have neurons where others have keys */
    bool has_keys;    /* the last axis is of keys */
    bool by_query_head;
    bool whole;      /* the terms choose neither positions, keys nor prompts: the rows are all rows */
    bool takes_away; /* one of the terms does */
};

/* The cells of a group in one prompt. */
struct weir_scope_cells {
    struct weir_region region;
    struct weir_box bound; /* the smallest box that holds them; n 0 throughout where there are none */
};

struct weir_scope {
    int holders;
    const struct weir_model *model;
    struct weir_selection *selection; /* NULL: one site, whole */
    bool borrowed;                    /* the selection is the caller's */
    bool keeps_regions;               /* of groups that are whole, too */
    const char *rows_for;             /* who takes rows of all keys only, "a hook gets"; NULL: any cells will do */
    bool boxes_only;                  /* and those of one prompt must be a set of units at a set of rows */
    struct weir_spots positions;      /* to which all terms are narrowed */
    struct weir_site *sites;          /* [n_sites] by point, then layer */
    size_t n_sites, cap_sites;
    struct weir_scope_group *groups; /* [n_groups] */
    size_t n_groups, cap_groups;
    const weir_tokens *prompts; /* [n_prompts] whose cells were found last; the caller's */
    size_t n_prompts;
    struct weir_scope_cells *cells; /* [n_prompts, n_groups]; NULL: all rows of every prompt */
};

/* How many sites a model of n_layers can have, and the place of one in a list of them all. */
static inline size_t weir_n_sites(int n_layers)
{
    return (size_t)WEIR_N_POINTS * ((size_t)n_layers + 1);
}

static inline size_t weir_site_index(int n_layers, int point, int layer)
{
    return (size_t)point * ((size_t)n_layers + 1) + (size_t)(layer + 1);
}

/* Resolves a selection (NULL or "": the default set). `positions`, as a selection writes them, narrows the positions of
   every term; NULL: all. @return WEIR_E_USAGE for what cannot be parsed or is out of range, for query heads beside
   key-value heads of one value, and for a term that takes away what none before it names; WEIR_E_UNSUPPORTED for points
   that this model does not have: those that a glob matches are left out, a term that leaves nothing is an error. */
WEIR_CHECKED weir_status weir_scope_open(struct weir_scope **out, const struct weir_model *model, const char *selection,
                                         const char *positions);
/* The same for a selection that is parsed, an edit's: it stays the caller's, who keeps it until the scope is closed.
   Only here may terms name experts and their neurons. */
WEIR_CHECKED weir_status weir_scope_open_selection(struct weir_scope **out, const struct weir_model *model,
                                                   struct weir_selection *selection);
/* Says where a failure is: in a term; of a selection that is part of a longer text, from byte `at` of that on. */
weir_status weir_scope_in_term(const struct weir_scope *scope, const struct weir_term *term, size_t at,
                               weir_status status);
/* One site, all of it. @return WEIR_E_USAGE for a point or layer that no model has, WEIR_E_UNSUPPORTED where this one
   does not have it. */
WEIR_CHECKED weir_status weir_scope_open_at(struct weir_scope **out, const struct weir_model *model, int point,
                                            int layer);
/* One more holder, that closes it too. */
struct weir_scope *weir_scope_hold(struct weir_scope *scope);
void weir_scope_close(struct weir_scope *scope);

/* The site, or NULL where it is not named. */
const struct weir_site *weir_scope_site(const struct weir_scope *scope, int point, int layer);
/* For whoever takes rows of all keys only, and units of the value itself: "a hook gets". @return WEIR_E_USAGE for terms
   that name keys or query heads. Pairs of query and key are refused when rows are found. */
WEIR_CHECKED weir_status weir_scope_take_rows(struct weir_scope *scope, const char *rows_for);
/* The same, and @return WEIR_E_USAGE where terms name other units at other positions of one value: what is named there
   is no set of units at a set of rows. Where that depends on the prompts it is found out with the rows. */
WEIR_CHECKED weir_status weir_scope_take_boxes(struct weir_scope *scope, const char *rows_for);

/* True where a site's units are query heads, of a point whose key-value heads several of them share. */
static inline bool weir_scope_is_by_query(const struct weir_scope *scope, const struct weir_site *site)
{
    const struct weir_config *c = &scope->model->config;
    return scope->groups[site->group].by_query_head && c->n_heads != c->n_kv_heads;
}

/* True where a site's units are experts and its keys their neurons. */
static inline bool weir_scope_is_by_expert(const struct weir_scope *scope, const struct weir_site *site)
{
    return scope->groups[site->group].n_neurons > 0;
}

/* True where a term chooses prompts. */
bool weir_scope_has_prompts(const struct weir_scope *scope);

/* Finds the cells of the prompts that are about to run, in place of those before. The prompts stay the caller's,
   who keeps them as long as rows are asked for. Prompt i follows past[i] positions
   that were run before (NULL: none do): row r is position past[i] + r. @return WEIR_E_USAGE for a position, field or
   side that a prompt does not have, WEIR_E_INPUT for what is wrong with a field. */
WEIR_CHECKED weir_status weir_scope_find_rows(struct weir_scope *scope, const weir_tokens *prompts, const size_t *past,
                                              size_t n);
/* The same where positions are looked up in whole prompts, from the first token to the last, with their lines: the rows
   that run are some of theirs. whole NULL: in the prompts themselves. */
WEIR_CHECKED weir_status weir_scope_find_rows_of(struct weir_scope *scope, const weir_tokens *prompts,
                                                 const size_t *past, const weir_tokens *whole, size_t n);
/* Forgets them. */
void weir_scope_drop_cells(struct weir_scope *scope);

/* What follows is asked once rows are found; lists are the scope's, good until they are found again. */
/* The cells of a site in one of the prompts, for scopes of weir_scope_open_selection. Rows count from the first that
   runs, keys are positions. */
struct weir_region weir_scope_region(const struct weir_scope *scope, const struct weir_site *site, size_t prompt);
/* The smallest box that holds a site's cells in one of the prompts, whose keys are all if the scope takes rows only;
   its rows. */
struct weir_box weir_scope_bound(const struct weir_scope *scope, const struct weir_site *site, size_t prompt);
struct weir_some weir_scope_rows(const struct weir_scope *scope, const struct weir_site *site, size_t prompt);
/* Marks the rows of one of them that any site has; the units that a site has in any of them. */
void weir_scope_mark_rows(const struct weir_scope *scope, size_t prompt, bool *marked);
void weir_scope_mark_units(const struct weir_scope *scope, const struct weir_site *site, bool *marked);
/* For whoever stores the rows of each prompt by the units of all prompts. @return WEIR_E_USAGE where that holds a cell
   that a term took away. */
WEIR_CHECKED weir_status weir_scope_check_taken(const struct weir_scope *scope);

#endif
