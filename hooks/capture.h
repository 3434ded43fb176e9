/* Captures with results beside what they store: for a program that has them only after its run. */
#ifndef WEIR_HOOKS_CAPTURE_H
#define WEIR_HOOKS_CAPTURE_H

#include "base/status.h"

struct weir_store_grid;

/* As weir_capture_open. The grids [n_grids] stay the caller's until close, and their values are those at commit. */
WEIR_CHECKED weir_status weir_capture_open_with(weir_capture **out, weir_run *run, const char *path,
                                                const weir_tokens *prompts, size_t n,
                                                const weir_capture_options *options,
                                                const struct weir_store_grid *grids, size_t n_grids);

#endif
