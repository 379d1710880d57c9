/* clip_files.c: merges that are no file of lines: those the library holds, and a tokenizer.json. */
#include "file/json_file.h"
#include "text/clip_tables.h"
#include "text/held.h"

#include <stdlib.h>
#include <string.h>

limn_status limn_clip_bpe_published(limn_ctx *ctx, limn_clip_bpe **out)
{
    unsigned char *text;
    size_t n;
    *out = NULL;
    limn_status status = limn_held_unpack(ctx, limn_held_merges, &text, &n);
    if (status != LIMN_OK) return status;
    status = limn_clip_bpe_parse(ctx, "the published merges", (const char *)text, n, LIMN_CLIP_MERGES, out);
    free(text);
    return status;
}

/* "a b" or ["a", "b"] as a line.  @return whether it is one of these */
static bool put_merge(limn_text *lines, const json_t *merge)
{
    const char *both = json_string_value(merge), *left = json_string_value(json_array_get(merge, 0)),
               *right = json_string_value(json_array_get(merge, 1));
    if (!both && (!left || !right || json_array_size(merge) != 2)) return false;
    if (both) limn_text_printf(lines, "%s\n", both);
    else limn_text_printf(lines, "%s %s\n", left, right);
    return true;
}

static limn_status put_lines(limn_ctx *ctx, const char *path, const json_t *root, limn_text *lines)
{
    const json_t *model = json_object_get(root, "model"), *merges = json_object_get(model, "merges");
    if (!json_is_array(merges))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected the merges of a byte-pair tokenizer in model.merges", path);
    for (size_t i = 0; i < json_array_size(merges); i++)
        if (!put_merge(lines, json_array_get(merges, i)))
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: model.merges: number %zu is not two tokens", path, i);
    return lines->failed ? limn_fail_memory(ctx, lines->n, "merges") : LIMN_OK;
}

limn_status limn_clip_bpe_from_json(limn_ctx *ctx, const char *path, int n_merges, limn_clip_bpe **out)
{
    json_t *root;
    limn_text lines = {0};
    *out = NULL;
    limn_status status = limn_json_read(ctx, path, CLIP_FILE_CAP, &root);
    if (status == LIMN_OK) status = put_lines(ctx, path, root, &lines);
    if (status == LIMN_OK) status = limn_clip_bpe_parse(ctx, path, lines.bytes ? lines.bytes : "", lines.n, n_merges, out);
    json_decref(root);
    limn_text_free(&lines);
    return status;
}
