/* torch_stream.c: the bytes of a zip member in order, stored or deflated. */
#include "file/torch_zip.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 18 };

static limn_status bad(const limn_zip_stream *s, const char *what)
{
    char name[256];
    return limn_fail(s->ctx, LIMN_BAD_FILE, "%s: zip member \"%s\": %s", s->part->file,
                     limn_escape(s->member->name, strlen(s->member->name), name, sizeof name), what);
}

limn_status limn_zip_start(limn_ctx *ctx, const limn_part *part, const limn_zip_member *member, limn_zip_stream *s)
{
    *s = (limn_zip_stream){.ctx = ctx, .part = part, .member = member};
    if (!member->deflated) return LIMN_OK;
    s->in = malloc(CHUNK);
    if (s->in && inflateInit2(&s->z, -MAX_WBITS) == Z_OK) return LIMN_OK;
    free(s->in);
    return limn_fail_memory(ctx, CHUNK, part->file);
}

void limn_zip_stop(limn_zip_stream *s)
{
    if (!s->in) return;
    inflateEnd(&s->z);
    free(s->in);
    s->in = NULL;
}

/* At most n bytes to `to`.  @return Z_OK, Z_STREAM_END, or what is wrong with the data */
static limn_status inflate_some(limn_zip_stream *s, size_t n, void *to, int *said)
{
    size_t left = s->member->stored - s->taken;
    if (!s->z.avail_in && left) {
        size_t more = left < CHUNK ? left : CHUNK;
        limn_status status = limn_part_read(s->ctx, s->part, s->member->begin + s->taken, more, s->in);
        if (status != LIMN_OK) return status;
        s->taken += more;
        s->z.next_in = s->in;
        s->z.avail_in = (uInt)more;
    }
    s->z.next_out = to;
    s->z.avail_out = (uInt)n;
    *said = inflate(&s->z, Z_NO_FLUSH);
    return LIMN_OK;
}

static limn_status unpack(limn_zip_stream *s, size_t n, unsigned char *to)
{
    unsigned char passed[4096];
    for (size_t done = 0; done < n;) {
        size_t most = to ? CHUNK : sizeof passed, want = n - done < most ? n - done : most;
        int said;
        limn_status status = inflate_some(s, want, to ? to + done : passed, &said);
        if (status != LIMN_OK) return status;
        size_t got = want - s->z.avail_out;
        done += got;
        if (said == Z_MEM_ERROR) return limn_fail_memory(s->ctx, CHUNK, s->part->file);
        if ((said != Z_OK && said != Z_STREAM_END) ||
            (done < n && (said == Z_STREAM_END || (!got && s->taken == s->member->stored && !s->z.avail_in))))
            return bad(s, said == Z_DATA_ERROR ? "its deflated data is damaged" : "its deflated data ends too early");
    }
    return LIMN_OK;
}

limn_status limn_zip_next(limn_zip_stream *s, size_t n, void *to)
{
    limn_status status = LIMN_OK;
    if (s->in) status = unpack(s, n, to);
    else if (to) status = limn_part_read(s->ctx, s->part, s->member->begin + s->at, n, to);
    s->at += n;
    return status;
}

/* The deflated data ends where size and stored say. */
static limn_status check_end(limn_zip_stream *s)
{
    unsigned char more;
    int said = Z_OK;
    while (s->in && said == Z_OK) {
        limn_status status = inflate_some(s, 1, &more, &said);
        if (status != LIMN_OK) return status;
        if (!s->z.avail_out) return bad(s, "it unpacks to more bytes than the directory says");
    }
    if (s->in && (said != Z_STREAM_END || s->z.avail_in || s->taken != s->member->stored))
        return bad(s, "its deflated data does not end where the directory says");
    return LIMN_OK;
}

limn_status limn_zip_check(limn_ctx *ctx, const limn_part *part, limn_zip_member *member)
{
    limn_zip_stream s;
    if (member->checked) return LIMN_OK;
    unsigned char *chunk = malloc(CHUNK);
    if (!chunk) return limn_fail_memory(ctx, CHUNK, part->file);
    uLong crc = crc32(0, NULL, 0);
    limn_status status = limn_zip_start(ctx, part, member, &s);
    if (status == LIMN_OK) {
        while (s.at < member->size && status == LIMN_OK) {
            size_t n = member->size - s.at < CHUNK ? member->size - s.at : CHUNK;
            status = limn_zip_next(&s, n, chunk);
            if (status == LIMN_OK) crc = crc32(crc, chunk, (uInt)n);
        }
        if (status == LIMN_OK) status = check_end(&s);
        if (status == LIMN_OK && crc != member->crc)
            status = bad(&s, "damaged: its bytes do not have the checksum that the directory gives");
        limn_zip_stop(&s);
    }
    free(chunk);
    member->checked = status == LIMN_OK;
    return status;
}
