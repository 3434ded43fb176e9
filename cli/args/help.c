/* Help pages: usage, notes and one row an option, wrapped to the terminal. */
#include "cli/args/help.h"

#include "cli/print/text.h"

#include <ctype.h>
#include <string.h>

#define WHAT_IT_IS                                                                                                     \
    "weir runs a transformer with named hook points, stores the activations, and answers questions about them."
#define OUTPUT_AND_CODES                                                                                               \
    "Results go to standard output, messages to standard error. Exit codes: 0 success, 1 a check came out negative, "  \
    "2 usage, "                                                                                                        \
    "3 bad input, 4 not supported, 5 could not write, 6 out of memory; 128 + n after signal n."

static const struct variable variables[] = {
    {"WEIR_MODEL",
     "the model for commands without -m, in any form that -m takes; if unset, rill, which comes with weir"},
    {"HF_HUB_CACHE, HF_HOME", "the place of the Hugging Face cache, which -m org/name searches"},
    {"HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE",
     "for weir pull: who asks, if no token is saved; which hub; and 1 if nothing may be fetched"},
    {"WEIR_ISA", "plain or avx2: use no wider instructions than these"},
    {"COLUMNS", "the width of the output; by default that of the terminal"},
    {"NO_COLOR", "if set, no colours are used"},
    {NULL, NULL},
};

const char *help_what(void)
{
    return WHAT_IT_IS;
}

const char *help_codes(void)
{
    return OUTPUT_AND_CODES;
}

const struct variable *help_variables(void)
{
    return variables;
}

/* "  -m, --model MODEL". @return its length. */
static size_t option_head(char *text, size_t size, const struct opt *opt)
{
    char letter[8] = "    ";
    if (opt->letter)
        snprintf(letter, sizeof letter, "-%c, ", opt->letter);
    return (size_t)snprintf(text, size, "  %s--%s%s%s", letter, opt->name, opt->value ? " " : "",
                            opt->value ? opt->value : "");
}

static void print_option(FILE *to, const struct opt *opt, size_t column, size_t width)
{
    char head[96];
    size_t n = option_head(head, sizeof head, opt);
    fprintf(to, "%s%*s", head, (int)(column - n), "");
    print_wrapped(to, opt->help, column, width);
}

void help_command(FILE *to, const struct command *command, size_t width)
{
    static const struct opt help = {'h', "help", OPT_FLAG, .help = "print this"};
    char head[96];
    size_t column = option_head(head, sizeof head, &help);
    fprintf(to, "weir %s: ", command->name);
    print_wrapped(to, command->summary, 0, width);
    fprintf(to, "\nUsage: weir %s ", command->name);
    print_wrapped(to, command->usage, 12 + strlen(command->name), width);
    if (command->notes) {
        fputc('\n', to);
        print_wrapped(to, command->notes, 0, width);
    }
    for (int i = 0; i < command->n_opts; i++) {
        size_t n = option_head(head, sizeof head, &command->opts[i]);
        column = n > column ? n : column;
    }
    fprintf(to, "\nOptions:\n");
    for (int i = 0; i < command->n_opts; i++)
        print_option(to, &command->opts[i], column + 2, width);
    print_option(to, &help, column + 2, width);
    fprintf(to, "\nExample:\n  %s\n", command->example);
}

void help_all(FILE *to, const struct command *const *commands, size_t n, size_t width)
{
    print_wrapped(to, WHAT_IT_IS, 0, width);
    fprintf(to, "\nUsage: weir COMMAND [OPTIONS]\n\nCommands:\n");
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "  %-10s", commands[i]->name);
        print_wrapped(to, commands[i]->summary, 12, width);
    }
    fputc('\n', to);
    print_wrapped(to,
                  "weir help COMMAND shows a command's options and an example, weir --version the version. WEIR_MODEL "
                  "in the environment names the model for commands without -m.\n" OUTPUT_AND_CODES,
                  0, width);
}

static void markdown_option(FILE *to, const struct opt *opt)
{
    fprintf(to, "| ");
    if (opt->letter)
        fprintf(to, "`-%c`, ", opt->letter);
    fprintf(to, "`--%s", opt->name);
    if (opt->value)
        fputc(' ', to);
    for (const char *p = opt->value ? opt->value : ""; *p; p++) /* | would end the cell */
        fprintf(to, *p == '|' ? "\\|" : "%c", *p);
    fprintf(to, "` | %s%s |\n", opt->help, opt->required ? " (required)" : "");
}

void help_markdown(FILE *to, const struct command *const *commands, size_t n)
{
    fprintf(to,
            "# The command line\n\n`weir help --markdown` writes this page from the option tables; do not edit "
            "it.\n\n%s\njson.md describes the output of `--json`.\n\n| variable | |\n|---|---|\n",
            OUTPUT_AND_CODES);
    for (const struct variable *variable = variables; variable->name; variable++)
        fprintf(to, "| `%s` | %s |\n", variable->name, variable->help);
    for (size_t i = 0; i < n; i++) {
        const struct command *command = commands[i];
        fprintf(to, "\n## weir %s\n\n%c%s.\n\n    weir %s %s\n", command->name,
                toupper((unsigned char)*command->summary), command->summary + 1, command->name, command->usage);
        if (command->notes)
            fprintf(to, "\n%s\n", command->notes);
        fprintf(to, "\n| option | |\n|---|---|\n");
        for (int j = 0; j < command->n_opts; j++)
            markdown_option(to, &command->opts[j]);
        fprintf(to, "| `-h`, `--help` | print the help |\n\nExample:\n\n    %s\n", command->example);
    }
}
