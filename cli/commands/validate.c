/* weir validate: checks a file against the layout. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/print/json.h"
#include "cli/print/text.h"

#include "store/validate.h"

enum { JSON };

static const struct opt opts[] = {[JSON] = OPT_JSON};

static weir_status print_findings_json(const char *path, size_t *n)
{
    cJSON *root = cJSON_CreateObject(), *findings = cJSON_CreateArray();
    weir_status status = weir_store_validate(path, n, json_add_text, findings);
    cJSON_AddStringToObject(root, "file", path);
    cJSON_AddBoolToObject(root, "valid", *n == 0);
    cJSON_AddItemToObject(root, "findings", findings);
    if (status == WEIR_OK)
        return json_print(root);
    cJSON_Delete(root);
    return status;
}

static weir_status print_findings(const char *path, size_t *n)
{
    TRY(weir_store_validate(path, n, print_line, NULL));
    if (*n == 0) {
        print_text(path);
        puts(": valid");
    }
    return WEIR_OK;
}

static int run_validate(const struct args *args)
{
    size_t n = 0;
    weir_status status = args->has[JSON] ? print_findings_json(args->words[0], &n) : print_findings(args->words[0], &n);
    return status == WEIR_OK && n > 0 ? ANSWER_NO : (int)status;
}

const struct command cmd_validate = {
    .name = "validate",
    .summary = "check a file against the layout and name each problem and its place",
    .usage = "FILE [--json]",
    .notes = "The exit code is 1 if there is a problem. If libhdf5 crashes on the file, that is reported, with exit "
             "code 3.",
    .example = "weir validate run.h5",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .run = run_validate,
    .reads_files = true,
};
