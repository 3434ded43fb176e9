/* How long weir's passes take once a model is open: bench_warm MODEL N REPEATS read SELECTION [f32|bf16|int8]
                                                  or: bench_warm MODEL N REPEATS capture FILE [f32|bf16|int8]
   Runs a prompt of N arbitrary tokens REPEATS times and prints the seconds of each as a JSON list. `read` only looks at
   the points that SELECTION names; `capture` stores the default ones in FILE each time, which is removed in between, as
   that takes the file system as long for anyone's files. */
#include "arbitrary.h"
#include "weir.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static weir_status look(const weir_event *event, void *sum)
{
    *(double *)sum += (double)event->data[0];
    return WEIR_OK;
}

static weir_status pass(weir_run *run, const weir_tokens *prompt, const char *file)
{
    if (!file)
        return weir_run_forward(run, prompt, 1);

    weir_capture *capture = NULL;
    const weir_capture_options options = {.force = true};
    weir_status status = weir_capture_open(&capture, run, file, prompt, 1, &options);
    if (status == WEIR_OK)
        status = weir_run_forward(run, prompt, 1);
    if (status == WEIR_OK)
        status = weir_capture_commit(capture);
    weir_capture_close(capture);
    return status;
}

static weir_compute compute_named(const char *name)
{
    return !name || strcmp(name, "f32") == 0 ? WEIR_COMPUTE_F32
           : strcmp(name, "bf16") == 0       ? WEIR_COMPUTE_BF16
                                             : WEIR_COMPUTE_INT8;
}

static weir_status measure(char **arg)
{
    const weir_run_options options = {.compute = compute_named(arg[6])};
    const char *file = strcmp(arg[4], "capture") == 0 ? arg[5] : NULL;
    const long repeats = strtol(arg[3], NULL, 10);
    weir_model *model = NULL;
    weir_run *run = NULL;
    weir_tokens prompt = {0};
    double sum = 0;

    weir_status status = weir_model_open(&model, arg[1], NULL);
    if (status == WEIR_OK)
        status = arbitrary_tokens(&prompt, model, strtoul(arg[2], NULL, 10));
    if (status == WEIR_OK)
        status = weir_run_open(&run, model, &options);
    if (status == WEIR_OK && !file)
        status = weir_run_hook(run, arg[5], WEIR_READ, look, &sum);
    for (long i = 0; status == WEIR_OK && i < repeats; i++) {
        if (file)
            remove(file);
        double start = seconds();
        status = pass(run, &prompt, file);
        printf("%s%.6f", i ? ", " : "[", seconds() - start);
    }
    if (status == WEIR_OK)
        puts("]");
    weir_run_close(run);
    weir_tokens_close(&prompt);
    weir_model_close(model);
    return status;
}

int main(int n, char **arg)
{
    if (n < 6 || n > 7) {
        fprintf(stderr, "usage: bench_warm MODEL N REPEATS read SELECTION | capture FILE [f32|bf16|int8]\n");
        return 2;
    }
    if (measure(arg) == WEIR_OK)
        return 0;
    fprintf(stderr, "bench_warm: %s\n", weir_message());
    return 1;
}
