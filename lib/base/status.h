/* Statuses and messages. A function that can fail returns weir_status; three words name what happens to it:
   raise (weir_fail), pass on (TRY), add where it happened (weir_in). */
#ifndef WEIR_BASE_STATUS_H
#define WEIR_BASE_STATUS_H

#include "weir.h"

#ifdef __clang_analyzer__ /* it does not see that a failure is never WEIR_OK */
#define weir_fail(status, ...) (weir_fail(status, __VA_ARGS__), (status))
#endif

/* Pass a failure on to the caller. Only where nothing needs to be closed; else `goto done`. */
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        weir_status try_status_ = (expression);                                                                        \
        if (try_status_ != WEIR_OK)                                                                                    \
            return try_status_;                                                                                        \
    } while (0)

/* Run, and on failure leave through the `done:` label that closes what is open. Needs a local `status`. */
#define TRY_DONE(expression)                                                                                           \
    do {                                                                                                               \
        status = (expression);                                                                                         \
        if (status != WEIR_OK)                                                                                         \
            goto done;                                                                                                 \
    } while (0)

/* Refuses a NULL that a program gave to a function of the library, by the names of both. */
#define TRY_GIVEN(argument) TRY(weir_given(argument, __func__, #argument))
WEIR_CHECKED weir_status weir_given(const void *argument, const char *function, const char *name);

/* Puts "WHERE: " in front of the message of a failure, unless it begins so; gives `status` back. Nothing happens to
   WEIR_OK. */
weir_status weir_in(weir_status status, const char *where);

/* strerror for writing: EFBIG does not concern the disk. */
const char *weir_write_error(int number);

/* Called by checks of files for each finding, with what is wrong and where. The text is valid until it returns. */
typedef void weir_finding_fn(const char *finding, void *payload);

#endif
