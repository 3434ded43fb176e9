/**
 * weir: run a transformer with named hook points, keep what flows past them.
 *
 * The only public header. The pieces, in the order in which they are used:
 *
 *   weir_model     a language model: weights mapped from disk, tokenizer, geometry
 *   weir_tokens    the ids of one prompt
 *   weir_run       a model, what to do at its hook points, and the work space for forward passes
 *   weir_capture   a hook that stores what it sees in an HDF5 file
 *   weir_file      such a file, open for reading
 *
 * A prompt's last-layer attention, in ten lines:
 *
 *     static weir_status show(const weir_event *e, void *payload)        // e->data is [head, query, key]
 *     {
 *         printf("layer %d: %zu heads, %zu queries\n", e->layer, e->shape[0], e->shape[1]);
 *         return WEIR_OK;
 *     }
 *     ...
 *     weir_model_open(&model, "HuggingFaceTB/SmolLM2-135M", NULL);
 *     weir_tokenize(model, "Hello there", WEIR_BOS_AUTO, &tokens);
 *     weir_run_open(&run, model, NULL);
 *     weir_run_hook(run, "pattern:-1", WEIR_READ, show, NULL);
 *     weir_run_forward(run, &tokens, 1);
 *
 * Errors: every function that can fail returns a weir_status; when it is not WEIR_OK, weir_message() is one line that
 * names what is wrong and what to do. The library never prints and never exits. Out-parameters come first and are NULL
 * or empty after a failure. What you open you close, in whatever order; close functions accept NULL. A wrong argument
 * (NULL where something is needed, a value that no enum has) is WEIR_E_USAGE.
 *
 * Threads: one model may be shared by several runs; a run, a capture and a file belong to one thread at a time. HDF5 is
 * used by one thread at a time: do not have a capture and a file at work in two threads at once. One capture is open at
 * a time in a process. A run and a capture belong to the process that opened them: in a child that it forks off their
 * functions fail with WEIR_E_USAGE, and closing them there does nothing. A model may be used in both.
 */
#ifndef WEIR_H
#define WEIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WEIR_API     __attribute__((visibility("default")))
#define WEIR_CHECKED __attribute__((warn_unused_result))
#else
#define WEIR_API
#define WEIR_CHECKED
#endif

/** @return the version of the library that is running, such as "0.1.0". */
WEIR_API const char *weir_version(void);

/* ---- errors ---------------------------------------------------------------------------------------------------- */

/** What became of a call. The values 2 to 6 are also the exit codes of the command line. */
typedef enum weir_status {
    WEIR_OK = 0,
    WEIR_E_USAGE = 2,       /**< an argument is wrong: an unknown hook, a position out of range */
    WEIR_E_INPUT = 3,       /**< a file or text is missing, unreadable or malformed */
    WEIR_E_UNSUPPORTED = 4, /**< well-formed, and not something weir can do; the message says why */
    WEIR_E_OUTPUT = 5,      /**< could not write */
    WEIR_E_MEMORY = 6,      /**< out of memory */
    WEIR_E_STOPPED = 7      /**< a hook or a signal asked the run to end */
} weir_status;

/** @return the message of this thread's last failure; never NULL, valid until the next failure. */
WEIR_API const char *weir_message(void);

/** Sets this thread's message (printf style, one line) and @return `status`: for hooks that fail. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
WEIR_API weir_status
weir_fail(weir_status status, const char *format, ...);

/* ---- hook points ----------------------------------------------------------------------------------------------- */

/** The axes of hook points. Every stored axis has one of these names (weir_axis_name). */
typedef enum weir_axis {
    WEIR_AXIS_LAYER,
    WEIR_AXIS_PROMPT,
    WEIR_AXIS_POS,
    WEIR_AXIS_QUERY,
    WEIR_AXIS_KEY,
    WEIR_AXIS_HEAD,
    WEIR_AXIS_KV_HEAD,
    WEIR_AXIS_D_HEAD,
    WEIR_AXIS_D_MODEL,
    WEIR_AXIS_D_MLP,
    WEIR_AXIS_D_EXPERT,
    WEIR_AXIS_EXPERT,
    WEIR_AXIS_EXPERT_K,
    WEIR_AXIS_VOCAB,
    WEIR_N_AXES
} weir_axis;

/** @return "layer", "prompt", "pos", ...; NULL for a value out of range. */
WEIR_API const char *weir_axis_name(weir_axis axis);

enum { WEIR_MAX_AXES = 3 }; /**< axes of one value below layer and prompt */

/** One hook point, whatever the model. `axes` are those below layer and prompt, outermost first. */
typedef struct weir_point {
    int id;              /**< 0 to weir_n_points() - 1 */
    const char *name;    /**< short name: "pattern" */
    const char *hook;    /**< TransformerLens's name: "blocks.{layer}.attn.hook_pattern" */
    const char *meaning; /**< one line */
    bool per_layer;      /**< the name begins with "blocks.{layer}." */
    bool by_default;     /**< one of the five that are stored when nothing is asked for */
    bool by_name_only;   /**< large and derivable: `*` does not include it */
    int n_axes;
    weir_axis axes[WEIR_MAX_AXES];
} weir_point;

WEIR_API int weir_n_points(void);
/** @return point `id`, static; NULL when out of range. */
WEIR_API const weir_point *weir_point_at(int id);
/** @return the index in `axes` of the point's positions: pos or query. */
WEIR_API int weir_point_row_axis(const weir_point *point);
/**
 * @return the index in `axes` of what a selection's UNITS choose from: heads where the point has them, else the second
 * of two axes (neurons, channels, experts, the vocabulary); -1 where there is neither.
 */
WEIR_API int weir_point_unit_axis(const weir_point *point);

/* ---- models ---------------------------------------------------------------------------------------------------- */

typedef struct weir_model weir_model;

/** The geometry of a model. Sizes that vary by layer or do not apply are 0. */
typedef struct weir_model_info {
    const char *name;   /**< the folder's, file's or repository's name; owned by the model */
    const char *path;   /**< where its weights were found; owned by the model */
    const char *family; /**< Hugging Face model_type: "llama" */
    const char *format; /**< "safetensors" or "gguf" */
    const char *config; /**< the configuration as JSON text; owned by the model */
    int n_layers, n_heads, n_kv_heads, d_head, d_model, d_mlp, n_vocab;
    int n_context; /**< the longest prompt it takes */
    uint64_t n_params;
    const char *digest;  /**< 64 hex digits over headers, config, sizes and `process`; owned by the model */
    const char *process; /**< what was done to its weights: "fold_ln,center_unembed"; "": nothing; owned by the model */
    bool has_tokenizer;  /**< without one it runs on token ids only */
} weir_model_info;

typedef struct weir_model_options {
    int n_threads;       /**< 0: as many as the machine has */
    bool tokenizer_only; /**< nothing but the tokenizer is read: for texts and ids, of a folder or a tokenizer.json that
                              need hold nothing else; it has no layers, no points, and cannot be run */
    /**
     * Weight processing as TransformerLens defines it: any of "fold_ln", "center_writing_weights", "center_unembed" and
     * "fold_value_biases", joined by commas; or "tl", which is those of the four that hold for the model, with a note
     * (weir_model_note) for each that does not. NULL: none. Values at hook points change; log-probabilities stay
     * as they are, to rounding. Every matrix that changes is kept in memory as float32 (docs/models.md).
     */
    const char *process;
} weir_model_options;

/**
 * Opens a model. `where` is a Hugging Face folder, a .gguf file, or an org/name that the Hugging Face cache has.
 * Weights are mapped read-only; nothing is copied yet.
 * @param options NULL for the defaults.
 * @return WEIR_E_INPUT when missing or malformed, WEIR_E_UNSUPPORTED for a family or option that weir does not know,
 * and for processing that would change what the model computes; WEIR_E_USAGE for a name of processing that is none.
 */
WEIR_API WEIR_CHECKED weir_status weir_model_open(weir_model **out, const char *where,
                                                  const weir_model_options *options);
WEIR_API void weir_model_close(weir_model *model);
/**
 * For a program's own handler of SIGBUS, which is what reading a mapped file raises that another process cuts short.
 * Puts zeros where the file ended; the call that was reading fails with WEIR_E_INPUT in the end. May be called from a
 * signal handler, of any thread. The library installs none: without one, the signal ends the program.
 * @return whether `address` (si_addr) lies in a map of weir's. If not, the signal is not weir's to answer.
 */
WEIR_API bool weir_mend_map(const void *address);
WEIR_API const weir_model_info *weir_model_get_info(const weir_model *model);
/**
 * What whoever runs the model should know of it, one line each: what its files have and it does not use, and where
 * files and configuration disagree. Most models have none. The library never prints: a program shows them.
 * @return note `i`, from 0, owned by the model; NULL past the last.
 */
WEIR_API const char *weir_model_note(const weir_model *model, size_t i);
/** @return the name of the `i`-th tensor of its files that no part of it is made of, by the alphabet; NULL past the
 * last.
 */
WEIR_API const char *weir_model_unused_tensor(const weir_model *model, size_t i);
/**
 * @return the `i`-th key of its config.json, or of a GGUF file's own part of the metadata, that its family does not
 * read and that is not known to be about training, generation or bookkeeping; in the file's order. NULL past the last.
 */
WEIR_API const char *weir_model_unread_key(const weir_model *model, size_t i);

/** @return whether `point` fires in `layer` (-1 for points outside blocks); `why`, when given, gets the reason if not.
 */
WEIR_API bool weir_model_has_point(const weir_model *model, int point, int layer, const char **why);
/** Sizes of `point`'s axes in this model; pos, query and key are 0. @return the number of axes. */
WEIR_API int weir_model_shape(const weir_model *model, int point, size_t shape[WEIR_MAX_AXES]);

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

/** One prompt as token ids. `text` is NULL where it was made from ids. One that is made by hand begins as all zero. */
typedef struct weir_tokens {
    int32_t *ids; /**< [n] */
    size_t n;
    char *text; /**< UTF-8, ended by NUL; may hold NULs before that: n_text counts */
    size_t n_text;
    char *fields; /**< what else is known of the prompt, a JSON object that a capture keeps in the file; NULL: none.
                       From malloc; weir_tokens_close frees it */
    char *side;   /**< which side of a line of pairs it is, "clean": what #clean selects; NULL: none. From malloc;
                       weir_tokens_close frees it */
    size_t line;  /**< the sides of one line have the same number. Only prompts with a side are matched by it */
} weir_tokens;

typedef enum weir_bos {
    WEIR_BOS_AUTO, /**< as the tokenizer's own rules say */
    WEIR_BOS_YES,  /**< one beginning-of-sequence token in front, never two */
    WEIR_BOS_NO
} weir_bos;

/** Tokenizes `n` bytes of UTF-8. @return WEIR_E_INPUT for invalid UTF-8 (naming the byte). Close with
 * weir_tokens_close. */
WEIR_API WEIR_CHECKED weir_status weir_tokenize(weir_tokens *out, const weir_model *model, const char *text, size_t n,
                                                weir_bos bos);
/** Copies ids and checks them against the vocabulary. @return WEIR_E_USAGE for an id out of range. */
WEIR_API WEIR_CHECKED weir_status weir_tokens_from_ids(weir_tokens *out, const weir_model *model, const int32_t *ids,
                                                       size_t n);
WEIR_API void weir_tokens_close(weir_tokens *tokens);
/**
 * What one token shows as: its bytes as text, where not UTF-8 as \xNN. Written to `text` (cut to `size`, always ended).
 * @return its whole length.
 */
WEIR_API size_t weir_token_text(const weir_model *model, int32_t id, char *text, size_t size);

/* ---- running --------------------------------------------------------------------------------------------------- */

typedef struct weir_run weir_run;
typedef struct weir_buffer weir_buffer;

/**
 * What a hook sees: the value of one point, in one layer, for one prompt. `data` is C-contiguous, axes outermost first.
 * It is valid during the call; to read it later without a copy, retain `buffer`.
 *
 * The value is always whole. What of it the hook's selection names is every one of `units` at every one of `rows`: an
 * editor that is meant to change only that keeps to them itself. Both are indices into the value, ascending; NULL
 * stands for all, of which there are n_rows or n_units then. The axes that they are along: weir_point_row_axis and
 * weir_point_unit_axis.
 */
typedef struct weir_event {
    const weir_point *point;
    int layer;  /**< -1 outside blocks */
    int prompt; /**< index into the prompts of this weir_run_forward */
    int n_axes;
    const weir_axis *axes;
    size_t shape[WEIR_MAX_AXES];
    float *data; /**< may be written to by hooks registered with WEIR_EDIT only */
    weir_buffer *buffer;
    int32_t *indices;    /**< of expert_indices, whose values are no floats: what is at `data`; NULL for other points */
    size_t first;        /**< position, in the whole prompt, of the value's row 0 */
    const int32_t *rows; /**< [n_rows] rows that the selection names; their positions are first + row. NULL: all */
    size_t n_rows;       /**< never 0: without a row the hook is not called */
    const int32_t *units; /**< [n_units] heads, neurons, ... that the selection names; NULL: all */
    size_t n_units;       /**< 0 for points that have none to choose from */
} weir_event;

/** Keeps the memory behind an event's data alive, and unchanged, past the call: release it, from any thread. */
WEIR_API void weir_buffer_retain(weir_buffer *buffer);
WEIR_API void weir_buffer_release(weir_buffer *buffer);

/**
 * A hook. A status that is not WEIR_OK ends the run with its message (weir_fail sets one). The functions of its own run
 * and capture fail with WEIR_E_USAGE in it; closing one of them ends weir_run_forward with that.
 */
typedef weir_status weir_hook_fn(const weir_event *event, void *payload);

typedef enum weir_access {
    WEIR_READ, /**< sees values after all edits */
    WEIR_EDIT  /**< may change them; editors run in the order registered */
} weir_access;

/**
 * What products with weights are computed in. All else, attention and norms among it, is float32 always, and so are
 * the values that hooks see. The narrower two need instructions of the processor's (AVX512-BF16, AVX512-VNNI).
 */
typedef enum weir_compute {
    WEIR_COMPUTE_F32,
    WEIR_COMPUTE_BF16, /**< weights and inputs rounded to bfloat16, summed in float32 */
    WEIR_COMPUTE_INT8  /**< rounded to bytes, with one scale for each output's weights and one for each input row */
} weir_compute;

typedef struct weir_run_options {
    size_t batch_positions; /**< how many positions are computed at once; 0: chosen by weir */
    weir_compute compute;   /**< refused with WEIR_E_UNSUPPORTED where the processor cannot */
} weir_run_options;

WEIR_API WEIR_CHECKED weir_status weir_run_open(weir_run **out, weir_model *model, const weir_run_options *options);
WEIR_API void weir_run_close(weir_run *run);

/**
 * Registers a hook at every point that `selection` names, in the grammar HOOK[:LAYERS[.UNITS]][@POSITIONS][#PROMPTS],
 * comma-separated; a term with a - in front takes away from what those before it name. POSITIONS may be fields of the
 * prompt (weir_tokens.fields), PROMPTS a side of theirs. The hook sees whole values; which units and rows of them are
 * meant, the event says (weir_event). Positions and prompts are looked up when weir_run_forward has the prompts.
 * @return WEIR_E_USAGE for a name that matches nothing (naming the nearest), for layers and units out of range, for
 * terms that name other units at other positions of one value, which take a hook each, and for keys, since a hook gets
 * all keys of a query; WEIR_E_UNSUPPORTED for a point that this model does not have.
 */
WEIR_API WEIR_CHECKED weir_status weir_run_hook(weir_run *run, const char *selection, weir_access access,
                                                weir_hook_fn *hook, void *payload);
/**
 * Registers a hook at one point (weir_point_at) in one layer, -1 for points outside blocks: for programs that loop.
 * @return WEIR_E_USAGE for a point or a layer that does not exist, WEIR_E_UNSUPPORTED if this model does not have it
 * (weir_model_has_point).
 */
WEIR_API WEIR_CHECKED weir_status weir_run_hook_at(weir_run *run, int point, int layer, weir_access access,
                                                   weir_hook_fn *hook, void *payload);
/**
 * Removes every registration of that hook with that payload; does nothing if there is none. Called in a hook of the
 * run, it removes nothing and ends weir_run_forward with WEIR_E_USAGE.
 */
WEIR_API void weir_run_unhook(weir_run *run, weir_hook_fn *hook, void *payload);
/**
 * @return how many layers a pass goes through, given the hooks and captures registered so far: it ends with the last
 * layer that one of them wants. 0 if only points before the blocks are wanted, or none.
 */
WEIR_API int weir_run_depth(const weir_run *run);

/**
 * Runs all prompts. What no hook wants is not computed: the pass ends after the last layer that is wanted. Hooks are
 * called on this thread, once per (point, layer, prompt); for one prompt in the order of computation.
 * @return WEIR_E_USAGE for a prompt without tokens, one longer than the context, a hook's position, field or side that
 * the prompts do not have, and what is left by a term that takes away if that is no set of units at a set of positions;
 * WEIR_E_INPUT for a field that names no position: all before anything runs; else what a hook returned.
 */
WEIR_API WEIR_CHECKED weir_status weir_run_forward(weir_run *run, const weir_tokens *prompts, size_t n);

/* ---- edits ----------------------------------------------------------------------------------------------------- */

/** One change to what a selection names, as data: SELECTION OP SOURCE [along FILE] [keeping norm]. */
typedef struct weir_edit weir_edit;

/**
 * Parses an edit from its text, as in "z:5.3 = 0" or "resid_post:8 += 4 * love.npy", or from a JSON object with the
 * members select, op and value, and along and keeping where they are wanted, which are the same texts (a value may also
 * be a number). No file is read and no model is asked yet. Close with weir_edit_close.
 * @return WEIR_E_USAGE, with "character N: " in front of what is wrong there, N from 1; WEIR_E_INPUT for what begins
 * with { and is no JSON.
 */
WEIR_API WEIR_CHECKED weir_status weir_edit_parse(weir_edit **out, const char *text);
WEIR_API void weir_edit_close(weir_edit *edit);
/**
 * Makes the run edit the values that pass, from the next weir_run_forward on: edits act in the order in which they are
 * added, among hooks registered with WEIR_EDIT, before hooks that read and captures. The run keeps a copy. What depends
 * on the prompts is found out when they are about to run: WEIR_E_USAGE for a prompt, side or position that is missing,
 * and for an edit that changes nothing in any of them. An unedited copy of a prompt that an edit reads from, [#base],
 * runs beside it; no hook and no capture sees it.
 * @return WEIR_E_USAGE for a selection or a source that this model cannot have, WEIR_E_UNSUPPORTED for a point that it
 * does not have; with "character N: " in front where a part of the edit is at fault.
 */
WEIR_API WEIR_CHECKED weir_status weir_run_edit(weir_run *run, const weir_edit *edit);
/**
 * What whoever runs the edits should know of their sources, one line each: that a file which an edit reads was made
 * with a model of the same sizes and another name.
 * @return note `i`, from 0, owned by the run; NULL past the last.
 */
WEIR_API const char *weir_run_note(const weir_run *run, size_t i);

/* ---- metrics --------------------------------------------------------------------------------------------------- */

/** A number per prompt, as data: of the logits, of hook points, and sums of these. */
typedef struct weir_metric weir_metric;

/**
 * Parses a metric from its text, as in "logit(answer) - logit(wrong)", "kl(#base)", "sum(loss@1:)" or
 * "dot(resid_post:6@-1, love.npy)". No file is read and no model is asked yet. Close with weir_metric_close.
 * @return WEIR_E_USAGE, with "character N: " in front of what is wrong there, N from 1.
 */
WEIR_API WEIR_CHECKED weir_status weir_metric_parse(weir_metric **out, const char *text);
WEIR_API void weir_metric_close(weir_metric *metric);
/** @return the text that it was parsed from, owned by the metric: a name for its values. */
WEIR_API const char *weir_metric_text(const weir_metric *metric);
/** @return why it has no derivative, in a few words; NULL where it has one. */
WEIR_API const char *weir_metric_without_derivative(const weir_metric *metric);

/** What a metric is in each prompt of a run. It is the run's, and closed with it. */
typedef struct weir_measured weir_measured;

/**
 * Measures a metric in every weir_run_forward of the run from now on: after all edits, at the last position unless it
 * says another, averaged over several (sum adds). The metric stays the caller's and may be closed. Before anything
 * runs, weir_run_forward fails for tokens, fields, sides and positions that a prompt does not have, with the metric,
 * the character in it and the prompt in its message.
 * @return WEIR_E_USAGE and WEIR_E_UNSUPPORTED as weir_run_hook does for hook points, WEIR_E_INPUT for a file that
 * cannot be read.
 */
WEIR_API WEIR_CHECKED weir_status weir_run_measure(weir_measured **out, weir_run *run, const weir_metric *metric);
/**
 * Its values in the prompts of the last weir_run_forward, or the variants of a weir_run_sweep since: values [n], n as
 * many as were run, in nats where it is one of information.
 * @return WEIR_E_USAGE where that did not come to its end.
 */
WEIR_API WEIR_CHECKED weir_status weir_measured_values(const weir_measured *measured, double *values, size_t n);

/* ---- sweeping -------------------------------------------------------------------------------------------------- */

/** A prompt in which one value, or part of one, is that of another prompt: one cell of a grid of patches. */
typedef struct weir_variant {
    int prompt;   /**< index of the prompt that runs */
    int source;   /**< index of the prompt whose value it gets, which has equally many tokens unless one row is replaced
                   */
    int point;    /**< weir_point_at; -1: nothing is replaced */
    int layer;    /**< -1 for points outside blocks */
    int unit;     /**< head, key-value head, neuron, ... (weir_point_unit_axis); -1: all */
    int position; /**< the row: a position, of patterns and scores a query; -1: all */
    int key;      /**< of patterns and scores; -1: all */
    int shift;    /**< the row of the source is position + shift; 0 unless one row is replaced, of what has no keys */
} weir_variant;

/** Positions of one prompt, one after the other. */
typedef struct weir_rows {
    size_t first, n;
} weir_rows;

/**
 * Runs n variants of the prompts, each of them no further than it differs: from its layer and position on, beginning
 * with what one pass over the prompts has kept, as many as fit side by side. Values are those of whole passes. Metrics
 * of the run (weir_run_measure) are measured of every variant, of the prompt that it changes: weir_measured_values then
 * takes n values. What they name by a side of the line, by number or as base is meant unchanged. Edits of the run
 * (weir_run_edit) hold in the prompts and in every variant, before its own change; what an edit reads of another prompt
 * it reads of that prompt unchanged. Edits that read values, and those of keys or query heads, make variants run from
 * their first position on.
 * @param rows [n_prompts] the positions whose logits the hook wants, n 0 for none; NULL: the last one of each prompt.
 * @param hook called once for each variant, in any order, with the logits of those positions: event->prompt is the
 * number of the variant, event->data [rows.n, vocab] (NULL for none), event->first rows.first. NULL: only metrics are
 * wanted.
 * @return WEIR_E_USAGE for a variant that the prompts do not have (naming it), for a run that has hooks, plugins or
 * captures, and where there is neither a hook nor a metric; WEIR_E_UNSUPPORTED for a point that this model does not
 * have, and for edits of prompts by number or of a prompt that reads itself by its side's name; what weir_run_forward
 * returns for a metric; else what the hook returned.
 */
WEIR_API WEIR_CHECKED weir_status weir_run_sweep(weir_run *run, const weir_tokens *prompts, size_t n_prompts,
                                                 const weir_variant *variants, size_t n, const weir_rows *rows,
                                                 weir_hook_fn *hook, void *payload);

/* ---- plugins --------------------------------------------------------------------------------------------------- */

enum { WEIR_PLUGIN_ABI = 1 }; /**< the version of what follows, which a plugin is compiled for */

/**
 * What a plugin is: a shared object that defines weir_plugin_entry. It is compiled with weir.h alone and linked with no
 * library: it calls the functions of the weir that loads it. All of it is called on the thread of the run, and a status
 * that is not WEIR_OK ends what the run is doing, with the plugin's message (weir_fail).
 *
 *     const weir_plugin weir_plugin_entry = {.abi = WEIR_PLUGIN_ABI, .open = open_it, .close = close_it};
 */
typedef struct weir_plugin {
    int abi; /**< WEIR_PLUGIN_ABI; the first member in every version, read before all else */
    /**
     * Registers hooks, readers or editors, by weir_run_hook. `arguments` is what the user wrote behind the file's name,
     * "" for nothing; run and model stay until `close`, the text does not. What it leaves in *state is passed to the
     * other functions. After a failure its hooks are taken back, and close is not called.
     */
    weir_status (*open)(void **state, weir_run *run, const weir_model *model, const char *arguments);
    /** Called before each weir_run_forward with its prompts, which stay until `end`; an event's `prompt` is an index
     * into them. May be NULL. */
    weir_status (*begin)(void *state, const weir_tokens *prompts, size_t n);
    weir_status (*end)(void *state); /**< called when a weir_run_forward has come to its end; may be NULL */
    void (*close)(void *state);      /**< called when the run is closed, before the object is unloaded; may be NULL */
} weir_plugin;

/** Defined by a plugin; weir itself has none. */
extern WEIR_API const weir_plugin weir_plugin_entry;

/**
 * Loads a plugin into a run. Its hooks come after those registered before. It runs with all rights of the program.
 * @param path the shared object.
 * @param arguments passed to the plugin; NULL for none.
 * @return WEIR_E_INPUT for a file that cannot be loaded or is no plugin, WEIR_E_UNSUPPORTED for one of another version,
 * else what its `open` returned.
 */
WEIR_API WEIR_CHECKED weir_status weir_run_plugin(weir_run *run, const char *path, const char *arguments);

/* ---- capturing ------------------------------------------------------------------------------------------------- */

typedef struct weir_capture weir_capture;

typedef enum weir_dtype { WEIR_F32, WEIR_F16, WEIR_BF16 } weir_dtype;

typedef struct weir_capture_options {
    const char *hooks; /**< selection, NULL for the default set; of prompts that it does not choose nothing is stored */
    const char *positions; /**< positions that all hooks share, slices or fields; NULL for all */
    int next;              /**< the k most likely next tokens a position, and each prompt's loss; 0: none */
    weir_dtype dtype;
    int compare;         /**< positions of the first prompt that are computed in float32 too, when the run computes in
                              fewer bits, to state the error in the file; 0: none */
    bool gzip;           /**< compress patterns */
    bool force;          /**< replace an existing file */
    const char *command; /**< kept in the file as what made it; may be NULL */
} weir_capture_options;

/** What a capture will write, known before it starts. */
typedef struct weir_capture_size {
    int n_points;
    size_t n_positions; /**< rows of the pos axis */
    uint64_t bytes;     /**< about as many as the file will have; before compression */
    int largest;        /**< the point (weir_point_at) that takes most of it */
    uint64_t largest_bytes;
} weir_capture_size;

/**
 * Plans a capture of `run` over `prompts`, which must be those that weir_run_forward then gets, once, and stay until
 * close. The file grows under a partial name beside `path`; it gets its own in weir_capture_commit.
 * @return WEIR_E_USAGE for a selection that cannot be, WEIR_E_OUTPUT when the file exists and `force` is not set, or
 * the disk cannot hold it.
 */
WEIR_API WEIR_CHECKED weir_status weir_capture_open(weir_capture **out, weir_run *run, const char *path,
                                                    const weir_tokens *prompts, size_t n,
                                                    const weir_capture_options *options);
WEIR_API const weir_capture_size *weir_capture_get_size(const weir_capture *capture);
/** Waits until all is on disk and gives the file its name. @return WEIR_E_USAGE where a prompt has not run to its end.
 */
WEIR_API WEIR_CHECKED weir_status weir_capture_commit(weir_capture *capture);
/** Where a run left the finite numbers. */
typedef struct weir_not_finite {
    const weir_point *point;
    int layer, prompt, position; /**< layer -1 outside blocks */
    float value;                 /**< NaN or an infinity */
    uint64_t count;              /**< how many stored values are not finite */
} weir_not_finite;

/**
 * The first stored value that is NaN or infinite, in the order of the pass, for after commit. The -inf of masked
 * attention scores does not count. The file is as good as any: such values are stored, and told from what is not
 * stored.
 * @return false when all are finite.
 */
WEIR_API bool weir_capture_not_finite(const weir_capture *capture, weir_not_finite *out);
/** @return how many stored values were too large for f16 and were saturated; for after commit. */
WEIR_API uint64_t weir_capture_saturated(const weir_capture *capture);
/**
 * The error of a run at lower precision against float32, for after weir_run_forward: the largest over layers of the
 * relative difference (norm of the difference to norm of the value) on the positions compared. The file has it too, as
 * the attribute compute_error. @return NaN when there was nothing to compare.
 */
WEIR_API double weir_capture_error(const weir_capture *capture, int point);
/** Closes; what was not committed leaves nothing behind. */
WEIR_API void weir_capture_close(weir_capture *capture);

/* ---- reading files --------------------------------------------------------------------------------------------- */

/** An open file. One thread at a time may use it: HDF5 is not safe for several. */
typedef struct weir_file weir_file;

/** What a whole file has. Texts are owned by the file. */
typedef struct weir_file_info {
    int schema; /**< version of the layout */
    const char *model, *family, *created, *command;
    const char *config, *digest; /**< the model's; digest is 64 hex digits */
    const char *compute;         /**< precision of products with weights: "f32", "bf16", "int8" */
    const char *process;         /**< what was done to the weights (weir_model_info); "": nothing */
    weir_dtype dtype;
    int n_layers, n_prompts, n_positions, n_key; /**< n_positions: stored rows; n_key: tokens of the longest prompt */
    int n_points;                                /**< stored points: weir_file_point */
    int n_next;                                  /**< most likely next tokens per position (weir_file_next); 0: none */
} weir_file_info;

/** One stored hook point. */
typedef struct weir_file_point {
    const weir_point *point;
    size_t shape[WEIR_MAX_AXES]; /**< sizes of the axes below layer and prompt */
    const bool *layers;          /**< [n_layers] stored or not; NULL for points outside blocks */
    const char *units;           /**< stored heads or neurons as LAYER.UNIT+LAYER.UNIT, ascending, as in "5.3+7.2"
                                  (outside the blocks ".3+.7");
                                  layers that it does not name have all of theirs; NULL for all (weir_file_has_unit) */
    bool sinks;                  /**< pattern of heads with attention sinks: the sink has what rows lack of 1 */
    uint64_t saturated;          /**< values that f16 could not hold */
    uint64_t bytes;              /**< on disk */
    double compute_error;        /**< relative, against float32 (weir_capture_error); NaN: not measured */
} weir_file_point;

/**
 * Opens a file that weir wrote; values are read when asked for. Close with weir_file_close.
 * @return WEIR_E_INPUT when it is damaged, of another program, or being written; WEIR_E_UNSUPPORTED for another version
 * of the layout.
 */
WEIR_API WEIR_CHECKED weir_status weir_file_open(weir_file **out, const char *path);
/** Closes the file and frees all that it owns: info, points, prompts, texts. NULL is fine. */
WEIR_API void weir_file_close(weir_file *file);
/** @return what the file has, owned by it. */
WEIR_API const weir_file_info *weir_file_get_info(const weir_file *file);
/** @return stored point `i`, owned by the file; NULL when out of range. */
WEIR_API const weir_file_point *weir_file_point_at(const weir_file *file, int i);
/** @return the stored point of that short name, owned by the file, or NULL. */
WEIR_API const weir_file_point *weir_file_find(const weir_file *file, const char *name);
/**
 * True if head or neuron `unit` of a stored point is stored in `layer` (-1 for points outside blocks).
 * @return false where the layer is not stored, for a unit out of range, and for points without heads or neurons.
 */
WEIR_API bool weir_file_has_unit(const weir_file_point *point, int layer, size_t unit);
/** One prompt of a file, owned by the file. */
typedef struct weir_file_prompt {
    const int32_t *ids;       /**< [n] token ids */
    size_t n;                 /**< tokens */
    const char *text;         /**< NULL where it was given as ids */
    const char *fields;       /**< JSON object with the other fields of its line of JSON; NULL: none */
    const int32_t *positions; /**< [n_positions of the file] absolute positions of its stored rows; -1 past the last */
    size_t n_rows;            /**< stored rows */
    float loss;               /**< mean next-token loss in nats; NaN where it was not stored */
} weir_file_prompt;
/** @return WEIR_E_USAGE for a prompt that the file does not have, WEIR_E_INPUT where its data is damaged. */
WEIR_API WEIR_CHECKED weir_status weir_file_get_prompt(const weir_file *file, int prompt, weir_file_prompt *out);
/** @return the text of token `index` of `prompt`, owned by the file; "" past the end, and where it cannot be read
 * (weir_file_check_texts). */
WEIR_API const char *weir_file_token(const weir_file *file, int prompt, int index);
/** Asked after weir_file_token and weir_file_next_text, and before their texts are relied on. @return the failure of
 * the first text that could not be read since the file was opened: WEIR_E_INPUT where it is damaged, WEIR_E_MEMORY. */
WEIR_API WEIR_CHECKED weir_status weir_file_check_texts(const weir_file *file);
/** A block of a value: `start` and `count` along each axis below layer and prompt. */
typedef struct weir_block {
    size_t start[WEIR_MAX_AXES], count[WEIR_MAX_AXES];
} weir_block;

/**
 * @return whether a value that weir_file_read gave was stored. Values that were not are one certain NaN, bits
 * 0x7fea0000; a NaN that was computed has other bits. (Files older than that NaN do not distinguish the two in chunked
 * datasets: there every NaN is taken for not stored.)
 */
WEIR_API bool weir_is_stored(float value);
/**
 * Reads the value of a stored point as float32 (indices as numbers), all of it, or the part that `block` names.
 * @param layer -1 for points outside blocks.
 * @param block NULL for the whole value.
 * @param out [product of the counts], C order; values not stored are a special NaN (weir_is_stored).
 * @return WEIR_E_USAGE for a layer, prompt or block that the file does not have, WEIR_E_INPUT where its data is
 * damaged.
 */
WEIR_API WEIR_CHECKED weir_status weir_file_read(const weir_file *file, const weir_file_point *point, int layer,
                                                 int prompt, const weir_block *block, float *out);
/** @return whether anything may be stored in that part of a value. Looks it up without reading values. */
WEIR_API bool weir_file_has(const weir_file *file, const weir_file_point *point, int layer, int prompt,
                            const weir_block *block);
/**
 * Reads the most likely next tokens of one prompt's stored rows, the likeliest first.
 * @param ids, logits, logprobs each [n_rows of the prompt, n_next of the file], logits and log probabilities in nats;
 * NULL for those not wanted.
 * @return WEIR_E_USAGE when the file has none.
 */
WEIR_API WEIR_CHECKED weir_status weir_file_next(const weir_file *file, int prompt, int32_t *ids, float *logits,
                                                 float *logprobs);
/** @return the text of a likely next token, owned by the file; "" where the file does not have it, or it cannot be
 * read (weir_file_check_texts). */
WEIR_API const char *weir_file_next_text(const weir_file *file, int32_t id);

#ifdef __cplusplus
}
#endif

#endif
