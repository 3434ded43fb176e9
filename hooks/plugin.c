/* Plugins: shared objects that register hooks. One is loaded into a run, told of its passes, and goes with the run. */
#include "base/alloc.h"
#include "engine/run.h"

#include <dlfcn.h>
#include <string.h>

#define ENTRY "weir_plugin_entry"

struct loaded {
    char *path; /* as it was named, for messages */
    void *object;
    const weir_plugin *plugin;
    void *state; /* the plugin's */
    bool is_open;
};

/* A failure of the plugin's, whose message it may not have set. */
static weir_status call_failed(const struct loaded *loaded, weir_status status)
{
    return weir_in(status, loaded->path);
}

/* So that a plugin that fails without a message does not show an older one. */
static void set_default_message(const char *function)
{
    weir_status status = weir_fail(WEIR_E_USAGE, "the plugin's %s failed and set no message (weir_fail)", function);
    (void)status;
}

/* ---- with the passes of the run ---- */

static weir_status begin_plugin(struct weir_run *run, void *payload)
{
    const struct loaded *loaded = payload;
    if (!loaded->is_open || !loaded->plugin->begin)
        return WEIR_OK;
    set_default_message("begin");
    return call_failed(loaded, loaded->plugin->begin(loaded->state, run->schedule.prompts, run->schedule.n_given));
}

static weir_status end_plugin(void *payload)
{
    const struct loaded *loaded = payload;
    if (!loaded->is_open || !loaded->plugin->end)
        return WEIR_OK;
    set_default_message("end");
    return call_failed(loaded, loaded->plugin->end(loaded->state));
}

static void close_plugin(void *payload)
{
    struct loaded *loaded = payload;
    if (loaded->is_open && loaded->plugin->close)
        loaded->plugin->close(loaded->state);
    if (loaded->object)
        dlclose(loaded->object);
    weir_free(loaded->path);
    weir_free(loaded);
}

/* ---- loading ---- */

/* The dynamic linker's reason, without the name of the file in front. */
static weir_status cannot_load(const char *path, const char *found)
{
    const char *reason = dlerror();
    size_t n = strlen(found);
    reason = reason ? reason : "no reason is known";
    if (strncmp(reason, found, n) == 0 && strncmp(reason + n, ": ", 2) == 0)
        reason += n + 2;
    return weir_fail(WEIR_E_INPUT, "%s: cannot be loaded as a plugin: %s", path, reason);
}

/* A file, also where its name has no slash, which the dynamic linker would search for in the system's folders. */
static weir_status load_object(struct loaded *loaded)
{
    char *found = NULL;
    TRY(weir_format(&found, "%s%s", strchr(loaded->path, '/') ? "" : "./", loaded->path));
    loaded->object = dlopen(found, RTLD_NOW | RTLD_LOCAL);
    weir_status status = loaded->object ? WEIR_OK : cannot_load(loaded->path, found);
    weir_free(found);
    return status;
}

/* The first member is the version, in every version: nothing else is read before it is known to be this one. */
static weir_status find_entry(struct loaded *loaded)
{
    const weir_plugin *plugin = dlsym(loaded->object, ENTRY);
    if (!plugin)
        return weir_fail(WEIR_E_INPUT, "%s: has no " ENTRY ": it is not a plugin of weir (docs/hooks.md)",
                         loaded->path);
    if (plugin->abi != WEIR_PLUGIN_ABI)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: is a plugin of version %d, and this weir loads version %d: compile it with this weir's "
                         "weir.h",
                         loaded->path, plugin->abi, WEIR_PLUGIN_ABI);
    if (!plugin->open)
        return weir_fail(WEIR_E_INPUT, "%s: its " ENTRY " has no open", loaded->path);
    loaded->plugin = plugin;
    return WEIR_OK;
}

/* Takes back the hooks that came after the first n: those of a plugin that is about to go. */
static void remove_hooks_after(struct weir_run *run, size_t n)
{
    for (size_t i = run->plan.n_hooks; i-- > n;)
        if (i < run->plan.n_hooks && run->plan.hooks[i].fn)
            weir_plan_remove(&run->plan, run->plan.hooks[i].fn, run->plan.hooks[i].payload);
}

static weir_status open_plugin(struct loaded *loaded, struct weir_run *run, const char *arguments)
{
    size_t n_hooks = run->plan.n_hooks;
    set_default_message("open");
    weir_status status = loaded->plugin->open(&loaded->state, run, run->model, arguments);
    loaded->is_open = status == WEIR_OK;
    if (!loaded->is_open)
        remove_hooks_after(run, n_hooks);
    return call_failed(loaded, status);
}

weir_status weir_run_plugin(weir_run *run, const char *path, const char *arguments)
{
    struct loaded *loaded = NULL;
    weir_status status;
    TRY_GIVEN(run);
    TRY_GIVEN(path);
    TRY(weir_run_usable(run, __func__));
    TRY(weir_alloc_zero(&loaded, 1, sizeof *loaded));
    TRY_DONE(weir_copy_string(&loaded->path, path));
    TRY_DONE(load_object(loaded));
    TRY_DONE(find_entry(loaded));
    TRY_DONE(weir_run_accompany(run, &(struct weir_companion){.prepare = begin_plugin,
                                                              .complete = end_plugin,
                                                              .close = close_plugin,
                                                              .payload = loaded,
                                                              .adds_nothing = true}));
    return open_plugin(loaded, run, arguments ? arguments : "");
done:
    close_plugin(loaded);
    return status;
}
