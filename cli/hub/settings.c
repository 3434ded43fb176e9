/* Reads the environment and the saved token. */
#include "cli/hub/settings.h"

#include "base/alloc.h"
#include "base/descriptor.h"
#include "model/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The one place that names a host. */
static const char DEFAULT_ENDPOINT[] = "https://huggingface.co";

enum { DEFAULT_PATIENCE = 30, MOST_PATIENCE = 86400, LONGEST_TOKEN = 4096 };

static const char *variable_value(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool is_switched_on(const char *name)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};
    const char *value = variable_value(name);
    for (size_t i = 0; value && i < sizeof yes / sizeof *yes; i++)
        if (strcasecmp(value, yes[i]) == 0)
            return true;
    return false;
}

bool hub_is_offline(void)
{
    return is_switched_on(variable_value("HF_HUB_OFFLINE") ? "HF_HUB_OFFLINE" : "TRANSFORMERS_OFFLINE");
}

static weir_status read_endpoint(struct hub_settings *settings)
{
    const char *given = variable_value("HF_ENDPOINT"), *endpoint = given ? given : DEFAULT_ENDPOINT;
    size_t n = strlen(endpoint);
    while (n > 0 && endpoint[n - 1] == '/')
        n--;
    if (strncmp(endpoint, "https://", 8) != 0 && strncmp(endpoint, "http://", 7) != 0)
        return weir_fail(WEIR_E_USAGE, "HF_ENDPOINT=%s: is not an address: it begins with https:// or http://",
                         endpoint);
    return weir_copy_bytes(&settings->endpoint, endpoint, n);
}

/* The token without the spaces and line ends around it, if anything is left. What cannot stand in a header is refused:
   it could add lines to it. */
static weir_status keep_token(struct hub_settings *settings, const char *text, const char *from)
{
    static const char blank[] = " \t\r\n";
    text += strspn(text, blank);
    size_t n = strlen(text);
    while (n > 0 && strchr(blank, text[n - 1]))
        n--;
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return weir_fail(WEIR_E_INPUT, "%s: its token has a character that no token has, at place %zu", from,
                             i + 1);
    if (n == 0)
        return WEIR_OK;
    TRY(weir_copy_string(&settings->token_from, from));
    return weir_copy_bytes(&settings->token, text, n);
}

/* HF_TOKEN_PATH, or the file `token` in the folder of the hub's settings. */
static weir_status saved_token_path(char **path)
{
    char *home;
    if (variable_value("HF_TOKEN_PATH"))
        return weir_copy_string(path, variable_value("HF_TOKEN_PATH"));
    TRY(weir_hub_home(&home));
    weir_status status = weir_format(path, "%s/token", home);
    weir_free(home);
    return status;
}

static weir_status read_saved_token(struct hub_settings *settings, const char *path)
{
    char text[LONGEST_TOKEN + 1];
    int fd = weir_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return WEIR_OK;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return weir_fail(WEIR_E_INPUT, "%s: the saved token cannot be read: %s", path, strerror(error));
    if (n == sizeof text)
        return weir_fail(WEIR_E_INPUT, "%s: is too long for a token", path);
    text[n] = '\0';
    return keep_token(settings, text, path);
}

static weir_status choose_token(struct hub_settings *settings)
{
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
    char *path;
    if (is_switched_on("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
        return WEIR_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && !settings->token; i++)
        if (variable_value(names[i]))
            TRY(keep_token(settings, variable_value(names[i]), names[i]));
    if (settings->token)
        return WEIR_OK;
    TRY(saved_token_path(&path));
    weir_status status = read_saved_token(settings, path);
    weir_free(path);
    return status;
}

static weir_status read_patience(struct hub_settings *settings)
{
    const char *text = variable_value("HF_HUB_DOWNLOAD_TIMEOUT");
    char *end = NULL;
    settings->patience = text ? strtol(text, &end, 10) : DEFAULT_PATIENCE;
    if (text && (*end || settings->patience < 1 || settings->patience > MOST_PATIENCE))
        return weir_fail(WEIR_E_USAGE, "HF_HUB_DOWNLOAD_TIMEOUT=%s: must be a number of seconds, 1 to %d", text,
                         MOST_PATIENCE);
    return WEIR_OK;
}

weir_status hub_settings_read(struct hub_settings *settings)
{
    *settings = (struct hub_settings){0};
    TRY(read_endpoint(settings));
    TRY(read_patience(settings));
    return choose_token(settings);
}

void hub_settings_close(struct hub_settings *settings)
{
    weir_free(settings->endpoint);
    weir_free(settings->token);
    weir_free(settings->token_from);
}
