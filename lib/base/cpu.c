#include "base/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_int chosen = -1;

static enum weir_isa best(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return WEIR_ISA_PLAIN;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return WEIR_ISA_AVX512;
    return WEIR_ISA_AVX2; /* every processor with AVX2 has F16C */
#else
    return WEIR_ISA_PLAIN;
#endif
}

static enum weir_isa asked(enum weir_isa most)
{
    const char *text = getenv("WEIR_ISA");
    if (text && strcmp(text, "plain") == 0)
        return WEIR_ISA_PLAIN;
    if (text && strcmp(text, "avx2") == 0 && most > WEIR_ISA_AVX2)
        return WEIR_ISA_AVX2;
    return most;
}

enum weir_isa weir_isa(void)
{
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa < 0) {
        isa = (int)asked(best());
        atomic_store_explicit(&chosen, isa, memory_order_relaxed);
    }
    return (enum weir_isa)isa;
}

int weir_isa_use(enum weir_isa isa)
{
    if (isa > best())
        return 0;
    atomic_store(&chosen, (int)isa);
    return 1;
}

bool weir_cpu_has_bf16(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

bool weir_cpu_has_vnni(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}
