/* png_text.c: chunks of a PNG: u32 length | 4 letters | data | u32 CRC of letters and data (W3C PNG, section 5). */
#include "file/png_text.h"

#include <string.h>
#include <zlib.h>

static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

typedef struct chunk {
    const char *type;
    const unsigned char *data;
    size_t n, at;
} chunk;

bool limn_png_is(const unsigned char *bytes, size_t n)
{
    return n >= sizeof signature && memcmp(bytes, signature, sizeof signature) == 0;
}

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static limn_status next_chunk(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, size_t at, chunk *out)
{
    if (n - at < 12)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: the PNG ends at byte %zu, before its last chunk (IEND)", name, n);
    uint32_t length = big_endian(bytes + at);
    char type[64];
    limn_escape((const char *)bytes + at + 4, 4, type, sizeof type);
    if (length > n - at - 12)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: chunk %s at byte %zu says %u bytes, %zu are left", name, type, at, length,
                         n - at - 12);
    *out = (chunk){.type = (const char *)bytes + at + 4, .data = bytes + at + 8, .n = length, .at = at};
    if (crc32(0, bytes + at + 4, (uInt)(length + 4)) != big_endian(bytes + at + 8 + length))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: chunk %s at byte %zu has a wrong check sum", name, type, at);
    return LIMN_OK;
}

static limn_status read_header(limn_ctx *ctx, const char *name, const chunk *c, limn_png_info *out)
{
    static const char *const colors[] = {"gray", NULL, "RGB", "palette", "gray and alpha", NULL, "RGBA"};
    if (c->n != 13 || c->data[9] > 6 || !colors[c->data[9]])
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: IHDR at byte %zu is not a PNG header", name, c->at);
    out->width = big_endian(c->data);
    out->height = big_endian(c->data + 4);
    out->bits = c->data[8];
    out->color = colors[c->data[9]];
    return LIMN_OK;
}

/* Latin-1 takes at most two bytes of UTF-8 a letter. */
static char *from_latin1(limn_arena *arena, const unsigned char *p, size_t n)
{
    char *text = limn_arena_alloc(arena, 2 * n + 1), *q = text;
    for (size_t i = 0; q && i < n; i++) {
        if (p[i] < 0x80) *q++ = (char)p[i];
        else *q++ = (char)(0xc0 | p[i] >> 6), *q++ = (char)(0x80 | (p[i] & 0x3f));
    }
    return text;
}

/* tEXt: key 0 text.   iTXt: key 0 compressed 0 language 0 translated key 0 text.   @return false when memory is out */
static bool read_text(const chunk *c, limn_png_info *out)
{
    const unsigned char *p = c->data, *end = c->data + c->n, *key_end = memchr(p, 0, c->n);
    if (!key_end || key_end == p || out->n == LIMN_PNG_TEXTS) return true;
    const unsigned char *text = key_end + 1;
    bool international = memcmp(c->type, "iTXt", 4) == 0;
    if (international) {
        if (end - text < 2 || text[0]) return true;
        text += 2;
        for (int skipped = 0; skipped < 2; skipped++) {
            text = memchr(text, 0, (size_t)(end - text));
            if (!text++) return true;
        }
    }
    size_t n = (size_t)(end - text);
    char *kept = international ? limn_arena_alloc(out->arena, n + 1) : from_latin1(out->arena, text, n);
    char *key = from_latin1(out->arena, p, (size_t)(key_end - p));
    if (!kept || !key) return false;
    if (international) memcpy(kept, text, n);
    out->texts[out->n++] = (limn_png_text){key, kept};
    return true;
}

static limn_status walk(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, limn_png_info *out)
{
    chunk c = {.type = "    "};
    for (size_t at = sizeof signature; memcmp(c.type, "IEND", 4) != 0; at = c.at + 12 + c.n) {
        limn_status status = next_chunk(ctx, name, bytes, n, at, &c);
        if (status == LIMN_OK && at == sizeof signature) {
            if (memcmp(c.type, "IHDR", 4) != 0)
                return limn_fail(ctx, LIMN_BAD_FILE, "%s: the first chunk must be IHDR", name);
            status = read_header(ctx, name, &c, out);
        }
        if (status != LIMN_OK) return status;
        bool text = memcmp(c.type, "tEXt", 4) == 0 || memcmp(c.type, "iTXt", 4) == 0;
        if (text && !read_text(&c, out)) return limn_fail_memory(ctx, c.n, name);
    }
    return LIMN_OK;
}

limn_status limn_png_info_read(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, limn_png_info *out)
{
    *out = (limn_png_info){.color = ""};
    if (!limn_png_is(bytes, n)) return limn_fail(ctx, LIMN_BAD_FILE, "%s: not a PNG", name);
    out->arena = limn_arena_new();
    if (!out->arena) return limn_fail_memory(ctx, n, name);
    limn_status status = walk(ctx, name, bytes, n, out);
    if (status != LIMN_OK) limn_png_info_free(out);
    return status;
}

void limn_png_info_free(limn_png_info *info)
{
    limn_arena_free(info->arena);
    *info = (limn_png_info){.color = ""};
}
