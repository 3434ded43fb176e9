/* Completion for zsh by its _arguments: one specification per spelling of an option. */
#include "cli/args/complete.h"

/* ":MODEL:_files", or the values that there are in parentheses. */
static void put_zsh_value(FILE *to, const struct opt *opt)
{
    enum completes what = completes_of(opt);
    if (opt->kind == OPT_CHOICE)
        fputs(":value:(", to);
    else
        fprintf(to, ":%s:%s", opt->value, what == COMPLETES_WORDS ? "(" : "");
    if (what == COMPLETES_WORDS) {
        put_words(to, opt);
        fputc(')', to);
    } else {
        fputs(what == COMPLETES_FILES ? "_files" : what == COMPLETES_HOOKS ? "_weir_points" : " ", to);
    }
}

/* One spelling of an option; the other is then no longer offered, unless the option repeats. */
static void put_zsh_option(FILE *to, const struct opt *opt, bool letter)
{
    char help[80];
    short_help(help, opt->help);
    fputs(" \\\n            '", to);
    if (opt->repeats)
        fputc('*', to);
    else if (opt->letter)
        fprintf(to, "(-%c --%s)", opt->letter, opt->name);
    if (letter)
        fprintf(to, "-%c%s", opt->letter, opt->kind == OPT_FLAG ? "" : "+");
    else
        fprintf(to, "--%s%s", opt->name, opt->kind == OPT_FLAG ? "" : "=");
    fprintf(to, "[%s]", help);
    if (opt->kind != OPT_FLAG)
        put_zsh_value(to, opt);
    fputc('\'', to);
}

static void put_zsh_command(FILE *to, const struct command *command)
{
    fprintf(to, "    %s)\n        _arguments -s", command->name);
    for (int i = 0; i < command->n_opts; i++) {
        if (command->opts[i].letter)
            put_zsh_option(to, &command->opts[i], true);
        put_zsh_option(to, &command->opts[i], false);
    }
    fputs(" \\\n            '(-h --help)'{-h,--help}'[print the help]'", to);
    for (int i = 0; i < command->most_words; i++)
        fprintf(to, " \\\n            '%d:word:%s'", i + 1,
                completes_word(command, i) == COMPLETES_HOOKS ? "_weir_points" : "_files");
    fputs(" ;;\n", to);
}

void complete_zsh(FILE *to, const struct command *const *commands, size_t n)
{
    char help[80];
    fputs("#compdef weir\n# zsh completion for weir, made from its option tables by: weir help --completion zsh\n"
          "_weir_points() {\n    local -a points=(",
          to);
    put_hooks(to);
    fputs(")\n    compset -P '*,'\n    compadd -S '' -a points\n}\n"
          "_weir() {\n    local -a commands=(\n",
          to);
    for (size_t i = 0; i < n; i++) {
        short_help(help, commands[i]->summary);
        fprintf(to, "        '%s:%s'\n", commands[i]->name, help);
    }
    fputs("        'help:show a command and its options'\n    )\n"
          "    if ((CURRENT == 2)); then\n        _describe command commands\n        compadd -- --help --version\n"
          "        return\n    fi\n    local command=$words[2]\n    shift words\n    ((CURRENT--))\n    case $command "
          "in\n"
          "    help) _describe command commands ;;\n",
          to);
    for (size_t i = 0; i < n; i++)
        put_zsh_command(to, commands[i]);
    fputs("    esac\n}\n_weir \"$@\"\n", to);
}
