/* rows_avx2.c: the loops for AVX2 with FMA. */
#define ROWS_NAME "avx2"
#define ROWS_VECTOR 32 /* bytes */
#define ROWS_PAIR_ROWS 6
#include "backend/cpu/rows.inc.h"

const limn_rows *limn_rows_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &rows : NULL;
}
