/* For test_edits.py: edit_cli MODEL OUT POINT:LAYER INDEX INDEX INDEX TOKEN ... runs the tokens with one hook that
   edits, and captures every point to OUT. The hook zeroes what the indices name along the axes of the point; "-" is
   all. */
#include <weir.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALL = -1, MAX_TOKENS = 512 };

struct region {
    long index[WEIR_MAX_AXES];
};

static bool is_inside(const struct region *region, const weir_event *e, size_t element)
{
    for (int axis = e->n_axes - 1; axis >= 0; axis--) {
        long at = (long)(element % e->shape[axis]);
        if (region->index[axis] != ALL && region->index[axis] != at)
            return false;
        element /= e->shape[axis];
    }
    return true;
}

static weir_status zero(const weir_event *e, void *payload)
{
    size_t n = 1;
    for (int axis = 0; axis < e->n_axes; axis++)
        n *= e->shape[axis];
    for (size_t i = 0; i < n; i++)
        if (is_inside(payload, e, i))
            e->data[i] = 0;
    return WEIR_OK;
}

struct program {
    weir_model *model;
    weir_run *run;
    weir_capture *capture;
    weir_tokens prompt;
};

static bool run(struct program *p, char **argument, struct region *region, const int32_t *ids, size_t n)
{
    weir_capture_options options = {.hooks = "*", .force = true};
    return !weir_model_open(&p->model, argument[1], NULL) && !weir_tokens_from_ids(&p->prompt, p->model, ids, n) &&
           !weir_run_open(&p->run, p->model, NULL) && !weir_run_hook(p->run, argument[3], WEIR_EDIT, zero, region) &&
           !weir_capture_open(&p->capture, p->run, argument[2], &p->prompt, 1, &options) &&
           !weir_run_forward(p->run, &p->prompt, 1) && !weir_capture_commit(p->capture);
}

int main(int n, char **argument)
{
    struct program p = {0};
    struct region region;
    int32_t ids[MAX_TOKENS];
    size_t n_ids = 0;

    if (n < 8) {
        fprintf(stderr, "usage: edit_cli MODEL OUT POINT:LAYER INDEX INDEX INDEX TOKEN ...\n");
        return WEIR_E_USAGE;
    }
    for (int i = 0; i < WEIR_MAX_AXES; i++)
        region.index[i] = argument[4 + i][0] == '-' ? ALL : atol(argument[4 + i]);
    for (int i = 7; i < n && n_ids < MAX_TOKENS; i++)
        ids[n_ids++] = atoi(argument[i]);
    bool done = run(&p, argument, &region, ids, n_ids);
    if (!done)
        fprintf(stderr, "%s\n", weir_message());
    weir_capture_close(p.capture);
    weir_run_close(p.run);
    weir_tokens_close(&p.prompt);
    weir_model_close(p.model);
    return !done;
}
