/* Opening a model for a command: what is to be known of it goes to standard error, before anything is run. */
#include "cli/commands.h"
#include "cli/render.h"

#include "base/alloc.h"

weir_status open_with_notes(weir_model **out, const char *where, const weir_model_options *options)
{
    TRY(weir_model_open(out, where, options));
    for (size_t i = 0; weir_model_note(*out, i); i++) {
        char *note;
        weir_status status = weir_copy_string(&note, weir_model_note(*out, i));
        if (status != WEIR_OK) {
            weir_model_close(*out);
            *out = NULL;
            return status;
        }
        fprintf(stderr, "weir: note: %s\n", text_clean(note));
        weir_free(note);
    }
    return WEIR_OK;
}
