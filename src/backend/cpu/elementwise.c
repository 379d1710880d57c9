/* elementwise.c: every elementwise op is a chain of one step; a chain runs on blocks that stay in the first cache. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/rows.h"

#include <string.h>

enum { REGISTERS = 4096 }; /* floats */
_Static_assert(REGISTERS / (LIMN_MAX_SRC + LIMN_MAX_CHAIN) >= 64,
               "the longest chain has blocks that are worth their overhead");

/* How a source is read for a row of the result: as it lies, one number per row, or one number for all. */
typedef struct operand {
    const char *data;
    limn_dtype dtype;
    size_t bytes;
    bool flat;      /* same shape as the result */
    bool repeated;  /* last dimension is 1 where the result's is not */
    limn_shape shape;
} operand;

typedef struct chain_job {
    const limn_rows *rows;
    const struct limn_chain_step *step;
    int n_steps, n_src;
    operand src[LIMN_MAX_SRC];
    char *dst;
    limn_dtype dtype;
    float fill;
    limn_shape shape;
    int64_t n_rows, cols;
} chain_job;

static int64_t first_of_row(int64_t row, const limn_shape *to, const limn_shape *src)
{
    int64_t index = 0, stride = limn_shape_cols(src);
    for (int i = 1; i < src->rank; i++) {
        int64_t n = to->dim[to->rank - 1 - i], x = row % n, m = src->dim[src->rank - 1 - i];
        row /= n;
        if (m > 1) index += x * stride;
        stride *= m;
    }
    return index;
}

/* Elements begin.. of a row of source s: where they lie when they are f32 side by side, else in a register of n floats. */
static const float *operand_at(const chain_job *job, const operand *s, int64_t row, int64_t begin, int64_t n, float *reg)
{
    int64_t at = s->flat ? row * job->cols + begin : first_of_row(row, &job->shape, &s->shape) + (s->repeated ? 0 : begin);
    const char *from = s->data + (size_t)at * s->bytes;
    if (s->dtype == LIMN_F32 && !s->repeated) return (const float *)(const void *)from;
    job->rows->load(reg, from, s->dtype, s->repeated ? 1 : n);
    for (int64_t i = 1; s->repeated && i < n; i++) reg[i] = reg[0];
    return reg;
}

/* The last two dimensions become one while every source lies whole along both or is one number along both: longer rows. */
static void merge_dimensions(chain_job *job)
{
    limn_shape *y = &job->shape;
    for (int s = 0; s < job->n_src; s++) { /* as many dimensions as the result */
        limn_shape *x = &job->src[s].shape, wide = {.rank = y->rank};
        for (int i = 0; i < y->rank; i++) wide.dim[i] = i < y->rank - x->rank ? 1 : x->dim[i - (y->rank - x->rank)];
        *x = wide;
    }
    for (int last = y->rank - 1; last > 0; last--) {
        for (int s = 0; s < job->n_src; s++) {
            const int64_t *x = job->src[s].shape.dim;
            bool whole = x[last] == y->dim[last] && x[last - 1] == y->dim[last - 1], one = x[last] == 1 && x[last - 1] == 1;
            if (!whole && !one) return;
        }
        for (int s = 0; s < job->n_src; s++)
            job->src[s].shape.dim[last - 1] *= job->src[s].shape.dim[last], job->src[s].shape.rank--;
        y->dim[last - 1] *= y->dim[last], y->rank--;
    }
}

/* r: a register of `block` floats for each source and step. */
static void run_block(const chain_job *job, int64_t row, int64_t begin, int64_t n, int64_t block, float *r)
{
    const float *value[LIMN_MAX_SRC + LIMN_MAX_CHAIN];
    char *to = job->dst + (size_t)(row * job->cols + begin) * limn_dtype_bytes(job->dtype);
    if (job->n_src == 0) {
        for (int64_t i = 0; i < n; i++) r[i] = job->fill;
        job->rows->store(to, job->dtype, r, n);
        return;
    }
    bool straight = job->dtype == LIMN_F32;
    for (int s = 0; s < job->n_src; s++) value[s] = operand_at(job, &job->src[s], row, begin, n, r + s * block);
    for (int k = 0; k < job->n_steps; k++) {
        const struct limn_chain_step *step = &job->step[k];
        float *out = straight && k == job->n_steps - 1 ? (float *)(void *)to : r + (job->n_src + k) * block;
        job->rows->step(step, out, value[step->a], step->b < 0 ? NULL : value[step->b], n);
        value[job->n_src + k] = out;
    }
    if (!straight) job->rows->store(to, job->dtype, value[job->n_src + job->n_steps - 1], n);
}

static chain_job make_job(const limn_call *c, struct limn_chain_step *single)
{
    bool chain = c->op == LIMN_OP_CHAIN;
    *single = (struct limn_chain_step){.op = c->op,
                                       .a = 0,
                                       .b = c->n_src > 1 ? 1 : -1,
                                       .scale = c->attr->scale,
                                       .shift = c->attr->shift,
                                       .activation = c->attr->activation};
    if (c->op == LIMN_OP_EXPAND) single->op = LIMN_OP_CAST;
    chain_job job = {.rows = limn_rows_of(c),
                     .step = chain ? c->attr->chain->step : single,
                     .n_steps = chain ? c->attr->chain->n : 1,
                     .n_src = c->n_src,
                     .dst = c->dst.data,
                     .dtype = c->dst.dtype,
                     .fill = (float)c->attr->scale,
                     .shape = c->dst.shape};
    for (int s = 0; s < c->n_src; s++) {
        const limn_view *v = &c->src[s];
        job.src[s] = (operand){.data = v->data, .dtype = v->dtype, .bytes = limn_dtype_bytes(v->dtype), .shape = v->shape,
                               .flat = limn_shape_count(&v->shape) == limn_shape_count(&c->dst.shape)};
    }
    merge_dimensions(&job);
    job.n_rows = limn_shape_rows(&job.shape), job.cols = limn_shape_cols(&job.shape);
    for (int s = 0; s < c->n_src; s++)
        job.src[s].repeated = !job.src[s].flat && limn_shape_cols(&job.src[s].shape) == 1 && job.cols > 1;
    return job;
}

/* Floats in a register: the longer the chain the fewer, so that all together fit a small stack. */
static int64_t block_of(const chain_job *job)
{
    int64_t n = REGISTERS / (job->n_src + job->n_steps) / 16 * 16;
    return n < LIMN_BLOCK ? n : LIMN_BLOCK;
}

static limn_status run_elementwise(const limn_call *c)
{
    struct limn_chain_step single;
    chain_job job = make_job(c, &single);
    int64_t block = block_of(&job), per_row = (job.cols + block - 1) / block, n = job.n_rows * per_row;
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (job.n_rows * job.cols > 16384)
    for (int64_t i = 0; i < n; i++) {
        _Alignas(64) float r[REGISTERS];
        int64_t begin = i % per_row * block, left = job.cols - begin;
        run_block(&job, i / per_row, begin, left < block ? left : block, block, r);
    }
    return LIMN_OK;
}

/* A block of every source is loaded before the block of the result is stored. */
static bool in_place(const limn_call *c, int src)
{
    (void)c, (void)src;
    return true;
}

const limn_kernel limn_cpu_elementwise = {
    .name = "chain", .refuse = limn_cpu_refuse_types, .run = run_elementwise, .in_place = in_place};

/* ---- sums ----------------------------------------------------------------------------------------------------------- */

/* The reduced dimensions lie side by side: x [outer, mid, inner] -> y [outer, inner] */
typedef struct sum_sizes {
    int64_t outer, mid, inner;
    bool fits;
} sum_sizes;

static sum_sizes sizes_of(const limn_call *c)
{
    sum_sizes s = {1, 1, 1, true};
    const limn_shape *x = &c->src[0].shape, *y = &c->dst.shape;
    int stage = 0; /* 0 outer, 1 mid, 2 inner */
    for (int i = 0; i < x->rank; i++) {
        int at = i - (x->rank - y->rank);
        int64_t n = x->dim[i], m = at < 0 ? 1 : y->dim[at];
        if (n == 1) continue;
        bool reduced = m == 1;
        if (reduced && stage == 2) s.fits = false;
        if (reduced) stage = 1, s.mid *= n;
        else if (stage == 0) s.outer *= n;
        else stage = 2, s.inner *= n;
    }
    return s;
}

static const char *refuse_sum(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    return why ? why : sizes_of(c).fits ? NULL : "the reduced dimensions must lie side by side";
}

enum { SUM_COLS = 64, SUM_ROWS = 256, SUM_CHUNK = 4096, SUM_WIDE = 512, SUM_TIMES = 16 };

static bool is_narrow(sum_sizes s)
{
    return s.inner > 1 && s.inner <= SUM_COLS && s.mid * s.inner >= 4 * SUM_WIDE;
}

/* Rows that sum_narrow() adds before their sum is put down. */
static int64_t narrow_chunk(sum_sizes s)
{
    return SUM_TIMES * (SUM_WIDE / s.inner);
}

static size_t scratch_sum(const limn_call *c)
{
    sum_sizes s = sizes_of(c);
    int64_t chunk = s.inner == 1 ? SUM_CHUNK : is_narrow(s) ? narrow_chunk(s) : 0;
    return chunk ? (size_t)(s.outer * ((s.mid + chunk - 1) / chunk) * s.inner) * sizeof(float) : 0;
}

/* The sum of n <= narrow_chunk() rows that lie side by side: as many as fill SUM_WIDE are one long row. */
static void sum_chunk(const limn_rows *rows, const char *x, limn_dtype dtype, int64_t n, int64_t inner, float *out)
{
    float sum[SUM_WIDE] = {0}, part[SUM_WIDE];
    int64_t wide = SUM_WIDE / inner * inner;
    for (int64_t begin = 0; begin < n * inner; begin += wide) {
        int64_t m = n * inner - begin < wide ? n * inner - begin : wide;
        rows->load(part, x + (size_t)begin * limn_dtype_bytes(dtype), dtype, m);
        rows->add(sum, part, m);
    }
    for (int64_t i = 0; i < inner; i++) {
        out[i] = 0;
        for (int64_t k = i; k < wide; k += inner) out[i] += sum[k];
    }
}

/* A few columns, as the classes of many pixels: chunks of rows of fixed size, then their sums in order. */
static void sum_narrow(const limn_call *c, sum_sizes s)
{
    const limn_rows *rows = limn_rows_of(c);
    const limn_view *x = &c->src[0];
    float *partial = c->scratch;
    int64_t chunk = narrow_chunk(s), chunks = (s.mid + chunk - 1) / chunk, n = s.outer * chunks;
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n > 1)
    for (int64_t i = 0; i < n; i++) {
        int64_t begin = i % chunks * chunk, m = s.mid - begin < chunk ? s.mid - begin : chunk;
        const char *from =
            (const char *)x->data + (size_t)((i / chunks * s.mid + begin) * s.inner) * limn_dtype_bytes(x->dtype);
        sum_chunk(rows, from, x->dtype, m, s.inner, partial + i * s.inner);
    }
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t j = 0; j < s.inner; j++) {
            double sum = 0;
            for (int64_t k = 0; k < chunks; k++) sum += (double)partial[(o * chunks + k) * s.inner + j];
            limn_put(&c->dst, o * s.inner + j, sum);
        }
}

/* Long sums of floats lose digits, 0.4 % of 524,288 equal numbers: SUM_ROWS at a time go to a double. */
static void sum_columns(const limn_call *c, sum_sizes s)
{
    const limn_rows *rows = limn_rows_of(c);
    const limn_view *x = &c->src[0];
    size_t bytes = limn_dtype_bytes(x->dtype);
    int64_t blocks = (s.inner + SUM_COLS - 1) / SUM_COLS, n = s.outer * blocks;
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < n; i++) {
        float sum[SUM_COLS] = {0}, row[SUM_COLS];
        double all[SUM_COLS] = {0};
        int64_t o = i / blocks, col = i % blocks * SUM_COLS, m = s.inner - col < SUM_COLS ? s.inner - col : SUM_COLS;
        for (int64_t t = 1; t <= s.mid; t++) {
            rows->load(row, (const char *)x->data + (size_t)((o * s.mid + t - 1) * s.inner + col) * bytes, x->dtype, m);
            rows->add(sum, row, m);
            for (int64_t j = 0; j < m && (t % SUM_ROWS == 0 || t == s.mid); j++) all[j] += sum[j], sum[j] = 0;
        }
        for (int64_t j = 0; j < m; j++) sum[j] = (float)all[j];
        rows->store((char *)c->dst.data + (size_t)(o * s.inner + col) * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, sum,
                    m);
    }
}

/* Chunks of fixed size, then their sums in order: the thread count plays no part. */
static void sum_rows(const limn_call *c, sum_sizes s)
{
    const limn_rows *rows = limn_rows_of(c);
    const limn_view *x = &c->src[0];
    float *partial = c->scratch;
    int64_t chunks = (s.mid + SUM_CHUNK - 1) / SUM_CHUNK, n = s.outer * chunks;
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < n; i++) {
        float row[SUM_CHUNK];
        int64_t begin = i % chunks * SUM_CHUNK, m = s.mid - begin < SUM_CHUNK ? s.mid - begin : SUM_CHUNK;
        rows->load(row, (const char *)x->data + (size_t)(i / chunks * s.mid + begin) * limn_dtype_bytes(x->dtype), x->dtype,
                   m);
        partial[i] = rows->total(row, m);
    }
    for (int64_t o = 0; o < s.outer; o++) {
        double sum = 0;
        for (int64_t k = 0; k < chunks; k++) sum += partial[o * chunks + k];
        limn_put(&c->dst, o, sum);
    }
}

static limn_status run_sum(const limn_call *c)
{
    sum_sizes s = sizes_of(c);
    if (s.inner == 1) sum_rows(c, s);
    else if (is_narrow(s)) sum_narrow(c, s);
    else sum_columns(c, s);
    return LIMN_OK;
}

const limn_kernel limn_cpu_sum_to = {.name = "sum", .refuse = refuse_sum, .scratch_bytes = scratch_sum, .run = run_sum};
