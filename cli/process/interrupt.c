/* Notes signals that ask for an end, and survives model files that are cut short while mapped. */
#include "cli/process/interrupt.h"

#include "base/descriptor.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t signalled; /* the signal that asked for an end */

static void note_signal(int signal)
{
    signalled = signal;
}

void interrupts_catch(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    struct sigaction action = {.sa_handler = note_signal}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) /* nohup, a job in the background */
            sigaction(ends[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* that nobody reads the messages is no reason to leave a partial file */
}

int interrupted(void)
{
    return signalled;
}

/* Reading goes on over zeros; whoever reads asks in the end whether the file was whole. */
static void mend_cut_file(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code > 0 && weir_mend_map(info->si_addr)) /* 0 and below: another process sent it */
        return;
    signal(number, SIG_DFL);
    raise(number); /* ends the process once this returns */
}

weir_status stopped(void)
{
    return weir_fail(WEIR_E_STOPPED, "interrupted; nothing was written");
}

int exit_code(int status)
{
    return status == WEIR_E_STOPPED && signalled ? 128 + signalled : status;
}

/* A closed standard stream stays as good as closed: reading and writing it fails, as it should. */
static void keep_standard_streams(void)
{
    struct weir_standard taken;
    if (!weir_standard_take(&taken))
        _exit(WEIR_E_OUTPUT); /* without a descriptor there is no way to report it */
}

static void catch_cut_files(void)
{
    struct sigaction action = {.sa_sigaction = mend_cut_file, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

void process_begin(void)
{
    keep_standard_streams();
    signal(SIGXFSZ, SIG_IGN);
    catch_cut_files();
}
