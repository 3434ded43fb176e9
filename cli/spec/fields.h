/* The fields of a run spec, one table: the reader, the schema and the table in docs/run-specs.md are made from it. */
#ifndef WEIR_CLI_SPEC_FIELDS_H
#define WEIR_CLI_SPEC_FIELDS_H

#include "cli/args/args.h"

enum field_kind {
    FIELD_NOTE,      /* a text that is not read */
    FIELD_VERSION,   /* the number SPEC_VERSION */
    FIELD_SECTION,   /* an object of fields, the rows that follow it */
    FIELD_FLAG,      /* true or false */
    FIELD_WHOLE,     /* a whole number, as far as the option's goes */
    FIELD_CHOICE,    /* a text, one of the option's choices */
    FIELD_TEXT,      /* a text that is not empty, as those below */
    FIELD_RANGE,     /* positions: a text, or a whole number */
    FIELD_LIST,      /* a text, or a list of texts that are joined by commas */
    FIELD_SELECTION, /* the same, which is a selection */
    FIELD_PATH,      /* a file */
    FIELD_MODEL,     /* a file, a folder, or a name of the Hugging Face cache */
    FIELD_SIDES,     /* from here on: one, or a list of them, each of which gives the option once */
    FIELD_PATHS,     /* files */
    FIELD_PLUGINS,   /* FILE[:ARGS] */
    FIELD_ABLATIONS, /* LIST[=zero|mean|FILE] */
    FIELD_EDITS,     /* texts, or objects of select, op, value, along and keeping */
    FIELD_METRICS,   /* texts */
    FIELD_PROMPTS,   /* texts, lists of ids, or objects as the lines of a .jsonl file */
    FIELD_PAIRS,     /* objects with a prompt per side */
};

struct field {
    const char *path; /* "sweep.at" */
    enum field_kind kind;
    const char
        *options; /* the options that it stands for, by the first of these names that the command has; NULL: none */
    const char *commands; /* those that have the field: "run dump" */
    const char *help;     /* a sentence without its full stop */
};

enum { SPEC_VERSION = 1, N_SPEC_COMMANDS = 3 };

/* [*n] in the order in which the options are given to the command; a section comes before its fields. */
const struct field *spec_fields(size_t *n);
/* The commands that take specs. */
extern const char *const spec_commands[N_SPEC_COMMANDS];

/* True where the blank-separated list has the word. */
bool spec_list_has(const char *list, const char *word);
/* The index of the command's option that the field stands for; -1: it has none of them. */
int spec_option(const struct field *field, const struct command *command);
/* The command's option of that name; -1: none. */
int spec_option_named(const struct command *command, const char *name);
/* The last part of a field's path. */
const char *spec_field_name(const struct field *field);

#endif
