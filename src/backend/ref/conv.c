/* conv.c: convolutions.   x [B,H,W,C]  W [O,C,kh,kw]  y [B,h,w,O]
 *
 *   y[b,i,j,o] = sum over c, u, v of x[b, i s + u - top, j s + v - left, c] W[o,c,u,v]        pixels outside are 0
 *
 * All three kernels walk the same set of meetings (pixel of y, pixel of x, element of the window). */
#include "backend/ref/ref.h"

#include <string.h>

typedef struct conv {
    int64_t batch, h, w, c, rows, cols, o, kh, kw; /* picture h x w x c, result rows x cols x o */
    const limn_attr *attr;
} conv;

static conv conv_of(const limn_call *call, const limn_shape *picture, const limn_shape *result, const limn_shape *weight)
{
    return (conv){picture->dim[0], picture->dim[1], picture->dim[2], picture->dim[3], result->dim[1],
                  result->dim[2],  result->dim[3],  weight->dim[2],  weight->dim[3],  call->attr};
}

/* Index of the first channel of picture pixel (b, y, x), or -1 outside. */
static int64_t pixel(const conv *k, int64_t b, int64_t y, int64_t x)
{
    return y < 0 || x < 0 || y >= k->h || x >= k->w ? -1 : ((b * k->h + y) * k->w + x) * k->c;
}

static int64_t met(const conv *k, int64_t b, int64_t i, int64_t j, int64_t u, int64_t v)
{
    int64_t y = i * k->attr->stride + u - k->attr->pad[0], x = j * k->attr->stride + v - k->attr->pad[1];
    if (k->attr->flags & LIMN_UPSAMPLED) return y < 0 || x < 0 ? -1 : pixel(k, b, y / 2, x / 2);
    return pixel(k, b, y, x);
}

static double window_sum(const limn_call *call, const conv *k, int64_t b, int64_t i, int64_t j, int64_t o)
{
    double sum = 0;
    for (int64_t u = 0; u < k->kh; u++)
        for (int64_t v = 0; v < k->kw; v++) {
            int64_t at = met(k, b, i, j, u, v);
            for (int64_t c = 0; at >= 0 && c < k->c; c++)
                sum += limn_get(&call->src[0], at + c) * limn_get(&call->src[1], ((o * k->c + c) * k->kh + u) * k->kw + v);
        }
    return sum;
}

static limn_status forward(const limn_call *call)
{
    conv k = conv_of(call, &call->src[0].shape, &call->dst.shape, &call->src[1].shape);
    const limn_view *bias = call->attr->flags & LIMN_HAS_BIAS ? &call->src[2] : NULL;
    const limn_view *residual = call->attr->flags & LIMN_HAS_RESIDUAL ? &call->src[call->n_src - 1] : NULL;
    for (int64_t at = 0; at < limn_shape_count(&call->dst.shape); at++) {
        int64_t o = at % k.o, j = at / k.o % k.cols, i = at / k.o / k.cols % k.rows, b = at / k.o / k.cols / k.rows;
        double y = window_sum(call, &k, b, i, j, o);
        if (bias) y += limn_get(bias, o);
        if (residual) y += limn_get(residual, at);
        limn_put(&call->dst, at, limn_ref_activation(call->attr->activation, y));
    }
    return LIMN_OK;
}

/* Scratch: the sums in double, one row of a picture of one sample at a time. */
static size_t conv_transpose_scratch(const limn_call *call)
{
    return (size_t)(call->dst.shape.dim[2] * call->dst.shape.dim[3]) * sizeof(double);
}

static void transposed_row(const limn_call *call, const conv *k, int64_t b, int64_t y, double *sum)
{
    for (int64_t u = 0; u < k->kh; u++) {
        int64_t from = y + k->attr->pad[0] - u, i = from / k->attr->stride;
        if (from < 0 || from % k->attr->stride || i >= k->rows) continue;
        for (int64_t j = 0; j < k->cols; j++)
            for (int64_t v = 0; v < k->kw; v++) {
                int64_t at = met(k, b, i, j, u, v), first = pixel(k, b, y, 0);
                for (int64_t o = 0; at >= 0 && o < k->o; o++) {
                    double in = limn_get(&call->src[0], ((b * k->rows + i) * k->cols + j) * k->o + o);
                    for (int64_t c = 0; c < k->c; c++)
                        sum[at - first + c] += in * limn_get(&call->src[1], ((o * k->c + c) * k->kh + u) * k->kw + v);
                }
            }
    }
}

static limn_status conv_transpose(const limn_call *call)
{
    conv k = conv_of(call, &call->dst.shape, &call->src[0].shape, &call->src[1].shape);
    double *sum = call->scratch;
    int64_t n = k.w * k.c;
    for (int64_t row = 0; row < k.batch * k.h; row++) {
        for (int64_t i = 0; i < n; i++) sum[i] = call->attr->flags & LIMN_HAS_BIAS ? limn_get(&call->src[2], i % k.c) : 0;
        transposed_row(call, &k, row / k.h, row % k.h, sum);
        for (int64_t i = 0; i < n; i++) limn_put(&call->dst, row * n + i, sum[i]);
    }
    return LIMN_OK;
}

/* dW[o,c,u,v] = sum over b, i, j of x[b, i s + u - top, j s + v - left, c] dy[b,i,j,o] */
static limn_status conv_grad_weight(const limn_call *call)
{
    conv k = conv_of(call, &call->src[0].shape, &call->src[1].shape, &call->dst.shape);
    for (int64_t at = 0; at < limn_shape_count(&call->dst.shape); at++) {
        int64_t v = at % k.kw, u = at / k.kw % k.kh, c = at / k.kw / k.kh % k.c, o = at / k.kw / k.kh / k.c;
        double sum = 0;
        for (int64_t p = 0; p < k.batch * k.rows * k.cols; p++) {
            int64_t from = met(&k, p / k.cols / k.rows, p / k.cols % k.rows, p % k.cols, u, v);
            if (from >= 0) sum += limn_get(&call->src[0], from + c) * limn_get(&call->src[1], p * k.o + o);
        }
        limn_put(&call->dst, at, sum);
    }
    return LIMN_OK;
}

const limn_kernel limn_ref_conv[LIMN_N_OPS] = {
    [LIMN_OP_CONV] = REF(forward),
    [LIMN_OP_CONV_TRANSPOSE] = {.name = "ref", .run = conv_transpose, .scratch_bytes = conv_transpose_scratch},
    [LIMN_OP_CONV_GRAD_WEIGHT] = REF(conv_grad_weight),
};
