/* Requests by libcurl: redirects followed by hand, so that each goes out with the headers that its host may see. */
#include "cli/hub/http.h"

#include "cli/hub/libcurl.h"
#include "cli/process/interrupt.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    MOST_REDIRECTS = 10,
    MOST_ATTEMPTS = 5, /* in a row that bring nothing new */
    MOST_WAIT = 60,    /* seconds, whatever Retry-After says */
    CONNECT_SECONDS = 20,
    LONGEST_LINE = 16384, /* of a header: signed addresses are long */
    SLOW = 256,           /* bytes per second that are as good as none */
    STEP = 65536,
    /* bytes that count as something new */
    MOST_DROPPED = 1 << 20, /* bytes of an error's text */
};

struct http {
    const struct hub_settings *settings;
    CURL *easy;
    char *origin; /* of the endpoint */
    char error[CURL_ERROR_SIZE];
    bool reached; /* something has answered */
};

/* One request with its redirects. */
struct exchange {
    struct http *http;
    struct http_answer *answer;
    const struct http_request *request;
    char *url;
    weir_status status; /* of `take` */
    bool begun;         /* the answer has a body, which has begun to come */
    size_t dropped;     /* bytes of a body that nobody wants */
    bool again;         /* it failed in a way that passes */
};

/* ---- text ---- */

int64_t http_number(const char *line)
{
    char *end;
    if (!line || *line < '0' || *line > '9')
        return -1;
    unsigned long long n = strtoull(line, &end, 10);
    return *end || n >= 1ULL << 62 ? -1 : (int64_t)n;
}

weir_status http_escape(char **out, const char *text, bool keep_slashes)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    struct weir_text escaped = {0};
    weir_status status = WEIR_OK;
    for (; *text && status == WEIR_OK; text++)
        status = strchr(plain, *text) || (keep_slashes && *text == '/')
                     ? weir_text_print(&escaped, "%c", *text)
                     : weir_text_print(&escaped, "%%%02X", (unsigned char)*text);
    *out = escaped.data;
    return status;
}

/* ---- addresses ---- */

/* "https://host:443" of an address; `base` is what a relative one begins from, *whole becomes the address in full. */
static weir_status take_apart(char **whole, char **origin, const char *base, const char *url)
{
    CURLU *parsed = libcurl.curl_url();
    char *full = NULL, *scheme = NULL, *host = NULL, *port = NULL;
    weir_status status = parsed ? WEIR_OK : weir_fail(WEIR_E_MEMORY, "out of memory");
    bool good = parsed && (!base || libcurl.curl_url_set(parsed, CURLUPART_URL, base, 0) == CURLUE_OK) &&
                libcurl.curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
                libcurl.curl_url_get(parsed, CURLUPART_URL, &full, 0) == CURLUE_OK &&
                libcurl.curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                libcurl.curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                libcurl.curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    *origin = NULL;
    if (parsed && (!good || (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)))
        status = weir_fail(WEIR_E_INPUT, "%.200s: is no address that begins with https:// or http://", url);
    if (status == WEIR_OK)
        status = weir_format(origin, "%s://%s:%s", scheme, host, port);
    for (char *c = *origin; c && *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 32) : *c;
    if (status == WEIR_OK && whole)
        status = weir_copy_string(whole, full);
    char *parts[] = {full, scheme, host, port};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i])
            libcurl.curl_free(parts[i]);
    if (parsed)
        libcurl.curl_url_cleanup(parsed);
    return status;
}

/* ---- opening ---- */

weir_status http_open(struct http **out, const struct hub_settings *settings)
{
    weir_status status;
    *out = NULL;
    TRY(libcurl_load());
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    struct http *http = *out;
    http->settings = settings;
    http->easy = libcurl.curl_easy_init();
    TRY_DONE(http->easy ? WEIR_OK : weir_fail(WEIR_E_MEMORY, "out of memory"));
    TRY_DONE(weir_in(take_apart(NULL, &http->origin, NULL, settings->endpoint), "HF_ENDPOINT"));
done:
    if (status != WEIR_OK) {
        http_close(http);
        *out = NULL;
    }
    return status;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    if (http->easy)
        libcurl.curl_easy_cleanup(http->easy);
    weir_free(http->origin);
    weir_free(http);
}

void http_answer_close(struct http_answer *answer)
{
    for (int i = 0; i < N_HTTP_LINES; i++)
        weir_free(answer->lines[i]);
    *answer = (struct http_answer){0};
}

/* ---- what libcurl calls ---- */

/* Each header line of every answer; the status line begins a new answer. */
static size_t take_line(char *bytes, size_t size, size_t n, void *payload)
{
    static const char *const names[N_HTTP_LINES] = {
        [HTTP_LOCATION] = "location",         [HTTP_ETAG] = "etag",
        [HTTP_LINKED_ETAG] = "x-linked-etag", [HTTP_LINKED_SIZE] = "x-linked-size",
        [HTTP_COMMIT] = "x-repo-commit",      [HTTP_LENGTH] = "content-length",
        [HTTP_RANGE] = "content-range",       [HTTP_TYPE] = "content-type",
        [HTTP_ENCODING] = "content-encoding", [HTTP_RETRY_AFTER] = "retry-after",
        [HTTP_ERROR_CODE] = "x-error-code",   [HTTP_ERROR_MESSAGE] = "x-error-message",
    };
    struct exchange *exchange = payload;
    struct http_answer *answer = exchange->answer;
    size_t length = n * size;
    const char *colon = memchr(bytes, ':', length), *end = bytes + length;
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        http_answer_close(answer);
        exchange->begun = false;
    }
    for (int i = 0; colon && i < N_HTTP_LINES; i++) {
        size_t name = strlen(names[i]);
        if (name != (size_t)(colon - bytes) || strncasecmp(bytes, names[i], name) != 0 || length > LONGEST_LINE)
            continue;
        const char *value = colon + 1;
        while (value < end && strchr(" \t", *value))
            value++;
        while (end > value && strchr(" \t\r\n", end[-1]))
            end--;
        weir_free(answer->lines[i]);
        answer->lines[i] = NULL;
        exchange->status = weir_copy_bytes(&answer->lines[i], value, (size_t)(end - value));
    }
    return exchange->status == WEIR_OK ? length : length + 1; /* another number than it gave ends the request */
}

static size_t take_body(char *bytes, size_t size, size_t n, void *payload)
{
    struct exchange *exchange = payload;
    libcurl.curl_easy_getinfo(exchange->http->easy, CURLINFO_RESPONSE_CODE, &exchange->answer->code);
    bool wanted = (exchange->answer->code == 200 || exchange->answer->code == 206) && exchange->request->take;
    exchange->dropped += wanted ? 0 : n * size;
    if (wanted)
        exchange->status =
            exchange->request->take(exchange->request->payload, exchange->answer, !exchange->begun, bytes, n * size);
    else if (exchange->dropped > MOST_DROPPED)
        exchange->status = weir_fail(WEIR_E_INPUT, "%s: answers with status %ld and a text without end", exchange->url,
                                     exchange->answer->code);
    exchange->begun = true;
    return exchange->status == WEIR_OK ? n * size : n * size + 1;
}

static int watch_for_signals(void *payload, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    (void)payload, (void)total, (void)now, (void)up_total, (void)up_now;
    return interrupted() != 0;
}

/* ---- one request ---- */

static weir_status stop_asking(void)
{
    return weir_fail(WEIR_E_STOPPED,
                     "interrupted; what was fetched so far is kept, and the same command goes on from it");
}

static void set_options(const struct exchange *exchange, struct curl_slist *lines)
{
    struct http *http = exchange->http;
    CURL *easy = http->easy;
    libcurl.curl_easy_reset(easy);
    libcurl.curl_easy_setopt(easy, CURLOPT_URL, exchange->url);
    libcurl.curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    libcurl.curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
    libcurl.curl_easy_setopt(easy, CURLOPT_NOBODY, exchange->request->head ? 1L : 0L);
    libcurl.curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    libcurl.curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->error);
    libcurl.curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    libcurl.curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW);
    libcurl.curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, http->settings->patience);
    libcurl.curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_line);
    libcurl.curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    libcurl.curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    libcurl.curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    libcurl.curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch_for_signals);
    libcurl.curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

static weir_status add_line(struct curl_slist **lines, const char *line)
{
    struct curl_slist *longer = libcurl.curl_slist_append(*lines, line);
    if (!longer)
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    *lines = longer;
    return WEIR_OK;
}

/* The headers that the host of `origin` may see. */
static weir_status make_lines(struct curl_slist **lines, const struct exchange *exchange, const char *origin)
{
    const struct http *http = exchange->http;
    const struct http_request *request = exchange->request;
    char *line;
    TRY(add_line(lines, "Accept-Encoding: identity")); /* sizes are of the file, and ranges too */
    if (request->from && *request->from > 0) {
        TRY(weir_format(&line, "Range: bytes=%llu-", (unsigned long long)*request->from));
        weir_status status = add_line(lines, line);
        weir_free(line);
        TRY(status);
    }
    if (!http->settings->token || strcmp(origin, http->origin) != 0)
        return WEIR_OK;
    TRY(weir_format(&line, "Authorization: Bearer %s", http->settings->token));
    weir_status status = add_line(lines, line);
    weir_free(line);
    return status;
}

/* What went wrong below HTTP. Faults that pass are tried again; a host that never answered is not there. */
static weir_status explain(struct exchange *exchange, CURLcode code, const char *origin)
{
    const struct http *http = exchange->http;
    const char *why = *http->error ? http->error : libcurl.curl_easy_strerror(code);
    if (exchange->status != WEIR_OK)
        return exchange->status;
    if (interrupted())
        return stop_asking();
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
        exchange->again = http->reached;
        break;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        exchange->again = true;
        break;
    default:
        break;
    }
    return weir_fail(WEIR_E_INPUT, "%s: %s", origin, why);
}

/* Asks one host. */
static weir_status ask_host(struct exchange *exchange, const char *origin)
{
    struct http *http = exchange->http;
    struct curl_slist *lines = NULL;
    weir_status status;
    http_answer_close(exchange->answer);
    *http->error = '\0';
    TRY_DONE(make_lines(&lines, exchange, origin));
    set_options(exchange, lines);
    CURLcode code = libcurl.curl_easy_perform(http->easy);
    if (code == CURLE_OK)
        libcurl.curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &exchange->answer->code);
    else
        status = explain(exchange, code, origin);
    http->reached |= exchange->answer->code > 0;
done:
    libcurl.curl_slist_free_all(lines);
    return status;
}

static bool is_redirect(const struct http_answer *answer)
{
    return answer->code >= 300 && answer->code < 400 && answer->lines[HTTP_LOCATION];
}

/* Moves on to where an answer points: the exchange's address and *origin become it. *end where that is not followed: a
   redirect that has an ETag describes the file by itself, which another host need not. */
static weir_status follow(struct exchange *exchange, char **origin, bool *end)
{
    char *url = NULL, *next = NULL;
    weir_status status = take_apart(&url, &next, exchange->url, exchange->answer->lines[HTTP_LOCATION]);
    if (status == WEIR_OK && strncmp(*origin, "https:", 6) == 0 && strncmp(next, "https:", 6) != 0)
        status = weir_fail(WEIR_E_INPUT, "%s: redirects to %s, which is not encrypted: not followed", *origin, next);
    bool describes = exchange->answer->lines[HTTP_LINKED_ETAG] || exchange->answer->lines[HTTP_ETAG];
    *end = status == WEIR_OK && exchange->request->head && describes && strcmp(next, exchange->http->origin) != 0;
    if (status != WEIR_OK || *end) {
        weir_free(url);
        weir_free(next);
        return status;
    }
    weir_free(exchange->url);
    weir_free(*origin);
    exchange->url = url;
    *origin = next;
    return WEIR_OK;
}

/* One attempt: the request and its redirects. */
static weir_status ask_once(struct exchange *exchange)
{
    char *origin = NULL;
    bool end = false;
    weir_status status;
    exchange->again = false;
    exchange->status = WEIR_OK;
    weir_free(exchange->url);
    exchange->url = NULL;
    TRY_DONE(take_apart(&exchange->url, &origin, NULL, exchange->request->url));
    for (int i = 0; !end; i++) {
        if (i > MOST_REDIRECTS)
            TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: redirects more than %d times, and comes to no end",
                               exchange->request->url, MOST_REDIRECTS));
        TRY_DONE(ask_host(exchange, origin));
        end = !is_redirect(exchange->answer);
        if (!end)
            TRY_DONE(follow(exchange, &origin, &end));
    }
    long code = exchange->answer->code;
    exchange->again = code == 408 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504;
done:
    weir_free(origin);
    return status;
}

/* ---- again ---- */

/* Half a second, twice that, ..., or what the server asks for. */
static weir_status wait_a_while(const struct http_answer *answer, int failures)
{
    int64_t asked = http_number(answer->lines[HTTP_RETRY_AFTER]);
    long tenths = asked < 0 ? 5L << (failures - 1) : (asked < MOST_WAIT ? (long)asked : MOST_WAIT) * 10;
    for (long i = 0; i < tenths; i++) {
        if (interrupted())
            return stop_asking();
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return WEIR_OK;
}

weir_status http_ask(struct http *http, struct http_answer *answer, const struct http_request *request)
{
    struct exchange exchange = {.http = http, .answer = answer, .request = request};
    uint64_t furthest = request->from ? *request->from : 0;
    weir_status status = WEIR_OK;
    *answer = (struct http_answer){0};
    for (int failures = 0;;) {
        status = ask_once(&exchange);
        if (!exchange.again)
            break;
        if (request->from && *request->from >= furthest + STEP) {
            furthest = *request->from;
            failures = 0;
        }
        if (++failures >= MOST_ATTEMPTS)
            break;
        status = wait_a_while(answer, failures);
        if (status != WEIR_OK)
            break;
    }
    weir_free(exchange.url);
    return status;
}
