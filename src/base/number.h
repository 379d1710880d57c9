/* number.h: numbers and letters as text, the same under every locale of the process.
 *
 * Under LC_NUMERIC of de_DE strtod() takes "2,5" and not "2.5", and printf() writes it; under ps_AF the point has two bytes;
 * under LC_CTYPE of tr_TR 'I' has no small letter in ASCII.  A file must read alike everywhere, and the locale belongs to
 * the program: what is here sets that of the calling thread to "C" for one call and puts it back. */
#ifndef LIMN_NUMBER_H
#define LIMN_NUMBER_H

#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The calling thread's locale is "C" between the two: for a library that prints or parses (json.h). */
typedef struct limn_locale {
    locale_t c, before;
} limn_locale;
limn_locale limn_locale_begin(void);
void limn_locale_end(limn_locale locale);

/** strtod() and snprintf(), vsnprintf(), fprintf(); snprintf() itself is for formats without %f, %g, %e. */
double limn_number_parse(const char *text, char **end);
int limn_format(char *out, size_t bytes, const char *format, ...) __attribute__((format(printf, 3, 4)));
int limn_format_list(char *out, size_t bytes, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
int limn_format_file(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Is it digits, one at least, and nothing else? */
bool limn_is_whole(const char *text);
/** The small letter of A to Z; everything else is itself. */
int limn_lower(int c);
/** Are a [n] and b [m] one word, whatever the case of A to Z? */
bool limn_same_word(const char *a, size_t n, const char *b, size_t m);

#endif
