/* Regions of one value: sets of cells as disjoint boxes of rows by units by keys, added and taken away. */
#ifndef WEIR_ENGINE_REGION_H
#define WEIR_ENGINE_REGION_H

#include "base/status.h"

/* Some of an axis. */
struct weir_some {
    int32_t *list; /* [n] ascending; NULL: all n of them */
    size_t n;
};

/* Every one of the rows at every one of the units and keys. n is 0 for units and keys of a point that has none: one box
   is then rows, or rows by one of the two. */
struct weir_box {
    struct weir_some rows, units, keys;
};

/* Boxes that share no cell. */
struct weir_region {
    struct weir_box *boxes; /* [n]; n 0: nothing */
    size_t n, capacity;
    bool by_query_head; /* units are query heads: of a point by key-value heads, the copies that these read */
};

/* The marked of n, whose list stays NULL where all are. */
WEIR_CHECKED weir_status weir_some_marked(struct weir_some *out, const bool *marked, size_t n);
void weir_some_close(struct weir_some *some);
static inline size_t weir_some_at(const struct weir_some *some, size_t i)
{
    return some->list ? (size_t)some->list[i] : i;
}

void weir_box_close(struct weir_box *box);
/* Cells of a box; of a region. */
size_t weir_box_size(const struct weir_box *box);
size_t weir_region_size(const struct weir_region *region);

/* Adds what the region does not have yet of a box; takes the box away from it. The box is copied, and lies in a value
   of the same sizes: a NULL list has the same n in all boxes. @return WEIR_E_MEMORY. */
WEIR_CHECKED weir_status weir_region_add(struct weir_region *region, const struct weir_box *box);
WEIR_CHECKED weir_status weir_region_take(struct weir_region *region, const struct weir_box *box);
/* The smallest box that holds the region, in new memory: rows, units and keys that occur in any of its boxes. `all` is
   the box of the whole value. n of an axis is 0 where the region is empty. */
WEIR_CHECKED weir_status weir_region_bound(struct weir_box *out, const struct weir_region *region,
                                           const struct weir_box *all);
/* Makes it one box where it fills its smallest box. */
WEIR_CHECKED weir_status weir_region_join(struct weir_region *region, const struct weir_box *all);
void weir_region_close(struct weir_region *region);

#endif
