/* Opening a model for a command: what is to be known of it goes to standard error, before anything is run. */
#include "cli/commands.h"
#include "cli/print/say.h"

weir_status open_with_notes(weir_model **out, const char *where, const weir_model_options *options)
{
    TRY(weir_model_open(out, where, options));
    for (size_t i = 0; weir_model_note(*out, i); i++)
        say("weir: note: %s\n", weir_model_note(*out, i));
    return WEIR_OK;
}
