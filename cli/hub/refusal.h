/* What a hub's refusal means, for the person who asked. */
#ifndef WEIR_CLI_HUB_REFUSAL_H
#define WEIR_CLI_HUB_REFUSAL_H

#include "cli/hub/http.h"

/* True where the repository is there, and the revision is not. */
bool hub_lacks_revision(const struct http_answer *answer);
/* WEIR_OK for an answer that is none: status 200, 206, or a redirect. `url` is what was asked for. */
WEIR_CHECKED weir_status hub_refusal(const struct http_answer *answer, const struct hub_settings *settings,
                                     const char *repository, const char *url);

#endif
