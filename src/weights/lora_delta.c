/* lora_delta.c: what a module adds to W [o, i..], of rank r, with s = alpha / r:
 *
 *   LoRA   s up down;   with a middle (Tucker)  s sum_mn mid[m,n,k,l] up[o,m] down[n,i]
 *   LoHa   s (1a 1b) o (2a 2b), o element by element;   with t: sum_mn t[m,n,k,l] a[m,o] b[n,i] for each
 *   LoKr   s kron(1, 2), each whole or a product; both whole: s = 1 whatever alpha says
 *   diff   itself
 *   DoRA   W' = magnitude V / |V|,  V = W + the above, |V| over all but the axis that magnitude has
 *
 * in f32, summed in one order. */
#include "weights/lora.h"

#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One module on its way into one parameter. */
typedef struct job {
    limn_ctx *ctx;
    const limn_lora *lora;
    const limn_lora_module *m;
    int64_t out, in, taps;        /* W is [out][in][taps] */
    float *part[LIMN_LORA_ROLES]; /* numbers of tensors, ours */
    limn_status status;
} job;

static int64_t count(const limn_entry *e) { return e ? (int64_t)limn_entry_count(e) : 0; }

static limn_status wrong(const job *j, limn_lora_role role)
{
    char name[256], text[128] = "[";
    const limn_entry *e = j->m->part[role];
    for (int k = 0; k < e->rank; k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), k ? ", %lld" : "%lld", (long long)e->dim[k]);
    return limn_fail(j->ctx, LIMN_BAD_FILE,
                     "%s: tensor \"%s\" is %s], which does not fit the network's [%lld, %lld] with windows of %lld",
                     limn_lora_path(j->lora), limn_escape(e->name, strlen(e->name), name, sizeof name), text,
                     (long long)j->out, (long long)j->in, (long long)j->taps);
}

/* The numbers of a tensor of n elements. */
static const float *numbers(job *j, limn_lora_role role, int64_t n)
{
    const limn_entry *e = j->m->part[role];
    if (j->status == LIMN_OK && count(e) != n) j->status = wrong(j, role);
    if (j->status != LIMN_OK || j->part[role]) return j->part[role];
    float *x = malloc((size_t)n * sizeof *x + 1);
    if (!x)
        j->status = limn_fail_memory(j->ctx, (size_t)n * sizeof *x, limn_lora_path(j->lora));
    else
        j->status = limn_weight_file_load(j->ctx, limn_lora_tensors(j->lora), e, x, LIMN_F32);
    return j->part[role] = x;
}

static float *room(job *j, int64_t n)
{
    float *x = j->status == LIMN_OK ? calloc((size_t)n + 1, sizeof *x) : NULL;
    if (!x && j->status == LIMN_OK) j->status = limn_fail_memory(j->ctx, (size_t)n * sizeof *x, limn_lora_path(j->lora));
    return x;
}

/* c [m][n] += s a [m][r] b [r][n] */
static void multiply(float *c, const float *a, const float *b, int64_t m, int64_t r, int64_t n, float s)
{
#pragma omp parallel for schedule(static) if (m * r * n > 1 << 20)
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < r; k++) {
            float x = s * a[i * r + k];
            const float *row = b + k * n;
            float *to = c + i * n;
            for (int64_t p = 0; p < n; p++) to[p] += x * row[p];
        }
}

/* c [o][i][taps] += sum_mn t[m][n][taps] a(m, o) b(n, i);  a is [o][m] or, turned, [m][o]; b [n][i] */
static void tucker(job *j, float *c, const float *t, const float *a, bool turned, const float *b, int64_t m, int64_t n,
                   int64_t out, int64_t in, int64_t taps, float s)
{
    float *inner = room(j, m * in * taps);
    if (!inner) return;
    for (int64_t p = 0; p < m; p++) /* [m][i][taps] */
        for (int64_t q = 0; q < n; q++)
            for (int64_t i = 0; i < in; i++)
                for (int64_t k = 0; k < taps; k++)
                    inner[(p * in + i) * taps + k] += t[(p * n + q) * taps + k] * b[q * in + i];
    float *rows = room(j, out * m);
    for (int64_t o = 0; rows && o < out; o++)
        for (int64_t p = 0; p < m; p++) rows[o * m + p] = turned ? a[p * out + o] : a[o * m + p];
    if (rows) multiply(c, rows, inner, out, m, in * taps, s);
    free(rows);
    free(inner);
}

static int64_t rows_of(const job *j, limn_lora_role role)
{
    const limn_entry *e = j->m->part[role];
    return e && e->rank ? e->dim[0] : 0;
}

/* in: of the module, which may see fewer channels than the network. */
static void add_lora(job *j, float *d, int64_t in, float s)
{
    int64_t r = rows_of(j, LIMN_LORA_DOWN);
    if (j->m->part[LIMN_LORA_MID]) {
        int64_t up = j->out ? count(j->m->part[LIMN_LORA_UP]) / j->out : 0;
        const float *t = numbers(j, LIMN_LORA_MID, up * r * j->taps), *a = numbers(j, LIMN_LORA_UP, j->out * up),
                    *b = numbers(j, LIMN_LORA_DOWN, r * in);
        if (d && j->status == LIMN_OK) tucker(j, d, t, a, false, b, up, r, j->out, in, j->taps, s);
        return;
    }
    const float *a = numbers(j, LIMN_LORA_UP, j->out * r), *b = numbers(j, LIMN_LORA_DOWN, r * in * j->taps);
    if (d && j->status == LIMN_OK) multiply(d, a, b, j->out, r, in * j->taps, s);
}

/* One of LoHa's two factors. */
static float *hada_factor(job *j, limn_lora_role a, limn_lora_role b, limn_lora_role t)
{
    int64_t r = rows_of(j, b), n = j->in * j->taps;
    const float *x, *y, *z = NULL;
    if (j->m->part[t]) {
        x = numbers(j, a, r * j->out), y = numbers(j, b, r * j->in), z = numbers(j, t, r * r * j->taps);
    } else
        x = numbers(j, a, j->out * r), y = numbers(j, b, r * n);
    float *f = room(j, j->out * n);
    if (f && z)
        tucker(j, f, z, x, true, y, r, r, j->out, j->in, j->taps, 1);
    else if (f)
        multiply(f, x, y, j->out, r, n, 1);
    return f;
}

static void add_hada(job *j, float *d, float s)
{
    float *one = hada_factor(j, LIMN_LORA_HADA_1A, LIMN_LORA_HADA_1B, LIMN_LORA_HADA_T1),
          *two = hada_factor(j, LIMN_LORA_HADA_2A, LIMN_LORA_HADA_2B, LIMN_LORA_HADA_T2);
    for (int64_t i = 0; d && j->status == LIMN_OK && i < j->out * j->in * j->taps; i++) d[i] += s * one[i] * two[i];
    free(one);
    free(two);
}

/* Rows and columns of LoKr's factors: of 1 [a,b] and 2 [c,d,taps] with a c = out, b d = in. */
typedef struct kron_sizes {
    int64_t a, b, c, d;
} kron_sizes;

static int64_t columns(const limn_entry *e) { return e && e->rank > 1 ? e->dim[1] : 0; }

static kron_sizes kron_sizes_of(const job *j)
{
    const limn_entry *const *p = j->m->part;
    kron_sizes k = {.a = rows_of(j, p[LIMN_LORA_KRON_1] ? LIMN_LORA_KRON_1 : LIMN_LORA_KRON_1A),
                    .b = columns(p[LIMN_LORA_KRON_1] ? p[LIMN_LORA_KRON_1] : p[LIMN_LORA_KRON_1B])};
    k.c = k.a > 0 ? j->out / k.a : 0, k.d = k.b > 0 ? j->in / k.b : 0;
    return k;
}

static float *kron_factor(job *j, limn_lora_role whole, limn_lora_role a, limn_lora_role b, limn_lora_role t, int64_t out,
                          int64_t in, int64_t taps)
{
    const limn_entry *const *p = j->m->part;
    int64_t n = out * in * taps, r = rows_of(j, b);
    float *f = room(j, n);
    if (!f) return NULL;
    if (p[whole]) {
        const float *x = numbers(j, whole, n);
        if (j->status == LIMN_OK) memcpy(f, x, (size_t)n * sizeof *f);
        return f;
    }
    bool middle = t != LIMN_LORA_ROLES && p[t];
    const float *x = numbers(j, a, out * r), *y = numbers(j, b, r * in * (middle ? 1 : taps)),
                *z = middle ? numbers(j, t, r * r * taps) : NULL;
    if (j->status != LIMN_OK) return f;
    if (middle)
        tucker(j, f, z, x, true, y, r, r, out, in, taps, 1);
    else
        multiply(f, x, y, out, r, in * taps, 1);
    return f;
}

static void add_kron(job *j, float *d, float s)
{
    const limn_entry *const *p = j->m->part;
    kron_sizes k = kron_sizes_of(j);
    if (k.a * k.c != j->out || k.b * k.d != j->in || k.a * k.b <= 0) {
        j->status = wrong(j, p[LIMN_LORA_KRON_1] ? LIMN_LORA_KRON_1 : LIMN_LORA_KRON_1A);
        return;
    }
    float *one = kron_factor(j, LIMN_LORA_KRON_1, LIMN_LORA_KRON_1A, LIMN_LORA_KRON_1B, LIMN_LORA_ROLES, k.a, k.b, 1);
    float *two =
        kron_factor(j, LIMN_LORA_KRON_2, LIMN_LORA_KRON_2A, LIMN_LORA_KRON_2B, LIMN_LORA_KRON_T2, k.c, k.d, j->taps);
    if (p[LIMN_LORA_KRON_1] && p[LIMN_LORA_KRON_2]) s = 1;
    for (int64_t o = 0; d && j->status == LIMN_OK && o < j->out; o++)
        for (int64_t i = 0; i < j->in; i++)
            for (int64_t t = 0; t < j->taps; t++)
                d[(o * j->in + i) * j->taps + t] +=
                    s * one[o / k.c * k.b + i / k.d] * two[((o % k.c) * k.d + i % k.d) * j->taps + t];
    free(one);
    free(two);
}

/* V = W + d to d + what makes V the magnitude's: magnitude V / |V| - W. */
static void add_magnitude(job *j, const float *w, float *d)
{
    const limn_entry *e = j->m->part[LIMN_LORA_MAGNITUDE];
    bool by_row = !(e->rank >= 2 && e->dim[0] == 1 && e->dim[1] == j->in && j->out != 1);
    int64_t n = by_row ? j->out : j->in, row = j->in * j->taps;
    const float *magnitude = numbers(j, LIMN_LORA_MAGNITUDE, n);
    for (int64_t a = 0; d && j->status == LIMN_OK && a < n; a++) {
        double square = 0;
        int64_t first = by_row ? a * row : a * j->taps, groups = by_row ? 1 : j->out, run = by_row ? row : j->taps;
        for (int64_t g = 0; g < groups; g++)
            for (int64_t i = first + g * row; i < first + g * row + run; i++)
                square += ((double)w[i] + d[i]) * ((double)w[i] + d[i]);
        double by = square > 0 ? magnitude[a] / sqrt(square) : 0;
        for (int64_t g = 0; g < groups; g++)
            for (int64_t i = first + g * row; i < first + g * row + run; i++)
                d[i] = (float)(by * ((double)w[i] + d[i]) - w[i]);
    }
}

/* d: [out][in][taps], zeros; NULL: only the shapes are compared. */
static void make_difference(job *j, const float *w, float *d)
{
    const limn_entry *const *p = j->m->part;
    float s = (float)j->m->scale;
    int64_t n = j->out * j->in * j->taps;
    if (p[LIMN_LORA_UP]) add_lora(j, d, j->in, s);
    if (p[LIMN_LORA_HADA_1A]) add_hada(j, d, s);
    if (p[LIMN_LORA_KRON_1] || p[LIMN_LORA_KRON_1A]) add_kron(j, d, s);
    const float *diff = p[LIMN_LORA_DIFF] ? numbers(j, LIMN_LORA_DIFF, n) : NULL;
    for (int64_t i = 0; d && diff && j->status == LIMN_OK && i < n; i++) d[i] += diff[i];
    const float *set = p[LIMN_LORA_SET] ? numbers(j, LIMN_LORA_SET, n) : NULL;
    for (int64_t i = 0; d && set && j->status == LIMN_OK && i < n; i++) d[i] = set[i] - w[i];
    if (p[LIMN_LORA_MAGNITUDE]) add_magnitude(j, w, d);
}

/* A network that inpaints or edits reads more channels than that which a module was made for: those before are changed. */
static int64_t channels_of(const job *j)
{
    const limn_entry *down = j->m->part[LIMN_LORA_DOWN];
    bool few = down && !j->m->part[LIMN_LORA_MID] && down->rank == 4 && down->dim[1] < j->in && down->dim[0] > 0 &&
               count(down) == down->dim[0] * down->dim[1] * j->taps && !j->m->part[LIMN_LORA_MAGNITUDE];
    return few ? down->dim[1] : j->in;
}

static void change_weight(job *j, double weight, float *x)
{
    int64_t in = j->in, seen = channels_of(j), n = j->out * seen * j->taps, run = seen * j->taps;
    float *d = x ? room(j, n) : NULL;
    j->in = seen;
    make_difference(j, x, d);
    for (int64_t o = 0; d && j->status == LIMN_OK && o < j->out; o++)
        for (int64_t i = 0; i < run; i++) x[o * in * j->taps + i] += (float)weight * d[o * run + i];
    free(d);
}

static void swap_halves(float *x, int64_t n)
{
    for (int64_t i = 0; i < n / 2; i++) {
        float other = x[i];
        x[i] = x[n / 2 + i], x[n / 2 + i] = other;
    }
}

/* A file whose rows are in another order changes W in that order: so columns of magnitudes and Kronecker's blocks fit. */
limn_status limn_lora_apply(limn_ctx *ctx, const limn_lora *lora, const limn_lora_module *m, double weight,
                            const limn_wanted *w, bool bias, float *x)
{
    int64_t pieces = m->pieces ? m->pieces : 1, all = limn_shape_count(&w->shape) / pieces;
    job j = {.ctx = ctx, .lora = lora, .m = m, .out = w->shape.rank ? w->shape.dim[0] / pieces : 1, .in = 1, .taps = 1};
    if (x) x += m->piece * all;
    if (x && m->swapped) swap_halves(x, all);
    for (int k = 1; k < w->shape.rank; k++) *(k == 1 ? &j.in : &j.taps) *= w->shape.dim[k];
    if (bias) {
        const float *diff = m->part[LIMN_LORA_DIFF_BIAS] ? numbers(&j, LIMN_LORA_DIFF_BIAS, all) : NULL;
        for (int64_t i = 0; diff && x && j.status == LIMN_OK && i < all; i++) x[i] += (float)weight * diff[i];
    } else
        change_weight(&j, weight, x);
    if (x && m->swapped) swap_halves(x, all);
    for (int i = 0; i < LIMN_LORA_ROLES; i++) free(j.part[i]);
    return j.status;
}
