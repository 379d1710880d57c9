/* finite.c: see finite.h. */
#include "net/finite.h"

#include "file/weight_file.h"

#include <stdlib.h>
#include <string.h>

/* All bits of the exponent: NaN or infinity. */
static size_t count(size_t n, const float *x)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bad += (bits & 0x7f800000u) == 0x7f800000u;
    }
    return bad;
}

/* Values of a tensor that are not finite; whole numbers always are, and what cannot be read is nothing that can be told
 * here. */
static size_t count_in(limn_ctx *ctx, const limn_weight_file *st, const limn_entry *e)
{
    if (!e->usable || e->dtype == LIMN_I32 || e->dtype == LIMN_I64 || e->dtype == LIMN_U8) return 0;
    size_t n = limn_entry_count(e), bad = 0;
    float *x = malloc(n * sizeof *x + 1);
    if (x && limn_weight_file_load(ctx, st, e, x, LIMN_F32) == LIMN_OK) bad = count(n, x);
    free(x);
    return bad;
}

limn_status limn_finite_check(limn_ctx *ctx, const char *file, const char *where, size_t n, const float *x)
{
    static const char says[] = "the network's output is not finite";
    const char *colon = *where ? ": " : "";
    limn_weight_file *st = NULL;
    char name[256] = "";
    size_t bad = 0;
    if (!count(n, x)) return LIMN_OK;
    if (!file) return limn_fail(ctx, LIMN_DIVERGED, "%s%s%s", where, colon, says);
    if (limn_weight_file_open(ctx, file, &st) != LIMN_OK)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %s%s%s", file, where, colon, says);
    for (size_t i = 0; i < limn_weight_file_count(st) && !bad; i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        bad = count_in(ctx, st, e);
        if (bad) limn_escape(e->name, strlen(e->name), name, sizeof name);
    }
    limn_weight_file_close(st);
    if (bad)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %s%s%s: tensor \"%s\" holds NaN or infinity, %zu times", file, where,
                         colon, says, name, bad);
    return limn_fail(ctx, LIMN_BAD_FILE,
                     "%s: %s%s%s, though every weight is: numbers grew too large on the way (precision f32 and less "
                     "guidance are the safest)",
                     file, where, colon, says);
}
