/* rows_avx2.c: the loops for AVX2 with FMA. */
#define ROWS_VECTOR 32 /* bytes */
#define ROWS_PANEL 2   /* vectors of a tile of floats, of a wide one */
#define ROWS_WIDE 2
#define ROWS_PAIR_ROWS 6
#include "backend/cpu/rows.inc.h"

const limn_rows limn_rows_avx2 = ROWS("avx2", LIMN_ISA_AVX2);
