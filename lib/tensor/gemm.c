#include "tensor/gemm.h"

#include "tensor/ops.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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
static void library(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                    const float *b, size_t ldb, float *out, size_t ldo)
{
    int threads = dnnl.get_threads();
    if (threads != 1)
        dnnl.set_threads(1);
    dnnl.sgemm('N', b_transposed ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k, alpha, a, (dnnl_dim_t)lda, b,
               (dnnl_dim_t)ldb, 0.0f, out, (dnnl_dim_t)ldo);
    if (threads != 1)
        dnnl.set_threads(threads);
}

static const char library_name[] = "oneDNN";

static bool load_symbol(void *handle, const char *name, void *function)
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static weir_status load(void)
{
    static const char *const names[] = {("libdnnl.so." WEIR_DNNL), "libdnnl.so.2", "libdnnl.so.3", "libdnnl.so"};
    void *handle = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !handle; i++)
        handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "the matrix library oneDNN (libdnnl.so) was not found: install libdnnl2, or set "
                         "WEIR_MATMUL=plain to do without, slowly");
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

static void library(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                    const float *b, size_t ldb, float *out, size_t ldo)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a,
                (int)lda, b, (int)ldb, 0.0f, out, (int)ldo);
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

enum {
    PERIOD = 24,
    PROBED = 3 * PERIOD
}; /* row counts of the libraries' kernels (6, 8, 12, 16 in 48) repeat within it */

static uint8_t extra_rows[PERIOD]; /* [m % PERIOD] how many to add to m */

static const float *probe_operand(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761u) % 1999) / 999 - 1;
    return x;
}

/* Whether m rows come out as the same rows do among many, in both layouts. */
static bool comes_out_same(gemm_fn *gemm, size_t m, const float *a, const float *b, float *few, float *many)
{
    enum { K = 48, N = 32 };
    for (int transposed = 0; transposed < 2; transposed++) {
        gemm(transposed, m, N, K, 1.0f, a, K, b, transposed ? K : N, few, N);
        gemm(transposed, PROBED, N, K, 1.0f, a, K, b, transposed ? K : N, many, N);
        if (memcmp(few, many, m * N * sizeof *few) != 0)
            return false;
    }
    return true;
}

static void probe_rows(gemm_fn *gemm)
{
    static float a[PROBED * 48], b[48 * 32], few[PROBED * 32], many[PROBED * 32];
    bool same[2 * PERIOD];
    probe_operand(a, sizeof a / sizeof *a);
    probe_operand(b, sizeof b / sizeof *b);
    for (size_t m = PERIOD; m < 3 * PERIOD; m++)
        same[m - PERIOD] = comes_out_same(gemm, m, a, b, few, many);
    for (size_t m = 0; m < PERIOD; m++)
        for (size_t more = 0; more <= WEIR_GEMM_SLACK; more++)
            if (same[m + more]) {
                extra_rows[m] = (uint8_t)more;
                break;
            }
}

size_t weir_gemm_rows(size_t m)
{
    return m + extra_rows[m % PERIOD];
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
