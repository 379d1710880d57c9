/* rotate.c: rotary positions: pairs of channels times a cosine and a sine, a head of a token at a time. */
#include "backend/cpu/kernels.h"

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    return why ? why : c->src[1].shape.dim[1] > LIMN_BLOCK ? "a head has more channels than a block" : NULL;
}

static limn_status run(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t d = c->src[1].shape.dim[1], t = c->dst.shape.dim[1], heads = c->dst.shape.dim[2] / d,
            n = c->dst.shape.dim[0] * t * heads;
    float sign = (float)c->attr->scale;
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > 16384)
    for (int64_t i = 0; i < n; i++) {
        float x_room[LIMN_BLOCK], turn_room[LIMN_BLOCK], y[LIMN_BLOCK];
        const float *x = limn_cpu_floats(rows, &c->src[0], i * d, d, x_room),
                    *turn = limn_cpu_floats(rows, &c->src[1], i / heads % t * d, d, turn_room);
        for (int64_t j = 0; j < d; j += 2) {
            float sine = sign * turn[j + 1];
            y[j] = x[j] * turn[j] - x[j + 1] * sine;
            y[j + 1] = x[j + 1] * turn[j] + x[j] * sine;
        }
        rows->store((char *)c->dst.data + (size_t)(i * d) * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, y, d);
    }
    return LIMN_OK;
}

static bool in_place(const limn_call *c, int src)
{
    (void)c;
    return src == 0;
}

const limn_kernel limn_cpu_rotate = {.name = "rotate", .refuse = refuse, .run = run, .in_place = in_place};
