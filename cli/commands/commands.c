/* The table of commands. */
#include "cli/commands/commands.h"

const struct command *const commands[] = {
    &cmd_run,  &cmd_dump,   &cmd_hooks, &cmd_tokens,   &cmd_info,   &cmd_pull,  &cmd_ls,
    &cmd_show, &cmd_export, &cmd_stats, &cmd_attn,     &cmd_heads,  &cmd_patch, &cmd_next,
    &cmd_tui,  &cmd_view,   &cmd_diff,  &cmd_validate, &cmd_schema,
};

const size_t n_commands = sizeof commands / sizeof commands[0];
