/* weir info: what a model or a stored file is, and whether all weights are finite. */
#include "cli/args/model.h"
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/commands/kinds.h"
#include "cli/print/json.h"
#include "cli/print/text.h"
#include "cli/process/guard.h"
#include "cli/select/files.h"

#include "base/input.h"
#include "model/model.h"

#include <string.h>
#include <unistd.h>

enum { MODEL, PULL, JSON, CHECK };

static const struct opt opts[] = {
    [MODEL] = OPT_MODEL,
    [PULL] = OPT_PULL,
    [JSON] = OPT_JSON,
    [CHECK] = {0, "check", OPT_FLAG, NULL,
               "read all weights of a model and name the tensors that contain NaN or infinities"},
};

/* True where a file begins with the signature of HDF5. */
static bool is_hdf5(const char *path)
{
    static const char signature[8] = "\x89HDF\r\n\x1a\n";
    char begin[8];
    struct stat st;
    int fd;
    if (weir_input_open(&fd, &st, path) != WEIR_OK)
        return false;
    bool found = read(fd, begin, 8) == 8 && memcmp(begin, signature, 8) == 0;
    close(fd);
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

/* A list of texts: one row each, or an array in JSON. */
struct list {
    const char *name, *row; /* in JSON; before each row */
    const char *(*at)(const weir_model *model, size_t i);
};

static const struct list lists[] = {
    {"notes", "note", weir_model_note},
    {"unused_tensors", "unused", weir_model_unused_tensor},
    {"unread_keys", "unread key", weir_model_unread_key},
};

static void print_lists(cJSON *root, const weir_model *model)
{
    for (size_t n = 0; n < sizeof lists / sizeof *lists; n++) {
        cJSON *array = root ? cJSON_AddArrayToObject(root, lists[n].name) : NULL;
        for (size_t i = 0; lists[n].at(model, i); i++)
            if (root)
                cJSON_AddItemToArray(array, cJSON_CreateString(lists[n].at(model, i)));
            else
                print_fact(&(struct fact){lists[n].row, lists[n].at(model, i), 0});
    }
}

/* `model` is NULL for facts of a stored file. */
static weir_status print_facts(const struct fact *facts, size_t n, const weir_model *model, bool json)
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
    if (model)
        print_lists(root, model);
    return json ? json_print(root) : WEIR_OK;
}

#define NUMBER(value) NULL, (uint64_t)(value)

/* Opens the model, but reads no weights. */
static weir_status print_model_facts(const char *where, bool json)
{
    weir_model *model;
    TRY(weir_model_open(&model, where, NULL));
    const weir_model_info *info = weir_model_get_info(model);
    char weights[MOST_KIND], norms[MOST_KIND], activation[MOST_KIND], positions[MOST_KIND], experts[MOST_KIND];
    weights_text(weights, model);
    norms_text(norms, model);
    activation_text(activation, model);
    positions_text(positions, model);
    experts_text(experts, model);
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
        {"weights", weights, 0},
        {"norms", norms, 0},
        {"activation", activation, 0},
        {"experts", experts, 0},
        {"positions", positions, 0},
        {"unembedding", unembedding_text(model), 0},
        {"tokenizer", info->has_tokenizer ? "yes" : "none: the model runs on token ids only", 0},
        {"digest", info->digest, 0},
    };
    weir_status status = print_facts(facts, sizeof facts / sizeof *facts, model, json);
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

static int print_file_facts(const char *path, bool json)
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
        {"compute", info->compute, 0},
        {"process", info->process, 0},
        {"n_layers", NUMBER(info->n_layers)},
        {"n_prompts", NUMBER(info->n_prompts)},
        {"n_positions", NUMBER(info->n_positions)},
        {"n_tokens", NUMBER(info->n_key)},
        {"n_points", NUMBER(info->n_points)},
        {"bytes", NUMBER(stored_bytes(file))},
        {"digest", info->digest, 0},
    };
    weir_status status = print_facts(facts, sizeof facts / sizeof *facts, NULL, json);
    weir_file_close(file);
    return (int)status;
}

/* ---- weights that are no numbers ---- */

static int print_weight_findings(const weir_model *model, const char *where)
{
    if (weir_model_check_weights(model, print_line, NULL) > 0)
        return ANSWER_NO;
    print_text(where);
    printf(": all %llu weights are finite\n", (unsigned long long)weir_model_get_info(model)->n_params);
    return WEIR_OK;
}

static int json_weight_findings(const weir_model *model)
{
    cJSON *root = cJSON_CreateObject(), *findings = cJSON_AddArrayToObject(root, "findings");
    size_t n = weir_model_check_weights(model, json_add_text, findings);
    cJSON_AddBoolToObject(root, "finite", n == 0);
    weir_status status = json_print(root);
    return status == WEIR_OK && n > 0 ? ANSWER_NO : (int)status;
}

static int check_model(const char *where, bool json)
{
    weir_model *model;
    TRY(weir_model_open(&model, where, NULL));
    int code = json ? json_weight_findings(model) : print_weight_findings(model, where);
    weir_status whole = weir_tensors_check_whole(model->tensors);
    if (whole != WEIR_OK)
        code = (int)whole;
    weir_model_close(model);
    return code;
}

static int run_info(const struct args *args)
{
    const char *where = args->words[0];
    if (args->n_words == 0)
        TRY(model_where(&where, args, MODEL, PULL));
    else if (args->has[MODEL])
        return weir_fail(WEIR_E_USAGE, "give either '%s' or --model, not both", where);
    else
        TRY(model_pull(where, args, PULL));
    if (args->has[CHECK] && is_hdf5(where))
        return weir_fail(WEIR_E_USAGE, "--check reads a model's weights, but %s is a dump file: use weir validate",
                         where);
    if (args->has[CHECK])
        return check_model(where, args->has[JSON]);
    if (!is_hdf5(where))
        return (int)print_model_facts(where, args->has[JSON]);
    guard_files(&where, 1);
    return print_file_facts(where, args->has[JSON]);
}

const struct command cmd_info = {
    .name = "info",
    .summary = "describe a model or a dump file",
    .usage = "[FILE | [-m] MODEL] [--check] [--json]",
    .notes = "With --check, the exit code is 1 if a weight is not finite.",
    .example = "weir info run.h5",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .most_words = 1,
    .run = run_info,
};
