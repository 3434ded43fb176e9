/* Asks the processor once which instruction sets it has, and WEIR_ISA which of them to use. */
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_int chosen = -1;

static enum weir_isa best_isa(void)
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

static const char *const names[] = {[WEIR_ISA_PLAIN] = "plain", [WEIR_ISA_AVX2] = "avx2", [WEIR_ISA_AVX512] = "avx512"};

/* The instruction set that WEIR_ISA names; -1 for any other value. */
static int isa_of_name(const char *text, enum weir_isa most)
{
    for (int i = 0; i <= (int)most; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -1;
}

static enum weir_isa isa_of_environment(enum weir_isa most)
{
    const char *text = getenv("WEIR_ISA");
    int isa = text && *text ? isa_of_name(text, most) : (int)most;
    return isa >= 0 ? (enum weir_isa)isa : most;
}

weir_status weir_isa_check(void)
{
    const char *text = getenv("WEIR_ISA");
    enum weir_isa most = best_isa();
    if (!text || !*text || isa_of_name(text, most) >= 0)
        return WEIR_OK;
    if (isa_of_name(text, WEIR_ISA_AVX512) >= 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "WEIR_ISA=%s: this processor supports at most %s", text, names[most]);
    return weir_fail(WEIR_E_USAGE, "WEIR_ISA=%s: must be plain, avx2 or avx512", text);
}

enum weir_isa weir_isa(void)
{
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa < 0) {
        isa = (int)isa_of_environment(best_isa());
        atomic_store_explicit(&chosen, isa, memory_order_relaxed);
    }
    return (enum weir_isa)isa;
}

int weir_isa_use(enum weir_isa isa)
{
    if (isa > best_isa())
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
