/* unigram_normalise.c: characters by the file's table, then spaces: one "▁" before each word. */
#include "text/unigram_parts.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
    UNITS_STEP = 256,  /* a step changes the low byte of a place: blocks of 256 are closed */
    LONGEST_TEXT = 255, /* of one entry; the longest of T5's is 33 bytes (U+FDFA) */
    LONGEST_KEY = 64,   /* T5's: 10 bytes.  Without a bound a table that leads back into itself costs the square of a text */
};

static bool is_leaf(uint32_t unit) { return unit >> 31; }
static bool has_leaf(uint32_t unit) { return unit >> 8 & 1; }
static uint32_t offset_of(uint32_t unit) { return (unit >> 10) << (unit >> 9 & 1 ? 8 : 0); }

/* Every unit, reached or not, as sentencepiece checks them. */
static limn_status check_units(limn_ctx *ctx, const char *name, const unigram_charsmap *map)
{
    for (size_t i = 0; i < map->n_units; i++) {
        uint32_t unit = map->unit[i];
        size_t below = i ^ offset_of(unit);
        if (is_leaf(unit) && (unit & INT32_MAX) >= map->n_text)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: precompiled_charsmap: unit %zu: a text at byte %u of %zu", name, i,
                             unit & INT32_MAX, map->n_text);
        if (!is_leaf(unit) && below >= map->n_units)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: precompiled_charsmap: unit %zu leads to unit %zu of %zu", name, i,
                             below, map->n_units);
        if (!is_leaf(unit) && has_leaf(unit) && !is_leaf(map->unit[below]))
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: precompiled_charsmap: unit %zu: the leaf at unit %zu is none", name, i,
                             below);
    }
    if (is_leaf(map->unit[0]))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: precompiled_charsmap: expected unit 0 to lead on, found a leaf", name);
    return LIMN_OK;
}

static limn_status check_texts(limn_ctx *ctx, const char *name, const unigram_charsmap *map)
{
    if (!map->n_text || map->text[map->n_text - 1])
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: precompiled_charsmap: expected a zero byte at the end of its texts", name);
    for (size_t at = 0, n; at < map->n_text; at += n + 1)
        if ((n = strlen(map->text + at)) > LONGEST_TEXT)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: precompiled_charsmap: expected texts of at most %d bytes, found %zu",
                             name, LONGEST_TEXT, n);
    return LIMN_OK;
}

limn_status limn_unigram_charsmap_read(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n,
                                       unigram_charsmap *map)
{
    uint32_t size;
    if (!n) return LIMN_OK;
    if (n < sizeof size)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: precompiled_charsmap: expected 4 bytes and more, found %zu", name, n);
    memcpy(&size, bytes, sizeof size);
    size = le32toh(size);
    if (!size || size % (UNITS_STEP * sizeof *map->unit) || size > n - sizeof size)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: precompiled_charsmap: expected a table of 1024 bytes, 2048 ... %zu, "
                         "found %u", name, n - sizeof size, size);
    map->n_units = size / sizeof *map->unit, map->n_text = n - sizeof size - size;
    map->unit = malloc(size), map->text = malloc(map->n_text + !map->n_text);
    if (!map->unit || !map->text) return limn_fail_memory(ctx, n, "tokenizer");
    memcpy(map->unit, bytes + sizeof size, size);
    memcpy(map->text, bytes + sizeof size + size, map->n_text);
    for (size_t i = 0; i < map->n_units; i++) map->unit[i] = le32toh(map->unit[i]);
    limn_status status = check_texts(ctx, name, map);
    return status == LIMN_OK ? check_units(ctx, name, map) : status;
}

/* The longest entry that text begins with.  @return its bytes, 0: none; *to what stands for it */
static size_t find_entry(const unigram_charsmap *map, const uint8_t *text, size_t n, const char **to)
{
    size_t longest = 0;
    if (!map->unit) return 0;
    uint32_t at = offset_of(map->unit[0]);
    for (size_t i = 0; i < n && i < LONGEST_KEY; i++) {
        uint32_t unit = map->unit[at ^= text[i]];
        if (is_leaf(unit) || (unit & 0xff) != text[i]) break;
        at ^= offset_of(unit);
        if (!has_leaf(unit)) continue;
        *to = map->text + (map->unit[at] & INT32_MAX);
        longest = i + 1;
    }
    return longest;
}

/* What the first character of text becomes.  @return bytes of text that it takes, 1 or more */
static size_t take(const unigram_charsmap *map, const uint8_t *text, size_t n, const char **to, size_t *n_to)
{
    utf8proc_int32_t point;
    size_t taken = find_entry(map, text, n, to);
    if (taken) {
        *n_to = strlen(*to);
        return taken;
    }
    utf8proc_ssize_t valid = utf8proc_iterate(text, (utf8proc_ssize_t)(n < 4 ? n : 4), &point);
    *to = valid > 0 ? (const char *)text : "\xef\xbf\xbd";
    *n_to = valid > 0 ? (size_t)valid : 3;
    return valid > 0 ? (size_t)valid : 1;
}

static const char space_mark[] = "\xe2\x96\x81"; /* ▁ U+2581 */
enum { MARK_BYTES = 3 };

static void put(limn_text *out, const char *text, size_t n)
{
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && text[end] != ' ';) end++;
        if (end > i) limn_text_append(out, text + i, end - i);
        if (end < n) limn_text_append(out, space_mark, MARK_BYTES), end++;
    }
}

/* As sentencepiece's Normalizer::Normalize: a space is one that the table leaves, or makes. */
bool limn_unigram_normalise(const limn_unigram *t, const char *text, size_t n, limn_text *out)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + n;
    const char *to;
    size_t n_to, taken;
    bool trims = !t->keeps_spaces, after_space = trims;
    for (; at < end && trims; at += taken) {
        taken = take(&t->charsmap, at, (size_t)(end - at), &to, &n_to);
        if (n_to != 1 || *to != ' ') break;
    }
    if (at < end && !t->no_prefix) limn_text_append(out, space_mark, MARK_BYTES);
    while (at < end && !out->failed) {
        at += take(&t->charsmap, at, (size_t)(end - at), &to, &n_to);
        while (after_space && n_to && *to == ' ') to++, n_to--;
        if (!n_to) continue;
        put(out, to, n_to);
        after_space = trims && to[n_to - 1] == ' ';
    }
    while (trims && out->n >= MARK_BYTES && !memcmp(out->bytes + out->n - MARK_BYTES, space_mark, MARK_BYTES))
        out->n -= MARK_BYTES;
    return !out->failed;
}
