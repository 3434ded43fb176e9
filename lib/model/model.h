/* An open model: geometry, weights bound to their parts, tokenizer. Read-only after opening, but for the tokenizer
   (read when first needed) and the working copies of weights (made when a run will pass more than once). */
#ifndef WEIR_MODEL_MODEL_H
#define WEIR_MODEL_MODEL_H

#include "format/gguf.h"
#include "model/config.h"
#include "tensor/matmul.h"
#include "token/tokenizer.h"

#include <pthread.h>
#include <stdatomic.h>

struct weir_norm {
    enum weir_norm_kind kind; /* NONE: what goes in comes out */
    size_t d;                 /* what is normed together */
    float *weight, *bias;     /* [d]; NULL: none */
};

struct weir_linear {
    struct weir_matrix w; /* n_out 0: the layer has no such part */
    float *bias;          /* [n_out]; NULL: none */
};

/* One expert of a sparse MLP. */
struct weir_expert {
    struct weir_linear gate, in, out;
};

struct weir_layer {
    struct weir_layer_spec spec;
    struct weir_norm ln1, ln2, ln1_post, ln2_post, mlp_norm;
    struct weir_norm q_norm,
        k_norm; /* over all heads: [head * d_head], a head's weights repeated where they share them */
    struct weir_linear q, k, v, o;
    float *sinks; /* [head]; NULL: none */
    struct weir_linear mlp_gate, mlp_in, mlp_out;
    struct weir_linear router;   /* [expert, d_model] */
    struct weir_expert *experts; /* [n_experts] */
};

struct weir_model {
    weir_model_info info;
    char *name, *path, *config_text;
    char *process; /* what process.c did to the weights, "fold_ln,center_unembed"; NULL or "": nothing */
    char digest[65];
    const struct weir_family *family;
    struct weir_config config;
    char *prefix;                     /* in front of all tensors' names but the unembedding's */
    size_t n_wrapper;                 /* the part of it that no family has, which comes before that too */
    const struct weir_tensor *unread; /* the first that was wanted and cannot be read; NULL: none */
    struct weir_rope ropes[WEIR_MAX_ROPES];
    float *alibi; /* [head] slopes; NULL: none */

    struct weir_tensors *tensors; /* owned here for safetensors, by gguf else */
    struct weir_gguf *gguf;       /* NULL for a folder */
    float **vectors;              /* [n_vectors] biases and norm weights in float32 */
    size_t n_vectors, cap_vectors;
    char **notes; /* [n_notes] lines, as weir_model_note gives them */
    size_t n_notes, cap_notes;
    const char **unused; /* [n_unused] names of tensors */
    size_t n_unused;
    char **unread_keys; /* [n_unread_keys] of the configuration */
    size_t n_unread_keys, cap_unread_keys;
    bool tokenizer_only; /* everything about layers and weights is 0 */

    struct weir_matrix embed, pos_embed; /* [vocab, d_model], [context, d_model]; n_out 0: none */
    struct weir_layer *layers;           /* [n_layers] */
    struct weir_norm embed_norm, ln_final;
    struct weir_linear embed_in, embed_out; /* n_out 0: none */
    struct weir_linear unembed;
    int n_threads;
    atomic_int holders; /* who opened it, and each of its runs */

    pthread_mutex_t lock; /* of what follows */
    void **copies;        /* [n_copies] the matrices' working copies */
    size_t n_copies, cap_copies;
    bool tokenizer_read;
    struct weir_tokenizer *tokenizer;
};

/* A model that is closed while runs of it are open goes with the last of them. */
void weir_model_hold(struct weir_model *model);
void weir_model_release(struct weir_model *model);

/* weights.c: binds every part to its tensors, whose shapes are checked. */
WEIR_CHECKED weir_status weir_model_bind(struct weir_model *model);

/* notes.c: adds a line; text from files is in it as it is: the caller escapes it before printing. */
__attribute__((format(printf, 2, 3))) WEIR_CHECKED weir_status weir_model_add_note(struct weir_model *model,
                                                                                   const char *format, ...);
/* Adds to the keys that weir_model_unread_key gives. */
WEIR_CHECKED weir_status weir_model_add_unread_key(struct weir_model *model, const char *key);
/* Lists the tensors that nothing has taken, and notes those that matter: for when all parts are bound. */
WEIR_CHECKED weir_status weir_model_note_unused(struct weir_model *model);
/* Notes that the model is the text part of another, and layers that text skips. */
WEIR_CHECKED weir_status weir_model_note_wrapper(struct weir_model *model);
void weir_model_close_notes(struct weir_model *model);

/* locate.c: `where` as weir_model_open takes it to a path: of a folder or a .gguf file. New memory. */
WEIR_CHECKED weir_status weir_model_locate(char **path, const char *where);
bool weir_model_folder_has(const char *folder, const char *name);
/* WEIR_E_INPUT or _UNSUPPORTED for a folder that is not a model, naming what it is or holds. */
WEIR_CHECKED weir_status weir_model_check_folder(const char *folder);
/* The weights of a Hugging Face folder: model.safetensors or its index. New memory. */
WEIR_CHECKED weir_status weir_model_find_weights(char **path, const char *folder);

/* The tokenizer, read on first use. WEIR_E_INPUT when the model came without one. */
WEIR_CHECKED weir_status weir_model_get_tokenizer(const struct weir_tokenizer **out, const struct weir_model *model);

/* WEIR_E_USAGE, naming the first of these token ids that the model does not have. */
WEIR_CHECKED weir_status weir_model_check_ids(const struct weir_model *model, const int32_t *ids, size_t n);

/* applies.c: leaves of a term's points those that its name means in this model (points.def). WEIR_E_UNSUPPORTED where
   it means none of them, saying what it means. */
struct weir_term;
WEIR_CHECKED weir_status weir_model_settle(const struct weir_model *model, struct weir_term *term);

/* check.c: reads all weights; one finding for each tensor that holds NaN or infinities. How many those are. */
size_t weir_model_check_weights(const struct weir_model *model, weir_finding_fn *report, void *payload);

/* matrices.c: every matrix of the model in turn: for reserving scratch, making copies. */
typedef weir_status weir_matrix_fn(struct weir_matrix *matrix, void *payload);
WEIR_CHECKED weir_status weir_model_each_matrix(struct weir_model *model, weir_matrix_fn *fn, void *payload);
/* Gives back the memory in which the map of the file keeps a layer's matrices: for when they will not be read again. */
void weir_model_release_pages(struct weir_model *model, int layer);

#endif
