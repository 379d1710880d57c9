/* json_file.c: see json_file.h. */
#include "file/json_file.h"

#include "file/bytes.h"

#include <stdlib.h>

limn_status limn_json_read(limn_ctx *ctx, const char *path, size_t limit, json_t **out)
{
    unsigned char *bytes;
    size_t n, begin;
    json_error_t error;
    *out = NULL;
    limn_status status = limn_file_read(ctx, path, limit, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_text_begin(ctx, path, bytes, n, &begin);
    if (status == LIMN_OK && !(*out = limn_json_parse((const char *)bytes + begin, n - begin, &error)))
        status = limn_fail(ctx, LIMN_BAD_FILE, "%s: line %d, column %d: %s", path, error.line, error.column, error.text);
    free(bytes);
    return status;
}
