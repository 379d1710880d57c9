/* tiff_write.c: baseline TIFF 6.0, little-endian: for each page a directory, then its one strip. */
#include "file/tiff.h"

#include "file/bytes.h"

#include <string.h>

enum { N_FIELDS = 9, DIRECTORY = 2 + 12 * N_FIELDS + 4 + 2 /* to an even offset */, SHORT = 3, LONG = 4 };

static void put16(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)v, p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, uint32_t v)
{
    put16(p, v), put16(p + 2, v >> 16);
}

/* offset: of the directory; next: of the one after it, 0 at the end */
static void put_directory(limn_writer *writer, uint32_t width, uint32_t height, uint32_t bits, uint32_t offset,
                          uint32_t next)
{
    const uint32_t field[N_FIELDS][3] = {
        /* tag, type, value: width, height, bits, not compressed, black is 0, strip, samples, rows of it, bytes of it */
        {256, LONG, width}, {257, LONG, height}, {258, SHORT, bits},
        {259, SHORT, 1},    {262, SHORT, 1},     {273, LONG, offset + DIRECTORY},
        {277, SHORT, 1},    {278, LONG, height}, {279, LONG, width * height * (bits / 8)},
    };
    unsigned char d[DIRECTORY] = {0};
    put16(d, N_FIELDS);
    for (int i = 0; i < N_FIELDS; i++) {
        unsigned char *p = d + 2 + 12 * i;
        put16(p, field[i][0]), put16(p + 2, field[i][1]), put32(p + 4, 1), put32(p + 8, field[i][2]);
    }
    put32(d + 2 + 12 * N_FIELDS, next);
    limn_file_write(writer, d, sizeof d);
}

limn_status limn_tiff_write(limn_ctx *ctx, const char *path, int width, int height, int slices, const uint8_t *bytes,
                            const uint16_t *wide)
{
    limn_writer writer;
    size_t strip = (size_t)width * (size_t)height * (bytes ? 1 : 2), step = DIRECTORY + strip + strip % 2;
    if (8 + step * (size_t)slices > UINT32_MAX)
        return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: a TIFF of more than 4 GB", path);
    limn_status status = limn_file_create(ctx, path, &writer);
    if (status != LIMN_OK) return status;
    limn_file_write(&writer, "II*\0\10\0\0", 8);
    for (int z = 0; z < slices; z++) {
        uint32_t at = (uint32_t)(8 + (size_t)z * step);
        put_directory(&writer, (uint32_t)width, (uint32_t)height, bytes ? 8 : 16, at,
                      z + 1 < slices ? at + (uint32_t)step : 0);
        if (bytes) limn_file_write(&writer, bytes + (size_t)z * strip, strip);
        else limn_file_write(&writer, wide + (size_t)z * strip / 2, strip);
        if (strip % 2) limn_file_write(&writer, "", 1);
    }
    return limn_file_commit(&writer);
}
