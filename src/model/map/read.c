/* read.c: one parameter from the tensors that hold it. */
#include "model/map/map.h"
#include "model/map/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "a.*.b" against name */
static bool matches(const char *pattern, const char *name, const char *end, int *block)
{
    *block = -1;
    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            if (name == end || *name++ != *pattern) return false;
            continue;
        }
        if (name == end || *name < '0' || *name > '9') return false;
        for (*block = 0; name < end && *name >= '0' && *name <= '9' && *block < 100000; name++)
            *block = *block * 10 + *name - '0';
    }
    return name == end;
}

const char *limn_map_suffix(const char *name)
{
    size_t n = strlen(name);
    if (n > 7 && !strcmp(name + n - 7, ".weight")) return name + n - 7;
    return n > 5 && !strcmp(name + n - 5, ".bias") ? name + n - 5 : name + n;
}

const limn_map_row *limn_map_row_of(const limn_map *map, const char *name, int *block)
{
    const limn_map_row *row = map->dialect->rows;
    const char *end = limn_map_suffix(name);
    while (row->name && !matches(row->name, name, end, block)) row++;
    return row->name && !map->dialect->rename ? row : NULL;
}

void limn_map_source_name(const limn_map *map, const char *pattern, int block, const char *suffix, char *out, size_t n)
{
    const char *star = strchr(pattern, '*'), *rest = star ? star + 1 : pattern;
    size_t length = strlen(rest);
    char last = length ? rest[length - 1] : '\0';
    if (last == '$') length--, suffix = "";
    else if (last == '_' && *suffix == '.') suffix++;
    if (star)
        snprintf(out, n, "%s%.*s%d%.*s%s", map->prefix, (int)(star - pattern), pattern, block, (int)length, rest, suffix);
    else snprintf(out, n, "%s%.*s%s", map->prefix, (int)length, rest, suffix);
}

int limn_map_third(const limn_map_row *row)
{
    bool third = row->how >= LIMN_MAP_FIRST_THIRD && row->how <= LIMN_MAP_LAST_THIRD;
    return third ? (int)row->how - LIMN_MAP_FIRST_THIRD : -1;
}

bool limn_map_swaps(const limn_map *map, const limn_map_row *row, int block)
{
    return row->how == LIMN_MAP_SWAP || (row->how == LIMN_MAP_SWAP_LAST && block == map->n_blocks - 1);
}

static bool has_shape(const limn_entry *e, const limn_shape *want)
{
    if (!e->usable || (e->rank != want->rank && (e->rank < 2 || want->rank < 2))) return false;
    for (int k = 0; k < want->rank || k < e->rank; k++)
        if ((k < e->rank ? e->dim[k] : 1) != (k < want->rank ? want->dim[k] : 1)) return false;
    return true;
}

limn_status limn_map_find(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *name,
                          const limn_shape *want, const limn_entry **out)
{
    *out = limn_weight_file_find(st, name);
    if (!*out) return limn_source_missing(ctx, file, st, name);
    return !want || has_shape(*out, want) ? LIMN_OK : limn_source_wrong_shape(ctx, file, st, *out, want);
}

int limn_map_source_count(const limn_map_row *row)
{
    int n = 0;
    while (n < LIMN_MAP_SOURCES && row->source[n]) n++;
    return n;
}

static void *element(void *to, limn_dtype dtype, int64_t i)
{
    return (char *)to + limn_dtype_size(dtype, (size_t)i);
}

/* Its second half before its first. */
static limn_status swapped(limn_ctx *ctx, const limn_weight_file *st, const limn_entry *e, limn_dtype dtype, void *to)
{
    size_t half = limn_entry_count(e) / 2;
    limn_status status = limn_weight_file_load_part(ctx, st, e, half, half, to, dtype);
    if (status != LIMN_OK) return status;
    return limn_weight_file_load_part(ctx, st, e, 0, half, element(to, dtype, (int64_t)half), dtype);
}

/* Of the parameter's own shape, or a table of places on another grid. */
static limn_status read_own(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *name,
                            const limn_node *p, limn_dtype dtype, void *to, limn_dtype *type)
{
    const limn_wanted w = {.name = p->name, .shape = p->shape, .init = &p->init};
    const limn_entry *e = limn_weight_file_find(st, name);
    if (e && limn_source_other_places(e, &w)) {
        limn_status status = limn_source_check_places(ctx, file, st, e, &w);
        return status == LIMN_OK && to ? limn_init_read(ctx, &w, 0, dtype, to) : status;
    }
    limn_status status = limn_map_find(ctx, file, st, name, &p->shape, &e);
    if (status == LIMN_OK) *type = limn_entry_type(e);
    return status == LIMN_OK && to ? limn_weight_file_load(ctx, st, e, to, dtype) : status;
}

/* [K,N] -> [N,K] */
static limn_status transposed(limn_ctx *ctx, const limn_weight_file *st, const limn_entry *e, limn_dtype dtype, void *to)
{
    size_t n = limn_entry_count(e), rows = (size_t)e->dim[1], columns = (size_t)e->dim[0];
    float *from = limn_alloc_aligned(2 * n * sizeof *from);
    if (!from) return limn_fail_memory(ctx, 2 * n * sizeof *from, e->name);
    float *turned = from + n;
    limn_status status = limn_weight_file_load(ctx, st, e, from, LIMN_F32);
    for (size_t i = 0; i < rows && status == LIMN_OK; i++)
        for (size_t k = 0; k < columns; k++) turned[i * columns + k] = from[k * rows + i];
    if (status == LIMN_OK) limn_convert(turned, LIMN_F32, to, dtype, n);
    limn_free_aligned(from);
    return status;
}

limn_shape limn_map_source_shape(const limn_map_row *row, const limn_shape *whole)
{
    limn_shape shape = *whole;
    if (row->how == LIMN_MAP_TRANSPOSED) shape.dim[0] = whole->dim[1], shape.dim[1] = whole->dim[0];
    else if (limn_map_third(row) >= 0) shape.dim[0] *= 3;
    else shape.dim[0] /= limn_map_source_count(row);
    return shape;
}

static limn_status read_rows(limn_ctx *ctx, const limn_map *map, const char *file, const limn_weight_file *st,
                             const limn_map_row *row, int block, const limn_node *p, limn_dtype dtype, void *to,
                             limn_dtype *type)
{
    int n = limn_map_source_count(row), third = limn_map_third(row);
    limn_shape want = limn_map_source_shape(row, &p->shape);
    const limn_entry *e[LIMN_MAP_SOURCES];
    for (int k = 0; k < n; k++) {
        char name[512];
        limn_map_source_name(map, row->source[k], block, limn_map_suffix(p->name), name, sizeof name);
        limn_status status = limn_map_find(ctx, file, st, name, &want, &e[k]);
        if (status != LIMN_OK) return status;
        *type = k == 0 || limn_entry_type(e[k]) == *type ? limn_entry_type(e[k]) : LIMN_F32;
    }
    if (row->how == LIMN_MAP_TRANSPOSED) *type = LIMN_F32; /* worked out */
    if (!to) return LIMN_OK;
    int64_t count = limn_shape_count(&want);
    if (third >= 0)
        return limn_weight_file_load_part(ctx, st, e[0], (size_t)(third * (count / 3)), (size_t)(count / 3), to, dtype);
    if (row->how == LIMN_MAP_TRANSPOSED) return transposed(ctx, st, e[0], dtype, to);
    if (limn_map_swaps(map, row, block)) return swapped(ctx, st, e[0], dtype, to);
    limn_status status = LIMN_OK;
    for (int k = 0; k < n && status == LIMN_OK; k++)
        status = limn_weight_file_load(ctx, st, e[k], element(to, dtype, k * count), dtype);
    return status;
}

limn_status limn_map_read(limn_ctx *ctx, const limn_map *map, const char *file, const limn_weight_file *st,
                          const limn_node *p, limn_dtype dtype, void *to, bool *found, limn_dtype *type)
{
    int block = -1;
    char name[512];
    const limn_entry *e;
    limn_dtype none;
    if (!type) type = &none;
    *type = LIMN_F32;
    if (map->dialect->rename) {
        char inside[256];
        *found = true;
        map->dialect->rename(map, p->name, inside, sizeof inside);
        snprintf(name, sizeof name, "%s%s", map->prefix, inside);
        limn_status status = limn_map_find(ctx, file, st, name, &p->shape, &e);
        if (status == LIMN_OK) *type = limn_entry_type(e);
        return status == LIMN_OK && to ? limn_weight_file_load(ctx, st, e, to, dtype) : status;
    }
    const limn_map_row *row = limn_map_row_of(map, p->name, &block);
    *found = !row || row->how != LIMN_MAP_ABSENT;
    if (!*found) return LIMN_OK;
    if (row) return read_rows(ctx, map, file, st, row, block, p, dtype, to, type);
    snprintf(name, sizeof name, "%s%s", map->prefix, p->name);
    return read_own(ctx, file, st, name, p, dtype, to, type);
}

/* Of weights in several files their index.  variant: "", ".fp16" */
static bool has_file(const char *source, const char *stem, const char *ending, const char *variant, char *out)
{
    snprintf(out, 1100, "%s/%s%s%s", source, stem, variant, ending);
    if (access(out, R_OK) == 0) return true;
    snprintf(out, 1100, "%s/%s%s.index%s.json", source, stem, ending, variant);
    return access(out, R_OK) == 0;
}

limn_status limn_map_file(limn_ctx *ctx, const char *source, char *out)
{
    static const char *const endings[] = {".safetensors", ".bin"}, *const variants[] = {"", ".fp16", ".bf16"};
    static const char *const stems[][2] = {{"model", "pytorch_model"},
                                           {"diffusion_pytorch_model", "diffusion_pytorch_model"},
                                           {"transformer/diffusion_pytorch_model", "transformer/diffusion_pytorch_model"},
                                           {"unet/diffusion_pytorch_model", "unet/diffusion_pytorch_model"},
                                           {"text_encoder/model", "text_encoder/pytorch_model"}};
    struct stat info;
    if (strlen(source) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path is longer than 1000 bytes");
    if (stat(source, &info) != 0) return limn_fail(ctx, LIMN_NOT_FOUND, "%s: %s", source, strerror(errno));
    snprintf(out, 1100, "%s", source);
    if (!S_ISDIR(info.st_mode)) return LIMN_OK;
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        for (size_t k = 0; k < 2; k++)
            for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
                if (has_file(source, stems[i][k], endings[k], variants[v], out)) return LIMN_OK;
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s: the folder has neither %s.safetensors nor %s.safetensors, nor an index of "
                     "several files", source, stems[0][0], stems[1][0]);
}
