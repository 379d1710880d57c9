/* fuzz_nifti.c: any bytes as a volume, a TIFF or a picture; what decodes is scaled and, a NIfTI volume, written and read again. */
#include "file/nifti.h"
#include "file/raster.h"

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
    limn_ctx_free(ctx);
    return 0;
}
