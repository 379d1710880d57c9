/* init.c: what a parameter is before anything was learned. */
#include "base/rng.h"
#include "weights/source.h"

#include <math.h>
#include <string.h>

/* Place i of n. */
static double place(int i, int n, double base) { return base > 0 ? i * base / n : i; }

/* MAE's table, as DiT uses it: half of D for columns ("w first"), half for rows; each sin then cos. */
static void sincos_2d(const limn_wanted *w, float *to)
{
    int64_t d = limn_shape_cols(&w->shape), quarter = d / 4;
    int height = w->init->grid_h, width = w->init->grid_w;
    double base = w->init->grid_base;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, to += d)
            for (int64_t i = 0; i < quarter; i++) {
                double omega = pow(10000, -(double)i / (double)quarter), at_x = place(x, width, base) * omega,
                       at_y = place(y, height, base) * omega;
                to[i] = (float)sin(at_x), to[quarter + i] = (float)cos(at_x);
                to[2 * quarter + i] = (float)sin(at_y), to[3 * quarter + i] = (float)cos(at_y);
            }
}

void limn_init_fill(const limn_wanted *w, uint64_t seed, float *to)
{
    size_t n = (size_t)limn_shape_count(&w->shape);
    uint64_t sub = limn_hash_name(w->name);
    switch (w->init->kind) {
    case LIMN_INIT_ZERO: memset(to, 0, n * sizeof *to); break;
    case LIMN_INIT_ONE: for (size_t i = 0; i < n; i++) to[i] = 1; break;
    case LIMN_INIT_NORMAL:
        limn_random_normal(seed, LIMN_STREAM_INIT, sub, 0, n, to);
        for (size_t i = 0; i < n; i++) to[i] *= w->init->scale;
        break;
    case LIMN_INIT_UNIFORM:
        for (size_t i = 0; i < n; i++)
            to[i] = w->init->scale * (2 * limn_random_uniform(seed, LIMN_STREAM_INIT, sub, i) - 1);
        break;
    case LIMN_INIT_SINCOS_2D: sincos_2d(w, to); break;
    }
}
