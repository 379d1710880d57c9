/* jpeg.c: JPEG by libjpeg-turbo.  Its errors arrive by longjmp: what must survive one lives in struct jpeg_job, never in
 * locals. */
#include "file/exif.h"
#include "file/image.h"

#include <stdio.h>

#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SCANS = 100, MAX_PIXELS_PER_BYTE = 1024 };

typedef struct jpeg_job {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    limn_ctx *ctx;
    const char *name;
    const uint8_t *bytes;
    size_t n;
    limn_image *out;
    limn_status status;
    int orientation;
    char why[JMSG_LENGTH_MAX];
} jpeg_job;

static void keep_reason(j_common_ptr jpeg)
{
    jpeg_job *job = jpeg->client_data;
    jpeg->err->format_message(jpeg, job->why);
    longjmp(job->escape, 1);
}

/* libjpeg goes on with made-up pixels after a warning; only those that leave the pixels whole are let pass. */
static void on_warning(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;
    if (level >= 0 || code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM ||
        code == JWRN_BOGUS_ICC)
        return;
    keep_reason(jpeg);
}

static void silent(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void watch_scans(j_common_ptr jpeg)
{
    jpeg_job *job = jpeg->client_data;
    if (job->jpeg.input_scan_number <= MAX_SCANS) return;
    snprintf(job->why, sizeof job->why, "more than %d scans", MAX_SCANS);
    longjmp(job->escape, 1);
}

static int stored_channels(struct jpeg_decompress_struct *jpeg)
{
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE: jpeg->out_color_space = JCS_GRAYSCALE; return 1;
    case JCS_YCbCr: case JCS_RGB: jpeg->out_color_space = JCS_RGB; return 3;
    case JCS_CMYK: case JCS_YCCK: jpeg->out_color_space = JCS_CMYK; return 3;
    default: return 0;
    }
}

static limn_status open_pixels(jpeg_job *job)
{
    struct jpeg_decompress_struct *jpeg = &job->jpeg;
    int channels = stored_channels(jpeg);
    if (!channels)
        return limn_fail(job->ctx, LIMN_UNSUPPORTED, "%s: a JPEG of %d components, expected gray, RGB, YCbCr or CMYK",
                         job->name, jpeg->num_components);
    limn_status status = limn_image_check(job->ctx, job->name, jpeg->image_width, jpeg->image_height, channels);
    if (status != LIMN_OK) return status;
    if ((size_t)jpeg->image_width * jpeg->image_height / MAX_PIXELS_PER_BYTE > job->n) /* one bit or more codes 64 pixels */
        return limn_fail(job->ctx, LIMN_BAD_FILE, "%s: %u x %u pixels cannot come out of %zu bytes", job->name,
                         jpeg->image_width, jpeg->image_height, job->n);
    return limn_image_new(job->ctx, job->name, jpeg->image_width, jpeg->image_height, channels, job->out);
}

/* Adobe writes CMYK inverted: 255 is no ink. */
static void cmyk_row(const uint8_t *cmyk, uint8_t *rgb, int width, bool inverted)
{
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (int k = 0; k < 3; k++) {
            unsigned ink = inverted ? cmyk[k] : 255u - cmyk[k], black = inverted ? cmyk[3] : 255u - cmyk[3];
            rgb[k] = (uint8_t)((ink * black + 127) / 255);
        }
}

static void read_rows(jpeg_job *job)
{
    struct jpeg_decompress_struct *jpeg = &job->jpeg;
    size_t row = (size_t)job->out->width * (size_t)job->out->channels;
    JSAMPARRAY four = NULL; /* of libjpeg's pool: freed with it */
    if (jpeg->out_color_space == JCS_CMYK)
        four = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, jpeg->image_width * 4, 1);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW to = job->out->pixels + jpeg->output_scanline * row;
        jpeg_read_scanlines(jpeg, four ? four : &to, 1);
        if (four) cmyk_row(four[0], to, job->out->width, jpeg->saw_Adobe_marker);
    }
}

static bool decode(jpeg_job *job)
{
    struct jpeg_decompress_struct *jpeg = &job->jpeg;
    if (setjmp(job->escape)) return false;
    jpeg_create_decompress(jpeg);
    jpeg->client_data = job;
    jpeg->progress = &job->progress;
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_mem_src(jpeg, job->bytes, job->n);
    jpeg_read_header(jpeg, TRUE);
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
        if (job->orientation == 1 && m->data_length > 6 && memcmp(m->data, "Exif\0\0", 6) == 0) /* APP1 is also XMP */
            job->orientation = limn_exif_orientation(m->data, m->data_length);
    if ((job->status = open_pixels(job)) != LIMN_OK) return true;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(jpeg);
    read_rows(job);
    jpeg_finish_decompress(jpeg);
    return true;
}

limn_status limn_jpeg_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out)
{
    char shown[256];
    *out = (limn_image){0};
    jpeg_job job = {.ctx = ctx, .name = name, .bytes = bytes, .n = n, .out = out, .orientation = 1};
    job.jpeg.err = jpeg_std_error(&job.errors);
    job.jpeg.client_data = &job;
    job.errors.error_exit = keep_reason;
    job.errors.emit_message = on_warning;
    job.errors.output_message = silent;
    job.progress.progress_monitor = watch_scans;
    if (!decode(&job))
        job.status = limn_fail(ctx, LIMN_BAD_FILE, "%s: damaged JPEG: %s", name,
                               limn_escape(job.why, strlen(job.why), shown, sizeof shown));
    jpeg_destroy_decompress(&job.jpeg);
    if (job.status == LIMN_OK) job.status = limn_image_turn(ctx, name, job.orientation, out);
    if (job.status != LIMN_OK) limn_image_free(out);
    return job.status;
}
