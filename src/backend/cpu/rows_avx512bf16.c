/* rows_avx512bf16.c: the loops for AVX-512 with AVX512_BF16, which CPUs with AMX have, too. */
#include <immintrin.h>
#define ROWS_VECTOR 64 /* bytes */
#define ROWS_PANEL 2   /* vectors of a tile of floats, of a wide one */
#define ROWS_WIDE 4
#define ROWS_PAIR_ROWS 8
#include "backend/cpu/rows.inc.h"

const limn_rows limn_rows_avx512bf16 = ROWS("avx512bf16", LIMN_ISA_AVX512BF16);
const limn_rows limn_rows_amx = ROWS("amx", LIMN_ISA_AMX);
