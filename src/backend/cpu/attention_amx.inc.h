/* attention_amx.inc.h: attention_bf16.inc.h with its product on AMX tiles.
 *
 * Included after the operations on tiles (tiles_amx.h): by attention_amx.c after the instructions, by
 * tests/test_attention_amx.c after the same operations in plain C. */
#include "backend/cpu/attention_bf16.inc.h"
#include "backend/cpu/square_amx.inc.h"

/* C [32][32] (+)= A [32][32 steps] B */
static void square(tiles *t, float *c, int64_t c_row, const bf16 *a, int64_t a_row, const bf16 *b, int64_t group,
                   int64_t steps, bool add)
{
    square_begin(t, c, c_row, add);
    for (int64_t s = 0; s < steps; s++, a += 32, b += TILE) square_step(t, a, a + 16 * a_row, a_row * 2, b, b + group, 64);
    square_end(t, c, c_row);
}

static void product(tiles *t, float *c, int64_t c_row, int64_t rows, int64_t cols, const bf16 *a, int64_t a_row,
                    const bf16 *b, int64_t group, int64_t k, bool add)
{
    for (int64_t j = 0; j < cols; j += 32)
        for (int64_t i = 0; i < rows; i += 32)
            square(t, c + i * c_row + j, c_row, a + i * a_row, a_row, b + j / 16 * group, group, up32(k) / 32, add);
}
