/* fuzz_safetensors.c: first byte even: the rest is a file; odd: the second byte counts data bytes, the rest is a header, so
 * that mutations need not guess its length.  What opens is read in every way. */
#include "file/weight_file.h"
#include "file/scan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void read_everything(limn_ctx *ctx, const limn_weight_file *st)
{
    bool known;
    limn_status status = limn_weight_file_check(ctx, st, &known);
    require(status == LIMN_OK || (status == LIMN_BAD_FILE && known));
    limn_weight_file_metadata(st, "limn.settings");
    for (size_t i = 0; i < limn_weight_file_count(st); i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        require(limn_weight_file_find(st, e->name) == e);
        if (!e->usable) continue;
        size_t n = e->bytes / limn_dtype_bytes(e->dtype);
        double *values = malloc(n * sizeof *values + 1);
        require(limn_weight_file_load(ctx, st, e, values, LIMN_F64) == LIMN_OK);
        free(values);
    }
}

/* What another reader takes as JSON, the scanner takes as well (but for nesting, and for a NUL, at which the other one
 * stops). */
static void compare_with_jansson(const char *text, size_t n)
{
    if (memchr(text, '\0', n)) return;
    char *copy = malloc(n + 1);
    memcpy(copy, text, n);
    limn_scan scan = {.bytes = copy, .n = n};
    bool good = limn_scan_skip(&scan) && limn_scan_end(&scan);
    json_error_t error;
    json_t *json = json_loadb(text, n, JSON_DECODE_ANY, &error);
    bool deep = strstr(scan.why, "nested") != NULL;
    require(!json || good || deep);
    json_decref(json);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2) return 0;
    bool header = data[0] & 1;
    size_t extra = header ? data[1] : 0, length = n - 2;
    uint8_t *bytes = calloc(8 + length + extra + 1, 1); /* exactly as long as it may be read, so that a byte more is seen */
    for (int i = 0; header && i < 8; i++) bytes[i] = (uint8_t)(length >> 8 * i);
    memcpy(bytes + (header ? 8 : 0), data + 2, length);
    size_t all = header ? 8 + length + extra : length;
    uint8_t *exact = malloc(all ? all : 1);
    memcpy(exact, bytes, all);
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st = NULL;
    limn_status status = limn_weight_file_parse(ctx, "fuzz", exact, all, &st);
    require(status == LIMN_OK ? st != NULL : status == LIMN_BAD_FILE && !st && *limn_error_text(ctx));
    bool ours = st && strcmp(limn_weight_file_kind(st), "safetensors") == 0; /* fuzz_torch.c, fuzz_gguf.c read the others */
    if (ours) read_everything(ctx, st);
    if (header) compare_with_jansson((const char *)data + 2, length);
    limn_weight_file_close(st);
    limn_ctx_free(ctx);
    free(exact);
    free(bytes);
    return 0;
}
