/* For test_plugins.py: plugin_cli MODEL FILE ARGS loads a plugin by the shared library, runs two passes whatever came
   of that, and closes the model before the run. */
#include <weir.h>

#include <stdio.h>

static void print_outcome(const char *what, weir_status status)
{
    printf("%s: %s\n", what, status == WEIR_OK ? "fine" : weir_message());
}

int main(int n, char **argument)
{
    static const int32_t ids[] = {3, 1, 4, 1, 5};
    weir_model *model = NULL;
    weir_run *run = NULL;
    weir_tokens prompt = {0};
    if (n != 4 || weir_model_open(&model, argument[1], NULL) || weir_tokens_from_ids(&prompt, model, ids, 5) ||
        weir_run_open(&run, model, NULL)) {
        fprintf(stderr, "%s\n", n != 4 ? "usage: plugin_cli MODEL FILE ARGS" : weir_message());
        return WEIR_E_USAGE;
    }
    print_outcome("without a run", weir_run_plugin(NULL, argument[2], NULL));
    print_outcome("without a file", weir_run_plugin(run, NULL, NULL));
    print_outcome("plugin", weir_run_plugin(run, argument[2], argument[3]));
    printf("depth: %d\n", weir_run_depth(run));
    print_outcome("first pass", weir_run_forward(run, &prompt, 1));
    print_outcome("second pass", weir_run_forward(run, &prompt, 1));
    weir_model_close(model);
    weir_run_close(run);
    weir_tokens_close(&prompt);
    return WEIR_OK;
}
