/* libcurl as one table of functions, filled when something is to be fetched: weir starts and runs without it, as on
   machines that may fetch nothing, and no other command loads what it brings along. */
#ifndef WEIR_CLI_HUB_LIBCURL_H
#define WEIR_CLI_HUB_LIBCURL_H

#include "base/status.h"

#define CURL_DISABLE_TYPECHECK /* its macros stand for functions that are linked to */
#include <curl/curl.h>

#define LIBCURL_FUNCTIONS(F)                                                                                           \
    F(curl_easy_cleanup)                                                                                               \
    F(curl_easy_getinfo)                                                                                               \
    F(curl_easy_init)                                                                                                  \
    F(curl_easy_perform)                                                                                               \
    F(curl_easy_reset)                                                                                                 \
    F(curl_easy_setopt)                                                                                                \
    F(curl_easy_strerror)                                                                                              \
    F(curl_free)                                                                                                       \
    F(curl_global_init)                                                                                                \
    F(curl_slist_append)                                                                                               \
    F(curl_slist_free_all)                                                                                             \
    F(curl_url)                                                                                                        \
    F(curl_url_cleanup)                                                                                                \
    F(curl_url_get)                                                                                                    \
    F(curl_url_set)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a field's name */
#define LIBCURL_FIELD(name) __typeof__(&(name)) name;
struct libcurl {
    LIBCURL_FUNCTIONS(LIBCURL_FIELD)
};
#undef LIBCURL_FIELD

extern struct libcurl libcurl;

/* Fills the table, once. WEIR_E_UNSUPPORTED names the library that is missing and the Debian package that has it. */
WEIR_CHECKED weir_status libcurl_load(void);

#endif
