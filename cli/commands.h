/* The commands, and what several of them do alike. */
#ifndef WEIR_CLI_COMMANDS_H
#define WEIR_CLI_COMMANDS_H

#include "cli/opt.h"

#include "points/select.h"

enum { ANSWER_NO = 1 };

extern const struct command cmd_dump, cmd_hooks, cmd_tokens, cmd_info, cmd_ls, cmd_show, cmd_export, cmd_stats,
    cmd_attn, cmd_heads, cmd_next, cmd_tui, cmd_view, cmd_diff, cmd_validate;

/* All of them, in the order of the help. */
extern const struct command *const commands[];
extern const size_t n_commands;

#define N_OPTS(table) (int)(sizeof(table) / sizeof *(table))

/* ---- notes.c ---- */

/* weir_model_open, and its notes on standard error, a line each. */
WEIR_CHECKED weir_status open_with_notes(weir_model **out, const char *where, const weir_model_options *options);

/* ---- prompts.c ---- */

struct prompts {
    weir_tokens *list; /* [n] */
    size_t n, capacity;
};

/* Which options of a command give prompts; -1: it has no such option. */
struct prompt_opts {
    int text, file, tokens, bos;
};

/* Every prompt on the command line in the order given, tokenized. WEIR_E_USAGE when there is none. */
WEIR_CHECKED weir_status prompts_read(struct prompts *out, const weir_model *model, const struct args *args,
                                      const struct prompt_opts *opts);
void prompts_close(struct prompts *prompts);
/* Whether a file's name ends so: ".jsonl". */
bool path_ends(const char *path, const char *end);

/* ---- repeats.c ---- */

enum { REPEAT_LENGTH = 50, REPEAT_SEQUENCES = 8 };

struct repeats {
    int length, sequences; /* length 0: REPEAT_LENGTH, or what the model's context holds */
    uint64_t seed;
};

/* Prompts of BOS (where the tokenizer has one), `length` random tokens, and the same tokens again. */
WEIR_CHECKED weir_status repeats_make(struct prompts *out, const weir_model *model, const struct repeats *how);

/* ---- files.c ---- */

/* Index of the prompt that --prompt names, from the end when negative. */
WEIR_CHECKED weir_status prompt_index(int *out, const weir_file *file, const struct args *args, int opt);
/* The same, or EVERY_PROMPT for --prompt all, as text. */
WEIR_CHECKED weir_status prompt_or_all(int *out, const weir_file *file, const struct args *args, int opt);
/* What --prompt names as a list of slices: empty, which is everything, for "all" and where the option is not given. */
const char *prompts_text(const struct args *args, int opt);
/* Refuses brackets, which name the prompt, beside --prompt. */
WEIR_CHECKED weir_status no_index(const struct weir_selection *selection);
/* "0-29", "0-3, 7" or "none" of the marked layers; "-" for points outside blocks. */
const char *layers_text(char to[64], const bool *layers, int n);
const char *dtype_text(weir_dtype dtype);

/* ---- interrupt.c ---- */

/* For all commands, at the start: a model file that another process cuts short, and a limit on the size of files, are
   errors of the run, not the end of the process; and no file gets the number of a closed standard stream. */
void process_begin(void);
/* From here on SIGHUP, SIGINT, SIGQUIT and SIGTERM are noted, so that a command can clean up, but for those that
   whoever started it has it ignore; no reader of a pipe is an error of writing. */
void interrupts_catch(void);
/* The signal that asked for an end, or 0. */
int interrupted(void);
/* WEIR_E_STOPPED with its message. */
weir_status stopped(void);
/* The exit code for a status: of an interrupted command 128 + the signal. */
int exit_code(int status);

#endif
