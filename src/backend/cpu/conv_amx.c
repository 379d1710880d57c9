/* conv_amx.c: products of bf16 pairs on AMX tiles, for convolutions. */
#include "backend/cpu/tiles_amx.h"

#include "backend/cpu/conv_amx.inc.h"

static void multiply(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run, const float *b,
                     int64_t n, int64_t runs, int rows, int cols, bool add)
{
    tiles t;
    multiply_tiles(&t, &limn_rows_avx512bf16.pairs, c, c_row, a, a_row, a_step, a_run, b, n, runs, rows, cols, add);
}

static void lay(float *to, int64_t width, const void *a, const void *b, int64_t row, int64_t n, int64_t cols)
{
    limn_rows_avx512bf16.pairs.lay(to, width, a, b, row, n, cols);
}

static void begin(void)
{
    tiles t;
    tile_configure(&t);
}

static void end(void)
{
    tile_release(NULL);
}

const limn_tiles limn_amx_pairs = {.rows = AMX_SIDE,
                                   .width = AMX_SIDE,
                                   .steps = AMX_STEPS,
                                   .multiply = multiply,
                                   .lay = lay,
                                   .turn = turn_strip,
                                   .begin = begin,
                                   .end = end};
