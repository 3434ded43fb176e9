/* Rows of options that many commands have. */
#ifndef WEIR_CLI_ARGS_OPTIONS_H
#define WEIR_CLI_ARGS_OPTIONS_H

#include "cli/args/args.h"

#include "base/parallel.h"

#define OPT_MODEL                                                                                                      \
    {                                                                                                                  \
        'm', "model", OPT_TEXT, "MODEL",                                                                               \
            "a Hugging Face folder, a .gguf file, or an org/name in the Hugging Face cache; by default the model "     \
            "named by "                                                                                                \
            "WEIR_MODEL in the environment, or else rill, a small model that comes with weir"                          \
    }
#define OPT_PULL                                                                                                       \
    {                                                                                                                  \
        0, "pull", OPT_FLAG, NULL,                                                                                     \
            "fetch what the cache lacks of the model, an org/name[@revision], first, as weir pull does"                \
    }
#define OPT_THREADS                                                                                                    \
    {                                                                                                                  \
        0, "threads", OPT_WHOLE, "N", "how many threads; by default as many as the machine has",                       \
            .least = 1, .most = WEIR_MOST_THREADS                                                                      \
    }
#define OPT_PROCESS                                                                                                    \
    {                                                                                                                  \
        0, "process", OPT_TEXT, "LIST|tl",                                                                             \
            "process the weights as TransformerLens does, without changing what the model predicts: fold_ln, "         \
            "center_writing_weights, center_unembed, fold_value_biases, joined by commas; tl for those of the four "   \
            "that hold for the model"                                                                                  \
    }
#define OPT_PLUGIN                                                                                                     \
    {                                                                                                                  \
        0, "plugin", OPT_TEXT, "FILE[:ARGS]",                                                                          \
            "load a shared object that registers hooks of its own, readers or editors (docs/hooks.md); ARGS are "      \
            "passed to it; may repeat",                                                                                \
            .repeats = true                                                                                            \
    }
#define OPT_JSON                                                                                                       \
    {                                                                                                                  \
        0, "json", OPT_FLAG, NULL, "print JSON (docs/json.md)"                                                         \
    }
#define OPT_CSV                                                                                                        \
    {                                                                                                                  \
        0, "csv", OPT_FLAG, NULL, "print CSV"                                                                          \
    }
#define OPT_PROMPT_TEXT                                                                                                \
    {                                                                                                                  \
        'p', "prompt", OPT_TEXT, "TEXT", "a prompt; may repeat", .repeats = true                                       \
    }
#define OPT_PROMPT_FILE                                                                                                \
    {                                                                                                                  \
        'f', "file", OPT_TEXT, "FILE",                                                                                 \
            "prompts from a file, one text per line (blank lines are skipped), or one JSON object per line: in a "     \
            ".jsonl "                                                                                                  \
            "file, or if the first line is an object; - is standard input",                                            \
            .repeats = true                                                                                            \
    }
#define OPT_PROMPT_IDS                                                                                                 \
    {                                                                                                                  \
        0, "tokens", OPT_TEXT, "IDS", "a prompt as token ids, 1,2,3; may repeat", .repeats = true                      \
    }
#define OPT_PROMPT_LINE                                                                                                \
    {                                                                                                                  \
        0, "line", OPT_TEXT, "JSON", "a prompt as one JSON object, as a line of a .jsonl file; may repeat",            \
            .repeats = true                                                                                            \
    }
#define OPT_SIDE                                                                                                       \
    {                                                                                                                  \
        0, "side", OPT_TEXT, "NAME[=FIELD]",                                                                           \
            "each line of JSON is a pair or more, with one prompt in FIELD (by default NAME), which #NAME selects; "   \
            "may repeat, as in --side clean --side corrupt",                                                           \
            .repeats = true                                                                                            \
    }
#define OPT_BOS                                                                                                        \
    {                                                                                                                  \
        0, "bos", OPT_CHOICE, "yes|no|auto",                                                                           \
            "a beginning-of-sequence token in front of texts; auto, the default, follows the tokenizer"                \
    }
#define OPT_FORCE                                                                                                      \
    {                                                                                                                  \
        0, "force", OPT_FLAG, NULL, "replace an existing file"                                                         \
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

#define N_OPTS(table) (int)(sizeof(table) / sizeof *(table))

#endif
