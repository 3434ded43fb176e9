/* Picks the matrix product of this processor. */
#include "tensor/gemm.h"

#include "base/cpu.h"

weir_gemm_fn *weir_gemm(void)
{
#if defined(__x86_64__)
    if (weir_isa() == WEIR_ISA_AVX512)
        return weir_gemm_avx512;
    if (weir_isa() == WEIR_ISA_AVX2)
        return weir_gemm_avx2;
#endif
    return weir_gemm_plain;
}
