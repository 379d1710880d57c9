/* convert_read.c: elements of a tensor of the result, a piece at a time; numbers that are not changed keep their bytes. */
#include "pipeline/convert.h"

#include <math.h>
#include <string.h>

enum { SPAN = 4096 }; /* numbers that a thread converts at a time: whole blocks of every type */

static bool keeps_bytes(const limn_conversion *c, size_t i)
{
    const limn_convert_tensor *t = &c->tensor[i];
    for (int k = 0; k < t->n; k++)
        if (t->piece[k].e->dtype != c->out[i].dtype || t->piece[k].e->scale != 0) return false;
    return t->n > 0 && !t->turned;
}

/* Elements of the pieces, as dtype. */
static limn_status load(const limn_conversion *c, size_t i, size_t first, size_t n, limn_dtype dtype, unsigned char *to)
{
    const limn_convert_tensor *t = &c->tensor[i];
    limn_status status = LIMN_OK;
    for (int k = 0; k < t->n && n && status == LIMN_OK; k++) {
        const limn_map_piece *p = &t->piece[k];
        size_t skip = first < p->n ? first : p->n, some = p->n - skip < n ? p->n - skip : n;
        if (some) status = limn_weight_file_load_part(c->ctx, t->st, p->e, p->first + skip, some, to, dtype);
        to += limn_dtype_size(dtype, some), first -= skip, n -= some;
    }
    return status;
}

/* Tables are small: each piece works out all of it. */
static limn_status load_table(const limn_conversion *c, size_t i, size_t first, size_t n)
{
    const limn_node *p = c->tensor[i].table;
    const limn_wanted w = {.name = p->name, .shape = p->shape, .init = &p->init};
    size_t all = (size_t)limn_shape_count(&p->shape);
    float *x = limn_alloc_aligned(all * sizeof *x);
    if (!x) return limn_fail_memory(c->ctx, all * sizeof *x, p->name);
    limn_status status = limn_init_read(c->ctx, &w, 0, LIMN_F32, x);
    memcpy(c->x, x + first, n * sizeof *x);
    limn_free_aligned(x);
    return status;
}

/* Elements of a matrix whose rows are the columns of another: it is small, and read whole for each piece. */
static limn_status load_turned(const limn_conversion *c, size_t i, size_t first, size_t n)
{
    const limn_convert_tensor *t = &c->tensor[i];
    size_t all = t->piece[0].n, rows = (size_t)c->out[i].dim[0], columns = (size_t)c->out[i].dim[1];
    float *x = limn_alloc_aligned(all * sizeof *x);
    if (!x) return limn_fail_memory(c->ctx, all * sizeof *x, c->out[i].name);
    limn_status status = limn_weight_file_load_part(c->ctx, t->st, t->piece[0].e, 0, all, x, LIMN_F32);
    for (size_t k = 0; k < n && status == LIMN_OK; k++)
        c->x[k] = x[(first + k) % columns * rows + (first + k) / columns];
    limn_free_aligned(x);
    return status;
}

static limn_status load_f32(const limn_conversion *c, size_t i, size_t first, size_t n)
{
    const limn_convert_tensor *t = &c->tensor[i];
    if (t->turned) return load_turned(c, i, first, n);
    return t->n ? load(c, i, first, n, LIMN_F32, (unsigned char *)c->x) : load_table(c, i, first, n);
}

/* f16 and its scales end at 65504; blocks have no infinity and no NaN. */
static limn_status check(const limn_conversion *c, size_t i, size_t first, size_t n)
{
    const limn_tensor_out *out = &c->out[i];
    bool blocks = limn_dtype_row_of(out->dtype)->block > 1;
    if (!blocks && out->dtype != LIMN_F16) return LIMN_OK;
    for (size_t k = 0; k < n; k++) {
        float x = c->x[k];
        char shown[256];
        if (fabsf(x) < 65520 || (!blocks && !isfinite(x))) continue;
        return limn_fail(c->ctx, LIMN_BAD_FILE, "tensor \"%s\": element %zu is %g, which %s does not hold%s",
                         limn_escape(out->name, strlen(out->name), shown, sizeof shown), first + k, (double)x,
                         limn_dtype_name(out->dtype), isfinite(x) ? ": take --type bf16 or f32" : "");
    }
    return LIMN_OK;
}

static void convert(const limn_conversion *c, limn_dtype dtype, size_t n)
{
    ptrdiff_t spans = (ptrdiff_t)((n + SPAN - 1) / SPAN);
#pragma omp parallel for schedule(static) num_threads(c->ctx->n_threads)
    for (ptrdiff_t k = 0; k < spans; k++) {
        size_t at = (size_t)k * SPAN, some = n - at < SPAN ? n - at : SPAN;
        limn_convert(c->x + at, LIMN_F32, c->bytes + limn_dtype_size(dtype, at), dtype, some);
    }
}

limn_status limn_convert_read(void *user, size_t i, size_t first, size_t n, const void **bytes)
{
    limn_conversion *c = user;
    limn_dtype dtype = c->out[i].dtype;
    if (i != c->last || !first) c->n_read++, c->last = i;
    if (!limn_progress(c->ctx, "tensor", (int64_t)((c->n_read - 1) % c->n + 1), (int64_t)c->n))
        return limn_fail(c->ctx, LIMN_CANCELLED, "stopped");
    *bytes = c->bytes;
    if (keeps_bytes(c, i)) return load(c, i, first, n, dtype, c->bytes);
    limn_status status = load_f32(c, i, first, n);
    if (status == LIMN_OK) status = check(c, i, first, n);
    if (status == LIMN_OK) convert(c, dtype, n);
    return status;
}
