/* attention_amx.inc.h: attention_bf16.inc.h with its product on AMX tiles.
 *
 * Included after the operations on tiles (tiles_amx.h): by attention_amx.c after the instructions, by tests/test_attention_amx.c after
 * the same operations in plain C. */
#include "backend/cpu/attention_bf16.inc.h"

/* C [32][32] (+)= A [32][32 steps] B; tiles: 0 1 2 3 are C, 4 5 its rows of A, 6 7 its columns of B */
static void square(tiles *t, float *c, int64_t c_row, const bf16 *a, int64_t a_row, const bf16 *b, int64_t group, int64_t steps, bool add)
{
    int64_t c_bytes = c_row * 4, a_bytes = a_row * 2;
    float *below = c + 16 * c_row;
    if (add) {
        tile_load(t, 0, c, c_bytes);
        tile_load(t, 1, c + 16, c_bytes);
        tile_load(t, 2, below, c_bytes);
        tile_load(t, 3, below + 16, c_bytes);
    } else {
        tile_zero(t, 0);
        tile_zero(t, 1);
        tile_zero(t, 2);
        tile_zero(t, 3);
    }
    for (int64_t s = 0; s < steps; s++, a += 32, b += TILE) {
        tile_load(t, 4, a, a_bytes);
        tile_load(t, 5, a + 16 * a_row, a_bytes);
        tile_load(t, 6, b, 64);
        tile_load(t, 7, b + group, 64);
        tile_dot(t, 0, 4, 6);
        tile_dot(t, 1, 4, 7);
        tile_dot(t, 2, 5, 6);
        tile_dot(t, 3, 5, 7);
    }
    tile_store(t, 0, c, c_bytes);
    tile_store(t, 1, c + 16, c_bytes);
    tile_store(t, 2, below, c_bytes);
    tile_store(t, 3, below + 16, c_bytes);
}

static void product(tiles *t, float *c, int64_t c_row, int64_t rows, int64_t cols, const bf16 *a, int64_t a_row, const bf16 *b, int64_t group, int64_t k,
                    bool add)
{
    for (int64_t j = 0; j < cols; j += 32)
        for (int64_t i = 0; i < rows; i += 32)
            square(t, c + i * c_row + j, c_row, a + i * a_row, a_row, b + j / 16 * group, group, up32(k) / 32, add);
}
