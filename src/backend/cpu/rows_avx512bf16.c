/* rows_avx512bf16.c: the loops for AVX-512 with AVX512_BF16. */
#include <immintrin.h>
#define ROWS_NAME "avx512bf16"
#define ROWS_VECTOR 64 /* bytes */
#define ROWS_PAIR_ROWS 8
#include "backend/cpu/rows.inc.h"

const limn_rows *limn_rows_avx512bf16(void)
{
    return limn_rows_avx512() && __builtin_cpu_supports("avx512bf16") ? &rows : NULL;
}
