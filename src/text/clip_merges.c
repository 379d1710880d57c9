/* clip_merges.c: the merges file as text: parse, with each count checked against the bytes there are; write. */
#include "base/rng.h"
#include "file/bytes.h"
#include "text/clip_tables.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static bool is_shown(int byte) { return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 255 && byte != 173); }

/* The alphabet of the file: printable Latin-1 stands for itself, the other 68 bytes are U+0100, U+0101 ... in order. */
static int32_t letter_of_byte(int byte)
{
    if (is_shown(byte)) return byte;
    int32_t letter = 256;
    for (int b = 0; b < byte; b++) letter += !is_shown(b);
    return letter;
}

/* ---- tokens by their text ---- */

enum { ID_BITS = 21, ID_MASK = (1 << ID_BITS) - 1, SHORT = 8 };
_Static_assert(CLIP_FIRST_MERGE + CLIP_MERGES_CAP < ID_MASK, "ids fit");

static clip_token join(const limn_clip_bpe *bpe, const clip_token *left, const clip_token *right)
{
    clip_token both = {.begin = left->begin,
                       .n = (uint16_t)(left->n + right->n),
                       .n_left = (uint8_t)left->n,
                       .ends_word = right->ends_word};
    if (both.n <= SHORT) both.key = left->key | right->key << 8 * left->n;
    else both.key = limn_hash_bytes(limn_hash_bytes(LIMN_HASH, bpe->bytes + left->begin, left->n), bpe->bytes + right->begin,
                                    right->n);
    return both;
}

static uint32_t hash_of(const clip_token *t)
{
    uint64_t key = t->key ^ (uint64_t)(2 * t->n + t->ends_word) << 32;
    return (uint32_t)((key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* Are the bits above the id those of the hash?  A token lies elsewhere than its slot, and is looked at only then. */
static bool may_be(uint32_t slot, uint32_t hash)
{
    return (slot ^ hash) >> ID_BITS == 0;
}

/* -1: the slot is empty */
static int32_t id_in(uint32_t slot)
{
    return (int32_t)(slot & ID_MASK) - 1;
}

static bool same_text(const limn_clip_bpe *bpe, const clip_token *a, const clip_token *b)
{
    return a->key == b->key && a->n == b->n && a->ends_word == b->ends_word &&
           (a->n <= SHORT || !memcmp(bpe->bytes + a->begin, bpe->bytes + b->begin, a->n));
}

static inline uint32_t *find_slot(const limn_clip_bpe *bpe, const clip_token *t)
{
    uint32_t hash = hash_of(t), *by_text = bpe->by_text;
    size_t last = bpe->n_slots - 1;
    for (size_t i = hash;; i++) {
        uint32_t *slot = &by_text[i & last];
        if (!*slot || (may_be(*slot, hash) && same_text(bpe, t, &bpe->tokens[id_in(*slot)]))) return slot;
    }
}

static bool is_merged_of(const limn_clip_bpe *bpe, const clip_token *t, const clip_token *left, const clip_token *right)
{
    const uint8_t *text = bpe->bytes + t->begin;
    return t->n_left == left->n && t->n == left->n + right->n && t->ends_word == right->ends_word &&
           !memcmp(text, bpe->bytes + left->begin, left->n) &&
           !memcmp(text + left->n, bpe->bytes + right->begin, right->n);
}

int32_t limn_clip_find_pair(const limn_clip_bpe *bpe, int32_t left, int32_t right)
{
    const clip_token *l = &bpe->tokens[left], *r = &bpe->tokens[right];
    clip_token both = join(bpe, l, r);
    uint32_t hash = hash_of(&both), slot;
    for (size_t i = hash; (slot = bpe->by_text[i & (bpe->n_slots - 1)]); i++)
        if (may_be(slot, hash) && is_merged_of(bpe, &bpe->tokens[id_in(slot)], l, r)) return id_in(slot) - CLIP_FIRST_MERGE;
    return -1;
}

typedef struct parser {
    limn_ctx *ctx;
    const char *name;
    limn_clip_bpe *bpe;
    int16_t byte_of_letter[256 + 68];
    const char *end; /* of the text */
    size_t n_bytes; /* of bpe->bytes: the texts of all tokens so far.  Never more than the lines that they come from */
    int header;     /* lines before the first merge */
} parser;

/* slot: find_slot() of it, empty.  text: its bytes lie behind those of the tokens before. */
static void add_token(parser *p, uint32_t *slot, int32_t id, const clip_token *text)
{
    p->bpe->tokens[id] = *text;
    p->n_bytes += text->n;
    *slot = (hash_of(text) & ~(uint32_t)ID_MASK) | (uint32_t)(id + 1);
}

static void add_byte_tokens(parser *p)
{
    limn_clip_bpe *bpe = p->bpe;
    int32_t id = 0;
    for (int hidden = 0; hidden < 2; hidden++)
        for (int b = 0; b < CLIP_BYTES; b++)
            if (is_shown(b) != hidden) {
                p->byte_of_letter[letter_of_byte(b)] = (int16_t)b;
                bpe->id_of_byte[b] = id++;
            }
    for (int ends = 0; ends < 2; ends++)
        for (int b = 0; b < CLIP_BYTES; b++) {
            clip_token text = {.key = (uint64_t)b, .begin = (uint32_t)p->n_bytes, .n = 1, .ends_word = ends};
            bpe->bytes[text.begin] = (uint8_t)b;
            add_token(p, find_slot(bpe, &text), bpe->id_of_byte[b] + CLIP_BYTES * ends, &text);
        }
}

/* ---- one line ---- */

static limn_status bad_line(const parser *p, int line, const char *what, const char *text, size_t n)
{
    char shown[256];
    return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: line %d: %s: \"%s\"", p->name, line, what,
                     limn_escape(text, n, shown, sizeof shown));
}

/* Up to 8 letters that stand for themselves, '!' to '~', as nearly all do, as the key of a token.  @return false: read them
 * one by one */
static bool read_plain(const parser *p, const char *text, size_t n, uint64_t *key)
{
    static const uint64_t each = UINT64_C(0x0101010101010101);
    if (n - 1 >= SHORT || p->end - text < SHORT) return false;
    memcpy(key, text, SHORT);
    uint64_t behind = n == SHORT ? 0 : ~UINT64_C(0) << 8 * n, letters;
    *key = le64toh(*key) & ~behind;
    letters = *key | (behind & '!' * each);
    return ((letters | (letters - '!' * each) | (letters + each)) & 0x80 * each) == 0;
}

/* Letters of the file back to bytes, from bpe->bytes + begin on; "</w>" after at least one letter ends a word.  @return
 * false: not of the alphabet, or too long. */
static bool read_token(const parser *p, const char *text, size_t n, size_t begin, clip_token *out)
{
    uint8_t *to = p->bpe->bytes + begin;
    bool ends = n > 4 && !memcmp(text + n - 4, "</w>", 4);
    size_t n_bytes = 0;
    uint64_t key = 0;
    if (ends) n -= 4;
    if (read_plain(p, text, n, &key)) {
        memcpy(to, text, SHORT);
        *out = (clip_token){.key = key, .begin = (uint32_t)begin, .n = (uint16_t)n, .ends_word = ends};
        return true;
    }
    key = 0;
    for (size_t i = 0; i < n; n_bytes++) {
        unsigned letter = (unsigned char)text[i++];
        if (letter >= 0x80) {
            if ((letter & 0xe0) != 0xc0 || i == n || ((unsigned char)text[i] & 0xc0) != 0x80) return false;
            letter = (letter & 0x1f) << 6 | ((unsigned char)text[i++] & 0x3f);
            if (letter < 0x80 || letter >= 256 + 68) return false;
        }
        int16_t byte = p->byte_of_letter[letter];
        if (byte < 0) return false;
        to[n_bytes] = (uint8_t)byte;
        key |= (uint64_t)byte << 8 * (n_bytes % SHORT);
    }
    if (n_bytes > SHORT) key = limn_hash_bytes(LIMN_HASH, to, n_bytes);
    *out = (clip_token){.key = key, .begin = (uint32_t)begin, .n = (uint16_t)n_bytes, .ends_word = ends};
    return n_bytes > 0 && n_bytes <= CLIP_TOKEN_BYTES;
}

static limn_status read_line(parser *p, int merge, const char *text, size_t n)
{
    int line = merge + 1 + p->header;
    const char *space = memchr(text, ' ', n);
    if (!space) return bad_line(p, line, "expected two tokens with a space between, found", text, n);
    size_t left_n = (size_t)(space - text), right_n = n - left_n - 1;
    clip_token left, right;
    if (!read_token(p, text, left_n, p->n_bytes, &left))
        return bad_line(p, line, "the left token is not 1 to 256 letters of the byte alphabet", text, n);
    if (!read_token(p, space + 1, right_n, p->n_bytes + left.n, &right))
        return bad_line(p, line, "the right token is not 1 to 256 letters of the byte alphabet", text, n);
    if (left.ends_word) return bad_line(p, line, "the left token ends a word, so nothing can follow it", text, n);
    int32_t left_id = id_in(*find_slot(p->bpe, &left)), right_id = id_in(*find_slot(p->bpe, &right));
    if (left_id < 0 || right_id < 0)
        return bad_line(p, line, "no earlier line makes this token", left_id < 0 ? text : space + 1,
                        left_id < 0 ? left_n : right_n);
    if (left.n + right.n > CLIP_TOKEN_BYTES) return bad_line(p, line, "the merged token is longer than 256 bytes", text, n);
    clip_token both = join(p->bpe, &left, &right);
    uint32_t *slot = find_slot(p->bpe, &both);
    if (*slot) {
        char what[64];
        snprintf(what, sizeof what, "line %d has made this token already", id_in(*slot) - CLIP_FIRST_MERGE + 1 + p->header);
        return bad_line(p, line, what, text, n);
    }
    add_token(p, slot, CLIP_FIRST_MERGE + merge, &both);
    return LIMN_OK;
}

/* ---- parse ---- */

static size_t line_length(const char *bytes, size_t n)
{
    const char *end = memchr(bytes, '\n', n);
    return end ? (size_t)(end - bytes) : n;
}

static int count_newlines(const char *bytes, size_t n)
{
    int lines = 0;
    for (size_t i = 0; i < n; i++) lines += bytes[i] == '\n';
    return lines;
}

/* Up to `most` lines; the last may lack its end. */
static int count_lines(const char *bytes, size_t n, int most)
{
    int lines = count_newlines(bytes, n) + (n && bytes[n - 1] != '\n');
    return lines < most ? lines : most;
}

static size_t slots_for(size_t n)
{
    size_t slots = 1024;
    while (slots < 2 * n) slots *= 2;
    return slots;
}

static bool allocate(parser *p, int n_merges, size_t text_bytes)
{
    limn_clip_bpe *bpe = p->bpe;
    size_t n_tokens = CLIP_FIRST_MERGE + (size_t)n_merges;
    bpe->n_merges = n_merges;
    bpe->n_slots = slots_for(n_tokens);
    bpe->tokens = malloc(n_tokens * sizeof *bpe->tokens);
    bpe->bytes = malloc(CLIP_FIRST_MERGE + text_bytes + SHORT);
    bpe->by_text = calloc(bpe->n_slots, sizeof *bpe->by_text);
    if (!bpe->tokens || !bpe->bytes || !bpe->by_text) return false;
    memset(p->byte_of_letter, 0xff, sizeof p->byte_of_letter);
    return true;
}

static limn_status read_lines(parser *p, const char *bytes, size_t n)
{
    size_t at = 0;
    for (int merge = 0; merge < p->bpe->n_merges; merge++) {
        size_t length = line_length(bytes + at, n - at),
               kept = length && bytes[at + length - 1] == '\r' ? length - 1 : length;
        limn_status status = read_line(p, merge, bytes + at, kept);
        if (status) return status;
        at += length + 1;
    }
    return LIMN_OK;
}

limn_status limn_clip_bpe_parse(limn_ctx *ctx, const char *name, const char *bytes, size_t n_bytes, int n_merges,
                                limn_clip_bpe **out)
{
    *out = NULL;
    if (n_merges < -1 || n_merges > CLIP_MERGES_CAP)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: expected -1 to %d merges, asked for %d", name, CLIP_MERGES_CAP,
                         n_merges);
    parser p = {.ctx = ctx, .name = name};
    size_t begin;
    if (limn_text_begin(ctx, name, bytes, n_bytes, &begin) != LIMN_OK) return LIMN_BAD_FILE;
    bytes += begin, n_bytes -= begin;
    size_t first = n_bytes ? line_length(bytes, n_bytes) : 0;
    if (first && memmem(bytes, first, "#version", 8)) {
        size_t skip = first < n_bytes ? first + 1 : first;
        bytes += skip, n_bytes -= skip, p.header = 1;
    }
    int there = n_merges ? count_lines(bytes, n_bytes, n_merges < 0 ? CLIP_MERGES_CAP + 1 : n_merges) : 0;
    if (there > CLIP_MERGES_CAP) return limn_fail(ctx, LIMN_BAD_FILE, "%s: more than %d lines", name, CLIP_MERGES_CAP);
    if (there < n_merges)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected %d merges, one a line, found %d", name, n_merges, there);
    p.bpe = calloc(1, sizeof *p.bpe);
    if (!p.bpe || !allocate(&p, there, n_bytes)) {
        limn_clip_bpe_free(p.bpe);
        return limn_fail_memory(ctx, (size_t)there * 40 + n_bytes, "byte-pair tables");
    }
    add_byte_tokens(&p);
    p.end = bytes + n_bytes;
    limn_status status = read_lines(&p, bytes, n_bytes);
    if (status) limn_clip_bpe_free(p.bpe);
    else *out = p.bpe;
    return status;
}

void limn_clip_bpe_free(limn_clip_bpe *bpe)
{
    if (!bpe) return;
    free(bpe->tokens);
    free(bpe->bytes);
    free(bpe->by_text);
    free(bpe);
}

/* ---- files ---- */

/* Reads until enough lines are there, so that a huge file costs no more than what is used of it. */
static limn_status read_all(limn_ctx *ctx, const char *path, gzFile file, int n_merges, char **bytes, size_t *n)
{
    size_t capacity = 0;
    int lines = 0;
    for (bool more = true; more && (n_merges < 0 || lines <= n_merges);) {
        if (*n == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 18;
            if (capacity > CLIP_FILE_CAP)
                return limn_fail(ctx, LIMN_BAD_FILE, "%s: merges are longer than %d bytes", path, CLIP_FILE_CAP);
            char *grown = realloc(*bytes, capacity);
            if (!grown) return limn_fail_memory(ctx, capacity, "merges file");
            *bytes = grown;
        }
        int got = gzread(file, *bytes + *n, (unsigned)(capacity - *n)), code = Z_OK;
        const char *why = gzerror(file, &code);
        if (got < 0 || code == Z_BUF_ERROR)
            return code == Z_ERRNO
                       ? limn_fail(ctx, LIMN_IO, "%s: %s", path, strerror(errno))
                       : limn_fail(ctx, LIMN_BAD_FILE, "%s: gzip data damaged or cut short after %zu bytes of text: %s",
                                   path, *n, why);
        lines += count_newlines(*bytes + *n, (size_t)got);
        *n += (size_t)got;
        more = got > 0;
    }
    return LIMN_OK;
}

limn_status limn_clip_bpe_open(limn_ctx *ctx, const char *path, int n_merges, limn_clip_bpe **out)
{
    *out = NULL;
    if (!path) return limn_clip_bpe_parse(ctx, "bytes", "", 0, 0, out);
    errno = 0;
    gzFile file = gzopen(path, "rb");
    if (!file)
        return limn_fail(ctx, errno == ENOENT ? LIMN_NOT_FOUND : LIMN_IO, "%s: %s", path,
                         errno ? strerror(errno) : "out of memory");
    char *bytes = NULL;
    size_t n = 0;
    limn_status status = read_all(ctx, path, file, n_merges, &bytes, &n);
    gzclose_r(file);
    if (!status) status = limn_clip_bpe_parse(ctx, path, bytes ? bytes : "", n, n_merges, out);
    free(bytes);
    return status;
}

/* "left right" of a merged token. */
static void append_line(limn_text *text, const limn_clip_bpe *bpe, const clip_token *token)
{
    for (size_t i = 0; i < token->n; i++) {
        int32_t letter = letter_of_byte(bpe->bytes[token->begin + i]);
        limn_text_append(text, " ", i == token->n_left);
        char two[2] = {(char)(0xc0 | letter >> 6), (char)(0x80 | (letter & 0x3f))};
        if (letter < 0x80) limn_text_append(text, (char[]){(char)letter}, 1);
        else limn_text_append(text, two, 2);
    }
    limn_text_append(text, token->ends_word ? "</w>\n" : "\n", token->ends_word ? 5 : 1);
}

/* windowBits 15 + 16: gzip; its header holds no time and no name, so that same merges make same bytes. */
static bool zip(const limn_text *text, limn_text *out)
{
    z_stream z = {.next_in = (Bytef *)text->bytes, .avail_in = (uInt)text->n};
    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
    int code;
    do {
        char piece[4096];
        z.next_out = (Bytef *)piece, z.avail_out = sizeof piece;
        code = deflate(&z, Z_FINISH);
        limn_text_append(out, piece, sizeof piece - z.avail_out);
    } while (code == Z_OK);
    return deflateEnd(&z) == Z_OK && code == Z_STREAM_END && !out->failed;
}

static limn_status write_bytes(limn_ctx *ctx, const char *path, const limn_text *text)
{
    size_t path_n = strlen(path);
    limn_text zipped = {0};
    bool wanted = path_n > 3 && !strcmp(path + path_n - 3, ".gz");
    limn_writer writer;
    limn_status status =
        wanted && !zip(text, &zipped) ? limn_fail_memory(ctx, text->n, path) : limn_file_create(ctx, path, &writer);
    if (!status) {
        const limn_text *bytes = wanted ? &zipped : text;
        limn_file_write(&writer, bytes->bytes, bytes->n);
        status = limn_file_commit(&writer);
    }
    limn_text_free(&zipped);
    return status;
}

limn_status limn_clip_bpe_write(limn_ctx *ctx, const limn_clip_bpe *bpe, const char *path)
{
    limn_text text = {0};
    limn_text_printf(&text, "#version: 0.2\n");
    for (int i = 0; i < bpe->n_merges; i++) append_line(&text, bpe, &bpe->tokens[CLIP_FIRST_MERGE + i]);
    limn_status status = text.failed ? limn_fail_memory(ctx, text.n, "merges") : write_bytes(ctx, path, &text);
    limn_text_free(&text);
    return status;
}
