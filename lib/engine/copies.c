/* Working copies of weights, in the form that products read, for runs that pass more than once. */
#include "base/alloc.h"
#include "engine/run.h"

#include <unistd.h>

/* Adds what a copy takes to *total. */
struct copies {
    struct weir_run *run;
    size_t total;
};

static weir_status count_copy(struct weir_matrix *matrix, void *payload)
{
    struct copies *copies = payload;
    size_t bytes;
    TRY(weir_matmul_copy_bytes(&bytes, copies->run->matmul, matrix));
    copies->total += bytes;
    return WEIR_OK;
}

static weir_status make_copy(struct weir_matrix *matrix, void *payload)
{
    struct weir_run *run = payload;
    struct weir_model *model = run->model;
    void *copy;
    size_t bytes;
    TRY(weir_matmul_copy_bytes(&bytes, run->matmul, matrix));
    if (bytes == 0)
        return WEIR_OK;
    TRY(weir_grow(&model->copies, &model->cap_copies, model->n_copies + 1, sizeof *model->copies));
    TRY(weir_alloc_aligned(&copy, bytes, 1));
    model->copies[model->n_copies++] = copy;
    weir_matmul_make_copy(run->matmul, matrix, copy);
    return WEIR_OK;
}

/* One pass converts weights piece by piece, which is faster than making a copy. From the second on a copy pays, if a
   quarter of the memory holds it (docs/performance.md). */
weir_status weir_run_keep_copies(struct weir_run *run)
{
    struct copies copies = {.run = run};
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    weir_status status = WEIR_OK;
    TRY(weir_model_each_matrix(run->model, count_copy, &copies));
    if (copies.total == 0 || copies.total > memory / 4)
        return WEIR_OK;
    pthread_mutex_lock(&run->model->lock);
    status = weir_model_each_matrix(run->model, make_copy, run);
    pthread_mutex_unlock(&run->model->lock);
    return status;
}
