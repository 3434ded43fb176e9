/* Run specs: reads the document, and puts its options in front of those of the command line. */
#include "cli/spec/spec.h"

#include "cli/spec/document.h"
#include "cli/spec/paths.h"
#include "cli/spec/values.h"

#include "base/alloc.h"
#include "base/input.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SPEC = 1 << 28, PIECE = 1 << 16 }; /* bytes */

weir_status spec_read(struct spec *out, const char *file, const char *text, size_t n, const struct args *args)
{
    struct document document = {0};
    char *folder = NULL;
    weir_status status;
    *out = (struct spec){0};
    TRY_DONE(paths_folder(&folder, file));
    TRY_DONE(document_read(&document, file, text, n, args->command));
    TRY_DONE(values_read(out, &document, folder, args));
done:
    document_close(&document);
    weir_free(folder);
    return status;
}

/* ---- the file ---- */

static weir_status read_stream(struct weir_text *out, FILE *file, const char *name)
{
    char piece[PIECE];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, file)) > 0) {
        if (out->n + n > MOST_SPEC)
            return weir_fail(WEIR_E_INPUT, "%s: a run spec of more than %d MB: put the prompts into a file of its own",
                             name, MOST_SPEC >> 20);
        TRY(weir_text_add(out, piece, n));
    }
    return ferror(file) ? weir_fail(WEIR_E_INPUT, "%s: %s", name, strerror(errno)) : WEIR_OK;
}

/* Who gives a prompt as a word reads how it is given. */
static weir_status read_named(struct weir_text *out, const struct args *args)
{
    const char *path = args->words[0];
    FILE *file;
    if (strcmp(path, "-") == 0)
        return read_stream(out, stdin, "standard input");
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return weir_fail(WEIR_E_INPUT,
                         "%s: there is no such file: weir %s takes a run spec here, and prompts by options", path,
                         args->command->name);
    TRY(weir_input_stream(&file, path));
    weir_status status = read_stream(out, file, path);
    fclose(file);
    return status;
}

/* Standard input cannot be the spec and prompts as well. */
static weir_status check_streams(const struct args *args)
{
    static const char *const names[] = {"file", "pairs"};
    for (size_t i = 0; i < args->n_given && strcmp(args->words[0], "-") == 0; i++)
        for (size_t j = 0; j < 2; j++)
            if (args->given[i].opt == spec_option_named(args->command, names[j]) &&
                strcmp(args->given[i].text, "-") == 0)
                return weir_fail(WEIR_E_USAGE, "standard input is the run spec, and cannot be read for --%s too",
                                 names[j]);
    return WEIR_OK;
}

weir_status spec_take(struct spec *out, struct args *args)
{
    struct weir_text text = {0};
    bool stream = strcmp(args->words[0], "-") == 0;
    weir_status status;
    *out = (struct spec){0};
    TRY_DONE(read_named(&text, args));
    TRY_DONE(spec_read(out, stream ? "standard input" : args->words[0], text.n ? text.data : "", text.n, args));
    TRY_DONE(args_insert(args, out->given, out->n));
    TRY_DONE(check_streams(args));
done:
    weir_text_close(&text);
    return status;
}

void spec_close(struct spec *spec)
{
    for (size_t i = 0; i < spec->n_texts; i++)
        weir_free(spec->texts[i]);
    weir_free(spec->texts);
    weir_free(spec->given);
    *spec = (struct spec){0};
}
