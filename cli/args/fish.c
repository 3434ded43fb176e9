/* Completion for fish: one line of "complete" per command and per option. */
#include "cli/args/complete.h"

/* "complete -c weir -n '__fish_seen_subcommand_from dump' -l hooks -x -a '...' -d '...'" */
static void put_fish_option(FILE *to, const struct command *command, const struct opt *opt)
{
    char help[80];
    enum completes what = completes_of(opt);
    short_help(help, opt->help);
    fprintf(to, "complete -c weir -n '__fish_seen_subcommand_from %s' -l %s", command->name, opt->name);
    if (opt->letter)
        fprintf(to, " -s %c", opt->letter);
    if (what == COMPLETES_FILES)
        fputs(" -r -F", to);
    else if (opt->kind != OPT_FLAG)
        fputs(" -x", to);
    if (what == COMPLETES_HOOKS)
        fputs(" -a '(__weir_points)'", to);
    if (what == COMPLETES_WORDS) {
        fputs(" -a '", to);
        put_words(to, opt);
        fputc('\'', to);
    }
    fprintf(to, " -d '%s'\n", help);
}

static void put_fish_command(FILE *to, const struct command *command)
{
    char help[80];
    short_help(help, command->summary);
    fprintf(to, "complete -c weir -n __fish_use_subcommand -a %s -d '%s'\n", command->name, help);
    if (command->most_words > 0)
        fprintf(to, "complete -c weir -n '__fish_seen_subcommand_from %s' -F\n", command->name);
    if (completes_word(command, 1) == COMPLETES_HOOKS)
        fprintf(to, "complete -c weir -n '__fish_seen_subcommand_from %s' -a '(__weir_points)'\n", command->name);
    for (int i = 0; i < command->n_opts; i++)
        put_fish_option(to, command, &command->opts[i]);
    fprintf(to, "complete -c weir -n '__fish_seen_subcommand_from %s' -l help -s h -d 'print the help'\n",
            command->name);
}

void complete_fish(FILE *to, const struct command *const *commands, size_t n)
{
    fputs("# fish completion for weir, made from its option tables by: weir help --completion fish\n"
          "function __weir_points -d 'hook points after the last comma'\n"
          "    set -l given (commandline -ct | string replace -r '^--[a-z-]*=' '')\n"
          "    set -l first (string replace -r '[^,]*$' '' -- $given)\n    printf \"$first%s\\n\" ",
          to);
    put_hooks(to);
    fputs("\nend\ncomplete -c weir -f\n"
          "complete -c weir -n __fish_use_subcommand -l version -s V -d 'print the version'\n"
          "complete -c weir -n __fish_use_subcommand -a help -d 'show a command and its options'\n"
          "complete -c weir -n '__fish_seen_subcommand_from help' -a '",
          to);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s%s", i ? " " : "", commands[i]->name);
    fputs("'\n", to);
    for (size_t i = 0; i < n; i++)
        put_fish_command(to, commands[i]);
}
