/* What attention and MLP are made of: sums, norms, linear maps, each over all positions of the batch. */
#ifndef WEIR_ENGINE_STEPS_H
#define WEIR_ENGINE_STEPS_H

#include "engine/run.h"

/* Those that return a status give WEIR_E_MEMORY, or what a hook returned. */

/* Calls fn on pieces of n rows of about `row` floats each, on all threads. */
void weir_step_rows(const struct weir_run *run, size_t n, size_t row, weir_job *fn, void *context);

/* out = a + b, [total_pos, d_model] each */
void weir_step_add(const struct weir_run *run, weir_buffer *out, const weir_buffer *a, const weir_buffer *b);
/* stream += what */
WEIR_CHECKED weir_status weir_stream_add(struct weir_run *run, const weir_buffer *what);

/* *value = fn(*value) row by row of `width` floats, in place when nobody else holds it. */
typedef void weir_step_fn(float *out, const float *in, size_t n, const void *context);
WEIR_CHECKED weir_status weir_step_map(struct weir_run *run, weir_buffer **value, size_t width, weir_step_fn *fn,
                                       const void *context);
/* *value *= by; nothing for 1, nor for 0, which stands for no factor. */
WEIR_CHECKED weir_status weir_step_scale(struct weir_run *run, weir_buffer **value, size_t width, double by);

/* The points of a norm, in the order in which they fire; WEIR_NO_POINT for what it has not. */
struct weir_norm_points {
    int scale, normalized, out;
};
/* `in` -> *out [total_pos, norm->d], through the norm's points. A norm of kind NONE gives what it gets, and fires
   nothing. */
WEIR_CHECKED weir_status weir_step_norm(struct weir_run *run, weir_buffer **out, weir_buffer *in,
                                        const struct weir_norm *norm, float eps, struct weir_norm_points points,
                                        int layer);
/* A branch's output to what is added to the stream: its post-norm, its multiplier, in *value; then the point
   points.out. */
WEIR_CHECKED weir_status weir_step_finish_branch(struct weir_run *run, weir_buffer **value,
                                                 const struct weir_norm *norm, struct weir_norm_points points,
                                                 int layer);
/* *out [total_pos, n_out] = in [total_pos, n_in] W^T + b */
WEIR_CHECKED weir_status weir_step_linear(struct weir_run *run, weir_buffer **out, const weir_buffer *in,
                                          const struct weir_linear *linear);
/* mlp_post = f(mlp_pre) or f(mlp_pre) * mlp_linear, rows of `width`, in the place of mlp_pre when nobody holds that */
WEIR_CHECKED weir_status weir_step_activate(struct weir_run *run, const struct weir_layer_spec *spec, size_t width);

#endif
