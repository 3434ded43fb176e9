/* Memory for activations that may outlive the call that made it: counted references, pages kept warm by reuse.
   The engine computes a value into a buffer and releases it; whoever needs the value longer (the writer thread) retains
   it, so that capture copies nothing. A buffer with more than one holder is never written to. */
#ifndef WEIR_BASE_BUFFER_H
#define WEIR_BASE_BUFFER_H

#include "base/status.h"

struct weir_buffers; /* a recycler */

struct weir_buffer {
    float *data;     /* [capacity], 64-byte aligned */
    size_t capacity; /* floats */
    struct weir_buffers *home;
    struct weir_buffer *next_free;
    int holders; /* atomic */
};

WEIR_CHECKED weir_status weir_buffers_open(struct weir_buffers **out);
/* The recycler goes when its last buffer comes back. */
void weir_buffers_close(struct weir_buffers *buffers);
/* A buffer of at least n floats with one holder; its contents are whatever was there. */
WEIR_CHECKED weir_status weir_buffer_take(weir_buffer **out, struct weir_buffers *buffers, size_t n);
bool weir_buffer_is_shared(const weir_buffer *buffer);

#endif
