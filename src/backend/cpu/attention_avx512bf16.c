/* attention_avx512bf16.c: attention on bf16 with VDPBF16PS: sums of 8 rows by up to 3 vectors stay in registers. */
#include "backend/cpu/amx.h"

#include <immintrin.h>

typedef struct tiles {
    char none;
} tiles;

static inline void tile_configure(tiles *t)
{
    (void)t;
}

static inline void tile_release(tiles *t)
{
    (void)t;
}

#include "backend/cpu/attention_bf16.inc.h"

enum { BLOCK_ROWS = 8 };

/* C [8][16 vectors] (+)= A [8][2 pairs] B */
static inline __attribute__((always_inline)) void block(const int vectors, float *c, int64_t c_row, const bf16 *a,
                                                        int64_t a_row, const bf16 *b, int64_t group, int64_t pairs, bool add)
{
    __m512 sum[BLOCK_ROWS][3];
#pragma GCC unroll 8
    for (int r = 0; r < BLOCK_ROWS; r++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) sum[r][v] = add ? _mm512_loadu_ps(c + r * c_row + 16 * v) : _mm512_setzero_ps();
    for (int64_t i = 0; i < pairs; i++, a += 2, b += 32) {
        __m512i x[3];
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) x[v] = _mm512_loadu_si512(b + v * group);
#pragma GCC unroll 8
        for (int r = 0; r < BLOCK_ROWS; r++) {
            int32_t pair;
            memcpy(&pair, a + r * a_row, sizeof pair);
            __m512i both = _mm512_set1_epi32(pair);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], (__m512bh)both, (__m512bh)x[v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < BLOCK_ROWS; r++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) _mm512_storeu_ps(c + r * c_row + 16 * v, sum[r][v]);
}

static void product(tiles *t, float *c, int64_t c_row, int64_t rows, int64_t cols, const bf16 *a, int64_t a_row,
                    const bf16 *b, int64_t group, int64_t k, bool add)
{
    (void)t;
    int64_t pairs = (k + 1) / 2, left = (cols + 15) / 16;
    for (int64_t n; left > 0; left -= n, c += 16 * n, b += n * group) {
        n = left == 4 || left == 2 ? 2 : left < 3 ? left : 3; /* 8 = 3 + 3 + 2, 4 = 2 + 2 */
        for (int64_t i = 0; i < rows; i += BLOCK_ROWS) {
            float *at = c + i * c_row;
            const bf16 *from = a + i * a_row;
            if (n == 3) block(3, at, c_row, from, a_row, b, group, pairs, add);
            else if (n == 2) block(2, at, c_row, from, a_row, b, group, pairs, add);
            else block(1, at, c_row, from, a_row, b, group, pairs, add);
        }
    }
}

void limn_pairs_attention(const limn_head *head)
{
    tiles t;
    attention_tiles(&t, head);
}

void limn_pairs_attention_grad(const limn_head *head)
{
    tiles t;
    attention_grad_tiles(&t, head);
}
