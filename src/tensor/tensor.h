/* tensor.h: element types, shapes and views.  A view borrows its bytes; rows are dense, last dimension fastest. */
#ifndef LIMN_TENSOR_H
#define LIMN_TENSOR_H

#include "limn/graph.h"
#include "limn/limn.h"

typedef struct limn_view {
    limn_dtype dtype;
    limn_shape shape;
    void *data;
} limn_view;

enum { LIMN_MOST_BLOCK = 256 };

/* A type of elements is a row of one table.  Elements come in blocks: of one each, or of many that share what it takes to
 * decode them. */
typedef struct limn_dtype_row {
    const char *name, *file_name;  /* "f32"; "F32", as safetensors has it */
    size_t block, bytes;           /* elements of a block, at most LIMN_MOST_BLOCK; bytes of one */
    double (*get)(const void *p);  /* an element; NULL where blocks hold many */
    void (*put)(void *p, double value); /* NULL: single numbers do not become this type */
    void (*decode)(const unsigned char *src, size_t n_blocks, unsigned char *f32); /* NULL: by get() */
    void (*encode)(const unsigned char *f32, size_t n_blocks, unsigned char *dst); /* NULL: by put() */
} limn_dtype_row;

const limn_dtype_row *limn_dtype_row_of(limn_dtype dtype);
/** The type that files call so ("BF16").  @return false: it is none that Limn computes with */
bool limn_dtype_find(const char *file_name, limn_dtype *out);
const char *limn_dtype_name(limn_dtype dtype); /* "f32" ... */
/** Bytes of n elements.  @return SIZE_MAX: n elements are not whole blocks */
size_t limn_dtype_size(limn_dtype dtype, size_t n);
size_t limn_row_size(const limn_dtype_row *row, size_t n);
/** Bytes of an element, for kernels: they compute with types whose blocks are of one. */
size_t limn_dtype_bytes(limn_dtype dtype);

int64_t limn_shape_count(const limn_shape *shape);                /* elements; 1 for rank 0 */
bool limn_shape_equal(const limn_shape *a, const limn_shape *b);
/** Elements of the last dimension (1 for rank 0) and the number of such rows. */
int64_t limn_shape_cols(const limn_shape *shape);
int64_t limn_shape_rows(const limn_shape *shape);
/** "[2, 77, 512]"; out needs 128 bytes. @return out */
char *limn_shape_text(const limn_shape *shape, char *out);
size_t limn_view_bytes(const limn_view *view);

/** Convert n elements, whole blocks; any float type to any but those of 8 bits (F64 not to blocks), I64 to I32 checked by
 *  the caller.  bf16 and f16 round to nearest even; NaN stays NaN.  src and dst may be unaligned and must not overlap unless
 *  they are the same type. */
void limn_convert(const void *src, limn_dtype from, void *dst, limn_dtype to, size_t n);
/** The same by rows; of whole blocks. */
void limn_row_convert(const limn_dtype_row *from, const void *src, const limn_dtype_row *to, void *dst, size_t n);

static inline float limn_bf16_to_f32(uint16_t h)
{
    union { uint32_t u; float f; } v = { .u = (uint32_t)h << 16 };
    return v.f;
}

/* f16: 1 sign, 5 exponent (bias 15), 10 mantissa bits.  Both ways are worked out and one is taken, so that loops over it are
 * vectors.  Below the normal ones a number is a multiple of 2^-24, made by a product: denormal floats may be taken for 0
 * meanwhile. */
static inline float limn_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    union {
        uint32_t u;
        float f;
    } v, small = {.f = (float)(int32_t)mantissa * 0x1p-24f};
    uint32_t normal = (exponent + (exponent == 31 ? 224 : 112)) << 23 | mantissa << 13;
    v.u = sign | (exponent ? normal : small.u);
    return v.f;
}

static inline uint16_t limn_f32_to_bf16(float f)
{
    union { float f; uint32_t u; } v = { .f = f };
    if ((v.u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(v.u >> 16 | 0x40); /* keep NaN a NaN */
    return (uint16_t)((v.u + 0x7fffu + (v.u >> 16 & 1u)) >> 16);
}

/** Rounded to nearest even; 65520 and more become infinity. */
uint16_t limn_f32_to_f16(float f);

/** Element i as a double, and back (rounded to the type): the reference kernels are written with these two. */
double limn_get(const limn_view *view, int64_t i);
void limn_put(const limn_view *view, int64_t i, double value);

#endif
