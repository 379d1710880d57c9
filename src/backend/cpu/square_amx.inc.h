/* square_amx.inc.h: C [32][32] on tiles 0 1 2 3; each step multiplies two tiles of rows of A (4 5) by two of columns of B (6
 * 7).
 *
 * Included after the operations on tiles, which are instructions (tiles_amx.h) or the same in plain C
 * (tests/tiles_emulated.h). Strides are in bytes, c_row in floats. */
static inline void square_begin(tiles *t, const float *c, int64_t c_row, bool add)
{
    if (add) {
        tile_load(t, 0, c, c_row * 4);
        tile_load(t, 1, c + 16, c_row * 4);
        tile_load(t, 2, c + 16 * c_row, c_row * 4);
        tile_load(t, 3, c + 16 * c_row + 16, c_row * 4);
    } else {
        tile_zero(t, 0);
        tile_zero(t, 1);
        tile_zero(t, 2);
        tile_zero(t, 3);
    }
}

static inline void square_step(tiles *t, const void *a, const void *a_below, int64_t a_bytes, const void *b,
                               const void *b_right, int64_t b_bytes)
{
    tile_load(t, 4, a, a_bytes);
    tile_load(t, 5, a_below, a_bytes);
    tile_load(t, 6, b, b_bytes);
    tile_load(t, 7, b_right, b_bytes);
    tile_dot(t, 0, 4, 6);
    tile_dot(t, 1, 4, 7);
    tile_dot(t, 2, 5, 6);
    tile_dot(t, 3, 5, 7);
}

static inline void square_end(tiles *t, float *c, int64_t c_row)
{
    tile_store(t, 0, c, c_row * 4);
    tile_store(t, 1, c + 16, c_row * 4);
    tile_store(t, 2, c + 16 * c_row, c_row * 4);
    tile_store(t, 3, c + 16 * c_row + 16, c_row * 4);
}
