/* The algebra of boxes: what is left of one where another is taken away is three boxes at most, one per axis. */
#include "engine/region.h"

#include "base/alloc.h"

#include <string.h>

/* ---- one axis ---- */

weir_status weir_some_marked(struct weir_some *out, const bool *marked, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += marked[i];
    *out = (struct weir_some){.n = count};
    if (count == n)
        return WEIR_OK;
    TRY(weir_alloc(&out->list, count, sizeof *out->list));
    for (size_t i = 0, at = 0; i < n; i++)
        if (marked[i])
            out->list[at++] = (int32_t)i;
    return WEIR_OK;
}

void weir_some_close(struct weir_some *some)
{
    weir_free(some->list);
    *some = (struct weir_some){0};
}

static weir_status copy_some(struct weir_some *out, const struct weir_some *some)
{
    *out = (struct weir_some){.n = some->n};
    if (!some->list)
        return WEIR_OK;
    TRY(weir_alloc(&out->list, some->n, sizeof *out->list));
    memcpy(out->list, some->list, some->n * sizeof *out->list);
    return WEIR_OK;
}

static bool is_nothing(const struct weir_some *some)
{
    return some->list && some->n == 0;
}

/* Lists those of a that b has, or those that b does not have. Neither may be all of the axis. */
static void list_common(struct weir_some *out, const struct weir_some *a, const struct weir_some *b, bool wanted)
{
    size_t j = 0;
    for (size_t i = 0; i < a->n; i++) {
        int32_t at = (int32_t)weir_some_at(a, i);
        while (j < b->n && b->list[j] < at)
            j++;
        if ((j < b->n && b->list[j] == at) == wanted)
            out->list[out->n++] = at;
    }
}

static weir_status intersect_some(struct weir_some *out, const struct weir_some *a, const struct weir_some *b)
{
    if (!a->list || !b->list)
        return copy_some(out, a->list ? a : b);
    *out = (struct weir_some){0};
    TRY(weir_alloc(&out->list, a->n, sizeof *out->list));
    list_common(out, a, b, true);
    return WEIR_OK;
}

/* a without b; `out` is nothing where b is all of the axis. */
static weir_status subtract_some(struct weir_some *out, const struct weir_some *a, const struct weir_some *b)
{
    *out = (struct weir_some){0};
    TRY(weir_alloc(&out->list, a->n, sizeof *out->list));
    if (b->list)
        list_common(out, a, b, false);
    return WEIR_OK;
}

static bool some_meet(const struct weir_some *a, const struct weir_some *b)
{
    if (!a->list || !b->list)
        return !is_nothing(a) && !is_nothing(b);
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        if (a->list[i] == b->list[j])
            return true;
        if (a->list[i] < b->list[j])
            i++;
        else
            j++;
    }
    return false;
}

/* ---- boxes ---- */

void weir_box_close(struct weir_box *box)
{
    weir_some_close(&box->rows);
    weir_some_close(&box->units);
    weir_some_close(&box->keys);
}

static weir_status duplicate_box(struct weir_box *out, const struct weir_box *box)
{
    TRY(copy_some(&out->rows, &box->rows));
    TRY(copy_some(&out->units, &box->units));
    return copy_some(&out->keys, &box->keys);
}

static bool boxes_meet(const struct weir_box *a, const struct weir_box *b)
{
    return some_meet(&a->rows, &b->rows) && some_meet(&a->units, &b->units) && some_meet(&a->keys, &b->keys);
}

/* An axis that the point does not have counts as one thing. */
static size_t some_size(const struct weir_some *some)
{
    return some->list || some->n > 0 ? some->n : 1;
}

size_t weir_box_size(const struct weir_box *box)
{
    return some_size(&box->rows) * some_size(&box->units) * some_size(&box->keys);
}

/* The three pieces of a outside b, of which any may be nothing: other rows; these rows with other units; these rows and
   units with other keys. */
static weir_status fill_pieces(struct weir_box pieces[3], const struct weir_box *a, const struct weir_box *b)
{
    TRY(subtract_some(&pieces[0].rows, &a->rows, &b->rows));
    TRY(copy_some(&pieces[0].units, &a->units));
    TRY(copy_some(&pieces[0].keys, &a->keys));
    TRY(intersect_some(&pieces[1].rows, &a->rows, &b->rows));
    TRY(subtract_some(&pieces[1].units, &a->units, &b->units));
    TRY(copy_some(&pieces[1].keys, &a->keys));
    TRY(copy_some(&pieces[2].rows, &pieces[1].rows));
    TRY(intersect_some(&pieces[2].units, &a->units, &b->units));
    return subtract_some(&pieces[2].keys, &a->keys, &b->keys);
}

/* ---- regions ---- */

size_t weir_region_size(const struct weir_region *region)
{
    size_t n = 0;
    for (size_t i = 0; i < region->n; i++)
        n += weir_box_size(&region->boxes[i]);
    return n;
}

/* Moves the box to the region's end, unless it has no cell. */
static weir_status move_box(struct weir_region *region, struct weir_box *box)
{
    if (is_nothing(&box->rows) || is_nothing(&box->units) || is_nothing(&box->keys))
        return WEIR_OK;
    TRY(weir_grow(&region->boxes, &region->capacity, region->n + 1, sizeof *region->boxes));
    region->boxes[region->n++] = *box;
    *box = (struct weir_box){0};
    return WEIR_OK;
}

/* Moves what lies outside `taken` of a box to the region's end. */
static weir_status move_outside(struct weir_region *region, struct weir_box *box, const struct weir_box *taken)
{
    struct weir_box pieces[3] = {0};
    if (!boxes_meet(box, taken))
        return move_box(region, box);
    weir_status status = fill_pieces(pieces, box, taken);
    for (int i = 0; i < 3; i++) {
        if (status == WEIR_OK)
            status = move_box(region, &pieces[i]);
        weir_box_close(&pieces[i]);
    }
    return status;
}

weir_status weir_region_take(struct weir_region *region, const struct weir_box *box)
{
    struct weir_region left = {.by_query_head = region->by_query_head};
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < region->n && status == WEIR_OK; i++)
        status = move_outside(&left, &region->boxes[i], box);
    if (status == WEIR_OK) {
        struct weir_region before = *region;
        *region = left;
        left = before;
    }
    weir_region_close(&left);
    return status;
}

weir_status weir_region_add(struct weir_region *region, const struct weir_box *box)
{
    struct weir_region added = {0};
    struct weir_box copy = {0};
    weir_status status;
    TRY_DONE(duplicate_box(&copy, box));
    TRY_DONE(move_box(&added, &copy));
    for (size_t i = 0; i < region->n; i++)
        TRY_DONE(weir_region_take(&added, &region->boxes[i]));
    for (size_t i = 0; i < added.n; i++)
        TRY_DONE(move_box(region, &added.boxes[i]));
done:
    weir_box_close(&copy);
    weir_region_close(&added);
    return status;
}

/* ---- the smallest box ---- */

static const struct weir_some *axis_of(const struct weir_box *box, int axis)
{
    return axis == 0 ? &box->rows : axis == 1 ? &box->units : &box->keys;
}

/* What occurs along one axis in any of the boxes. */
static weir_status bound_axis(struct weir_some *out, const struct weir_region *region, int axis, size_t n)
{
    bool *marked;
    TRY(weir_alloc_zero(&marked, n, sizeof *marked));
    for (size_t i = 0; i < region->n; i++) {
        const struct weir_some *some = axis_of(&region->boxes[i], axis);
        for (size_t j = 0; j < some->n; j++)
            marked[weir_some_at(some, j)] = true;
    }
    weir_status status = weir_some_marked(out, marked, n);
    weir_free(marked);
    return status;
}

static weir_status bound_axes(struct weir_box *out, const struct weir_region *region, const struct weir_box *all)
{
    if (region->n == 1)
        return duplicate_box(out, &region->boxes[0]);
    TRY(bound_axis(&out->rows, region, 0, all->rows.n));
    TRY(bound_axis(&out->units, region, 1, all->units.n));
    return bound_axis(&out->keys, region, 2, all->keys.n);
}

weir_status weir_region_bound(struct weir_box *out, const struct weir_region *region, const struct weir_box *all)
{
    *out = (struct weir_box){0};
    weir_status status = bound_axes(out, region, all);
    if (status != WEIR_OK)
        weir_box_close(out);
    return status;
}

weir_status weir_region_join(struct weir_region *region, const struct weir_box *all)
{
    struct weir_box bound;
    if (region->n < 2)
        return WEIR_OK;
    TRY(weir_region_bound(&bound, region, all));
    if (weir_box_size(&bound) != weir_region_size(region)) {
        weir_box_close(&bound);
        return WEIR_OK;
    }
    for (size_t i = 0; i < region->n; i++)
        weir_box_close(&region->boxes[i]);
    region->boxes[0] = bound;
    region->n = 1;
    return WEIR_OK;
}

void weir_region_close(struct weir_region *region)
{
    for (size_t i = 0; i < region->n; i++)
        weir_box_close(&region->boxes[i]);
    weir_free(region->boxes);
    *region = (struct weir_region){0};
}
