/* Unicode as Hugging Face tokenizers sees it, measured by script/make_unicode.py. Use token/unicode.h. */
#ifndef WEIR_TOKEN_UNICODE_TABLES_H
#define WEIR_TOKEN_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct weir_code_range {
    uint32_t first, last;
};

/* A named set of code points: n ranges of weir_unicode_ranges, ascending, from number `first` on. */
struct weir_unicode_class {
    const char *name;
    uint32_t first, n;
};

/* The replacement of one code point (its full decomposition, its lowercase): n code points of weir_decomposed. */
struct weir_decomposition {
    uint32_t code;
    uint16_t at, n;
};

/* Code points with a canonical combining class other than 0. */
struct weir_mark {
    uint32_t first, last;
    uint32_t order;
};

struct weir_composition {
    uint32_t a, b, composed;
};

extern const struct weir_code_range weir_unicode_ranges[];
extern const struct weir_unicode_class weir_unicode_classes[];
extern const size_t weir_n_unicode_classes;
extern const struct weir_decomposition weir_canonical[]; /* by code */
extern const size_t weir_n_canonical;
extern const struct weir_decomposition weir_compatible[]; /* by code; only where it is not the canonical one */
extern const size_t weir_n_compatible;
extern const struct weir_decomposition weir_lower[]; /* by code */
extern const size_t weir_n_lower;
extern const uint32_t weir_decomposed[];
extern const struct weir_mark weir_marks[]; /* by code */
extern const size_t weir_n_marks;
extern const struct weir_composition weir_compositions[]; /* by (a, b) */
extern const size_t weir_n_compositions;

#endif
