/* Explains the errors of a hub: its X-Error-Code, else the status. */
#include "cli/hub/refusal.h"

#include <string.h>

static bool line_is(const char *line, const char *text)
{
    return line && strcmp(line, text) == 0;
}

static weir_status is_gated(const struct hub_settings *settings, const char *repository)
{
    if (settings->token)
        return weir_fail(
            WEIR_E_INPUT,
            "%s: is gated, and the token from %s has no access to it: ask for access on %s/%s, with the account "
            "of that token",
            repository, settings->token_from, settings->endpoint, repository);
    return weir_fail(
        WEIR_E_INPUT,
        "%s: is gated: accept its licence on %s/%s, then set HF_TOKEN to a token of that account, or run hf auth "
        "login",
        repository, settings->endpoint, repository);
}

static weir_status is_missing(const struct hub_settings *settings, const char *repository)
{
    if (settings->token)
        return weir_fail(WEIR_E_INPUT,
                         "%s: %s has no such model, or it is private and the token from %s has no access to it",
                         repository, settings->endpoint, settings->token_from);
    return weir_fail(
        WEIR_E_INPUT,
        "%s: %s has no such model, or it is private: a token is in neither HF_TOKEN nor the file that hf auth "
        "login writes",
        repository, settings->endpoint);
}

bool hub_lacks_revision(const struct http_answer *answer)
{
    return answer->code == 404 && line_is(answer->lines[HTTP_ERROR_CODE], "RevisionNotFound");
}

weir_status hub_refusal(const struct http_answer *answer, const struct hub_settings *settings, const char *repository,
                        const char *url)
{
    const char *code = answer->lines[HTTP_ERROR_CODE], *message = answer->lines[HTTP_ERROR_MESSAGE];
    if (answer->code >= 200 && answer->code < 400)
        return WEIR_OK;
    if (line_is(code, "GatedRepo"))
        return is_gated(settings, repository);
    if (line_is(code, "EntryNotFound"))
        return weir_fail(WEIR_E_INPUT, "%s: lists a file that it does not have: %s", repository, url);
    if (line_is(message, "Invalid credentials in Authorization header"))
        return weir_fail(WEIR_E_INPUT, "%s: does not know the token from %s", settings->endpoint,
                         settings->token ? settings->token_from : "nowhere");
    if (line_is(code, "RepoNotFound") || answer->code == 401 || (answer->code == 404 && !code))
        return is_missing(settings, repository);
    return weir_fail(WEIR_E_INPUT, "%s: answers with HTTP status %ld%s%.200s%s", url, answer->code, message ? " (" : "",
                     message ? message : "", message ? ")" : "");
}
