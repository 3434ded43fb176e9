/* The prompts of a stored file that a command means, and the names of types. */
#ifndef WEIR_CLI_SELECT_FILES_H
#define WEIR_CLI_SELECT_FILES_H

#include "cli/args/args.h"

#include "points/select.h"

/* Index of the prompt that --prompt names, from the end when negative. */
WEIR_CHECKED weir_status prompt_index(int *out, const weir_file *file, const struct args *args, int opt);
/* The same, or EVERY_PROMPT for --prompt all, as text; FIRST_PROMPT where the option is not given. */
WEIR_CHECKED weir_status prompt_or_all(int *out, const weir_file *file, const struct args *args, int opt);
/* The value of --prompt as a list of slices: empty, which is everything, for "all" and where the option is not
   given. */
const char *prompts_text(const struct args *args, int opt);
/* Notes on standard error that `n` prompts that were chosen, of which `first` is one, have no stored positions, and
   that `what` is without them. */
void say_left_out(size_t n, size_t first, const char *what);
/* Refuses brackets, which name the prompt, beside --prompt. */
WEIR_CHECKED weir_status no_index(const struct weir_selection *selection);
/* The failure of a text that could not be read, in place of what came of its lack; else the status given. A file that
   is not open has none. */
WEIR_CHECKED weir_status with_texts(weir_status status, const weir_file *file);
const char *dtype_text(weir_dtype dtype);

#endif
