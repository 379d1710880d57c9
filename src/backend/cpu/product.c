/* product.c: oneDNN inner products. */
#include "backend/cpu/product.h"

#include "base/rng.h"

#include <oneapi/dnnl/dnnl.h>
#include <omp.h>
#include <stdlib.h>

/* oneDNN 3 made descriptors opaque and merged the two steps of making a primitive; these few lines hide the difference. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t memory_desc;
typedef const_dnnl_memory_desc_t const_memory_desc;
#define DESC(md) (md)
static void keep_desc(memory_desc *to, const_memory_desc from)
{
    if (dnnl_memory_desc_clone(to, from) != dnnl_success) *to = NULL;
}
static void drop_desc(memory_desc *md) { if (*md) dnnl_memory_desc_destroy(*md); }
#else
typedef dnnl_memory_desc_t memory_desc;
typedef const dnnl_memory_desc_t *const_memory_desc;
#define DESC(md) (&(md))
static void keep_desc(memory_desc *to, const_memory_desc from) { *to = *from; }
static void drop_desc(memory_desc *md) { (void)md; }
#endif

enum { OF_A, OF_W, OF_BIAS, OF_RESULT, OF_SCRATCH, OF_PLAIN, N_MEMORIES };

struct limn_product {
    limn_product_options o;
    dnnl_engine_t engine;
    dnnl_primitive_t primitive, reorder;
    memory_desc desc[N_MEMORIES];
    bool has[N_MEMORIES];
    size_t packed_bytes, scratch_bytes;
    uint64_t layout;
};

/* What a run sets before each product: the addresses. */
struct limn_product_memories {
    dnnl_stream_t stream;
    dnnl_memory_t of[N_MEMORIES];
};

/* Sets of instructions of x86-64 are bits; a larger one has those of the smaller. */
static bool uses(dnnl_cpu_isa_t isa)
{
#if defined(__x86_64__)
    return (dnnl_get_effective_cpu_isa() & isa) == isa;
#else
    (void)isa;
    return false;
#endif
}

const char *limn_product_refuse(limn_dtype compute, bool avx512)
{
#if defined(__x86_64__)
    if (uses(dnnl_cpu_isa_avx2) && !__builtin_cpu_supports("fma")) return "oneDNN takes FMA for granted where there is AVX2";
    if (compute == LIMN_BF16 && !(avx512 && uses(dnnl_cpu_isa_avx512_core)))
        return "bf16 products need AVX-512, which oneDNN does not use here";
#else
    (void)avx512;
    if (compute == LIMN_BF16) return "oneDNN has bf16 products on x86-64 only";
#endif
    return NULL;
}

const char *limn_product_isa(void)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } best_first[] = {{dnnl_cpu_isa_avx512_core_amx, "AMX"},
                      {dnnl_cpu_isa_avx512_core_bf16, "AVX512_BF16"},
                      {dnnl_cpu_isa_avx512_core_vnni, "AVX512_VNNI"},
                      {dnnl_cpu_isa_avx512_core, "AVX512"},
                      {dnnl_cpu_isa_avx2, "AVX2"},
                      {dnnl_cpu_isa_avx, "AVX"},
                      {dnnl_cpu_isa_sse41, "SSE4.1"}};
    for (size_t i = 0; i < sizeof best_first / sizeof *best_first; i++)
        if (uses(best_first[i].isa)) return best_first[i].name;
    return "this CPU's";
}

static bool desc_2d(memory_desc *md, int64_t rows, int64_t cols, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {rows, cols};
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_desc_create_with_tag(md, 2, dims, type, tag) == dnnl_success;
#else
    return dnnl_memory_desc_init_by_tag(md, 2, dims, type, tag) == dnnl_success;
#endif
}

static bool desc_1d(memory_desc *md, int64_t n, dnnl_data_type_t type)
{
    dnnl_dims_t dims = {n};
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_desc_create_with_tag(md, 1, dims, type, dnnl_a) == dnnl_success;
#else
    return dnnl_memory_desc_init_by_tag(md, 1, dims, type, dnnl_a) == dnnl_success;
#endif
}

static dnnl_data_type_t type_of(limn_dtype dtype)
{
    return dtype == LIMN_BF16 ? dnnl_bf16 : dnnl_f32;
}

static bool add_activation(dnnl_post_ops_t ops, limn_activation activation)
{
    dnnl_alg_kind_t kind;
    float alpha = 0;
    switch (activation) {
    case LIMN_RELU: kind = dnnl_eltwise_relu; break;
    case LIMN_SILU: kind = dnnl_eltwise_swish, alpha = 1; break;
    case LIMN_GELU_TANH: kind = dnnl_eltwise_gelu_tanh; break;
    case LIMN_GELU_ERF: kind = dnnl_eltwise_gelu_erf; break;
    case LIMN_GELU_QUICK: kind = dnnl_eltwise_swish, alpha = 1.702f; break;
    case LIMN_TANH: kind = dnnl_eltwise_tanh; break;
    default: return true;
    }
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, 0) == dnnl_success;
#else
    return dnnl_post_ops_append_eltwise(ops, 1, kind, alpha, 0) == dnnl_success;
#endif
}

static bool make_attr(const limn_product_options *o, dnnl_primitive_attr_t *attr)
{
    if (dnnl_primitive_attr_create(attr) != dnnl_success) return false;
    dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (!o->activation) return true;
    dnnl_post_ops_t ops;
    bool fine = dnnl_post_ops_create(&ops) == dnnl_success;
    fine = fine && add_activation(ops, o->activation) && dnnl_primitive_attr_set_post_ops(*attr, ops) == dnnl_success;
    dnnl_post_ops_destroy(ops);
    return fine;
}

typedef struct descs {
    memory_desc x, w, b, y;
} descs;

static dnnl_status_t make_desc(limn_product *p, const descs *d, dnnl_primitive_attr_t attr, dnnl_primitive_desc_t hint,
                               dnnl_primitive_desc_t *out)
{
    const limn_product_options *o = &p->o;
#if DNNL_VERSION_MAJOR >= 3
    const_memory_desc bias = o->bias ? d->b : NULL;
    if (!hint)
        return dnnl_inner_product_forward_primitive_desc_create(out, p->engine, dnnl_forward_training, d->x, d->w, bias,
                                                                d->y, attr);
    if (o->kind == LIMN_PRODUCT_GRAD_INPUT)
        return dnnl_inner_product_backward_data_primitive_desc_create(out, p->engine, d->x, d->w, d->y, hint, attr);
    return dnnl_inner_product_backward_weights_primitive_desc_create(out, p->engine, d->x, d->w, NULL, d->y, hint, attr);
#else
    dnnl_inner_product_desc_t ip;
    dnnl_status_t status;
    if (!hint)
        status =
            dnnl_inner_product_forward_desc_init(&ip, dnnl_forward_training, &d->x, &d->w, o->bias ? &d->b : NULL, &d->y);
    else if (o->kind == LIMN_PRODUCT_GRAD_INPUT)
        status = dnnl_inner_product_backward_data_desc_init(&ip, &d->x, &d->w, &d->y);
    else status = dnnl_inner_product_backward_weights_desc_init(&ip, &d->x, &d->w, NULL, &d->y);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(out, &ip, attr, p->engine, hint);
#endif
}

static bool keep(limn_product *p, int which, const_memory_desc md)
{
    keep_desc(&p->desc[which], md);
    return p->has[which] = true;
}

/* Equal layouts of one W have equal numbers. */
#if DNNL_VERSION_MAJOR >= 3
static uint64_t layout_of(const_memory_desc md)
{
    int n_blocks = 0, rank = 0;
    const dnnl_dim_t *strides = NULL, *blocks = NULL, *of = NULL;
    dnnl_memory_desc_query(md, dnnl_query_ndims_s32, &rank);
    dnnl_memory_desc_query(md, dnnl_query_strides, &strides);
    dnnl_memory_desc_query(md, dnnl_query_inner_nblks_s32, &n_blocks);
    dnnl_memory_desc_query(md, dnnl_query_inner_blks, &blocks);
    dnnl_memory_desc_query(md, dnnl_query_inner_idxs, &of);
    uint64_t hash = limn_hash_bytes(LIMN_HASH, strides, (size_t)rank * sizeof *strides);
    hash = limn_hash_bytes(hash, blocks, (size_t)n_blocks * sizeof *blocks);
    return limn_hash_bytes(hash, of, (size_t)n_blocks * sizeof *of);
}
#else
static uint64_t layout_of(const_memory_desc md)
{
    const dnnl_blocking_desc_t *b = &md->format_desc.blocking;
    uint64_t hash = limn_hash_bytes(LIMN_HASH, b->strides, (size_t)md->ndims * sizeof *b->strides);
    hash = limn_hash_bytes(hash, b->inner_blks, (size_t)b->inner_nblks * sizeof *b->inner_blks);
    return limn_hash_bytes(hash, b->inner_idxs, (size_t)b->inner_nblks * sizeof *b->inner_idxs);
}
#endif

/* The reorder from plain W to the layout the primitive chose. */
static bool make_pack(limn_product *p, const_memory_desc packed)
{
    memory_desc plain;
    if (!desc_2d(&plain, p->o.n, p->o.k, type_of(p->o.weight), dnnl_ab)) return false;
    p->packed_bytes = dnnl_memory_desc_get_size(packed);
    p->layout = layout_of(packed);
    dnnl_primitive_desc_t pd = NULL;
    bool fine = dnnl_reorder_primitive_desc_create(&pd, DESC(plain), p->engine, packed, p->engine, NULL) == dnnl_success &&
                dnnl_primitive_create(&p->reorder, pd) == dnnl_success && keep(p, OF_PLAIN, DESC(plain));
    if (pd) dnnl_primitive_desc_destroy(pd);
    drop_desc(&plain);
    return fine;
}

static bool make_primitive(limn_product *p, const descs *d)
{
    const limn_product_options *o = &p->o;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t forward = NULL, pd = NULL;
    bool fine = make_attr(o, &attr);
    if (o->kind == LIMN_PRODUCT_FORWARD) fine = fine && make_desc(p, d, attr, NULL, &pd) == dnnl_success;
    else {
        /* the backward kernels want the forward one as a hint: the same product in plain compute types */
        descs h;
        fine = fine && desc_2d(&h.x, o->m, o->k, type_of(o->compute), dnnl_ab) &&
               desc_2d(&h.w, o->n, o->k, type_of(o->compute), dnnl_format_tag_any) &&
               desc_2d(&h.y, o->m, o->n, type_of(o->compute), dnnl_ab) &&
               make_desc(p, &h, NULL, NULL, &forward) == dnnl_success;
        fine = fine && make_desc(p, d, attr, forward, &pd) == dnnl_success;
    }
    fine = fine && dnnl_primitive_create(&p->primitive, pd) == dnnl_success;
    if (fine) {
        const_memory_desc pad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        dnnl_query_t weights = o->kind == LIMN_PRODUCT_GRAD_WEIGHT ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
        const_memory_desc w = dnnl_primitive_desc_query_md(pd, weights, 0);
        p->scratch_bytes = dnnl_memory_desc_get_size(pad);
        fine = keep(p, OF_SCRATCH, pad) && keep(p, OF_W, w) && keep(p, OF_A, DESC(d->x)) && keep(p, OF_RESULT, DESC(d->y)) &&
               (!o->bias || keep(p, OF_BIAS, DESC(d->b)));
        if (fine && o->kind != LIMN_PRODUCT_GRAD_WEIGHT) fine = make_pack(p, w);
    }
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (forward) dnnl_primitive_desc_destroy(forward);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return fine;
}

limn_status limn_product_new(limn_ctx *ctx, const limn_product_options *options, limn_product **out)
{
    *out = NULL;
    limn_product *p = calloc(1, sizeof *p);
    if (!p) return limn_fail_memory(ctx, sizeof *p, "a product");
    p->o = *options;
    const limn_product_options *o = &p->o;
    descs d;
    dnnl_data_type_t compute = type_of(o->compute), result = type_of(o->result);
    bool forward = o->kind == LIMN_PRODUCT_FORWARD, input = o->kind == LIMN_PRODUCT_GRAD_INPUT;
    bool fine =
        dnnl_engine_create(&p->engine, dnnl_cpu, 0) == dnnl_success &&
        desc_2d(&d.x, o->m, o->k, input ? result : compute, dnnl_ab) &&
        desc_2d(&d.w, o->n, o->k, forward || input ? compute : dnnl_f32, forward || input ? dnnl_format_tag_any : dnnl_ab) &&
        desc_2d(&d.y, o->m, o->n, forward ? result : compute, dnnl_ab) && desc_1d(&d.b, o->n, type_of(o->bias_type));
    fine = fine && make_primitive(p, &d);
    if (fine) {
        *out = p;
        return LIMN_OK;
    }
    limn_product_free(p);
    return limn_fail(ctx, LIMN_UNSUPPORTED, "oneDNN has no product for %lld x %lld x %lld", (long long)options->m,
                     (long long)options->n, (long long)options->k);
}

void limn_product_free(limn_product *p)
{
    if (!p) return;
    for (int i = 0; i < N_MEMORIES; i++)
        if (p->has[i]) drop_desc(&p->desc[i]);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->reorder) dnnl_primitive_destroy(p->reorder);
    if (p->engine) dnnl_engine_destroy(p->engine);
    free(p);
}

size_t limn_product_packed_bytes(const limn_product *p)
{
    return p->packed_bytes;
}

uint64_t limn_product_layout(const limn_product *p)
{
    return p->layout;
}

size_t limn_product_scratch_bytes(const limn_product *p)
{
    return p->scratch_bytes;
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

static limn_status status_of(dnnl_status_t status)
{
    return status == dnnl_success ? LIMN_OK : status == dnnl_out_of_memory ? LIMN_NO_MEMORY : LIMN_UNSUPPORTED;
}

/* Memories without addresses. */
static limn_status open_memories(const limn_product *p, const bool *wanted, limn_product_memories *m)
{
    dnnl_status_t status = dnnl_stream_create(&m->stream, p->engine, dnnl_stream_default_flags);
    for (int i = 0; i < N_MEMORIES && status == dnnl_success; i++)
        if (p->has[i] && wanted[i]) status = dnnl_memory_create(&m->of[i], DESC(p->desc[i]), p->engine, DNNL_MEMORY_NONE);
    return status_of(status);
}

static void close_memories(limn_product_memories *m)
{
    for (int i = 0; i < N_MEMORIES; i++)
        if (m->of[i]) dnnl_memory_destroy(m->of[i]);
    if (m->stream) dnnl_stream_destroy(m->stream);
}

limn_status limn_product_open(limn_ctx *ctx, const limn_product *p, limn_product_memories **out)
{
    static const bool wanted[N_MEMORIES] = {
        [OF_A] = true, [OF_W] = true, [OF_BIAS] = true, [OF_RESULT] = true, [OF_SCRATCH] = true};
    limn_product_memories *m = *out = calloc(1, sizeof *m);
    limn_status status = m ? open_memories(p, wanted, m) : LIMN_NO_MEMORY;
    if (status == LIMN_OK) return LIMN_OK;
    limn_product_close(m);
    *out = NULL;
    return status == LIMN_NO_MEMORY ? limn_fail_memory(ctx, sizeof *m, "the operands of a product")
                                    : limn_fail(ctx, status, "oneDNN could not make the operands of a product");
}

void limn_product_close(limn_product_memories *m)
{
    if (!m) return;
    close_memories(m);
    free(m);
}

static dnnl_status_t point(const limn_product_memories *m, int which, const void *to)
{
    return m->of[which] ? dnnl_memory_set_data_handle(m->of[which], (void *)(uintptr_t)to) : dnnl_success;
}

static limn_status execute(const_dnnl_primitive_t primitive, const limn_product_memories *m, int n,
                           const dnnl_exec_arg_t *args)
{
    dnnl_status_t status = dnnl_primitive_execute(primitive, m->stream, n, args);
    if (status == dnnl_success) status = dnnl_stream_wait(m->stream);
    return status_of(status);
}

limn_status limn_product_pack(const limn_product *p, const void *plain, void *packed)
{
    static const bool wanted[N_MEMORIES] = {[OF_W] = true, [OF_PLAIN] = true};
    limn_product_memories m = {0};
    limn_status status = open_memories(p, wanted, &m);
    if (status == LIMN_OK) status = status_of(point(&m, OF_PLAIN, plain));
    if (status == LIMN_OK) status = status_of(point(&m, OF_W, packed));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, m.of[OF_PLAIN]}, {DNNL_ARG_TO, m.of[OF_W]}};
    if (status == LIMN_OK) status = execute(p->reorder, &m, 2, args);
    close_memories(&m);
    return status;
}

limn_status limn_product_run(const limn_product *p, const limn_product_memories *m, const void *a, const void *w,
                             const void *bias, void *result, void *scratch, int n_threads)
{
    limn_product_kind kind = p->o.kind;
    bool weight = kind == LIMN_PRODUCT_GRAD_WEIGHT, input = kind == LIMN_PRODUCT_GRAD_INPUT;
    int threads = omp_get_max_threads(); /* of the program, which oneDNN asks for */
    omp_set_num_threads(n_threads);
    /* memory `a` has the layout of x, `result` that of y; the gradients swap roles */
    dnnl_status_t status = point(m, OF_A, input ? result : a);
    if (status == dnnl_success) status = point(m, OF_RESULT, input ? a : weight ? w : result);
    if (status == dnnl_success) status = point(m, OF_W, weight ? result : w);
    if (status == dnnl_success) status = point(m, OF_SCRATCH, scratch);
    if (status == dnnl_success) status = point(m, OF_BIAS, bias);
    dnnl_exec_arg_t args[5] = {{input ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, m->of[OF_A]},
                               {weight ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, m->of[OF_W]},
                               {kind == LIMN_PRODUCT_FORWARD ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, m->of[OF_RESULT]},
                               {DNNL_ARG_SCRATCHPAD, m->of[OF_SCRATCH]},
                               {DNNL_ARG_BIAS, m->of[OF_BIAS]}};
    limn_status done = status == dnnl_success ? execute(p->primitive, m, m->of[OF_BIAS] ? 5 : 4, args) : status_of(status);
    omp_set_num_threads(threads);
    return done;
}
