/* The command line as one text. */
#include "cli/args/join.h"

#include <stdio.h>
#include <string.h>

/* Appends text, as the shell would need it when `quoted`; what does not fit is dropped. */
static void append_word(char *to, size_t size, const char *text, bool quoted)
{
    size_t at = strlen(to);
    bool plain = !quoted || (*text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                         "0123456789_-+=:,./@%")]);
    const char *mark = plain ? "" : "'";
    at += (size_t)snprintf(to + at, size - at, "%s", mark);
    for (; *text && at + 8 < size; text++)
        at += (size_t)snprintf(to + at, size - at, *text == '\'' ? "'\\''" : "%c", *text);
    if (at + 1 < size)
        snprintf(to + at, size - at, "%s", mark);
}

void args_join(char *to, size_t size, const struct args *args)
{
    snprintf(to, size, "weir %s", args->command->name);
    for (size_t i = 0; i < args->n_given; i++) {
        const struct given *given = &args->given[i];
        size_t n = strlen(args->command->opts[given->opt].name) + 4 + (given->text ? strlen(given->text) : 0);
        if (strlen(to) + 2 * n + 8 > size) {
            append_word(to, size, " ...", false);
            return;
        }
        append_word(to, size, " --", false);
        append_word(to, size, args->command->opts[given->opt].name, false);
        if (given->text) {
            append_word(to, size, " ", false);
            append_word(to, size, given->text, true);
        }
    }
}
