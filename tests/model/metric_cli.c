/* For test_metrics.py: metric_cli MODEL PROMPTS ZEROED METRIC ... measures metrics in prompts and prints a line for
   each: its values. PROMPTS is a file of lines SIDE TAB LINE TAB FIELDS TAB ID ID ..., where a side or fields may be
   "-"; what the selection ZEROED names is set to 0 first ("-": nothing). */
#include <weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, MAX_LINE = 1 << 16 };

struct program {
    weir_model *model;
    weir_run *run;
    weir_tokens prompts[MOST];
    weir_metric *metrics[MOST];
    weir_measured *measured[MOST];
    size_t n_prompts, n_metrics;
};

static bool is_named(const int32_t *list, size_t n, size_t index)
{
    for (size_t i = 0; list && i < n; i++)
        if ((size_t)list[i] == index)
            return true;
    return !list;
}

static weir_status zero(const weir_event *e, void *payload)
{
    int rows = weir_point_row_axis(e->point), units = weir_point_unit_axis(e->point);
    size_t n = 1;
    (void)payload;
    for (int axis = 0; axis < e->n_axes; axis++)
        n *= e->shape[axis];
    for (size_t i = 0; i < n; i++) {
        size_t rest = i, index[WEIR_MAX_AXES] = {0};
        for (int axis = e->n_axes - 1; axis >= 0; axis--) {
            index[axis] = rest % e->shape[axis];
            rest /= e->shape[axis];
        }
        if (is_named(e->rows, e->n_rows, index[rows]) && (units < 0 || is_named(e->units, e->n_units, index[units])))
            e->data[i] = 0;
    }
    return WEIR_OK;
}

static bool add_prompt(struct program *p, char *line)
{
    char *side = strtok(line, "\t"), *number = strtok(NULL, "\t"), *fields = strtok(NULL, "\t");
    weir_tokens *prompt = &p->prompts[p->n_prompts];
    int32_t ids[512];
    size_t n = 0;
    for (char *id = strtok(NULL, " \n"); id && n < 512; id = strtok(NULL, " \n"))
        ids[n++] = atoi(id);
    if (weir_tokens_from_ids(prompt, p->model, ids, n))
        return false;
    p->n_prompts++;
    prompt->line = (size_t)atol(number);
    prompt->side = strcmp(side, "-") == 0 ? NULL : strdup(side);
    prompt->fields = strcmp(fields, "-") == 0 ? NULL : strdup(fields);
    return true;
}

static bool read_prompts(struct program *p, const char *path)
{
    static char line[MAX_LINE];
    FILE *in = fopen(path, "r");
    bool good = in != NULL;
    while (good && p->n_prompts < MOST && fgets(line, sizeof line, in))
        good = add_prompt(p, line);
    if (in)
        fclose(in);
    return good;
}

static bool add_metric(struct program *p, const char *text)
{
    size_t i = p->n_metrics++;
    return !weir_metric_parse(&p->metrics[i], text) && !weir_run_measure(&p->measured[i], p->run, p->metrics[i]);
}

static bool print_values(const struct program *p)
{
    double values[MOST];
    for (size_t i = 0; i < p->n_metrics; i++) {
        if (weir_measured_values(p->measured[i], values, p->n_prompts))
            return false;
        for (size_t j = 0; j < p->n_prompts; j++)
            printf("%.17g%c", values[j], j + 1 < p->n_prompts ? ' ' : '\n');
    }
    return true;
}

int main(int n, char **argument)
{
    struct program p = {0};
    bool done = n > 4 && !weir_model_open(&p.model, argument[1], NULL) && read_prompts(&p, argument[2]) &&
                !weir_run_open(&p.run, p.model, &(weir_run_options){.batch_positions = 40}) &&
                (strcmp(argument[3], "-") == 0 || !weir_run_hook(p.run, argument[3], WEIR_EDIT, zero, NULL));
    for (int i = 4; done && i < n && p.n_metrics < MOST; i++)
        done = add_metric(&p, argument[i]);
    done = done && !weir_run_forward(p.run, p.prompts, p.n_prompts) && print_values(&p);
    if (!done)
        fprintf(stderr, "%s\n", weir_message());
    for (size_t i = 0; i < p.n_metrics; i++)
        weir_metric_close(p.metrics[i]);
    weir_run_close(p.run);
    for (size_t i = 0; i < p.n_prompts; i++)
        weir_tokens_close(&p.prompts[i]);
    weir_model_close(p.model);
    return !done;
}
