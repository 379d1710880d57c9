/* test_kept.c: weights in the types that files keep them in (f16, f8, ggml's blocks) give the bytes that the same numbers in
 * f32 give, in every kernel that takes them; and a plan keeps them so. */
#include "backend/cpu/kernels.h"
#include "formula.h"
#include "make_kernel.h"
#include "plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Numbers of a type: whole random bytes, but for scales of 2^-7 to 2^-5. */
static limn_view kept(limn_dtype dtype, limn_shape shape)
{
    const limn_dtype_row *row = limn_dtype_row_of(dtype);
    size_t n = (size_t)limn_shape_count(&shape), bytes = limn_dtype_size(dtype, n);
    unsigned char *p = kernel_memory(bytes);
    uint32_t seed = 17;
    for (size_t i = 0; i < bytes; i++) seed = seed * 1664525 + 1013904223, p[i] = (unsigned char)(seed >> 24);
    if (dtype == LIMN_F16 || dtype == LIMN_F8_E5M2)
        for (size_t i = row->bytes - 1; i < bytes; i += row->bytes) p[i] = (p[i] & 0x83) | 0x30;
    if (dtype == LIMN_F8_E4M3)
        for (size_t i = 0; i < bytes; i++) p[i] &= 0xbf;
    size_t at = dtype == LIMN_Q2_K ? 80 : dtype == LIMN_Q3_K ? 108 : dtype == LIMN_Q6_K ? 208 : 0;
    bool two = dtype == LIMN_Q4_1 || dtype == LIMN_Q5_1 || dtype == LIMN_Q2_K || dtype == LIMN_Q4_K || dtype == LIMN_Q5_K;
    for (size_t b = 0; row->block > 1 && b < bytes; b += row->bytes)
        for (size_t k = 0; k <= two; k++) p[b + at + 2 * k + 1] = (p[b + at + 2 * k + 1] & 0x83) | 0x20;
    return (limn_view){dtype, shape, p};
}

static limn_view floats(const char *name, limn_shape shape)
{
    float *x = kernel_memory((size_t)limn_shape_count(&shape) * sizeof *x);
    formula_fill(name, limn_shape_count(&shape), 1, x);
    return (limn_view){LIMN_F32, shape, x};
}

static limn_view as(const limn_view *v, limn_dtype dtype)
{
    size_t n = (size_t)limn_shape_count(&v->shape);
    limn_view out = {dtype, v->shape, kernel_memory(n * limn_dtype_bytes(dtype))};
    limn_convert(v->data, v->dtype, out.data, dtype, n);
    return out;
}

/* @return false: the kernel takes no such call */
static bool run(limn_ctx *ctx, const limn_kernel *kernel, limn_call call)
{
    if (kernel->refuse && kernel->refuse(&call)) return false;
    kernel_run(ctx, kernel, call);
    return true;
}

/* One op with these weights in `type`, result and picture in `dtype`.  @return kernels that took it and could be compared */
static int check(limn_ctx *ctx, limn_op op, const limn_attr *attr, limn_shape x, limn_shape w, limn_shape b, limn_shape y,
                 limn_dtype type, limn_dtype dtype)
{
    int n = 0;
    limn_view wide = floats("x", x), source = as(&wide, dtype), weight = kept(type, w), same = as(&weight, LIMN_F32);
    limn_view bias = floats("b", b), out[2];
    const limn_kernel *kernel;
    for (int i = 0; i < 2; i++)
        out[i] = (limn_view){dtype, y, kernel_memory((size_t)limn_shape_count(&y) * limn_dtype_bytes(dtype))};
    size_t bytes = limn_view_bytes(&out[0]);
    for (int r = 0; kernel_rows(r); r++)
        for (int i = 0; (kernel = limn_cpu_kernel(op, i)); i++) {
            if ((r || limn_shape_count(&x) > 8192) && kernel == limn_ref_kernel(op, 0)) continue; /* slow */
            limn_call call = {.op = op,
                              .attr = attr,
                              .n_src = 3,
                              .src = {source, same, bias},
                              .dst = out[0],
                              .n_threads = 2,
                              .rows = kernel_rows(r)};
            memset(out[0].data, 1, bytes), memset(out[1].data, 2, bytes);
            if (!run(ctx, kernel, call)) continue;
            call.src[1] = weight, call.dst = out[1];
            if (!run(ctx, kernel, call)) continue;
            if (memcmp(out[0].data, out[1].data, bytes) != 0)
                print_message("%s, %s, weights in %s, result in %s\n", kernel->name, kernel_rows(r)->name,
                              limn_dtype_name(type), limn_dtype_name(dtype));
            assert_memory_equal(out[0].data, out[1].data, bytes);
            n++;
        }
    for (int i = 0; i < 2; i++) limn_free_aligned(out[i].data);
    limn_free_aligned(wide.data), limn_free_aligned(source.data), limn_free_aligned(weight.data);
    limn_free_aligned(same.data), limn_free_aligned(bias.data);
    return n;
}

static void products(void **state)
{
    limn_attr attr = {.flags = LIMN_HAS_BIAS, .activation = LIMN_SILU};
    for (limn_dtype type = LIMN_F16; type < LIMN_N_DTYPES; type++) {
        if (!(limn_op_keeps(LIMN_OP_LINEAR, 1) >> type & 1)) continue;
        for (int half = 0; half < 2; half++) {
            limn_dtype dtype = half ? LIMN_BF16 : LIMN_F32;
            int n = check(*state, LIMN_OP_LINEAR, &attr, LIMN_SHAPE(101, 512), LIMN_SHAPE(34, 512), LIMN_SHAPE(34),
                          LIMN_SHAPE(101, 34), type, dtype);
            n += check(*state, LIMN_OP_LINEAR, &attr, LIMN_SHAPE(3, 256), LIMN_SHAPE(33, 256), LIMN_SHAPE(33),
                       LIMN_SHAPE(3, 33), type, dtype);
            assert_true(n >= 2); /* the reference takes them all, and is compared where it is quick */
        }
    }
    attr = (limn_attr){0};
    assert_true(check(*state, LIMN_OP_LINEAR_GRAD_INPUT, &attr, LIMN_SHAPE(40, 70), LIMN_SHAPE(70, 96), LIMN_SHAPE(1),
                      LIMN_SHAPE(40, 96), LIMN_F16, LIMN_F32) >= 2);
}

static void convolutions(void **state)
{
    for (int half = 0; half < 2; half++)
        for (int k = 1; k <= 3; k += 2)
            for (int stride = 1; stride < 3; stride++)
                for (int flags = LIMN_HAS_BIAS; flags <= (LIMN_HAS_BIAS | LIMN_UPSAMPLED); flags += LIMN_UPSAMPLED) {
                    if (flags & LIMN_UPSAMPLED && (k == 1 || stride == 2)) continue;
                    limn_attr attr = {.flags = (unsigned)flags, .stride = stride, .pad = {k / 2, k / 2, k / 2, k / 2}};
                    int side = flags & LIMN_UPSAMPLED ? 32 : (16 + stride - 1) / stride;
                    attr.shape = LIMN_SHAPE(side, side);
                    int n = check(*state, LIMN_OP_CONV, &attr, LIMN_SHAPE(1, 16, 16, 64), LIMN_SHAPE(72, 64, k, k),
                                  LIMN_SHAPE(72), LIMN_SHAPE(1, side, side, 72), LIMN_F16, half ? LIMN_BF16 : LIMN_F32);
                    assert_true(n >= 2);
                }
}

static int setup(void **state) { return !(*state = limn_ctx_new()); }

static int teardown(void **state)
{
    limn_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(products), cmocka_unit_test(convolutions)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
