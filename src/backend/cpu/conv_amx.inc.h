/* conv_amx.inc.h: the tile of a product (tile.inc.h) of bf16 pairs, 32 rows by 32 columns on AMX tiles.
 *
 * Included after the operations on tiles: by conv_amx.c after the instructions, by tests/test_conv_amx.c after the same
 * operations in plain C. A tile of A is 16 rows of 16 words where they lie (a_step 1), or a part of a strip that
 * turn_strip() turned (a_step 32). */
#include "backend/cpu/amx.h"
#include "backend/cpu/square_amx.inc.h"

#include <string.h>

enum { AMX_SIDE = 32, AMX_STEPS = 16 }; /* rows and columns of C; words of a tile's row */

/* Strip [steps][32], steps a multiple of 16: every 16 steps become two tiles [16 rows][16 steps]. */
static void turn_strip(float *strip, int64_t steps)
{
    float block[AMX_STEPS * AMX_SIDE];
    for (; steps > 0; steps -= AMX_STEPS, strip += AMX_STEPS * AMX_SIDE) {
        memcpy(block, strip, sizeof block);
        for (int r = 0; r < AMX_SIDE; r++)
            for (int i = 0; i < AMX_STEPS; i++) strip[r * AMX_STEPS + i] = block[i * AMX_SIDE + r];
    }
}

/* Rows, or words, that fill no tile. */
static void multiply_rest(const limn_tiles *rest, float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_run,
                          const float *b, int64_t b_run, int64_t n, int64_t runs, int rows, int cols, bool add)
{
    for (int64_t u = 0; u < runs; u++)
        for (int r = 0; r < rows; r += rest->rows)
            rest->multiply(c + r * c_row, c_row, a + r * a_row + u * a_run, a_row, 1, 0, b + u * b_run, n, 1,
                           rows - r < rest->rows ? rows - r : rest->rows, cols, add || u > 0);
}

/* C [32][32] (+)= A B of `whole` words a run */
static void multiply_whole(tiles *t, float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run,
                           const float *b, int64_t n, int64_t whole, int64_t runs, bool add)
{
    int64_t a_bytes = a_step == 1 ? a_row * 4 : 64, below = a_step == 1 ? 16 * a_row : 16 * AMX_STEPS;
    square_begin(t, c, c_row, add);
    for (int64_t u = 0; u < runs; u++)
        for (int64_t i = 0; i < whole; i += AMX_STEPS) {
            const float *from = a + u * a_run + i * a_step, *columns = b + (u * n + i) * AMX_SIDE;
            square_step(t, from, from + below, a_bytes, columns, columns + 16, AMX_SIDE * 4);
        }
    square_end(t, c, c_row);
}

/* As limn_tile.  Panels are padded to 32 columns: a narrow C is made beside its place. */
static void multiply_tiles(tiles *t, const limn_tiles *rest, float *c, int64_t c_row, const float *a, int64_t a_row,
                           int64_t a_step, int64_t a_run, const float *b, int64_t n, int64_t runs, int rows, int cols,
                           bool add)
{
    int64_t whole = n / AMX_STEPS * AMX_STEPS;
    if (rows < AMX_SIDE || whole == 0) {
        multiply_rest(rest, c, c_row, a, a_row, a_run, b, n * AMX_SIDE, n, runs, rows, cols, add);
        return;
    }
    if (cols == AMX_SIDE) multiply_whole(t, c, c_row, a, a_row, a_step, a_run, b, n, whole, runs, add);
    else {
        float all[AMX_SIDE * AMX_SIDE];
        multiply_whole(t, all, AMX_SIDE, a, a_row, a_step, a_run, b, n, whole, runs, false);
        for (int r = 0; r < AMX_SIDE; r++)
            for (int i = 0; i < cols; i++)
                c[r * c_row + i] = add ? c[r * c_row + i] + all[r * AMX_SIDE + i] : all[r * AMX_SIDE + i];
    }
    if (whole < n)
        multiply_rest(rest, c, c_row, a + whole, a_row, a_run, b + whole * AMX_SIDE, n * AMX_SIDE, n - whole, runs, rows,
                      cols, true);
}
