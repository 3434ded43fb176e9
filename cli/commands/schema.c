/* weir schema: prints the JSON Schema of what weir reads or writes. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/spec/spec.h"

#include <stdio.h>
#include <string.h>

enum { MARKDOWN };

static const struct opt schema_opts[] = {
    [MARKDOWN] = {0, "markdown", OPT_FLAG, NULL, "print the fields as a table, as in docs/run-specs.md"},
};

static int run_schema(const struct args *args)
{
    if (strcmp(args->words[0], "run") != 0)
        return weir_fail(WEIR_E_USAGE, "there is no schema '%s'; there is run", args->words[0]);
    if (!args->has[MARKDOWN])
        return (int)spec_schema(stdout, commands, n_commands);
    spec_markdown(stdout, commands, n_commands);
    return WEIR_OK;
}

const struct command cmd_schema = {
    .name = "schema",
    .summary = "print the JSON Schema of run specs",
    .usage = "run [OPTIONS]",
    .notes = "A run spec is a JSON document that holds what the options of weir run, weir dump and weir patch say "
             "(docs/run-specs.md). Editors and other programs check one by its schema, and weir by the same table.",
    .example = "weir schema run > run.schema.json",
    .opts = schema_opts,
    .n_opts = N_OPTS(schema_opts),
    .least_words = 1,
    .most_words = 1,
    .run = run_schema,
};
