/* rows_avx512.c: the loops for AVX-512. */
#define ROWS_VECTOR 64 /* bytes */
#define ROWS_PANEL 2   /* vectors of a tile of floats, of a wide one */
#define ROWS_WIDE 4
#define ROWS_PAIR_ROWS 8
#include "backend/cpu/rows.inc.h"

const limn_rows limn_rows_avx512 = ROWS("avx512", LIMN_ISA_AVX512);
