/* What the environment says about the hub: where it is, who asks, and whether anything may be asked at all. The
   variables and their meaning are huggingface_hub's. */
#ifndef WEIR_CLI_HUB_SETTINGS_H
#define WEIR_CLI_HUB_SETTINGS_H

#include "base/status.h"

struct hub_settings {
    char *endpoint;   /* without a slash at the end */
    char *token;      /* NULL: none */
    char *token_from; /* the variable or file that has it; NULL: none */
    long patience;    /* seconds without data, or with hardly any, after which a server is given up */
};

/* True where HF_HUB_OFFLINE, or TRANSFORMERS_OFFLINE, forbids to ask. */
bool hub_is_offline(void);
/* WEIR_E_INPUT where a token cannot be one, or HF_ENDPOINT is no address. Close with hub_settings_close, also after a
   failure. */
WEIR_CHECKED weir_status hub_settings_read(struct hub_settings *settings);
void hub_settings_close(struct hub_settings *settings);

#endif
