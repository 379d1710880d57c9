/* png_text.h: size and text chunks of a PNG, without its pixels. */
#ifndef LIMN_PNG_TEXT_H
#define LIMN_PNG_TEXT_H

#include "base/base.h"

enum { LIMN_PNG_TEXTS = 64 };

typedef struct limn_png_text {
    const char *key;  /* 1 to 79 bytes, as UTF-8 */
    const char *text; /* UTF-8; tEXt is converted from Latin-1, what is not UTF-8 in iTXt stays as it is */
} limn_png_text;

typedef struct limn_png_info {
    uint32_t width, height;
    int bits;                  /* per channel */
    const char *color;         /* "gray", "RGB", "palette", "gray and alpha", "RGBA" */
    int n;                     /* texts; those beyond LIMN_PNG_TEXTS and compressed ones are left out */
    limn_png_text texts[LIMN_PNG_TEXTS];
    limn_arena *arena;         /* owns the texts */
} limn_png_info;

bool limn_png_is(const unsigned char *bytes, size_t n);
/** Walk the chunks of a file in memory, checking lengths and check sums.
 *  @return LIMN_OK: free with limn_png_info_free(); LIMN_BAD_FILE with chunk and offset */
limn_status limn_png_info_read(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, limn_png_info *out);
void limn_png_info_free(limn_png_info *info);

#endif
