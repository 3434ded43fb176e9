/* Loads libcurl when something is to be fetched, and names its package where it is missing. */
#include "cli/hub/libcurl.h"

#include "cli/process/dlopen_note.h"

#include <dlfcn.h>
#include <string.h>

/* One binary interface under two names: the second is Debian's build with GnuTLS. */
#define SO_CURL        "libcurl.so.4"
#define SO_CURL_GNUTLS "libcurl-gnutls.so.4"

DLOPEN_NOTE("[{\"soname\":[\"" SO_CURL "\",\"" SO_CURL_GNUTLS "\"],\"feature\":\"pull\",\"description\":\"weir pull\","
            "\"priority\":\"recommended\"}]");

struct libcurl libcurl;

#define ENTRY(name) {#name, &libcurl.name},
static const struct {
    const char *name;
    void *function;
} entries[] = {LIBCURL_FUNCTIONS(ENTRY)};
#undef ENTRY

weir_status libcurl_load(void)
{
    static bool loaded;
    if (loaded)
        return WEIR_OK;
    void *handle = dlopen(SO_CURL, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        handle = dlopen(SO_CURL_GNUTLS, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "fetching a model needs " SO_CURL ", which could not be loaded: install libcurl4");
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol = dlsym(handle, entries[i].name);
        if (!symbol)
            return weir_fail(WEIR_E_UNSUPPORTED,
                             "fetching a model needs a newer " SO_CURL ": the installed one lacks %s", entries[i].name);
        memcpy(entries[i].function, &symbol, sizeof symbol);
    }
    if (libcurl.curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return weir_fail(WEIR_E_UNSUPPORTED, SO_CURL " could not start");
    loaded = true;
    return WEIR_OK;
}
