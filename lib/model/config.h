/* From config.json or GGUF metadata to the layers' specs. */
#ifndef WEIR_MODEL_CONFIG_H
#define WEIR_MODEL_CONFIG_H

#include "base/json.h"
#include "format/gguf.h"
#include "model/family.h"

/* Reads either source into *out, beginning with the family's defaults; *family is the row. Checks ranges and that sizes
   agree with each other. Options that weir does not implement are WEIR_E_UNSUPPORTED, by name. n_vocab may still be 0
   (GGUF): the embedding says. Close it, after a failure too. */
WEIR_CHECKED weir_status weir_config_from_json(struct weir_config *out, const struct weir_family **family,
                                               const cJSON *json, const char *file);
WEIR_CHECKED weir_status weir_config_from_gguf(struct weir_config *out, const struct weir_family **family,
                                               const struct weir_gguf *gguf);
void weir_config_close(struct weir_config *config);

/* The part of a config.json that the family's keys are looked up in: a new object that refers to `json`, or `json`
   itself where it is no wrapper's. *own is what to close with cJSON_Delete; *wrapper may be NULL. */
WEIR_CHECKED weir_status weir_config_of_text(const cJSON **text, cJSON **own, const struct weir_wrapper **wrapper,
                                             const cJSON *json, const char *file);

/* Derives the rest from what was read, for both sources, and checks it. */
WEIR_CHECKED weir_status weir_config_derive(struct weir_config *config, const char *file);

/* The first of a config.json's members from `member` on that the family's code does not read and that is not known to
   be of generation, training or bookkeeping; NULL when there is none. All of them, json being the whole object: for
   (key = weir_config_unread(family, json->child); key; key = weir_config_unread(family, key->next)) */
const cJSON *weir_config_unread(const struct weir_family *family, const cJSON *member);

/* The same for a GGUF file, whose keys about the model begin with its architecture: value i at or after which the next
   such key is; n_values when there is none. */
size_t weir_config_unread_gguf(const struct weir_gguf *gguf, size_t i);

/* A list under `key` of what attention each layer has, `sliding` or one of `full`, names between
   spaces; nothing where there is none. */
WEIR_CHECKED weir_status weir_config_read_sliding(struct weir_config *config, const cJSON *json, const char *file,
                                                  const char *key, const char *sliding, const char *full);

/* What the files call a layer. */
int weir_config_file_layer(const struct weir_config *config, int layer);
/* The spec of one layer. */
void weir_config_layer(struct weir_layer_spec *out, const struct weir_config *config, int layer);

/* rope.c: the frequencies of one kind of layers (0 to WEIR_MAX_ROPES - 1); `factors` [n] divide them (a GGUF file's
   rope_freqs), or NULL. Empty for models without rotation. */
WEIR_CHECKED weir_status weir_rope_open(struct weir_rope *out, const struct weir_config *config, int kind,
                                        const float *factors, size_t n_factors);
void weir_rope_close(struct weir_rope *rope);
/* The frequencies for a prompt of so many positions, [n]. *own gets memory where they had to be computed (weir_free).
 */
WEIR_CHECKED weir_status weir_rope_frequencies(const double **out, double **own, const struct weir_rope *rope,
                                               size_t positions);

#endif
