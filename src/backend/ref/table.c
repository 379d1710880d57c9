/* table.c: rows of a table by index, the sinusoids of a timestep, and rotary positions. */
#include "backend/ref/ref.h"

#include <math.h>

static int64_t id_of(const limn_view *ids, int64_t i, int64_t n)
{
    int64_t id = llrint(limn_get(ids, i));
    return id < 0 ? 0 : id >= n ? n - 1 : id;
}

static limn_status gather(const limn_call *c)
{
    int64_t v = c->src[0].shape.dim[0], d = limn_shape_count(&c->src[0].shape) / v, n = limn_shape_count(&c->src[1].shape);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) limn_put(&c->dst, i * d + j, limn_get(&c->src[0], id_of(&c->src[1], i, v) * d + j));
    return LIMN_OK;
}

/* d table[v] = sum of dy[i] over i with ids[i] = v */
static limn_status gather_grad(const limn_call *c)
{
    int64_t v = c->dst.shape.dim[0], d = limn_shape_count(&c->dst.shape) / v, n = limn_shape_count(&c->src[1].shape);
    for (int64_t row = 0; row < v; row++)
        for (int64_t j = 0; j < d; j++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++)
                if (id_of(&c->src[1], i, v) == row) sum += limn_get(&c->src[0], i * d + j);
            limn_put(&c->dst, row * d + j, sum);
        }
    return LIMN_OK;
}

/* angle = t exp(-ln(max_period) i / half) */
static limn_status timestep_embedding(const limn_call *c)
{
    int64_t n = c->dst.shape.dim[0], dim = c->dst.shape.dim[1], half = dim / 2;
    for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < half; i++) {
            double angle = limn_get(&c->src[0], r) * exp(-log(c->attr->scale) * (double)i / (double)half);
            bool cos_first = c->attr->flags & LIMN_COS_FIRST;
            limn_put(&c->dst, r * dim + i, cos_first ? cos(angle) : sin(angle));
            limn_put(&c->dst, r * dim + half + i, cos_first ? sin(angle) : cos(angle));
        }
    return LIMN_OK;
}

/* y[2i] = x[2i] cos - x[2i+1] sin;  y[2i+1] = x[2i+1] cos + x[2i] sin */
static limn_status rotate(const limn_call *c)
{
    int64_t n = limn_shape_count(&c->dst.shape), width = c->dst.shape.dim[2], t = c->dst.shape.dim[1],
            d = c->src[1].shape.dim[1];
    for (int64_t i = 0; i < n; i += 2) {
        int64_t turn = i / width % t * d + i % width % d;
        double x = limn_get(&c->src[0], i), y = limn_get(&c->src[0], i + 1), cosine = limn_get(&c->src[1], turn),
               sine = c->attr->scale * limn_get(&c->src[1], turn + 1);
        limn_put(&c->dst, i, x * cosine - y * sine);
        limn_put(&c->dst, i + 1, y * cosine + x * sine);
    }
    return LIMN_OK;
}

const limn_kernel limn_ref_table[LIMN_N_OPS] = {
    [LIMN_OP_GATHER] = REF(gather),
    [LIMN_OP_GATHER_GRAD] = REF(gather_grad),
    [LIMN_OP_ROTATE] = REF(rotate),
    [LIMN_OP_TIMESTEP_EMBEDDING] = REF(timestep_embedding),
};
