/* tensor.c: shapes, element types, conversion. */
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

size_t limn_dtype_bytes(limn_dtype dtype)
{
    static const size_t bytes[LIMN_N_DTYPES] = {[LIMN_F32] = 4, [LIMN_BF16] = 2, [LIMN_F16] = 2, [LIMN_F64] = 8,
                                                [LIMN_I32] = 4, [LIMN_I64] = 8,  [LIMN_U8] = 1};
    return bytes[dtype];
}

const char *limn_dtype_name(limn_dtype dtype)
{
    static const char *const names[LIMN_N_DTYPES] = {"f32", "bf16", "f16", "f64", "i32", "i64", "u8"};
    return names[dtype];
}

int64_t limn_shape_count(const limn_shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++) n *= shape->dim[i];
    return n;
}

bool limn_shape_equal(const limn_shape *a, const limn_shape *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

int64_t limn_shape_cols(const limn_shape *shape)
{
    return shape->rank ? shape->dim[shape->rank - 1] : 1;
}

int64_t limn_shape_rows(const limn_shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < shape->rank; i++) n *= shape->dim[i];
    return n;
}

char *limn_shape_text(const limn_shape *shape, char *out)
{
    int n = snprintf(out, 128, "[");
    for (int i = 0; i < shape->rank; i++)
        n += snprintf(out + n, 128 - (size_t)n, i ? ", %lld" : "%lld", (long long)shape->dim[i]);
    snprintf(out + n, 128 - (size_t)n, "]");
    return out;
}

size_t limn_view_bytes(const limn_view *view)
{
    return (size_t)limn_shape_count(&view->shape) * limn_dtype_bytes(view->dtype);
}

/* ---- f16: 1 sign, 5 exponent (bias 15), 10 mantissa bits ---- */

static float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    union { uint32_t u; float f; } v;
    if (exponent == 31) v.u = sign | 0x7f800000u | mantissa << 13;
    else if (exponent) v.u = sign | (exponent + 112) << 23 | mantissa << 13;
    else {
        v.f = (float)mantissa * 0x1p-24f;
        v.u |= sign;
    }
    return v.f;
}

static uint16_t f32_to_f16(float f)
{
    union { float f; uint32_t u; } v = {.f = f};
    uint16_t sign = (uint16_t)(v.u >> 16 & 0x8000);
    uint32_t magnitude = v.u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00); /* rounds to 65536 or more */
    if (magnitude < 0x38800000u) {                                   /* subnormal: a multiple of 2^-24 */
        v.u = magnitude;
        float scaled = v.f * 0x1p24f;
        uint32_t whole = (uint32_t)scaled;
        float rest = scaled - (float)whole;
        if (rest > 0.5f || (rest == 0.5f && whole & 1)) whole++;
        return (uint16_t)(sign | whole);
    }
    magnitude += 0xfffu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | (magnitude - 0x38000000u) >> 13);
}

/* ---- one element ---- */

static double load(const unsigned char *p, limn_dtype dtype)
{
    union { float f; double d; uint16_t h; int32_t i; int64_t l; } v = {0};
    memcpy(&v, p, limn_dtype_bytes(dtype));
    switch (dtype) {
    case LIMN_F32: return v.f;
    case LIMN_F64: return v.d;
    case LIMN_BF16: return limn_bf16_to_f32(v.h);
    case LIMN_F16: return f16_to_f32(v.h);
    case LIMN_I32: return v.i;
    case LIMN_I64: return (double)v.l;
    default: return *p;
    }
}

static void store(unsigned char *p, limn_dtype dtype, double x)
{
    union { float f; double d; uint16_t h; int32_t i; int64_t l; uint8_t b; } v;
    switch (dtype) {
    case LIMN_F32: v.f = (float)x; break;
    case LIMN_F64: v.d = x; break;
    case LIMN_BF16: v.h = limn_f32_to_bf16((float)x); break;
    case LIMN_F16: v.h = f32_to_f16((float)x); break;
    case LIMN_I32: v.i = (int32_t)x; break;
    case LIMN_I64: v.l = (int64_t)x; break;
    default: v.b = (uint8_t)x; break;
    }
    memcpy(p, &v, limn_dtype_bytes(dtype));
}

double limn_get(const limn_view *view, int64_t i)
{
    return load((const unsigned char *)view->data + (size_t)i * limn_dtype_bytes(view->dtype), view->dtype);
}

void limn_put(const limn_view *view, int64_t i, double value)
{
    store((unsigned char *)view->data + (size_t)i * limn_dtype_bytes(view->dtype), view->dtype, value);
}

/* ---- many ---- */

static void widen_bf16(const unsigned char *src, unsigned char *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, src + 2 * i, 2);
        float f = limn_bf16_to_f32(h);
        memcpy(dst + 4 * i, &f, 4);
    }
}

static void narrow_bf16(const unsigned char *src, unsigned char *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float f;
        memcpy(&f, src + 4 * i, 4);
        uint16_t h = limn_f32_to_bf16(f);
        memcpy(dst + 2 * i, &h, 2);
    }
}

void limn_convert(const void *src, limn_dtype from, void *dst, limn_dtype to, size_t n)
{
    size_t a = limn_dtype_bytes(from), b = limn_dtype_bytes(to);
    const unsigned char *s = src;
    unsigned char *d = dst;
    if (from == to) memmove(d, s, n * a);
    else if (from == LIMN_BF16 && to == LIMN_F32) widen_bf16(s, d, n);
    else if (from == LIMN_F32 && to == LIMN_BF16) narrow_bf16(s, d, n);
    else
        for (size_t i = 0; i < n; i++) store(d + i * b, to, load(s + i * a, from));
}
