/* metric_thin.c: lines of one pixel. */
#include "metric/metric_parts.h"

#include <stdlib.h>
#include <string.h>

/* Pixels inside a frame that counts as line, so that a line which leaves the picture still does when it is thin. */
typedef struct thinning {
    int64_t step[8];         /* to the neighbours, clockwise from the one above */
    uint8_t *now;            /* [H + 2, W + 2]: 1 line */
    uint32_t *left, *doomed; /* framed indices of the pixels that are line yet, of those that go in this pass */
    size_t n_left, n_doomed;
} thinning;

/* Zhang & Suen 1984, with p2 .. p9 the neighbours: B = sum p_i in 2..6, one step 0 -> 1 on the way round, and
 *     first pass:   p2 p4 p6 = 0, p4 p6 p8 = 0     (what lies at the right or below, or is a corner at the upper left)
 *     second pass:  p2 p4 p8 = 0, p2 p6 p8 = 0 */
static bool goes(const thinning *t, uint32_t i, bool second)
{
    int p[8], sum = 0, rises = 0;
    for (int k = 0; k < 8; k++) p[k] = t->now[(int64_t)i + t->step[k]], sum += p[k];
    for (int k = 0; k < 8; k++) rises += !p[k] && p[(k + 1) & 7];
    if (sum < 2 || sum > 6 || rises != 1) return false;
    return second ? !(p[0] && p[2] && p[6]) && !(p[0] && p[4] && p[6]) : !(p[0] && p[2] && p[4]) && !(p[2] && p[4] && p[6]);
}

static size_t pass(thinning *t, bool second)
{
    size_t kept = 0;
    t->n_doomed = 0;
    for (size_t k = 0; k < t->n_left; k++)
        if (goes(t, t->left[k], second)) t->doomed[t->n_doomed++] = t->left[k];
        else t->left[kept++] = t->left[k];
    for (size_t k = 0; k < t->n_doomed; k++) t->now[t->doomed[k]] = 0;
    t->n_left = kept;
    return t->n_doomed;
}

limn_status limn_thin(limn_ctx *ctx, uint32_t width, uint32_t height, uint8_t *map)
{
    const char *what = "lines to thin";
    size_t row = (size_t)width + 2, framed = row * ((size_t)height + 2), pixels = (size_t)width * height;
    int64_t r = (int64_t)row;
    thinning t = {.step = {-r, -r + 1, 1, r + 1, r, r - 1, -1, -r - 1}};
    t.now = limn_metric_new(ctx, framed, 1, what);
    t.left = limn_metric_new(ctx, pixels, sizeof *t.left, what),
    t.doomed = limn_metric_new(ctx, pixels, sizeof *t.doomed, what);
    bool ok = t.now && t.left && t.doomed;
    if (ok) memset(t.now, 1, framed);
    for (size_t y = 0; ok && y < height; y++)
        for (size_t x = 0; x < width; x++) {
            size_t at = (y + 1) * row + x + 1;
            if ((t.now[at] = map[y * width + x] != 0)) t.left[t.n_left++] = (uint32_t)at;
        }
    while (ok && pass(&t, false) + pass(&t, true)) continue;
    for (size_t y = 0; ok && y < height; y++) memcpy(map + y * width, t.now + (y + 1) * row + 1, width);
    free(t.now), free(t.left), free(t.doomed);
    return ok ? LIMN_OK : LIMN_NO_MEMORY;
}
