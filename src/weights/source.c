/* source.c: see source.h. */
#include "weights/source.h"

#include "base/base.h"

#include <stdlib.h>
#include <string.h>

void limn_source_free(limn_source *s)
{
    if (s) s->free(s);
}

limn_status limn_source_read(limn_ctx *ctx, const limn_source *s, const limn_wanted *w, limn_dtype dtype, void *to)
{
    limn_found found;
    limn_status status = s->find(ctx, s, w, &found);
    if (status != LIMN_OK) return status;
    if (!found.data) return s->read(ctx, s, w, dtype, to);
    limn_convert(found.data, found.dtype, to, dtype, (size_t)limn_shape_count(&w->shape));
    return LIMN_OK;
}

limn_status limn_init_read(limn_ctx *ctx, const limn_wanted *w, uint64_t seed, limn_dtype dtype, void *to)
{
    size_t n = (size_t)limn_shape_count(&w->shape);
    if (dtype == LIMN_F32) {
        limn_init_fill(w, seed, to);
        return LIMN_OK;
    }
    float *x = limn_alloc_aligned(n * sizeof *x);
    if (!x) return limn_fail_memory(ctx, n * sizeof *x, w->name);
    limn_init_fill(w, seed, x);
    limn_convert(x, LIMN_F32, to, dtype, n);
    limn_free_aligned(x);
    return LIMN_OK;
}

/* ---- tables of places ------------------------------------------------------------------------------------------------- */

bool limn_source_other_places(const limn_entry *e, const limn_wanted *w)
{
    bool worked_out = w->init->kind == LIMN_INIT_SINCOS_2D && !w->init->grid_stored;
    bool places = worked_out && w->shape.rank == 3 && w->shape.dim[0] == 1;
    if (!places || !e->usable || e->rank != 3 || e->dim[0] != 1 || e->dim[2] != w->shape.dim[2]) return false;
    return w->init->grid_h != w->init->grid_w || e->dim[1] != w->shape.dim[1];
}

/* Far from the formula, as far as what bf16 rounds allows: numbers up to 1. */
static bool differ(const float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(x[i] - y[i] <= 0.005f && y[i] - x[i] <= 0.005f)) return true;
    return false;
}

limn_status limn_source_check_places(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_entry *e,
                                     const limn_wanted *w)
{
    int side = 0;
    while ((int64_t)side * side < e->dim[1]) side++;
    limn_init square = *w->init;
    square.grid_h = square.grid_w = side;
    limn_wanted own = {.name = w->name, .shape = LIMN_SHAPE(1, e->dim[1], e->dim[2]), .init = &square};
    size_t n = (size_t)limn_shape_count(&own.shape), bytes = 2 * n * sizeof(float);
    bool other = (int64_t)side * side != e->dim[1];
    float *x = other ? NULL : limn_alloc_aligned(bytes);
    if (!x && !other) return limn_fail_memory(ctx, bytes, w->name);
    limn_status status = other ? LIMN_OK : limn_weight_file_load(ctx, st, e, x, LIMN_F32);
    if (status == LIMN_OK && !other) {
        limn_init_fill(&own, 0, x + n);
        other = differ(x, x + n, (int64_t)n);
    }
    limn_free_aligned(x);
    if (status != LIMN_OK || !other) return status;
    return limn_fail(ctx, LIMN_BAD_FILE,
                     "%s: %s is a table of %lld places that follows no formula known here: it cannot be made for %d x %d",
                     file, e->name, (long long)e->dim[1], w->init->grid_h, w->init->grid_w);
}

/* ---- a file under our own names --------------------------------------------------------------------------------------- */

typedef struct file_source {
    limn_source base;
    const limn_weight_file *st;
    char *file, *prefix;
} file_source;

static limn_status find_entry(limn_ctx *ctx, const file_source *s, const limn_wanted *w, const limn_entry **out)
{
    char name[512];
    if (snprintf(name, sizeof name, "%s%s", s->prefix, w->name) >= (int)sizeof name)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: the name of a parameter is longer than %zu bytes", s->file,
                         sizeof name - 1);
    const limn_entry *e = *out = limn_weight_file_find(s->st, name);
    if (!e) return limn_source_missing(ctx, s->file, s->st, name);
    limn_shape found = {.rank = e->rank <= LIMN_MAX_RANK ? e->rank : -1};
    for (int k = 0; k < found.rank; k++) found.dim[k] = e->dim[k];
    if (limn_source_other_places(e, w)) return LIMN_OK;
    return e->usable && limn_shape_equal(&found, &w->shape) ? LIMN_OK
                                                            : limn_source_wrong_shape(ctx, s->file, s->st, e, &w->shape);
}

static limn_status file_find(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_found *out)
{
    const file_source *s = (const file_source *)base;
    const limn_entry *e;
    limn_status status = find_entry(ctx, s, w, &e);
    if (status == LIMN_OK && limn_source_other_places(e, w)) status = limn_source_check_places(ctx, s->file, s->st, e, w);
    *out = (limn_found){.dtype = status == LIMN_OK ? limn_entry_type(e) : LIMN_F32};
    return status;
}

static limn_status file_read(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_dtype dtype, void *to)
{
    const file_source *s = (const file_source *)base;
    const limn_entry *e;
    limn_status status = find_entry(ctx, s, w, &e);
    if (status == LIMN_OK && limn_source_other_places(e, w)) return limn_init_read(ctx, w, 0, dtype, to);
    return status == LIMN_OK ? limn_weight_file_load(ctx, s->st, e, to, dtype) : status;
}

static void file_free(limn_source *base)
{
    file_source *s = (file_source *)base;
    free(s->file);
    free(s->prefix);
    free(s);
}

limn_status limn_source_file(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *prefix,
                             limn_source **out)
{
    file_source *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s)
        *s = (file_source){
            .base = {file_find, file_read, file_free}, .st = st, .file = strdup(file), .prefix = strdup(prefix)};
    if (!s || !s->file || !s->prefix) {
        if (s) file_free(&s->base);
        return limn_fail_memory(ctx, sizeof *s, "a source of weights");
    }
    *out = &s->base;
    return LIMN_OK;
}

/* ---- no file at all --------------------------------------------------------------------------------------------------- */

typedef struct started_source {
    limn_source base;
    limn_dtype dtype;
    uint64_t seed;
} started_source;

static limn_status started_find(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_found *out)
{
    (void)ctx, (void)w;
    *out = (limn_found){.dtype = ((const started_source *)base)->dtype};
    return LIMN_OK;
}

static limn_status started_read(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_dtype dtype, void *to)
{
    return limn_init_read(ctx, w, ((const started_source *)base)->seed, dtype, to);
}

static void started_free(limn_source *base)
{
    free(base);
}

limn_status limn_source_started(limn_ctx *ctx, limn_dtype dtype, uint64_t seed, limn_source **out)
{
    started_source *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return limn_fail_memory(ctx, sizeof *s, "a source of weights");
    *s = (started_source){.base = {started_find, started_read, started_free}, .dtype = dtype, .seed = seed};
    *out = &s->base;
    return LIMN_OK;
}
