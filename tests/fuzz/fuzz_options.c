/* Any bytes as the words of a command line, ended by NULs: the first byte says of which command. Only parsed. */
#include "base/alloc.h"
#include "cli/commands/commands.h"

#include <string.h>

enum { MOST_WORDS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out is what the table allows, and words of the line that went in. */
static void check(const struct args *args, const char *text, size_t size)
{
    const struct command *command = args->command;
    bool fine = args->help || (args->n_words >= command->least_words && args->n_words <= command->most_words);
    for (int i = 0; i < command->n_opts; i++) {
        const struct opt *opt = &command->opts[i];
        if (args->has[i] && opt->kind == OPT_WHOLE)
            fine = fine && args->whole[i] >= opt->least && args->whole[i] <= opt->most;
        fine = fine && (args->help || args->has[i] || !opt->required || (command->takes_spec && args->n_words > 0));
    }
    for (size_t i = 0; i < args->n_given; i++) {
        const char *given = args->given[i].text;
        fine = fine && args->has[args->given[i].opt] && (!given || (given >= text && given <= text + size));
    }
    for (int i = 0; i < args->n_words; i++)
        fine = fine && args->words[i] >= text && args->words[i] <= text + size;
    if (!fine)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[MOST_WORDS], *text;
    struct args args;
    int argc = 0;
    if (size == 0 || weir_copy_bytes(&text, (const char *)data + 1, size - 1) != WEIR_OK)
        return 0;
    for (char *word = text; word < text + size && argc < MOST_WORDS; word += strlen(word) + 1)
        argv[argc++] = word;
    if (args_parse(&args, commands[data[0] % n_commands], argc, argv) == WEIR_OK) {
        check(&args, text, size);
        args_close(&args);
    }
    weir_free(text);
    return 0;
}
