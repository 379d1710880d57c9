/* fuzz_gguf.c: a GGUF file, or where the first byte is odd what follows its first 4 bytes.  What opens is read as a whole.
 */
#include "file/weight_file.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void read_everything(limn_ctx *ctx, const limn_weight_file *st, size_t n)
{
    const char *key, *value;
    for (const void *at = limn_weight_file_metadata_next(st, NULL, &key, &value); at;
         at = limn_weight_file_metadata_next(st, at, &key, &value))
        require(strlen(key) + strlen(value) <= n && limn_weight_file_metadata(st, key));
    for (size_t i = 0; i < limn_weight_file_count(st); i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        size_t count = limn_entry_count(e);
        require(limn_weight_file_find(st, e->name) == e && limn_dtype_size(e->dtype, count) == e->bytes && e->bytes <= n);
        if (count > 1 << 20) continue;
        float *values = malloc(count * sizeof *values + 1);
        require(limn_weight_file_load(ctx, st, e, values, LIMN_F32) == LIMN_OK);
        free(values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!n) return 0;
    bool bare = data[0] & 1;
    size_t all = n - 1 + (bare ? 4 : 0);
    uint8_t *bytes = malloc(all + !all);
    if (bare) memcpy(bytes, "GGUF", 4);
    memcpy(bytes + (bare ? 4 : 0), data + 1, n - 1);
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st = NULL;
    limn_status status = limn_weight_file_parse(ctx, "fuzz", bytes, all, &st);
    require(status == LIMN_OK ? st != NULL : status == LIMN_BAD_FILE && !st && *limn_error_text(ctx));
    if (st && strcmp(limn_weight_file_kind(st), "gguf") == 0) read_everything(ctx, st, all);
    limn_weight_file_close(st);
    limn_ctx_free(ctx);
    free(bytes);
    return 0;
}
