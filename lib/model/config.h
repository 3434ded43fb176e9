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

/* config_gguf.c: GGUF beside its keys. What an absent key means in any architecture, for before the keys are read; what
   other values and the tensors say, for after. */
void weir_gguf_defaults(struct weir_config *config);
WEIR_CHECKED weir_status weir_gguf_facts(struct weir_config *config, const struct weir_family *family,
                                         const struct weir_gguf *gguf, const char *architecture);

/* A key that weir knows with the one value in which it changes nothing. */
struct weir_neutral {
    const char *key;
    double value; /* of a number, or a bool as 0 or 1 */
};
WEIR_CHECKED weir_status weir_config_check_neutral(const struct weir_neutral *table, size_t n, const cJSON *json,
                                                   const char *file);

/* A list under `key` of what attention each layer has, one of two names; nothing where there is none. */
WEIR_CHECKED weir_status weir_config_read_sliding(struct weir_config *config, const cJSON *json, const char *file,
                                                  const char *key, const char *sliding, const char *full);

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
