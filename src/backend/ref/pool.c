/* pool.c: pooling and resizing of pictures [B,H,W,C]. */
#include "backend/ref/ref.h"

#include <math.h>

/* Element (y, x, c) of sample b. */
static int64_t element(const limn_shape *s, int64_t b, int64_t y, int64_t x, int64_t c)
{
    return ((b * s->dim[1] + y) * s->dim[2] + x) * s->dim[3] + c;
}

typedef struct place {
    int64_t b, y, x, c;
} place;

static place place_of(const limn_shape *s, int64_t at)
{
    int64_t c = s->dim[3], w = s->dim[2], h = s->dim[1];
    return (place){at / c / w / h, at / c / w % h, at / c % w, at % c};
}

/* The first largest of a window; a NaN is larger than any number, as in PyTorch. */
static int64_t largest(const limn_view *x, place p, int size)
{
    int64_t best = element(&x->shape, p.b, p.y * size, p.x * size, p.c);
    for (int i = 0; i < size * size; i++) {
        int64_t at = element(&x->shape, p.b, p.y * size + i / size, p.x * size + i % size, p.c);
        double value = limn_get(x, at), top = limn_get(x, best);
        if (value > top || (isnan(value) && !isnan(top))) best = at;
    }
    return best;
}

static limn_status max_pool(const limn_call *c)
{
    for (int64_t at = 0; at < limn_shape_count(&c->dst.shape); at++)
        limn_put(&c->dst, at, limn_get(&c->src[0], largest(&c->src[0], place_of(&c->dst.shape, at), c->attr->stride)));
    return LIMN_OK;
}

static limn_status max_pool_grad(const limn_call *c)
{
    for (int64_t at = 0; at < limn_shape_count(&c->dst.shape); at++) limn_put(&c->dst, at, 0);
    for (int64_t at = 0; at < limn_shape_count(&c->src[1].shape); at++)
        limn_put(&c->dst, largest(&c->src[0], place_of(&c->src[1].shape, at), c->attr->stride), limn_get(&c->src[1], at));
    return LIMN_OK;
}

static limn_status average_pool(const limn_call *c)
{
    int size = c->attr->stride;
    for (int64_t at = 0; at < limn_shape_count(&c->dst.shape); at++) {
        place p = place_of(&c->dst.shape, at);
        double sum = 0;
        for (int i = 0; i < size * size; i++)
            sum += limn_get(&c->src[0], element(&c->src[0].shape, p.b, p.y * size + i / size, p.x * size + i % size, p.c));
        limn_put(&c->dst, at, sum / (size * size));
    }
    return LIMN_OK;
}

static limn_status average_pool_grad(const limn_call *c)
{
    int size = c->attr->stride;
    for (int64_t at = 0; at < limn_shape_count(&c->dst.shape); at++) {
        place p = place_of(&c->dst.shape, at);
        limn_put(&c->dst, at,
                 limn_get(&c->src[0], element(&c->src[0].shape, p.b, p.y / size, p.x / size, p.c)) / (size * size));
    }
    return LIMN_OK;
}

static limn_status resize(const limn_call *c)
{
    const limn_shape *from = &c->src[0].shape, *to = &c->dst.shape;
    for (int64_t at = 0; at < limn_shape_count(to); at++) {
        place p = place_of(to, at);
        limn_line y = limn_resize_line(c->attr->resize, p.y, from->dim[1], to->dim[1]),
                  x = limn_resize_line(c->attr->resize, p.x, from->dim[2], to->dim[2]);
        double sum = 0;
        for (int i = 0; i < 4; i++)
            sum +=
                y.weight[i / 2] * x.weight[i % 2] * limn_get(&c->src[0], element(from, p.b, y.at[i / 2], x.at[i % 2], p.c));
        limn_put(&c->dst, at, sum);
    }
    return LIMN_OK;
}

/* Every pixel of dy is handed back to those it was made of. */
static limn_status resize_grad(const limn_call *c)
{
    const limn_shape *small = &c->dst.shape, *large = &c->src[0].shape;
    for (int64_t at = 0; at < limn_shape_count(small); at++) {
        place p = place_of(small, at);
        double sum = 0;
        for (int64_t i = 0; i < large->dim[1]; i++) {
            double wy = limn_resize_weight(c->attr->resize, i, small->dim[1], large->dim[1], p.y);
            for (int64_t j = 0; wy != 0 && j < large->dim[2]; j++) {
                double wx = limn_resize_weight(c->attr->resize, j, small->dim[2], large->dim[2], p.x);
                if (wx != 0) sum += wy * wx * limn_get(&c->src[0], element(large, p.b, i, j, p.c));
            }
        }
        limn_put(&c->dst, at, sum);
    }
    return LIMN_OK;
}

const limn_kernel limn_ref_pool[LIMN_N_OPS] = {
    [LIMN_OP_MAX_POOL] = REF(max_pool),
    [LIMN_OP_MAX_POOL_GRAD] = REF(max_pool_grad),
    [LIMN_OP_AVERAGE_POOL] = REF(average_pool),
    [LIMN_OP_AVERAGE_POOL_GRAD] = REF(average_pool_grad),
    [LIMN_OP_RESIZE] = REF(resize),
    [LIMN_OP_RESIZE_GRAD] = REF(resize_grad),
};
