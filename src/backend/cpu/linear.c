/* linear.c: products on oneDNN, then gate and residual in one pass of our own. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/product.h"
#include "backend/cpu/rows.h"

#include <omp.h>

static limn_dtype compute_type(const limn_call *c)
{
    bool half = c->dst.dtype == LIMN_BF16 || c->src[0].dtype == LIMN_BF16;
    if (c->op == LIMN_OP_LINEAR_GRAD_WEIGHT) half = c->src[0].dtype == LIMN_BF16 || c->src[1].dtype == LIMN_BF16;
    return half ? LIMN_BF16 : LIMN_F32;
}

/* oneDNN takes a bf16 bias in bf16 products only. */
static limn_dtype bias_type(const limn_call *c)
{
    return compute_type(c) == LIMN_F32 ? LIMN_F32 : c->src[2].dtype;
}

/* Weights of types that oneDNN does not read, converted to those that it computes with. */
static bool unread(const limn_call *c) { return c->src[1].dtype != LIMN_F32 && c->src[1].dtype != LIMN_BF16; }

/* Those of 8 bits and of blocks stay as they are, and are converted and laid for oneDNN by each run. */
static bool laid_by_run(const limn_call *c) { return c->op == LIMN_OP_LINEAR && unread(c) && c->src[1].dtype != LIMN_F16; }

static limn_product_options options_of(const limn_call *c)
{
    limn_product_options o = {
        .compute = compute_type(c), .result = c->dst.dtype, .weight = unread(c) ? compute_type(c) : c->src[1].dtype};
    if (c->op == LIMN_OP_LINEAR_GRAD_WEIGHT) {
        o.kind = LIMN_PRODUCT_GRAD_WEIGHT;
        o.n = c->dst.shape.dim[0], o.k = c->dst.shape.dim[1], o.m = limn_shape_rows(&c->src[0].shape);
        return o;
    }
    o.kind = c->op == LIMN_OP_LINEAR ? LIMN_PRODUCT_FORWARD : LIMN_PRODUCT_GRAD_INPUT;
    o.n = c->src[1].shape.dim[0], o.k = c->src[1].shape.dim[1], o.m = limn_shape_rows(&c->dst.shape);
    o.activation = c->op == LIMN_OP_LINEAR ? c->attr->activation : LIMN_IDENTITY;
    if (c->op == LIMN_OP_LINEAR && c->attr->flags & LIMN_HAS_BIAS) o.bias = true, o.bias_type = bias_type(c);
    return o;
}

/* oneDNN 2.6.3 divides by 2^32 rows, which are 0 to it. */
static bool counted(const limn_call *c)
{
    limn_product_options o = options_of(c);
    return o.m <= INT32_MAX && o.n <= INT32_MAX && o.k <= INT32_MAX;
}

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    if (!why) why = limn_product_refuse(compute_type(c), !c->rows || c->rows->isa >= LIMN_ISA_AVX512);
    if (!why && compute_type(c) == LIMN_BF16 && limn_isa_lacks_avx512bf16())
        why = "oneDNN's bf16 products are wrong on AMX without AVX512_BF16";
    if (!why && c->op == LIMN_OP_LINEAR_GRAD_WEIGHT && c->dst.dtype != LIMN_F32) why = "weight gradients are f32";
    if (!why && c->op != LIMN_OP_LINEAR_GRAD_WEIGHT && compute_type(c) == LIMN_F32 && c->src[1].dtype != LIMN_F32)
        why = "weights of 16 bits would be kept in 32";
    if (!why && c->op != LIMN_OP_LINEAR_GRAD_WEIGHT && compute_type(c) == LIMN_F32 &&
        limn_shape_cols(&c->src[0].shape) > 1024)
        why = "oneDNN splits f32 sums of more than 1024 terms among threads";
    return why ? why : counted(c) ? NULL : "oneDNN counts rows and columns in 32 bits";
}

static limn_status prepare(limn_ctx *ctx, limn_call *c)
{
    limn_product_options o = options_of(c);
    limn_product *p;
    int threads = omp_get_max_threads();
    omp_set_num_threads(c->n_threads); /* oneDNN decides now how many a run will take */
    limn_status status = limn_product_new(ctx, &o, &p);
    omp_set_num_threads(threads);
    c->state = p;
    return status;
}

static void release(limn_call *c)
{
    limn_product_free(c->state);
}

static limn_status open_run(limn_ctx *ctx, limn_call *c)
{
    limn_product_memories *memories;
    limn_status status = limn_product_open(ctx, c->state, &memories);
    c->own = memories;
    return status;
}

static void close_run(limn_call *c)
{
    limn_product_close(c->own);
}

static uint64_t layout(const limn_call *c)
{
    return limn_product_layout(c->state);
}

static size_t packed_bytes(const limn_call *c) { return laid_by_run(c) ? 0 : limn_product_packed_bytes(c->state); }

static limn_status pack(const limn_call *c, const limn_view *from, void *to)
{
    if (!unread(c)) return limn_product_pack(c->state, from->data, to);
    int64_t n = limn_shape_count(&from->shape);
    void *wide = limn_alloc_aligned((size_t)n * limn_dtype_bytes(compute_type(c)));
    if (!wide) return LIMN_NO_MEMORY;
    limn_cpu_convert(from->data, from->dtype, wide, compute_type(c), n, c->n_threads);
    limn_status status = limn_product_pack(c->state, wide, to);
    limn_free_aligned(wide);
    return status;
}

/* Scratch: oneDNN's, then a converted copy of each operand of another type, then weights that a run lays. */
static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t converted_bytes(const limn_call *c, int i)
{
    bool used = i == 0 || c->op == LIMN_OP_LINEAR_GRAD_WEIGHT;
    limn_dtype compute = compute_type(c);
    return used && c->src[i].dtype != compute
               ? aligned((size_t)limn_shape_count(&c->src[i].shape) * limn_dtype_bytes(compute))
               : 0;
}

static size_t converted_bias_bytes(const limn_call *c)
{
    bool used = c->op == LIMN_OP_LINEAR && c->attr->flags & LIMN_HAS_BIAS;
    return used && c->src[2].dtype != bias_type(c) ? aligned((size_t)limn_shape_count(&c->src[2].shape) * sizeof(float)) : 0;
}

static size_t plain_bytes(const limn_call *c)
{
    return laid_by_run(c) ? aligned((size_t)limn_shape_count(&c->src[1].shape) * limn_dtype_bytes(compute_type(c))) : 0;
}

static size_t laid_bytes(const limn_call *c) { return laid_by_run(c) ? aligned(limn_product_packed_bytes(c->state)) : 0; }

static limn_status lay_weight(const limn_call *c, char *scratch, const void **laid)
{
    const limn_view *w = &c->src[1];
    limn_cpu_convert(w->data, w->dtype, scratch, compute_type(c), limn_shape_count(&w->shape), c->n_threads);
    *laid = scratch + plain_bytes(c);
    return limn_product_pack(c->state, scratch, scratch + plain_bytes(c));
}

static size_t scratch_bytes(const limn_call *c)
{
    return aligned(limn_product_scratch_bytes(c->state)) + converted_bytes(c, 0) + converted_bytes(c, 1) +
           converted_bias_bytes(c) + plain_bytes(c) + laid_bytes(c);
}

static const void *converted(const limn_call *c, int i, char **scratch)
{
    size_t bytes = converted_bytes(c, i);
    if (!bytes) return c->src[i].data;
    limn_dtype from = c->src[i].dtype, to = compute_type(c);
    char *copy = *scratch;
    *scratch += bytes;
    limn_cpu_convert(c->src[i].data, from, copy, to, limn_shape_count(&c->src[i].shape), c->n_threads);
    return copy;
}

static void gate_and_residual(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    unsigned flags = c->attr->flags;
    int at = flags & LIMN_HAS_BIAS ? 3 : 2;
    const limn_view *gate = flags & LIMN_HAS_GATE ? &c->src[at++] : NULL, *residual = &c->src[at];
    int64_t d = limn_shape_cols(&c->dst.shape), n = limn_shape_rows(&c->dst.shape);
    int64_t per_gate = gate ? n / (limn_shape_count(&gate->shape) / d) : 1, blocks = (d + LIMN_BLOCK - 1) / LIMN_BLOCK;
    size_t bytes = limn_dtype_bytes(c->dst.dtype);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > 16384)
    for (int64_t i = 0; i < n * blocks; i++) {
        float y[LIMN_BLOCK], g[LIMN_BLOCK], r[LIMN_BLOCK];
        int64_t row = i / blocks, col = i % blocks * LIMN_BLOCK, m = d - col < LIMN_BLOCK ? d - col : LIMN_BLOCK;
        const float *gr = gate ? limn_cpu_floats(rows, gate, row / per_gate * d + col, m, g) : NULL,
                    *rr = limn_cpu_floats(rows, residual, row * d + col, m, r);
        char *to = (char *)c->dst.data + (size_t)(row * d + col) * bytes;
        if (c->dst.dtype == LIMN_F32) rows->gated_residual((float *)(void *)to, gr, rr, m);
        else {
            rows->load(y, to, c->dst.dtype, m);
            rows->gated_residual(y, gr, rr, m);
            rows->store(to, c->dst.dtype, y, m);
        }
    }
}

static limn_status run(const limn_call *c)
{
    char *scratch = (char *)c->scratch + aligned(limn_product_scratch_bytes(c->state));
    const void *a = converted(c, 0, &scratch),
               *w = c->op == LIMN_OP_LINEAR_GRAD_WEIGHT ? converted(c, 1, &scratch) : c->src[1].data;
    bool linear = c->op == LIMN_OP_LINEAR;
    const void *bias = linear && c->attr->flags & LIMN_HAS_BIAS ? c->src[2].data : NULL;
    if (converted_bias_bytes(c)) {
        limn_convert(bias, c->src[2].dtype, scratch, LIMN_F32, (size_t)limn_shape_count(&c->src[2].shape));
        bias = scratch;
        scratch += converted_bias_bytes(c);
    }
    limn_status status = laid_by_run(c) ? lay_weight(c, scratch, &w) : LIMN_OK;
    if (status == LIMN_OK) status = limn_product_run(c->state, c->own, a, w, bias, c->dst.data, c->scratch, c->n_threads);
    if (status == LIMN_OK && linear && c->attr->flags & LIMN_HAS_RESIDUAL) gate_and_residual(c);
    return status;
}

const limn_kernel limn_cpu_linear = {.name = "onednn", .refuse = refuse, .prepare = prepare, .scratch_bytes = scratch_bytes,
                                     .packed_bytes = packed_bytes, .layout = layout, .pack = pack, .pack_src = 1,
                                     .open = open_run, .run = run, .close = close_run, .release = release};
const limn_kernel limn_cpu_linear_grad_input = {.name = "onednn",
                                                .refuse = refuse,
                                                .prepare = prepare,
                                                .scratch_bytes = scratch_bytes,
                                                .packed_bytes = packed_bytes,
                                                .layout = layout,
                                                .pack = pack,
                                                .pack_src = 1,
                                                .open = open_run,
                                                .run = run,
                                                .close = close_run,
                                                .release = release};
const limn_kernel limn_cpu_linear_grad_weight = {.name = "onednn",
                                                 .refuse = refuse,
                                                 .prepare = prepare,
                                                 .scratch_bytes = scratch_bytes,
                                                 .open = open_run,
                                                 .run = run,
                                                 .close = close_run,
                                                 .release = release,
                                                 .sums_by_threads = true};
