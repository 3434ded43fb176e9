/* Parses a command line by its command's option table. */
#include "cli/args/args.h"

#include "cli/args/near.h"

#include "base/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_FLAG = -1, NOT_FOUND = -2 };

/* ---- finding ---- */

static int find_long_option(const struct command *command, const char *name, size_t n)
{
    if (n == 4 && memcmp(name, "help", 4) == 0)
        return HELP_FLAG;
    for (int i = 0; i < command->n_opts; i++)
        if (strlen(command->opts[i].name) == n && memcmp(command->opts[i].name, name, n) == 0)
            return i;
    return NOT_FOUND;
}

static int find_option_letter(const struct command *command, char letter)
{
    if (letter == 'h')
        return HELP_FLAG;
    for (int i = 0; i < command->n_opts; i++)
        if (command->opts[i].letter == letter)
            return i;
    return NOT_FOUND;
}

/* Fails, with the options nearest to what was given. */
static weir_status unknown_option(const struct command *command, const char *name, size_t n)
{
    char given[64];
    struct near near = {0};
    snprintf(given, sizeof given, "%.*s", (int)n, name);
    near_add(&near, given, "help");
    for (int i = 0; i < command->n_opts; i++)
        near_add(&near, given, command->opts[i].name);
    if (near.n == 0)
        return weir_fail(WEIR_E_USAGE, "weir %s has no option --%s (weir help %s lists all)", command->name, given,
                         command->name);
    return weir_fail(WEIR_E_USAGE, "weir %s has no option --%s; the nearest is %s (weir help %s lists all)",
                     command->name, given, near_text(&near, "--"), command->name);
}

weir_status command_find(const struct command **out, const struct command *const *commands, size_t n, const char *name)
{
    struct near near = {0};
    *out = NULL;
    near_add(&near, name, "help");
    for (size_t i = 0; i < n; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            *out = commands[i];
            return WEIR_OK;
        }
        near_add(&near, name, commands[i]->name);
    }
    if (near.n == 0)
        return weir_fail(WEIR_E_USAGE, "there is no command '%s' (weir --help lists all)", name);
    return weir_fail(WEIR_E_USAGE, "there is no command '%s'; the nearest is %s (weir --help lists all)", name,
                     near_text(&near, ""));
}

/* ---- values ---- */

static weir_status parse_whole(int64_t *out, const struct opt *opt, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)*text))
        return weir_fail(WEIR_E_USAGE, "--%s: '%s' is not a whole number", opt->name, text);
    if (errno || value < opt->least || value > opt->most)
        return weir_fail(WEIR_E_USAGE, "--%s: %s is out of range; it goes from %lld to %lld", opt->name, text,
                         (long long)opt->least, (long long)opt->most);
    *out = value;
    return WEIR_OK;
}

static weir_status parse_real(double *out, const struct opt *opt, const char *text)
{
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || !isfinite(*out) || *out < 0)
        return weir_fail(WEIR_E_USAGE, "--%s: '%s' is not a number of 0 or more", opt->name, text);
    return WEIR_OK;
}

/* The index of a text in "a|b|c". */
static weir_status parse_choice(int64_t *out, const struct opt *opt, const char *text)
{
    const char *p = opt->value;
    for (*out = 0;; (*out)++) {
        size_t n = strcspn(p, "|");
        if (n == strlen(text) && memcmp(p, text, n) == 0)
            return WEIR_OK;
        if (p[n] == '\0')
            return weir_fail(WEIR_E_USAGE, "--%s: '%s' is not one of %s", opt->name, text, opt->value);
        p += n + 1;
    }
}

static weir_status parse_value(struct args *args, int i, const char *text)
{
    const struct opt *opt = &args->command->opts[i];
    switch (opt->kind) {
    case OPT_WHOLE:
        return parse_whole(&args->whole[i], opt, text);
    case OPT_REAL:
        return parse_real(&args->real[i], opt, text);
    case OPT_CHOICE:
        return parse_choice(&args->whole[i], opt, text);
    case OPT_FLAG:
    case OPT_TEXT:
        break;
    }
    return WEIR_OK;
}

/* ---- the command line ---- */

/* The part of it that is not parsed yet. */
struct line {
    char **argv;
    int argc, at;
};

/* Takes option i with the value that is attached to it, or else the next word. */
static weir_status take_option(struct args *args, struct line *line, int i, const char *attached)
{
    const struct opt *opt = &args->command->opts[i];
    if (opt->kind == OPT_FLAG && attached)
        return weir_fail(WEIR_E_USAGE, "--%s takes no value", opt->name);
    if (args->has[i] && !opt->repeats && opt->kind != OPT_FLAG)
        return weir_fail(WEIR_E_USAGE, "--%s is given twice", opt->name);
    if (opt->kind != OPT_FLAG && !attached) {
        if (line->at == line->argc)
            return weir_fail(WEIR_E_USAGE, "--%s needs a value (%s)", opt->name, opt->value);
        attached = line->argv[line->at++];
    }
    args->has[i] = true;
    args->text[i] = attached;
    args->given[args->n_given++] = (struct given){i, attached};
    return attached ? parse_value(args, i, attached) : WEIR_OK;
}

/* "--name VALUE" or "--name=VALUE"; `word` is what follows the dashes. */
static weir_status take_long_option(struct args *args, struct line *line, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    int i = find_long_option(args->command, word, n);
    if (i == NOT_FOUND)
        return unknown_option(args->command, word, n);
    if (i == HELP_FLAG) {
        args->help = true;
        return WEIR_OK;
    }
    return take_option(args, line, i, equals ? equals + 1 : NULL);
}

/* "-m", "-mVALUE" or several flags in one. */
static weir_status take_letter_options(struct args *args, struct line *line, const char *word)
{
    for (const char *p = word; *p; p++) {
        int i = find_option_letter(args->command, *p);
        if (i == NOT_FOUND)
            return weir_fail(WEIR_E_USAGE, "weir %s has no option -%c (weir help %s lists all)", args->command->name,
                             *p, args->command->name);
        if (i == HELP_FLAG) {
            args->help = true;
            continue;
        }
        if (args->command->opts[i].kind != OPT_FLAG)
            return take_option(args, line, i, p[1] ? p + 1 : NULL);
        TRY(take_option(args, line, i, NULL));
    }
    return WEIR_OK;
}

/* Sorts the command line into options and arguments; after "--" there are arguments only. */
static weir_status take_arguments(struct args *args, struct line *line)
{
    bool only_words = false;
    while (line->at < line->argc) {
        const char *word = line->argv[line->at++];
        if (only_words || word[0] != '-' || word[1] == '\0')
            args->words[args->n_words++] = word;
        else if (strcmp(word, "--") == 0)
            only_words = true;
        else if (word[1] == '-')
            TRY(take_long_option(args, line, word + 2));
        else
            TRY(take_letter_options(args, line, word + 1));
    }
    return WEIR_OK;
}

/* Fails where a required option is missing. */
static weir_status check_required(const struct args *args)
{
    const struct command *command = args->command;
    for (int i = 0; i < command->n_opts; i++)
        if (command->opts[i].required && !args->has[i])
            return weir_fail(WEIR_E_USAGE, "--%s is missing; usage: weir %s %s", command->opts[i].name, command->name,
                             command->usage);
    return WEIR_OK;
}

/* Fails for too few or too many arguments. */
static weir_status check_words(const struct args *args)
{
    const struct command *command = args->command;
    if (args->n_words < command->least_words)
        return weir_fail(WEIR_E_USAGE, "too few arguments; usage: weir %s %s", command->name, command->usage);
    if (args->n_words > command->most_words)
        return weir_fail(WEIR_E_USAGE, "unexpected argument '%s'; usage: weir %s %s", args->words[command->most_words],
                         command->name, command->usage);
    return WEIR_OK;
}

/* Files that a command reads by name are HDF5 or models, which need to be read in any order: "-" cannot be one. */
static weir_status check_dashes(const struct args *args)
{
    for (int i = 0; i < args->n_words && !args->command->takes_spec; i++)
        if (strcmp(args->words[i], "-") == 0)
            return weir_fail(
                WEIR_E_USAGE,
                "weir %s cannot read standard input ('-'), because it reads its file out of order: name a file",
                args->command->name);
    return WEIR_OK;
}

weir_status args_parse(struct args *out, const struct command *command, int argc, char **argv)
{
    struct line line = {argv, argc, 0};
    weir_status status;
    size_t most = 0; /* options: a word can hold several letters */
    *out = (struct args){.command = command};
    for (int i = 0; i < argc; i++)
        most += strlen(argv[i]);
    TRY_DONE(weir_alloc(&out->given, most, sizeof *out->given));
    TRY_DONE(weir_alloc(&out->words, (size_t)argc, sizeof *out->words));
    TRY_DONE(take_arguments(out, &line));
    if (!out->help) {
        if (!command->takes_spec || out->n_words == 0)
            TRY_DONE(check_required(out));
        TRY_DONE(check_words(out));
        TRY_DONE(check_dashes(out));
    }
done:
    if (status != WEIR_OK)
        args_close(out);
    return status;
}

/* Of n options those that count beside what is given. */
static size_t keep_unless_given(struct given *out, const struct args *args, const struct given *given, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (args->command->opts[given[i].opt].repeats || !args->has[given[i].opt])
            out[kept++] = given[i];
    return kept;
}

weir_status args_insert(struct args *args, const struct given *given, size_t n)
{
    struct given *all;
    TRY(weir_alloc(&all, n + args->n_given, sizeof *all));
    size_t kept = keep_unless_given(all, args, given, n);
    if (args->n_given > 0)
        memcpy(all + kept, args->given, args->n_given * sizeof *all);
    weir_free(args->given);
    args->given = all;
    args->n_given += kept;
    for (size_t i = 0; i < args->n_given; i++) {
        args->has[all[i].opt] = true;
        args->text[all[i].opt] = all[i].text;
        if (all[i].text)
            TRY(parse_value(args, all[i].opt, all[i].text));
    }
    return check_required(args);
}

void args_close(struct args *args)
{
    weir_free(args->given);
    weir_free(args->words);
    args->given = NULL;
    args->words = NULL;
}

int args_int(const struct args *args, int opt, int otherwise)
{
    return args->has[opt] ? (int)args->whole[opt] : otherwise;
}
