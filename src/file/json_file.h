/* json_file.h: a file that is one JSON value: settings, tokenizers. */
#ifndef LIMN_JSON_FILE_H
#define LIMN_JSON_FILE_H

#include "base/base.h"
#include "base/json.h"

/** Read a file of at most `limit` bytes, also with a byte order mark of UTF-8.
 *  @return LIMN_OK: *out is the caller's (json_decref); else it is NULL: LIMN_NOT_FOUND, LIMN_IO, LIMN_NO_MEMORY;
 *          LIMN_BAD_FILE with line and column */
limn_status limn_json_read(limn_ctx *ctx, const char *path, size_t limit, json_t **out);

#endif
