/* Loads the plugins that a command line names. */
#include "cli/args/plugins.h"

#include "base/alloc.h"

#include <string.h>

/* FILE[:ARGS]: the file's name ends at the first colon. */
static weir_status load_plugin(weir_run *run, const char *text)
{
    size_t n = strcspn(text, ":");
    char *path;
    if (n == 0)
        return weir_fail(WEIR_E_USAGE, "--plugin '%s': the file's name is missing; write FILE[:ARGS]", text);
    TRY(weir_copy_bytes(&path, text, n));
    weir_status status = weir_run_plugin(run, path, text[n] ? text + n + 1 : "");
    weir_free(path);
    return status;
}

weir_status plugins_load(weir_run *run, const struct args *args, int opt)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (args->given[i].opt == opt)
            TRY(load_plugin(run, args->given[i].text));
    return WEIR_OK;
}
