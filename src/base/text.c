/* text.c: text of unknown origin made safe to print; the clock. */
#include "base/base.h"

#include <string.h>
#include <time.h>
#include <utf8proc.h>

enum { ESCAPE_SHOWN = 200 };

/* Bytes that steer a terminal, and those that are no UTF-8; quotes and backslashes where text is put between quotes. */
static size_t escape_one(const unsigned char *p, size_t left, bool quotes, char out[8], size_t *out_n)
{
    utf8proc_int32_t point;
    utf8proc_ssize_t n = utf8proc_iterate(p, (utf8proc_ssize_t)left, &point);
    if (*p == '\n') *out_n = (size_t)snprintf(out, 8, "\\n");
    else if (quotes && (*p == '"' || *p == '\\')) *out_n = (size_t)snprintf(out, 8, "\\%c", *p);
    else if (*p < 0x20 || *p == 0x7f || n < 1 || (point >= 0x80 && point < 0xa0))
        *out_n = (size_t)snprintf(out, 8, "\\x%02x", *p), n = 1;
    else memcpy(out, p, *out_n = (size_t)n);
    return (size_t)n;
}

/* At most `most` bytes. */
static void escape(const char *bytes, size_t n, size_t most, bool quotes, char *out, size_t out_bytes)
{
    size_t used = 0, i = 0;
    while (i < n && i < most) {
        char one[8];
        size_t one_n, taken = escape_one((const unsigned char *)bytes + i, n - i, quotes, one, &one_n);
        if (used + one_n + 4 > out_bytes) break;
        memcpy(out + used, one, one_n);
        used += one_n;
        i += taken;
    }
    if (i < n && used + 4 <= out_bytes) used += (size_t)snprintf(out + used, 4, "...");
    if (out_bytes) out[used < out_bytes ? used : out_bytes - 1] = '\0';
}

bool limn_ends_in(const char *text, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n >= k && memcmp(text + n - k, end, k) == 0;
}

char *limn_escape(const char *bytes, size_t n, char *out, size_t out_bytes)
{
    escape(bytes, n, ESCAPE_SHOWN, true, out, out_bytes);
    return out;
}

char *limn_sentence(const char *text, char *out, size_t out_bytes)
{
    escape(text, strlen(text), SIZE_MAX, false, out, out_bytes);
    return out;
}

double limn_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
