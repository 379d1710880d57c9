/* window.h: the windows of a convolution as rows of a matrix that is never made.
 *
 * Row p of A [pixels][terms] is the window of grid pixel p = (b rows + i) cols + j, terms in the order (u, v, c):
 *
 *     A[p, (u kw + v) C + c] = source[b, i step + u - top, j step + v - left, c],   0 outside
 *
 * The terms of one u are kw C neighbours in memory: most of A can be read where it lies. */
#ifndef LIMN_WINDOW_H
#define LIMN_WINDOW_H

#include "backend/cpu/rows.h"

#include <string.h>

typedef struct limn_windows {
    const float *source;         /* [batch, h, w, c] words: floats, or pairs of bf16 channels, c of them */
    int64_t batch, h, w, c;
    int64_t rows, cols;          /* grid */
    int64_t kh, kw, step, top, left;
} limn_windows;

static inline int64_t limn_windows_pixels(const limn_windows *k)
{
    return k->batch * k->rows * k->cols;
}

static inline int64_t limn_windows_terms(const limn_windows *k)
{
    return k->kh * k->kw * k->c;
}

/* Grid pixel (i, j) of picture b. */
typedef struct limn_place {
    int64_t b, i, j;
} limn_place;

static inline limn_place limn_place_of(const limn_windows *k, int64_t p)
{
    return (limn_place){p / k->cols / k->rows, p / k->cols % k->rows, p % k->cols};
}

static inline limn_place limn_place_after(const limn_windows *k, limn_place at)
{
    if (++at.j < k->cols) return at;
    return at.i + 1 < k->rows ? (limn_place){at.b, at.i + 1, 0} : (limn_place){at.b + 1, 0, 0};
}

static inline int64_t limn_between(int64_t low, int64_t x, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/** Terms term..term+n of a pixel's row, copied: of each u those inside the source are one run, with zeros on both sides. */
static inline void limn_window_copy(const limn_windows *k, limn_place at, int64_t term, int64_t n, float *to)
{
    int64_t run = k->kw * k->c, u = term / run, first = term % run, x = at.j * k->step - k->left;
    for (int64_t end; n > 0; n -= end - first, to += end - first, first = 0, u++) {
        int64_t y = at.i * k->step + u - k->top, from = ((at.b * k->h + y) * k->w + x) * k->c;
        bool inside = y >= 0 && y < k->h;
        end = run - first < n ? run : first + n;
        int64_t low = limn_between(first, inside ? -x * k->c : end, end), high = limn_between(low, (k->w - x) * k->c, end);
        if (low > first) memset(to, 0, (size_t)(low - first) * sizeof *to);
        if (high > low) memcpy(to + low - first, k->source + (from + low), (size_t)(high - low) * sizeof *to);
        if (end > high) memset(to + high - first, 0, (size_t)(end - high) * sizeof *to);
    }
}

/** Where terms of window row u of n pixels from `at` on lie, `step * c` words apart; NULL when one is outside or the grid
 *  row ends. */
static inline const float *limn_window_find(const limn_windows *k, limn_place at, int64_t n, int64_t u)
{
    int64_t y = at.i * k->step + u - k->top, x = at.j * k->step - k->left;
    if (at.j + n > k->cols || y < 0 || y >= k->h || x < 0 || x + (n - 1) * k->step + k->kw > k->w) return NULL;
    return k->source + ((at.b * k->h + y) * k->w + x) * k->c;
}

#endif
