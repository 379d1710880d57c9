/* rows_avx512.c: the loops for AVX-512. */
#define ROWS_NAME "avx512"
#define ROWS_VECTOR 64 /* bytes */
#define ROWS_PAIR_ROWS 8
#include "backend/cpu/rows.inc.h"

const limn_rows *limn_rows_avx512(void)
{
    bool has = limn_rows_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return has ? &rows : NULL;
}
