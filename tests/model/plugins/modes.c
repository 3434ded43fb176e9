/* A plugin for test_plugins.py: its arguments, MODE or MODE=FILE, say what it does. By -D it is one of another version
   (ABI=2), with its entry under another name (ENTRY=NAME), or without open (OPEN=NULL). */
#include <weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ABI
#define ABI WEIR_PLUGIN_ABI
#endif
#ifndef ENTRY
#define ENTRY weir_plugin_entry
#endif
#ifndef OPEN
#define OPEN open_it
#endif

struct modes {
    char mode[32], log[512];
};

static void note(const struct modes *modes, const char *text)
{
    FILE *file = *modes->log ? fopen(modes->log, "a") : NULL;
    if (!file)
        return;
    fprintf(file, "%s\n", text);
    fclose(file);
}

static int is(const struct modes *modes, const char *mode)
{
    return strcmp(modes->mode, mode) == 0;
}

static weir_status see(const weir_event *e, void *payload)
{
    char text[64];
    snprintf(text, sizeof text, "%s %d of prompt %d", e->point->name, e->layer, e->prompt);
    note(payload, text);
    return is(payload, "hook") ? weir_fail(WEIR_E_USAGE, "layer %d is not to its liking", e->layer) : WEIR_OK;
}

/* The heads that the selection names become 0. */
static weir_status zero(const weir_event *e, void *payload)
{
    (void)payload;
    for (size_t pos = 0; pos < e->shape[0]; pos++)
        for (size_t u = 0; u < e->n_units; u++)
            memset(e->data + (pos * e->shape[1] + (size_t)e->units[u]) * e->shape[2], 0, e->shape[2] * sizeof *e->data);
    return WEIR_OK;
}

static weir_status begin(void *state, const weir_tokens *prompts, size_t n)
{
    char text[64];
    snprintf(text, sizeof text, "begin: %zu prompts, the last of %zu tokens", n, prompts[n - 1].n);
    note(state, text);
    return is(state, "begin") ? weir_fail(WEIR_E_USAGE, "it does not begin") : WEIR_OK;
}

static weir_status end(void *state)
{
    note(state, "end");
    if (is(state, "silent"))
        return WEIR_E_OUTPUT;
    return is(state, "end") ? weir_fail(WEIR_E_OUTPUT, "it does not end") : WEIR_OK;
}

static void close_it(void *state)
{
    note(state, "close");
    free(state);
}

static weir_status open_it(void **state, weir_run *run, const weir_model *model, const char *arguments)
{
    struct modes *modes = calloc(1, sizeof *modes);
    weir_status status = WEIR_OK;
    *state = modes;
    if (!modes || !model)
        return WEIR_E_MEMORY;
    snprintf(modes->mode, sizeof modes->mode, "%.*s", (int)strcspn(arguments, "="), arguments);
    if (strchr(arguments, '='))
        snprintf(modes->log, sizeof modes->log, "%s", strchr(arguments, '=') + 1);
    note(modes, "open");
    if (is(modes, "zero"))
        status = weir_run_hook(run, "z:1.3", WEIR_EDIT, zero, modes);
    else
        status = weir_run_hook(run, is(modes, "point") ? "nothing" : "resid_mid:1", WEIR_READ, see, modes);
    if (status == WEIR_OK && is(modes, "refuse"))
        status = weir_fail(WEIR_E_UNSUPPORTED, "'%s' is nothing that it can do", arguments);
    if (status != WEIR_OK)
        free(modes);
    return status;
}

extern const weir_plugin ENTRY;
const weir_plugin ENTRY = {.abi = ABI, .open = OPEN, .begin = begin, .end = end, .close = close_it};
