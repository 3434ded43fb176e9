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
