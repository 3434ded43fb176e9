/* Any bytes as a run spec: the first says of which command. What is taken is JSON, and options that its table allows.
 */
#include "base/alloc.h"
#include "cli/commands/commands.h"
#include "cli/spec/spec.h"

#include <cjson/cJSON.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool fine)
{
    if (!fine)
        __builtin_trap();
}

/* cJSON takes more than JSON is, so that what it refuses must not have been taken. */
static void check_document(const char *text, size_t n)
{
    cJSON *document = cJSON_ParseWithLength(text, n);
    demand(cJSON_IsObject(document));
    demand(cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(document, "weir_spec")) == 1);
    cJSON_Delete(document);
}

/* The options are there, flags alone have no text, and their values are those that the command line takes. */
static void check_options(const struct spec *spec, struct args *args)
{
    const struct command *command = args->command;
    for (size_t i = 0; i < spec->n; i++) {
        const struct given *given = &spec->given[i];
        demand(given->opt >= 0 && given->opt < command->n_opts);
        demand((command->opts[given->opt].kind == OPT_FLAG) == !given->text);
    }
    weir_status status = args_insert(args, spec->given, spec->n);
    demand(status == WEIR_OK || strstr(weir_message(), " is missing; usage: weir "));
    for (size_t i = 0; i < spec->n; i++)
        demand(args->has[spec->given[i].opt]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct command *const takers[] = {&cmd_run, &cmd_dump, &cmd_patch};
    struct args args;
    struct spec spec;
    char *text; /* of its own size, so that reading past its end is seen */
    if (size == 0 || weir_alloc(&text, size - 1, 1) != WEIR_OK)
        return 0;
    memcpy(text, data + 1, size - 1);
    char *words[] = {"spec.json"};
    demand(args_parse(&args, takers[data[0] % 3], 1, words) == WEIR_OK);
    if (spec_read(&spec, "folder/spec.json", text, size - 1, &args) == WEIR_OK) {
        size_t mark = size > 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        check_document(text + mark, size - 1 - mark);
        check_options(&spec, &args);
    }
    spec_close(&spec);
    args_close(&args);
    weir_free(text);
    return 0;
}
