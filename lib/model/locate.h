/* The Hugging Face cache: where it is, and what its folders are called. */
#ifndef WEIR_MODEL_LOCATE_H
#define WEIR_MODEL_LOCATE_H

#include "base/status.h"

/* The folder of the hub's settings and of its cache: HF_HOME, or its default. New memory. */
WEIR_CHECKED weir_status weir_hub_home(char **out);
/* The cache, by HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE or the folder above. New memory. */
WEIR_CHECKED weir_status weir_hub_cache(char **out);
/* "models--org--name" below a folder, whether it is there or not. New memory. */
WEIR_CHECKED weir_status weir_hub_folder(char **out, const char *below, const char *name);

/* "org/name" or "name": letters, digits, . _ - and at most one slash, no ".." */
bool weir_is_repository(const char *name);
/* A branch, a tag or a commit: as a name, and with slashes ("refs/pr/1"). */
bool weir_is_revision(const char *text);

#endif
