/* number.c: numbers and letters as text, the same under every locale of the process. */
#include "base/number.h"

#include <stdlib.h>
#include <string.h>

limn_locale limn_locale_begin(void)
{
    limn_locale l = {
        .c = newlocale(LC_ALL_MASK, "C", (locale_t)0)}; /* a constant of libc: it allocates nothing and cannot fail */
    l.before = l.c ? uselocale(l.c) : (locale_t)0;
    return l;
}

void limn_locale_end(limn_locale l)
{
    if (l.before) uselocale(l.before);
    if (l.c) freelocale(l.c);
}

double limn_number_parse(const char *text, char **end)
{
    limn_locale l = limn_locale_begin();
    double x = strtod(text, end);
    limn_locale_end(l);
    return x;
}

int limn_format_list(char *out, size_t bytes, const char *format, va_list args)
{
    limn_locale l = limn_locale_begin();
    int n = vsnprintf(out, bytes, format, args);
    limn_locale_end(l);
    return n;
}

int limn_format(char *out, size_t bytes, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = limn_format_list(out, bytes, format, args);
    va_end(args);
    return n;
}

int limn_format_file(FILE *file, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    limn_locale l = limn_locale_begin();
    int n = vfprintf(file, format, args);
    limn_locale_end(l);
    va_end(args);
    return n;
}

bool limn_is_whole(const char *text)
{
    return *text && !text[strspn(text, "0123456789")];
}

int limn_lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool limn_same_word(const char *a, size_t n, const char *b, size_t m)
{
    for (size_t i = 0; i < n && n == m; i++)
        if (limn_lower((unsigned char)a[i]) != limn_lower((unsigned char)b[i])) return false;
    return n == m;
}
