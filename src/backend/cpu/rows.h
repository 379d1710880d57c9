/* rows.h: the inner loops of the CPU kernels, once per instruction set.
 *
 * rows.inc.h is compiled for each (rows_portable.c, on x86-64 rows_avx2.c, rows_avx512.c, rows_avx512bf16.c, on 64-bit ARM
 * rows_neon.c); every loop works on f32 blocks and knows nothing of threads.  limn_rows_best() picks at run time; tests, and
 * plans for another CPU, name one. */
#ifndef LIMN_ROWS_H
#define LIMN_ROWS_H

#include "backend/backend.h"

/* Each has what those before it of its family have. */
typedef enum limn_isa {
    LIMN_ISA_PORTABLE,
    LIMN_ISA_NEON,   /* 64-bit ARM; those below: x86-64 */
    LIMN_ISA_AVX2,   /* with FMA */
    LIMN_ISA_AVX512, /* F, BW, DQ, VL */
    LIMN_ISA_AVX512BF16,
    LIMN_ISA_AMX, /* AMX-TILE and AMX-BF16 */
} limn_isa;

enum { LIMN_TILE_ROWS = 6 };
enum { LIMN_PANEL = 32 }; /* most columns of a tile of `floats`; a panel is as wide as such a tile */
enum { LIMN_BLOCK = 1024 }; /* floats: 4 KB, a few of them fit the first cache */

/* One head of one sample: element (t, i) of q lies at q[t * q_row + i]; rows are in elements of `dtype`. */
typedef struct limn_head {
    int64_t n_query, n_key, d;
    float scale;
    bool causal;
    limn_dtype dtype;
    const void *q, *k, *v, *out, *dout;
    void *y, *dq, *dk, *dv;
    int64_t q_row, k_row, v_row, y_row, out_row, dout_row, dq_row, dk_row, dv_row;
    const void *bias;    /* element (t, j) on the score of query t and key j, at bias[t * bias_row + j]; NULL: none */
    float *dbias;        /* not NULL: the gradient adds d bias here and makes nothing else */
    int64_t bias_row;    /* 0: one row for all queries */
    float *scratch;
} limn_head;

/** C [rows][cols] (+)= A [rows][runs n] B [runs n][width], see tile.inc.h */
typedef void limn_tile(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run, const float *b,
                       int64_t n, int64_t runs, int rows, int cols, bool add);
/** Words to [n][width] of floats, a[i row + j], or of pairs (a[i row + j], b[i row + j]) of bf16; zeros from column `cols`
 *  on */
typedef void limn_lay(float *to, int64_t width, const void *a, const void *b, int64_t row, int64_t n, int64_t cols);

/* Products of one kind of words: floats, or pairs of bf16. */
typedef struct limn_tiles {
    int rows, width, steps; /* most rows and columns of a tile; a strip's steps are a multiple of `steps` */
    limn_tile *multiply;
    limn_lay *lay;
    void (*turn)(float *strip,
                 int64_t steps); /* makes of a strip [steps][rows] what multiply takes as A; NULL: it takes it as it is */
    void (*begin)(void), (*end)(void);          /* around the products of one thread; NULL: nothing to do */
} limn_tiles;

/* The transforms of a 3 x 3 convolution in tiles of 4 x 4 pixels (winograd.inc.h): 36 rows, `next` floats apart. */
typedef struct limn_winograd {
    /** n channels, a multiple of 16, of 6 x 6 pixels */
    void (*input)(float *to, int64_t next, const void *const *pixel, limn_dtype dtype, int64_t n);
    /** w [n][3][3][panel] to rows [n][panel] */
    void (*weight)(float *to, int64_t next, const void *w, limn_dtype dtype, int64_t n);
    /** sums [panel] to pixels [4][4][panel], with a bias [panel] or NULL */
    void (*output)(float *to, const float *sums, int64_t next, const float *bias);
    /** The gradient of w: channels at.. [panel] of 4 x 4 pixels; sums [panel] to windows [3][3][panel] */
    void (*result)(float *to, int64_t next, const void *const *pixel, limn_dtype dtype, int64_t at);
    void (*window)(float *to, const float *sums, int64_t next);
} limn_winograd;

enum {
    LIMN_INT16_A = (1 << 13) - 1,  /* the largest number of a row of A */
    LIMN_INT16_B = (1 << 18) - 128, /* the largest sum of a column of B, before its at most 128 numbers are rounded */
    LIMN_INT16_MOST = (1 << 15) - 1,
};

/* Products of 16-bit integers (int16.inc.h), for what would be bf16; none where such are no faster. */
typedef struct limn_int16 {
    int rows; /* most rows of a tile; its columns are a panel's; 0: there are no such products */
    /** C [rows][panel] (+)= row_scale column_scale (A B):  word (r, i) of A at a[r a_row + i a_step];  b [n][panel] */
    void (*multiply)(float *c, int64_t c_row, const void *a, int64_t a_row, int64_t a_step, const float *b, int64_t n,
                     int rows, const float *row_scale, const float *column_scale, bool add);
    /** Columns of n floats, a multiple of 16 of them, as integers up to `most` that add up to `most_sum` at most, two rows
     *  to a word, the last of an odd number with zeros; inverse [cols] makes them what they were */
    void (*pairs)(float *to, int64_t to_row, float *inverse, const float *from, int64_t from_row, int64_t n, int64_t cols,
                  float most_sum, float most);
    /** n floats, a multiple of 16, as integers up to LIMN_INT16_A.  @return what makes them what they were */
    float (*row)(int16_t *to, const float *from, int64_t n);
    /** Of the same windows, transformed: sum += |u|, most = max(most, |u|), [36][panel] */
    void (*measure)(float *sum, float *most, const void *w, int64_t n);
    /** w [n][3][3][panel] of bf16, transformed, times scale [36][panel], to rows [n / 2][panel] of words, `next` apart */
    void (*weight)(float *to, int64_t next, const void *w, int64_t n, const float *scale);
} limn_int16;

/* A picture beside its differences (enlarged.inc.h). */
typedef struct limn_enlarged {
    /** n channels, a multiple of 16, of 2 x 2 pixels: the last one and its differences, to 4 rows, `next` floats apart */
    void (*fields)(float *to, int64_t next, const void *const *pixel, limn_dtype dtype, int64_t n);
    /** sums [panel], 9 rows `next` floats apart, to pixels [2][2][panel], with a bias [panel] or NULL */
    void (*pixels)(float *to, const float *sums, int64_t next, const float *bias);
} limn_enlarged;

/* A norm over pixels: beside x lie numbers of its channels, repeated.  d = x - mean;  z = d scale + shift;  dz = dy
 * act'(z) */
typedef struct limn_channels {
    limn_activation activation;
    const float *mean, *scale, *shift, *slope, *offset;
} limn_channels;

typedef struct limn_rows {
    const char *name;
    limn_isa isa;
    int vector; /* floats of a register */
    limn_tiles floats, pairs, narrow_pairs; /* of two vectors (floats on NEON: four), and of one with twice the rows */
    limn_tiles wide_floats; /* of four vectors where there are 32 registers, else as `floats` */
    limn_winograd winograd;
    limn_int16 int16;
    limn_enlarged enlarged;
    void (*load)(float *to, const void *from, limn_dtype dtype, int64_t n);
    void (*store)(void *to, limn_dtype dtype, const float *from, int64_t n);
    /** y = op(a, b) on n floats; b NULL for one operand. y may be a or b. */
    void (*step)(const struct limn_chain_step *step, float *y, const float *a, const float *b, int64_t n);
    /** mean and 1/sqrt(var + eps); mean is 0 for RMS norm */
    void (*stats)(const float *x, int64_t d, float eps, bool layer, float *mean, float *rstd);
    /** y = (x - mean) rstd (c + w) + b; w, b NULL: none */
    void (*norm)(float *y, const float *x, int64_t d, float mean, float rstd, float c, const float *w, const float *b);
    void (*norm_grad)(float *dx, const float *x, const float *dy, int64_t d, float mean, float rstd, bool layer, float c,
                      const float *w);
    /** sum += dy (x - mean) rstd */
    void (*norm_grad_weight)(float *sum, const float *x, const float *dy, int64_t d, float mean, float rstd);
    /* Of pixels, x (and dy) in f32 or bf16; results lie apart. */
    /** sum += d, square += d^2, d = x - origin */
    void (*deviations)(float *sum, float *square, const void *x, limn_dtype dtype, const float *origin, int64_t n);
    /** y = act(z) */
    void (*channel_norm)(float *y, const void *x, limn_dtype dtype, const limn_channels *c, int64_t n);
    /** along += dz d, sum += dz;  x and dy of one type */
    void (*channel_sums)(float *along, float *sum, const void *x, const void *dy, limn_dtype dtype, const limn_channels *c,
                         int64_t n);
    /** dx = dz scale + d slope + offset */
    void (*channel_grad)(float *dx, const void *x, const void *dy, limn_dtype dtype, const limn_channels *c, int64_t n);
    void (*add)(float *sum, const float *x, int64_t n);
    float (*total)(const float *x, int64_t n);
    void (*softmax)(float *y, const float *x, int64_t n);
    /** y = residual + gate y; gate NULL: 1 */
    void (*gated_residual)(float *y, const float *gate, const float *residual, int64_t n);
    void (*attention)(const limn_head *head);
    void (*attention_grad)(const limn_head *head);
} limn_rows;

/* All of this family are here, to plan with also where the CPU cannot run them.  Those of AMX are those of AVX512_BF16: what
 * is done on tiles is in kernels of their own. */
extern const limn_rows limn_rows_portable, limn_rows_neon, limn_rows_avx2, limn_rows_avx512, limn_rows_avx512bf16,
    limn_rows_amx;

/** The best that this CPU runs, never those of AMX. */
const limn_rows *limn_rows_best(void);
/** NULL when this process may use the instructions, else why not. */
const char *limn_isa_refuse(limn_isa isa);
/** The same of the CPU that a call is for: one like the loops it names, or this one. */
const char *limn_isa_refuse_call(const limn_call *call, limn_isa isa);
/** Does this CPU have AMX but no AVX512_BF16?  Only where a hypervisor hides it. */
bool limn_isa_lacks_avx512bf16(void);
/** Are products of bf16 pairs no faster than those of floats on this CPU?  Intel's VDPBF16PS begins once a cycle and does 32
 *  products, its FMA twice and does 16 each; only its tiles (AMX) are faster.  AMD's begin equally often. */
bool limn_isa_pairs_are_slow(void);
/** Those that the call names, else the best. */
static inline const limn_rows *limn_rows_of(const limn_call *call)
{
    return call->rows ? call->rows : limn_rows_best();
}

static inline int64_t limn_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/** Parts of a size that n are in. */
static inline int64_t limn_parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

/** The least multiple of `to` that is at least n. */
static inline int64_t limn_round_up(int64_t n, int64_t to)
{
    return (n + to - 1) / to * to;
}

/** Bytes of scratch that attention (or its gradient) needs per thread. */
size_t limn_head_scratch_bytes(int64_t n_key, int64_t d, bool backward);

#endif
