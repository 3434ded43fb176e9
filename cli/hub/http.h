/* Requests to a hub and to the hosts that it redirects to. The token goes to the endpoint's own host and port only. */
#ifndef WEIR_CLI_HUB_HTTP_H
#define WEIR_CLI_HUB_HTTP_H

#include "cli/hub/settings.h"

/* The header lines of an answer that somebody reads. */
enum http_line {
    HTTP_LOCATION,
    HTTP_ETAG,
    HTTP_LINKED_ETAG,
    HTTP_LINKED_SIZE,
    HTTP_COMMIT,
    HTTP_LENGTH,
    HTTP_RANGE,
    HTTP_TYPE,
    HTTP_ENCODING,
    HTTP_RETRY_AFTER,
    HTTP_ERROR_CODE,
    HTTP_ERROR_MESSAGE,
    N_HTTP_LINES
};

struct http_answer {
    long code;                 /* the status; 0: there was no answer */
    char *lines[N_HTTP_LINES]; /* NULL: not in it */
};

struct http;

/* What takes a body: bytes of an answer with status 200 or 206; first: those that an answer begins with. */
typedef weir_status http_take(void *payload, const struct http_answer *answer, bool first, const char *bytes, size_t n);

struct http_request {
    const char *url;
    bool head; /* its answer may be a redirect to another host, which is not followed: it describes the file */
    const uint64_t *from; /* the first byte that is wanted, which `take` moves on; NULL: all, which begins anew */
    http_take *take;
    void *payload;
};

/* One connection, kept for the next request. The settings must outlive it. WEIR_E_UNSUPPORTED without libcurl. */
WEIR_CHECKED weir_status http_open(struct http **out, const struct hub_settings *settings);
void http_close(struct http *http);

/* Asks, and asks again, with growing pauses, where a connection is cut, a server is busy or nothing comes, until five
   attempts in a row brought nothing new. WEIR_OK for any answer that arrived whole, errors of the hub too: see the
   code. What `take` returns ends it. WEIR_E_STOPPED after a signal. Close the answer with http_answer_close, also after
   a failure. */
WEIR_CHECKED weir_status http_ask(struct http *http, struct http_answer *answer, const struct http_request *request);
void http_answer_close(struct http_answer *answer);

/* A whole number that is all of a line, below 2^62; -1 where the line is missing or anything else. */
int64_t http_number(const char *line);
/* Percent-encoded: all but letters, digits, - . _ ~ and, if wanted, slashes. New memory. */
WEIR_CHECKED weir_status http_escape(char **out, const char *text, bool keep_slashes);

#endif
