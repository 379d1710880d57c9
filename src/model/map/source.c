/* source.c: the weights of a file under whatever names it has them: our own, or published ones, which are looked for
 * once. */
#include "model/map/map.h"

#include <stdlib.h>
#include <string.h>

typedef struct map_source {
    limn_source base;
    limn_map map;
    limn_source *own;          /* our own names; else NULL */
    bool known;                /* which of the two it is: found out with the first parameter */
    const limn_weight_file *st;
    char *file;
} map_source;

static limn_node node_of(const limn_wanted *w)
{
    return (limn_node){.op = LIMN_OP_PARAMETER, .name = w->name, .shape = w->shape, .init = *w->init};
}

/* Files that do not name their settings may be published ones; of several networks the one with this parameter. */
static limn_status detect(limn_ctx *ctx, map_source *s, const limn_wanted *w)
{
    limn_node node = node_of(w);
    if (s->known) return LIMN_OK;
    if (!limn_weight_file_metadata(s->st, "limn.settings") &&
        limn_map_detect_with(ctx, s->file, s->st, &node, &s->map) == LIMN_OK)
        return s->known = true, LIMN_OK;
    limn_status status = limn_source_file(ctx, s->file, s->st, "", &s->own);
    s->known = status == LIMN_OK; /* else it is asked again */
    return status;
}

static limn_status find(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_found *out)
{
    map_source *s = (map_source *)(uintptr_t)base;
    bool found;
    limn_node node = node_of(w);
    limn_status status = detect(ctx, s, w);
    if (status != LIMN_OK) return status;
    if (s->own) return s->own->find(ctx, s->own, w, out);
    *out = (limn_found){.dtype = LIMN_F32};
    return limn_map_read(ctx, &s->map, s->file, s->st, &node, LIMN_F32, NULL, &found, &out->dtype);
}

/* Tables that a published file does not hold are worked out. */
static limn_status read(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_dtype dtype, void *to)
{
    const map_source *s = (const map_source *)base;
    bool found;
    limn_node node = node_of(w);
    if (s->own) return s->own->read(ctx, s->own, w, dtype, to);
    limn_status status = limn_map_read(ctx, &s->map, s->file, s->st, &node, dtype, to, &found, NULL);
    return status == LIMN_OK && !found ? limn_init_read(ctx, w, 0, dtype, to) : status;
}

static void free_source(limn_source *base)
{
    map_source *s = (map_source *)base;
    limn_source_free(s->own);
    free(s->file);
    free(s);
}

limn_status limn_map_source(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_source **out)
{
    map_source *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s) *s = (map_source){.base = {find, read, free_source}, .st = st, .file = strdup(file)};
    if (!s || !s->file) {
        free(s);
        return limn_fail_memory(ctx, sizeof *s, "a source of weights");
    }
    *out = &s->base;
    return LIMN_OK;
}
