/* The one way to use threads: a pool whose workers neither fail nor allocate. */
#ifndef WEIR_BASE_PARALLEL_H
#define WEIR_BASE_PARALLEL_H

#include "base/status.h"

struct weir_pool;

/* A job over the items first to last - 1; `worker` is 0 to the pool's size - 1, for scratch of one's own. */
typedef void weir_job(void *context, size_t first, size_t last, int worker);

enum { WEIR_MOST_THREADS = 256 };

/* WEIR_E_USAGE for a number of threads that no pool has. */
WEIR_CHECKED weir_status weir_pool_check(int n_threads);
/* n_threads 0: as many as the machine lets this process have. The caller is one of them. */
WEIR_CHECKED weir_status weir_pool_open(struct weir_pool **out, int n_threads);
void weir_pool_close(struct weir_pool *pool);
int weir_pool_size(const struct weir_pool *pool);

/* Runs job over 0 to n - 1 in pieces of about `grain` items, whichever worker is free taking the next; returns when all
   are done. One caller at a time. */
void weir_parallel(struct weir_pool *pool, size_t n, size_t grain, weir_job *job, void *context);

#endif
