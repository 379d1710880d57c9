/* lora_names.c: what the names of tensors in LoRA files mean: kohya's, diffusers' (three of them), PEFT's, LyCORIS' and
 * OneTrainer's (three, "unet." and "clip_l.", "lora_unet." and "lora_te.", and kohya's).  Original names of a U-Net's blocks
 * stay as they are: limn_lora_respell(). */
#include "weights/lora.h"

#include <stdio.h>
#include <string.h>

/* Ends of names, longer ones first where one is the end of another. */
static const struct {
    const char *end;
    limn_lora_role role;
} ends[] = {
    {".lora_up.weight", LIMN_LORA_UP},
    {".lora_down.weight", LIMN_LORA_DOWN},
    {".lora_mid.weight", LIMN_LORA_MID},
    {".lora_B.default.weight", LIMN_LORA_UP},
    {".lora_A.default.weight", LIMN_LORA_DOWN},
    {".lora_B.weight", LIMN_LORA_UP},
    {".lora_A.weight", LIMN_LORA_DOWN},
    {".lora_linear_layer.up.weight", LIMN_LORA_UP},
    {".lora_linear_layer.down.weight", LIMN_LORA_DOWN},
    {".lora.up.weight", LIMN_LORA_UP},
    {".lora.down.weight", LIMN_LORA_DOWN},
    {"_lora.up.weight", LIMN_LORA_UP},
    {"_lora.down.weight", LIMN_LORA_DOWN},
    {".alpha", LIMN_LORA_ALPHA},
    {".dora_scale", LIMN_LORA_MAGNITUDE},
    {".lora_magnitude_vector.default.weight", LIMN_LORA_MAGNITUDE},
    {".lora_magnitude_vector.weight", LIMN_LORA_MAGNITUDE},
    {".lora_magnitude_vector", LIMN_LORA_MAGNITUDE},
    {".hada_w1_a", LIMN_LORA_HADA_1A},
    {".hada_w1_b", LIMN_LORA_HADA_1B},
    {".hada_w2_a", LIMN_LORA_HADA_2A},
    {".hada_w2_b", LIMN_LORA_HADA_2B},
    {".hada_t1", LIMN_LORA_HADA_T1},
    {".hada_t2", LIMN_LORA_HADA_T2},
    {".lokr_w1", LIMN_LORA_KRON_1},
    {".lokr_w1_a", LIMN_LORA_KRON_1A},
    {".lokr_w1_b", LIMN_LORA_KRON_1B},
    {".lokr_w2", LIMN_LORA_KRON_2},
    {".lokr_w2_a", LIMN_LORA_KRON_2A},
    {".lokr_w2_b", LIMN_LORA_KRON_2B},
    {".lokr_t2", LIMN_LORA_KRON_T2},
    {".diff", LIMN_LORA_DIFF},
    {".diff_b", LIMN_LORA_DIFF_BIAS},
    {".w_norm", LIMN_LORA_DIFF},
    {".b_norm", LIMN_LORA_DIFF_BIAS},
    {".set_weight", LIMN_LORA_SET},
};

/* Kinds that are known, and not read. */
static const struct {
    const char *part, *says;
} others[] = {
    {".on_input", "is of IA3, which is not read"},
    {".oft_blocks", "is of OFT, which is not read"},
    {".oft_diag", "is of OFT, which is not read"},
    {".a1.weight", "is of GLoRA, which is not read"},
    {".b1.weight", "is of GLoRA, which is not read"},
    {"processor.qkv_lora", "is of a LoRA for FLUX"},
    {"processor.proj_lora", "is of a LoRA for FLUX"},
    {".lora_B.bias", "is the bias of a LoRA, which is not read"},
    {"bundle_emb.", "is an embedding in a bundle, which is not read"},
};

/* What PEFT wraps a network in.  Behind another beginning where a pipeline saved what was wrapped. */
#define PEFT "base_model.model."

/* Beginnings: of which network, and whether the rest is flat already. */
static const struct {
    const char *begin;
    limn_lora_network network;
    bool flat;
} begins[] = {
    {"lora_unet_", LIMN_LORA_DENOISER, true},
    {"lora_transformer_", LIMN_LORA_DENOISER, true},
    {"lycoris_", LIMN_LORA_DENOISER, true},
    {"lora_te1_", LIMN_LORA_TEXT, true},
    {"lora_te2_", LIMN_LORA_TEXT_2, true},
    {"lora_te3_", LIMN_LORA_TEXT_3, true},
    {"lora_te_", LIMN_LORA_TEXT, true},
    {"lora_unet.", LIMN_LORA_DENOISER, false},
    {"lora_transformer.", LIMN_LORA_DENOISER, false},
    {"lora_te1.", LIMN_LORA_TEXT, false},
    {"lora_te2.", LIMN_LORA_TEXT_2, false},
    {"lora_te3.", LIMN_LORA_TEXT_3, false},
    {"lora_te.", LIMN_LORA_TEXT, false},
    {"clip_l.", LIMN_LORA_TEXT, false},
    {"clip_g.", LIMN_LORA_TEXT_2, false},
    {"t5.", LIMN_LORA_TEXT_3, false},
    {PEFT, LIMN_LORA_ANY, false},
    {"diffusion_model.", LIMN_LORA_DENOISER, false},
    {"transformer.", LIMN_LORA_DENOISER, false},
    {"unet.", LIMN_LORA_DENOISER, false},
    {"text_encoder_3.", LIMN_LORA_TEXT_3, false},
    {"text_encoder_2.", LIMN_LORA_TEXT_2, false},
    {"text_encoder.", LIMN_LORA_TEXT, false},
    {"text_encoders.clip_l.transformer.", LIMN_LORA_TEXT, false},
    {"text_encoders.clip_g.transformer.", LIMN_LORA_TEXT_2, false},
    {"text_encoders.t5xxl.transformer.", LIMN_LORA_TEXT_3, false},
    {"text_encoders.clip_l.", LIMN_LORA_TEXT, false},
    {"text_encoders.clip_g.", LIMN_LORA_TEXT_2, false},
    {"text_encoders.t5xxl.", LIMN_LORA_TEXT_3, false},
};

static void replace_end(char *text, const char *end, const char *by)
{
    size_t n = strlen(text);
    if (limn_ends_in(text, n, end)) snprintf(text + n - strlen(end), LIMN_LORA_NAME - n + strlen(end), "%s", by);
}

static void remove_part(char *text, const char *part)
{
    char *at = strstr(text, part);
    if (at) memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
}

static void flatten(char *text)
{
    for (; *text; text++)
        if (*text == '.') *text = '_';
}

/* transformers 5 writes CLIP's names without it. */
static void drop_text_model(char *flat)
{
    static const char head[] = "text_model_";
    if (strncmp(flat, head, sizeof head - 1) == 0) memmove(flat, flat + sizeof head - 1, strlen(flat + sizeof head - 1) + 1);
}

/* The oldest spelling: attention's processors hold the differences, "attn1.processor.to_out_lora.down.weight". */
static void from_processors(char *path, bool text)
{
    static const char *const renamed[][2] = {
        {".to_q", ".q_proj"}, {".to_k", ".k_proj"}, {".to_v", ".v_proj"}, {".to_out", ".out_proj"}};
    remove_part(path, ".processor");
    if (!text) replace_end(path, ".to_out", ".to_out.0");
    for (int i = 0; text && i < 4; i++) replace_end(path, renamed[i][0], renamed[i][1]);
}

const char *limn_lora_name(const char *tensor, limn_lora_network *network, limn_lora_role *role, char *flat)
{
    size_t n = strlen(tensor), i = 0, b = 0, n_begins = sizeof begins / sizeof *begins;
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (strstr(tensor, others[k].part)) return others[k].says;
    while (i < sizeof ends / sizeof *ends && !limn_ends_in(tensor, n, ends[i].end)) i++;
    if (i == sizeof ends / sizeof *ends) return "is no part of a LoRA";
    while (b < n_begins && strncmp(tensor, begins[b].begin, strlen(begins[b].begin)) != 0) b++;
    size_t skip = b < n_begins ? strlen(begins[b].begin) : 0, last = n - strlen(ends[i].end);
    if (strncmp(tensor + skip, PEFT, sizeof PEFT - 1) == 0) skip += sizeof PEFT - 1;
    if (last <= skip || last - skip > LIMN_LORA_NAME - 16)
        return "has no module's name, or a longer one than any module has";
    *network = b < n_begins ? begins[b].network : LIMN_LORA_DENOISER;
    *role = ends[i].role;
    memcpy(flat, tensor + skip, last - skip);
    flat[last - skip] = '\0';
    if (*ends[i].end == '_') from_processors(flat, *network != LIMN_LORA_DENOISER);
    if (b == n_begins || !begins[b].flat) flatten(flat);
    if (*network != LIMN_LORA_DENOISER) drop_text_model(flat);
    return NULL;
}

bool limn_lora_flat(const char *parameter, char *flat, bool *bias)
{
    size_t n = strlen(parameter);
    *bias = limn_ends_in(parameter, n, ".bias");
    if (!*bias && !limn_ends_in(parameter, n, ".weight")) return false;
    n -= *bias ? 5 : 7;
    if (n >= LIMN_LORA_NAME) return false;
    memcpy(flat, parameter, n);
    flat[n] = '\0';
    flatten(flat);
    drop_text_model(flat);
    return true;
}
