/* optimizer.c: see optimizer.h. */
#include "train/optimizer.h"

#include "base/base.h"

#include <math.h>

static double chunk_square(const float *g, size_t n)
{
    double lane[8] = {0}, sum = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) lane[k] += (double)g[i + (size_t)k] * g[i + (size_t)k];
    for (; i < n; i++) sum += (double)g[i] * g[i];
    for (int k = 0; k < 8; k++) sum += lane[k];
    return sum;
}

void limn_gradient_squares(const float *grad, size_t n, double *square, int n_threads)
{
    size_t chunks = (n + LIMN_NORM_CHUNK - 1) / LIMN_NORM_CHUNK;
    limn_floats floats;
    limn_floats_begin(&floats, n_threads);
#pragma omp parallel for schedule(static) num_threads(n_threads)
    for (size_t k = 0; k < chunks; k++) {
        size_t at = k * LIMN_NORM_CHUNK;
        square[k] = chunk_square(grad + at, n - at < LIMN_NORM_CHUNK ? n - at : LIMN_NORM_CHUNK);
    }
    limn_floats_end(&floats);
}

double limn_gradient_norm(const float *grad, size_t n, int n_threads)
{
    enum { CHUNKS = 1024, GROUP = CHUNKS * LIMN_NORM_CHUNK };
    double total = 0, square[CHUNKS];
    for (size_t at = 0; at < n; at += GROUP) {
        size_t some = n - at < GROUP ? n - at : GROUP;
        limn_gradient_squares(grad + at, some, square, n_threads);
        for (size_t k = 0; k * LIMN_NORM_CHUNK < some; k++) total += square[k];
    }
    return sqrt(total);
}

void limn_adamw_step(const limn_adamw *o, int64_t t, double norm, size_t n, float *value, const float *grad, float *m,
                     float *v, float *ema, const uint8_t *decay, int n_threads)
{
    float clip = o->clip > 0 && norm > o->clip ? (float)(o->clip / norm) : 1, b1 = (float)o->beta1, b2 = (float)o->beta2;
    float step = (float)(o->lr / (1 - pow(o->beta1, (double)t))), root = (float)(1 / sqrt(1 - pow(o->beta2, (double)t))),
          eps = (float)o->eps;
    float shrink = (float)(1 - o->lr * o->weight_decay);
    double warm = (1.0 + (double)t) / (10.0 + (double)t);
    float keep = (float)(o->ema < warm ? o->ema : warm);
    limn_floats floats;
    limn_floats_begin(&floats, n_threads);
#pragma omp parallel for simd schedule(static) num_threads(n_threads)
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] * clip, mi = b1 * m[i] + (1 - b1) * g, vi = b2 * v[i] + (1 - b2) * g * g;
        m[i] = mi;
        v[i] = vi;
        float x = value[i] * (decay[i] ? shrink : 1.0f) - step * mi / (sqrtf(vi) * root + eps);
        value[i] = x;
        ema[i] = keep * ema[i] + (1 - keep) * x;
    }
    limn_floats_end(&floats);
}

double limn_learning_rate(double lr, int64_t step, int64_t warmup, int64_t total, int64_t decay)
{
    if (step < warmup) return lr * (double)(step + 1) / (double)warmup;
    int64_t begin = decay > 0 && total - decay > warmup ? total - decay : warmup;
    if (step < begin || total <= begin) return lr;
    double done = (double)(step - begin) / (double)(total - begin);
    return lr * (0.1 + 0.9 * 0.5 * (1 + cos(3.141592653589793 * (done > 1 ? 1 : done))));
}
