/* convert_types.c: which tensors blocks suit.  As stable-diffusion.cpp has it: no biases, embeddings, first and last layers,
 * and no rows that are not whole blocks; norms neither, here.  What is left out and has more than 16 bits becomes f16, but
 * for tensors of one dimension. */
#include "pipeline/convert.h"

#include <string.h>

static bool is_float(limn_dtype t) { return t != LIMN_I32 && t != LIMN_I64 && t != LIMN_U8; }
static bool is_blocks(limn_dtype t) { return t < LIMN_N_DTYPES && limn_dtype_row_of(t)->block > 1; }
static bool is_f8(limn_dtype t) { return t == LIMN_F8_E4M3 || t == LIMN_F8_E5M2; }

/* Layers whose error all the others pass on. */
static bool is_end(const char *name)
{
    static const char *const parts[] = {"embedding",  "time_embed.", "label_emb.",        "x_embedder.",  "t_embedder.",
                                        "y_embedder.", "pos_embed",   "context_embedder.", "time_text_embed.", "img_in.",
                                        "txt_in.",    "time_in.",    "vector_in.",        "guidance_in.", "final_layer.",
                                        "size_embedder.", "ar_embedder.", "adaln_single.emb.", "caption_projection.",
                                        "scale_shift_table"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i])) return true;
    return false;
}

/* F32 where its pieces differ. */
static limn_dtype type_of(const limn_convert_tensor *t)
{
    limn_dtype type = t->n ? limn_entry_type(t->piece[0].e) : LIMN_F32;
    for (int i = 1; i < t->n; i++)
        if (limn_entry_type(t->piece[i].e) != type) type = LIMN_F32;
    return type;
}

static limn_convert_why why_not(const limn_tensor_out *t, limn_dtype blocks)
{
    size_t n = strlen(t->name);
    if (t->rank < 2 || limn_ends_in(t->name, n, ".bias") || limn_ends_in(t->name, n, ".scale")) return LIMN_CONVERT_FLAT;
    if (t->dim[t->rank - 1] % (int64_t)limn_dtype_row_of(blocks)->block) return LIMN_CONVERT_ROWS;
    return is_end(t->name) ? LIMN_CONVERT_ENDS : LIMN_CONVERT_TAKEN;
}

/* A tensor that stays out of blocks: as it is, f16 where that is less; of the other types those that GGUF has. */
static limn_dtype narrow(const limn_tensor_out *t, limn_dtype own)
{
    if (own == LIMN_F64 || (own == LIMN_F32 && t->rank < 2)) return LIMN_F32;
    return own == LIMN_F32 || is_f8(own) ? LIMN_F16 : own;
}

static limn_status no_such_type(const limn_conversion *c, const limn_tensor_out *t)
{
    char shown[256];
    limn_escape(t->name, strlen(t->name), shown, sizeof shown);
    const char *name = limn_dtype_name(t->dtype);
    if (is_blocks(t->dtype))
        return limn_fail(c->ctx, LIMN_BAD_ARGUMENT, "tensor \"%s\" would be %s, which safetensors files do not have: say "
                         "--type f16, bf16 or f32, or write a .gguf", shown, name);
    return limn_fail(c->ctx, LIMN_BAD_ARGUMENT, "tensor \"%s\" is %s, which GGUF does not have: write a .safetensors", shown,
                     name);
}

limn_status limn_convert_decide(limn_conversion *c)
{
    limn_tensor_out *out = &c->out[c->n - 1];
    limn_convert_tensor *t = &c->tensor[c->n - 1];
    limn_dtype own = type_of(t);
    bool rows = out->rank && out->dim[out->rank - 1] % (int64_t)limn_dtype_row_of(own)->block == 0;
    out->dtype = own, t->why = LIMN_CONVERT_KEPT;
    if (!is_float(own)) t->why = LIMN_CONVERT_COUNTS;
    else if (c->type == LIMN_N_DTYPES && c->gguf && is_f8(own)) out->dtype = LIMN_F16;
    else if (c->type == LIMN_N_DTYPES && is_blocks(own) && !rows) out->dtype = LIMN_F16, t->why = LIMN_CONVERT_ROWS;
    else if (is_blocks(c->type)) {
        t->why = why_not(out, c->type);
        out->dtype = t->why == LIMN_CONVERT_TAKEN ? c->type : narrow(out, own);
        if (is_blocks(out->dtype) && !rows && t->why != LIMN_CONVERT_TAKEN) out->dtype = LIMN_F16;
    } else if (c->type != LIMN_N_DTYPES) out->dtype = c->type, t->why = LIMN_CONVERT_TAKEN;
    bool has = c->gguf ? limn_gguf_has(out->dtype) : limn_safetensors_has(out->dtype);
    return has ? LIMN_OK : no_such_type(c, out);
}

/* "148 f16, 2 f32" of those with a reason; @return how many */
static size_t count(const limn_conversion *c, limn_convert_why why, limn_text *text)
{
    size_t of[LIMN_N_DTYPES] = {0}, all = 0;
    for (size_t i = 0; i < c->n; i++) of[c->out[i].dtype] += c->tensor[i].why == why;
    for (int t = 0; t < LIMN_N_DTYPES; t++)
        if (of[t]) limn_text_printf(text, "%s%zu %s", all ? ", " : "", of[t], limn_dtype_name((limn_dtype)t)), all += of[t];
    return all;
}

void limn_convert_tell(const limn_conversion *c)
{
    static const char *const words[LIMN_CONVERT_REASONS] = {
        [LIMN_CONVERT_KEPT] = " as they were",
        [LIMN_CONVERT_COUNTS] = " because they are whole numbers",
        [LIMN_CONVERT_FLAT] = " because of one dimension or a bias",
        [LIMN_CONVERT_ROWS] = " because their rows are no whole blocks (convolutions)",
        [LIMN_CONVERT_ENDS] = " because they are embeddings, first or last layers",
    };
    limn_text line = {0};
    for (int why = 0; why < LIMN_CONVERT_REASONS; why++) {
        limn_text some = {0};
        if (count(c, (limn_convert_why)why, &some) && some.bytes)
            limn_text_printf(&line, "%s%s%s", line.n ? "; " : "", some.bytes, words[why] ? words[why] : "");
        limn_text_free(&some);
    }
    limn_log(c->ctx, LIMN_LOG_INFO, "%zu tensors: %s", c->n, line.bytes ? line.bytes : "none");
    limn_text_free(&line);
}
