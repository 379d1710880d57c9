/* rows_avx2.c: the loops for AVX2 with FMA. */
#define ROWS_VECTOR 32 /* bytes */
#define ROWS_PAIR_ROWS 6
#include "backend/cpu/rows.inc.h"

const limn_rows limn_rows_avx2 = ROWS("avx2", LIMN_ISA_AVX2);
