/* What an edit adds to a pass: bench_edits MODEL N PAIRS EDIT...
   Runs a prompt of N arbitrary tokens without and with each edit in turn, PAIRS times, and prints a JSON list with a
   list for each edit: of each pair the seconds without and with it, and the processor's seconds without and with it.
   Both read the last norm at all positions. The passes of a pair stand side by side, in changing order, so that what
   else the machine does meets both alike; one thread computes, so that none waits for another. */
#include "arbitrary.h"
#include "weir.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_RUNS = 32 };

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static weir_status look(const weir_event *event, void *sum)
{
    *(double *)sum += (double)event->data[0];
    return WEIR_OK;
}

static weir_status open_run(weir_run **out, weir_model *model, const char *text, double *sum)
{
    weir_edit *edit = NULL;
    weir_status status = weir_run_open(out, model, NULL);
    if (status == WEIR_OK)
        status = weir_run_hook(*out, "ln_final_out", WEIR_READ, look, sum);
    if (status == WEIR_OK && text)
        status = weir_edit_parse(&edit, text);
    if (status == WEIR_OK && text)
        status = weir_run_edit(*out, edit);
    weir_edit_close(edit);
    return status;
}

struct spent {
    double wall, processor;
};

static weir_status pass(struct spent *spent, weir_run *run, const weir_tokens *prompt)
{
    const struct spent begun = {seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
    weir_status status = weir_run_forward(run, prompt, 1);
    *spent = (struct spent){seconds(CLOCK_MONOTONIC) - begun.wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - begun.processor};
    return status;
}

/* One pair, the plain pass first where `plain_first`. */
static weir_status pair(weir_run *plain, weir_run *edited, const weir_tokens *prompt, int plain_first,
                        const char *after)
{
    struct spent spent[2];
    for (int i = 0; i < 2; i++) {
        int is_edited = i == plain_first;
        weir_status status = pass(&spent[is_edited], is_edited ? edited : plain, prompt);
        if (status != WEIR_OK)
            return status;
    }
    printf("[%.6f, %.6f, %.6f, %.6f]%s", spent[0].wall, spent[1].wall, spent[0].processor, spent[1].processor, after);
    return WEIR_OK;
}

/* runs[0] has no edit. Two passes of each warm up. */
static weir_status measure_each(weir_run **runs, int n, const weir_tokens *prompt, long pairs)
{
    struct spent spent;
    weir_status status = WEIR_OK;
    for (int i = 0; i < 2 * n && status == WEIR_OK; i++)
        status = pass(&spent, runs[i % n], prompt);
    printf("[");
    for (int i = 1; i < n && status == WEIR_OK; i++) {
        printf("[");
        for (long p = 0; p < pairs && status == WEIR_OK; p++)
            status = pair(runs[0], runs[i], prompt, p % 2 == 0, p + 1 < pairs ? ", " : "");
        printf("]%s", i + 1 < n ? ", " : "");
    }
    puts("]");
    return status;
}

static weir_status measure(int n_edits, char **arg)
{
    weir_model *model = NULL;
    weir_run *runs[MOST_RUNS] = {0};
    weir_tokens prompt = {0};
    double sum = 0;
    int n = 0;
    weir_status status = weir_model_open(&model, arg[1], &(weir_model_options){.n_threads = 1});
    if (status == WEIR_OK)
        status = arbitrary_tokens(&prompt, model, strtoul(arg[2], NULL, 10));
    for (; n <= n_edits && n < MOST_RUNS && status == WEIR_OK; n++)
        status = open_run(&runs[n], model, n ? arg[3 + n] : NULL, &sum);
    if (status == WEIR_OK)
        status = measure_each(runs, n, &prompt, strtol(arg[3], NULL, 10));
    while (n-- > 0)
        weir_run_close(runs[n]);
    weir_tokens_close(&prompt);
    weir_model_close(model);
    return status;
}

int main(int n, char **arg)
{
    if (n < 5) {
        fprintf(stderr, "usage: bench_edits MODEL N PAIRS EDIT...\n");
        return 2;
    }
    if (measure(n - 4, arg) == WEIR_OK)
        return 0;
    fprintf(stderr, "bench_edits: %s\n", weir_message());
    return 1;
}
