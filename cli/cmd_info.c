#include "cli/commands.h"
#include "cli/render.h"

#include <string.h>

enum { JSON };

static const struct opt opts[] = {[JSON] = OPT_JSON};

static bool is_hdf5(const char *path)
{
    static const char signature[8] = "\x89HDF\r\n\x1a\n";
    char begin[8];
    FILE *file = fopen(path, "rbe");
    bool found = file && fread(begin, 1, 8, file) == 8 && memcmp(begin, signature, 8) == 0;
    if (file)
        fclose(file);
    return found;
}

/* A row of the answer: a text or a number. Numbers of 0 do not apply and are left out. */
struct fact {
    const char *name, *text;
    uint64_t number;
};

static void print_fact(const struct fact *fact)
{
    printf("%-11s  ", fact->name);
    print_text(fact->text);
    putchar('\n');
}

static weir_status print_facts(const struct fact *facts, size_t n, bool json)
{
    cJSON *root = json ? cJSON_CreateObject() : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct fact *fact = &facts[i];
        if (json && fact->text)
            cJSON_AddStringToObject(root, fact->name, fact->text);
        else if (json)
            cJSON_AddNumberToObject(root, fact->name, (double)fact->number);
        else if (fact->text && *fact->text)
            print_fact(fact);
        else if (fact->number)
            printf("%-11s  %llu\n", fact->name, (unsigned long long)fact->number);
    }
    return json ? json_print(root) : WEIR_OK;
}

#define NUMBER(value) NULL, (uint64_t)(value)

static weir_status model_facts(const char *where, bool json)
{
    weir_model *model;
    TRY(weir_model_open(&model, where, NULL));
    const weir_model_info *info = weir_model_get_info(model);
    const struct fact facts[] = {
        {"kind", "model", 0},
        {"name", info->name, 0},
        {"path", info->path, 0},
        {"family", info->family, 0},
        {"format", info->format, 0},
        {"n_layers", NUMBER(info->n_layers)},
        {"n_heads", NUMBER(info->n_heads)},
        {"n_kv_heads", NUMBER(info->n_kv_heads)},
        {"d_head", NUMBER(info->d_head)},
        {"d_model", NUMBER(info->d_model)},
        {"d_mlp", NUMBER(info->d_mlp)},
        {"n_vocab", NUMBER(info->n_vocab)},
        {"n_context", NUMBER(info->n_context)},
        {"n_params", NUMBER(info->n_params)},
        {"tokenizer", info->has_tokenizer ? "yes" : "none: it runs on token ids only", 0},
        {"digest", info->digest, 0},
    };
    weir_status status = print_facts(facts, sizeof facts / sizeof *facts, json);
    weir_model_close(model);
    return status;
}

static uint64_t stored_bytes(const weir_file *file)
{
    uint64_t bytes = 0;
    for (int i = 0; weir_file_point_at(file, i); i++)
        bytes += weir_file_point_at(file, i)->bytes;
    return bytes;
}

static weir_status file_facts(const char *path, bool json)
{
    weir_file *file;
    TRY(weir_file_open(&file, path));
    const weir_file_info *info = weir_file_get_info(file);
    const struct fact facts[] = {
        {"kind", "file", 0},
        {"path", path, 0},
        {"model", info->model, 0},
        {"family", info->family, 0},
        {"created", info->created, 0},
        {"command", info->command ? info->command : "", 0},
        {"schema", NUMBER(info->schema)},
        {"dtype", dtype_text(info->dtype), 0},
        {"n_layers", NUMBER(info->n_layers)},
        {"n_prompts", NUMBER(info->n_prompts)},
        {"n_positions", NUMBER(info->n_positions)},
        {"n_tokens", NUMBER(info->n_key)},
        {"n_points", NUMBER(info->n_points)},
        {"bytes", NUMBER(stored_bytes(file))},
        {"digest", info->digest, 0},
    };
    weir_status status = print_facts(facts, sizeof facts / sizeof *facts, json);
    weir_file_close(file);
    return status;
}

static int run(const struct args *args)
{
    const char *where = args->words[0];
    return (int)(is_hdf5(where) ? file_facts(where, args->has[JSON]) : model_facts(where, args->has[JSON]));
}

const struct command cmd_info = {
    .name = "info",
    .summary = "tell what a model or a stored file is",
    .usage = "MODEL|FILE [--json]",
    .example = "weir info run.h5",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .run = run,
};
