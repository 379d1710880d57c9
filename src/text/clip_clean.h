/* clip_clean.h: from the bytes a user typed to the lower-case words that CLIP's byte pairs are merged in. */
#ifndef LIMN_TEXT_CLIP_CLEAN_H
#define LIMN_TEXT_CLIP_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LIMN_CLEAN_CHUNK = 8192,                      /* bytes of text looked at together */
    LIMN_CLEAN_POINTS = 4 * LIMN_CLEAN_CHUNK + 8, /* a code point decomposes into at most 4 (NFC, Unicode 15) */
    LIMN_CLEAN_WORD = 16384,                      /* bytes of one word; a longer one is cut in pieces */
};

typedef enum limn_word_kind { LIMN_WORD_TEXT, LIMN_WORD_START, LIMN_WORD_END } limn_word_kind;

/* One word, not empty for LIMN_WORD_TEXT; bytes are borrowed for the call.  Return false to stop. */
typedef bool (*limn_word_fn)(void *user, limn_word_kind kind, const uint8_t *bytes, size_t n_bytes);

/* Working memory of one call; too large for the stack. */
typedef struct limn_cleaner {
    int32_t raw[LIMN_CLEAN_CHUNK], normal[LIMN_CLEAN_POINTS], lower[LIMN_CLEAN_POINTS];
    uint8_t word[LIMN_CLEAN_WORD];
    size_t word_n;
    limn_word_fn emit;
    void *user;
    bool stopped;
} limn_cleaner;

/**
 * Hand the words of text to emit(user, ...) in order, until the text ends or emit returns false.
 *
 * Bytes that are not UTF-8 become U+FFFD (one for each maximal part, as Unicode 3.9 recommends); NUL is a byte like
 * others.  Character references are resolved twice; "<|startoftext|>" and "<|endoftext|>" are kinds of their own; the rest
 * is normalised (NFC), lower-cased, and split by 's 't 're 've 'm 'll 'd | letters | one digit | other | with white space
 * dropped. Takes time in proportion to n_bytes: text without white space is cut each LIMN_CLEAN_CHUNK bytes.
 *
 * @param c  any content; the caller owns it
 */
void limn_clip_words(limn_cleaner *c, const char *text, size_t n_bytes, limn_word_fn emit, void *user);

/** Resolve HTML character references in points[n], in place.  Named: the Latin-1 set and the punctuation in common use; the
 *  names of the Latin-1 set (and amp, lt, gt, quot) need no semicolon, as in browsers.  @return the new length, <= n. */
size_t limn_html_unescape(int32_t *points, size_t n);

#endif
