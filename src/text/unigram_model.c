/* unigram_model.c: sentencepiece's spiece.model, a message ModelProto of protocol buffers: fields one after another,
 *     varint (number << 3 | type), then by type 0: varint; 1: 8 bytes; 2: varint n, n bytes; 5: 4 bytes, little-endian.
 * A field that stands twice has its last value; those that are not named here are skipped. */
#include "text/unigram_parts.h"

#include <endian.h>
#include <string.h>

typedef struct message { const uint8_t *begin, *at, *end; const char *file; } message; /* begin: of the file */
typedef struct field { uint64_t number, value; message inside; uint32_t type; } field;

static bool take_varint(message *m, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        uint8_t byte = *m->at++;
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static bool take_fixed(message *m, size_t n, uint64_t *out)
{
    *out = 0;
    if ((size_t)(m->end - m->at) < n) return false;
    memcpy(out, m->at, n);
    *out = le64toh(*out);
    m->at += n;
    return true;
}

static bool take_bytes(message *m, field *f)
{
    if (!take_varint(m, &f->value) || f->value > (uint64_t)(m->end - m->at)) return false;
    f->inside = (message){m->begin, m->at, m->at + f->value, m->file};
    m->at += f->value;
    return true;
}

static bool take_value(message *m, field *f)
{
    switch (f->type) {
    case 0: return take_varint(m, &f->value);
    case 1: return take_fixed(m, 8, &f->value);
    case 2: return take_bytes(m, f);
    case 5: return take_fixed(m, 4, &f->value);
    default: return false;
    }
}

/* @return LIMN_OK with m->at behind the field; LIMN_BAD_FILE */
static limn_status take_field(limn_ctx *ctx, message *m, field *f)
{
    size_t place = (size_t)(m->at - m->begin);
    bool taken = take_varint(m, &f->number);
    f->type = f->number & 7, f->number >>= 3;
    if (taken && f->number && take_value(m, f)) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: byte %zu: expected a field of protocol buffers that ends by byte %zu", m->file,
                     place, (size_t)(m->end - m->begin));
}

enum { VARINT = 0, BYTES = 2, FIXED32 = 5 };
static bool is(const field *f, uint64_t number, uint32_t type) { return f->number == number && f->type == type; }

static double f32_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

/* ModelProto.SentencePiece: 1 piece, 2 score, 3 type */
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER, TYPE_UNUSED, TYPE_BYTE };

static limn_status refuse_type(limn_ctx *ctx, const unigram_file *f, const unigram_piece *piece, uint64_t type)
{
    char shown[256];
    limn_escape(piece->text ? piece->text : "", piece->n, shown, sizeof shown);
    if (type == TYPE_UNKNOWN)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: piece %zu \"%s\": piece %d is the unknown one already", f->name,
                         f->n_pieces, shown, f->unknown);
    const char *known = type == TYPE_USER ? ", user-defined" : type == TYPE_BYTE ? ", a byte" : "";
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: piece %zu \"%s\": expected a normal, unknown, control or unused one, found "
                     "type %llu%s", f->name, f->n_pieces, shown, (unsigned long long)type, known);
}

static limn_status take_type(limn_ctx *ctx, unigram_file *f, unigram_piece *piece, uint64_t type)
{
    if (!type || type == TYPE_USER || type > TYPE_UNUSED || (type == TYPE_UNKNOWN && f->unknown >= 0))
        return refuse_type(ctx, f, piece, type);
    if (type == TYPE_UNKNOWN) f->unknown = (int32_t)f->n_pieces;
    piece->kind = type == TYPE_NORMAL ? UNIGRAM_NORMAL : type == TYPE_UNUSED ? UNIGRAM_UNUSED : UNIGRAM_SPECIAL;
    return LIMN_OK;
}

static bool is_called(const unigram_piece *piece, const char *name)
{
    return piece->kind == UNIGRAM_SPECIAL && piece->n == strlen(name) && !memcmp(piece->text, name, piece->n);
}

static limn_status take_piece(limn_ctx *ctx, message m, unigram_file *f)
{
    unigram_piece piece = {.kind = UNIGRAM_NORMAL};
    uint64_t type = TYPE_NORMAL;
    field part;
    limn_status status = LIMN_OK;
    while (m.at < m.end && (status = take_field(ctx, &m, &part)) == LIMN_OK) {
        if (is(&part, 1, BYTES)) piece.text = (const char *)part.inside.at, piece.n = (uint32_t)part.value;
        if (is(&part, 2, FIXED32)) piece.score = f32_of(part.value);
        if (is(&part, 3, VARINT)) type = part.value;
    }
    if (status == LIMN_OK) status = take_type(ctx, f, &piece, type);
    if (status != LIMN_OK) return status;
    if (is_called(&piece, "</s>")) f->end = (int32_t)f->n_pieces;
    if (is_called(&piece, "<pad>")) f->pad = (int32_t)f->n_pieces;
    return limn_unigram_add(ctx, f, &piece);
}

/* TrainerSpec: 3 model_type, 24 treat_whitespace_as_suffix, 35 byte_fallback */
static limn_status take_trainer(limn_ctx *ctx, message m)
{
    static const char *const models[] = {"", "unigram", "byte pairs (BPE)", "words", "characters"};
    field part;
    limn_status status = LIMN_OK;
    while (m.at < m.end && (status = take_field(ctx, &m, &part)) == LIMN_OK) {
        if (is(&part, 3, VARINT) && part.value != 1)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a model of type 1, unigram, found type %llu%s%s", m.file,
                             (unsigned long long)part.value, part.value && part.value < 5 ? ", " : "",
                             part.value < 5 ? models[part.value] : "");
        if (is(&part, 24, VARINT) && part.value)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected spaces before words, found them behind", m.file);
        if (is(&part, 35, VARINT) && part.value)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected unknown characters as <unk>, found them as bytes "
                             "(byte_fallback)", m.file);
    }
    return status;
}

/* NormalizerSpec: 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces */
static limn_status take_normaliser(limn_ctx *ctx, message m, limn_unigram *t)
{
    field part;
    message map = {.at = NULL, .end = NULL};
    limn_status status = LIMN_OK;
    while (m.at < m.end && (status = take_field(ctx, &m, &part)) == LIMN_OK) {
        if (is(&part, 2, BYTES)) map = part.inside;
        if (is(&part, 3, VARINT)) t->no_prefix = !part.value;
        if (is(&part, 4, VARINT)) t->keeps_spaces = !part.value;
        if (is(&part, 5, VARINT) && !part.value)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected spaces as U+2581, found them as they are", m.file);
    }
    if (status != LIMN_OK || !map.at) return status;
    if (t->charsmap.unit) return limn_fail(ctx, LIMN_BAD_FILE, "%s: two tables of characters", m.file);
    return limn_unigram_charsmap_read(ctx, m.file, map.at, (size_t)(map.end - map.at), &t->charsmap);
}

/* ModelProto: 1 pieces, 2 trainer_spec, 3 normalizer_spec */
limn_status limn_unigram_read_model(limn_ctx *ctx, const uint8_t *bytes, size_t n, unigram_file *f, limn_unigram *t)
{
    message m = {bytes, bytes, bytes + n, f->name};
    field part;
    limn_status status = LIMN_OK;
    f->adds_extra = true;
    while (m.at < m.end && status == LIMN_OK && (status = take_field(ctx, &m, &part)) == LIMN_OK) {
        if (is(&part, 1, BYTES)) status = take_piece(ctx, part.inside, f);
        if (is(&part, 2, BYTES)) status = take_trainer(ctx, part.inside);
        if (is(&part, 3, BYTES)) status = take_normaliser(ctx, part.inside, t);
    }
    return status;
}
