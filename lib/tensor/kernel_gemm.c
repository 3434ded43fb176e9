/* The matrix product, in vectors as wide as the instruction set has (compiled once for each; meson.build defines
   WEIR_ISA).

   Inputs are taken in PARTs: one long sum after another would lose two bits (Gemma 3's logits err by 1.7e-5 in one sum,
   by 4e-6 in parts of 128). A part of PANEL outputs' weights is packed side by side, which fits the first cache, and
   multiplied with ROWS rows at a time, whose sums stay in registers. PANELS of them are packed at once, so that rows of
   weights are read a few cache lines long. More than a BLOCK of rows are taken one block after the other: they would
   leave the second cache between one set of panels and the next. Every output is summed in the same order whatever the
   number of rows, so that a prompt gives the same bits alone as in a batch. After Goto and van de Geijn, "Anatomy of
   High-Performance Matrix Multiplication", 2008; how it compares with oneDNN is in docs/performance.md. */
#include "base/sizes.h"
#include "tensor/gemm.h"

#include <stdint.h>
#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define INLINE      static inline __attribute__((always_inline))

#if defined(__AVX512F__)
enum { WIDE = 16, ROWS = 8 };
#elif defined(__AVX2__)
enum { WIDE = 8, ROWS = 6 };
#else
enum { WIDE = 4, ROWS = 4 };
#endif
enum {
    LINE = 16, /* floats of a cache line */
    PANEL = 2 * WIDE,
    PART = WEIR_GEMM_PART,
    PANELS = 4,
    BLOCK = 512 /* rows, whose PART of inputs fits the second cache beside the panels */
};

typedef float vec __attribute__((vector_size(WIDE * sizeof(float))));
typedef float loose __attribute__((vector_size(WIDE * sizeof(float)), aligned(sizeof(float)), may_alias));

INLINE vec load(const float *from)
{
    return *(const loose *)from;
}

INLINE void store(float *to, vec value)
{
    *(loose *)to = value;
}

/* ---- packing ---- */

#if defined(__AVX512F__)
#define ZIP_LOW  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif defined(__AVX2__)
#define ZIP_LOW  0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define ZIP_LOW  0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#endif

/* to [WIDE, PANEL] = from [WIDE, ld] turned over: row i and the one half the block further are zipped, once for each
   doubling. */
INLINE void turn_over(float *to, const float *from, size_t ld)
{
    vec rows[WIDE], zipped[WIDE];
    for (size_t i = 0; i < WIDE; i++)
        rows[i] = load(from + i * ld);
    for (size_t step = 1; step < WIDE; step *= 2) {
        for (size_t i = 0; i < WIDE / 2; i++) {
            zipped[2 * i] = __builtin_shufflevector(rows[i], rows[i + WIDE / 2], ZIP_LOW);
            zipped[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + WIDE / 2], ZIP_HIGH);
        }
        memcpy(rows, zipped, sizeof rows);
    }
    for (size_t i = 0; i < WIDE; i++)
        store(to + i * PANEL, rows[i]);
}

/* panel [k, PANEL] from n outputs' weights [n, ld]; missing ones are zeros. */
static void pack_panel(float *panel, const float *b, size_t ld, size_t n, size_t k)
{
    size_t whole_n = n / WIDE * WIDE, whole_k = k / WIDE * WIDE;
    if (n < PANEL)
        memset(panel, 0, k * PANEL * sizeof *panel);
    for (size_t i = 0; i < whole_n; i += WIDE)
        for (size_t j = 0; j < whole_k; j += WIDE)
            turn_over(panel + j * PANEL + i, b + i * ld + j, ld);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i < whole_n ? whole_k : 0; j < k; j++)
            panel[j * PANEL + i] = b[i * ld + j];
}

/* panels [panel, PART, PANEL], of each the first k rows, from n outputs' weights [n, ld]. */
static void pack_outputs(float *panels, const float *b, size_t ld, size_t n, size_t k)
{
    for (size_t i = 0; i < n; i += PANEL)
        pack_panel(panels + i * PART, b + i * ld, ld, weir_min_size(n - i, PANEL), k);
}

/* The same from weights [k, ld]. */
static void pack_inputs(float *panels, const float *b, size_t ld, size_t n, size_t k)
{
    for (size_t j = 0; j < k; j++, b += ld) {
        float *to = panels + j * PANEL;
        size_t i = 0;
        for (; i + PANEL <= n; i += PANEL, to += PART * PANEL) {
            store(to, load(b + i));
            store(to + WIDE, load(b + i + WIDE));
        }
        if (i < n) {
            memset(to, 0, PANEL * sizeof *to);
            memcpy(to, b + i, (n - i) * sizeof *to);
        }
    }
}

/* ---- multiplying ---- */

struct tile {
    float *out; /* [rows, ldo] */
    size_t ldo;
    const float *a; /* [rows, lda] */
    size_t lda;
    const float *panel; /* [k, PANEL] */
    size_t k, n;        /* inputs of this part; outputs of this panel */
    float alpha;
    bool first; /* part: out is written, later ones are added */
};

/* gcc keeps sums in registers only where it is told to unroll the loops over rows. */
#define EACH_ROW _Pragma("GCC unroll 8") for (size_t i = 0; i < rows; i++)

INLINE void finish(const struct tile *t, size_t row, vec low, vec high)
{
    float *out = t->out + row * t->ldo, some[PANEL] = {0};
    low *= t->alpha;
    high *= t->alpha;
    float *to = t->n == PANEL ? out : some;
    if (!t->first) {
        if (to == some)
            memcpy(some, out, t->n * sizeof *some);
        low += load(to);
        high += load(to + WIDE);
    }
    store(to, low);
    store(to + WIDE, high);
    if (to == some)
        memcpy(out, some, t->n * sizeof *some);
}

INLINE void tile_rows(const struct tile *t, const size_t rows)
{
    vec sums[ROWS][2];
    EACH_ROW sums[i][0] = sums[i][1] = (vec){0};
    for (size_t j = 0; j < t->k; j++) {
        vec low = load(t->panel + j * PANEL), high = load(t->panel + j * PANEL + WIDE);
        EACH_ROW
        {
            float x = t->a[i * t->lda + j];
            sums[i][0] += x * low;
            sums[i][1] += x * high;
        }
    }
    EACH_ROW finish(t, i, sums[i][0], sums[i][1]);
}

/* One case for each number of rows, since it has to be known when the loops are unrolled. */
static void some_rows(const struct tile *t, size_t rows)
{
    switch (rows) {
    case 1:
        tile_rows(t, 1);
        break;
    case 2:
        tile_rows(t, 2);
        break;
    case 3:
        tile_rows(t, 3);
        break;
#if defined(__AVX2__)
    case 4:
        tile_rows(t, 4);
        break;
    case 5:
        tile_rows(t, 5);
        break;
#endif
#if defined(__AVX512F__)
    case 6:
        tile_rows(t, 6);
        break;
    case 7:
        tile_rows(t, 7);
        break;
#endif
    default:
        tile_rows(t, ROWS);
        break;
    }
}

/* Weights that are packed at once, as stored: rows of outputs, or of inputs where b is not transposed. */
struct piece {
    const float *row; /* [rows, ld] of each `length` */
    size_t rows, length, ld;
    size_t fetched; /* of this row */
};

/* Asks for some cache lines of what will be packed next: weights that were last used a pass ago come from memory, and
   packing them would wait for each row. */
INLINE void fetch_ahead(struct piece *next, size_t lines)
{
    for (; lines > 0 && next->rows > 0; lines--) {
        __builtin_prefetch(next->row + next->fetched, 0, 2);
        next->fetched += LINE;
        if (next->fetched >= next->length) {
            next->fetched = 0;
            next->row += next->ld;
            next->rows--;
        }
    }
}

/* One part of the inputs for the outputs of some panels: t has all but what a panel and a row are. */
static void multiply_part(struct tile t, const float *panels, size_t m, size_t width, struct piece next)
{
    const float *a = t.a;
    float *out = t.out;
    size_t tiles = (width + PANEL - 1) / PANEL * ((m + ROWS - 1) / ROWS);
    size_t lines = next.rows * ((next.length + LINE - 1) / LINE), share = (lines + tiles - 1) / tiles;
    for (size_t i = 0; i < width; i += PANEL) {
        t.panel = panels + i * PART;
        t.n = weir_min_size(width - i, PANEL);
        for (size_t row = 0; row < m; row += ROWS) {
            t.a = a + row * t.lda;
            t.out = out + row * t.ldo + i;
            fetch_ahead(&next, share);
            some_rows(&t, weir_min_size(m - row, ROWS));
        }
    }
}

/* The packed weights of the outputs from `column` and the inputs from `at` on; none after the last output. */
static struct piece piece_at(bool b_transposed, const float *b, size_t ldb, size_t n, size_t k, size_t column,
                             size_t at)
{
    size_t width = column < n ? weir_min_size(n - column, PANELS * PANEL) : 0, part = weir_min_size(k - at, PART);
    return b_transposed ? (struct piece){b + column * ldb + at, width, part, ldb, 0}
                        : (struct piece){b + at * ldb + column, width ? part : 0, width, ldb, 0};
}

/* Packs a panel of weights, multiplies all rows with it, and fetches the next panel meanwhile. */
static void multiply_block(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                           const float *b, size_t ldb, float *out, size_t ldo)
{
    float panels[PANELS * PART * PANEL] __attribute__((aligned(64))); /* [panel, input, output] */
    struct tile t = {.ldo = ldo, .lda = lda, .alpha = alpha};
    struct piece piece = piece_at(b_transposed, b, ldb, n, k, 0, 0), next;
    for (size_t column = 0; column < n; column += PANELS * PANEL) {
        size_t at = 0, width = weir_min_size(n - column, PANELS * PANEL);
        do { /* once where there are no inputs: their sum is 0 */
            t.k = weir_min_size(k - at, PART);
            t.first = at == 0;
            t.a = a + at;
            t.out = out + column;
            if (b_transposed)
                pack_outputs(panels, piece.row, ldb, width, t.k);
            else
                pack_inputs(panels, piece.row, ldb, width, t.k);
            at += t.k;
            next = at < k ? piece_at(b_transposed, b, ldb, n, k, column, at)
                          : piece_at(b_transposed, b, ldb, n, k, column + PANELS * PANEL, 0);
            multiply_part(t, panels, m, width, next);
            piece = next;
        } while (at < k);
    }
}

static void multiply_scaled(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                            const float *b, size_t ldb, float *out, size_t ldo)
{
    for (size_t row = 0; row < m; row += BLOCK)
        multiply_block(b_transposed, weir_min_size(m - row, BLOCK), n, k, alpha, a + row * lda, lda, b, ldb,
                       out + row * ldo, ldo);
}

weir_gemm_fn *const JOIN(weir_gemm_, WEIR_ISA) = multiply_scaled;
