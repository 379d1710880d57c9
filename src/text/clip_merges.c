/* clip_merges.c: the merges file as text: parse, with each count checked against the bytes there are; write. */
#include "file/bytes.h"
#include "text/clip_tables.h"

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

/* ---- the token table of a parse: text -> id ---- */

/* A slot of the token table: 0, or id + 1 and above it some bits of the hash. */
enum { ID_BITS = 21, ID_MASK = (1 << ID_BITS) - 1 };
_Static_assert(CLIP_FIRST_MERGE + CLIP_MERGES_CAP < ID_MASK, "ids fit");

typedef struct parser {
    limn_ctx *ctx;
    const char *name;
    limn_clip_bpe *bpe;
    int16_t byte_of_letter[256 + 68];
    uint32_t *by_text; /* open addressing */
    size_t n_slots, n_bytes;
    int header;       /* lines before the first merge */
} parser;

/* hash: of the bytes (FNV-1a), so that a merged token goes on from its left part */
typedef struct token_text { uint8_t bytes[CLIP_TOKEN_BYTES]; size_t n; bool ends_word; uint64_t hash; } token_text;

static void append_byte(token_text *t, uint8_t byte)
{
    if (!t->n) t->hash = UINT64_C(14695981039346656037);
    t->hash = (t->hash ^ byte) * UINT64_C(1099511628211);
    t->bytes[t->n++] = byte;
}

static uint32_t tag_of(const token_text *t)
{
    return ((uint32_t)(t->hash >> 32) ^ (t->ends_word ? 0x9e3779b9u : 0)) & ~(uint32_t)ID_MASK;
}

/* -1: the slot is empty */
static int32_t id_in(const uint32_t *slot)
{
    return (int32_t)(*slot & ID_MASK) - 1;
}

/* A token lies elsewhere than its slot, so it is looked at only where the tag is right. */
static uint32_t *find_slot(const parser *p, const token_text *t)
{
    uint32_t tag = tag_of(t);
    size_t i = (size_t)(t->hash ^ t->hash >> 29 ^ t->ends_word) & (p->n_slots - 1);
    for (;; i = (i + 1) & (p->n_slots - 1)) {
        uint32_t *slot = &p->by_text[i];
        if (!*slot) return slot;
        if ((*slot & ~(uint32_t)ID_MASK) != tag) continue;
        const clip_token *token = &p->bpe->tokens[id_in(slot)];
        if (token->n == t->n && token->ends_word == t->ends_word && !memcmp(p->bpe->bytes + token->begin, t->bytes, t->n))
            return slot;
    }
}

/* slot: find_slot() of it, empty.  The caller has checked that bytes has room: token texts are never longer than the lines
 * they come from. */
static void add_token(parser *p, uint32_t *slot, int32_t id, const token_text *text)
{
    memcpy(p->bpe->bytes + p->n_bytes, text->bytes, text->n);
    p->bpe->tokens[id] = (clip_token){(uint32_t)p->n_bytes, (uint16_t)text->n, text->ends_word};
    p->n_bytes += text->n;
    *slot = tag_of(text) | (uint32_t)(id + 1);
}

static void add_byte_tokens(parser *p)
{
    int32_t id = 0;
    for (int hidden = 0; hidden < 2; hidden++)
        for (int b = 0; b < CLIP_BYTES; b++)
            if (is_shown(b) != hidden) {
                p->byte_of_letter[letter_of_byte(b)] = (int16_t)b;
                p->bpe->id_of_byte[b] = id++;
            }
    for (int ends = 0; ends < 2; ends++)
        for (int b = 0; b < CLIP_BYTES; b++) {
            token_text text = {.n = 0, .ends_word = ends};
            append_byte(&text, (uint8_t)b);
            add_token(p, find_slot(p, &text), p->bpe->id_of_byte[b] + CLIP_BYTES * ends, &text);
        }
}

/* ---- one line ---- */

static limn_status bad_line(const parser *p, int line, const char *what, const char *text, size_t n)
{
    char shown[256];
    return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: line %d: %s: \"%s\"", p->name, line, what,
                     limn_escape(text, n, shown, sizeof shown));
}

/* Letters of the file back to bytes; "</w>" after at least one letter ends a word.  @return false: not of the alphabet, or
 * too long. */
static bool read_token(const parser *p, const char *text, size_t n, token_text *out)
{
    out->ends_word = n > 4 && !memcmp(text + n - 4, "</w>", 4);
    if (out->ends_word) n -= 4;
    out->n = 0;
    for (size_t i = 0; i < n;) {
        unsigned lead = (unsigned char)text[i++], letter = lead;
        if (lead >= 0x80) {
            if ((lead & 0xe0) != 0xc0 || i == n || ((unsigned char)text[i] & 0xc0) != 0x80) return false;
            letter = (lead & 0x1f) << 6 | ((unsigned char)text[i++] & 0x3f);
            if (letter < 0x80) return false;
        }
        if (letter >= 256 + 68 || p->byte_of_letter[letter] < 0 || out->n == CLIP_TOKEN_BYTES) return false;
        append_byte(out, (uint8_t)p->byte_of_letter[letter]);
    }
    return out->n > 0;
}

static limn_status read_line(parser *p, int merge, const char *text, size_t n)
{
    int line = merge + 1 + p->header;
    const char *space = memchr(text, ' ', n);
    if (!space) return bad_line(p, line, "expected two tokens with a space between, found", text, n);
    size_t left_n = (size_t)(space - text), right_n = n - left_n - 1;
    token_text left, right;
    if (!read_token(p, text, left_n, &left))
        return bad_line(p, line, "the left token is not 1 to 256 letters of the byte alphabet", text, n);
    if (!read_token(p, space + 1, right_n, &right))
        return bad_line(p, line, "the right token is not 1 to 256 letters of the byte alphabet", text, n);
    if (left.ends_word) return bad_line(p, line, "the left token ends a word, so nothing can follow it", text, n);
    int32_t left_id = id_in(find_slot(p, &left)), right_id = id_in(find_slot(p, &right));
    if (left_id < 0 || right_id < 0)
        return bad_line(p, line, "no earlier line makes this token", left_id < 0 ? text : space + 1,
                        left_id < 0 ? left_n : right_n);
    if (left.n + right.n > CLIP_TOKEN_BYTES) return bad_line(p, line, "the merged token is longer than 256 bytes", text, n);
    for (size_t i = 0; i < right.n; i++) append_byte(&left, right.bytes[i]);
    left.ends_word = right.ends_word;
    uint32_t *slot = find_slot(p, &left);
    if (*slot) {
        char what[64];
        snprintf(what, sizeof what, "line %d has made this token already", id_in(slot) - CLIP_FIRST_MERGE + 1 + p->header);
        return bad_line(p, line, what, text, n);
    }
    p->bpe->merges[merge] = (clip_pair){left_id, right_id};
    add_token(p, slot, CLIP_FIRST_MERGE + merge, &left);
    return LIMN_OK;
}

/* ---- pairs ---- */

static size_t pair_slot(const limn_clip_bpe *bpe, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * UINT64_C(0x9e3779b97f4a7c15);
    size_t slot = (size_t)(h >> 40) & (bpe->n_slots - 1); /* lower bits know little of `left` */
    for (;; slot = (slot + 1) & (bpe->n_slots - 1)) {
        int32_t merge = bpe->by_pair[slot];
        if (merge < 0 || (bpe->merges[merge].left == left && bpe->merges[merge].right == right)) return slot;
    }
}

int32_t limn_clip_find_pair(const limn_clip_bpe *bpe, int32_t left, int32_t right)
{
    return bpe->by_pair[pair_slot(bpe, left, right)];
}

/* ---- parse ---- */

static size_t line_length(const char *bytes, size_t n)
{
    const char *end = memchr(bytes, '\n', n);
    return end ? (size_t)(end - bytes) : n;
}

static int count_lines(const char *bytes, size_t n, int stop)
{
    int lines = 0;
    for (size_t i = 0; i < n && lines < stop; lines++) i += line_length(bytes + i, n - i) + 1;
    return lines;
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
    bpe->n_slots = slots_for((size_t)n_merges);
    p->n_slots = slots_for(n_tokens);
    bpe->merges = malloc(((size_t)n_merges + 1) * sizeof *bpe->merges);
    bpe->tokens = malloc(n_tokens * sizeof *bpe->tokens);
    bpe->bytes = malloc(CLIP_FIRST_MERGE + text_bytes);
    bpe->by_pair = malloc(bpe->n_slots * sizeof *bpe->by_pair);
    p->by_text = calloc(p->n_slots, sizeof *p->by_text);
    if (!bpe->merges || !bpe->tokens || !bpe->bytes || !bpe->by_pair || !p->by_text) return false;
    memset(bpe->by_pair, 0xff, bpe->n_slots * sizeof *bpe->by_pair);
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
        clip_pair pair = p->bpe->merges[merge];
        p->bpe->by_pair[pair_slot(p->bpe, pair.left, pair.right)] = merge;
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
        free(p.by_text);
        return limn_fail_memory(ctx, (size_t)there * 40 + n_bytes, "byte-pair tables");
    }
    add_byte_tokens(&p);
    limn_status status = read_lines(&p, bytes, n_bytes);
    free(p.by_text);
    if (status) limn_clip_bpe_free(p.bpe);
    else *out = p.bpe;
    return status;
}

void limn_clip_bpe_free(limn_clip_bpe *bpe)
{
    if (!bpe) return;
    free(bpe->merges);
    free(bpe->tokens);
    free(bpe->bytes);
    free(bpe->by_pair);
    free(bpe);
}

/* ---- files ---- */

static int count_newlines(const char *bytes, size_t n)
{
    int lines = 0;
    for (const char *at = bytes, *end = bytes + n; (at = memchr(at, '\n', (size_t)(end - at))); at++) lines++;
    return lines;
}

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

static void append_token(limn_text *text, const limn_clip_bpe *bpe, int32_t id)
{
    const clip_token *token = &bpe->tokens[id];
    for (size_t i = 0; i < token->n; i++) {
        int32_t letter = letter_of_byte(bpe->bytes[token->begin + i]);
        char two[2] = {(char)(0xc0 | letter >> 6), (char)(0x80 | (letter & 0x3f))};
        if (letter < 0x80) limn_text_append(text, (char[]){(char)letter}, 1);
        else limn_text_append(text, two, 2);
    }
    if (token->ends_word) limn_text_append(text, "</w>", 4);
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
    for (int i = 0; i < bpe->n_merges; i++) {
        append_token(&text, bpe, bpe->merges[i].left);
        limn_text_append(&text, " ", 1);
        append_token(&text, bpe, bpe->merges[i].right);
        limn_text_append(&text, "\n", 1);
    }
    limn_status status = text.failed ? limn_fail_memory(ctx, text.n, "merges") : write_bytes(ctx, path, &text);
    limn_text_free(&text);
    return status;
}
