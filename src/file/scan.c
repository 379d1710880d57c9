/* scan.c: see scan.h. */
#include "file/scan.h"

#include <string.h>
#include <utf8proc.h>

bool limn_scan_refuse(limn_scan *s, const char *format, ...)
{
    if (*s->why) return false;
    va_list args;
    va_start(args, format);
    int n = snprintf(s->why, sizeof s->why, "byte %zu: ", s->base + s->at);
    limn_format_list(s->why + n, sizeof s->why - (size_t)n, format, args);
    va_end(args);
    return false;
}

static bool expected(limn_scan *s, const char *what)
{
    char shown[64];
    if (s->at >= s->n) return limn_scan_refuse(s, "expected %s, found the end", what);
    size_t left = s->n - s->at;
    return limn_scan_refuse(s, "expected %s, found \"%s\"", what,
                            limn_escape(s->bytes + s->at, left < 12 ? left : 12, shown, sizeof shown));
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool next_is(limn_scan *s, char c)
{
    while (s->at < s->n && blank(s->bytes[s->at])) s->at++;
    return !*s->why && s->at < s->n && s->bytes[s->at] == c;
}

bool limn_scan_take(limn_scan *s, char c)
{
    if (!next_is(s, c)) return false;
    s->at++;
    return true;
}

bool limn_scan_need(limn_scan *s, char c, const char *before_what)
{
    char what[200];
    if (limn_scan_take(s, c)) return true;
    snprintf(what, sizeof what, "%c %s", c, before_what);
    return expected(s, what);
}

bool limn_scan_more(limn_scan *s, char close)
{
    if (limn_scan_take(s, ',')) return true;
    if (!limn_scan_take(s, close)) expected(s, close == '}' ? "a comma or }" : "a comma or ]");
    return false;
}

bool limn_scan_end(limn_scan *s)
{
    next_is(s, 0);
    return !*s->why && (s->at == s->n || expected(s, "the end"));
}

/* ---- strings ---------------------------------------------------------------------------------------------------------- */

static int hex(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* \uXXXX, of surrogates both halves; s->at is behind the u.  An escape is never shorter than what it stands for. */
static size_t unicode(limn_scan *s, char *to)
{
    int32_t point = s->n - s->at >= 4 ? hex(s->bytes + s->at) : -1;
    if (point < 0) return expected(s, "four hexadecimal digits");
    s->at += 4;
    if (point >= 0xd800 && point < 0xdc00 && s->n - s->at >= 6 && s->bytes[s->at] == '\\' && s->bytes[s->at + 1] == 'u') {
        int low = hex(s->bytes + s->at + 2);
        if (low >= 0xdc00 && low < 0xe000) point = 0x10000 + ((point - 0xd800) << 10 | (low - 0xdc00)), s->at += 6;
    }
    if (point >= 0xd800 && point < 0xe000) return limn_scan_refuse(s, "half of a surrogate pair");
    if (point == 0) return limn_scan_refuse(s, "a NUL in a string");
    return (size_t)utf8proc_encode_char(point, (utf8proc_uint8_t *)to);
}

static size_t escape(limn_scan *s, char *to)
{
    static const char from[] = "\"\\/bfnrt", is[] = "\"\\/\b\f\n\r\t";
    char c = s->at < s->n ? s->bytes[s->at++] : '\0';
    if (c == 'u') return unicode(s, to);
    const char *which = c ? strchr(from, c) : NULL;
    if (!which) return limn_scan_refuse(s, "an unknown escape in a string");
    *to = is[which - from];
    return 1;
}

static size_t character(limn_scan *s, char *to)
{
    const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)s->bytes + s->at;
    utf8proc_int32_t point;
    if (*p == '\\') return s->at++, escape(s, to);
    if (*p < 0x20) return limn_scan_refuse(s, "a control character in a string");
    if (*p < 0x80) return *to = s->bytes[s->at++], 1;
    utf8proc_ssize_t n = utf8proc_iterate(p, (utf8proc_ssize_t)(s->n - s->at), &point);
    if (n < 1) return limn_scan_refuse(s, "not valid UTF-8");
    memmove(to, p, (size_t)n);
    s->at += (size_t)n;
    return (size_t)n;
}

bool limn_scan_string(limn_scan *s, limn_string *out)
{
    *out = (limn_string){0};
    if (!limn_scan_take(s, '"')) return expected(s, "a string");
    out->begin = s->at;
    out->text = s->bytes + s->at;
    while (s->at < s->n && s->bytes[s->at] != '"') {
        size_t n = character(s, out->text + out->n);
        if (!n) return false;
        out->n += n;
    }
    if (s->at == s->n) return expected(s, "the end of a string");
    out->end = s->at++;
    out->text[out->n] = '\0'; /* at the closing quote at the latest */
    return true;
}

bool limn_scan_key(limn_scan *s, limn_string *out)
{
    return limn_scan_string(s, out) && limn_scan_need(s, ':', "after a key");
}

/* ---- other values ----------------------------------------------------------------------------------------------------- */

bool limn_scan_whole(limn_scan *s, int64_t *out)
{
    next_is(s, 0);
    size_t from = s->at;
    int64_t value = 0;
    bool fits = true;
    for (; s->at < s->n && s->bytes[s->at] >= '0' && s->bytes[s->at] <= '9'; s->at++)
        fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, s->bytes[s->at] - '0', &value);
    size_t n = s->at - from;
    bool whole =
        n && (n == 1 || s->bytes[from] != '0') && !(s->at < s->n && strchr(".eE", s->bytes[s->at]) && s->bytes[s->at]);
    if (whole && fits) return *out = value, !*s->why;
    s->at = from;
    return expected(s, fits ? "a whole number" : "a number below 2^63");
}

static bool number_or_word(limn_scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if (s->n - s->at >= n && memcmp(s->bytes + s->at, words[i], n) == 0) return s->at += n, true;
    }
    size_t from = s->at, digits = 0;
    for (; s->at < s->n && s->bytes[s->at] && strchr("0123456789+-.eE", s->bytes[s->at]); s->at++)
        digits += s->bytes[s->at] >= '0' && s->bytes[s->at] <= '9';
    if (digits) return true;
    s->at = from;
    return expected(s, "a value");
}

bool limn_scan_skip(limn_scan *s)
{
    enum { DEEPEST = 16 };
    char close[DEEPEST];
    limn_string ignored;
    for (int depth = 0;;) {
        bool object = limn_scan_take(s, '{'), opened = object || limn_scan_take(s, '['), ended = false;
        if (opened && depth == DEEPEST) return limn_scan_refuse(s, "nested more than %d deep", DEEPEST);
        if (opened) {
            close[depth] = object ? '}' : ']';
            ended = limn_scan_take(s, close[depth++]);
            if (ended) depth--;
        } else if (!(next_is(s, '"') ? limn_scan_string(s, &ignored) : number_or_word(s))) return false;
        if (!opened || ended)
            while (depth && !limn_scan_more(s, close[depth - 1])) {
                if (*s->why) return false;
                depth--;
            }
        if (!depth) return !*s->why;
        if (close[depth - 1] == '}' && !limn_scan_key(s, &ignored)) return false;
    }
}
