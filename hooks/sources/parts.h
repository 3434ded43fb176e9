/* A source from the inside: what the files that read arrays and caches share. */
#ifndef WEIR_HOOKS_SOURCES_PARTS_H
#define WEIR_HOOKS_SOURCES_PARTS_H

#include "format/bag.h"
#include "hooks/sources/grid.h"
#include "hooks/sources/pairs.h"
#include "hooks/sources/source.h"
#include "store/read/lookup.h"

struct weir_array_source;
struct weir_cache_source;
struct weir_source_table;

/* What one prompt's cells of a site are served by. */
struct weir_edit_source_slot {
    struct weir_box bound; /* the smallest box that holds the cells; rows.n 0: there are none */
    struct weir_some
        named;          /* its rows' positions as the edit names them, where that is another order; n 0: it is not */
    bool by_query_head; /* units are query heads of a point by key-value heads */
    struct weir_grid grid;
    struct weir_source_table *table; /* of a cache, the source's; NULL: none */
};

struct weir_edit_source {
    const struct weir_model *model;
    const struct weir_edit *edit;
    const struct weir_scope *scope;
    const size_t *past; /* [n_prompts] of the prompts found last; NULL: none */
    size_t n_prompts;
    struct weir_form *forms;             /* [n_sites] of the scope */
    struct weir_edit_source_slot *slots; /* [n_sites, n_prompts] */
    size_t *turns;                       /* [n_prompts] which of the prompts that the edit changes each is */
    size_t n_changed;
    struct weir_array_source *array; /* of WEIR_VALUE_FILE */
    struct weir_cache_source *cache; /* of places in a cache, means of them, what is drawn from them */
    struct weir_grid_scratch scratch;
    char *note;
};

static inline struct weir_edit_source_slot *weir_edit_source_slot_of(const struct weir_edit_source *source, size_t site,
                                                                     size_t prompt)
{
    return &source->slots[site * source->n_prompts + prompt];
}

static inline size_t weir_edit_source_past(const struct weir_edit_source *source, size_t prompt)
{
    return source->past ? source->past[prompt] : 0;
}

/* The place that a value is or is made of; NULL: none. */
const struct weir_value *weir_edit_source_place(const struct weir_value *value);
/* Numbers that are not finite are refused, but for -inf where it means something. */
bool weir_edit_source_takes(const struct weir_edit_source *source, size_t site, float value);
/* Puts the character of the value in front of a failure. */
weir_status weir_edit_source_in_edit(const struct weir_edit_source *source, weir_status status);

/* ---- array.c: arrays of a file ---- */

/* The array of a file that is meant at a site: the only one, the one that is named, or the layer's direction. */
WEIR_CHECKED weir_status weir_array_choose(const struct weir_tensor **out, const struct weir_bag *bag,
                                           const struct weir_file_name *file, const struct weir_site *site);
WEIR_CHECKED weir_status weir_array_source_open(struct weir_edit_source *source);
void weir_array_source_close(struct weir_array_source *array);
/* Fits the array to every slot. */
WEIR_CHECKED weir_status weir_array_source_find(struct weir_edit_source *source);

/* ---- cache.c: places of a cache ---- */

/* A site's place in the cache. */
struct weir_cache_site {
    const weir_file_point *point; /* the file's */
    struct weir_form form;
    struct weir_pairs layers, heads, columns; /* columns: not keys */
};

struct weir_cache_source {
    weir_file *file;
    const struct weir_value *place;
    struct weir_cache_site *sites; /* [n_sites] */
    size_t n_sites;
    struct weir_stored_sides sides;
    struct weir_source_table **tables; /* [n] what was read for the prompts found last */
    size_t n, capacity;
};

WEIR_CHECKED weir_status weir_cache_source_open(struct weir_edit_source *source);
void weir_cache_source_close(struct weir_cache_source *cache);
/* ---- table.c: what is read of a cache ---- */

/* A prompt of the cache that is read. */
struct weir_cached_prompt {
    int number;
    weir_file_prompt info;
    struct weir_pairs rows, keys; /* positions that the place writes; lists NULL where it leaves them out */
};

/* Numbers [n_rows, n_heads, n_columns] for one site and some prompts. */
struct weir_source_table {
    const struct weir_cache_source *cache;
    size_t site;
    bool is_shared;                     /* by all prompts that its own would serve */
    struct weir_cached_prompt *prompts; /* [n] more than one are averaged */
    size_t n, capacity;
    struct weir_pairs layers, heads, columns; /* the site's, or the one that was drawn of a list */
    int32_t drawn[3];
    bool *wanted; /* [n_wanted] positions that some prompt wants where the place leaves them out */
    size_t n_wanted;
    struct weir_pairs rows; /* those positions, when all are known */
    struct weir_some units; /* of heads that the place leaves out: the edit's */
    bool by_query_head;
    size_t most_key; /* the largest that is wanted, and one more */
    size_t n_rows, n_heads, n_columns;
    float *data;
};

static inline const char *weir_source_path(const struct weir_edit_source *source)
{
    return source->cache->place->file.path;
}

static inline const struct weir_where *weir_source_where(const struct weir_edit_source *source)
{
    return &source->cache->place->place->where;
}

/* Reads what every slot needs. */
WEIR_CHECKED weir_status weir_cache_source_find(struct weir_edit_source *source);
void weir_cache_source_forget(struct weir_cache_source *cache);

/* ---- read.c ---- */

/* Reads the numbers of a table whose prompts and wanted positions are all known. */
WEIR_CHECKED weir_status weir_source_table_fill(const struct weir_edit_source *source, struct weir_source_table *table);

#endif
