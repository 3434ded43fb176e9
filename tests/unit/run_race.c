/* Two threads run one model at once, under ThreadSanitizer, which Criterion cannot be run under: working copies of
   weights come up in one run while the other multiplies, and both get the same bits. */
#include "weir.h"

#include "data_path.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PASSES = 6, LENGTH = 20, VOCAB = 211, RUNS = 2 };

struct task {
    weir_model *model;
    float logits[LENGTH * VOCAB]; /* of the last pass */
    weir_status status;
    char message[256];
};

static weir_status keep(const weir_event *event, void *payload)
{
    memcpy(payload, event->data, sizeof(float) * LENGTH * VOCAB);
    return WEIR_OK;
}

static weir_status pass_often(struct task *task)
{
    int32_t ids[LENGTH];
    weir_tokens prompt = {0};
    weir_run *run = NULL;
    for (int i = 0; i < LENGTH; i++)
        ids[i] = i * 7 % VOCAB;
    weir_status status = weir_tokens_from_ids(&prompt, task->model, ids, LENGTH);
    if (status == WEIR_OK)
        status = weir_run_open(&run, task->model, NULL);
    if (status == WEIR_OK)
        status = weir_run_hook(run, "logits", WEIR_READ, keep, task->logits);
    for (int i = 0; status == WEIR_OK && i < PASSES; i++)
        status = weir_run_forward(run, &prompt, 1);
    weir_run_close(run);
    weir_tokens_close(&prompt);
    return status;
}

static void *work(void *argument)
{
    struct task *task = argument;
    task->status = pass_often(task);
    snprintf(task->message, sizeof task->message, "%s", weir_message()); /* a thread's own */
    return NULL;
}

int main(void)
{
    static struct task tasks[RUNS];
    pthread_t threads[RUNS];
    weir_model *model;
    int bad = 0;
    if (weir_model_open(&model, MODELS "gpt_neox", &(weir_model_options){.n_threads = 2}) != WEIR_OK) {
        fprintf(stderr, "run_race: %s\n", weir_message());
        return 1;
    }
    for (int i = 0; i < RUNS; i++) {
        tasks[i].model = model;
        if (pthread_create(&threads[i], NULL, work, &tasks[i]) != 0)
            return 1;
    }
    for (int i = 0; i < RUNS; i++) {
        pthread_join(threads[i], NULL);
        if (tasks[i].status != WEIR_OK) {
            fprintf(stderr, "run_race: %s\n", tasks[i].message);
            bad = 1;
        }
    }
    weir_model_close(model);
    for (int i = 0; !bad && i < LENGTH * VOCAB; i++)
        if (tasks[0].logits[i] != tasks[1].logits[i]) {
            fprintf(stderr, "run_race: the two runs differ\n");
            bad = 1;
        }
    return bad;
}
