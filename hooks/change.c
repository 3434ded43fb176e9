/* Changes of cells: elementwise, along the rows of a basis, with the norm of a row kept. */
#include "hooks/change.h"

#include "points/points.h"

#include <math.h>
#include <string.h>

enum { PIECE_CELLS = 1 << 14 }; /* that a thread takes at a time */

/* ---- cells ---- */

struct weir_cells weir_cells_of(const weir_event *event, size_t window)
{
    struct weir_cells cells = {.data = event->data, .n_units = 1, .n_inner = 1, .row_step = 1, .first = event->first};
    int rows = weir_point_row_axis(event->point), units = weir_point_unit_axis(event->point);
    size_t step[WEIR_MAX_AXES] = {0}, n = 1;
    for (int i = event->n_axes - 1; i >= 0; i--) {
        step[i] = n;
        n *= event->shape[i];
    }
    cells.n_rows = event->shape[rows];
    cells.row_step = step[rows];
    if (units >= 0) {
        cells.n_units = event->shape[units];
        cells.unit_step = step[units];
    }
    for (int i = 0; i < event->n_axes; i++)
        if (i != rows && i != units)
            cells.n_inner *= event->shape[i];
    cells.has_keys = event->axes[event->n_axes - 1] == WEIR_AXIS_KEY;
    cells.window = cells.has_keys ? window : 0;
    return cells;
}

void weir_cells_by_expert(struct weir_cells *cells, const struct weir_model *model, const int32_t *chosen)
{
    cells->n_chosen = (size_t)model->config.n_active;
    cells->n_units = (size_t)model->config.n_experts;
    cells->n_inner = cells->unit_step = (size_t)model->config.d_expert;
    cells->experts = chosen;
}

float *weir_cells_unit(const struct weir_cells *cells, size_t row, size_t unit)
{
    float *x = cells->data + row * cells->row_step;
    if (!cells->experts)
        return x + unit * cells->unit_step;
    for (size_t i = 0; i < cells->n_chosen; i++)
        if (cells->experts[row * cells->n_chosen + i] == (int32_t)unit)
            return x + i * cells->unit_step;
    return NULL;
}

void weir_cells_visible(const struct weir_cells *cells, size_t row, size_t *begin, size_t *end)
{
    size_t query = cells->first + row;
    *begin = 0;
    *end = cells->n_inner;
    if (!cells->has_keys)
        return;
    *end = query + 1;
    *begin = cells->window && query + 1 > cells->window ? query + 1 - cells->window : 0;
}

size_t weir_cells_count(const struct weir_cells *cells, const struct weir_box *box)
{
    size_t count = 0, units = box->units.n > 0 ? box->units.n : 1;
    for (size_t i = 0; i < box->rows.n; i++) {
        size_t begin, end, seen = 0;
        weir_cells_visible(cells, weir_some_at(&box->rows, i), &begin, &end);
        for (size_t k = 0; box->keys.list && k < box->keys.n; k++)
            seen += (size_t)box->keys.list[k] >= begin && (size_t)box->keys.list[k] < end;
        count += units * (box->keys.list ? seen : end - begin);
    }
    return count;
}

/* ---- elements ---- */

/* x[i] op factor s[i * step]. What changes nothing leaves the very bits: -0 + 0 would be 0. */
static void change_run(const struct weir_change *change, float *x, const float *s, size_t step, size_t n)
{
    float f = change->factor;
    switch (change->op) {
    case WEIR_OP_SET:
        for (size_t i = 0; i < n; i++)
            x[i] = f * s[i * step];
        break;
    case WEIR_OP_ADD:
        for (size_t i = 0; i < n; i++)
            x[i] = f * s[i * step] == 0 ? x[i] : x[i] + f * s[i * step];
        break;
    case WEIR_OP_SUBTRACT:
        for (size_t i = 0; i < n; i++)
            x[i] = f * s[i * step] == 0 ? x[i] : x[i] - f * s[i * step];
        break;
    case WEIR_OP_SCALE:
        for (size_t i = 0; i < n; i++)
            x[i] *= f * s[i * step];
        break;
    case WEIR_OP_AT_MOST:
        for (size_t i = 0; i < n; i++)
            x[i] = x[i] > f * s[i * step] ? f * s[i * step] : x[i];
        break;
    case WEIR_OP_AT_LEAST:
        for (size_t i = 0; i < n; i++)
            x[i] = x[i] < f * s[i * step] ? f * s[i * step] : x[i];
        break;
    }
}

static double changed_coordinate(enum weir_edit_op op, double c, double s)
{
    switch (op) {
    case WEIR_OP_ADD:
        return c + s;
    case WEIR_OP_SUBTRACT:
        return c - s;
    case WEIR_OP_SCALE:
        return c * s;
    case WEIR_OP_AT_MOST:
        return c > s ? s : c;
    case WEIR_OP_AT_LEAST:
        return c < s ? s : c;
    default:
        return s;
    }
}

/* ---- along a basis ---- */

static double coordinate_in(const double *row, const float *x, size_t step, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += row[i] * (double)x[i * step];
    return sum;
}

/* x += (c' - c) B, where c are x's coordinates in B and c' what the change makes of them: those before any is moved,
   which the other rows, being orthogonal, do not change. */
static void change_along(const struct weir_change *change, float *x, const float *s, size_t step)
{
    for (size_t r = 0; r < change->rank; r++) {
        const double *row = change->basis + r * change->width;
        double f = (double)change->factor, had = coordinate_in(row, x, 1, change->width);
        double by = f * (change->by_coordinate ? (double)*s : coordinate_in(row, s, step, change->width));
        double moved = changed_coordinate(change->op, had, by) - had;
        for (size_t i = 0; moved != 0 && i < change->width; i++)
            x[i] = (float)((double)x[i] + moved * row[i]);
    }
}

/* ---- norms ---- */

static double norm_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* x to the norm that it had; a vector of zeros has no direction, and stays. */
static void restore_norm(float *x, size_t n, double had)
{
    double now = norm_of(x, n);
    for (size_t i = 0; now > 0 && (now < had || now > had) && i < n; i++)
        x[i] = (float)((double)x[i] * (had / now));
}

/* n numbers that stand side by side and are changed together. */
static void change_vector(const struct weir_change *change, float *x, const float *s, size_t step, size_t n)
{
    double had = change->keeps_norm ? norm_of(x, n) : 0;
    if (change->basis)
        change_along(change, x, s, step);
    else
        change_run(change, x, s, step, n);
    if (change->keeps_norm)
        restore_norm(x, n, had);
}

/* ---- boxes ---- */

struct change_job {
    const struct weir_change *change;
    const struct weir_cells *cells;
    const struct weir_box *box;
    const struct weir_operand *operand;
};

/* The visible keys of one unit of a row; x is its key 0. */
static void change_keys(const struct change_job *job, float *x, const float *s, size_t row)
{
    const struct weir_some *keys = &job->box->keys;
    size_t begin, end, step = job->operand->inner_step;
    weir_cells_visible(job->cells, row, &begin, &end);
    if (!keys->list) {
        change_run(job->change, x + begin, s + begin * step, step, end - begin);
        return;
    }
    for (size_t k = 0; k < keys->n; k++) {
        size_t key = (size_t)keys->list[k];
        if (key >= begin && key < end)
            change_run(job->change, x + key, s + k * step, 0, 1);
    }
}

/* Some of an expert's neurons. */
static void change_neurons(const struct change_job *job, float *x, const float *s)
{
    const struct weir_some *neurons = &job->box->keys;
    for (size_t k = 0; k < neurons->n; k++)
        change_run(job->change, x + neurons->list[k], s + k * job->operand->inner_step, 0, 1);
}

static void change_row(const struct change_job *job, size_t i)
{
    const struct weir_cells *cells = job->cells;
    const struct weir_operand *operand = job->operand;
    size_t row = weir_some_at(&job->box->rows, i), n_units = job->box->units.n > 0 ? job->box->units.n : 1;
    const float *s = operand->data + i * operand->row_step;
    if (!job->box->units.list && cells->n_inner == 1 && cells->unit_step <= 1) { /* channels, neurons: all of them */
        change_vector(job->change, cells->data + row * cells->row_step, s, operand->unit_step, n_units);
        return;
    }
    for (size_t u = 0; u < n_units; u++) {
        float *unit = weir_cells_unit(cells, row, weir_some_at(&job->box->units, u));
        if (!unit)
            continue;
        if (!cells->has_keys && job->box->keys.list)
            change_neurons(job, unit, s + u * operand->unit_step);
        else if (cells->has_keys)
            change_keys(job, unit, s + u * operand->unit_step, row);
        else
            change_vector(job->change, unit, s + u * operand->unit_step, operand->inner_step, cells->n_inner);
    }
}

static void change_rows(void *context, size_t first, size_t last, int worker)
{
    (void)worker;
    for (size_t i = first; i < last; i++)
        change_row(context, i);
}

void weir_change_box(const struct weir_change *change, const struct weir_cells *cells, const struct weir_box *box,
                     const struct weir_operand *operand, struct weir_pool *pool)
{
    struct change_job job = {change, cells, box, operand};
    size_t per_row = (box->units.n > 0 ? box->units.n : 1) * cells->n_inner, grain = PIECE_CELLS / (per_row + 1);
    weir_parallel(pool, box->rows.n, grain > 0 ? grain : 1, change_rows, &job);
}

/* ---- bases ---- */

static double product_of(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

weir_status weir_orthonormalize(double *basis, size_t rank, size_t width)
{
    for (size_t r = 0; r < rank; r++) {
        double *row = basis + r * width, size = sqrt(product_of(row, row, width));
        for (size_t pass = 0; pass < 2; pass++) /* a second time: the first leaves what rounding put there */
            for (size_t other = 0; other < r; other++) {
                double along = product_of(row, basis + other * width, width);
                for (size_t i = 0; i < width; i++)
                    row[i] -= along * basis[other * width + i];
            }
        double left = sqrt(product_of(row, row, width));
        if (!(left > 1e-9 * size))
            return weir_fail(WEIR_E_INPUT, "row %zu of the basis is %s", r,
                             size > 0 ? "a sum of those before it: leave it out" : "zero: it has no direction");
        for (size_t i = 0; i < width; i++)
            row[i] /= left;
    }
    return WEIR_OK;
}
