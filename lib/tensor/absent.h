/* The NaN that stands for "not stored" in a cache file: one quiet NaN per type, which no computation results in. What
   is computed and comes out NaN is stored as the plain one (by the store), so that the two differ in their
   bits. Widening keeps them: all three are the same float32. docs/store.md says this to users. */
#ifndef WEIR_TENSOR_ABSENT_H
#define WEIR_TENSOR_ABSENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WEIR_ABSENT_F32  0x7fea0000u
#define WEIR_ABSENT_BF16 0x7feau
#define WEIR_ABSENT_F16  0x7f50u

/* The plain ones: those of files that were written before "not stored" had its own NaN. */
#define WEIR_NAN_F32  0x7fc00000u
#define WEIR_NAN_BF16 0x7fc0u
#define WEIR_NAN_F16  0x7e00u

static inline bool weir_value_is_absent(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == WEIR_ABSENT_F32;
}

#endif
