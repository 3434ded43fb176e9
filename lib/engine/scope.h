/* What a selection names in one model: points and layers, the units of each, and of each prompt that runs the rows. The
   plan, captures and editors all read it here: nothing resolves a selection twice.

   A term of the selection names a box: sites, units and positions. Sites that the same terms name are a group, whose
   rows are found once for each prompt, from the group's terms in the order written. */
#ifndef WEIR_ENGINE_SCOPE_H
#define WEIR_ENGINE_SCOPE_H

#include "model/model.h"
#include "points/select.h"

/* Some of an axis. */
struct weir_some {
    int32_t *list; /* [n] ascending; NULL: all n of them */
    size_t n;
};

/* A point in a layer, -1 outside the blocks. */
struct weir_site {
    int point, layer;
    size_t group;
    struct weir_some units; /* n 0: the point has none to choose from */
};

struct weir_scope_group;

struct weir_scope {
    int holders;
    const struct weir_model *model;
    struct weir_selection *selection; /* NULL: one site, whole */
    struct weir_slices positions;     /* to which all terms are narrowed */
    struct weir_site *sites;          /* [n_sites] by point, then layer */
    size_t n_sites, cap_sites;
    struct weir_scope_group *groups; /* [n_groups] */
    size_t n_groups, cap_groups;
    const weir_tokens *prompts; /* [n_prompts] whose rows were found last; the caller's */
    size_t n_prompts;
    struct weir_some *rows; /* [n_prompts, n_groups]; NULL: all rows of every prompt */
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

/* Resolves a selection (NULL or "": the default set). `positions`, slices, narrows the positions of every term; NULL:
   all. @return WEIR_E_USAGE for what cannot be parsed or is out of range, WEIR_E_UNSUPPORTED for points that this model
   does not have: those that a glob matches are left out, a term that leaves nothing is an error. */
WEIR_CHECKED weir_status weir_scope_open(struct weir_scope **out, const struct weir_model *model, const char *selection,
                                         const char *positions);
/* One site, all of it. @return WEIR_E_USAGE for a point or layer that no model has, WEIR_E_UNSUPPORTED where this one
   does not have it. */
WEIR_CHECKED weir_status weir_scope_open_at(struct weir_scope **out, const struct weir_model *model, int point,
                                            int layer);
/* One more holder, that closes it too. */
struct weir_scope *weir_scope_hold(struct weir_scope *scope);
void weir_scope_close(struct weir_scope *scope);

/* The site, or NULL where it is not named. */
const struct weir_site *weir_scope_site(const struct weir_scope *scope, int point, int layer);
/* @return WEIR_E_USAGE where terms name other units at other positions of one value: what is named there is no set of
   units by a set of rows. */
WEIR_CHECKED weir_status weir_scope_check_boxes(const struct weir_scope *scope);

/* Finds the rows of the prompts that are about to run, in place of those before. The prompts stay the caller's,
   who keeps them as long as rows are asked for. Prompt i follows past[i] positions
   that were run before (NULL: none do): row r is position past[i] + r. @return WEIR_E_USAGE for a position that a
   prompt does not have. */
WEIR_CHECKED weir_status weir_scope_find_rows(struct weir_scope *scope, const weir_tokens *prompts, const size_t *past,
                                              size_t n);
/* The rows of a site in one of them; the list is the scope's, good until they are found again. */
struct weir_some weir_scope_rows(const struct weir_scope *scope, const struct weir_site *site, size_t prompt);
/* Marks the rows of one of them that any site has. */
void weir_scope_mark_rows(const struct weir_scope *scope, size_t prompt, bool *marked);

#endif
