/* shape.c: moving, repeating and summing elements. */
#include "backend/ref/ref.h"

int64_t limn_ref_broadcast_index(int64_t at, const limn_shape *to, const limn_shape *src)
{
    int64_t index = 0, stride = 1;
    for (int i = 0; i < to->rank; i++) { /* from the last dimension on */
        int64_t n = to->dim[to->rank - 1 - i], x = at % n;
        at /= n;
        if (i >= src->rank) continue;
        int64_t m = src->dim[src->rank - 1 - i];
        if (m > 1) index += x * stride;
        stride *= m;
    }
    return index;
}

static void split(int64_t at, const limn_shape *shape, int64_t *x)
{
    for (int i = shape->rank - 1; i >= 0; i--) {
        x[i] = at % shape->dim[i];
        at /= shape->dim[i];
    }
}

static int64_t join(const int64_t *x, const limn_shape *shape)
{
    int64_t at = 0;
    for (int i = 0; i < shape->rank; i++) at = at * shape->dim[i] + x[i];
    return at;
}

/* y[x] = src at the place that x comes from, 0 outside */
static double moved(const limn_call *c, int64_t at)
{
    const limn_attr *attr = c->attr;
    int64_t x[LIMN_MAX_RANK], from[LIMN_MAX_RANK];
    split(at, &c->dst.shape, x);
    const limn_view *src = &c->src[0];
    for (int i = 0; i < c->dst.shape.rank; i++) from[i] = x[i];
    switch (c->op) {
    case LIMN_OP_FILL: return attr->scale;
    case LIMN_OP_PERMUTE:
        for (int i = 0; i < c->dst.shape.rank; i++) from[attr->order[i]] = x[i];
        break;
    case LIMN_OP_SLICE: from[attr->axis] += attr->begin; break;
    case LIMN_OP_PAD:
        from[attr->axis] -= attr->begin;
        if (from[attr->axis] < 0 || from[attr->axis] >= src->shape.dim[attr->axis]) return 0;
        break;
    case LIMN_OP_CONCAT:
        while (from[attr->axis] >= src->shape.dim[attr->axis]) from[attr->axis] -= src++->shape.dim[attr->axis];
        break;
    default: return limn_get(src, limn_ref_broadcast_index(at, &c->dst.shape, &src->shape)); /* EXPAND */
    }
    return limn_get(src, join(from, &src->shape));
}

/* Scratch: the sums in double. */
static size_t sum_to_scratch(const limn_call *c)
{
    return (size_t)limn_shape_count(&c->dst.shape) * sizeof(double);
}

/* y[j] = sum of x[i] over all i that broadcast from j */
static limn_status sum_to(const limn_call *c)
{
    int64_t n = limn_shape_count(&c->src[0].shape), m = limn_shape_count(&c->dst.shape);
    double *sum = c->scratch;
    for (int64_t j = 0; j < m; j++) sum[j] = 0;
    for (int64_t i = 0; i < n; i++)
        sum[limn_ref_broadcast_index(i, &c->src[0].shape, &c->dst.shape)] += limn_get(&c->src[0], i);
    for (int64_t j = 0; j < m; j++) limn_put(&c->dst, j, sum[j]);
    return LIMN_OK;
}

static limn_status move(const limn_call *c)
{
    int64_t n = limn_shape_count(&c->dst.shape);
    for (int64_t i = 0; i < n; i++) limn_put(&c->dst, i, moved(c, i));
    return LIMN_OK;
}

const limn_kernel limn_ref_shape[LIMN_N_OPS] = {
    [LIMN_OP_FILL] = REF(move),
    [LIMN_OP_PERMUTE] = REF(move),
    [LIMN_OP_SLICE] = REF(move),
    [LIMN_OP_PAD] = REF(move),
    [LIMN_OP_CONCAT] = REF(move),
    [LIMN_OP_EXPAND] = REF(move),
    [LIMN_OP_SUM_TO] = {.name = "ref", .run = sum_to, .scratch_bytes = sum_to_scratch},
};
