/* unigram_json.c: Hugging Face's tokenizer.json, where it says what sentencepiece does; all else is refused. */
#include "text/unigram_parts.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_type(const json_t *object, const char *type) { return !strcmp(text_of(object, "type"), type); }

static limn_status refuse(limn_ctx *ctx, const unigram_file *f, const char *key, const char *expected, const json_t *found)
{
    char shown[256];
    const char *type = text_of(found, "type");
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: %s: expected %s, found \"%s\"", f->name, key, expected,
                     limn_escape(type, strlen(type), shown, sizeof shown));
}

/* A part, or those that stand in a "Sequence".  @return the k-th; NULL: there are no more */
static const json_t *part_of(const json_t *part, const char *list, size_t k)
{
    if (is_type(part, "Sequence")) return json_array_get(json_object_get(part, list), k);
    return k || json_is_null(part) ? NULL : part;
}

/* ---- normalizer ---- */

static int digit64(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Base64 with its padding.  @return false: it is none */
static bool decode64(const char *text, size_t n, uint8_t *out, size_t *n_out)
{
    uint32_t bits = 0;
    size_t padding = n && text[n - 1] == '=' ? 1 + (n > 1 && text[n - 2] == '=') : 0;
    *n_out = 0;
    if (n % 4) return false;
    for (size_t i = 0; i < n; i++) {
        int digit = i < n - padding ? digit64(text[i]) : 0;
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 < 3) continue;
        for (int shift = 16; shift >= 0; shift -= 8) out[(*n_out)++] = (uint8_t)(bits >> shift);
    }
    *n_out -= padding;
    return true;
}

static limn_status take_charsmap(limn_ctx *ctx, const unigram_file *f, const json_t *part, limn_unigram *t)
{
    const json_t *map = json_object_get(part, "precompiled_charsmap");
    size_t n = json_string_length(map), n_bytes;
    uint8_t *bytes = malloc(n + 1);
    if (!bytes) return limn_fail_memory(ctx, n, "tokenizer");
    limn_status status =
        json_is_string(map) && !t->charsmap.unit && decode64(json_string_value(map), n, bytes, &n_bytes)
            ? limn_unigram_charsmap_read(ctx, f->name, bytes, n_bytes, &t->charsmap)
            : limn_fail(ctx, LIMN_BAD_FILE, "%s: normalizer: expected one precompiled_charsmap, in base64", f->name);
    free(bytes);
    return status;
}

static bool joins_spaces(const json_t *part)
{
    return is_type(part, "Replace") && !strcmp(text_of(json_object_get(part, "pattern"), "Regex"), " {2,}");
}

/* Strip and the Replace of " {2,}" are what a conversion writes for sentencepiece's remove_extra_whitespaces. */
static limn_status take_normaliser(limn_ctx *ctx, const unigram_file *f, const json_t *root, limn_unigram *t, bool *joined)
{
    static const char normaliser[] = "Precompiled, Strip, or Replace of \" {2,}\"";
    const json_t *all = json_object_get(root, "normalizer"), *part;
    limn_status status = LIMN_OK;
    for (size_t k = 0; all && status == LIMN_OK && (part = part_of(all, "normalizers", k)); k++) {
        if (is_type(part, "Precompiled")) status = take_charsmap(ctx, f, part, t);
        else if (joins_spaces(part)) *joined = true;
        else if (!is_type(part, "Strip")) status = refuse(ctx, f, "normalizer", normaliser, part);
    }
    return status;
}

/* ---- pre_tokenizer ---- */

/* prepend_scheme; of older files add_prefix_space */
static limn_status take_metaspace(limn_ctx *ctx, const unigram_file *f, const json_t *part)
{
    const char *scheme = text_of(part, "prepend_scheme");
    bool each = *scheme ? !strcmp(scheme, "always") : !json_is_false(json_object_get(part, "add_prefix_space"));
    if (each && !strcmp(text_of(part, "replacement"), "\xe2\x96\x81") && !json_is_false(json_object_get(part, "split")))
        return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: pre_tokenizer: expected U+2581 before each word, always", f->name);
}

/* @param joined  spaces side by side are one */
static limn_status take_words(limn_ctx *ctx, const unigram_file *f, const json_t *root, bool joined)
{
    const json_t *all = json_object_get(root, "pre_tokenizer"), *part;
    bool is_there = false;
    limn_status status = LIMN_OK;
    for (size_t k = 0; all && status == LIMN_OK && (part = part_of(all, "pretokenizers", k)); k++) {
        if (is_type(part, "Metaspace")) status = take_metaspace(ctx, f, part), is_there = true;
        else if (is_type(part, "WhitespaceSplit")) joined = true;
        else status = refuse(ctx, f, "pre_tokenizer", "Metaspace or WhitespaceSplit", part);
    }
    if (status != LIMN_OK) return status;
    if (!is_there) return limn_fail(ctx, LIMN_BAD_FILE, "%s: pre_tokenizer: expected Metaspace", f->name);
    if (joined) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected spaces side by side to become one, by WhitespaceSplit or Replace of "
                     "\" {2,}\"", f->name);
}

/* ---- model and added_tokens ---- */

static limn_status take_model(limn_ctx *ctx, unigram_file *f, const json_t *root)
{
    const json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab"),
                 *unknown = json_object_get(model, "unk_id");
    bool is_unigram = is_type(model, "Unigram") || !json_object_get(model, "type"); /* older files do not say */
    if (!is_unigram || !json_array_size(vocab))
        return refuse(ctx, f, "model", "Unigram with its vocab", model);
    if (json_is_true(json_object_get(model, "byte_fallback")))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: model: expected unknown characters as <unk>, found them as bytes "
                         "(byte_fallback)", f->name);
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < json_array_size(vocab) && status == LIMN_OK; i++) {
        const json_t *pair = json_array_get(vocab, i), *text = json_array_get(pair, 0), *score = json_array_get(pair, 1);
        if (!json_is_string(text) || !json_is_number(score) || json_array_size(pair) != 2)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: model.vocab: number %zu is not a piece and its score", f->name, i);
        status = limn_unigram_add(ctx, f, &(unigram_piece){json_string_value(text), (uint32_t)json_string_length(text),
                                                      UNIGRAM_NORMAL, json_number_value(score)});
    }
    if (status != LIMN_OK || !unknown || json_is_null(unknown)) return status;
    json_int_t id = json_is_integer(unknown) ? json_integer_value(unknown) : -1;
    if (id < 0 || (uint64_t)id >= f->n_pieces)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: model.unk_id: expected 0 to %zu", f->name, f->n_pieces - 1);
    f->unknown = (int32_t)id, f->piece[id].kind = UNIGRAM_SPECIAL;
    return LIMN_OK;
}

static bool same(const unigram_piece *piece, const char *text, size_t n)
{
    return piece->n == n && !memcmp(piece->text, text, n);
}

static limn_status take_added(limn_ctx *ctx, unigram_file *f, const json_t *token, size_t k)
{
    const json_t *id = json_object_get(token, "id"), *content = json_object_get(token, "content");
    const char *text = json_string_value(content);
    json_int_t n_id = json_is_integer(id) ? json_integer_value(id) : -1;
    size_t n = json_string_length(content);
    if (n_id < 0 || n_id >= UNIGRAM_IDS_CAP || !n)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: added_tokens: number %zu: expected an id of 0 to %d and content",
                         f->name, k, UNIGRAM_IDS_CAP - 1);
    if (json_is_true(json_object_get(token, "single_word")) || json_is_true(json_object_get(token, "normalized")))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: added_tokens: number %zu is single_word or normalized: expected neither",
                         f->name, k);
    bool is_piece = (uint64_t)n_id < f->n_pieces;
    if (is_piece && !same(&f->piece[n_id], text, n))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: added_tokens: number %zu: its id is that of another piece, %d", f->name, k,
                         (int)n_id);
    if (is_piece) f->piece[n_id].kind = UNIGRAM_SPECIAL;
    else f->special[f->n_special++] = (limn_trie_word){text, (uint32_t)n, (int32_t)n_id, 0};
    if (n == 5 && !memcmp(text, "<pad>", n)) f->pad = (int32_t)n_id;
    return LIMN_OK;
}

static limn_status take_all_added(limn_ctx *ctx, unigram_file *f, const json_t *root)
{
    const json_t *added = json_object_get(root, "added_tokens");
    size_t n = json_array_size(added);
    f->special = malloc((n + 1) * sizeof *f->special);
    if (!f->special) return limn_fail_memory(ctx, n * sizeof *f->special, "tokenizer");
    limn_status status = LIMN_OK;
    for (size_t k = 0; k < n && status == LIMN_OK; k++) status = take_added(ctx, f, json_array_get(added, k), k);
    return status;
}

/* ---- post_processor: the text, then one token ---- */

static limn_status take_end(limn_ctx *ctx, unigram_file *f, const json_t *root)
{
    const json_t *post = json_object_get(root, "post_processor"), *single = json_object_get(post, "single"),
                 *end = json_object_get(json_array_get(single, 1), "SpecialToken"),
                 *ids = json_object_get(json_object_get(json_object_get(post, "special_tokens"), text_of(end, "id")), "ids"),
                 *id = json_array_get(ids, 0);
    json_int_t n = json_is_integer(id) ? json_integer_value(id) : -1;
    bool text_first = json_is_object(json_object_get(json_array_get(single, 0), "Sequence"));
    if (!is_type(post, "TemplateProcessing") || json_array_size(single) != 2 || !text_first || json_array_size(ids) != 1)
        return refuse(ctx, f, "post_processor", "TemplateProcessing of a text and one token", post);
    if (n < 0 || (uint64_t)n >= f->n_pieces || f->piece[n].kind != UNIGRAM_SPECIAL)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: post_processor: expected the id of a special piece", f->name);
    f->end = (int32_t)n;
    return LIMN_OK;
}

limn_status limn_unigram_read_json(limn_ctx *ctx, const json_t *root, unigram_file *f, limn_unigram *t)
{
    bool joined = false;
    limn_status status = take_model(ctx, f, root);
    if (status == LIMN_OK) status = take_normaliser(ctx, f, root, t, &joined);
    if (status == LIMN_OK) status = take_words(ctx, f, root, joined);
    if (status == LIMN_OK) status = take_all_added(ctx, f, root);
    if (status == LIMN_OK) status = take_end(ctx, f, root);
    return status;
}
