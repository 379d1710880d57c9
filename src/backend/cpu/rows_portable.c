/* rows_portable.c: the loops for any CPU. */
#define ROWS_VECTOR 16 /* bytes */
#define ROWS_PANEL 2   /* vectors of a tile of floats, of a wide one */
#define ROWS_WIDE 2
#define ROWS_PAIR_ROWS 6
#include "backend/cpu/rows.inc.h"

const limn_rows limn_rows_portable = ROWS("portable", LIMN_ISA_PORTABLE);

size_t limn_head_scratch_bytes(int64_t n_key, int64_t d, bool backward)
{
    int64_t dp = up16(d), np = up16(n_key);
    return (size_t)((backward ? 6 : 3) * np * dp + (backward ? 4 * QUERIES : 2 * GROUP) * dp + 2 * QUERIES * KEYS + 64) *
           sizeof(float);
}
