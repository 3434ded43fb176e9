/* The instruction sets of this processor, by which one of several builds of the same kernels is picked. */
#ifndef WEIR_BASE_CPU_H
#define WEIR_BASE_CPU_H

#include "base/status.h"

#include <stdbool.h>

enum weir_isa {
    WEIR_ISA_PLAIN, /* what every processor of the architecture has */
    WEIR_ISA_AVX2,  /* with FMA and F16C */
    WEIR_ISA_AVX512 /* F, BW, DQ, VL */
};

/* The best one, or less where the environment says so (WEIR_ISA=plain, avx2 or avx512). Asked once. */
enum weir_isa weir_isa(void);
/* WEIR_E_USAGE where the environment says something else, WEIR_E_UNSUPPORTED where the processor lacks what it says. */
WEIR_CHECKED weir_status weir_isa_check(void);
/* For tests: use this one from now on; @return whether the processor has it. */
int weir_isa_use(enum weir_isa isa);

/* True where it multiplies bfloat16 (AVX512-BF16), or bytes (AVX512-VNNI). */
bool weir_cpu_has_bf16(void);
bool weir_cpu_has_vnni(void);

#endif
