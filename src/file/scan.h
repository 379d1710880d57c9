/* scan.h: JSON read token by token where it lies (RFC 8259, strict): no memory, no recursion, and the byte of every refusal.
 * For files whose shape is known beforehand: the reader asks for what must come next. */
#ifndef LIMN_SCAN_H
#define LIMN_SCAN_H

#include "base/base.h"

typedef struct limn_scan {
    char *bytes;    /* strings are decoded in place */
    size_t n, at;
    size_t base;    /* of bytes[0] in the file, for messages */
    char why[400];  /* "" while all is well; the first refusal stays, and everything after it answers false */
} limn_scan;

typedef struct limn_string {
    char *text; /* terminated, inside scan->bytes; holds no NUL */
    size_t n, begin, end; /* bytes; where its bytes lay, without the quotes */
} limn_string;

/** Record a refusal at the present place.  @return false */
bool limn_scan_refuse(limn_scan *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Take c, after blanks.  @return false, and nothing is taken or refused, when something else comes */
bool limn_scan_take(limn_scan *s, char c);
/** The same, refused when something else comes. */
bool limn_scan_need(limn_scan *s, char c, const char *before_what);
/** A string of valid UTF-8 without NUL. */
bool limn_scan_string(limn_scan *s, limn_string *out);
/** A key and its colon. */
bool limn_scan_key(limn_scan *s, limn_string *out);
/** A whole number from 0 to 2^63 - 1, without sign, fraction, exponent or leading zeros. */
bool limn_scan_whole(limn_scan *s, int64_t *out);
/** Pass over a value that nobody reads; at most 16 deep. */
bool limn_scan_skip(limn_scan *s);
/** After an element of a list that ends with `close`: take a comma (true) or the end (false). */
bool limn_scan_more(limn_scan *s, char close);
/** Nothing but blanks to the end. */
bool limn_scan_end(limn_scan *s);

#endif
