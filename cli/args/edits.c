/* Edits from the command line: --edit as it is, --ablate as the edit that it is short for. */
#include "cli/args/edits.h"

#include "cli/print/say.h"

#include "base/alloc.h"

#include <string.h>

weir_status edits_ablation(char **out, const char *text)
{
    const char *equals = strrchr(text, '=');
    int n = equals ? (int)(equals - text) : (int)strlen(text);
    const char *with = equals ? equals + 1 : "zero";
    if (n == 0 || !*with)
        return weir_fail(WEIR_E_USAGE, "'%s': give LIST, LIST=zero, LIST=mean or LIST=FILE", text);
    if (strcmp(with, "zero") == 0)
        return weir_format(out, "%.*s = 0", n, text);
    if (strcmp(with, "mean") == 0)
        return weir_format(out, "%.*s = mean([@:])", n, text);
    return weir_format(out, "%.*s = mean('%s'[@:#:])", n, text, with);
}

static weir_status add_edit(weir_run *run, const char *text)
{
    weir_edit *edit;
    TRY(weir_edit_parse(&edit, text));
    weir_status status = weir_run_edit(run, edit);
    weir_edit_close(edit);
    return status;
}

static weir_status add_ablation(weir_run *run, const char *given)
{
    char *text;
    TRY(edits_ablation(&text, given));
    weir_status status = add_edit(run, text);
    weir_free(text);
    return status;
}

weir_status edits_add(weir_run *run, const struct args *args, int edit, int ablate)
{
    for (size_t i = 0; i < args->n_given; i++) {
        const struct given *given = &args->given[i];
        if (given->opt == edit)
            TRY(weir_in(add_edit(run, given->text), "--edit"));
        else if (given->opt == ablate)
            TRY(weir_in(add_ablation(run, given->text), "--ablate"));
    }
    for (size_t i = 0; weir_run_note(run, i); i++)
        say("weir: note: %s\n", weir_run_note(run, i));
    return WEIR_OK;
}
