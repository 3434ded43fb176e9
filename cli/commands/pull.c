/* weir pull: fetches a model into the Hugging Face cache. */
#include "cli/hub/pull.h"
#include "cli/commands/commands.h"
#include "cli/print/say.h"
#include "cli/process/interrupt.h"

#include <stdio.h>

static int run_pull(const struct args *args)
{
    struct hub_pulled pulled;
    interrupts_catch();
    weir_status status = hub_pull(&pulled, args->words[0], args->words + 1, (size_t)args->n_words - 1);
    if (status == WEIR_OK) {
        say("weir: %zu %s fetched (%.1f MB), %zu already there\n", pulled.n_fetched,
            pulled.n_fetched == 1 ? "file" : "files", (double)pulled.bytes / 1e6, pulled.n_there);
        printf("%s\n", pulled.path);
    }
    hub_pulled_close(&pulled);
    return (int)status;
}

const struct command cmd_pull = {
    .name = "pull",
    .summary = "fetch a model into the Hugging Face cache",
    .usage = "NAME[@REVISION] [FILE...]",
    .notes = "Fetches what the model needs (config.json, the tokenizer's files, safetensors) or the FILEs that are "
             "named, such as "
             "one .gguf file, all parts of it if it is split. Afterwards -m NAME finds the model, and so do "
             "huggingface_hub and "
             "transformers. What is there is not fetched again, an interrupted pull goes on where it ended, and files "
             "are checked "
             "against the size and the hash that the hub gives. Prints the folder, or the path of a single FILE. "
             "docs/models.md "
             "lists the variables of the environment, among them HF_TOKEN for gated models.",
    .example = "weir pull openai-community/gpt2",
    .least_words = 1,
    .most_words = 1000,
    .run = run_pull,
};
