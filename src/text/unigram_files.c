/* unigram_files.c: a tokenizer of what its file says. */
#include "file/bytes.h"
#include "text/held.h"
#include "text/unigram_parts.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXTRA_IDS = 100, EXTRA_BYTES = 16 };
static const double unknown_penalty = 10; /* below the least score of a piece: sentencepiece's kUnkPenalty */

limn_status limn_unigram_add(limn_ctx *ctx, unigram_file *f, const unigram_piece *piece)
{
    char shown[256];
    if (!piece->n) return limn_fail(ctx, LIMN_BAD_FILE, "%s: piece %zu is empty", f->name, f->n_pieces);
    if (!(fabs(piece->score) <= FLT_MAX))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: piece %zu \"%s\": its score is no finite number", f->name, f->n_pieces,
                         limn_escape(piece->text, piece->n, shown, sizeof shown));
    if (f->n_pieces == UNIGRAM_IDS_CAP / 2)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected at most %d pieces", f->name, UNIGRAM_IDS_CAP / 2);
    if (f->n_pieces == f->room) {
        size_t room = 2 * f->room + 1024;
        unigram_piece *grown = realloc(f->piece, room * sizeof *grown);
        if (!grown) return limn_fail_memory(ctx, room * sizeof *grown, "tokenizer");
        f->piece = grown, f->room = room;
    }
    f->piece[f->n_pieces++] = *piece;
    return LIMN_OK;
}

/* words become a trie; they are put in order. */
static limn_status make_trie(limn_ctx *ctx, const unigram_file *f, limn_trie_word *words, size_t n, limn_trie *trie)
{
    char shown[256];
    limn_trie_sort(words, n);
    for (size_t i = 1; i < n; i++)
        if (words[i].n == words[i - 1].n && !memcmp(words[i].text, words[i - 1].text, words[i].n))
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: \"%s\" has two ids, %d and %d", f->name,
                             limn_escape(words[i].text, words[i].n, shown, sizeof shown), words[i - 1].id, words[i].id);
    return limn_trie_make(trie, words, n) ? LIMN_OK : limn_fail_memory(ctx, n * sizeof *words, "tokenizer");
}

/* Pieces of kind `kind` are appended to words.  @return how many words there are then */
static size_t words_of(const unigram_file *f, unigram_kind kind, limn_trie_word *words, size_t n)
{
    for (size_t i = 0; i < f->n_pieces; i++)
        if (f->piece[i].kind == kind) words[n++] = (limn_trie_word){f->piece[i].text, f->piece[i].n, (int32_t)i, 0};
    return n;
}

static limn_status take_scores(limn_ctx *ctx, const unigram_file *f, limn_unigram *t)
{
    double least = INFINITY;
    t->score = malloc(f->n_pieces * sizeof *t->score);
    if (!t->score) return limn_fail_memory(ctx, f->n_pieces * sizeof *t->score, "tokenizer");
    for (size_t i = 0; i < f->n_pieces; i++) {
        t->score[i] = f->piece[i].score;
        if (f->piece[i].kind == UNIGRAM_NORMAL && t->score[i] < least) least = t->score[i];
    }
    t->score_unknown = least - unknown_penalty;
    return LIMN_OK;
}

/* The names of T5's sentinels, for a file that has none.  @return how many special words there are then */
static size_t put_extra(const unigram_file *f, char (*text)[EXTRA_BYTES], limn_trie_word *words, size_t n)
{
    for (int i = 0; i < EXTRA_IDS; i++) {
        uint32_t length = (uint32_t)snprintf(text[i], EXTRA_BYTES, "<extra_id_%d>", EXTRA_IDS - 1 - i);
        words[n++] = (limn_trie_word){text[i], length, (int32_t)f->n_pieces + i, 0};
    }
    return n;
}

static bool has_extra(const unigram_file *f)
{
    static const char name[] = "<extra_id_0>";
    for (size_t i = 0; i < f->n_pieces; i++)
        if (f->piece[i].n == sizeof name - 1 && !memcmp(f->piece[i].text, name, sizeof name - 1)) return true;
    return false;
}

static limn_status take_words(limn_ctx *ctx, const unigram_file *f, limn_unigram *t, limn_trie_word *words)
{
    char extra[EXTRA_IDS][EXTRA_BYTES];
    size_t n = words_of(f, UNIGRAM_NORMAL, words, 0);
    if (!n)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected pieces of text, found %zu special ones", f->name, f->n_pieces);
    limn_status status = make_trie(ctx, f, words, n, &t->pieces);
    if (status != LIMN_OK) return status;
    t->vocab = (int32_t)f->n_pieces;
    for (size_t i = 0; i < f->n_special; i++)
        if (f->special[i].id >= t->vocab) t->vocab = f->special[i].id + 1;
    if (f->n_special) memcpy(words, f->special, f->n_special * sizeof *words);
    n = words_of(f, UNIGRAM_SPECIAL, words, f->n_special);
    if (f->adds_extra && !has_extra(f)) n = put_extra(f, extra, words, n), t->vocab += EXTRA_IDS;
    return make_trie(ctx, f, words, n, &t->names);
}

static limn_status build(limn_ctx *ctx, const unigram_file *f, limn_unigram *t)
{
    const struct { int32_t id; const char *what; } needed[] = {
        {f->unknown, "a piece of unknown characters, <unk>"}, {f->end, "an end of texts, </s>"}, {f->pad, "a piece <pad>"}};
    for (size_t i = 0; i < 3; i++)
        if (needed[i].id < 0) return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected %s, found none", f->name, needed[i].what);
    t->unknown = f->unknown, t->end = f->end, t->pad = f->pad;
    size_t n = f->n_pieces + f->n_special + EXTRA_IDS;
    limn_trie_word *words = malloc(n * sizeof *words);
    if (!words) return limn_fail_memory(ctx, n * sizeof *words, "tokenizer");
    limn_status status = take_scores(ctx, f, t);
    if (status == LIMN_OK) status = take_words(ctx, f, t, words);
    free(words);
    return status;
}

static limn_status read_json(limn_ctx *ctx, const char *bytes, size_t n, unigram_file *f, limn_unigram *t)
{
    json_error_t error;
    json_t *root = limn_json_parse(bytes, n, &error);
    if (!root)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: line %d, column %d: %s", f->name, error.line, error.column, error.text);
    limn_status status = limn_unigram_read_json(ctx, root, f, t);
    if (status == LIMN_OK) status = build(ctx, f, t);
    json_decref(root);
    return status;
}

/* Text begins with an object; a model with its first piece: 0a, bytes of the piece, 0a. */
static limn_status read_either(limn_ctx *ctx, const uint8_t *bytes, size_t n, unigram_file *f, limn_unigram *t)
{
    size_t begin, at;
    limn_status status = limn_text_begin(ctx, f->name, bytes, n, &begin);
    if (status != LIMN_OK) return status;
    for (at = begin; at < n && strchr(" \t\r\n", bytes[at]) && bytes[at];) at++;
    if (at < n && bytes[at] == '{') return read_json(ctx, (const char *)bytes + begin, n - begin, f, t);
    status = limn_unigram_read_model(ctx, bytes, n, f, t);
    return status == LIMN_OK ? build(ctx, f, t) : status;
}

limn_status limn_unigram_parse(limn_ctx *ctx, const char *name, const void *bytes, size_t n, limn_unigram **out)
{
    unigram_file f = {.name = name, .unknown = -1, .end = -1, .pad = -1};
    *out = NULL;
    if (n > UNIGRAM_FILE_CAP)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected at most %d bytes, found %zu", name, UNIGRAM_FILE_CAP, n);
    limn_unigram *t = calloc(1, sizeof *t);
    if (!t) return limn_fail_memory(ctx, sizeof *t, "tokenizer");
    limn_status status = read_either(ctx, bytes, n, &f, t);
    free(f.piece), free(f.special);
    if (status == LIMN_OK) *out = t;
    else limn_unigram_free(t);
    return status;
}

limn_status limn_unigram_open(limn_ctx *ctx, const char *path, limn_unigram **out)
{
    unsigned char *bytes;
    size_t n;
    *out = NULL;
    limn_status status = limn_file_read(ctx, path, UNIGRAM_FILE_CAP, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_unigram_parse(ctx, path, bytes, n, out);
    free(bytes);
    return status;
}

void limn_unigram_free(limn_unigram *t)
{
    if (!t) return;
    free(t->charsmap.unit), free(t->charsmap.text), free(t->score);
    limn_trie_free(&t->pieces), limn_trie_free(&t->names);
    free(t);
}

limn_status limn_unigram_published(limn_ctx *ctx, limn_unigram **out)
{
    unsigned char *bytes;
    size_t n;
    *out = NULL;
    limn_status status = limn_held_unpack(ctx, limn_held_pieces, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_unigram_parse(ctx, "the published pieces of T5", bytes, n, out);
    free(bytes);
    return status;
}
