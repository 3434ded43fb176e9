/* Picks the table of operations of this processor. */
#include "tensor/ops.h"

#include "base/cpu.h"

const struct weir_ops *weir_ops(void)
{
#if defined(__x86_64__)
    if (weir_isa() == WEIR_ISA_AVX512)
        return &weir_ops_avx512;
    if (weir_isa() == WEIR_ISA_AVX2)
        return &weir_ops_avx2;
#endif
    return &weir_ops_plain;
}
