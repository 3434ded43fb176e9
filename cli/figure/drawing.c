/* Loads Cairo and Pango when a picture is wanted, and names the package of a library that is missing. */
#include "cli/figure/drawing.h"

#include "cli/process/dlopen_note.h"

#include <dlfcn.h>
#include <string.h>

/* Versioned names: each means one binary interface. */
#define SO_GLIB       "libglib-2.0.so.0"
#define SO_GOBJECT    "libgobject-2.0.so.0"
#define SO_CAIRO      "libcairo.so.2"
#define SO_PANGO      "libpango-1.0.so.0"
#define SO_PANGOCAIRO "libpangocairo-1.0.so.0"

enum library { GOBJECT, CAIRO, PANGO, PANGOCAIRO, N_LIBRARIES };

static const struct {
    const char *soname, *package;
} libraries[N_LIBRARIES] = {
    [GOBJECT] = {SO_GOBJECT, "libglib2.0-0"},
    [CAIRO] = {SO_CAIRO, "libcairo2"},
    [PANGO] = {SO_PANGO, "libpango-1.0-0"},
    [PANGOCAIRO] = {SO_PANGOCAIRO, "libpangocairo-1.0-0"},
};

#define NOTE_OF(soname)                                                                                                \
    "{\"soname\":[\"" soname "\"],\"feature\":\"pictures\",\"description\":\"weir attn --png and --svg\","             \
    "\"priority\":\"recommended\"}"
#define NOTE "[" NOTE_OF(SO_PANGOCAIRO) "," NOTE_OF(SO_PANGO) "," NOTE_OF(SO_CAIRO) "," NOTE_OF(SO_GOBJECT) "]"
DLOPEN_NOTE(NOTE);

struct drawing drawing;

#define ENTRY(library, name) {library, #name, &drawing.name},
static const struct {
    enum library library;
    const char *name;
    void *function;
} entries[] = {DRAWING_FUNCTIONS(ENTRY)};
#undef ENTRY

static weir_status open_library(void **out, enum library library)
{
    *out = dlopen(libraries[library].soname, RTLD_NOW | RTLD_LOCAL);
    if (*out)
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED, "pictures need %s, which could not be loaded (%s): install %s",
                     libraries[library].soname, dlerror(), libraries[library].package);
}

weir_status drawing_load(void)
{
    static bool loaded;
    void *handles[N_LIBRARIES];
    if (loaded)
        return WEIR_OK;
    for (int i = 0; i < N_LIBRARIES; i++)
        TRY(open_library(&handles[i], (enum library)i));
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol = dlsym(handles[entries[i].library], entries[i].name);
        if (!symbol)
            return weir_fail(WEIR_E_UNSUPPORTED, "pictures need a newer %s: the installed one lacks %s",
                             libraries[entries[i].library].soname, entries[i].name);
        memcpy(entries[i].function, &symbol, sizeof symbol);
    }
    loaded = true;
    return WEIR_OK;
}
