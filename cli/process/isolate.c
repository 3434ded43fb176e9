/* A child process that reads files: forked with nothing open, under limits, its message passed on through a pipe. */
#include "cli/process/isolate.h"

#include "cli/process/interrupt.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LONGEST_MESSAGE = 1024, LONGEST_FILES = 600 };

/* The files that it reads: the cost of reading and the messages depend on them. */
struct files {
    const char *const *names; /* [n]; some may be no files */
    int n;
};

/* Memory and time that a file may cost, whatever it claims: a fixed part, and a part per byte. */
static const uint64_t MEMORY = (uint64_t)4 << 30, MEMORY_A_BYTE = 8;
static const uint64_t SECONDS = 60, BYTES_A_SECOND = 1 << 20;

static uint64_t bytes_of_files(const struct files *files)
{
    uint64_t bytes = 0;
    struct stat st;
    for (int i = 0; i < files->n; i++)
        bytes += stat(files->names[i], &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return bytes;
}

static uint64_t seconds_for(const struct files *files)
{
    return SECONDS + bytes_of_files(files) / BYTES_A_SECOND;
}

/* ---- the process that reads ---- */

/* Address space in use, which sanitizers take terabytes of. */
static uint64_t memory_in_use(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%llu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void lower_limit(int which, uint64_t to)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) != 0 || (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= to))
        return;
    limit.rlim_cur = to;
    setrlimit(which, &limit);
}

static void set_limits(const struct files *files)
{
    lower_limit(RLIMIT_AS, memory_in_use() + MEMORY + MEMORY_A_BYTE * bytes_of_files(files));
    lower_limit(RLIMIT_CPU, seconds_for(files));
    lower_limit(RLIMIT_CORE, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Ends the process. The kernel takes back faster what libhdf5 holds than libhdf5 does; a sanitizer looks for leaks in
   exit. */
static void leave_child(int code)
{
#ifdef WEIR_SANITIZED
    exit(code);
#else
    _exit(code);
#endif
}

/* Never returns. The message goes through the pipe, the result is the exit code. */
static void run_in_child(const struct files *files, isolated_fn *run, const void *payload, int pipe_end)
{
    set_limits(files);
    int code = run(payload);
    if (fflush(stdout) != 0 && code < WEIR_E_USAGE)
        code = weir_fail(WEIR_E_OUTPUT, "could not write to standard output: %s", strerror(errno));
    const char *message = code < WEIR_E_USAGE ? "" : weir_message();
    size_t n = strnlen(message, LONGEST_MESSAGE - 1);
    if (write(pipe_end, message, n) != (ssize_t)n)
        code = WEIR_E_OUTPUT;
    leave_child(exit_code(code));
}

/* ---- the process that waits ---- */

static volatile sig_atomic_t reader; /* 0: none */

/* A terminal sends its signals to both. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (reader > 0 && info->si_code <= 0)
        kill((pid_t)reader, number);
}

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

enum { N_PASSED_ON = sizeof passed_on / sizeof *passed_on };

static void pass_signals_on(struct sigaction before[N_PASSED_ON])
{
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < N_PASSED_ON; i++) {
        sigaction(passed_on[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) /* nohup */
            sigaction(passed_on[i], &action, NULL);
    }
}

static void take_signals_back(const struct sigaction before[N_PASSED_ON])
{
    for (int i = 0; i < N_PASSED_ON; i++)
        sigaction(passed_on[i], &before[i], NULL);
}

static void read_message(char message[LONGEST_MESSAGE], int pipe_end)
{
    size_t n = 0;
    while (n + 1 < LONGEST_MESSAGE) {
        ssize_t got = read(pipe_end, message + n, LONGEST_MESSAGE - 1 - n);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    message[n] = '\0';
}

/* "a.h5", "a.h5 or b.h5"; some arguments may be selections. */
static const char *files_text(char to[LONGEST_FILES], const struct files *files)
{
    *to = '\0';
    for (int i = 0; i < files->n; i++)
        if (access(files->names[i], F_OK) == 0)
            weir_text_append(to, LONGEST_FILES, "%s%s", *to ? " or " : "", files->names[i]);
    return to;
}

/* Fails with the reason, or ends by the same signal where that asked for an end. */
static int child_died(const struct files *files, int number)
{
    char names[LONGEST_FILES];
    files_text(names, files);
    for (int i = 0; i < N_PASSED_ON; i++)
        if (number == passed_on[i] || number == SIGPIPE) { /* nobody reads on, or an end was asked for: as any query */
            signal(number, SIG_DFL);
            raise(number);
        }
    if (number == SIGXCPU)
        return weir_fail(WEIR_E_INPUT, "%s: gave up after %llu seconds, more than any file of its size needs", names,
                         (unsigned long long)seconds_for(files));
    if (number == SIGKILL)
        return weir_fail(WEIR_E_MEMORY, "%s: the process reading it was killed", names);
    return weir_fail(WEIR_E_INPUT, "%s: libhdf5 crashed while reading it (%s): the file is damaged or malicious", names,
                     strsignal(number));
}

/* Waits for the child. @return its exit code, with its message. */
static int child_outcome(const struct files *files, pid_t child, const char *message)
{
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR)
        ;
    reader = 0;
    if (ended < 0)
        return weir_fail(WEIR_E_MEMORY, "%s: could not learn how the process reading it ended: %s", files->names[0],
                         strerror(errno));
    if (!WIFEXITED(status))
        return child_died(files, WTERMSIG(status));
    int code = WEXITSTATUS(status);
    return code < WEIR_E_USAGE ? code : (int)weir_fail((weir_status)code, "%s", message);
}

/* Signals wait meanwhile, so that none is lost between the two. */
static pid_t start_child(const struct files *files, isolated_fn *run, const void *payload, int ends[2],
                         struct sigaction before[N_PASSED_ON])
{
    sigset_t asking, unblocked;
    sigemptyset(&asking);
    for (int i = 0; i < N_PASSED_ON; i++)
        sigaddset(&asking, passed_on[i]);
    sigprocmask(SIG_BLOCK, &asking, &unblocked);
    signal(SIGCHLD, SIG_DFL); /* where the caller's parent ignores it, results are thrown away */
    fflush(stdout);           /* else both would print what waits */
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        sigprocmask(SIG_SETMASK, &unblocked, NULL);
        run_in_child(files, run, payload, ends[1]);
    }
    reader = child > 0 ? child : 0;
    pass_signals_on(before);
    sigprocmask(SIG_SETMASK, &unblocked, NULL);
    close(ends[1]);
    return child;
}

int run_isolated(const char *const *names, int n, isolated_fn *run, const void *payload)
{
    const struct files files = {names, n};
    int ends[2], code;
    char message[LONGEST_MESSAGE];
    struct sigaction before[N_PASSED_ON];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return weir_fail(WEIR_E_MEMORY, "could not make a pipe: %s", strerror(errno));
    pid_t child = start_child(&files, run, payload, ends, before);
    if (child > 0) {
        read_message(message, ends[0]);
        code = child_outcome(&files, child, message);
    } else {
        code = weir_fail(WEIR_E_MEMORY, "could not start a process: %s", strerror(errno));
    }
    close(ends[0]);
    take_signals_back(before);
    return code;
}
