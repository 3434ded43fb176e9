#include "cli/commands.h"

#include <signal.h>

static volatile sig_atomic_t signalled; /* the signal that asked for an end */

static void on_signal(int signal)
{
    signalled = signal;
}

void interrupts_catch(void)
{
    signal(SIGPIPE, SIG_IGN); /* nobody reading the words is no reason to leave a partial file */
    signal(SIGXFSZ, SIG_IGN); /* nor is a limit on its size: writing past that is an error like a full disk */
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupted(void)
{
    return signalled;
}

/* Reading goes on over zeros; whoever reads asks in the end whether the file was whole. */
static void on_bus(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code > 0 && weir_mend_map(info->si_addr)) /* 0 and below: another process sent it */
        return;
    signal(number, SIG_DFL);
    raise(number); /* ends the process once this returns */
}

void cut_files_catch(void)
{
    struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
