/* The program: finds the command, parses its options, runs it and reports what went wrong. */
#include "cli/args/complete.h"
#include "cli/args/help.h"
#include "cli/commands/commands.h"
#include "cli/print/say.h"
#include "cli/print/terminal.h"
#include "cli/process/guard.h"
#include "cli/process/interrupt.h"
#include "cli/spec/spec.h"

#include "base/cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HELP_WIDTH = 100 };

static size_t help_width(void)
{
    size_t width = terminal_width();
    return width && width < HELP_WIDTH ? width : HELP_WIDTH;
}

static int print_manual(const char *name)
{
    const struct command *command;
    if (!name || strcmp(name, "weir") == 0) {
        man_all(stdout, commands, n_commands);
        return WEIR_OK;
    }
    TRY(command_find(&command, commands, n_commands, name));
    man_command(stdout, command);
    return WEIR_OK;
}

/* --markdown | --man [COMMAND] | --completion bash|zsh|fish: what is made of the option tables when weir is built. */
static int print_from_tables(int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*complete)(FILE *to, const struct command *const *commands, size_t n);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
    if (strcmp(argv[0], "--man") == 0)
        return print_manual(argc > 1 ? argv[1] : NULL);
    if (strcmp(argv[0], "--markdown") == 0) {
        help_markdown(stdout, commands, n_commands);
        return WEIR_OK;
    }
    for (size_t i = 0; i < sizeof shells / sizeof *shells && argc > 1 && strcmp(argv[0], "--completion") == 0; i++)
        if (strcmp(argv[1], shells[i].shell) == 0) {
            shells[i].complete(stdout, commands, n_commands);
            return WEIR_OK;
        }
    return weir_fail(WEIR_E_USAGE,
                     "weir help %s: the options are --markdown, --man [COMMAND] and --completion bash|zsh|fish",
                     argv[0]);
}

/* weir help [COMMAND], or one of the above */
static int print_help(int argc, char **argv)
{
    const struct command *command;
    if (argc == 0 || strcmp(argv[0], "help") == 0) {
        help_all(stdout, commands, n_commands, help_width());
        return WEIR_OK;
    }
    if (argv[0][0] == '-')
        return print_from_tables(argc, argv);
    TRY(command_find(&command, commands, n_commands, argv[0]));
    help_command(stdout, command, help_width());
    return WEIR_OK;
}

/* With the options of its run spec, if it has one. */
static int run_with_spec(struct args *args)
{
    struct spec spec = {0};
    int code = args->command->takes_spec && args->n_words > 0 ? (int)spec_take(&spec, args) : WEIR_OK;
    if (code == WEIR_OK)
        code = args->command->run(args);
    spec_close(&spec);
    return code;
}

static int run_command(const char *name, int argc, char **argv)
{
    const struct command *command;
    struct args args;
    TRY(command_find(&command, commands, n_commands, name));
    TRY(weir_isa_check());
    TRY(args_parse(&args, command, argc, argv));
    int code = WEIR_OK;
    if (command->reads_files && args.n_words > 0)
        guard_files(args.words, args.n_words);
    if (args.help)
        help_command(stdout, command, help_width());
    else
        code = run_with_spec(&args);
    args_close(&args);
    return code;
}

/* By the first word of the command line. */
static int dispatch_command(int argc, char **argv)
{
    if (argc < 2) { /* what there is, for who tries; a script that forgot the command sees that it failed */
        help_all(stderr, commands, n_commands, help_width());
        return weir_fail(WEIR_E_USAGE, "no command is given; the commands are listed above");
    }
    const char *first = argv[1];
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return print_help(0, NULL);
    if (strcmp(first, "help") == 0)
        return print_help(argc - 2, argv + 2);
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0 || strcmp(first, "version") == 0) {
        printf("weir %s\n", weir_version());
        return WEIR_OK;
    }
    if (*first == '-')
        return weir_fail(WEIR_E_USAGE, "weir has no option %s before a command; weir --help lists the commands", first);
    return run_command(first, argc - 2, argv + 2);
}

/* True where standard output is a file that is as long as files may be: a stream of C's forgets why a write failed. */
static bool is_at_limit(void)
{
    struct rlimit limit;
    struct stat st;
    return fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           (rlim_t)st.st_size >= limit.rlim_cur;
}

/* A full disk is noticed here, if not before. (When the reader of a pipe goes away, SIGPIPE ends a query quietly.) */
static weir_status finish_output(void)
{
    int error = !ferror(stdout) ? 0 : is_at_limit() ? EFBIG : ENOSPC;
    if (fclose(stdout) != 0)
        error = errno;
    if (error)
        return weir_fail(WEIR_E_OUTPUT, "could not write to standard output: %s", weir_write_error(error));
    return WEIR_OK;
}

/* Ends the process. The kernel takes back faster what libhdf5 holds than libhdf5 does; a sanitizer looks for leaks in
   exit. */
static void leave(int code)
{
#ifdef WEIR_SANITIZED
    exit(code);
#else
    _exit(code);
#endif
}

int main(int argc, char **argv)
{
    process_begin();
    int code = exit_code(dispatch_command(argc, argv));
    if (code >= WEIR_E_USAGE)
        say("weir: %s\n", weir_message());
    if (finish_output() != WEIR_OK && code < WEIR_E_USAGE) {
        say("weir: %s\n", weir_message());
        code = WEIR_E_OUTPUT;
    }
    leave(code);
}
