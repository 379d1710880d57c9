/* held.c: see held.h. */
#include "text/held.h"

#include <stdlib.h>
#include <zlib.h>

enum { MOST = 1 << 20 }; /* bytes of what is packed: 524,620 of merges, 791,656 of pieces */

limn_status limn_held_unpack(limn_ctx *ctx, limn_held held, unsigned char **out, size_t *n)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)held.bytes, .avail_in = (uInt)held.n};
    unsigned char *bytes = *out = malloc(MOST);
    z.next_out = bytes, z.avail_out = MOST;
    bool whole = bytes && inflateInit2(&z, 15 + 16) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END; /* + 16: gzip */
    if (bytes) inflateEnd(&z);
    *n = MOST - z.avail_out;
    if (whole) return LIMN_OK;
    free(bytes);
    return *out = NULL, limn_fail_memory(ctx, MOST, "a tokenizer");
}
