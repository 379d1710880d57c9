/* torch_zip.c: the directory of a zip archive.  Two readers of the same bytes must see the same members, so everything a zip
 * says twice is compared, and there is no byte that belongs to nothing:
 *     local header | bytes | descriptor (flag 8)  ...  directory | zip64 end record and locator (if any) | end record,
 *     without comment
 * APPNOTE 6.3.10; numbers are little-endian. */
#include "file/torch_zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    END = 22, LOCATOR = 20, END64 = 56, CENTRAL = 46, LOCAL = 30,
    DIRECTORY_CAP = 64 << 20, MEMBERS_CAP = 1 << 18, RATIO_CAP = 200,
    ENCRYPTED = 1, DEFLATE_OPTIONS = 6, DESCRIPTOR = 8, UTF8 = 0x800,
};

static uint16_t le16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const unsigned char *p)
{
    return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const unsigned char *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static bool is(const unsigned char *p, const char signature[2])
{
    return p[0] == 'P' && p[1] == 'K' && p[2] == signature[0] && p[3] == signature[1];
}

static limn_status bad(limn_ctx *ctx, const limn_part *part, const limn_zip_member *m, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static limn_status bad(limn_ctx *ctx, const limn_part *part, const limn_zip_member *m, const char *format, ...)
{
    char text[400], name[256];
    va_list args;
    va_start(args, format);
    limn_format_list(text, sizeof text, format, args);
    va_end(args);
    if (!m) return limn_fail(ctx, LIMN_BAD_FILE, "%s: zip archive: %s", part->file, text);
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: zip member \"%s\": %s", part->file,
                     limn_escape(m->name, strlen(m->name), name, sizeof name), text);
}

/* ---- the end ---------------------------------------------------------------------------------------------------------- */

typedef struct directory {
    uint64_t n, begin, bytes, end; /* members; where it lies; end: where the first end record begins */
} directory;

/* The 64-bit end record, which a locator before the 32-bit one points to.  Where the 32-bit one has room, both say the
 * same. */
static limn_status read_end64(limn_ctx *ctx, const limn_part *part, const unsigned char *end, const unsigned char *locator,
                              directory *d)
{
    unsigned char r[END64];
    uint64_t at = le64(locator + 8);
    if (le32(locator + 4) != 0 || le32(locator + 16) != 1 || part->n_bytes < END + LOCATOR + END64 ||
        at != part->n_bytes - END - LOCATOR - END64)
        return bad(ctx, part, NULL, "the zip64 locator points to byte %llu, expected the record right before it",
                   (unsigned long long)at);
    limn_status status = limn_part_read(ctx, part, (size_t)at, END64, r);
    if (status != LIMN_OK) return status;
    if (!is(r, "\6\6") || le64(r + 4) != END64 - 12 || le32(r + 16) != 0 || le32(r + 20) != 0 ||
        le64(r + 24) != le64(r + 32))
        return bad(ctx, part, NULL, "no zip64 end record of one disk at byte %llu", (unsigned long long)at);
    *d = (directory){le64(r + 32), le64(r + 48), le64(r + 40), at};
    if ((le16(end + 10) != 0xffff && le16(end + 10) != d->n) ||
        (le32(end + 12) != UINT32_MAX && le32(end + 12) != d->bytes) ||
        (le32(end + 16) != UINT32_MAX && le32(end + 16) != d->begin))
        return bad(ctx, part, NULL, "the end record and the zip64 end record at byte %llu differ", (unsigned long long)at);
    return LIMN_OK;
}

static limn_status read_end(limn_ctx *ctx, const limn_part *part, directory *d)
{
    unsigned char tail[LOCATOR + END], *end = tail + LOCATOR;
    if (part->n_bytes < END) return bad(ctx, part, NULL, "%zu bytes are too small for an end record", part->n_bytes);
    size_t extra = part->n_bytes < sizeof tail ? 0 : LOCATOR;
    limn_status status = limn_part_read(ctx, part, part->n_bytes - END - extra, END + extra, end - extra);
    if (status != LIMN_OK) return status;
    if (!is(end, "\5\6") || le16(end + 20) != 0)
        return bad(ctx, part, NULL,
                   "no end record in the last %d bytes: the file is cut short, or something follows the archive", END);
    if (le16(end + 4) != 0 || le16(end + 6) != 0 || le16(end + 8) != le16(end + 10))
        return bad(ctx, part, NULL, "the end record tells of several disks");
    *d = (directory){le16(end + 10), le32(end + 16), le32(end + 12), part->n_bytes - END};
    if (extra && is(tail, "\6\7")) status = read_end64(ctx, part, end, tail, d);
    if (status != LIMN_OK) return status;
    if (d->bytes > d->end || d->begin != d->end - d->bytes)
        return bad(ctx, part, NULL,
                   "a directory of %llu bytes at byte %llu does not end at byte %llu, where its end record begins",
                   (unsigned long long)d->bytes, (unsigned long long)d->begin, (unsigned long long)d->end);
    if (d->n > d->bytes / CENTRAL || d->n > MEMBERS_CAP || d->bytes > DIRECTORY_CAP)
        return bad(ctx, part, NULL, "%llu members in a directory of %llu bytes", (unsigned long long)d->n,
                   (unsigned long long)d->bytes);
    return LIMN_OK;
}

/* ---- members ---------------------------------------------------------------------------------------------------------- */

/* Sizes and offset that the record gives as all ones stand in its zip64 field, in this order.  offset may be NULL. */
static bool read_extra(const unsigned char *extra, size_t n, uint64_t *size, uint64_t *stored, uint64_t *offset)
{
    uint64_t *wanted[3];
    int n_wanted = 0;
    if (*size == UINT32_MAX) wanted[n_wanted++] = size;
    if (*stored == UINT32_MAX) wanted[n_wanted++] = stored;
    if (offset && *offset == UINT32_MAX) wanted[n_wanted++] = offset;
    while (n >= 4) {
        size_t length = le16(extra + 2);
        if (length > n - 4) return false;
        if (le16(extra) == 1) {
            if (length < 8 * (size_t)n_wanted) return false;
            for (int i = 0; i < n_wanted; i++) *wanted[i] = le64(extra + 4 + 8 * i);
            return true;
        }
        extra += 4 + length;
        n -= 4 + length;
    }
    return n == 0 && n_wanted == 0;
}

static limn_status read_member(limn_ctx *ctx, const limn_part *part, const directory *d, unsigned char *r, size_t left,
                               limn_zip_member *m, size_t *length)
{
    if (left < CENTRAL || !is(r, "\1\2"))
        return bad(ctx, part, NULL, "no member's record at byte %zu", (size_t)d->end - left);
    size_t n_name = le16(r + 28), n_extra = le16(r + 30), n_comment = le16(r + 32);
    *length = CENTRAL + n_name + n_extra + n_comment;
    if (*length > left)
        return bad(ctx, part, NULL, "the member's record at byte %zu is longer than the directory", (size_t)d->end - left);
    uint64_t size = le32(r + 24), stored = le32(r + 20), at = le32(r + 42);
    uint16_t method = le16(r + 10), disk = le16(r + 34);
    *m = (limn_zip_member){.crc = le32(r + 16), .n_name = (uint16_t)n_name, .flags = le16(r + 8), .deflated = method == 8};
    bool extra = read_extra(r + CENTRAL + n_name, n_extra, &size, &stored, &at),
         nul = memchr(r + CENTRAL, 0, n_name) != NULL;
    memmove(r + CENTRAL - 1, r + CENTRAL, n_name); /* one back, to make room for its end */
    r[CENTRAL - 1 + n_name] = '\0';
    m->name = (char *)r + CENTRAL - 1;
    if (nul) return bad(ctx, part, m, "a NUL in its name");
    if (!extra) return bad(ctx, part, m, "its zip64 sizes are missing or cut short");
    if (m->flags & ENCRYPTED) return bad(ctx, part, m, "it is encrypted");
    if (m->flags & ~(DESCRIPTOR | UTF8 | (m->deflated ? DEFLATE_OPTIONS : 0)))
        return bad(ctx, part, m, "unknown flags 0x%04x", m->flags);
    if (method != 0 && method != 8)
        return bad(ctx, part, m, "compression method %d, expected 0 (stored) or 8 (deflated)", method);
    if (disk != 0) return bad(ctx, part, m, "it lies on another disk");
    if (at > d->begin || stored > d->begin - at)
        return bad(ctx, part, m, "%llu bytes at byte %llu reach past byte %llu, where the directory begins",
                   (unsigned long long)stored, (unsigned long long)at, (unsigned long long)d->begin);
    if (!m->deflated && size != stored)
        return bad(ctx, part, m, "it is stored, but %llu bytes make %llu", (unsigned long long)stored,
                   (unsigned long long)size);
    if (m->deflated && size / RATIO_CAP > stored)
        return bad(ctx, part, m, "%llu bytes unpack to %llu, at most %d times as many are read", (unsigned long long)stored,
                   (unsigned long long)size, RATIO_CAP);
    m->header = (size_t)at, m->stored = (size_t)stored, m->size = (size_t)size;
    return LIMN_OK;
}

static limn_status read_directory(limn_ctx *ctx, const limn_part *part, const directory *d, limn_zip *zip)
{
    zip->directory = malloc((size_t)d->bytes + 1);
    zip->members = malloc(((size_t)d->n + 1) * sizeof *zip->members);
    if (!zip->directory || !zip->members) return limn_fail_memory(ctx, (size_t)d->bytes, part->file);
    limn_status status = limn_part_read(ctx, part, (size_t)d->begin, (size_t)d->bytes, zip->directory);
    size_t at = 0, length = 0;
    for (; zip->n < d->n && status == LIMN_OK; at += length) {
        status = read_member(ctx, part, d, (unsigned char *)zip->directory + at, (size_t)d->bytes - at,
                             &zip->members[zip->n], &length);
        if (status == LIMN_OK) zip->n++;
    }
    if (status == LIMN_OK && at != d->bytes)
        return bad(ctx, part, NULL, "its %llu members take %zu of the %llu bytes of the directory", (unsigned long long)d->n,
                   at, (unsigned long long)d->bytes);
    return status;
}

/* ---- the bytes that lie before the directory -------------------------------------------------------------------------- */

/* After the bytes: crc, stored size, size; with or without a signature, of 4 or 8 bytes a size. */
static limn_status check_descriptor(limn_ctx *ctx, const limn_part *part, const limn_zip_member *m, size_t n)
{
    unsigned char d[24];
    limn_status status = limn_part_read(ctx, part, m->begin + m->stored, n, d);
    if (status != LIMN_OK) return status;
    bool signature = n == 16 || n == 24, wide = n >= 20;
    unsigned char *p = d + (signature ? 4 : 0);
    bool same = le32(p) == m->crc && (wide ? le64(p + 4) == m->stored && le64(p + 12) == m->size
                                           : le32(p + 4) == m->stored && le32(p + 8) == m->size);
    if ((signature && !is(d, "\7\x08")) || !same)
        return bad(ctx, part, m, "its descriptor at byte %zu says something else than the directory", m->begin + m->stored);
    return LIMN_OK;
}

/* The local header says what the directory says; sizes and crc may be left to the descriptor.  buffer: 2 * 65535 + LOCAL */
static limn_status check_local(limn_ctx *ctx, const limn_part *part, limn_zip_member *m, size_t end, unsigned char *buffer)
{
    const unsigned char *r = buffer;
    if (end - m->header < LOCAL)
        return bad(ctx, part, m, "no room for its header at byte %zu: it overlaps what follows", m->header);
    limn_status status = limn_part_read(ctx, part, m->header, LOCAL, buffer);
    if (status != LIMN_OK) return status;
    size_t n_name = le16(r + 26), n_extra = le16(r + 28), room = end - m->header - LOCAL;
    if (!is(r, "\3\4") || n_name != m->n_name || le16(r + 6) != m->flags || le16(r + 8) != (m->deflated ? 8 : 0))
        return bad(ctx, part, m, "its header at byte %zu says something else than the directory", m->header);
    if (n_name + n_extra > room || m->stored > room - n_name - n_extra)
        return bad(ctx, part, m, "its %zu bytes reach past byte %zu: they overlap what follows", m->stored, end);
    status = limn_part_read(ctx, part, m->header + LOCAL, n_name + n_extra, buffer + LOCAL);
    if (status != LIMN_OK) return status;
    uint64_t size = le32(r + 22), stored = le32(r + 18);
    uint32_t crc = le32(r + 14);
    bool sizes = read_extra(r + LOCAL + n_name, n_extra, &size, &stored, NULL),
         left_out = m->flags & DESCRIPTOR && !size && !stored && !crc;
    if (memcmp(r + LOCAL, m->name, n_name) != 0 || !sizes ||
        (!left_out && (size != m->size || stored != m->stored || crc != m->crc)))
        return bad(ctx, part, m, "its header at byte %zu says something else than the directory", m->header);
    m->begin = m->header + LOCAL + n_name + n_extra;
    size_t gap = end - m->begin - m->stored;
    if (!gap && (!left_out || !m->size)) return LIMN_OK;
    if (m->flags & DESCRIPTOR && (gap == 12 || gap == 16 || gap == 20 || gap == 24))
        return check_descriptor(ctx, part, m, gap);
    return bad(ctx, part, m, "%zu bytes between its end at byte %zu and byte %zu belong to nothing", gap,
               m->begin + m->stored, end);
}

static int by_header(const void *a, const void *b)
{
    const limn_zip_member *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const limn_zip_member *)a)->name, ((const limn_zip_member *)b)->name);
}

static limn_status check_members(limn_ctx *ctx, const limn_part *part, const directory *d, limn_zip *zip)
{
    unsigned char *buffer = malloc(2 * 65535 + LOCAL);
    if (!buffer) return limn_fail_memory(ctx, 2 * 65535 + LOCAL, part->file);
    limn_zip_member *m = zip->members;
    qsort(m, zip->n, sizeof *m, by_header);
    limn_status status = zip->n && m->header == 0 ? LIMN_OK : bad(ctx, part, NULL, "no member begins at byte 0");
    for (size_t i = 0; i < zip->n && status == LIMN_OK; i++)
        status = check_local(ctx, part, &m[i], i + 1 < zip->n ? m[i + 1].header : (size_t)d->begin, buffer);
    free(buffer);
    if (status != LIMN_OK) return status;
    qsort(m, zip->n, sizeof *m, by_name);
    for (size_t i = 1; i < zip->n; i++)
        if (by_name(&m[i - 1], &m[i]) == 0) return bad(ctx, part, &m[i], "the name comes twice");
    return LIMN_OK;
}

limn_status limn_zip_read(limn_ctx *ctx, const limn_part *part, limn_zip *zip)
{
    directory d = {0};
    *zip = (limn_zip){0};
    limn_status status = read_end(ctx, part, &d);
    if (status == LIMN_OK) status = read_directory(ctx, part, &d, zip);
    return status == LIMN_OK ? check_members(ctx, part, &d, zip) : status;
}

void limn_zip_free(limn_zip *zip)
{
    free(zip->members);
    free(zip->directory);
    *zip = (limn_zip){0};
}

limn_zip_member *limn_zip_find(const limn_zip *zip, const char *name)
{
    limn_zip_member key = {.name = name};
    return zip->n ? bsearch(&key, zip->members, zip->n, sizeof key, by_name) : NULL;
}
