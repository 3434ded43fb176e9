#include "tensor/gemm.h"

#include "tensor/ops.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef void gemm_fn(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                     const float *b, size_t ldb, float *out, size_t ldo);

static void plain(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                  const float *b, size_t ldb, float *out, size_t ldo)
{
    weir_ops()->product(out, ldo, a, lda, b, ldb, !b_transposed, m, n, k);
    if (alpha != 1.0f)
        for (size_t i = 0; i < m; i++)
            weir_ops()->scale(out + i * ldo, out + i * ldo, alpha, n);
}

#if defined(WEIR_DNNL)

/* oneDNN is loaded when the first model is opened, not linked: it costs tens of milliseconds that reading a file does
   not owe. */
#include <dnnl.h>

static struct {
    dnnl_status_t (*sgemm)(char, char, dnnl_dim_t, dnnl_dim_t, dnnl_dim_t, float, const float *, dnnl_dim_t,
                           const float *, dnnl_dim_t, float, float *, dnnl_dim_t);
    void (*set_threads)(int); /* of its OpenMP */
    int (*get_threads)(void);
} dnnl;

/* Each of our threads calls it for a piece of its own: its OpenMP must not multiply them. The setting is this thread's,
   and put back, since the caller's program may use OpenMP too. */
static bool add_part(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                     const float *b, size_t ldb, float beta, float *out, size_t ldo)
{
    int threads = dnnl.get_threads();
    if (threads != 1)
        dnnl.set_threads(1);
    dnnl_status_t status = dnnl.sgemm('N', b_transposed ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, alpha,
                                      a, (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, beta, out, (dnnl_dim_t)ldo);
    if (threads != 1)
        dnnl.set_threads(threads);
    return status == dnnl_success;
}

static const char library_name[] = "oneDNN";

static bool load_symbol(void *handle, const char *name, void *function)
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* The library dies where an allocation of its own fails at the start: address space enough must be there first. */
static weir_status see_room(void)
{
    const size_t bytes = (size_t)64 << 20; /* it was seen to take half of that */
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return weir_fail(WEIR_E_MEMORY, "out of memory: the matrix library needs some 64 MB to start");
    munmap(room, bytes);
    return WEIR_OK;
}

static weir_status load(void)
{
    static const char *const names[] = {("libdnnl.so." WEIR_DNNL), "libdnnl.so.2", "libdnnl.so.3", "libdnnl.so"};
    void *handle = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !handle; i++)
        handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    const char *reason = handle ? NULL : dlerror();
    if (!handle)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "the matrix library oneDNN could not be loaded (%s): install libdnnl2, or set "
                         "WEIR_MATMUL=plain to do without, slowly",
                         reason ? reason : "libdnnl.so");
    TRY(see_room());
    if (!load_symbol(handle, "dnnl_sgemm", &dnnl.sgemm) ||
        !load_symbol(handle, "omp_set_num_threads", &dnnl.set_threads) ||
        !load_symbol(handle, "omp_get_max_threads", &dnnl.get_threads))
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "the oneDNN found lacks dnnl_sgemm or OpenMP: set WEIR_MATMUL=plain, or install "
                         "libdnnl2");
    return WEIR_OK;
}

#elif defined(WEIR_CBLAS)

#include <cblas.h>

static bool add_part(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                     const float *b, size_t ldb, float beta, float *out, size_t ldo)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a,
                (int)lda, b, (int)ldb, beta, out, (int)ldo);
    return true;
}

static const char library_name[] = "CBLAS";

static weir_status load(void)
{
    void (*set_threads)(int);
    void *symbol = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"); /* our pool is the one that uses threads */
    memcpy(&set_threads, &symbol, sizeof symbol);
    if (set_threads)
        set_threads(1);
    return WEIR_OK;
}

#else

#define library plain
static const char library_name[] = "plain C";

static weir_status load(void)
{
    return WEIR_OK;
}

#endif

#if !defined(library)

/* By parts of the inputs: one long sum after another loses two bits more than PyTorch does (Gemma 3's logits err by
   1.7e-5 in one sum of oneDNN's, by 4e-6 in parts of 128), and shorter parts cost time. */
static void library(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                    const float *b, size_t ldb, float *out, size_t ldo)
{
    enum { PART = 128 };
    size_t at = 0;
    bool fine;
    do {
        size_t some = k - at < PART ? k - at : PART;
        fine = add_part(b_transposed, m, n, some, alpha, a + at, lda, b + (b_transposed ? at : at * ldb), ldb,
                        at > 0 ? 1.0f : 0.0f, out, ldo);
        at += some;
    } while (fine && at < k);
    if (!fine) /* no memory for its work space */
        plain(b_transposed, m, n, k, alpha, a, lda, b, ldb, out, ldo);
}

#endif

/* 13 x 37 times 37 x 29: off every tile size. */
static weir_status check(gemm_fn *gemm)
{
    enum { M = 13, K = 37, N = 29 };
    float a[M * K], b[N * K], out[M * N], expected[M * N];
    for (int i = 0; i < M * K; i++)
        a[i] = (float)((i * 7) % 23 - 11) / 8;
    for (int i = 0; i < N * K; i++)
        b[i] = (float)((i * 5) % 19 - 9) / 4;
    for (int transposed = 0; transposed < 2; transposed++) {
        size_t ldb = transposed ? K : N;
        gemm(transposed, M, N, K, 0.5f, a, K, b, ldb, out, N);
        plain(transposed, M, N, K, 0.5f, a, K, b, ldb, expected, N);
        for (int i = 0; i < M * N; i++)
            if (!(fabsf(out[i] - expected[i]) <= 1e-3f))
                return weir_fail(WEIR_E_UNSUPPORTED,
                                 "%s computes wrong products on this processor: update it, or set WEIR_MATMUL=plain",
                                 library_name);
    }
    return WEIR_OK;
}

/* ---- rows that come out the same ---- */

/* Row counts of the libraries' kernels (6, 8, 12, 16 in 48) repeat within a PERIOD; few rows may have kernels of their
   own (up to 15 with AVX-512, and one row where inputs are many). */
enum { PERIOD = 24, PROBED = 3 * PERIOD, FEW = 16 };

static uint8_t extra_rows[PROBED]; /* [m] how many to add; past the end as in the last period */

static size_t probed(size_t m)
{
    return m < PROBED ? m : PROBED - PERIOD + m % PERIOD;
}

static void fill_operand(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761u) % 1999) / 999 - 1;
}

/* Clears same[m], for m from 1 to `most`, where m rows of k inputs come out otherwise than they do among many. */
static void compare_rows(bool *same, gemm_fn *gemm, size_t most, size_t k, const float *a, const float *b)
{
    enum { N = 16 };
    float few[PROBED * N], many[PROBED * N];
    for (int transposed = 0; transposed < 2; transposed++) {
        size_t ldb = transposed ? k : N;
        gemm(transposed, PROBED, N, k, 1.0f, a, k, b, ldb, many, N);
        for (size_t m = 1; m <= most; m++) {
            gemm(transposed, m, N, k, 1.0f, a, k, b, ldb, few, N);
            same[m] = same[m] && memcmp(few, many, m * N * sizeof *few) == 0;
        }
    }
}

static void probe_rows(gemm_fn *gemm)
{
    enum { K = 48, LONG_K = 512 };
    static float a[PROBED * LONG_K], b[LONG_K * 16];
    bool same[PROBED];
    memset(same, true, sizeof same);
    fill_operand(a, sizeof a / sizeof *a);
    fill_operand(b, sizeof b / sizeof *b);
    compare_rows(same, gemm, PROBED - 1, K, a, b);
    compare_rows(same, gemm, FEW, LONG_K, a, b);
    for (size_t m = 1; m < PROBED; m++)
        for (size_t more = 0; more <= WEIR_GEMM_SLACK; more++)
            if (same[probed(m + more)]) {
                extra_rows[m] = (uint8_t)more;
                break;
            }
}

size_t weir_gemm_rows(size_t m)
{
    return m + extra_rows[probed(m)];
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static gemm_fn *chosen = plain;
static weir_status outcome;
static char problem[512];

static void start(void)
{
    const char *asked = getenv("WEIR_MATMUL");
    if (asked && strcmp(asked, "plain") == 0)
        return;
    outcome = load();
    if (outcome == WEIR_OK)
        outcome = check(library);
    if (outcome == WEIR_OK) {
        chosen = library;
        probe_rows(library);
    } else {
        strncpy(problem, weir_message(), sizeof problem - 1);
    }
}

weir_status weir_gemm_start(void)
{
    pthread_once(&once, start);
    return outcome == WEIR_OK ? WEIR_OK : weir_fail(outcome, "%s", problem);
}

const char *weir_gemm_library(void)
{
    return chosen == plain ? "plain C" : library_name;
}

void weir_gemm(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b,
               size_t ldb, float *out, size_t ldo)
{
    chosen(b_transposed, m, n, k, alpha, a, lda, b, ldb, out, ldo);
}
