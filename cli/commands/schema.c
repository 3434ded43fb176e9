/* weir schema: prints the JSON Schema of what weir reads and writes. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/commands/store_schema.h"
#include "cli/spec/spec.h"

#include <stdio.h>
#include <string.h>

enum { MARKDOWN };

static const struct opt schema_opts[] = {
    [MARKDOWN] = {0, "markdown", OPT_FLAG, NULL, "of run: print the fields as a table, as in docs/run-specs.md"},
};

static weir_status print_run_schema(const struct args *args)
{
    if (!args->has[MARKDOWN])
        return spec_schema(stdout, commands, n_commands);
    spec_markdown(stdout, commands, n_commands);
    return WEIR_OK;
}

static weir_status print_store_schema(const struct args *args)
{
    if (args->has[MARKDOWN])
        return weir_fail(WEIR_E_USAGE, "--markdown is of run; docs/store.md describes stored files");
    fwrite(store_schema, 1, store_schema_size, stdout);
    return WEIR_OK;
}

static int run_schema(const struct args *args)
{
    const char *which = args->words[0];
    if (strcmp(which, "run") == 0)
        return (int)print_run_schema(args);
    if (strcmp(which, "store") == 0)
        return (int)print_store_schema(args);
    return (int)weir_fail(WEIR_E_USAGE, "there is no schema '%.64s'; there are run and store", which);
}

const struct command cmd_schema = {
    .name = "schema",
    .summary = "print the JSON Schema of run specs, or of what stored files consist of",
    .usage = "run|store [OPTIONS]",
    .notes = "A run spec is a JSON document that holds what the options of weir run, weir dump and weir patch say "
             "(docs/run-specs.md). Editors and other programs check one by its schema, and weir by the same table. The "
             "schema of stored files is of their structure: groups, datasets and attributes (docs/store.md).",
    .example = "weir schema run > run.schema.json",
    .opts = schema_opts,
    .n_opts = N_OPTS(schema_opts),
    .least_words = 1,
    .most_words = 1,
    .run = run_schema,
};
