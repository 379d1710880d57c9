/* apng.c: animated PNG, the chunks of the APNG specification 1.0 around zlib streams.
 *
 *   signature IHDR acTL | fcTL IDAT | fcTL fdAT | fcTL fdAT ... | IEND        fcTL and fdAT share one count from 0 on */
#include "file/bytes.h"
#include "file/image.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { FILTER_SUB = 1 };

typedef struct apng {
    limn_writer writer;
    uint32_t count;                 /* of fcTL and fdAT */
    unsigned char *rows,
        *packed; /* filtered rows of a frame behind a byte each; the chunk's 4 bytes, then their zlib stream */
    size_t row_bytes, n_rows, room;
} apng;

static void put_u32(unsigned char *to, uint32_t x)
{
    to[0] = (unsigned char)(x >> 24), to[1] = (unsigned char)(x >> 16), to[2] = (unsigned char)(x >> 8),
    to[3] = (unsigned char)x;
}

static void put_chunk(apng *a, const char *type, const unsigned char *bytes, size_t n)
{
    unsigned char head[8], tail[4];
    put_u32(head, (uint32_t)n);
    memcpy(head + 4, type, 4);
    uLong crc = crc32(0, head + 4, 4);
    if (n) crc = crc32(crc, bytes, (uInt)n); /* crc32() of NULL begins anew */
    put_u32(tail, (uint32_t)crc);
    limn_file_write(&a->writer, head, sizeof head);
    if (n) limn_file_write(&a->writer, bytes, n);
    limn_file_write(&a->writer, tail, sizeof tail);
}

static void put_header(apng *a, const limn_image *image, int n)
{
    static const unsigned char signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, colors[] = {0, 0, 4, 2, 6};
    unsigned char header[13] = {0}, control[8] = {0}; /* control: frames; 0 repeats is forever */
    put_u32(header, (uint32_t)image->width);
    put_u32(header + 4, (uint32_t)image->height);
    header[8] = 8, header[9] = colors[image->channels];
    put_u32(control, (uint32_t)n);
    limn_file_write(&a->writer, signature, sizeof signature);
    put_chunk(a, "IHDR", header, sizeof header);
    put_chunk(a, "acTL", control, sizeof control);
}

static void put_frame_control(apng *a, const limn_image *image, int milliseconds)
{
    unsigned char control[26] = {0}; /* count, size, place 0 0, delay as a fraction, no disposal, no blending */
    put_u32(control, a->count++);
    put_u32(control + 4, (uint32_t)image->width);
    put_u32(control + 8, (uint32_t)image->height);
    control[20] = (unsigned char)(milliseconds >> 8), control[21] = (unsigned char)milliseconds;
    control[22] = 1000 >> 8, control[23] = 1000 & 255;
    put_chunk(a, "fcTL", control, sizeof control);
}

/* Filter Sub: each byte less the one a pixel before. */
static void filter(apng *a, const limn_image *image)
{
    size_t c = (size_t)image->channels;
    for (size_t y = 0; y < a->n_rows; y++) {
        const unsigned char *from = image->pixels + y * a->row_bytes;
        unsigned char *to = a->rows + y * (a->row_bytes + 1);
        *to++ = FILTER_SUB;
        for (size_t i = 0; i < a->row_bytes; i++) to[i] = (unsigned char)(from[i] - (i < c ? 0 : from[i - c]));
    }
}

static limn_status put_frame(limn_ctx *ctx, apng *a, const limn_image *image, bool first, int milliseconds)
{
    uLongf n = (uLongf)a->room;
    put_frame_control(a, image, milliseconds);
    filter(a, image);
    if (compress2(a->packed + 4, &n, a->rows, (uLong)(a->n_rows * (a->row_bytes + 1)), Z_DEFAULT_COMPRESSION) != Z_OK)
        return limn_fail_memory(ctx, a->room, "a frame");
    if (first) put_chunk(a, "IDAT", a->packed + 4, n);
    else {
        put_u32(a->packed, a->count++);
        put_chunk(a, "fdAT", a->packed, n + 4);
    }
    return LIMN_OK;
}

static limn_status put_all(limn_ctx *ctx, apng *a, const limn_image *images, int n, int milliseconds)
{
    size_t bytes = a->n_rows * (a->row_bytes + 1);
    limn_status status = LIMN_OK;
    a->room = compressBound((uLong)bytes);
    a->rows = malloc(bytes), a->packed = malloc(a->room + 4);
    if (!a->rows || !a->packed) return limn_fail_memory(ctx, bytes + a->room, "frames");
    put_header(a, &images[0], n);
    for (int i = 0; i < n && status == LIMN_OK; i++) status = put_frame(ctx, a, &images[i], i == 0, milliseconds);
    put_chunk(a, "IEND", NULL, 0);
    return status;
}

limn_status limn_apng_write(limn_ctx *ctx, const char *path, const limn_image *images, int n, int milliseconds)
{
    apng *a = calloc(1, sizeof *a);
    if (!a) return limn_fail_memory(ctx, sizeof *a, "an animation");
    limn_status status =
        n > 0 && milliseconds > 0 && milliseconds < 65536
            ? LIMN_OK
            : limn_fail(ctx, LIMN_BAD_ARGUMENT, "an animation needs pictures and 1 to 65535 milliseconds for each");
    for (int i = 1; i < n && status == LIMN_OK; i++)
        if (images[i].width != images[0].width || images[i].height != images[0].height ||
            images[i].channels != images[0].channels)
            status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "picture %d of an animation has another size than the first", i);
    if (status == LIMN_OK) {
        a->row_bytes = (size_t)images[0].width * (size_t)images[0].channels, a->n_rows = (size_t)images[0].height;
        status = limn_file_create(ctx, path, &a->writer);
        if (status == LIMN_OK) status = put_all(ctx, a, images, n, milliseconds);
        if (status == LIMN_OK) status = limn_file_commit(&a->writer);
        else limn_file_discard(&a->writer);
    }
    free(a->rows);
    free(a->packed);
    free(a);
    return status;
}
