/* clip_clean.c: decode, resolve references, normalise, lower, split.
 *
 * The steps and their order are those of the published tokenizer (Radford et al. 2021, as Hugging Face ships it): special
 * tokens are found in the raw text, then NFC, white space, lower case, and the split; the two lower-case special names that
 * remain are split once more by the byte-level rule, which gives "<|", "endoftext", "|>". */
#include "text/clip_clean.h"

#include <string.h>
#include <utf8proc.h>

typedef enum point_class { POINT_LETTER, POINT_NUMBER, POINT_SPACE, POINT_OTHER } point_class;

static bool is_ascii_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Unicode White_Space, which is what \s means in the split */
static bool is_space(int32_t p)
{
    if (p < 0x80) return is_ascii_space((uint8_t)p);
    return p == 0x85 || p == 0xa0 || p == 0x1680 || (p >= 0x2000 && p <= 0x200a) || p == 0x2028 || p == 0x2029 ||
           p == 0x202f || p == 0x205f || p == 0x3000;
}

static point_class classify(int32_t p)
{
    if (is_space(p)) return POINT_SPACE;
    switch (utf8proc_category(p)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return POINT_LETTER;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return POINT_NUMBER;
    default:
        return POINT_OTHER;
    }
}

/* One code point from p[n], n >= 1; U+FFFD for a maximal part that is not UTF-8.  @return bytes taken. */
static size_t decode(const uint8_t *p, size_t n, int32_t *point)
{
    uint8_t lead = *p, low = 0x80, high = 0xbf; /* range of the second byte: no overlong forms, surrogates, > U+10FFFF */
    size_t need = lead < 0x80                    ? 0
                  : lead >= 0xc2 && lead <= 0xdf ? 1
                  : (lead & 0xf0) == 0xe0        ? 2
                  : lead >= 0xf0 && lead <= 0xf4 ? 3
                                                 : 9;
    *point = 0xfffd;
    if (need == 9) return 1;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    int32_t value = need == 0 ? lead : lead & (0x3f >> need);
    for (size_t i = 1; i <= need; i++, low = 0x80, high = 0xbf) {
        if (i == n || p[i] < low || p[i] > high) return i;
        value = value << 6 | (p[i] & 0x3f);
    }
    *point = value;
    return need + 1;
}

/* Stable order by combining class inside each run of marks; a run is never longer than a chunk. */
static void order_marks(int32_t *points, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int32_t mark = points[i];
        int rank = utf8proc_get_property(mark)->combining_class;
        size_t j = i;
        for (; rank && j && utf8proc_get_property(points[j - 1])->combining_class > rank; j--) points[j] = points[j - 1];
        points[j] = mark;
    }
}

/* NFC.  Below U+0300 nothing composes with anything.  @return points in out, which holds 4 for each of n. */
static size_t normalise(const int32_t *points, size_t n, int32_t *out)
{
    size_t i = 0, m = 0;
    while (i < n && points[i] < 0x300) i++;
    if (i == n) return memcpy(out, points, n * sizeof *out), n;
    int boundary = 0;
    for (i = 0; i < n; i++) {
        utf8proc_ssize_t got = utf8proc_decompose_char(points[i], out + m, (utf8proc_ssize_t)(LIMN_CLEAN_POINTS - m),
                                                       UTF8PROC_COMPOSE | UTF8PROC_STABLE, &boundary);
        if (got < 0 || (size_t)got > LIMN_CLEAN_POINTS - m) break; /* not reached: every point is valid and has 4 places */
        m += (size_t)got;
    }
    order_marks(out, m);
    utf8proc_ssize_t composed = utf8proc_normalize_utf32(out, (utf8proc_ssize_t)m, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    return composed < 0 ? m : (size_t)composed;
}

/* The one character whose lower case is two: U+0130, capital I with dot.  @return points in out, at most room. */
static size_t lower(const int32_t *points, size_t n, int32_t *out, size_t room)
{
    size_t m = 0;
    for (size_t i = 0; i < n && m + 2 <= room; i++) {
        out[m++] = points[i] == 0x130 ? 'i' : utf8proc_tolower(points[i]);
        if (points[i] == 0x130) out[m++] = 0x307;
    }
    return m;
}

static bool matches(const int32_t *points, size_t n, const char *text)
{
    for (size_t i = 0; text[i]; i++)
        if (i == n || points[i] != text[i]) return false;
    return true;
}

static void flush(limn_cleaner *c)
{
    if (c->word_n && !c->stopped) c->stopped = !c->emit(c->user, LIMN_WORD_TEXT, c->word, c->word_n);
    c->word_n = 0;
}

static void emit_word(limn_cleaner *c, const int32_t *points, size_t n)
{
    for (size_t i = 0; i < n && !c->stopped; i++) {
        if (c->word_n + 4 > sizeof c->word) flush(c);
        c->word_n += (size_t)utf8proc_encode_char(points[i], c->word + c->word_n);
    }
    flush(c);
}

/* Length of the contraction at points[0] == '\'', else 0. */
static size_t contraction(const int32_t *points, size_t n)
{
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
        if (matches(points, n, endings[k])) return strlen(endings[k]);
    return 0;
}

static size_t run_of(const int32_t *points, size_t n, point_class kind)
{
    size_t i = 0;
    while (i < n && classify(points[i]) == kind) i++;
    return i;
}

static void split(limn_cleaner *c, const int32_t *points, size_t n)
{
    for (size_t i = 0, length; i < n && !c->stopped; i += length) {
        point_class kind = classify(points[i]);
        size_t special = matches(points + i, n - i, "<|startoftext|>") ? 11
                         : matches(points + i, n - i, "<|endoftext|>") ? 9
                                                                       : 0;
        if (special) {
            emit_word(c, points + i, 2);
            emit_word(c, points + i + 2, special);
            emit_word(c, points + i + 2 + special, 2);
            length = special + 4;
            continue;
        }
        length = points[i] == '\'' ? contraction(points + i, n - i) : 0;
        if (!length) length = kind == POINT_NUMBER ? 1 : run_of(points + i, n - i, kind);
        if (kind != POINT_SPACE) emit_word(c, points + i, length);
    }
}

static void clean_segment(limn_cleaner *c, const int32_t *points, size_t n)
{
    size_t m = normalise(points, n, c->normal);
    m = lower(c->normal, m, c->lower, LIMN_CLEAN_POINTS);
    split(c, c->lower, m);
}

/* One stretch of text: raw points between special tokens, each a segment of its own. */
static void clean_chunk(limn_cleaner *c, const uint8_t *bytes, size_t n_bytes)
{
    size_t n = 0, begin = 0;
    for (size_t at = 0; at < n_bytes; n++) at += decode(bytes + at, n_bytes - at, &c->raw[n]);
    for (int pass = 0; pass < 2; pass++) n = limn_html_unescape(c->raw, n);
    for (size_t i = 0; i < n && !c->stopped;) {
        bool start = matches(c->raw + i, n - i, "<|startoftext|>"), end = matches(c->raw + i, n - i, "<|endoftext|>");
        if (!start && !end) {
            i++;
            continue;
        }
        clean_segment(c, c->raw + begin, i - begin);
        if (!c->stopped) c->stopped = !c->emit(c->user, start ? LIMN_WORD_START : LIMN_WORD_END, bytes, 0);
        begin = i += start ? 15 : 13;
    }
    if (!c->stopped) clean_segment(c, c->raw + begin, n - begin);
}

void limn_clip_words(limn_cleaner *c, const char *text, size_t n_bytes, limn_word_fn emit, void *user)
{
    const uint8_t *bytes = (const uint8_t *)text;
    c->emit = emit;
    c->user = user;
    c->word_n = 0;
    c->stopped = false;
    for (size_t i = 0; i < n_bytes && !c->stopped;) {
        size_t end = i;
        while (end < n_bytes && end - i < LIMN_CLEAN_CHUNK && !is_ascii_space(bytes[end])) end++;
        if (end - i == LIMN_CLEAN_CHUNK && end < n_bytes) /* not inside a character */
            for (int back = 0; back < 3 && (bytes[end] & 0xc0) == 0x80; back++) end--;
        if (end > i) clean_chunk(c, bytes + i, end - i);
        i = end;
        while (i < n_bytes && is_ascii_space(bytes[i])) i++;
    }
}
