/* Wrappers: models that see or hear, around a text model that weir knows. */
#ifndef WEIR_MODEL_WRAPPER_H
#define WEIR_MODEL_WRAPPER_H

#include "base/json.h"
#include "model/family.h"

/* Where a wrapper's configuration says that the unembedding is the embedding. */
enum weir_tie {
    WEIR_TIE_NEVER,
    WEIR_TIE_TOP,           /* "tie_word_embeddings" of the wrapper; absent: false */
    WEIR_TIE_TOP_OR_ABSENT, /* absent: true */
    WEIR_TIE_EITHER         /* the wrapper's or its text configuration's, if true */
};

struct weir_wrapper {
    const char *model_type; /* config.json */
    const char *text;       /* the key of its text model's configuration; "a.b" is b inside a */
    const char *family;     /* the model_type of that configuration */
    bool any_family;        /* ... unless it gives another */
    bool text_at_top;       /* older files have the text model's keys beside the wrapper's */
    enum weir_tie tie;
    bool caps_logits;     /* ... as the text model does; nothing else that it does to logits is done */
    int first_position;   /* what rotation counts position 0 as */
    const char *defaults; /* members of the text configuration where it has none, as JSON; NULL: none */
    const char *without;  /* a key of it that is of images alone; NULL: none */
    const char *note;     /* for a user; NULL: none */
    const char *prefixes; /* in front of the text model's tensors, between |, the published one first */
};

/* NULL where there is none. */
const struct weir_wrapper *weir_wrapper_of_model_type(const char *model_type);

/* The configuration of the text model as transformers' class of the wrapper makes it: the family's keys, its
   model_type, what the top says of ties and quantization. Its values refer to those of `json`, which must outlive it;
   cJSON_Delete. WEIR_E_INPUT where the wrapper's file has no text configuration. */
WEIR_CHECKED weir_status weir_wrapper_text(cJSON **out, const struct weir_wrapper *wrapper, const cJSON *json,
                                           const char *file);

#endif
