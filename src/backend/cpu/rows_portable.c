/* rows_portable.c: the loops for any CPU, and the choice among them. */
#define ROWS_NAME "portable"
#define ROWS_VECTOR 16 /* bytes */
#define ROWS_PAIR_ROWS 6
#include "backend/cpu/rows.inc.h"

const limn_rows *limn_rows_portable(void)
{
    return &rows;
}

const limn_rows *limn_rows_best(void)
{
#if defined(__x86_64__)
    if (limn_rows_avx512bf16()) return limn_rows_avx512bf16();
    if (limn_rows_avx512()) return limn_rows_avx512();
    if (limn_rows_avx2()) return limn_rows_avx2();
#endif
    return &rows;
}

size_t limn_head_scratch_bytes(int64_t n_key, int64_t d, bool backward)
{
    int64_t dp = up16(d), np = up16(n_key);
    return (size_t)((backward ? 6 : 3) * np * dp + 4 * QUERIES * dp + 2 * QUERIES * KEYS + 64) * sizeof(float);
}
