/* tiles_emulated.h: the operations on AMX tiles that attention_amx.inc.h asks for, in plain C, with the arithmetic of
 * Intel's manual (vol. 2, TDPBF16PS): the even and the odd terms are summed apart, their sum is added to C; denormals are
 * zero on the way in and out.  Strict about what the processor would fault on: tiles are used between configure and release,
 * at their configured size. */
#ifndef LIMN_TILES_EMULATED_H
#define LIMN_TILES_EMULATED_H

#include "backend/cpu/amx.h"

#include <math.h>
#include <string.h>

typedef struct tiles {
    limn_tile_config config;
    unsigned char tile[8][16][64];
} tiles;

static void tile_configure(tiles *t)
{
    memset(t, 0, sizeof *t);
    t->config = limn_tile_config_full();
    assert_int_equal(sizeof t->config, 64);
    assert_int_equal(t->config.palette, 1);
    for (int i = 0; i < 16; i++) {
        assert_true(t->config.row_bytes[i] <= 64 && t->config.rows[i] <= 16);
        if (i >= 8) assert_true(t->config.row_bytes[i] == 0 && t->config.rows[i] == 0);
    }
    for (int i = 0; i < 14; i++) assert_int_equal(t->config.reserved[i], 0);
}

static void tile_release(tiles *t)
{
    memset(t, 0, sizeof *t);
}

static int rows_of(const tiles *t, int i)
{
    assert_int_equal(t->config.palette, 1);
    assert_true(i >= 0 && i < 8 && t->config.rows[i] > 0);
    return t->config.rows[i];
}

static void tile_zero(tiles *t, int i)
{
    assert_true(rows_of(t, i) > 0);
    memset(t->tile[i], 0, sizeof t->tile[i]);
}

static void tile_load(tiles *t, int i, const void *from, int64_t row_bytes)
{
    int n = rows_of(t, i);
    memset(t->tile[i], 0, sizeof t->tile[i]);
    for (int r = 0; r < n; r++) memcpy(t->tile[i][r], (const char *)from + r * row_bytes, t->config.row_bytes[i]);
}

static void tile_store(tiles *t, int i, void *to, int64_t row_bytes)
{
    for (int r = 0; r < rows_of(t, i); r++) memcpy((char *)to + r * row_bytes, t->tile[i][r], t->config.row_bytes[i]);
}

static inline float flushed(float x)
{
    return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x;
}

/* A product of two bf16 is exact in f32, so multiplying and then adding rounds once, as the instruction does. */
static void tile_dot(tiles *t, int c, int a, int b)
{
    int rows = rows_of(t, c), pairs = t->config.row_bytes[a] / 4, cols = t->config.row_bytes[c] / 4;
    assert_true(rows == rows_of(t, a) && pairs == rows_of(t, b) && cols == t->config.row_bytes[b] / 4);
    for (int m = 0; m < rows; m++) {
        float sum[2][16] = {{0}}, result[16];
        for (int k = 0; k < pairs; k++) {
            uint16_t x[2], y[32];
            memcpy(x, t->tile[a][m] + 4 * k, sizeof x);
            memcpy(y, t->tile[b][k], sizeof y);
            for (int n = 0; n < cols; n++)
                for (int i = 0; i < 2; i++)
                    sum[i][n] =
                        flushed(sum[i][n] + flushed(limn_bf16_to_f32(x[i])) * flushed(limn_bf16_to_f32(y[2 * n + i])));
        }
        memcpy(result, t->tile[c][m], sizeof result);
        for (int n = 0; n < cols; n++) result[n] = flushed(flushed(result[n]) + flushed(sum[0][n] + sum[1][n]));
        memcpy(t->tile[c][m], result, sizeof result);
    }
}

#endif
