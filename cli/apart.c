#include "cli/apart.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LONGEST_MESSAGE = 1024 };

/* The child: never returns. Its message goes through the pipe, its result is the exit code. */
static void work(apart_fn *fn, const void *context, int pipe_end)
{
    int code = fn(context);
    if (fflush(stdout) != 0 && code < WEIR_E_USAGE)
        code = weir_fail(WEIR_E_OUTPUT, "could not write to standard output: %s", strerror(errno));
    const char *message = code < WEIR_E_USAGE ? "" : weir_message();
    size_t n = strnlen(message, LONGEST_MESSAGE - 1);
    _exit(write(pipe_end, message, n) == (ssize_t)n ? code : WEIR_E_OUTPUT);
}

static void read_message(char message[LONGEST_MESSAGE], int pipe_end)
{
    size_t n = 0;
    for (ssize_t got = 1; got > 0 && n + 1 < LONGEST_MESSAGE;) {
        got = read(pipe_end, message + n, LONGEST_MESSAGE - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    message[n] = '\0';
}

static int outcome(pid_t child, const char *message, const char *what)
{
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR)
        ;
    if (ended < 0)
        return weir_fail(WEIR_E_MEMORY, "%s: what became of the process that looked at it is not known: %s", what,
                         strerror(errno));
    if (WIFEXITED(status)) {
        int code = WEXITSTATUS(status);
        return code < WEIR_E_USAGE ? code : (int)weir_fail((weir_status)code, "%s", message);
    }
    if (WTERMSIG(status) == SIGPIPE) /* nobody reads on: ends as any query does */
        raise(SIGPIPE);
    return weir_fail(WEIR_E_INPUT, "%s: the HDF5 library died of it (%s): the file is damaged, or made to do that",
                     what, strsignal(WTERMSIG(status)));
}

int run_apart(apart_fn *fn, const void *context, const char *what)
{
    int ends[2];
    char message[LONGEST_MESSAGE];
    if (pipe(ends) != 0)
        return weir_fail(WEIR_E_MEMORY, "could not make a pipe: %s", strerror(errno));
    signal(SIGCHLD, SIG_DFL); /* where the caller's parent ignores it, results are thrown away */
    fflush(stdout);           /* else both would print what waits */
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        work(fn, context, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return weir_fail(WEIR_E_MEMORY, "could not start a process: %s", strerror(errno));
    }
    read_message(message, ends[0]);
    close(ends[0]);
    return outcome(child, message, what);
}
