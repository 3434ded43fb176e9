/* Handlers of the signals that a crash raises, and limits for reading files. What a damaged file does to libhdf5
   happens in this process: the handlers, which have a stack of their own, call nothing that needs the heap or a lock.
 */
#include "cli/process/guard.h"

#include "base/escape.h"
#include "base/text.h"
#include "base/watch.h"
#include "store/write/partial.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_NAMES = 600, STACK = 1 << 16 };

/* Memory and time that files may cost, whatever they claim: a fixed part, and a part per byte. */
static const uint64_t MEMORY = (uint64_t)4 << 30, MEMORY_A_BYTE = 8;
static const uint64_t SECONDS = 60, BYTES_A_SECOND = 1 << 20;

/* What the handlers need, made before anything happens. */
static struct {
    char names[LONGEST_NAMES];        /* "a.h5", "a.h5 or b.h5"; empty: no files are read */
    const char *reader;               /* whose code reads them */
    char gave_up[128];                /* what is said after the names when time runs out */
    struct rlimit memory_before;      /* the limit outside a file that is watched */
    uint64_t seconds;                 /* that the files may take */
    rlim_t seconds_before;            /* the limit that the process was started with */
    volatile sig_atomic_t is_limited; /* by us, not by who started the process */
    void (*give_back)(void);
} guard;

static const struct {
    int number;
    const char *name; /* strsignal takes a lock */
} crashes[] = {
    {SIGBUS, "bus error"},        {SIGSEGV, "segmentation fault"}, {SIGABRT, "aborted"},
    {SIGFPE, "arithmetic error"}, {SIGILL, "illegal instruction"}, {SIGTRAP, "trap"},
    {SIGSYS, "bad system call"},
};

enum { N_CRASHES = sizeof crashes / sizeof *crashes };

/* ---- the last words ---- */

static void put(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

static void tidy_up(void)
{
    weir_partials_remove();
    if (guard.give_back)
        guard.give_back();
}

/* As if there were no handler, once this returns. */
static void die_of(int number)
{
    tidy_up();
    signal(number, SIG_DFL);
    raise(number);
}

/* By the kernel or abort, not by another process. */
static bool is_our_own(const siginfo_t *info)
{
    return info->si_code > 0 || info->si_pid == getpid();
}

static const char *crash_name(int number)
{
    int i = 0;
    while (i < N_CRASHES - 1 && crashes[i].number != number)
        i++;
    return crashes[i].name;
}

static void crashed(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (number == SIGBUS && info->si_code > 0 && weir_mend_map(info->si_addr))
        return; /* reading goes on over zeros; whoever reads asks in the end whether the file was whole */
    if (!*guard.names || !is_our_own(info)) {
        die_of(number);
        return;
    }
    tidy_up();
    put("weir: ");
    put(guard.names);
    put(": ");
    put(guard.reader);
    put(" crashed while reading it (");
    put(crash_name(number));
    put("): the file is damaged or malicious\n");
    _exit(WEIR_E_INPUT);
}

static void ran_out_of_time(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!guard.is_limited || !is_our_own(info)) {
        die_of(number);
        return;
    }
    tidy_up();
    put("weir: ");
    put(guard.names);
    put(guard.gave_up);
    _exit(WEIR_E_INPUT);
}

/* ---- limits ---- */

static uint64_t bytes_of_files(const char *const *names, int n)
{
    uint64_t bytes = 0;
    struct stat st;
    for (int i = 0; i < n; i++)
        bytes += stat(names[i], &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return bytes;
}

/* Address space in use, which sanitizers take terabytes of. */
static uint64_t memory_in_use(void)
{
    char text[32] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    return n > 0 ? strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* @return true where this is now the limit, false where a lower one stays. */
static bool set_limit(int which, uint64_t to, rlim_t most)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) != 0)
        return false;
    limit.rlim_cur = most != RLIM_INFINITY && most <= to ? most : to;
    return setrlimit(which, &limit) == 0 && limit.rlim_cur == to;
}

static rlim_t limit_now(int which)
{
    struct rlimit limit;
    return getrlimit(which, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

void guard_renew_time(void)
{
    uint64_t used = (uint64_t)clock() / CLOCKS_PER_SEC;
    guard.is_limited = set_limit(RLIMIT_CPU, used + guard.seconds, guard.seconds_before);
}

static void name_files(const char *const *names, int n)
{
    char all[LONGEST_NAMES] = "";
    for (int i = 0; i < n; i++)
        if (access(names[i], F_OK) == 0) /* the others are selections */
            weir_text_append(all, sizeof all, "%s%s", *all ? " or " : "", names[i]);
    weir_escape(guard.names, sizeof guard.names, all);
}

static void catch_signal(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* Limits what the named files may cost, and says what a crash in them is. */
static void limit_files(const char *const *names, int n, const char *reader)
{
    uint64_t bytes = bytes_of_files(names, n);
    guard.reader = reader;
    name_files(names, n);
    guard.seconds = SECONDS + bytes / BYTES_A_SECOND;
    guard.seconds_before = limit_now(RLIMIT_CPU);
    snprintf(guard.gave_up, sizeof guard.gave_up,
             ": gave up after %llu seconds, more than any file of its size needs\n", (unsigned long long)guard.seconds);
    set_limit(RLIMIT_AS, memory_in_use() + MEMORY + MEMORY_A_BYTE * bytes, limit_now(RLIMIT_AS));
    catch_signal(SIGXCPU, ran_out_of_time);
    guard_renew_time();
}

void guard_files(const char *const *names, int n)
{
    limit_files(names, n, "libhdf5");
}

/* ---- files that are read in the middle of something else ---- */

static void begin_file(const char *path, const char *reader)
{
    getrlimit(RLIMIT_AS, &guard.memory_before);
    limit_files(&path, 1, reader);
}

static void end_file(void)
{
    struct rlimit time;
    setrlimit(RLIMIT_AS, &guard.memory_before);
    if (guard.is_limited && getrlimit(RLIMIT_CPU, &time) == 0) {
        guard.is_limited = false;
        time.rlim_cur = guard.seconds_before;
        setrlimit(RLIMIT_CPU, &time);
    }
    *guard.names = '\0';
}

static const struct weir_file_watch watch = {begin_file, end_file};

void guard_on_death(void (*give_back)(void))
{
    guard.give_back = give_back;
}

/* A sanitizer's own handlers stay: their reports say more. It has none for what a cut file raises. */
void guard_begin(void)
{
    static uint64_t stack[STACK / sizeof(uint64_t)]; /* a file can make libhdf5 use up the usual one */
    const stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&own, NULL);
#ifdef WEIR_SANITIZED
    enum { CAUGHT = 1 };
#else
    enum { CAUGHT = N_CRASHES };
#endif
    for (int i = 0; i < CAUGHT; i++)
        catch_signal(crashes[i].number, crashed);
    weir_watch_files(&watch);
}
