/* case.c: see case.h. */
#include "data/case.h"

#include "file/nifti.h"
#include "data/listing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FILES = 256, NUMBER = 4 }; /* NUMBER: digits of a channel */

size_t limn_case_stem(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = limn_stem(name);
    bool fits = n > NUMBER + 1 && name[n - NUMBER - 1] == '_' && strspn(name + n - NUMBER, "0123456789") >= NUMBER;
    return fits ? (size_t)(name - path) + n - NUMBER - 1 : 0;
}

bool limn_case_path(const char *path, int k, char out[LIMN_PATH_BYTES])
{
    size_t n = limn_case_stem(path);
    return n && snprintf(out, LIMN_PATH_BYTES, "%.*s_%04d%s", (int)n, path, k, path + n + 1 + NUMBER) < LIMN_PATH_BYTES;
}

static int channel_of(const char *path)
{
    size_t n = limn_case_stem(path);
    return n ? atoi(path + n + 1) : -1;
}

int limn_case_files(const char *path)
{
    char next[LIMN_PATH_BYTES];
    int n = 1;
    if (channel_of(path) != 0) return n;
    while (n < MOST_FILES && limn_case_path(path, n, next) && access(next, F_OK) == 0) n++;
    return n;
}

bool limn_case_has(const char *path)
{
    char first[LIMN_PATH_BYTES];
    int k = channel_of(path);
    return k > 0 && limn_case_path(path, 0, first) && access(first, F_OK) == 0 && limn_case_files(first) > k;
}

void limn_case_place(limn_ctx *ctx, const char *path, const limn_raster *file, const char *of_path, const limn_raster *of)
{
    double apart = limn_nifti_apart(of, file);
    if (apart > 0.5)
        limn_log(ctx, LIMN_LOG_WARN,
                 "%s lies elsewhere than %s: by their headers the same voxel is up to %.4g voxels away; taken as stored: is "
                 "one of them flipped or cut?",
                 path, of_path, apart);
}

static limn_status read_scaled(limn_ctx *ctx, const char *path, limn_range *range, limn_raster *out)
{
    limn_status status = limn_raster_read(ctx, path, out);
    if (status == LIMN_OK) status = limn_raster_scale(ctx, path, out, range);
    if (status != LIMN_OK) limn_raster_free(out);
    return status;
}

/* Channel k of `all`, from a file of its own. */
static limn_status put_channel(limn_ctx *ctx, const char *path, int k, const limn_raster *one, const char *first_path,
                               limn_raster *all)
{
    char a[48], b[48];
    if (one->channels != 1)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s has %d channels, expected one in each file of a case", path, one->channels);
    if (one->width != all->width || one->height != all->height || one->slices != all->slices)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s has %s pixels, channel 0 has %s", path,
                         limn_raster_size(one->width, one->height, one->slices, a),
                         limn_raster_size(all->width, all->height, all->slices, b));
    size_t n = (size_t)all->width * (size_t)all->height * (size_t)all->slices, c = (size_t)all->channels;
    for (size_t i = 0; i < n; i++) all->values[i * c + (size_t)k] = one->values[i];
    if (one->limit != all->limit) all->limit = 0;
    if (strcmp(one->type, all->type) != 0) all->type = LIMN_SEVERAL_TYPES;
    limn_case_place(ctx, path, one, first_path, all);
    return LIMN_OK;
}

limn_status limn_case_read(limn_ctx *ctx, const char *path, int channels, limn_range *range, limn_raster *out)
{
    char file[LIMN_PATH_BYTES];
    limn_range wanted = *range;
    limn_raster first;
    limn_status status = read_scaled(ctx, path, range, &first);
    *out = channels == 1 ? first : (limn_raster){0};
    if (channels == 1 || status != LIMN_OK) return status;
    status = limn_raster_new(ctx, path, first.width, first.height, first.slices, channels, 0, out);
    if (status == LIMN_OK) {
        out->kind = first.kind, out->limit = first.limit, out->type = first.type, out->below = first.below,
        out->above = first.above, out->separate = true;
        memcpy(out->header, first.header, sizeof out->header);
        status = put_channel(ctx, path, 0, &first, path, out);
    }
    limn_raster_free(&first);
    for (int k = 1; k < channels && status == LIMN_OK; k++) {
        limn_range of = wanted;
        limn_raster one = {0};
        if (channel_of(path) != 0 || !limn_case_path(path, k, file))
            status = limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a name like CASE_0000.png, or a shorter path", path);
        else status = read_scaled(ctx, file, &of, &one);
        if (status == LIMN_OK) status = put_channel(ctx, file, k, &one, path, out);
        limn_raster_free(&one);
    }
    if (status != LIMN_OK) limn_raster_free(out);
    return status;
}
