/* write.c: see write.h. */
#include "model/map/write.h"

#include "model/config.h"

#include <string.h>

/* ---- whose names ------------------------------------------------------------------------------------------------------ */

/* Of the latent U-Nets several dialects have one naming: their titles tell which networks they are for.  The original names
 * of text encoders are OpenCLIP's where it made them, which their activation tells. */
static bool suits(const limn_dialect *d, const limn_settings *s)
{
    if (s->family == &limn_family_clip_text)
        return d->naming != LIMN_NAMES_ORIGINAL || ((const clip_config *)limn_settings_config(s))->activation == CLIP_GELU;
    if (s->family != &limn_family_ldm_unet) return true;
    const ldm_unet_config *cfg = limn_settings_config(s);
    bool xl = cfg->sizes > 0, without = !xl && !cfg->middle;
    return xl == !strncmp(d->title, "Stable Diffusion XL", 19) && without == (strstr(d->title, "without a middle") != NULL);
}

/* A family's dialect of these names, for the same part of it; NULL: there is none. */
static const limn_dialect *dialect_of(const limn_map *map, limn_naming naming)
{
    for (const limn_dialect *d = limn_dialects; d->title; d++)
        if (d->family == map->settings.family && d->naming == naming && d->part == map->part && suits(d, &map->settings))
            return d;
    return NULL;
}

limn_map limn_map_named(const limn_map *map, limn_naming naming)
{
    static const limn_naming nearest[LIMN_N_NAMINGS][3] = {
        {LIMN_NAMES_ORIGINAL, LIMN_NAMES_DIFFUSERS, LIMN_NAMES_DIFFUSERS},
        {LIMN_NAMES_DIFFUSERS, LIMN_NAMES_ORIGINAL, LIMN_NAMES_ORIGINAL},
        {LIMN_NAMES_DIFFUSERS_OLD, LIMN_NAMES_DIFFUSERS, LIMN_NAMES_ORIGINAL},
        {LIMN_NAMES_TRANSFORMERS_5, LIMN_NAMES_DIFFUSERS, LIMN_NAMES_ORIGINAL},
    };
    limn_map out = *map;
    out.dialect = NULL, *out.prefix = '\0';
    for (int i = 0; i < 3 && !out.dialect; i++) out.dialect = dialect_of(map, nearest[naming][i]);
    if (out.dialect == map->dialect) return out; /* blocks are counted as they were */
    out.left_over = false;
    if (map->settings.family == &limn_family_ldm_unet)
        out.stride = ((const ldm_unet_config *)limn_settings_config(&map->settings))->unet.blocks + 1;
    return out;
}

/* ---- a parameter as pieces of a file ---------------------------------------------------------------------------------- */

typedef struct job {
    limn_ctx *ctx;
    const limn_map *from, *to;
    const char *file;
    const limn_weight_file *st;
    const limn_node *p;
    limn_map_tensor whole; /* the parameter */
    limn_status (*put)(void *user, const limn_map_tensor *t);
    void *user;
} job;

static void add_piece(limn_map_tensor *t, const limn_entry *e, size_t first, size_t n)
{
    if (n) t->piece[t->n++] = (limn_map_piece){e, first, n};
}

static void own_name(const limn_map *map, const char *name, char *out)
{
    char inside[256];
    if (map->dialect->rename) map->dialect->rename(map, name, inside, sizeof inside);
    snprintf(out, LIMN_MAP_NAME, "%s%s", map->prefix, map->dialect->rename ? inside : name);
}

/* A tensor as it is, also a table of places on another grid, whose shape it keeps. */
static limn_status take_whole(job *j, const char *name)
{
    const limn_wanted w = {.name = j->p->name, .shape = j->p->shape, .init = &j->p->init};
    const limn_entry *e = limn_weight_file_find(j->st, name);
    bool table = e && e->usable && limn_source_other_places(e, &w);
    limn_status status = limn_map_find(j->ctx, j->file, j->st, name, table ? NULL : &j->p->shape, &e);
    if (status != LIMN_OK) return status;
    if (table || j->from->dialect == j->to->dialect) {
        j->whole.rank = e->rank;
        memcpy(j->whole.dim, e->dim, sizeof e->dim);
    }
    add_piece(&j->whole, e, 0, limn_entry_count(e));
    return LIMN_OK;
}

static limn_status gather_rows(job *j, const limn_map_row *row, int block)
{
    int n = limn_map_source_count(row), third = limn_map_third(row);
    limn_shape want = limn_map_source_shape(row, &j->p->shape);
    for (int k = 0; k < n; k++) {
        char name[LIMN_MAP_NAME];
        const limn_entry *e;
        limn_map_source_name(j->from, row->source[k], block, limn_map_suffix(j->p->name), name, sizeof name);
        limn_status status = limn_map_find(j->ctx, j->file, j->st, name, &want, &e);
        if (status != LIMN_OK) return status;
        size_t count = limn_entry_count(e), half = limn_map_swaps(j->from, row, block) ? count / 2 : 0;
        if (third >= 0) {
            add_piece(&j->whole, e, (size_t)third * (count / 3), count / 3);
            continue;
        }
        j->whole.turned = row->how == LIMN_MAP_TRANSPOSED;
        add_piece(&j->whole, e, half, count - half);
        add_piece(&j->whole, e, 0, half);
    }
    return LIMN_OK;
}

static limn_status gather(job *j)
{
    int block = -1;
    char name[LIMN_MAP_NAME];
    const limn_map_row *row = limn_map_row_of(j->from, j->p->name, &block);
    j->whole.rank = j->p->shape.rank;
    memcpy(j->whole.dim, j->p->shape.dim, sizeof j->p->shape.dim);
    if (row && row->how == LIMN_MAP_ABSENT) return j->whole.table = j->p, LIMN_OK;
    if (row) return gather_rows(j, row, block);
    own_name(j->from, j->p->name, name);
    return take_whole(j, name);
}

/* ---- its tensors under other names ------------------------------------------------------------------------------------ */

/* Elements first .. first + n - 1 of the whole behind what t has. */
static void slice(const limn_map_tensor *whole, size_t first, size_t n, limn_map_tensor *t)
{
    for (int i = 0; i < whole->n && n; i++) {
        const limn_map_piece *p = &whole->piece[i];
        size_t skip = first < p->n ? first : p->n, some = p->n - skip < n ? p->n - skip : n;
        add_piece(t, p->e, p->first + skip, some);
        first -= skip, n -= some;
    }
}

static limn_status put_turned(const job *j, const limn_map_row *row, int block)
{
    limn_map_tensor t = j->whole;
    t.dim[0] = j->whole.dim[1], t.dim[1] = j->whole.dim[0], t.turned = !t.turned;
    limn_map_source_name(j->to, row->source[0], block, limn_map_suffix(j->p->name), t.name, sizeof t.name);
    return j->put(j->user, &t);
}

static limn_status put_rows(const job *j, const limn_map_row *row, int block)
{
    int n = limn_map_source_count(row);
    for (int k = 0; k < n; k++) {
        limn_map_tensor t = {.rank = j->whole.rank};
        memcpy(t.dim, j->whole.dim, sizeof t.dim);
        t.dim[0] /= n;
        size_t count = (size_t)limn_shape_count(&j->p->shape) / (size_t)n,
               half = limn_map_swaps(j->to, row, block) ? count / 2 : 0;
        slice(&j->whole, (size_t)k * count + half, count - half, &t);
        slice(&j->whole, (size_t)k * count, half, &t);
        limn_map_source_name(j->to, row->source[k], block, limn_map_suffix(j->p->name), t.name, sizeof t.name);
        limn_status status = j->put(j->user, &t);
        if (status != LIMN_OK) return status;
    }
    return LIMN_OK;
}

/* Three parameters are one tensor, which the first of them writes: the others are in the next rows of the table. */
static limn_status put_thirds(const job *j, const limn_map_row *row, int block)
{
    static const limn_map ours = {.prefix = ""};
    limn_map_tensor t = {.rank = j->whole.rank};
    const char *suffix = limn_map_suffix(j->p->name);
    memcpy(t.dim, j->whole.dim, sizeof t.dim);
    t.dim[0] *= 3;
    for (int k = 0; k < 3; k++) {
        char name[LIMN_MAP_NAME];
        limn_node p = *j->p;
        job part = *j;
        limn_map_source_name(&ours, row[k].name, block, suffix, name, sizeof name);
        p.name = name, part.p = &p, part.whole = (limn_map_tensor){.n = 0};
        limn_status status = gather(&part);
        if (status != LIMN_OK) return status;
        slice(&part.whole, 0, (size_t)limn_shape_count(&p.shape), &t);
    }
    limn_map_source_name(j->to, row->source[0], block, suffix, t.name, sizeof t.name);
    return j->put(j->user, &t);
}

/* diffusers' DiT has the embedders of timestep and class once for each block. */
static limn_status put_copies(const job *j, const limn_map_row *row)
{
    static const char first[] = "transformer_blocks.0.";
    int n = ((const dit_config *)limn_settings_config(&j->to->settings))->depth;
    for (int block = 0; block < n; block++) {
        limn_map_tensor t = j->whole;
        snprintf(t.name, sizeof t.name, "%stransformer_blocks.%d.%s%s", j->to->prefix, block,
                 row->source[0] + sizeof first - 1, limn_map_suffix(j->p->name));
        limn_status status = j->put(j->user, &t);
        if (status != LIMN_OK) return status;
    }
    return LIMN_OK;
}

bool limn_map_is_copied(const limn_map_row *row)
{
    return row->source[0] && !strchr(row->name, '*') && !strncmp(row->source[0], "transformer_blocks.0.", 21);
}

limn_status limn_map_write(limn_ctx *ctx, const limn_map *from, const char *file, const limn_weight_file *st,
                           const limn_map *to, const limn_node *parameter,
                           limn_status (*put)(void *user, const limn_map_tensor *t), void *user)
{
    job j = {.ctx = ctx, .from = from, .to = to, .file = file, .st = st, .p = parameter, .put = put, .user = user};
    int block = -1;
    limn_status status = gather(&j);
    const limn_map_row *row = limn_map_row_of(to, parameter->name, &block);
    if (status != LIMN_OK || (row && row->how == LIMN_MAP_ABSENT)) return status;
    if (row && limn_map_is_copied(row)) return put_copies(&j, row);
    if (row && row->how == LIMN_MAP_TRANSPOSED) return put_turned(&j, row, block);
    if (row && limn_map_third(row) >= 0) return limn_map_third(row) ? LIMN_OK : put_thirds(&j, row, block);
    if (row) return put_rows(&j, row, block);
    limn_map_tensor *t = &j.whole;
    own_name(to, parameter->name, t->name);
    if (to->dialect->attention_convolves && t->rank == 2 && strstr(t->name, ".attn_1."))
        t->dim[2] = t->dim[3] = 1, t->rank = 4;
    return put(user, t);
}
