/* test_attention_amx.c: attention on bf16, on AMX tiles and in pairs.  The kernel is a template over eight-tile operations;
 * here it runs on the emulated ones (tiles_emulated.h) against double, on any machine.  Where AMX is, the instructions must
 * say what the emulation says.
 *
 * Tolerance, u = 2^-8 (rounding to bf16), e = 2^-12 (f32 sums of up to 300 terms and the exponential, 2^-24 each):
 *   y   u |y|  + (u + e) sum p |v|          p is rounded to bf16 before the product
 *   dv  u |dv| + (u + e) sum p |dy|
 *   dq  u |dq| + u sum |ds| |k| + e sum |ds|' |k|      |ds|' = p (sum |dy v| + sum |dy out|) scale: what ds is the
 *   difference of
 *   dk  the same with q for k */
#include "graph/node.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tiles_emulated.h"
#include "backend/cpu/attention_amx.inc.h"
#include "backend/cpu/heads.h"
#include "base/rng.h"

static void emulated_attention(const limn_head *h)
{
    tiles t;
    attention_tiles(&t, h);
}

static void emulated_attention_grad(const limn_head *h)
{
    tiles t;
    attention_grad_tiles(&t, h);
}

/* ---- operands --------------------------------------------------------------------------------------------------------- */

enum { Q, K, V, OUT, DOUT, Y, DQ, DK, DV, N_OPERANDS, UNTOUCHED = 0x4b4b };

typedef struct size {
    int64_t n_query, n_key, d;
    bool causal, packed; /* packed: rows of three heads' q, k, v */
    int64_t bias_rows;   /* 0: no bias, 1: of keys, n_query */
} size;

/* [tokens][d] inside rows of `row`, from `begin` */
typedef struct operand {
    bf16 *data;
    int64_t tokens, row, begin;
} operand;

typedef struct head {
    size size;
    limn_head h;
    operand o[N_OPERANDS];
    bf16 *bias;
    char *scratch;
    size_t scratch_bytes;
} head;

static double at(const operand *o, int64_t t, int64_t i)
{
    return limn_bf16_to_f32(o->data[o->begin + t * o->row + i]);
}

static bool is_result(int k)
{
    return k >= Y;
}

static void make_operand(head *h, int k, uint64_t seed)
{
    operand *o = &h->o[k];
    const size *s = &h->size;
    bool key = k == K || k == V || k == DK || k == DV;
    o->tokens = key ? s->n_key : s->n_query;
    o->row = s->packed ? 9 * s->d : s->d;
    o->begin = s->packed ? k % 9 * s->d : 0;
    size_t n = (size_t)(o->tokens * o->row);
    float *values = malloc(n * sizeof *values);
    o->data = malloc(n * sizeof *o->data);
    limn_random_normal(seed, LIMN_STREAM_TEST, (uint64_t)k, 0, n, values);
    for (size_t i = 0; i < n; i++) o->data[i] = is_result(k) ? UNTOUCHED : limn_f32_to_bf16(values[i]);
    free(values);
}

/* Every third key is hidden, by a large number or by -inf, and from query 2 all are. */
static void make_bias(head *h, uint64_t seed)
{
    const size *s = &h->size;
    int64_t n = s->bias_rows * s->n_key;
    if (!n) return;
    float *values = malloc((size_t)n * sizeof *values);
    h->bias = malloc((size_t)n * sizeof *h->bias);
    limn_random_normal(seed, LIMN_STREAM_TEST, N_OPERANDS, 0, (size_t)n, values);
    for (int64_t i = 0; i < n; i++) {
        if (i % s->n_key % 3 == 1) values[i] = i % 2 ? -9984 : -INFINITY;
        if (i / s->n_key == 2) values[i] = -INFINITY;
        h->bias[i] = limn_f32_to_bf16(values[i]);
    }
    free(values);
    h->h.bias = h->bias;
    h->h.bias_row = s->bias_rows > 1 ? s->n_key : 0;
}

static void make_head(head *h, size s, uint64_t seed, bool backward)
{
    memset(h, 0, sizeof *h);
    h->size = s;
    for (int k = 0; k < N_OPERANDS; k++) make_operand(h, k, seed);
    operand *o = h->o;
    h->scratch_bytes = limn_amx_scratch_bytes(s.n_key, s.d, backward);
    h->scratch = aligned_alloc(64, h->scratch_bytes + 64);
    memset(h->scratch, 0x4b, h->scratch_bytes + 64);
    h->h = (limn_head){.n_query = s.n_query,
                       .n_key = s.n_key,
                       .d = s.d,
                       .scale = (float)(1 / sqrt((double)s.d)),
                       .causal = s.causal,
                       .dtype = LIMN_BF16,
                       .scratch = (float *)h->scratch,
                       .q = o[Q].data + o[Q].begin,
                       .k = o[K].data + o[K].begin,
                       .v = o[V].data + o[V].begin,
                       .out = o[OUT].data + o[OUT].begin,
                       .dout = o[DOUT].data + o[DOUT].begin,
                       .y = o[Y].data + o[Y].begin,
                       .dq = o[DQ].data + o[DQ].begin,
                       .dk = o[DK].data + o[DK].begin,
                       .dv = o[DV].data + o[DV].begin,
                       .q_row = o[Q].row,
                       .k_row = o[K].row,
                       .v_row = o[V].row,
                       .y_row = o[Y].row,
                       .out_row = o[OUT].row,
                       .dout_row = o[DOUT].row,
                       .dq_row = o[DQ].row,
                       .dk_row = o[DK].row,
                       .dv_row = o[DV].row};
    make_bias(h, seed);
}

static void free_head(head *h)
{
    for (int k = 0; k < N_OPERANDS; k++) free(h->o[k].data);
    free(h->bias);
    free(h->scratch);
}

/* ---- in double -------------------------------------------------------------------------------------------------------- */

typedef struct wanted {
    double *value[N_OPERANDS], *within[N_OPERANDS]; /* [tokens][d] of each result, and the tolerance */
} wanted;

static void make_wanted(wanted *w, const head *h)
{
    for (int k = Y; k < N_OPERANDS; k++) {
        size_t n = (size_t)(h->o[k].tokens * h->size.d);
        w->value[k] = calloc(n, sizeof(double)), w->within[k] = calloc(n, sizeof(double));
    }
}

static void free_wanted(wanted *w)
{
    for (int k = Y; k < N_OPERANDS; k++) free(w->value[k]), free(w->within[k]);
}

/* p [n_key] of query t */
static void probabilities(const head *h, int64_t t, double *p)
{
    int64_t nk = h->size.causal && t + 1 < h->size.n_key ? t + 1 : h->size.n_key;
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < h->size.n_key; j++) p[j] = 0;
    for (int64_t j = 0; j < nk; j++) {
        for (int64_t i = 0; i < h->size.d; i++) p[j] += at(&h->o[Q], t, i) * at(&h->o[K], j, i);
        p[j] /= sqrt((double)h->size.d);
        if (h->bias) p[j] += limn_bf16_to_f32(h->bias[t * h->h.bias_row + j]);
        max = fmax(max, p[j]);
    }
    if (max == -INFINITY) nk = 0; /* no key is seen */
    for (int64_t j = nk; j < h->size.n_key; j++) p[j] = 0;
    for (int64_t j = 0; j < nk; j++) sum += p[j] = exp(p[j] - max);
    for (int64_t j = 0; j < nk; j++) p[j] /= sum;
}

static const double U = 0x1p-8, E = 0x1p-12;

static void add_to(wanted *w, int k, int64_t element, double value, double within)
{
    w->value[k][element] += value;
    w->within[k][element] += within;
}

/* What query t adds to dq, dk, dv through key j. */
static void in_double_grad(wanted *w, const head *h, int64_t t, int64_t j, double p)
{
    const operand *o = h->o;
    int64_t d = h->size.d;
    double slope = 0, size_of_slope = 0, scale = 1 / sqrt((double)d);
    for (int64_t i = 0; i < d; i++) {
        double dy = at(&o[DOUT], t, i), v = at(&o[V], j, i), y = at(&o[OUT], t, i);
        slope += dy * v - dy * y;
        size_of_slope += fabs(dy * v) + fabs(dy * y);
    }
    double ds = p * slope * scale, rounded = U * fabs(ds) + E * p * size_of_slope * scale;
    for (int64_t i = 0; i < d; i++) {
        double q = at(&o[Q], t, i), k = at(&o[K], j, i), dy = at(&o[DOUT], t, i);
        add_to(w, DQ, t * d + i, ds * k, rounded * fabs(k));
        add_to(w, DK, j * d + i, ds * q, rounded * fabs(q));
        add_to(w, DV, j * d + i, p * dy, (U + E) * p * fabs(dy));
    }
}

static void in_double(wanted *w, const head *h, bool backward)
{
    double *p = malloc((size_t)h->size.n_key * sizeof *p);
    int64_t d = h->size.d;
    for (int64_t t = 0; t < h->size.n_query; t++) {
        probabilities(h, t, p);
        for (int64_t j = 0; j < h->size.n_key; j++) {
            if (p[j] == 0) continue;
            if (backward) in_double_grad(w, h, t, j, p[j]);
            for (int64_t i = 0; !backward && i < d; i++)
                add_to(w, Y, t * d + i, p[j] * at(&h->o[V], j, i), (U + E) * p[j] * fabs(at(&h->o[V], j, i)));
        }
    }
    free(p);
}

/* ---- comparing -------------------------------------------------------------------------------------------------------- */

static const char *name_of(int k)
{
    static const char *const names[] = {[Y] = "y", [DQ] = "dq", [DK] = "dk", [DV] = "dv"};
    return names[k];
}

static void compare(const wanted *w, const head *h, int k)
{
    const operand *o = &h->o[k];
    const size *s = &h->size;
    for (int64_t t = 0; t < o->tokens; t++)
        for (int64_t i = 0; i < s->d; i++) {
            double value = w->value[k][t * s->d + i], within = w->within[k][t * s->d + i] + U * fabs(value) + 0x1p-126;
            if (!(fabs(at(o, t, i) - value) <= within))
                fail_msg("%s[%d][%d] is %g, expected %g within %g (%d queries, %d keys, d %d%s%s, bias %d)", name_of(k),
                         (int)t, (int)i, at(o, t, i), value, within, (int)s->n_query, (int)s->n_key, (int)s->d,
                         s->causal ? ", causal" : "", s->packed ? ", packed" : "", (int)s->bias_rows);
        }
    for (int64_t t = 0; t < o->tokens; t++) /* beside the head's columns nothing is written */
        for (int64_t i = 0; i < o->row; i++)
            if (i < o->begin || i >= o->begin + s->d) assert_int_equal(o->data[t * o->row + i], UNTOUCHED);
}

static void check_head(size s, uint64_t seed, bool backward, void (*attention)(const limn_head *))
{
    head h;
    wanted w;
    make_head(&h, s, seed, backward);
    make_wanted(&w, &h);
    in_double(&w, &h, backward);
    attention(&h.h);
    if (backward) compare(&w, &h, DQ), compare(&w, &h, DK), compare(&w, &h, DV);
    else compare(&w, &h, Y);
    for (int i = 0; i < 64; i++) assert_int_equal(h.scratch[h.scratch_bytes + (size_t)i], 0x4b);
    free_wanted(&w);
    free_head(&h);
}

static const int64_t head_sizes[] = {8, 16, 40, 64, 80, 128, 5}, keys[] = {1, 7, 16, 77, 130}, queries[] = {1, 33, 70};
#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static void all_sizes(bool backward, void (*attention)(const limn_head *))
{
    int n = 0;
    for (int d = 0; d < COUNT(head_sizes); d++)
        for (int k = 0; k < COUNT(keys); k++)
            for (int q = 0; q < COUNT(queries); q++)
                for (int causal = 0; causal < 2; causal++, n++) /* 7 x 5 x 3 x 2: both strides meet every size */
                    check_head((size){queries[q], keys[k], head_sizes[d], causal, (q + k + causal) % 2, 0}, (uint64_t)n,
                               backward, attention);
    for (int k = 0; k < COUNT(keys); k++)
        for (int q = 0; q < COUNT(queries); q++)
            for (int causal = 0; causal < 2; causal++) {
                check_head((size){queries[q], keys[k], 40, causal, false, 1}, (uint64_t)n++, backward, attention);
                check_head((size){queries[q], keys[k], 40, causal, true, queries[q]}, (uint64_t)n++, backward, attention);
            }
}

/* ---- tests ------------------------------------------------------------------------------------------------------------ */

static void emulated_is_right(void **state)
{
    (void)state;
    all_sizes(false, emulated_attention);
}

static void emulated_gradient_is_right(void **state)
{
    (void)state;
    all_sizes(true, emulated_attention_grad);
}

static void later_blocks_rescale_earlier_ones(void **state)
{
    (void)state;
    head h;
    wanted w;
    make_head(&h, (size){40, 300, 64, false, false, 0}, 1, false);
    for (int64_t j = 0; j < 300; j++) /* scores grow from block to block by e^8 and more */
        for (int64_t i = 0; i < 64; i++)
            h.o[K].data[j * 64 + i] = limn_f32_to_bf16((float)((double)(j / 128) * at(&h.o[Q], j % 40, i)));
    make_wanted(&w, &h);
    in_double(&w, &h, false);
    emulated_attention(&h.h);
    compare(&w, &h, Y);
    free_wanted(&w);
    free_head(&h);
}

static void nan_in_a_key_shows_in_every_query(void **state)
{
    (void)state;
    head h;
    make_head(&h, (size){9, 40, 16, false, false, 0}, 1, false);
    h.o[K].data[35 * 16 + 3] = 0x7fc0;
    emulated_attention(&h.h);
    for (int64_t t = 0; t < 9; t++)
        for (int64_t i = 0; i < 16; i++) assert_true(isnan(at(&h.o[Y], t, i)));
    free_head(&h);
}

/* c += a0 b0 + a1 b1 on pairs of rows of B; denormals are zero */
static void emulated_dot_is_the_instruction(void **state)
{
    (void)state;
    static bf16 a[16][32], b[16][16][2];
    float c[16][16] = {{0}};
    a[2][6] = limn_f32_to_bf16(3), a[2][7] = limn_f32_to_bf16(5), a[4][0] = 0x0001, a[5][0] = limn_f32_to_bf16(0x1p-100f);
    b[3][9][0] = limn_f32_to_bf16(7), b[3][9][1] = limn_f32_to_bf16(-2), b[0][1][0] = limn_f32_to_bf16(0x1p+127f);
    b[0][2][0] = limn_f32_to_bf16(0x1p-40f);
    c[2][9] = 0.5f, c[3][3] = 0x1p-130f;
    tiles t;
    tile_configure(&t);
    tile_load(&t, 0, c, 64);
    tile_load(&t, 4, a, 64);
    tile_load(&t, 6, b, 64);
    tile_dot(&t, 0, 4, 6);
    tile_store(&t, 0, c, 64);
    assert_true(c[2][9] == 11.5f); /* 0.5 + 3 x 7 - 5 x 2 */
    assert_true(c[4][1] == 0);     /* a denormal operand */
    assert_true(c[5][1] == 0x1p+27f);
    assert_true(c[5][2] == 0);     /* a denormal result */
    assert_true(c[3][3] == 0);     /* a denormal to add to */
    tile_release(&t);
}

static limn_call call_of(limn_attr *attr, limn_dtype dtype, bf16 *qkv, bf16 *y)
{
    *attr = (limn_attr){.heads = 3, .packed = LIMN_PACKED_QKV};
    return (limn_call){.op = LIMN_OP_ATTENTION,
                       .attr = attr,
                       .n_src = 1,
                       .n_threads = 1,
                       .src = {{dtype, {.rank = 3, .dim = {2, 70, 3 * 72}}, qkv}},
                       .dst = {dtype, {.rank = 3, .dim = {2, 70, 72}}, y}};
}

/* Six heads for four threads: their queries are cut in two. */
static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    enum { N = 2 * 70 * 72, THREADS = 4 };
    bf16 *qkv = malloc(3 * N * sizeof *qkv), *y[2];
    for (int i = 0; i < 3 * N; i++) qkv[i] = limn_f32_to_bf16((float)(i * 37 % 101 - 50) / 40);
    limn_attr attr;
    limn_call call = call_of(&attr, LIMN_BF16, qkv, NULL);
    size_t bytes = limn_heads_scratch(&call, limn_amx_scratch_bytes);
    for (int i = 0; i < 2; i++) {
        call.n_threads = i ? THREADS : 1;
        call.dst.data = y[i] = calloc(N, sizeof *y[i]);
        call.scratch = aligned_alloc(64, bytes * (size_t)call.n_threads);
        limn_heads_run(&call, emulated_attention, bytes);
        free(call.scratch);
    }
    assert_memory_equal(y[0], y[1], N * sizeof *y[0]);
    free(y[0]);
    free(y[1]);
    free(qkv);
}

static void kernel_is_first_and_says_why_not(void **state)
{
    (void)state;
    limn_attr attr;
    limn_call half = call_of(&attr, LIMN_BF16, NULL, NULL), single = call_of(&attr, LIMN_F32, NULL, NULL);
    const limn_kernel *kernel = limn_cpu_kernel(LIMN_OP_ATTENTION, 0);
    assert_string_equal(kernel->name, "attention.amx");
    assert_string_equal(limn_cpu_kernel(LIMN_OP_ATTENTION_GRAD, 0)->name, "attention_grad.amx");
    assert_string_equal(kernel->refuse(&single), "sources are f32");
    const char *why = limn_isa_refuse(LIMN_ISA_AMX), *said = kernel->refuse(&half);
    if (why) assert_string_equal(said, why);
    else assert_null(said);
    half.rows = &limn_rows_portable;
    assert_string_equal(kernel->refuse(&half), "this CPU has no AMX-TILE with AMX-BF16");
}

static void scratch_grows_with_keys_alone(void **state)
{
    (void)state;
    size_t one = limn_amx_scratch_bytes(1024, 64, false), two = limn_amx_scratch_bytes(2048, 64, false);
    assert_int_equal(two - one, 1024 * 64 * 2 * 2); /* k and v in bf16 */
}

#if defined(__x86_64__)
static int64_t equal_bits(const head *a, const head *b, int k)
{
    const operand *x = &a->o[k], *y = &b->o[k];
    int64_t n = 0;
    for (int64_t t = 0; t < x->tokens; t++)
        for (int64_t i = 0; i < a->size.d; i++)
            n += x->data[x->begin + t * x->row + i] == y->data[y->begin + t * y->row + i];
    return n;
}

/* Beside the tolerance above: contracted products and sums move a p over a rounding now and then, no more. */
static void instructions_are_the_emulation(bool backward, void (*real)(const limn_head *),
                                           void (*emulated)(const limn_head *))
{
    const char *why = limn_isa_refuse(LIMN_ISA_AMX);
    if (why) {
        print_message("amx: %s\n", why);
        skip();
    }
    all_sizes(backward, real);
    head a, b;
    size s = {70, 300, 72, true, true, 0};
    make_head(&a, s, 7, backward);
    make_head(&b, s, 7, backward);
    real(&a.h);
    emulated(&b.h);
    for (int k = backward ? DQ : Y; k < (backward ? N_OPERANDS : DQ); k++)
        assert_true(equal_bits(&a, &b, k) * 100 >= a.o[k].tokens * s.d * 95);
    free_head(&a);
    free_head(&b);
}

static void instructions_are_right(void **state)
{
    (void)state;
    instructions_are_the_emulation(false, limn_amx_attention, emulated_attention);
}

static void instructions_of_the_gradient_are_right(void **state)
{
    (void)state;
    instructions_are_the_emulation(true, limn_amx_attention_grad, emulated_attention_grad);
}

static void pairs_are_right(void **state)
{
    (void)state;
    if (limn_isa_refuse(LIMN_ISA_AVX512BF16)) skip();
    all_sizes(false, limn_pairs_attention);
    all_sizes(true, limn_pairs_attention_grad);
}
#endif

/* test_*_amx [PATTERN]: only the tests of these names, for an emulated machine */
int main(int argc, char **argv)
{
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emulated_dot_is_the_instruction),
        cmocka_unit_test(emulated_is_right),
        cmocka_unit_test(emulated_gradient_is_right),
        cmocka_unit_test(later_blocks_rescale_earlier_ones),
        cmocka_unit_test(nan_in_a_key_shows_in_every_query),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(kernel_is_first_and_says_why_not),
        cmocka_unit_test(scratch_grows_with_keys_alone),
#if defined(__x86_64__)
        cmocka_unit_test(instructions_are_right),
        cmocka_unit_test(instructions_of_the_gradient_are_right),
        cmocka_unit_test(pairs_are_right),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
