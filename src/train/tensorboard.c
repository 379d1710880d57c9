/* tensorboard.c: TFRecord around protocol buffers.
 *   record  u64 length | u32 masked CRC-32C of the length | bytes | u32 masked CRC-32C of the bytes     (little endian)
 *   Event   1 wall_time double, 2 step int64, 3 file_version string, 5 summary;  Summary 1 value (repeated)
 *   Value   1 tag string, 2 simple_value float, 4 image;  Image 1 height, 2 width, 3 colorspace (channels), 4 encoded
 *   string */
#include "train/tensorboard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct limn_tensorboard {
    FILE *file;
};

/* Reflected polynomial 0x82f63b78. */
uint32_t limn_crc32c(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return ~crc;
}

uint32_t limn_crc32c_mask(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* ---- protocol buffers: key = field << 3 | wire type; 0 varint, 1 fixed 64, 2 length and bytes, 5 fixed 32 ------------- */

static void put_varint(limn_text *to, uint64_t value)
{
    do {
        char byte = (char)((value & 127) | (value > 127 ? 128 : 0));
        limn_text_append(to, &byte, 1);
    } while (value >>= 7);
}

static void put_little(limn_text *to, uint64_t value, int n_bytes)
{
    char bytes[8];
    for (int i = 0; i < n_bytes; i++) bytes[i] = (char)(value >> 8 * i);
    limn_text_append(to, bytes, (size_t)n_bytes);
}

static void put_whole(limn_text *to, unsigned field, uint64_t value)
{
    put_varint(to, field << 3);
    put_varint(to, value);
}

static void put_bytes(limn_text *to, unsigned field, const void *bytes, size_t n)
{
    put_varint(to, field << 3 | 2);
    put_varint(to, n);
    limn_text_append(to, bytes, n);
}

static void put_double(limn_text *to, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_varint(to, field << 3 | 1);
    put_little(to, bits, 8);
}

static void put_float(limn_text *to, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_varint(to, field << 3 | 5);
    put_little(to, bits, 4);
}

/* ---- records ---------------------------------------------------------------------------------------------------------- */

static void write_record(limn_tensorboard *t, const limn_text *event)
{
    limn_text head = {0}, tail = {0};
    put_little(&head, event->n, 8);
    if (!head.failed) put_little(&head, limn_crc32c_mask(limn_crc32c(head.bytes, 8)), 4);
    put_little(&tail, limn_crc32c_mask(limn_crc32c(event->bytes, event->n)), 4);
    if (!head.failed && !tail.failed && !event->failed) {
        fwrite(head.bytes, 1, head.n, t->file);
        fwrite(event->bytes, 1, event->n, t->file);
        fwrite(tail.bytes, 1, tail.n, t->file);
        fflush(t->file);
    }
    limn_text_free(&head);
    limn_text_free(&tail);
}

/* One event that holds one value. */
static void write_value(limn_tensorboard *t, int64_t step, const limn_text *value)
{
    struct timespec now;
    limn_text summary = {0}, event = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    put_bytes(&summary, 1, value->bytes, value->n);
    put_double(&event, 1, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    put_whole(&event, 2, (uint64_t)step);
    put_bytes(&event, 5, summary.bytes, summary.n);
    if (!value->failed && !summary.failed) write_record(t, &event);
    limn_text_free(&summary);
    limn_text_free(&event);
}

limn_status limn_tensorboard_open(limn_ctx *ctx, const char *folder, limn_tensorboard **out)
{
    char path[1200];
    long long seconds = (long long)time(NULL);
    *out = NULL;
    limn_tensorboard *t = calloc(1, sizeof *t);
    if (!t) return limn_fail_memory(ctx, sizeof *t, "events");
    for (int i = 0; i < 1000 && !t->file; i++) { /* two runs may begin in one second */
        snprintf(path, sizeof path, "%s/events.out.tfevents.%010lld.limn.%d", folder, seconds, i);
        t->file = fopen(path, "wbx");
        if (!t->file && errno != EEXIST) break;
    }
    if (!t->file) {
        limn_status status = limn_fail(ctx, LIMN_IO, "%s: %s", path, strerror(errno));
        free(t);
        return status;
    }
    limn_text event = {0};
    put_double(&event, 1, (double)seconds);
    put_bytes(&event, 3, "brain.Event:2", 13);
    write_record(t, &event);
    limn_text_free(&event);
    *out = t;
    return LIMN_OK;
}

void limn_tensorboard_close(limn_tensorboard *t)
{
    if (!t) return;
    fclose(t->file);
    free(t);
}

void limn_tensorboard_scalar(limn_tensorboard *t, int64_t step, const char *tag, double value)
{
    limn_text v = {0};
    put_bytes(&v, 1, tag, strlen(tag));
    put_float(&v, 2, (float)value);
    write_value(t, step, &v);
    limn_text_free(&v);
}

void limn_tensorboard_image(limn_tensorboard *t, int64_t step, const char *tag, int width, int height, int channels,
                            const void *png, size_t n)
{
    limn_text image = {0}, v = {0};
    put_whole(&image, 1, (uint64_t)height);
    put_whole(&image, 2, (uint64_t)width);
    put_whole(&image, 3, (uint64_t)channels);
    put_bytes(&image, 4, png, n);
    put_bytes(&v, 1, tag, strlen(tag));
    put_bytes(&v, 4, image.bytes, image.n);
    if (!image.failed) write_value(t, step, &v);
    limn_text_free(&image);
    limn_text_free(&v);
}
