/* exif.c: see exif.h.  What a file says is compared with the bytes there are; what does not fit is no EXIF, and the picture
 * stays as it is stored. */
#include "file/exif.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { UPRIGHT = 1, ORIENTATION = 0x0112, SHORT = 3, LONG = 4 };

static uint32_t number(const uint8_t *p, int n, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint32_t)p[i] << 8 * (little ? i : n - 1 - i);
    return v;
}

/* "II" or "MM", 42, offset of the directory: count, then tag, type, count and value in 12 bytes each. */
int limn_exif_orientation(const uint8_t *p, size_t n)
{
    if (n >= 6 && memcmp(p, "Exif\0\0", 6) == 0) p += 6, n -= 6;
    if (n < 8 || (memcmp(p, "II", 2) != 0 && memcmp(p, "MM", 2) != 0)) return UPRIGHT;
    bool little = p[0] == 'I';
    size_t at = number(p + 4, 4, little);
    if (at > n - 2) return UPRIGHT;
    uint32_t entries = number(p + at, 2, little);
    for (at += 2; entries-- && at + 12 <= n; at += 12) {
        if (number(p + at, 2, little) != ORIENTATION) continue;
        uint32_t type = number(p + at + 2, 2, little), count = number(p + at + 4, 4, little),
                 value = number(p + at + 8, type == LONG ? 4 : 2, little);
        return (type == SHORT || type == LONG) && count == 1 && value >= 1 && value <= 8 ? (int)value : UPRIGHT;
    }
    return UPRIGHT;
}

/* ---- PNG: u32 length | 4 letters | data | u32 CRC --------------------------------------------------------------------- */

enum { MOST_PROFILE = 256 << 10 }; /* of text; the first directory lies near its beginning */

static int nibble(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "\nexif\n    1234\n45786966..", 72 digits a line.  Digits become bytes in place. */
static int hex_orientation(uint8_t *text, size_t n)
{
    size_t at = 0, bytes = 0;
    for (int lines = 0; lines < 3; lines++) {
        const uint8_t *end = at < n ? memchr(text + at, '\n', n - at) : NULL;
        if (!end) return UPRIGHT;
        at = (size_t)(end - text) + 1;
    }
    for (int high = -1; at < n; at++) {
        int digit = nibble(text[at]);
        if (digit < 0 && text[at] != '\n') break;
        if (digit >= 0 && high >= 0) text[bytes++] = (uint8_t)(high << 4 | digit), high = -1;
        else if (digit >= 0) high = digit;
    }
    return limn_exif_orientation(text, bytes);
}

/* tEXt: key 0 text.   zTXt: key 0 0 zlib.   iTXt: key 0 packed 0 language 0 translated 0 text or zlib.   @return 0: another
 * text */
static int profile_orientation(const uint8_t *type, const uint8_t *p, size_t n)
{
    static const char *const keys[] = {"Raw profile type exif", "Raw profile type APP1"};
    const uint8_t *end = p + n, *text = memchr(p, 0, n);
    bool packed = type[0] == 'z', known = false;
    for (int i = 0; i < 2; i++)
        known = known || (text && (size_t)(text - p) == strlen(keys[i]) && memcmp(p, keys[i], strlen(keys[i])) == 0);
    if (!known) return 0;
    text++;
    if (type[0] != 't') {
        size_t head = packed ? 1 : 2;
        if ((size_t)(end - text) < head || text[head - 1] != 0) return UPRIGHT; /* a method that is not zlib */
        packed = packed || text[0] == 1;
        text += head;
        for (int skipped = 0; type[0] == 'i' && skipped < 2; skipped++)
            if (!(text = memchr(text, 0, (size_t)(end - text))) || !text++) return UPRIGHT;
    }
    uint8_t *plain = malloc(MOST_PROFILE);
    if (!plain) return UPRIGHT;
    size_t length = (size_t)(end - text) < MOST_PROFILE ? (size_t)(end - text) : MOST_PROFILE;
    z_stream z = {
        .next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)(end - text), .next_out = plain, .avail_out = MOST_PROFILE};
    if (!packed) memcpy(plain, text, length);
    else if (inflateInit(&z) == Z_OK) {
        inflate(&z, Z_SYNC_FLUSH); /* damaged further on: what came out until there */
        length = MOST_PROFILE - z.avail_out;
        inflateEnd(&z);
    } else length = 0;
    int orientation = hex_orientation(plain, length);
    free(plain);
    return orientation;
}

int limn_png_orientation(const uint8_t *png, size_t n)
{
    int profile = 0; /* of the first one: a file may hold thousands that unpack to much */
    for (size_t at = 8, length; at < n && n - at >= 12; at += 12 + length) {
        const uint8_t *type = png + at + 4, *data = png + at + 8;
        length = number(png + at, 4, false);
        if (length > n - at - 12 || memcmp(type, "IEND", 4) == 0) break;
        bool exif = memcmp(type, "eXIf", 4) == 0,
             text = memcmp(type, "tEXt", 4) == 0 || memcmp(type, "zTXt", 4) == 0 || memcmp(type, "iTXt", 4) == 0;
        if ((!exif && !text) || crc32(0, type, (uInt)(length + 4)) != number(data + length, 4, false)) continue;
        if (exif) return limn_exif_orientation(data, length);
        if (!profile) profile = profile_orientation(type, data, length);
    }
    return profile ? profile : UPRIGHT;
}

/* ---- WebP: RIFF, u32 size, WEBP, then 4 letters | u32 size | data, to an even size ------------------------------------ */

int limn_webp_orientation(const uint8_t *webp, size_t n)
{
    enum { VP8X_FLAGS = 20, EXIF_FLAG = 8 };
    if (n <= VP8X_FLAGS || memcmp(webp + 12, "VP8X", 4) != 0 || !(webp[VP8X_FLAGS] & EXIF_FLAG)) return UPRIGHT;
    for (size_t at = 12, size; at < n && n - at >= 8; at += 8 + size + size % 2) {
        size = number(webp + at + 4, 4, true);
        if (size > n - at - 8) break;
        if (memcmp(webp + at, "EXIF", 4) == 0) return limn_exif_orientation(webp + at + 8, size);
    }
    return UPRIGHT;
}

/* ---- pixels ----------------------------------------------------------------------------------------------------------- */

void limn_turn(int orientation, int w, int h, size_t pixel, const void *from, void *to)
{
    bool swap = orientation >= 5;
    bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int width = swap ? h : w, height = swap ? w : h;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int from_x = swap ? y : x, from_y = swap ? x : y;
            if (mirror_x) from_x = w - 1 - from_x;
            if (mirror_y) from_y = h - 1 - from_y;
            memcpy((char *)to + ((size_t)y * (size_t)width + (size_t)x) * pixel,
                   (const char *)from + ((size_t)from_y * (size_t)w + (size_t)from_x) * pixel, pixel);
        }
}

limn_status limn_turn_upright(limn_ctx *ctx, const char *name, int orientation, size_t pixel, int *width, int *height,
                              void **pixels)
{
    if (orientation == UPRIGHT) return LIMN_OK;
    int w = *width, h = *height;
    size_t bytes = (size_t)w * (size_t)h * pixel, has = limn_memory_available();
    if (has && bytes > has)
        return limn_fail(ctx, LIMN_NO_MEMORY, "%s: to be turned upright it needs %zu bytes more, %zu are available", name,
                         bytes, has);
    void *turned = malloc(bytes);
    if (!turned) return limn_fail_memory(ctx, bytes, name);
    limn_turn(orientation, w, h, pixel, *pixels, turned);
    free(*pixels);
    *pixels = turned;
    if (orientation >= 5) *width = h, *height = w;
    return LIMN_OK;
}
