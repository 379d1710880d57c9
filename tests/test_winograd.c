/* test_winograd.c: 3 x 3 convolutions in tiles of 4 x 4 pixels, and of enlarged pictures by differences: numbers of PyTorch,
 * the same bytes alone and in a batch and on any number of threads, where they are chosen and why not elsewhere, and how to
 * have direct sums. */
#include "backend/cpu/kernels.h"
#include "base/rng.h"
#include "formula.h"
#include "graph/op/rows.h"
#include "make_kernel.h"
#include "model/model.h"
#include "plan/plan.h"
#include "vectors/winograd.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static float *given(const char *name, limn_shape shape)
{
    float *x = kernel_memory((size_t)limn_shape_count(&shape) * sizeof *x);
    formula_fill(name, limn_shape_count(&shape), 1, x);
    return x;
}

static void *given_as(const char *name, limn_shape shape, limn_dtype dtype)
{
    int64_t n = limn_shape_count(&shape);
    float *x = given(name, shape);
    void *to = kernel_memory((size_t)n * limn_dtype_bytes(dtype));
    limn_convert(x, LIMN_F32, to, dtype, (size_t)n);
    limn_free_aligned(x);
    return to;
}

static const limn_kernel *named(limn_op op, const char *name)
{
    const limn_kernel *kernel;
    int i = 0;
    while ((kernel = limn_cpu_kernel(op, i)) && strcmp(kernel->name, name) != 0) i++;
    assert_non_null(kernel);
    return kernel;
}

/* The first that does not refuse. */
static const limn_kernel *chosen(const limn_call *call)
{
    for (int i = 0;; i++) {
        const limn_kernel *kernel = limn_cpu_kernel(call->op, i);
        if (!kernel->refuse || !kernel->refuse(call)) return kernel;
    }
}

/* ---- PyTorch -------------------------------------------------------------------------------------------------------- */

/* Terms of up to 1 in size, added up R at a time: the bound of tests/check_values.c with S = k_0^2 / 3 sqrt(R) / 3. */
static void is_near(const float *found, int64_t n, double norm, const double *value, double terms)
{
    double sum = 0, bound = 0x1p-24 * (4 + 2 * sqrt(terms)) * 8.2 * sqrt(terms) / 3;
    for (int64_t i = 0; i < n; i++) sum += (double)found[i] * found[i];
    assert_true(fabs(sqrt(sum) - norm) <= 1e-6 * norm);
    for (int64_t i = 0; i < VALUES; i++) {
        double y = found[i * (n - 1) / (VALUES - 1)];
        if (!(fabs(y - value[i]) <= bound + 0x1p-24 * fabs(value[i])))
            fail_msg("value %d is %.9g, PyTorch gives %.9g", (int)i, y, value[i]);
    }
}

/* Both gradients, of x and of w, from y's shape. */
static void gradients_as_pytorch(const limn_call *forward, const struct convolution_vectors *v)
{
    limn_attr attr = {.stride = 1, .pad = {v->pad, v->pad, v->pad, v->pad}, .shape = LIMN_SHAPE(v->height, v->width)};
    limn_call call = {.op = LIMN_OP_CONV_TRANSPOSE,
                      .attr = &attr,
                      .n_src = 2,
                      .n_threads = 2,
                      .rows = forward->rows,
                      .src = {forward->dst, forward->src[1]},
                      .dst = forward->src[0]};
    float *dy = given("dy", forward->dst.shape), *dx = kernel_memory(limn_view_bytes(&call.dst)),
          *dw = kernel_memory(limn_view_bytes(&forward->src[1]));
    call.src[0].data = dy, call.dst.data = dx;
    assert_string_equal(chosen(&call)->name, v->columns % 16 ? "tiles" : "winograd");
    kernel_run(NULL, chosen(&call), call);
    is_near(dx, limn_shape_count(&call.dst.shape), v->dx.norm, v->dx.value, 9.0 * v->columns);
    attr.shape = forward->src[1].shape;
    call.op = LIMN_OP_CONV_GRAD_WEIGHT, call.src[0] = forward->src[0], call.src[1] = forward->dst,
    call.dst = forward->src[1];
    call.src[1].data = dy, call.dst.data = dw;
    assert_string_equal(chosen(&call)->name, v->columns % call.rows->floats.width ? "tiles" : "winograd");
    for (call.n_threads = 1; call.n_threads < 6; call.n_threads++) {
        kernel_run(NULL, chosen(&call), call);
        is_near(dw, limn_shape_count(&attr.shape), v->dw.norm, v->dw.value, (double)limn_shape_rows(&forward->dst.shape));
    }
    limn_free_aligned(dy), limn_free_aligned(dx), limn_free_aligned(dw);
}

static void as_pytorch(const limn_rows *rows, const struct convolution_vectors *v)
{
    limn_attr attr = {.stride = 1, .pad = {v->pad, v->pad, v->pad, v->pad}, .flags = LIMN_HAS_BIAS};
    int64_t height = v->height * v->times + 2 * v->pad - 2, width = v->width * v->times + 2 * v->pad - 2;
    limn_shape x = LIMN_SHAPE(v->batch, v->height, v->width, v->channels), w = LIMN_SHAPE(v->columns, v->channels, 3, 3),
               y = LIMN_SHAPE(v->batch, height, width, v->columns), b = LIMN_SHAPE(v->columns);
    if (v->times == 2) attr.flags |= LIMN_UPSAMPLED;
    limn_call call = {.op = LIMN_OP_CONV,
                      .attr = &attr,
                      .n_src = 3,
                      .n_threads = 2,
                      .rows = rows,
                      .src = {{LIMN_F32, x, given("x", x)}, {LIMN_F32, w, given("w", w)}, {LIMN_F32, b, given("b", b)}},
                      .dst = {LIMN_F32, y, kernel_memory((size_t)limn_shape_count(&y) * sizeof(float))}};
    assert_string_equal(chosen(&call)->name, v->times == 2 ? "differences" : "winograd");
    kernel_run(NULL, chosen(&call), call);
    is_near(call.dst.data, limn_shape_count(&y), v->y.norm, v->y.value, 9.0 * v->channels);
    if (v->times == 1) gradients_as_pytorch(&call, v);
    for (int s = 0; s < 3; s++) limn_free_aligned(call.src[s].data);
    limn_free_aligned(call.dst.data);
}

/* Pictures and weights rounded to bf16, in integers where the loops have them: each product errs by 2^-9 of its size, 2^-8
 * is for the sum five deviations and more. */
static void as_pytorch_in_bf16(const limn_rows *rows, const struct convolution_vectors *v, int *n_integers)
{
    limn_attr attr = {.stride = 1, .pad = {v->pad, v->pad, v->pad, v->pad}, .flags = LIMN_HAS_BIAS};
    if (v->times == 2) attr.flags |= LIMN_UPSAMPLED;
    int64_t height = v->height * v->times + 2 * v->pad - 2, width = v->width * v->times + 2 * v->pad - 2;
    limn_shape x = LIMN_SHAPE(v->batch, v->height, v->width, v->channels), w = LIMN_SHAPE(v->columns, v->channels, 3, 3),
               y = LIMN_SHAPE(v->batch, height, width, v->columns), b = LIMN_SHAPE(v->columns);
    limn_call call = {.op = LIMN_OP_CONV,
                      .attr = &attr,
                      .n_src = 3,
                      .n_threads = 2,
                      .rows = rows,
                      .src = {{LIMN_BF16, x, given_as("x", x, LIMN_BF16)},
                              {LIMN_F32, w, given("w", w)},
                              {LIMN_F32, b, given("b", b)}},
                      .dst = {LIMN_F32, y, kernel_memory((size_t)limn_shape_count(&y) * sizeof(float))}};
    const limn_kernel *kernel = named(LIMN_OP_CONV, v->times == 2 ? "differences-int16" : "winograd-int16");
    if (!kernel->refuse(&call)) (*n_integers)++;
    kernel_run(NULL, chosen(&call), call);
    const float *found = call.dst.data;
    for (int64_t i = 0, n = limn_shape_count(&y); i < VALUES; i++) {
        double apart = fabs(found[i * (n - 1) / (VALUES - 1)] - v->y.value[i]);
        if (!(apart <= 0x1p-8 * sqrt(9.0 * v->channels))) fail_msg("value %d is %g from PyTorch's", (int)i, apart);
    }
    for (int s = 0; s < 3; s++) limn_free_aligned(call.src[s].data);
    limn_free_aligned(call.dst.data);
}

static void convolutions_are_those_of_pytorch(void **state)
{
    (void)state;
    for (int r = 0; r < 4; r++)
        for (size_t i = 0; kernel_rows(r) && i < sizeof convolution_vectors / sizeof *convolution_vectors; i++)
            as_pytorch(kernel_rows(r), &convolution_vectors[i]);
}

static void convolutions_in_bf16_are_those_of_pytorch(void **state)
{
    (void)state;
    for (int r = 0; r < 4; r++) {
        int n_integers = 0, n = sizeof convolution_vectors / sizeof *convolution_vectors;
        for (int i = 0; kernel_rows(r) && i < n; i++)
            as_pytorch_in_bf16(kernel_rows(r), &convolution_vectors[i], &n_integers);
        if (kernel_rows(r) && kernel_rows(r)->int16.rows) assert_true(n_integers > 0);
    }
}

/* ---- the choice ----------------------------------------------------------------------------------------------------- */

/* Shapes on both sides of each switch: pixels on a side, channels, columns. */
static const struct shape {
    int64_t side, channels, columns;
    const char *kernel, *why;
    int times; /* the picture is enlarged */
} shapes[] = {
    {64, 64, 64, "winograd", NULL, 1},
    {10, 64, 64, "winograd", NULL, 1},
    {8, 1280, 64, "winograd", NULL, 1},
    {7, 1280, 64, "tiles", "so few pixels or channels that transforms cost more than they save", 1},
    {4, 512, 512, "tiles", "so few pixels or channels that transforms cost more than they save", 1},
    {64, 8, 64, "tiles", "channels are no multiple of 16", 1},
    {32, 48, 3, "winograd", NULL, 1},
    {33, 144, 70, "winograd", NULL, 1},
    {3, 1280, 64, "differences", NULL, 2},
    {2, 1280, 64, "tiles", "so few pixels or channels that differences cost more than they save", 2},
    {37, 16, 40, "differences", NULL, 2},
    {40, 512, 33, "differences", NULL, 2},
    {40, 8, 64, "tiles", "channels are no multiple of 16", 2},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static limn_call convolution(const limn_attr *attr, const struct shape *s, int64_t batch, const limn_rows *rows)
{
    int64_t times = attr->flags & LIMN_UPSAMPLED ? 2 : 1;
    limn_shape x = LIMN_SHAPE(batch, s->side, s->side, s->channels), w = LIMN_SHAPE(s->columns, s->channels, 3, 3),
               y = LIMN_SHAPE(batch, s->side * times, s->side * times, s->columns);
    return (limn_call){.op = LIMN_OP_CONV,
                       .attr = attr,
                       .n_src = 2,
                       .n_threads = 1,
                       .rows = rows,
                       .src = {{LIMN_F32, x, NULL}, {LIMN_F32, w, NULL}},
                       .dst = {LIMN_F32, y, NULL}};
}

static limn_attr padded(const struct shape *s)
{
    return (limn_attr){.stride = 1, .pad = {1, 1, 1, 1}, .flags = s->times == 2 ? LIMN_UPSAMPLED : 0};
}

static void in_bf16(limn_call *call)
{
    call->src[0].dtype = call->dst.dtype = LIMN_BF16;
}

/* Of pictures in bf16 on the loops of CPUs with AVX512_BF16, whose direct convolutions multiply pairs. */
static void integers_are_chosen_for_bf16(void **state)
{
    (void)state;
    static const struct shape of[] = {
        {64, 64, 64, "winograd-int16", NULL, 1},
        {16, 64, 64, "winograd-int16", NULL, 1},
        {8, 1280, 640, "winograd-int16", NULL, 1},
        {7, 1280, 64, "tiles", "so few pixels or channels that transforms cost more than they save", 1},
        {32, 16, 64, "tiles", "so few pixels or channels that transforms cost more than they save", 1},
        {64, 8, 64, "tiles", "channels are no multiple of 16", 1},
        {16, 512, 256, "differences-int16", NULL, 2},
        {37, 16, 40, "tiles", "so few pixels or channels that differences cost more than they save", 2},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        limn_attr attr = padded(&of[i]);
        limn_call call = convolution(&attr, &of[i], 1, &limn_rows_avx512bf16);
        const limn_kernel *better = named(LIMN_OP_CONV, of[i].times == 2 ? "differences-int16" : "winograd-int16"),
                          *floats = named(LIMN_OP_CONV, of[i].times == 2 ? "differences" : "winograd");
        assert_string_equal(better->refuse(&call), of[i].channels % 16 ? of[i].why : "the picture is not in bf16");
        in_bf16(&call);
        for (int64_t batch = 1; batch < 99; batch += 49, call.n_threads += 3) {
            call.src[0].shape.dim[0] = call.dst.shape.dim[0] = batch;
            assert_string_equal(chosen(&call)->name, of[i].kernel);
        }
        if (of[i].why) {
            assert_string_equal(better->refuse(&call), of[i].why);
            continue;
        }
        assert_string_equal(floats->refuse(&call), "integers of 16 bits are faster");
        call.rows = &limn_rows_portable;
        assert_string_equal(better->refuse(&call), "these inner loops have no products of 16-bit integers");
    }
}

static void the_choice_has_a_reason(void **state)
{
    (void)state;
    limn_attr attr = {.stride = 1, .pad = {1, 1, 1, 1}}, strided = {.stride = 2, .pad = {1, 1, 1, 1}};
    const limn_kernel *kernel = named(LIMN_OP_CONV, "winograd");
    for (int r = 0; r < 4; r++)
        for (int i = 0; kernel_rows(r) && i < N_SHAPES; i++) {
            limn_attr of = padded(&shapes[i]);
            limn_call call = convolution(&of, &shapes[i], 1, kernel_rows(r));
            const limn_kernel *better = named(LIMN_OP_CONV, shapes[i].times == 2 ? "differences" : "winograd");
            assert_string_equal(chosen(&call)->name, shapes[i].kernel);
            if (shapes[i].why) assert_string_equal(better->refuse(&call), shapes[i].why);
            call.n_threads = 7, call.src[0].shape.dim[0] = call.dst.shape.dim[0] = 64;
            assert_string_equal(chosen(&call)->name, shapes[i].kernel);
        }
    limn_call call = convolution(&strided, &shapes[0], 1, NULL);
    assert_string_equal(kernel->refuse(&call), "windows are not 3 x 3 with a stride of 1");
    assert_string_equal(named(LIMN_OP_CONV, "differences")->refuse(&call), "the picture is not an enlarged one");
    attr.flags = LIMN_UPSAMPLED, call = convolution(&attr, &shapes[0], 1, NULL);
    assert_string_equal(kernel->refuse(&call), "the picture is an enlarged one");
    call.exact = true;
    assert_string_equal(named(LIMN_OP_CONV, "differences")->refuse(&call), "sums are to be exact");
    attr.flags = 0;
    kernel = named(LIMN_OP_CONV_GRAD_WEIGHT, "winograd");
    call = convolution(&attr, &(struct shape){.side = 5, .channels = 64, .columns = 64}, 9, NULL);
    limn_view w = call.src[1];
    call.op = LIMN_OP_CONV_GRAD_WEIGHT, call.src[1] = call.dst, call.dst = w;
    assert_string_equal(kernel->refuse(&call), "so few pixels or channels that transforms cost more than they save");
    assert_string_equal(named(LIMN_OP_CONV_GRAD_WEIGHT, "winograd-int16")->refuse(&call), "the picture is not in bf16");
    call.src[1].shape.dim[3] = call.dst.shape.dim[0] = 40;
    assert_string_equal(kernel->refuse(&call), "channels are no multiple of 16, or of two vectors");
    call = convolution(&attr, &shapes[0], 1, NULL);
    kernel = named(LIMN_OP_CONV, "winograd");
    call.exact = true;
    assert_string_equal(kernel->refuse(&call), "sums are to be exact");
    assert_string_equal(chosen(&call)->name, "tiles");
}

/* ---- the same bytes --------------------------------------------------------------------------------------------------- */

/* A call of CONV_GRAD_WEIGHT for a layer's x and dy. */
static limn_call weight_gradient(const limn_attr *attr, const struct shape *s, limn_dtype dtype, const limn_rows *rows)
{
    limn_call call = convolution(attr, s, 2, rows);
    limn_view w = call.src[1];
    call.op = LIMN_OP_CONV_GRAD_WEIGHT, call.src[1] = call.dst, call.dst = w;
    for (int i = 0; i < 2; i++) {
        int64_t n = limn_shape_count(&call.src[i].shape);
        float *from = given(i ? "dy" : "x", call.src[i].shape);
        call.src[i].dtype = dtype, call.src[i].data = kernel_memory((size_t)n * sizeof(float));
        limn_cpu_convert(from, LIMN_F32, call.src[i].data, dtype, n, 1);
        limn_free_aligned(from);
    }
    return call;
}

static void has_the_same_bytes_on_any_threads(limn_call call, const char *kernel)
{
    size_t bytes = limn_view_bytes(&call.dst);
    float *one = kernel_memory(bytes), *more = kernel_memory(bytes);
    assert_string_equal(chosen(&call)->name, kernel);
    for (; call.n_threads < 6; call.n_threads++) {
        call.dst.data = call.n_threads == 1 ? one : more;
        kernel_run(NULL, chosen(&call), call);
        if (call.n_threads > 1) assert_memory_equal(one, more, bytes);
    }
    limn_free_aligned(call.src[0].data), limn_free_aligned(call.src[1].data);
    limn_free_aligned(one), limn_free_aligned(more);
}

static void weight_gradients_have_the_same_bytes_on_any_threads(void **state)
{
    (void)state;
    static const struct shape of[] = {
        {16, 64, 64, NULL, NULL, 1}, {17, 112, 160, NULL, NULL, 1}, {26, 288, 96, NULL, NULL, 1}};
    limn_attr attr = {.stride = 1, .pad = {1, 1, 1, 1}};
    for (int r = 0; r < 4; r++)
        for (size_t i = 0; kernel_rows(r) && i < sizeof of / sizeof *of; i++) {
            const limn_rows *rows = kernel_rows(r);
            has_the_same_bytes_on_any_threads(weight_gradient(&attr, &of[i], LIMN_F32, rows), "winograd");
            has_the_same_bytes_on_any_threads(weight_gradient(&attr, &of[i], LIMN_BF16, rows),
                                              rows->int16.rows ? "winograd-int16" : "winograd");
        }
}

/* The second picture of three on several threads, beside the same one alone on one thread. */
static void alone_and_in_a_batch(const struct shape *s, const limn_rows *rows, limn_dtype dtype)
{
    enum { BATCH = 3 };
    limn_attr attr = padded(s);
    limn_call call = convolution(&attr, s, BATCH, rows), one = convolution(&attr, s, 1, rows);
    call.src[0].dtype = one.src[0].dtype = dtype;
    int64_t of_x = limn_shape_count(&one.src[0].shape), of_y = limn_shape_count(&one.dst.shape);
    float *w = given("w", call.src[1].shape), *y = kernel_memory((size_t)of_y * sizeof *y),
          *all = kernel_memory((size_t)(BATCH * of_y) * sizeof *all);
    char *x = given_as("x", call.src[0].shape, dtype);
    call.src[0].data = x, one.src[0].data = x + (size_t)of_x * limn_dtype_bytes(dtype);
    call.src[1].data = one.src[1].data = w;
    call.dst.data = all, one.dst.data = y;
    assert_ptr_equal(chosen(&call), chosen(&one));
    kernel_run(NULL, chosen(&one), one);
    for (call.n_threads = 1; call.n_threads < 6; call.n_threads++) {
        memset(all, 0xff, (size_t)(BATCH * of_y) * sizeof *all);
        kernel_run(NULL, chosen(&call), call);
        assert_memory_equal(all + of_y, y, (size_t)of_y * sizeof *y);
    }
    limn_free_aligned(x), limn_free_aligned(w), limn_free_aligned(y), limn_free_aligned(all);
}

static void a_picture_has_the_same_bytes_in_any_batch_on_any_threads(void **state)
{
    (void)state;
    for (int r = 0; r < 4; r++)
        for (int i = 0; kernel_rows(r) && i < N_SHAPES; i++) {
            alone_and_in_a_batch(&shapes[i], kernel_rows(r), LIMN_F32);
            alone_and_in_a_batch(&shapes[i], kernel_rows(r), LIMN_BF16);
        }
}

/* ---- integers lose less than bf16 ------------------------------------------------------------------------------------- */

/* Normal numbers, rounded to bf16 as the kernel rounds them, beside direct sums of the same in f32.  A result that is
 * rounded to bf16 loses 2^-9.2 of its size (root mean square); V and U in bf16 would make it 2^-6.5. */
static void integers_lose_less_than_a_result_in_bf16(void **state)
{
    (void)state;
    static const struct shape of[] = {{21, 272, 64, "winograd-int16", NULL, 1},
                                      {13, 272, 256, "differences-int16", NULL, 2}};
    for (int r = 1; r < 4; r++)
        for (size_t i = 0; kernel_rows(r) && i < sizeof of / sizeof *of; i++) {
            limn_attr attr = padded(&of[i]);
            limn_call call = convolution(&attr, &of[i], 1, kernel_rows(r));
            int64_t n[2] = {limn_shape_count(&call.src[0].shape), limn_shape_count(&call.src[1].shape)},
                    n_y = limn_shape_count(&call.dst.shape);
            float *floats[2], *wanted = kernel_memory((size_t)n_y * sizeof *wanted),
                              *found = kernel_memory((size_t)n_y * sizeof *found);
            uint16_t *halves[2];
            for (int s = 0; s < 2; s++) {
                floats[s] = kernel_memory((size_t)n[s] * sizeof(float)), halves[s] = kernel_memory((size_t)n[s] * 2);
                limn_random_normal(5, LIMN_STREAM_TEST, (uint64_t)s, 0, (size_t)n[s], floats[s]);
                limn_convert(floats[s], LIMN_F32, halves[s], LIMN_BF16, (size_t)n[s]);
                limn_convert(halves[s], LIMN_BF16, floats[s], LIMN_F32, (size_t)n[s]);
                call.src[s].data = floats[s];
            }
            call.dst.data = wanted;
            kernel_run(NULL, named(LIMN_OP_CONV, "tiles"), call);
            call.src[0] = (limn_view){LIMN_BF16, call.src[0].shape, halves[0]}, call.dst.data = found;
            assert_string_equal(chosen(&call)->name, of[i].kernel);
            kernel_run(NULL, chosen(&call), call);
            double apart = 0, size = 0;
            for (int64_t j = 0; j < n_y; j++)
                apart += pow(found[j] - wanted[j], 2), size += pow(wanted[j], 2);
            if (!(apart > 0 && sqrt(apart / size) < 0x1p-10))
                fail_msg("%s %s errs by %g", kernel_rows(r)->name, of[i].kernel, sqrt(apart / size));
            for (int s = 0; s < 2; s++) limn_free_aligned(floats[s]), limn_free_aligned(halves[s]);
            limn_free_aligned(wanted), limn_free_aligned(found);
        }
}

/* ---- exact ------------------------------------------------------------------------------------------------------------ */

static void exact_is_f32_with_direct_sums(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    const struct shape *s = &shapes[1];
    limn_attr attr = {.stride = 1, .pad = {1, 1, 1, 1}};
    limn_call call = convolution(&attr, s, 1, NULL);
    limn_node *x = limn_input(g, "x", LIMN_WIDE, call.src[0].shape, LIMN_PER_STEP),
              *w = limn_parameter(g, "w", call.src[1].shape, (limn_init){0}), *y = limn_node_2(LIMN_OP_CONV, x, w, &attr);
    float *data = given("w", call.src[1].shape), *wanted = kernel_memory(limn_view_bytes(&call.dst)),
          *found = kernel_memory(limn_view_bytes(&call.dst));
    call.src[0].data = given("x", call.src[0].shape), call.src[1].data = data, call.dst.data = wanted;
    kernel_run(NULL, named(LIMN_OP_CONV, "tiles"), call);
    for (int exact = 0; exact < 2; exact++) {
        limn_plan *plan;
        limn_run *run;
        limn_plan_options options = {.precision = exact ? LIMN_PRECISION_EXACT : LIMN_PRECISION_F32};
        assert_int_equal(limn_plan_new(g, 1, &y, &options, &plan), LIMN_OK);
        assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
        char *text = limn_plan_text(plan);
        assert_true(!exact || strncmp(text, "precision f32, exact: ", strlen("precision f32, exact: ")) == 0);
        assert_true(!exact == !strstr(text, "winograd: sums are to be exact"));
        limn_free(text);
        assert_int_equal(limn_run_bind(run, w, LIMN_F32, data), LIMN_OK);
        formula_write(run, x, "x");
        assert_int_equal(limn_run_execute(run), LIMN_OK);
        assert_int_equal(limn_run_read(run, y, LIMN_F32, found), LIMN_OK);
        assert_true(exact == (memcmp(found, wanted, limn_view_bytes(&call.dst)) == 0));
        limn_run_free(run);
        limn_plan_free(plan);
    }
    limn_free_aligned(call.src[0].data), limn_free_aligned(data), limn_free_aligned(wanted), limn_free_aligned(found);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* ---- a whole network ------------------------------------------------------------------------------------------------- */

enum { MOST_OUTPUTS = 128 };

typedef struct network {
    limn_graph *g;
    limn_ports ports;
    limn_node *output[MOST_OUTPUTS]; /* the network's, then the gradients of the mean of its square */
    int n;
} network;

static network network_of(limn_ctx *ctx, const char *settings)
{
    network n = {.g = limn_graph_new(ctx), .n = 1};
    limn_settings s;
    limn_node *grads[MOST_OUTPUTS];
    assert_int_equal(limn_settings_parse(ctx, settings, &s), LIMN_OK);
    assert_int_equal(limn_model_build(n.g, &s, (limn_build){.batch = 2}, &n.ports), LIMN_OK);
    n.output[0] = n.ports.output;
    int n_parameters = n.g->n_parameters;
    limn_node *loss = limn_mean(limn_square(limn_widen(n.output[0])));
    assert_true(n_parameters < MOST_OUTPUTS);
    assert_int_equal(limn_grad(n.g, loss, n_parameters, n.g->parameters, grads), LIMN_OK);
    for (int i = 0; i < n_parameters; i++)
        if (grads[i]) n.output[n.n++] = grads[i];
    return n;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text++) n++;
    return n;
}

/* All outputs one after the other.  @param in_tiles  how many steps of the plan run in tiles of 4 x 4 */
static double *results(const network *n, limn_precision precision, int64_t *total, int *in_tiles)
{
    limn_plan *plan;
    limn_run *run;
    limn_plan_options options = {.precision = precision, .training = true};
    float *weights[MOST_OUTPUTS];
    assert_int_equal(limn_plan_new(n->g, n->n, n->output, &options, &plan), LIMN_OK);
    assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
    char *text = limn_plan_text(plan);
    *in_tiles = count(text, " winograd  (");
    limn_free(text);
    for (int i = 0; i < n->g->n_parameters; i++) {
        limn_node *p = n->g->parameters[i];
        weights[i] = kernel_memory((size_t)limn_node_count(p) * sizeof(float));
        formula_weight(limn_node_name(p), limn_node_count(p), weights[i]);
        assert_int_equal(limn_run_bind(run, p, LIMN_F32, weights[i]), LIMN_OK);
    }
    for (int i = 0; i < n->g->n_nodes; i++)
        if (n->g->nodes[i]->op == LIMN_OP_INPUT) formula_write(run, n->g->nodes[i], "image");
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    *total = 0;
    for (int i = 0; i < n->n; i++) *total += limn_node_count(n->output[i]);
    double *all = kernel_memory((size_t)*total * sizeof *all), *at = all;
    for (int i = 0; i < n->n; at += limn_node_count(n->output[i++]))
        assert_int_equal(limn_run_read(run, n->output[i], LIMN_F64, at), LIMN_OK);
    limn_run_free(run);
    limn_plan_free(plan);
    for (int i = 0; i < n->g->n_parameters; i++) limn_free_aligned(weights[i]);
    return all;
}

/* Euclidean, of n values beside those of direct sums */
static double distance(const double *x, const double *y, int64_t n)
{
    double apart = 0, size = 0;
    for (int64_t i = 0; i < n; i++) apart += (x[i] - y[i]) * (x[i] - y[i]), size += y[i] * y[i];
    return sqrt(apart / size);
}

/* Six layers in all three directions, which must all be there. */
static void a_network_and_its_gradients_are_those_of_direct_sums(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    network n = network_of(ctx, "unet size=64 channels=1 levels=2 width=32 norm=group");
    int64_t total;
    int in_tiles, none;
    double *direct = results(&n, LIMN_PRECISION_EXACT, &total, &none),
           *found = results(&n, LIMN_PRECISION_F32, &total, &in_tiles);
    int64_t first = limn_node_count(n.output[0]);
    assert_int_equal(none, 0);
    assert_true(in_tiles >= 12);
    assert_memory_not_equal(direct, found, (size_t)first * sizeof *found);
    assert_true(distance(found, direct, first) < 1e-5);
    assert_true(distance(found + first, direct + first, total - first) < 1e-4);
    limn_free_aligned(direct), limn_free_aligned(found);
    limn_graph_free(n.g);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_are_those_of_pytorch),
        cmocka_unit_test(convolutions_in_bf16_are_those_of_pytorch),
        cmocka_unit_test(the_choice_has_a_reason),
        cmocka_unit_test(integers_are_chosen_for_bf16),
        cmocka_unit_test(integers_lose_less_than_a_result_in_bf16),
        cmocka_unit_test(weight_gradients_have_the_same_bytes_on_any_threads),
        cmocka_unit_test(a_picture_has_the_same_bytes_in_any_batch_on_any_threads),
        cmocka_unit_test(a_network_and_its_gradients_are_those_of_direct_sums),
        cmocka_unit_test(exact_is_f32_with_direct_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
