/* names.c: what is said of a tensor that is not there, or not as it should be. */
#include "weights/source.h"

#include "base/base.h"
#include "file/weight_sets.h"

#include <string.h>

limn_status limn_source_wrong_shape(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_entry *e,
                                 const limn_shape *want)
{
    char a[128], b[128], name[256];
    limn_shape found = {.rank = e->rank <= LIMN_MAX_RANK ? e->rank : 0};
    for (int k = 0; k < found.rank; k++) found.dim[k] = e->dim[k];
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"%s%s\" is %s %s, expected %s", file, limn_weight_file_prefix(st),
                     limn_escape(e->name, strlen(e->name), name, sizeof name), e->type, limn_shape_text(&found, a),
                     limn_shape_text(want, b));
}

limn_status limn_source_missing(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *name)
{
    const limn_entry *near = limn_weight_file_near(st, name);
    char shown[256], other[256] = "";
    const char *prefix = limn_weight_file_prefix(st);
    if (near) limn_escape(near->name, strlen(near->name), other, sizeof other);
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: no tensor \"%s%s\", which the network needs%s%s%s%s", file, prefix,
                     limn_escape(name, strlen(name), shown, sizeof shown),
                     near ? "; \"" : "", near ? prefix : "", other, near ? "\" is there" : "");
}
