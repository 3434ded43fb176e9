/* For test_config_keys.py: logits_cli EVERY TOKEN ... reads names of model folders from standard input and prints a
   line for each: the status, and every EVERY-th logit of the last position, or what was wrong. A folder may be another
   one every time that it is named. */
#include <weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TOKENS = 512 };

struct program {
    size_t every;
    int32_t ids[MAX_TOKENS];
    size_t n_ids;
    FILE *out;
};

static weir_status print_last(const weir_event *e, void *payload)
{
    const struct program *p = payload;
    const float *row = e->data + (e->shape[0] - 1) * e->shape[1];
    fprintf(p->out, "0\t");
    for (size_t i = 0; i < e->shape[1]; i += p->every)
        fprintf(p->out, "%.9g ", (double)row[i]);
    return WEIR_OK;
}

static weir_status forward(struct program *p, const char *folder)
{
    weir_model *model = NULL;
    weir_run *run = NULL;
    weir_tokens tokens = {0};
    weir_model_options options = {.n_threads = 1};
    weir_status status = weir_model_open(&model, folder, &options);
    if (!status)
        status = weir_tokens_from_ids(&tokens, model, p->ids, p->n_ids);
    if (!status)
        status = weir_run_open(&run, model, NULL);
    if (!status)
        status = weir_run_hook(run, "logits", WEIR_READ, print_last, p);
    if (!status)
        status = weir_run_forward(run, &tokens, 1);
    weir_run_close(run);
    weir_tokens_close(&tokens);
    weir_model_close(model);
    return status;
}

int main(int n, char **argument)
{
    struct program p = {.out = stdout};
    char folder[4096];
    if (n < 3) {
        fprintf(stderr, "usage: logits_cli EVERY TOKEN ... < FOLDERS\n");
        return WEIR_E_USAGE;
    }
    p.every = strtoul(argument[1], NULL, 10);
    for (int i = 2; i < n && p.n_ids < MAX_TOKENS; i++)
        p.ids[p.n_ids++] = atoi(argument[i]);
    while (fgets(folder, sizeof folder, stdin)) {
        folder[strcspn(folder, "\n")] = '\0';
        weir_status status = forward(&p, folder);
        if (status)
            printf("%d\t%s", status, weir_message());
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
