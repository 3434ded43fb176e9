/* A run: the plan, the prompts of the batch at hand, and the buffers in flight. Private to the engine and hooks/. */
#ifndef WEIR_ENGINE_RUN_H
#define WEIR_ENGINE_RUN_H

#include "base/parallel.h"
#include "engine/batch.h"
#include "engine/plan.h"
#include "engine/schedule.h"
#include "engine/values.h"

#include <sys/types.h>

enum { WEIR_NO_POINT = -1 };

/* Something that a hook closed, to be closed when nothing of the run is on the stack any more. */
struct weir_deferred {
    void (*close)(void *what);
    void *what;
    struct weir_deferred *next;
};

/* Something of hooks/ that goes with a run. What it does not care for is NULL. */
struct weir_companion {
    /* Called before a pass, when the scopes have found their rows: it may ask the run's schedule for what it needs. */
    weir_status (*prepare)(struct weir_run *run, void *payload);
    /* Called when no order of passes meets a need of the schedule's: a failure that names it, if it is its own. */
    weir_status (*explain)(const struct weir_need *need, void *payload);
    void (*finish)(void *payload); /* called after a pass, one that failed too */
    void (*close)(void *payload);  /* called with the run's end */
    void *payload;
    weir_status (*complete)(void *payload); /* called after a pass that came to its end, before finish */
    bool adds_nothing;                      /* to the prompts that pass */
};

struct weir_run {
    struct weir_model *model;
    struct weir_plan plan;
    struct weir_pool *pool;
    struct weir_matmul *matmul;
    struct weir_buffers *buffers;
    pid_t process;                     /* that opened it: its threads are in no other */
    int holders;                       /* who opened it, its capture, and a pass that is under way */
    bool running, closed;              /* a pass is under way; whoever opened it has closed it */
    const char *misused;               /* the function that a hook called and may not, and that returns no status */
    struct weir_deferred *at_end;      /* what waits for the pass to end */
    const void *capture;               /* the one that stores what this run gives; NULL: none */
    struct weir_run_edits *edits;      /* of hooks/edit.c; NULL: none yet */
    struct weir_measured *measures;    /* of hooks/metric.c: the first of a list; NULL: none */
    struct weir_companion *companions; /* [n_companions] */
    size_t n_companions, cap_companions;
    struct weir_schedule schedule; /* of the pass that is under way */
    const struct weir_start *from; /* where its prompts begin; NULL: with their first tokens */
    size_t batch_positions;
    size_t n_begun;     /* calls of weir_run_forward that have begun to compute */
    size_t last_done;   /* the last of them that came to its end, from 1; 0: none has */
    size_t n_passes;    /* calls of weir_run_forward that came to an end */
    bool keeps_weights; /* a first run too: another one is about to read them */
    bool frees_weights; /* gives back the memory of each layer's once it is through: no further pass is expected */

    bool norms_copies; /* the norm at hand is that of a head's own copy of the stream: only edits see its points */
    struct weir_batch batch;
    struct weir_angles angles[WEIR_MAX_ROPES];
    float *tile_scores; /* [pool size, WEIR_TILE, most keys] scores that nobody keeps */
    size_t tile_floats;

    union {
        struct weir_values values;
        weir_buffer *all_values[WEIR_N_VALUES]; /* the same */
    };
};

static inline size_t weir_total_pos(const struct weir_run *run)
{
    return run->batch.start[run->batch.n];
}

/* How many positions of a prompt, by its number, the pass under way finds computed before. */
size_t weir_run_past(const struct weir_run *run, size_t prompt);

/* Functions of the pass return WEIR_E_MEMORY, or what a hook returned. */

/* What a hook of the whole batch sees: a point's value, of all its prompts. */
struct weir_whole {
    struct weir_run *run;
    const struct weir_site *site;
    weir_buffer *value;    /* an editor of its scope may write to it if the scope names anything in the batch */
    weir_buffer *by_query; /* of points by key-value heads, [total_pos, head, ...]: what each query head reads of it,
                              where an edit of this layer names query heads; NULL: what its key-value head has. What
                              changes a key-value head changes it in both */
    bool again;            /* the value is that of a head's own copy, at a point that has gone by: an edit changes it by
                              the same numbers as the value itself */
};

/* at.c: the hook mechanism. Nothing when nobody wants the point; else its hooks, editors first, one hook after the
   other, each once per prompt. *value may be replaced by a private copy when it is about to be edited. @return what a
   hook returned that is not WEIR_OK; WEIR_E_USAGE where one called what it may not; WEIR_E_MEMORY. */
WEIR_CHECKED weir_status weir_at(struct weir_run *run, int point, int layer, weir_buffer **value);
/* The value of one prompt of the batch, whole: without rows and units. */
weir_event weir_whole_event(const struct weir_whole *whole, size_t prompt);
/* The same of what query heads read; its axes still say key-value heads. */
weir_event weir_whole_event_by_query(const struct weir_whole *whole, size_t prompt);
/* The experts that were chosen in that prompt, [rows, expert_k], at points of their neurons. */
const int32_t *weir_whole_experts(const struct weir_whole *whole, size_t prompt);
/* Sets `bit` in marked[prompt of the batch, unit] where the point's editors may write: units, of n_units, that one
   names in a prompt in which it names a row. Sets `own` too where one is a program's own. */
void weir_at_mark_edited(const struct weir_run *run, int point, int layer, uint8_t *marked, size_t n_units, int bit,
                         int own);
/* Sets marked[row of the batch, unit] to 1 where an editor names both, of n_units. `by_query`: editors that name query
   heads of a point by key-value heads; else the others. */
void weir_at_mark_cells(const struct weir_run *run, int point, int layer, uint8_t *marked, size_t n_units,
                        bool by_query);

/* forward.c: a pass over the batch, as far as the plan wants it. */
WEIR_CHECKED weir_status weir_forward(struct weir_run *run);
/* ends.c: ids -> stream, and stream -> logits. */
WEIR_CHECKED weir_status weir_embed(struct weir_run *run);
/* The same from what earlier passes kept, where the batch begins in a later layer. */
WEIR_CHECKED weir_status weir_resume(struct weir_run *run);
WEIR_CHECKED weir_status weir_unembed(struct weir_run *run);
/* attention.c: stream -> attn_out */
WEIR_CHECKED weir_status weir_block_attention(struct weir_run *run, int layer);
/* mlp.c: stream -> mlp_out */
WEIR_CHECKED weir_status weir_block_mlp(struct weir_run *run, int layer);
/* sparse.c: normed -> mlp_out, for layers with experts */
WEIR_CHECKED weir_status weir_block_experts(struct weir_run *run, int layer);
/* copies.c: makes working copies of the weights, if a quarter of the memory holds them. @return WEIR_E_MEMORY where the
   system does not give that much after all. */
WEIR_CHECKED weir_status weir_run_keep_copies(struct weir_run *run);

/* @return WEIR_E_USAGE for `function` inside a hook of the run, or in a process that was forked off after the run was
   opened: its threads are not there. */
WEIR_CHECKED weir_status weir_run_usable(const struct weir_run *run, const char *function);
bool weir_run_is_forked(const struct weir_run *run);
/* Ends the pass that is under way with WEIR_E_USAGE, naming `function`, and closes then. */
void weir_run_defer(struct weir_run *run, struct weir_deferred *deferred, const char *function);
/* A run that is closed while a capture of it is open, or in one of its hooks, goes after that. */
void weir_run_hold(struct weir_run *run);
void weir_run_release(struct weir_run *run);
/* Something that goes with the run from now on, and is closed with it. */
WEIR_CHECKED weir_status weir_run_accompany(struct weir_run *run, const struct weir_companion *companion);
/* @return WEIR_E_USAGE unless prompts can be run: there are some, none empty, none longer than the context, all of ids
   that the model has. */
WEIR_CHECKED weir_status weir_run_check(const struct weir_run *run, const weir_tokens *prompts, size_t n);

#endif
