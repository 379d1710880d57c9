/* enlarged.inc.h: a picture beside its differences, and the four pixels that their products make (conv_enlarged.c).
 * Included by rows.inc.h. */

static inline __attribute__((always_inline)) void some_fields(float *to, int64_t next, const void *const *pixel,
                                                              limn_dtype dtype, int64_t n)
{
    for (int64_t c = 0; c < n; c += V) {
        vec here = floats_at(pixel[3], dtype, c), above = floats_at(pixel[1], dtype, c);
        vec across = here - floats_at(pixel[2], dtype, c), across_above = above - floats_at(pixel[0], dtype, c);
        put_vec(to + c, here), put_vec(to + next + c, across);
        put_vec(to + 2 * next + c, here - above), put_vec(to + 3 * next + c, across - across_above);
    }
}

static void enlarged_fields(float *to, int64_t next, const void *const *pixel, limn_dtype dtype, int64_t n)
{
    if (dtype == LIMN_F32)
        some_fields(to, next, pixel, LIMN_F32, n);
    else
        some_fields(to, next, pixel, LIMN_BF16, n);
}

static void enlarged_pixels(float *to, const float *sums, int64_t next, const float *bias)
{
    for (int h = 0; h < PANEL; h += V, sums += V) {
        vec m[9], add = bias ? get_vec(bias + h) : (vec){0};
#pragma GCC unroll 9
        for (int f = 0; f < 9; f++) m[f] = get_vec(sums + f * next);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            const vec *row = m + 6 * i;
            vec middle = m[4] + row[1];
            put_vec(to + 2 * i * PANEL + h, middle + (m[3] + row[0]) + add);
            put_vec(to + (2 * i + 1) * PANEL + h, middle + (m[5] + row[2]) + add);
        }
    }
}
