/* The commands of weir. */
#ifndef WEIR_CLI_COMMANDS_COMMANDS_H
#define WEIR_CLI_COMMANDS_COMMANDS_H

#include "cli/args/args.h"

enum { ANSWER_NO = 1 };

extern const struct command cmd_run, cmd_dump, cmd_hooks, cmd_tokens, cmd_info, cmd_ls, cmd_show, cmd_export, cmd_stats,
    cmd_attn, cmd_heads, cmd_next, cmd_tui, cmd_view, cmd_diff, cmd_validate, cmd_patch, cmd_schema, cmd_pull;

/* All of them, in the order of the help. */
extern const struct command *const commands[];
extern const size_t n_commands;

#endif
