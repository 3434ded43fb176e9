/* A pool of reference-counted buffers: what is released is kept warm and handed out again. */
#include "base/buffer.h"

#include "base/alloc.h"

#include <pthread.h>

struct weir_buffers {
    pthread_mutex_t lock;
    struct weir_buffer *free; /* not in use, most recently used first */
    size_t out;               /* buffers that someone holds */
    bool closed;
};

weir_status weir_buffers_open(struct weir_buffers **out)
{
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    pthread_mutex_init(&(*out)->lock, NULL);
    return WEIR_OK;
}

static void destroy_buffer(struct weir_buffer *buffer)
{
    weir_free(buffer->data);
    weir_free(buffer);
}

/* Called with the lock held, and gives it up. */
static void unlock_or_destroy(struct weir_buffers *buffers)
{
    bool last = buffers->closed && buffers->out == 0;
    pthread_mutex_unlock(&buffers->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&buffers->lock);
    weir_free(buffers);
}

void weir_buffers_close(struct weir_buffers *buffers)
{
    if (!buffers)
        return;
    pthread_mutex_lock(&buffers->lock);
    buffers->closed = true;
    while (buffers->free) {
        struct weir_buffer *next = buffers->free->next_free;
        destroy_buffer(buffers->free);
        buffers->free = next;
    }
    unlock_or_destroy(buffers);
}

/* The smallest free buffer that holds n floats without wasting more than half; unlinked. NULL when there is none. */
static struct weir_buffer *take_free_buffer(struct weir_buffers *buffers, size_t n)
{
    struct weir_buffer **best = NULL;
    for (struct weir_buffer **p = &buffers->free; *p; p = &(*p)->next_free)
        if ((*p)->capacity >= n && (*p)->capacity / 2 <= n && (!best || (*p)->capacity < (*best)->capacity))
            best = p;
    if (!best)
        return NULL;
    struct weir_buffer *found = *best;
    *best = found->next_free;
    return found;
}

static weir_status make_buffer(struct weir_buffer **out, size_t n)
{
    struct weir_buffer *buffer;
    *out = NULL;
    TRY(weir_alloc_zero(&buffer, 1, sizeof *buffer));
    weir_status status = weir_alloc_aligned(&buffer->data, n, sizeof *buffer->data);
    if (status != WEIR_OK) {
        weir_free(buffer);
        return status;
    }
    buffer->capacity = n;
    *out = buffer;
    return WEIR_OK;
}

weir_status weir_buffer_take(weir_buffer **out, struct weir_buffers *buffers, size_t n)
{
    pthread_mutex_lock(&buffers->lock);
    *out = take_free_buffer(buffers, n);
    if (*out)
        buffers->out++;
    pthread_mutex_unlock(&buffers->lock);
    if (!*out) {
        TRY(make_buffer(out, n));
        pthread_mutex_lock(&buffers->lock);
        buffers->out++;
        pthread_mutex_unlock(&buffers->lock);
    }
    (*out)->home = buffers;
    __atomic_store_n(&(*out)->holders, 1, __ATOMIC_RELAXED);
    return WEIR_OK;
}

bool weir_buffer_is_shared(const weir_buffer *buffer)
{
    return __atomic_load_n(&buffer->holders, __ATOMIC_ACQUIRE) > 1;
}

void weir_buffer_retain(weir_buffer *buffer)
{
    if (buffer)
        __atomic_add_fetch(&buffer->holders, 1, __ATOMIC_RELAXED);
}

void weir_buffer_release(weir_buffer *buffer)
{
    if (!buffer || __atomic_sub_fetch(&buffer->holders, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    struct weir_buffers *home = buffer->home;
    pthread_mutex_lock(&home->lock);
    home->out--;
    if (home->closed) {
        destroy_buffer(buffer);
    } else {
        buffer->next_free = home->free;
        home->free = buffer;
    }
    unlock_or_destroy(home);
}
