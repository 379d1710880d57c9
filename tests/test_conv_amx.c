/* test_conv_amx.c: convolutions and their gradients on AMX tiles, beside the reference in double.  The tiles are emulated in
 * plain C (tiles_emulated.h), so that any machine proves layouts, edges and the tile configuration; where there is AMX,
 * limn-check runs the instructions on its own cases (kernel "amx"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/cpu/kernels.h"
#include "tiles_emulated.h"

#include "backend/cpu/conv_amx.inc.h"

#include <stdlib.h>

static _Thread_local tiles emulated;

/* What fills no AMX tile goes to AVX512_BF16, whose panels have the same 32 columns; here in plain C. */
static void multiply_pairs(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run,
                           const float *b, int64_t n, int64_t runs, int rows, int cols, bool add)
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < cols; j++) {
            float sum = add ? c[r * c_row + j] : 0;
            for (int64_t i = 0; i < runs * n; i++) {
                uint16_t x[2], y[2];
                memcpy(x, a + r * a_row + i / n * a_run + i % n * a_step, sizeof x);
                memcpy(y, b + i * AMX_SIDE + j, sizeof y);
                for (int k = 0; k < 2; k++) sum += limn_bf16_to_f32(x[k]) * limn_bf16_to_f32(y[k]);
            }
            c[r * c_row + j] = sum;
        }
}

static const limn_tiles others = {.rows = 8, .steps = 1, .multiply = multiply_pairs};

static void multiply(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run, const float *b,
                     int64_t n, int64_t runs, int rows, int cols, bool add)
{
    multiply_tiles(&emulated, &others, c, c_row, a, a_row, a_step, a_run, b, n, runs, rows, cols, add);
}

static void lay(float *to, int64_t width, const void *a, const void *b, int64_t row, int64_t n, int64_t cols)
{
    limn_rows_portable.pairs.lay(to, width, a, b, row, n, cols);
}

static void begin(void)
{
    tile_configure(&emulated);
}

static void end(void)
{
    tile_release(&emulated);
}

static const limn_tiles emulated_pairs = {.rows = AMX_SIDE,
                                          .width = AMX_SIDE,
                                          .steps = AMX_STEPS,
                                          .multiply = multiply,
                                          .lay = lay,
                                          .turn = turn_strip,
                                          .begin = begin,
                                          .end = end};

/* Panels of 32 columns need the vectors of AVX-512; only their width is asked for. */
static limn_rows wide_rows(void)
{
    limn_rows rows = limn_rows_portable;
    rows.vector = 16, rows.floats.width = 32;
    return rows;
}

/* ---- one case --------------------------------------------------------------------------------------------------------- */

typedef struct size {
    int64_t batch, h, w, c, o, k;
    int stride, pad;
    bool upsampled;
} size;

static int64_t out_of(const size *s, int64_t n)
{
    return ((s->upsampled ? 2 * n : n) + 2 * s->pad - s->k) / s->stride + 1;
}

/* bf16 values in [-1, 1], the same as doubles */
static void fill(limn_view *half, limn_view *wide, limn_shape shape, uint32_t seed)
{
    int64_t n = limn_shape_count(&shape);
    uint16_t *h = malloc((size_t)n * sizeof *h);
    double *d = malloc((size_t)n * sizeof *d);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        h[i] = limn_f32_to_bf16((float)(int32_t)seed * 0x1p-31f);
        d[i] = limn_bf16_to_f32(h[i]);
    }
    *half = (limn_view){LIMN_BF16, shape, h}, *wide = (limn_view){LIMN_F64, shape, d};
}

static limn_call call_of(limn_op op, const size *s, limn_attr *attr)
{
    int64_t h = out_of(s, s->h), w = out_of(s, s->w);
    limn_shape x = LIMN_SHAPE(s->batch, s->h, s->w, s->c), y = LIMN_SHAPE(s->batch, h, w, s->o),
               weight = LIMN_SHAPE(s->o, s->c, s->k, s->k);
    *attr = (limn_attr){
        .stride = s->stride, .pad = {s->pad, s->pad, s->pad, s->pad}, .flags = s->upsampled ? LIMN_UPSAMPLED : 0};
    limn_call c = {.op = op, .attr = attr, .n_src = 2, .dst = {.dtype = LIMN_F32}};
    c.src[0].shape = op == LIMN_OP_CONV_TRANSPOSE ? y : x;
    c.src[1].shape = op == LIMN_OP_CONV_GRAD_WEIGHT ? y : weight;
    c.dst.shape = op == LIMN_OP_CONV ? y : op == LIMN_OP_CONV_TRANSPOSE ? x : weight;
    attr->shape = op == LIMN_OP_CONV_TRANSPOSE ? LIMN_SHAPE(s->h, s->w) : weight;
    return c;
}

static float *run(const limn_kernel *kernel, limn_call c, const limn_rows *rows, int n_threads)
{
    c.state = (void *)(uintptr_t)&emulated_pairs, c.rows = rows, c.n_threads = n_threads;
    size_t packed_bytes = kernel->packed_bytes ? kernel->packed_bytes(&c) : 0, scratch_bytes = kernel->scratch_bytes(&c);
    void *packed = limn_alloc_aligned(packed_bytes + 64);
    c.scratch = limn_alloc_aligned(scratch_bytes + 64);
    memset(c.scratch, 0xff, scratch_bytes + 64); /* NaN: nobody may count on zeros */
    if (packed_bytes) {
        kernel->pack(&c, &c.src[1], packed);
        c.src[1].data = packed;
    }
    c.dst.data = malloc(limn_view_bytes(&c.dst));
    kernel->run(&c);
    for (int i = 0; i < 64; i++) assert_int_equal(((unsigned char *)c.scratch)[scratch_bytes + (size_t)i], 0xff);
    limn_free_aligned(packed);
    limn_free_aligned(c.scratch);
    return c.dst.data;
}

static void check(limn_op op, size s)
{
    limn_attr attr;
    limn_call c = call_of(op, &s, &attr), reference = c;
    for (int i = 0; i < 2; i++) fill(&c.src[i], &reference.src[i], c.src[i].shape, (uint32_t)(s.c * 31 + s.o * 7 + i));
    int64_t n = limn_shape_count(&c.dst.shape), terms = op == LIMN_OP_CONV_GRAD_WEIGHT
                                                            ? limn_shape_rows(&c.src[1].shape)
                                                            : s.k * s.k * (op == LIMN_OP_CONV ? s.c : s.o);
    double *wanted = malloc((size_t)n * sizeof *wanted);
    reference.dst = (limn_view){LIMN_F64, c.dst.shape, wanted}, reference.n_threads = 1;
    const limn_kernel *ref = limn_ref_kernel(op, 0);
    reference.scratch = limn_alloc_aligned((ref->scratch_bytes ? ref->scratch_bytes(&reference) : 0) + 64);
    ref->run(&reference);
    limn_rows rows = wide_rows();
    const limn_kernel *kernel = op == LIMN_OP_CONV_GRAD_WEIGHT ? &limn_cpu_conv_amx_weight : &limn_cpu_conv_amx;
    float *one = run(kernel, c, &rows, 1), *three = run(kernel, c, &rows, 3);
    double within = s.upsampled ? 0x1p-7 * sqrt((double)terms)
                                : 0x1p-22 * (double)terms; /* the first: weights are added up and rounded */
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(one[i] - wanted[i]) <= within))
            fail_msg("element %d of %d is %g, expected %g within %g (%dx%d, %d to %d channels, %d x %d)", (int)i, (int)n,
                     one[i], wanted[i], within, (int)s.h, (int)s.w, (int)s.c, (int)s.o, (int)s.k, (int)s.k);
    assert_memory_equal(one, three, (size_t)n * sizeof *one);
    limn_free_aligned(reference.scratch);
    for (int i = 0; i < 2; i++) free(c.src[i].data), free(reference.src[i].data);
    free(one);
    free(three);
    free(wanted);
}

/* Whole tiles where they lie, several window rows at once; words and rows that fill no tile; narrow panels; windows of one
 * pixel; strides. */
static const size sizes[] = {
    {1, 6, 40, 32, 32, 3, 1, 1, false}, {2, 9, 37, 46, 40, 3, 1, 1, false},  {1, 5, 7, 64, 3, 3, 1, 1, false},
    {2, 8, 8, 34, 70, 1, 1, 0, false},  {1, 17, 70, 36, 34, 3, 2, 1, false}, {1, 3, 33, 520, 32, 3, 1, 1, false},
    {3, 5, 7, 2, 6, 3, 1, 1, false},
};
#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static void forward_is_right(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(sizes); i++) check(LIMN_OP_CONV, sizes[i]);
    check(LIMN_OP_CONV, (size){1, 5, 35, 36, 33, 3, 1, 1, true});
}

static void gradient_of_the_picture_is_right(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(sizes); i++)
        if (sizes[i].o % 2 == 0) check(LIMN_OP_CONV_TRANSPOSE, sizes[i]); /* pairs of dy's channels */
}

static void gradient_of_the_weight_is_right(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT(sizes); i++) check(LIMN_OP_CONV_GRAD_WEIGHT, sizes[i]);
    check(LIMN_OP_CONV_GRAD_WEIGHT,
          (size){1, 33, 31, 40, 36, 3, 1, 1, false}); /* more pixels than a block, an odd number of them */
    check(LIMN_OP_CONV_GRAD_WEIGHT, (size){1, 33, 31, 3, 66, 3, 1, 1, false});  /* x in strips */
}

static void kernels_are_first_and_say_why_not(void **state)
{
    (void)state;
    size s = sizes[0];
    limn_op ops[] = {LIMN_OP_CONV, LIMN_OP_CONV_TRANSPOSE, LIMN_OP_CONV_GRAD_WEIGHT};
    for (int i = 0; i < 3; i++) {
        limn_attr attr;
        limn_call c = call_of(ops[i], &s, &attr);
        const limn_kernel *kernel = limn_cpu_kernel(ops[i], 0);
        assert_string_equal(kernel->name, "amx");
        c.src[0].dtype = c.src[1].dtype = LIMN_F32;
        assert_string_equal(kernel->refuse(&c), "sources are f32");
        c.src[0].dtype = c.src[1].dtype = LIMN_BF16;
        const char *why = limn_isa_refuse(LIMN_ISA_AMX), *said = kernel->refuse(&c);
        if (why) assert_string_equal(said, why);
        else assert_null(said);
        c.rows = &limn_rows_portable;
        assert_string_equal(kernel->refuse(&c), "this CPU has no AMX-TILE with AMX-BF16");
    }
}

/* test_*_amx [PATTERN]: only the tests of these names, for an emulated machine */
int main(int argc, char **argv)
{
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_right),
        cmocka_unit_test(gradient_of_the_picture_is_right),
        cmocka_unit_test(gradient_of_the_weight_is_right),
        cmocka_unit_test(kernels_are_first_and_say_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
