/* Completions of options and arguments, from which each shell's script is made. */
#include "cli/args/complete.h"

#include "points/points.h"
#include "points/select.h"

#include <string.h>

/* Values by their names in help; what is not here is a number or a text. */
static const struct {
    const char *value;
    enum completes what;
} values[] = {
    {"MODEL", COMPLETES_FILES},  {"FILE", COMPLETES_FILES}, {"OUT", COMPLETES_FILES},
    {"OUT.h5", COMPLETES_FILES}, {"LIST", COMPLETES_HOOKS}, {"PAGE.html", COMPLETES_FILES},
};

enum completes completes_of(const struct opt *opt)
{
    if (opt->kind == OPT_CHOICE || opt->offered)
        return COMPLETES_WORDS;
    for (size_t i = 0; opt->value && i < sizeof values / sizeof *values; i++)
        if (strcmp(values[i].value, opt->value) == 0)
            return values[i].what;
    return COMPLETES_NOTHING;
}

void put_words(FILE *to, const struct opt *opt)
{
    if (opt->kind == OPT_CHOICE) {
        for (const char *p = opt->value; *p; p++)
            fputc(*p == '|' ? ' ' : *p, to);
        return;
    }
    for (int i = 0; opt->offered && opt->offered(i); i++)
        fprintf(to, "%s%s", i ? " " : "", opt->offered(i));
}

void put_hooks(FILE *to)
{
    for (int i = 0; i < WEIR_N_POINTS; i++)
        fprintf(to, "%s%s", i ? " " : "", weir_point_at(i)->name);
}

enum completes completes_word(const struct command *command, int index)
{
    if (index >= command->most_words)
        return COMPLETES_NOTHING;
    return index > 0 && strstr(command->usage, "SELECTION") ? COMPLETES_HOOKS : COMPLETES_FILES;
}

void short_help(char to[80], const char *help)
{
    size_t n = strcspn(help, ";:("), at = 0;
    for (size_t i = 0; i < n && at < 76; i++)
        if (!strchr("'\"\n\\[]`$", help[i]))
            to[at++] = help[i];
    while (at > 0 && to[at - 1] == ' ')
        at--;
    to[at] = '\0';
}
