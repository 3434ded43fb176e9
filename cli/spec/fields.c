/* The table of the fields of a run spec. */
#include "cli/spec/fields.h"

#include <string.h>

#define ALL  "run dump patch"
#define RUNS "run dump"

static const struct field fields[] = {
    {"$schema", FIELD_NOTE, NULL, ALL, "the schema's address, for editors; weir does not read it"},
    {"weir_spec", FIELD_VERSION, NULL, ALL, "the version of this format, 1; required"},
    {"note", FIELD_NOTE, NULL, ALL, "what it is about, for people; weir does not read it"},
    {"model", FIELD_MODEL, "model", ALL, "a folder or a .gguf file, or an org/name in the Hugging Face cache"},
    {"process", FIELD_LIST, "process", ALL, "how the weights are processed first: fold_ln and the like, or tl"},
    {"compute", FIELD_CHOICE, "compute", RUNS, "the precision of the weight matrix products"},
    {"threads", FIELD_WHOLE, "threads", ALL, "how many threads"},
    {"bos", FIELD_CHOICE, "bos", ALL, "whether a beginning-of-sequence token stands in front of texts"},
    {"plugins", FIELD_PLUGINS, "plugin", RUNS, "shared objects that register hooks, FILE or FILE:ARGS"},
    {"sides", FIELD_SIDES, "side", RUNS,
     "the sides of pairs, NAME or NAME=FIELD: which members of an object are prompts; of pairs by default clean and "
     "corrupt"},
    {"prompts", FIELD_PROMPTS, "prompt tokens line", RUNS,
     "prompts: texts, lists of token ids, or objects as the lines of a .jsonl file are, with any fields"},
    {"prompt_files", FIELD_PATHS, "file", RUNS, "files of prompts, behind those above"},
    {"pairs", FIELD_PAIRS, "line", ALL,
     "instead of prompts: objects with clean and corrupt (texts, or lists of token ids), answer, wrong and any other "
     "fields"},
    {"pair_files", FIELD_PATHS, "pairs file", ALL, "files of such objects, one per line, behind those above"},
    {"ablate", FIELD_ABLATIONS, "ablate", ALL, "what is set to zero or to a mean, in front of the edits"},
    {"edits", FIELD_EDITS, "edit", ALL, "edits in this order, as text or as objects"},
    {"metrics", FIELD_METRICS, "metric", ALL, "what is measured"},
    {"against", FIELD_CHOICE, "against", "run", "the run that is printed beside the one with edits"},
    {"next", FIELD_SECTION, NULL, "run", "the predictions that are printed"},
    {"next.positions", FIELD_RANGE, "positions", "run", "the positions whose next tokens are printed"},
    {"next.top", FIELD_WHOLE, "top", "run", "how many tokens per position"},
    {"capture", FIELD_SECTION, NULL, RUNS, "what is stored"},
    {"capture.hooks", FIELD_SELECTION, "hooks", RUNS, "the hook points"},
    {"capture.positions", FIELD_RANGE, "positions", "dump", "the positions, of every hook point"},
    {"capture.next", FIELD_WHOLE, "next", "dump", "how many likely next tokens per position"},
    {"capture.dtype", FIELD_CHOICE, "dtype", RUNS, "the type of numbers"},
    {"capture.compress", FIELD_CHOICE, "compress", RUNS, "whether patterns are compressed"},
    {"sweep", FIELD_SECTION, NULL, "patch", "what is patched"},
    {"sweep.at", FIELD_SELECTION, "at", "patch", "the hook points"},
    {"sweep.by", FIELD_CHOICE, "by", "patch", "what is patched at a time"},
    {"sweep.direction", FIELD_CHOICE, "direction", "patch", "which prompt of a pair runs, and which gives the values"},
    {"sweep.to", FIELD_LIST, "to", "patch",
     "path patching: the hook points through which alone a patch reaches the metric"},
    {"sweep.path", FIELD_CHOICE, "path", "patch",
     "how a patch comes there: with all other heads held, or by the direct path alone"},
    {"sweep.freeze_mlps", FIELD_FLAG, "freeze-mlps", "patch", "whether the outputs of MLPs are held on the way"},
    {"sweep.circuit", FIELD_PATH, "circuit", "patch", "instead of a grid: a file of edges, which alone are clean"},
    {"output", FIELD_SECTION, NULL, ALL, "what is written and printed"},
    {"output.file", FIELD_PATH, "output", ALL, "the .h5 file that is written"},
    {"output.force", FIELD_FLAG, "force", ALL, "whether existing files are replaced"},
    {"output.yes", FIELD_FLAG, "yes", RUNS, "whether a file of more than 4 GB is written"},
    {"output.json", FIELD_FLAG, "json", "run", "whether JSON is printed"},
    {"output.csv", FIELD_FLAG, "csv", "run patch", "whether CSV is printed"},
    {"output.show", FIELD_CHOICE, "show", "patch", "which numbers the grids show"},
    {"output.top", FIELD_WHOLE, "top", "patch", "how many of the strongest cells are printed, instead of grids"},
    {"output.png", FIELD_PATH, "png", "patch", "a picture of the grids"},
    {"output.svg", FIELD_PATH, "svg", "patch", "the same as SVG"},
    {"output.scheme", FIELD_CHOICE, "scheme", "patch", "the colours of the pictures"},
};

const char *const spec_commands[N_SPEC_COMMANDS] = {"run", "dump", "patch"};

const struct field *spec_fields(size_t *n)
{
    *n = sizeof fields / sizeof *fields;
    return fields;
}

bool spec_list_has(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; *p; p += strspn(p, " ")) {
        size_t length = strcspn(p, " ");
        if (length == n && memcmp(p, word, n) == 0)
            return true;
        p += length;
    }
    return false;
}

int spec_option_named(const struct command *command, const char *name)
{
    for (int i = 0; i < command->n_opts; i++)
        if (strcmp(command->opts[i].name, name) == 0)
            return i;
    return -1;
}

int spec_option(const struct field *field, const struct command *command)
{
    char name[32];
    for (const char *p = field->options; p && *p; p += strspn(p, " ")) {
        size_t length = strcspn(p, " ");
        memcpy(name, p, length);
        name[length] = '\0';
        int option = spec_option_named(command, name);
        if (option >= 0)
            return option;
        p += length;
    }
    return -1;
}

const char *spec_field_name(const struct field *field)
{
    const char *dot = strrchr(field->path, '.');
    return dot ? dot + 1 : field->path;
}
