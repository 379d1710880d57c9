/* fuzz_nifti.c: any bytes as a volume, a TIFF or a picture; what decodes is a mask or a sentence, is scaled and, a NIfTI
 * volume, written and read again. */
#include "file/nifti.h"
#include "file/raster.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static size_t count(const limn_raster *r)
{
    return (size_t)r->width * (size_t)r->height * (size_t)r->slices * (size_t)r->channels;
}

static void write_again(limn_ctx *ctx, const limn_raster *r)
{
    char path[64];
    limn_raster back;
    snprintf(path, sizeof path, "/tmp/fuzz-nifti-%d.nii", (int)getpid());
    require(limn_nifti_write(ctx, path, r, NULL, r->values) == LIMN_OK && limn_raster_read(ctx, path, &back) == LIMN_OK);
    require(count(&back) == count(r) && memcmp(back.values, r->values, count(r) * sizeof(float)) == 0);
    limn_raster_free(&back);
    unlink(path);
}

/* As a mask: whole numbers, or a sentence. */
static void read_labels(limn_ctx *ctx, const uint8_t *data, size_t n)
{
    limn_raster r;
    uint16_t *labels = NULL, sum = 0;
    limn_near_labels near;
    limn_status status = limn_raster_decode_labels(ctx, "fuzz", data, n, &r);
    if (status == LIMN_OK) status = limn_raster_labels(ctx, "fuzz", &r, &labels, &near);
    require((status == LIMN_OK) == (labels != NULL));
    if (!labels) require(strncmp(limn_error_text(ctx), "fuzz", 4) == 0);
    for (size_t i = 0; labels && i < count(&r) / (size_t)r.channels; i++)
        sum ^= labels[i]; /* every one is there and was written */
    if (sum == 1) limn_log(ctx, LIMN_LOG_DEBUG, "%d", sum);
    limn_raster_free(&r);
    free(labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_raster r;
    limn_range range = {0};
    if (limn_raster_decode(ctx, "fuzz", data, n, &r) == LIMN_OK) {
        require(r.values && r.width > 0 && r.height > 0 && r.slices > 0 && r.channels > 0);
        require(limn_raster_scale(ctx, "fuzz", &r, &range) == LIMN_OK);
        for (size_t i = 0; i < count(&r); i++) require(r.values[i] >= 0 && r.values[i] <= 1);
        if (r.kind == LIMN_RASTER_NIFTI && r.channels == 1 && count(&r) < 1000) write_again(ctx, &r);
    } else require(!r.values && strncmp(limn_error_text(ctx), "fuzz", 4) == 0);
    limn_raster_free(&r);
    read_labels(ctx, data, n);
    limn_ctx_free(ctx);
    return 0;
}
