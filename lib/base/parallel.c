/* The thread pool: workers take pieces of a range until none is left. */
#include "base/parallel.h"

#include "base/alloc.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { SPINS = 2000 };

struct worker {
    struct weir_pool *pool;
    pthread_t thread;
    int index;
};

struct weir_pool {
    struct worker *workers; /* [size - 1]: the caller is worker 0 */
    int size, started;
    pthread_mutex_t lock;
    pthread_cond_t start;
    atomic_uint round; /* goes up once a job */
    atomic_bool quit;
    atomic_int busy; /* workers still at the current job */
    atomic_size_t next;
    size_t n, grain;
    weir_job *job;
    void *context;
};

static void take_pieces(struct weir_pool *pool, int worker)
{
    for (;;) {
        size_t first = atomic_fetch_add_explicit(&pool->next, pool->grain, memory_order_relaxed);
        if (first >= pool->n)
            return;
        size_t left = pool->n - first;
        pool->job(pool->context, first, first + (left < pool->grain ? left : pool->grain), worker);
    }
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Jobs follow each other within microseconds during a pass: look for the next one before going to sleep. */
static void await_round(struct weir_pool *pool, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&pool->round, memory_order_acquire) != seen)
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->round) == seen)
        pthread_cond_wait(&pool->start, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void *run_worker(void *argument)
{
    struct worker *self = argument;
    struct weir_pool *pool = self->pool;
    unsigned seen = 0;
    for (;;) {
        await_round(pool, seen);
        seen++;
        if (atomic_load(&pool->quit))
            return NULL;
        take_pieces(pool, self->index);
        atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_release);
    }
}

static int available_processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < WEIR_MOST_THREADS ? n : WEIR_MOST_THREADS;
}

weir_status weir_pool_check(int n_threads)
{
    if (n_threads < 0 || n_threads > WEIR_MOST_THREADS)
        return weir_fail(WEIR_E_USAGE, "%d threads: give 1 to %d, or 0 for as many as there are", n_threads,
                         WEIR_MOST_THREADS);
    return WEIR_OK;
}

weir_status weir_pool_open(struct weir_pool **out, int n_threads)
{
    struct weir_pool *pool = NULL;
    *out = NULL;
    TRY(weir_pool_check(n_threads));
    if (n_threads == 0)
        n_threads = available_processors();
    TRY(weir_alloc_zero(&pool, 1, sizeof *pool));
    weir_status status = weir_alloc_zero(&pool->workers, (size_t)n_threads, sizeof *pool->workers);
    if (status != WEIR_OK) {
        weir_free(pool);
        return status;
    }
    pool->size = n_threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    for (int i = 1; i < n_threads; i++) {
        struct worker *worker = &pool->workers[i - 1];
        *worker = (struct worker){.pool = pool, .index = i};
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0) {
            weir_pool_close(pool);
            return weir_fail(WEIR_E_MEMORY, "could not start thread %d of %d: use fewer threads", i + 1, n_threads);
        }
        pool->started++;
    }
    *out = pool;
    return WEIR_OK;
}

static void begin_round(struct weir_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->round, 1);
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
}

void weir_pool_close(struct weir_pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->quit, true);
    begin_round(pool);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->start);
    weir_free(pool->workers);
    weir_free(pool);
}

int weir_pool_size(const struct weir_pool *pool)
{
    return pool->size;
}

void weir_parallel(struct weir_pool *pool, size_t n, size_t grain, weir_job *job, void *context)
{
    if (n == 0)
        return;
    if (grain == 0)
        grain = 1;
    if (n <= grain || pool->size == 1) {
        job(context, 0, n, 0);
        return;
    }
    pool->job = job;
    pool->context = context;
    pool->n = n;
    pool->grain = grain;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->busy, pool->size - 1, memory_order_relaxed);
    begin_round(pool);
    take_pieces(pool, 0);
    while (atomic_load_explicit(&pool->busy, memory_order_acquire) > 0)
        pause_briefly();
}
