/* Commands and their options as tables: parsing, usage, help and docs/cli.md are all made from these rows. */
#ifndef WEIR_CLI_OPT_H
#define WEIR_CLI_OPT_H

#include "base/parallel.h"

#include <stdio.h>

enum opt_kind { OPT_FLAG, OPT_TEXT, OPT_WHOLE, OPT_REAL, OPT_CHOICE };

struct opt {
    char letter; /* 0: none */
    const char *name;
    enum opt_kind kind;
    const char *value; /* what help calls the value; choices: "f32|f16|bf16" */
    const char *help;
    int64_t least, most; /* of whole numbers, inclusive */
    bool required, repeats;
};

/* Rows that many commands have. */
#define OPT_MODEL                                                                                                      \
    {                                                                                                                  \
        'm', "model", OPT_TEXT, "MODEL",                                                                               \
            "a Hugging Face folder, a .gguf file, or an org/name in the Hugging Face cache; by default what "          \
            "WEIR_MODEL in the environment names, or else rill, a small model that comes with weir"                    \
    }
#define OPT_THREADS                                                                                                    \
    {                                                                                                                  \
        0, "threads", OPT_WHOLE, "N", "how many threads; as many as the machine has by default",                       \
            .least = 1, .most = WEIR_MOST_THREADS                                                                      \
    }
#define OPT_JSON                                                                                                       \
    {                                                                                                                  \
        0, "json", OPT_FLAG, NULL, "print JSON (docs/json.md)"                                                         \
    }
#define OPT_PROMPT_FILE                                                                                                \
    {                                                                                                                  \
        'f', "file", OPT_TEXT, "FILE",                                                                                 \
            "prompts from a file, a text a line (blank lines are passed over), or a JSON object a line: in a .jsonl "  \
            "file, and where the first line is one; - is standard input",                                              \
            .repeats = true                                                                                            \
    }
#define OPT_PROMPT_IDS                                                                                                 \
    {                                                                                                                  \
        0, "tokens", OPT_TEXT, "IDS", "a prompt as token ids, 1,2,3; may repeat", .repeats = true                      \
    }
#define OPT_BOS                                                                                                        \
    {                                                                                                                  \
        0, "bos", OPT_CHOICE, "yes|no|auto",                                                                           \
            "a beginning-of-sequence token in front of texts; auto, the default, is what the tokenizer says"           \
    }
#define OPT_FORCE                                                                                                      \
    {                                                                                                                  \
        0, "force", OPT_FLAG, NULL, "replace what exists under the output's name"                                      \
    }
#define OPT_PROMPT_INDEX                                                                                               \
    {                                                                                                                  \
        0, "prompt", OPT_WHOLE, "I", "which prompt; 0 by default, negative from the end", .least = -INT32_MAX,         \
                                                                                          .most = INT32_MAX            \
    }

#define OPT_PROMPT_OR_ALL                                                                                              \
    {                                                                                                                  \
        0, "prompt", OPT_TEXT, "I|all", "which prompt; 0 by default, negative from the end, or all"                    \
    }

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
    bool reads_files;                    /* its words are stored files: it runs apart (apart.h) */
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

/* argv without the command's name. WEIR_E_USAGE says what is wrong. Close with args_close. */
WEIR_CHECKED weir_status args_parse(struct args *out, const struct command *command, int argc, char **argv);
void args_close(struct args *args);
/* A whole number with its default. */
int args_int(const struct args *args, int opt, int otherwise);

/* The command of that name; otherwise WEIR_E_USAGE with the nearest. */
WEIR_CHECKED weir_status command_find(const struct command **out, const struct command *const *commands, size_t n,
                                      const char *name);
/* Help for one command, for all, and docs/cli.md; wrapped to `width`. */
void help_command(FILE *to, const struct command *command, size_t width);
void help_all(FILE *to, const struct command *const *commands, size_t n, size_t width);
void help_markdown(FILE *to, const struct command *const *commands, size_t n);
/* What all commands share: what weir is, what exit codes mean, and variables of the environment, the last without a
   name. */
struct variable {
    const char *name, *help;
};
const char *help_what(void);
const char *help_codes(void);
const struct variable *help_variables(void);
/* Manual pages: weir-COMMAND(1), and weir(1). */
void man_command(FILE *to, const struct command *command);
void man_all(FILE *to, const struct command *const *commands, size_t n);
/* Scripts that complete a command line. */
void complete_bash(FILE *to, const struct command *const *commands, size_t n);
void complete_zsh(FILE *to, const struct command *const *commands, size_t n);
void complete_fish(FILE *to, const struct command *const *commands, size_t n);

#endif
