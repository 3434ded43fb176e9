/* Commands and their options as tables: the command line is parsed by them, and help, manual pages, completions and
   docs/cli.md are made from them. */
#ifndef WEIR_CLI_ARGS_ARGS_H
#define WEIR_CLI_ARGS_ARGS_H

#include "base/status.h"

enum opt_kind { OPT_FLAG, OPT_TEXT, OPT_WHOLE, OPT_REAL, OPT_CHOICE };

struct opt {
    char letter; /* 0: none */
    const char *name;
    enum opt_kind kind;
    const char *value; /* what help calls the value; choices: "f32|f16|bf16" */
    const char *help;
    int64_t least, most; /* of whole numbers, inclusive */
    bool required, repeats;
    const char *(*offered)(int i); /* values that a shell offers, NULL past the last; NULL: none but those of choices */
};

enum { MAX_OPTS = 32 };

struct args;

struct command {
    const char *name, *summary; /* the summary is one line without a full stop */
    const char *usage;          /* what follows the name */
    const char *notes;          /* paragraphs for help, or NULL */
    const char *example;
    const struct opt *opts; /* [n_opts]; --help is understood by all */
    int n_opts, least_words, most_words;
    int (*run)(const struct args *args); /* the exit code, or a weir_status with its message set */
    bool reads_files;                    /* its arguments are stored files: guard_files */
    bool takes_spec;                     /* its one argument, which may be missing, is a run spec: more options */
};

/* One option as it stood on the command line, for those that repeat. */
struct given {
    int opt;
    const char *text;
};

/* A parsed command line; everything in it points into argv or the tables. Options are indexed as in the table. */
struct args {
    const struct command *command;
    bool has[MAX_OPTS];
    const char *text[MAX_OPTS]; /* the last one given */
    int64_t whole[MAX_OPTS];    /* of whole numbers; of choices, which */
    double real[MAX_OPTS];
    struct given *given; /* [n_given] in order */
    size_t n_given;
    const char **words; /* [n_words] what is no option */
    int n_words;
    bool help;
};

/* argv without the command's name. WEIR_E_USAGE names what is wrong. Options that are required may be missing where
   there is a run spec. Close with args_close. */
WEIR_CHECKED weir_status args_parse(struct args *out, const struct command *command, int argc, char **argv);
/* Puts the options of a run spec, n of them, in front of those given, but for those that are given already and may not
   repeat; then required ones may not be missing. args borrows the texts. */
WEIR_CHECKED weir_status args_insert(struct args *args, const struct given *given, size_t n);
void args_close(struct args *args);
/* A whole number with its default. */
int args_int(const struct args *args, int opt, int otherwise);

/* The command of that name; otherwise WEIR_E_USAGE with the nearest. */
WEIR_CHECKED weir_status command_find(const struct command **out, const struct command *const *commands, size_t n,
                                      const char *name);
#endif
