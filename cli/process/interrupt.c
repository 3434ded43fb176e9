/* Notes signals that ask for an end, and prepares the process. */
#include "cli/process/interrupt.h"

#include "cli/process/guard.h"

#include "base/descriptor.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t signalled; /* the signal that asked for an end */

static void note_signal(int signal)
{
    signalled = signal;
}

/* Unless whoever started this process has it ignore the signal (nohup, a job in the background), or it is answered
   already. */
static void note(int number)
{
    struct sigaction action = {.sa_handler = note_signal}, before;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        sigaction(number, &action, NULL);
}

void interrupts_catch(void)
{
    static const int ends[] = {SIGHUP,  SIGINT,  SIGQUIT,   SIGTERM, SIGALRM, SIGUSR1,
                               SIGUSR2, SIGXCPU, SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        note(ends[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        note(number);
    signal(SIGPIPE, SIG_IGN); /* that nobody reads the messages is no reason to leave a partial file */
}

int interrupted(void)
{
    return signalled;
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

void process_begin(void)
{
    keep_standard_streams();
    signal(SIGXFSZ, SIG_IGN);
    guard_begin();
}
