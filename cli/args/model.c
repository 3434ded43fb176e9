/* Finds the model that a command runs, and opens it. */
#include "cli/args/model.h"

#include "cli/hub/pull.h"
#include "cli/hub/settings.h"
#include "cli/print/say.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "rill"

/* The folders of models, relative to that of the executable: installed, and in a build folder. */
static const char *const places[] = {WEIR_DATA_FROM_BIN "/weir/models", "../models"};

/* The folder of this executable, "" where the system does not tell. */
static void own_folder(char to[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", to, PATH_MAX - 1);
    to[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(to, '/');
    if (slash)
        slash[1] = '\0';
}

/* True where folder + place has a model; `found` becomes its path without any "..". */
static bool is_model_there(char found[PATH_MAX], const char *folder, const char *place)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s/" NAME "/config.json", folder, place);
    if (n < 0 || n >= PATH_MAX || !realpath(path, found))
        return false;
    *strrchr(found, '/') = '\0';
    return true;
}

weir_status bundled_where(const char **out)
{
    static char found[PATH_MAX];
    char folder[PATH_MAX];
    own_folder(folder);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (is_model_there(found, folder, places[i])) {
            *out = found;
            return WEIR_OK;
        }
    }
    return weir_fail(WEIR_E_INPUT,
                     "the bundled model " NAME " is missing from the installation (%s%s/" NAME
                     "); name a model with -m",
                     folder, places[0]);
}

weir_status model_by_default(const char **out)
{
    *out = getenv("WEIR_MODEL");
    return *out && **out ? WEIR_OK : bundled_where(out);
}

weir_status model_pull(const char *where, const struct args *args, int pull)
{
    struct hub_pulled pulled;
    if (!args->has[pull] || hub_is_offline())
        return WEIR_OK;
    if (access(where, F_OK) == 0)
        return weir_fail(WEIR_E_USAGE, "%s: is there already: --pull fetches a model of the name ORG/NAME", where);
    weir_status status = hub_pull(&pulled, where, NULL, 0);
    if (status == WEIR_OK && pulled.n_fetched > 0)
        say("weir: %s: %.1f MB fetched\n", where, (double)pulled.bytes / 1e6);
    hub_pulled_close(&pulled);
    return status;
}

weir_status model_where(const char **out, const struct args *args, int opt, int pull)
{
    *out = args->text[opt];
    if (!args->has[opt])
        TRY(model_by_default(out));
    return model_pull(*out, args, pull);
}

weir_status open_with_notes(weir_model **out, const char *where, const weir_model_options *options)
{
    TRY(weir_model_open(out, where, options));
    for (size_t i = 0; weir_model_note(*out, i); i++)
        say("weir: note: %s\n", weir_model_note(*out, i));
    return WEIR_OK;
}
