/* copy.c: permute, slice, pad and concat as runs of consecutive elements; gather. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/rows.h"

#include <math.h>
#include <string.h>

static char *element(const limn_view *view, int64_t i)
{
    return (char *)view->data + (size_t)i * limn_dtype_bytes(view->dtype);
}

static void copy(const limn_view *dst, int64_t to, const limn_view *src, int64_t from, int64_t n)
{
    if (dst->dtype == src->dtype) memcpy(element(dst, to), element(src, from), (size_t)n * limn_dtype_bytes(dst->dtype));
    else limn_convert(element(src, from), src->dtype, element(dst, to), dst->dtype, (size_t)n);
}

/* ---- permute -------------------------------------------------------------------------------------------------------- */

/* Consecutive run: the trailing dimensions that keep their place. */
static int64_t kept_run(const limn_call *c, int *n_outer)
{
    int i = c->dst.shape.rank;
    int64_t run = 1;
    while (i > 0 && c->attr->order[i - 1] == i - 1) run *= c->dst.shape.dim[--i];
    *n_outer = i;
    return run;
}

/* n elements of src, `stride` apart, to a row of dst. */
static void copy_apart(const limn_view *dst, int64_t to, const limn_view *src, int64_t from, int64_t n, int64_t stride)
{
    const void *x = element(src, from);
    void *y = element(dst, to);
    if (src->dtype == LIMN_F32 && dst->dtype == LIMN_F32)
        for (int64_t i = 0; i < n; i++) ((float *)y)[i] = ((const float *)x)[i * stride];
    else if (src->dtype == LIMN_BF16 && dst->dtype == LIMN_BF16)
        for (int64_t i = 0; i < n; i++) ((uint16_t *)y)[i] = ((const uint16_t *)x)[i * stride];
    else
        for (int64_t i = 0; i < n; i++) copy(dst, to + i, src, from + i * stride, 1);
}

/* Runs, or where nothing keeps its place single elements, one after the other along the dimension in front of them. */
static limn_status run_permute(const limn_call *c)
{
    int n_outer;
    int64_t run = kept_run(c, &n_outer), stride[LIMN_MAX_RANK], of_src[LIMN_MAX_RANK], src_stride = 1;
    for (int i = c->dst.shape.rank - 1; i >= 0; i--) {
        of_src[i] = src_stride;
        src_stride *= c->src[0].shape.dim[i];
    }
    for (int i = 0; i < n_outer; i++) stride[i] = of_src[c->attr->order[i]];
    int64_t n = n_outer ? c->dst.shape.dim[n_outer - 1] : 1, step = n_outer ? stride[n_outer - 1] : 0,
            rows = limn_shape_count(&c->dst.shape) / (run * n);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (rows * n * run > 16384)
    for (int64_t r = 0; r < rows; r++) {
        int64_t from = 0, rest = r;
        for (int i = n_outer - 2; i >= 0; i--) {
            from += rest % c->dst.shape.dim[i] * stride[i];
            rest /= c->dst.shape.dim[i];
        }
        if (run == 1) copy_apart(&c->dst, r * n, &c->src[0], from, n, step);
        else
            for (int64_t j = 0; j < n; j++) copy(&c->dst, (r * n + j) * run, &c->src[0], from + j * step, run);
    }
    return LIMN_OK;
}

const limn_kernel limn_cpu_permute = {.name = "permute", .refuse = limn_cpu_refuse_types, .run = run_permute};

/* ---- slice, pad, concat: [outer, axis, inner] ----------------------------------------------------------------------- */

static int64_t inner_of(const limn_shape *shape, int axis)
{
    int64_t n = 1;
    for (int i = axis + 1; i < shape->rank; i++) n *= shape->dim[i];
    return n;
}

/* count rows of `inner` elements of src, from row `from`, go to row `to` of dst, for every outer index */
static void move_rows(const limn_call *c, const limn_view *src, int64_t from, int64_t to, int64_t count)
{
    int axis = c->attr->axis;
    int64_t inner = inner_of(&c->dst.shape, axis), in_src = src->shape.dim[axis], in_dst = c->dst.shape.dim[axis];
    int64_t outer = limn_shape_count(&c->dst.shape) / (in_dst * inner);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (outer > 1 && outer * count * inner > 16384)
    for (int64_t o = 0; o < outer; o++)
        copy(&c->dst, (o * in_dst + to) * inner, src, (o * in_src + from) * inner, count * inner);
}

static limn_status run_blocks(const limn_call *c)
{
    int axis = c->attr->axis;
    if (c->op == LIMN_OP_SLICE) move_rows(c, &c->src[0], c->attr->begin, 0, c->dst.shape.dim[axis]);
    if (c->op == LIMN_OP_PAD) {
        memset(c->dst.data, 0, limn_view_bytes(&c->dst));
        move_rows(c, &c->src[0], 0, c->attr->begin, c->src[0].shape.dim[axis]);
    }
    int64_t to = 0;
    for (int i = 0; c->op == LIMN_OP_CONCAT && i < c->n_src; i++) {
        move_rows(c, &c->src[i], 0, to, c->src[i].shape.dim[axis]);
        to += c->src[i].shape.dim[axis];
    }
    return LIMN_OK;
}

const limn_kernel limn_cpu_blocks = {.name = "blocks", .refuse = limn_cpu_refuse_types, .run = run_blocks};

/* ---- gather --------------------------------------------------------------------------------------------------------- */

static int64_t id_at(const limn_view *ids, int64_t i, int64_t n)
{
    int64_t id = ids->dtype == LIMN_I32 ? ((const int32_t *)ids->data)[i] : llrint(limn_get(ids, i));
    return id < 0 ? 0 : id >= n ? n - 1 : id;
}

static limn_status run_gather(const limn_call *c)
{
    int64_t v = c->src[0].shape.dim[0], d = limn_shape_count(&c->src[0].shape) / v, n = limn_shape_count(&c->src[1].shape);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > 16384)
    for (int64_t i = 0; i < n; i++) copy(&c->dst, i * d, &c->src[0], id_at(&c->src[1], i, v) * d, d);
    return LIMN_OK;
}

const limn_kernel limn_cpu_gather = {.name = "gather", .refuse = limn_cpu_refuse_types, .run = run_gather};

enum { GATHER_COLS = 64 };

/* Threads own columns, and add the rows in their order. */
static limn_status run_gather_grad(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    float *table = c->dst.data;
    int64_t v = c->dst.shape.dim[0], d = limn_shape_count(&c->dst.shape) / v, n = limn_shape_count(&c->src[1].shape);
    memset(table, 0, limn_view_bytes(&c->dst));
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t col = 0; col < d; col += GATHER_COLS) {
        int64_t m = d - col < GATHER_COLS ? d - col : GATHER_COLS;
        float row[GATHER_COLS];
        for (int64_t i = 0; i < n; i++) {
            rows->load(row, element(&c->src[0], i * d + col), c->src[0].dtype, m);
            rows->add(table + id_at(&c->src[1], i, v) * d + col, row, m);
        }
    }
    return LIMN_OK;
}

static const char *refuse_gather_grad(const limn_call *c)
{
    return c->dst.dtype == LIMN_F32 ? limn_cpu_refuse_types(c) : "sums in f32 only";
}

const limn_kernel limn_cpu_gather_grad = {.name = "gather_grad", .refuse = refuse_gather_grad, .run = run_gather_grad};
