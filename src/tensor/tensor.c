/* tensor.c: shapes, element types, conversion. */
#include "tensor/tensor.h"

#include "tensor/blocks.h"

#include <stdio.h>
#include <string.h>

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
    return limn_dtype_size(view->dtype, (size_t)limn_shape_count(&view->shape));
}

/* ---- f16 ---- */

uint16_t limn_f32_to_f16(float f)
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

/* ---- one element, which may lie at any byte ---- */

static double get_f32(const void *p) { float x; return memcpy(&x, p, sizeof x), x; }
static double get_f64(const void *p) { double x; return memcpy(&x, p, sizeof x), x; }
static double get_bf16(const void *p) { uint16_t x; return memcpy(&x, p, sizeof x), limn_bf16_to_f32(x); }
static double get_f16(const void *p)
{
    uint16_t x;
    return memcpy(&x, p, sizeof x), limn_f16_to_f32(x);
}
static double get_i32(const void *p) { int32_t x; return memcpy(&x, p, sizeof x), x; }
static double get_i64(const void *p) { int64_t x; return memcpy(&x, p, sizeof x), (double)x; }
static double get_u8(const void *p) { return *(const uint8_t *)p; }

static void put_f32(void *p, double value) { float x = (float)value; memcpy(p, &x, sizeof x); }
static void put_f64(void *p, double value) { memcpy(p, &value, sizeof value); }
static void put_bf16(void *p, double value) { uint16_t x = limn_f32_to_bf16((float)value); memcpy(p, &x, sizeof x); }
static void put_f16(void *p, double value) { uint16_t x = limn_f32_to_f16((float)value); memcpy(p, &x, sizeof x); }
static void put_i32(void *p, double value) { int32_t x = (int32_t)value; memcpy(p, &x, sizeof x); }
static void put_i64(void *p, double value) { int64_t x = (int64_t)value; memcpy(p, &x, sizeof x); }
static void put_u8(void *p, double value) { *(uint8_t *)p = (uint8_t)value; }

/* ---- many ---- */

/* Each of the four below is a loop of its own, of vectors: `one` is known when it is compiled. */
static inline __attribute__((always_inline)) void widen(const unsigned char *src, size_t n, unsigned char *dst,
                                                        float (*one)(uint16_t))
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, src + 2 * i, 2);
        float f = one(h);
        memcpy(dst + 4 * i, &f, 4);
    }
}

static inline __attribute__((always_inline)) void narrow(const unsigned char *src, size_t n, unsigned char *dst,
                                                         uint16_t (*one)(float))
{
    for (size_t i = 0; i < n; i++) {
        float f;
        memcpy(&f, src + 4 * i, 4);
        uint16_t h = one(f);
        memcpy(dst + 2 * i, &h, 2);
    }
}

static void decode_bf16(const unsigned char *src, size_t n, unsigned char *dst) { widen(src, n, dst, limn_bf16_to_f32); }
static void encode_bf16(const unsigned char *src, size_t n, unsigned char *dst) { narrow(src, n, dst, limn_f32_to_bf16); }
static void decode_f16(const unsigned char *src, size_t n, unsigned char *dst) { widen(src, n, dst, limn_f16_to_f32); }
static void encode_f16(const unsigned char *src, size_t n, unsigned char *dst) { narrow(src, n, dst, limn_f32_to_f16); }

/* ---- the table ---- */

static const limn_dtype_row rows[LIMN_N_DTYPES] = {
    [LIMN_F32] = {"f32", "F32", 1, 4, get_f32, put_f32, NULL, NULL},
    [LIMN_BF16] = {"bf16", "BF16", 1, 2, get_bf16, put_bf16, decode_bf16, encode_bf16},
    [LIMN_F16] = {"f16", "F16", 1, 2, get_f16, put_f16, decode_f16, encode_f16},
    [LIMN_F64] = {"f64", "F64", 1, 8, get_f64, put_f64, NULL, NULL},
    [LIMN_I32] = {"i32", "I32", 1, 4, get_i32, put_i32, NULL, NULL},
    [LIMN_I64] = {"i64", "I64", 1, 8, get_i64, put_i64, NULL, NULL},
    [LIMN_U8] = {"u8", "U8", 1, 1, get_u8, put_u8, NULL, NULL},
    [LIMN_F8_E4M3] = {"f8_e4m3", "F8_E4M3", 1, 1, limn_get_f8_e4m3, NULL, limn_decode_f8_e4m3, NULL},
    [LIMN_F8_E5M2] = {"f8_e5m2", "F8_E5M2", 1, 1, limn_get_f8_e5m2, NULL, limn_decode_f8_e5m2, NULL},
    [LIMN_Q8_0] = {"q8_0", "Q8_0", 32, 34, NULL, NULL, limn_decode_q8_0, limn_encode_q8_0},
    [LIMN_Q4_0] = {"q4_0", "Q4_0", 32, 18, NULL, NULL, limn_decode_q4_0, limn_encode_q4_0},
    [LIMN_Q4_1] = {"q4_1", "Q4_1", 32, 20, NULL, NULL, limn_decode_q4_1, limn_encode_q4_1},
    [LIMN_Q5_0] = {"q5_0", "Q5_0", 32, 22, NULL, NULL, limn_decode_q5_0, limn_encode_q5_0},
    [LIMN_Q5_1] = {"q5_1", "Q5_1", 32, 24, NULL, NULL, limn_decode_q5_1, limn_encode_q5_1},
    [LIMN_IQ4_NL] = {"iq4_nl", "IQ4_NL", 32, 18, NULL, NULL, limn_decode_iq4_nl, limn_encode_iq4_nl},
    [LIMN_Q2_K] = {"q2_k", "Q2_K", 256, 84, NULL, NULL, limn_decode_q2_k, limn_encode_q2_k},
    [LIMN_Q3_K] = {"q3_k", "Q3_K", 256, 110, NULL, NULL, limn_decode_q3_k, limn_encode_q3_k},
    [LIMN_Q4_K] = {"q4_k", "Q4_K", 256, 144, NULL, NULL, limn_decode_q4_k, limn_encode_q4_k},
    [LIMN_Q5_K] = {"q5_k", "Q5_K", 256, 176, NULL, NULL, limn_decode_q5_k, limn_encode_q5_k},
    [LIMN_Q6_K] = {"q6_k", "Q6_K", 256, 210, NULL, NULL, limn_decode_q6_k, limn_encode_q6_k},
};

const limn_dtype_row *limn_dtype_row_of(limn_dtype dtype)
{
    return &rows[dtype];
}

bool limn_dtype_find(const char *file_name, limn_dtype *out)
{
    for (int i = 0; i < LIMN_N_DTYPES; i++)
        if (strcmp(rows[i].file_name, file_name) == 0) return *out = (limn_dtype)i, true;
    return false;
}

const char *limn_dtype_name(limn_dtype dtype)
{
    return rows[dtype].name;
}

size_t limn_dtype_bytes(limn_dtype dtype)
{
    return rows[dtype].bytes;
}

size_t limn_row_size(const limn_dtype_row *row, size_t n)
{
    return n % row->block ? SIZE_MAX : n / row->block * row->bytes;
}

size_t limn_dtype_size(limn_dtype dtype, size_t n)
{
    return limn_row_size(&rows[dtype], n);
}

static void convert_by_f32(const limn_dtype_row *from, const unsigned char *s, const limn_dtype_row *to, unsigned char *d,
                           size_t n)
{
    float x[LIMN_MOST_BLOCK];
    for (size_t m; n; n -= m, s += limn_row_size(from, m), d += limn_row_size(to, m)) {
        m = n < LIMN_MOST_BLOCK ? n : LIMN_MOST_BLOCK;
        from->decode(s, m / from->block, (unsigned char *)x);
        limn_row_convert(&rows[LIMN_F32], x, to, d, m);
    }
}

void limn_row_convert(const limn_dtype_row *from, const void *src, const limn_dtype_row *to, void *dst, size_t n)
{
    const unsigned char *s = src;
    unsigned char *d = dst;
    if (from == to) memmove(d, s, limn_row_size(from, n));
    else if (from->decode && to == &rows[LIMN_F32]) from->decode(s, n / from->block, d);
    else if (to->encode && from == &rows[LIMN_F32]) to->encode(s, n / to->block, d);
    else if (from->decode)
        convert_by_f32(from, s, to, d, n);
    else
        for (size_t i = 0; i < n; i++) to->put(d + i * to->bytes, from->get(s + i * from->bytes));
}

void limn_convert(const void *src, limn_dtype from, void *dst, limn_dtype to, size_t n)
{
    limn_row_convert(&rows[from], src, &rows[to], dst, n);
}

double limn_get(const limn_view *view, int64_t i)
{
    const limn_dtype_row *row = &rows[view->dtype];
    const unsigned char *block = (const unsigned char *)view->data + (size_t)i / row->block * row->bytes;
    if (row->block == 1) return row->get(block);
    float x[LIMN_MOST_BLOCK];
    row->decode(block, 1, (unsigned char *)x);
    return x[(size_t)i % row->block];
}

void limn_put(const limn_view *view, int64_t i, double value)
{
    const limn_dtype_row *row = &rows[view->dtype];
    row->put((unsigned char *)view->data + (size_t)i * row->bytes, value);
}
