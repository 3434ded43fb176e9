/* The keys of config.json by family: what the family's code reads, under which names, and what they mean. Nothing else
   that a config.json has is read, nor refused. */
#ifndef WEIR_MODEL_KEYS_H
#define WEIR_MODEL_KEYS_H

#include "base/json.h"

#include "model/family.h"

enum {
    WEIR_MAX_HEADS = 65536, /* heads, and dimensions of one */
    WEIR_MAX_WIDTH = 1 << 20,
    WEIR_MAX_MLP = 1 << 22,
    WEIR_MAX_EXPERTS = 65536,
    WEIR_MAX_VOCABULARY = 1 << 26,
    WEIR_MAX_CONTEXT = 1 << 30,
    WEIR_MAX_WINDOW = 1 << 30
};

typedef weir_status weir_key_fn(struct weir_config *config, const cJSON *json, const char *file);

/* The uses of a key's value. Where several keys of a list set the same field, the last one that is there wins. */
enum weir_key_kind {
    WEIR_KEY_INT,    /* a size, at least 1; null is 0: as another one says */
    WEIR_KEY_COUNT,  /* the same, or 0: none */
    WEIR_KEY_NUMBER, /* null is 0: none */
    WEIR_KEY_BOOL,   /* null leaves what an absent key means, as in all that follow */
    WEIR_KEY_NOT,    /* the field becomes the contrary */
    WEIR_KEY_BIASES, /* whether maps have biases */
    WEIR_KEY_ACTIVATION,
    WEIR_KEY_ONLY, /* implemented at one value only */
    WEIR_KEY_READ, /* by a function, which may look at all keys of the list; or by the family's refine */
};

struct weir_key {
    const char *names; /* between |, the first that is there counts; "a.b" is b inside a */
    enum weir_key_kind kind;
    size_t field;      /* of struct weir_config */
    int64_t max;       /* of integers */
    uint64_t roles;    /* BIASES */
    double only;       /* ONLY: a number, or a bool as 0 or 1 */
    weir_key_fn *read; /* READ; NULL: the family's refine does */
};

/* The functions that read READ keys. They see the keys of the family's list and no others. read_rope.c: */
weir_key_fn weir_read_rope, weir_read_partial_rope, weir_read_phi3_rope, weir_read_two_ropes, weir_read_olmo3_ropes,
    weir_read_mrope;
/* read_layers.c: */
weir_key_fn weir_read_window, weir_read_layer_types, weir_read_unrotated, weir_read_dense_layers,
    weir_read_letters_of_layers, weir_read_layers_of_their_own;
/* Sets listed[i], of n_layers, for every number i of the list, which may be NULL. */
WEIR_CHECKED weir_status weir_read_layer_numbers(uint8_t *listed, int n_layers, const cJSON *list, const char *file,
                                                 const char *key);
/* read_keys.c: */
weir_key_fn weir_read_quantization, weir_read_bidirectional, weir_read_gemma_activation, weir_read_lens_activation,
    weir_read_n_embed;

/* read_keys.c: all keys of the family's list, in its order, into a config that has the family's defaults. *seen are the
   members of `json` that the list names, for the family's refine; close it with cJSON_Delete. */
WEIR_CHECKED weir_status weir_read_keys(struct weir_config *config, cJSON **seen, const struct weir_family *family,
                                        const cJSON *json, const char *file);

/* Roles whose biases a key decides. */
uint64_t weir_keys_biases(const struct weir_key *keys);
bool weir_keys_have(const struct weir_key *keys, const char *name);
/* True where a list of names, each between spaces, has this one. */
bool weir_key_is_in(const char *list, const char *name);

/* Lists end with a key without names. */
extern const struct weir_key weir_keys_gpt2[], weir_keys_gpt_neo[], weir_keys_gptj[], weir_keys_gpt_neox[],
    weir_keys_opt[], weir_keys_bloom[], weir_keys_llama[], weir_keys_mistral[], weir_keys_qwen2[], weir_keys_qwen3[],
    weir_keys_gemma[], weir_keys_gemma2[], weir_keys_gemma3[], weir_keys_phi[], weir_keys_phi3[], weir_keys_stablelm[],
    weir_keys_olmo[], weir_keys_olmo2[], weir_keys_starcoder2[], weir_keys_granite[], weir_keys_falcon[],
    weir_keys_mpt[], weir_keys_mixtral[], weir_keys_phimoe[], weir_keys_gpt_oss[], weir_keys_qwen3_moe[],
    weir_keys_olmoe[], weir_keys_smollm3[], weir_keys_cohere[], weir_keys_gpt_bigcode[], weir_keys_nemotron[],
    weir_keys_qwen2_vl[], weir_keys_qwen3_vl[], weir_keys_mllama[], weir_keys_olmo3[], weir_keys_cohere2[],
    weir_keys_exaone4[], weir_keys_glm[], weir_keys_ernie4_5[], weir_keys_seed_oss[], weir_keys_helium[],
    weir_keys_arcee[], weir_keys_jais2[], weir_keys_vaultgemma[], weir_keys_flex_olmo[], weir_keys_persimmon[],
    weir_keys_biogpt[], weir_keys_internlm3[], weir_keys_cwm[], weir_keys_ministral3[], weir_keys_lens[];

#endif
