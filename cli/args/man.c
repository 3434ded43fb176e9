/* Manual pages, made from the option tables in the macros that every man knows. */
#include "cli/args/help.h"

#include <ctype.h>
#include <string.h>

enum { LINE = 64 };

static void put_roff_letter(FILE *to, char c)
{
    if (c == '\\')
        fputs("\\e", to);
    else if (c == '-')
        fputs("\\-", to);
    else
        fputc(c, to);
}

/* Text as roff takes it: a backslash means itself, a hyphen is one that can be copied, and no line begins with a dot or
   a quote by chance. After LINE letters a space may end a line of the source, if `filled`; man fills lines anyway. */
static void put_roff_text(FILE *to, const char *text, bool filled)
{
    size_t column = 0;
    for (; *text; text++) {
        if (column == 0 && (*text == '.' || *text == '\''))
            fputs("\\&", to);
        bool ends = *text == '\n' || (filled && *text == ' ' && column >= LINE);
        put_roff_letter(to, ends ? '\n' : *text);
        column = ends ? 0 : column + 1;
    }
}

static void put_roff_line(FILE *to, const char *text)
{
    put_roff_text(to, text, false);
}

/* Paragraphs, of which single line ends make new ones too. */
static void put_roff_paragraphs(FILE *to, const char *text)
{
    for (; *text; text++) {
        size_t n = strcspn(text, "\n");
        char line[4096];
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        if (n) {
            fputs(".PP\n", to);
            put_roff_text(to, line, true);
            fputc('\n', to);
        }
        text += n;
        if (!*text)
            return;
    }
}

static void put_man_head(FILE *to, const char *name, const char *summary)
{
    fprintf(to, ".\\\" Made from the option tables by weir help --man\n.TH ");
    for (const char *p = name; *p; p++)
        fputc(toupper((unsigned char)*p), to);
    fprintf(to, " 1 \"\" \"weir " WEIR_VERSION "\"\n.SH NAME\n");
    put_roff_line(to, name);
    fputs(" \\- ", to);
    put_roff_line(to, summary);
}

/* ".TP", the names in bold, the value in italics, the help. */
static void put_man_option(FILE *to, char letter, const char *name, const char *value, const char *help)
{
    fprintf(to, ".TP\n\\fB");
    if (letter)
        fprintf(to, "\\-%c\\fR, \\fB", letter);
    fputs("\\-\\-", to);
    put_roff_line(to, name);
    fputs("\\fR", to);
    if (value) {
        fputs(" \\fI", to);
        put_roff_line(to, value);
        fputs("\\fR", to);
    }
    fputc('\n', to);
    put_roff_text(to, help, true);
    fputc('\n', to);
}

void man_command(FILE *to, const struct command *command)
{
    char name[64];
    snprintf(name, sizeof name, "weir-%s", command->name);
    put_man_head(to, name, command->summary);
    fprintf(to, "\n.SH SYNOPSIS\n\\fBweir %s\\fR ", command->name);
    put_roff_line(to, command->usage);
    fputs("\n.SH DESCRIPTION\n", to);
    put_roff_text(to, command->summary, true);
    fputs(".\n", to);
    if (command->notes)
        put_roff_paragraphs(to, command->notes);
    fputs(".SH OPTIONS\n", to);
    for (int i = 0; i < command->n_opts; i++)
        put_man_option(to, command->opts[i].letter, command->opts[i].name, command->opts[i].value,
                       command->opts[i].help);
    put_man_option(to, 'h', "help", NULL, "print the help");
    fputs(".SH EXAMPLE\n.nf\n", to);
    put_roff_line(to, command->example);
    fputs("\n.fi\n.SH SEE ALSO\n.BR weir (1)\n", to);
}

void man_all(FILE *to, const struct command *const *commands, size_t n)
{
    put_man_head(to, "weir", "run transformers with named hook points, store and query activations");
    fputs("\n.SH SYNOPSIS\n\\fBweir\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n", to);
    put_roff_text(to, help_what(), true);
    fputc('\n', to);
    fputs(".SH COMMANDS\n", to);
    for (size_t i = 0; i < n; i++) {
        fprintf(to, ".TP\n\\fBweir\\-%s\\fR(1)\n", commands[i]->name);
        put_roff_text(to, commands[i]->summary, true);
        fputc('\n', to);
    }
    fputs(".TP\n\\fBweir help\\fR \\fICOMMAND\\fR\nprint a command's options and an example\n", to);
    put_man_option(to, 'V', "version", NULL, "print the version");
    fputs(".SH ENVIRONMENT\n", to);
    for (const struct variable *variable = help_variables(); variable->name; variable++) {
        fprintf(to, ".TP\n.B %s\n", variable->name);
        put_roff_text(to, variable->help, true);
        fputc('\n', to);
    }
    fputs(".SH EXIT STATUS\n", to);
    put_roff_text(to, help_codes(), true);
    fputs("\n.SH SEE ALSO\n", to);
    for (size_t i = 0; i < n; i++)
        fprintf(to, ".BR weir\\-%s (1)%s\n", commands[i]->name, i + 1 < n ? "," : "");
}
