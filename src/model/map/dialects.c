/* dialects.c: published names.  Sources: the repositories of DiT, PixArt and SD3, and the conversion scripts of
 * diffusers (convert_dit_to_diffusers.py, convert_pixart_alpha_to_diffusers.py, convert_sd3_to_diffusers.py).
 *
 * diffusers' AdaLayerNormContinuous (norm_out, and norm1_context of the last block) takes its chunks as (scale, shift); the
 * originals and AdaLayerNormZero have (shift, scale).  DiT's diffusers files hold the timestep and label embedders once per
 * block, all equal. */
#include "model/map/numbers.h"

static const limn_map_row same[] = {{.name = NULL}};

#define FIRST "transformer_blocks.0.norm1.emb."
#define BLOCK "transformer_blocks.*."

static const limn_map_row dit_diffusers[] = {
    {"x_embedder.proj", {"pos_embed.proj"}, LIMN_MAP_ROWS},
    {"pos_embed", {NULL}, LIMN_MAP_ABSENT},
    {"t_embedder.mlp.0", {FIRST "timestep_embedder.linear_1"}, LIMN_MAP_ROWS},
    {"t_embedder.mlp.2", {FIRST "timestep_embedder.linear_2"}, LIMN_MAP_ROWS},
    {"y_embedder.embedding_table", {FIRST "class_embedder.embedding_table"}, LIMN_MAP_ROWS},
    {"blocks.*.adaLN_modulation.1", {BLOCK "norm1.linear"}, LIMN_MAP_ROWS},
    {"blocks.*.attn.qkv", {BLOCK "attn1.to_q", BLOCK "attn1.to_k", BLOCK "attn1.to_v"}, LIMN_MAP_ROWS},
    {"blocks.*.attn.proj", {BLOCK "attn1.to_out.0"}, LIMN_MAP_ROWS},
    {"blocks.*.mlp.fc1", {BLOCK "ff.net.0.proj"}, LIMN_MAP_ROWS},
    {"blocks.*.mlp.fc2", {BLOCK "ff.net.2"}, LIMN_MAP_ROWS},
    {"final_layer.adaLN_modulation.1", {"proj_out_1"}, LIMN_MAP_ROWS},
    {"final_layer.linear", {"proj_out_2"}, LIMN_MAP_ROWS},
    {.name = NULL},
};

#define IMAGE "joint_blocks.*.x_block."
#define CONTEXT "joint_blocks.*.context_block."

static const limn_map_row sd3_diffusers[] = {
    {"x_embedder.proj", {"pos_embed.proj"}, LIMN_MAP_ROWS},
    {"pos_embed", {"pos_embed.pos_embed"}, LIMN_MAP_ROWS},
    {"t_embedder.mlp.0", {"time_text_embed.timestep_embedder.linear_1"}, LIMN_MAP_ROWS},
    {"t_embedder.mlp.2", {"time_text_embed.timestep_embedder.linear_2"}, LIMN_MAP_ROWS},
    {"y_embedder.mlp.0", {"time_text_embed.text_embedder.linear_1"}, LIMN_MAP_ROWS},
    {"y_embedder.mlp.2", {"time_text_embed.text_embedder.linear_2"}, LIMN_MAP_ROWS},
    {IMAGE "adaLN_modulation.1", {BLOCK "norm1.linear"}, LIMN_MAP_ROWS},
    {IMAGE "attn.qkv", {BLOCK "attn.to_q", BLOCK "attn.to_k", BLOCK "attn.to_v"}, LIMN_MAP_ROWS},
    {IMAGE "attn.ln_q", {BLOCK "attn.norm_q"}, LIMN_MAP_ROWS},
    {IMAGE "attn.ln_k", {BLOCK "attn.norm_k"}, LIMN_MAP_ROWS},
    {IMAGE "attn.proj", {BLOCK "attn.to_out.0"}, LIMN_MAP_ROWS},
    {IMAGE "attn2.qkv", {BLOCK "attn2.to_q", BLOCK "attn2.to_k", BLOCK "attn2.to_v"}, LIMN_MAP_ROWS},
    {IMAGE "attn2.ln_q", {BLOCK "attn2.norm_q"}, LIMN_MAP_ROWS},
    {IMAGE "attn2.ln_k", {BLOCK "attn2.norm_k"}, LIMN_MAP_ROWS},
    {IMAGE "attn2.proj", {BLOCK "attn2.to_out.0"}, LIMN_MAP_ROWS},
    {IMAGE "mlp.fc1", {BLOCK "ff.net.0.proj"}, LIMN_MAP_ROWS},
    {IMAGE "mlp.fc2", {BLOCK "ff.net.2"}, LIMN_MAP_ROWS},
    {CONTEXT "adaLN_modulation.1", {BLOCK "norm1_context.linear"}, LIMN_MAP_SWAP_LAST},
    {CONTEXT "attn.qkv", {BLOCK "attn.add_q_proj", BLOCK "attn.add_k_proj", BLOCK "attn.add_v_proj"}, LIMN_MAP_ROWS},
    {CONTEXT "attn.ln_q", {BLOCK "attn.norm_added_q"}, LIMN_MAP_ROWS},
    {CONTEXT "attn.ln_k", {BLOCK "attn.norm_added_k"}, LIMN_MAP_ROWS},
    {CONTEXT "attn.proj", {BLOCK "attn.to_add_out"}, LIMN_MAP_ROWS},
    {CONTEXT "mlp.fc1", {BLOCK "ff_context.net.0.proj"}, LIMN_MAP_ROWS},
    {CONTEXT "mlp.fc2", {BLOCK "ff_context.net.2"}, LIMN_MAP_ROWS},
    {"final_layer.adaLN_modulation.1", {"norm_out.linear"}, LIMN_MAP_SWAP},
    {"final_layer.linear", {"proj_out"}, LIMN_MAP_ROWS},
    {.name = NULL},
};

/* The table of places is worked out for any sides. */
static const limn_map_row pixart[] = {
    {"pos_embed", {NULL}, LIMN_MAP_ABSENT},
    {.name = NULL},
};

#define EMBEDDER "adaln_single.emb."
static const limn_map_row pixart_diffusers[] = {
    {"x_embedder.proj", {"pos_embed.proj"}, LIMN_MAP_ROWS},
    {"pos_embed", {NULL}, LIMN_MAP_ABSENT},
    {"t_embedder.mlp.0", {EMBEDDER "timestep_embedder.linear_1"}, LIMN_MAP_ROWS},
    {"t_embedder.mlp.2", {EMBEDDER "timestep_embedder.linear_2"}, LIMN_MAP_ROWS},
    {"csize_embedder.mlp.0", {EMBEDDER "resolution_embedder.linear_1"}, LIMN_MAP_ROWS},
    {"csize_embedder.mlp.2", {EMBEDDER "resolution_embedder.linear_2"}, LIMN_MAP_ROWS},
    {"ar_embedder.mlp.0", {EMBEDDER "aspect_ratio_embedder.linear_1"}, LIMN_MAP_ROWS},
    {"ar_embedder.mlp.2", {EMBEDDER "aspect_ratio_embedder.linear_2"}, LIMN_MAP_ROWS},
    {"t_block.1", {"adaln_single.linear"}, LIMN_MAP_ROWS},
    {"y_embedder.y_proj.fc1", {"caption_projection.linear_1"}, LIMN_MAP_ROWS},
    {"y_embedder.y_proj.fc2", {"caption_projection.linear_2"}, LIMN_MAP_ROWS},
    {"blocks.*.scale_shift_table", {BLOCK "scale_shift_table"}, LIMN_MAP_ROWS},
    {"blocks.*.attn.qkv", {BLOCK "attn1.to_q", BLOCK "attn1.to_k", BLOCK "attn1.to_v"}, LIMN_MAP_ROWS},
    {"blocks.*.attn.proj", {BLOCK "attn1.to_out.0"}, LIMN_MAP_ROWS},
    {"blocks.*.cross_attn.q_linear", {BLOCK "attn2.to_q"}, LIMN_MAP_ROWS},
    {"blocks.*.cross_attn.kv_linear", {BLOCK "attn2.to_k", BLOCK "attn2.to_v"}, LIMN_MAP_ROWS},
    {"blocks.*.cross_attn.proj", {BLOCK "attn2.to_out.0"}, LIMN_MAP_ROWS},
    {"blocks.*.mlp.fc1", {BLOCK "ff.net.0.proj"}, LIMN_MAP_ROWS},
    {"blocks.*.mlp.fc2", {BLOCK "ff.net.2"}, LIMN_MAP_ROWS},
    {"final_layer.scale_shift_table", {"scale_shift_table"}, LIMN_MAP_ROWS},
    {"final_layer.linear", {"proj_out"}, LIMN_MAP_ROWS},
    {.name = NULL},
};

/* A tiny autoencoder's halves, each in a file of its own. */
#define TAE_ROWS(part)                                                                                                      \
    {part "*", {"*"}, LIMN_MAP_ROWS}, {part "*.conv.0", {"*.conv.0"}, LIMN_MAP_ROWS},                                       \
        {part "*.conv.2", {"*.conv.2"}, LIMN_MAP_ROWS}, {part "*.conv.4", {"*.conv.4"}, LIMN_MAP_ROWS},                     \
        {part "*.pool.0", {"*.pool.0"}, LIMN_MAP_ROWS}, {part "*.pool.1", {"*.pool.1"}, LIMN_MAP_ROWS},                     \
        {part "*.pool.3", {"*.pool.3"}, LIMN_MAP_ROWS},                                                                     \
    {                                                                                                                       \
        .name = NULL                                                                                                        \
    }
static const limn_map_row tae_encoder[] = {TAE_ROWS("encoder.")}, tae_decoder[] = {TAE_ROWS("decoder.")};

/* Before diffusers 0.18 the attention in the middle had names of its own. */
#define OLD_ATTENTION(part)                                                                                                 \
    {part "to_q", {part "query"}, LIMN_MAP_ROWS}, {part "to_k", {part "key"}, LIMN_MAP_ROWS},                               \
        {part "to_v", {part "value"}, LIMN_MAP_ROWS},                                                                       \
    {                                                                                                                       \
        part "to_out.0", {part "proj_attn"}, LIMN_MAP_ROWS                                                                  \
    }
static const limn_map_row vae_old[] = {
    OLD_ATTENTION("encoder.mid_block.attentions.0."), OLD_ATTENTION("decoder.mid_block.attentions.0."), {.name = NULL}};

/* OpenCLIP's text encoders: q, k and v are one product. */
#define RESBLOCK "transformer.resblocks.*."
#define LAYER "text_model.encoder.layers.*."
static const limn_map_row open_clip[] = {
    {"text_model.embeddings.token_embedding", {"token_embedding"}, LIMN_MAP_ROWS},
    {"text_model.embeddings.position_embedding", {"positional_embedding$"}, LIMN_MAP_ROWS},
    {LAYER "layer_norm1", {RESBLOCK "ln_1"}, LIMN_MAP_ROWS},
    {LAYER "self_attn.q_proj", {RESBLOCK "attn.in_proj_"}, LIMN_MAP_FIRST_THIRD},
    {LAYER "self_attn.k_proj", {RESBLOCK "attn.in_proj_"}, LIMN_MAP_SECOND_THIRD},
    {LAYER "self_attn.v_proj", {RESBLOCK "attn.in_proj_"}, LIMN_MAP_LAST_THIRD},
    {LAYER "self_attn.out_proj", {RESBLOCK "attn.out_proj"}, LIMN_MAP_ROWS},
    {LAYER "layer_norm2", {RESBLOCK "ln_2"}, LIMN_MAP_ROWS},
    {LAYER "mlp.fc1", {RESBLOCK "mlp.c_fc"}, LIMN_MAP_ROWS},
    {LAYER "mlp.fc2", {RESBLOCK "mlp.c_proj"}, LIMN_MAP_ROWS},
    {"text_model.final_layer_norm", {"ln_final"}, LIMN_MAP_ROWS},
    {"text_projection", {"text_projection$"}, LIMN_MAP_TRANSPOSED},
    {.name = NULL},
};

/* T5's encoder: where its words are not called shared, and as llama.cpp and those after it name it in GGUF. */
static const limn_map_row t5_embed[] = {{"shared", {"encoder.embed_tokens"}, LIMN_MAP_ROWS}, {.name = NULL}};
#define T5_BLOCK "encoder.block.*."
#define T5_GGUF "enc.blk.*."
static const limn_map_row t5_gguf[] = {
    {"shared", {"token_embd"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.0.SelfAttention.relative_attention_bias", {T5_GGUF "attn_rel_b"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.0.SelfAttention.q", {T5_GGUF "attn_q"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.0.SelfAttention.k", {T5_GGUF "attn_k"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.0.SelfAttention.v", {T5_GGUF "attn_v"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.0.SelfAttention.o", {T5_GGUF "attn_o"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.0.layer_norm", {T5_GGUF "attn_norm"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.1.DenseReluDense.wi_0", {T5_GGUF "ffn_gate"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.1.DenseReluDense.wi_1", {T5_GGUF "ffn_up"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.1.DenseReluDense.wo", {T5_GGUF "ffn_down"}, LIMN_MAP_ROWS},
    {T5_BLOCK "layer.1.layer_norm", {T5_GGUF "ffn_norm"}, LIMN_MAP_ROWS},
    {"encoder.final_layer_norm", {"enc.output_norm"}, LIMN_MAP_ROWS},
    {.name = NULL},
};

#define ANCHORS(...) (const char *const[]){__VA_ARGS__, NULL}

/* SD3 before CLIP: its single-file releases hold text encoders too. */
const limn_dialect limn_dialects[] = {
    {.title = "Stable Diffusion 3 MMDiT",
     .family = &limn_family_mmdit,
     .numbers = limn_numbers_of_sd3,
     .anchors = ANCHORS("joint_blocks.0.x_block.attn.qkv.weight", "pos_embed"),
     .rows = same},
    {.title = "Stable Diffusion 3 MMDiT (diffusers)",
     .family = &limn_family_mmdit,
     .numbers = limn_numbers_of_sd3,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS("transformer_blocks.0.attn.add_q_proj.weight", "pos_embed.pos_embed"),
     .rows = sd3_diffusers},
    {.title = "T5 text encoder",
     .family = &limn_family_t5_text,
     .numbers = limn_numbers_of_t5,
     .anchors = ANCHORS("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", "shared.weight"),
     .rows = same},
    {.title = "T5 text encoder without shared words",
     .family = &limn_family_t5_text,
     .numbers = limn_numbers_of_t5,
     .anchors = ANCHORS("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                        "encoder.embed_tokens.weight"),
     .rows = t5_embed},
    {.title = "T5 text encoder (GGUF)",
     .family = &limn_family_t5_text,
     .numbers = limn_numbers_of_t5,
     .anchors = ANCHORS("enc.blk.0.attn_rel_b.weight", "token_embd.weight"),
     .rows = t5_gguf},
    {.title = "DiT",
     .family = &limn_family_dit,
     .numbers = limn_numbers_of_dit,
     .anchors = ANCHORS("blocks.0.adaLN_modulation.1.weight", "y_embedder.embedding_table.weight", "x_embedder.proj.weight"),
     .rows = same},
    {.title = "DiT (diffusers)",
     .family = &limn_family_dit,
     .numbers = limn_numbers_of_dit,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS(FIRST "class_embedder.embedding_table.weight", "pos_embed.proj.weight"),
     .rows = dit_diffusers},
    {.title = "PixArt", /* not Sana, whose MLP is mlp.inverted_conv */
     .family = &limn_family_pixart,
     .numbers = limn_numbers_of_pixart,
     .anchors = ANCHORS("t_block.1.weight", "y_embedder.y_proj.fc1.weight", "blocks.0.cross_attn.kv_linear.weight",
                        "blocks.0.mlp.fc1.weight"),
     .rows = pixart},
    {.title = "PixArt (diffusers)",
     .family = &limn_family_pixart,
     .numbers = limn_numbers_of_pixart,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS("adaln_single.linear.weight", "caption_projection.linear_1.weight", "pos_embed.proj.weight",
                        "transformer_blocks.0.ff.net.0.proj.weight"),
     .rows = pixart_diffusers},
    {.title = "CLIP text encoder",
     .family = &limn_family_clip_text,
     .numbers = limn_numbers_of_clip,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS("text_model.embeddings.token_embedding.weight"),
     .rows = same},
    {.title = "CLIP text encoder (transformers 5)",
     .family = &limn_family_clip_text,
     .numbers = limn_numbers_of_clip,
     .naming = LIMN_NAMES_TRANSFORMERS_5,
     .rename = limn_rename_clip,
     .anchors = ANCHORS("embeddings.token_embedding.weight", "encoder.layers.0.self_attn.q_proj.weight"),
     .rows = same},
    {.title = "OpenCLIP text encoder",
     .family = &limn_family_clip_text,
     .numbers = limn_numbers_of_open_clip,
     .anchors = ANCHORS("transformer.resblocks.0.attn.in_proj_weight", "token_embedding.weight"),
     .rows = open_clip},
    {.title = "AutoencoderKL of older diffusers",
     .family = &limn_family_vae,
     .numbers = limn_numbers_of_vae,
     .naming = LIMN_NAMES_DIFFUSERS_OLD,
     .anchors = ANCHORS("encoder.mid_block.attentions.0.query.weight", "encoder.down_blocks.0.resnets.0.conv1.weight"),
     .rows = vae_old},
    {.title = "Stable Diffusion autoencoder",
     .family = &limn_family_vae,
     .numbers = limn_numbers_of_vae,
     .rename = limn_rename_vae,
     .attention_convolves = true,
     .anchors = ANCHORS("encoder.down.0.block.0.conv1.weight", "decoder.up.0.block.0.conv1.weight"),
     .rows = same},
    {.title = "AutoencoderKL (diffusers)",
     .family = &limn_family_vae,
     .numbers = limn_numbers_of_vae,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS("encoder.down_blocks.0.resnets.0.conv1.weight", "decoder.up_blocks.0.resnets.0.conv1.weight"),
     .rows = same},
    {.title = "Stable Diffusion XL U-Net",
     .family = &limn_family_ldm_unet,
     .numbers = limn_numbers_of_ldm,
     .rename = limn_rename_unet,
     .anchors = ANCHORS("label_emb.0.0.weight", "input_blocks.0.0.weight", "time_embed.0.weight"),
     .rows = same},
    {.title = "Stable Diffusion XL U-Net (diffusers)",
     .family = &limn_family_ldm_unet,
     .numbers = limn_numbers_of_ldm,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS("add_embedding.linear_1.weight", "down_blocks.0.resnets.0.time_emb_proj.weight"),
     .rows = same},
    {.title = "Stable Diffusion U-Net",
     .family = &limn_family_ldm_unet,
     .numbers = limn_numbers_of_ldm,
     .rename = limn_rename_unet,
     .anchors = ANCHORS("input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
                        "middle_block.1.transformer_blocks.0.attn2.to_k.weight"),
     .rows = same},
    {.title = "Stable Diffusion U-Net (diffusers)",
     .family = &limn_family_ldm_unet,
     .numbers = limn_numbers_of_ldm,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight",
                        "down_blocks.0.resnets.0.time_emb_proj.weight"),
     .rows = same},
    {.title = "Stable Diffusion U-Net without a middle",
     .family = &limn_family_ldm_unet,
     .numbers = limn_numbers_of_ldm,
     .rename = limn_rename_unet,
     .anchors = ANCHORS("output_blocks.3.1.transformer_blocks.0.attn2.to_k.weight", "input_blocks.0.0.weight"),
     .rows = same},
    {.title = "Stable Diffusion U-Net without a middle (diffusers)",
     .family = &limn_family_ldm_unet,
     .numbers = limn_numbers_of_ldm,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
                        "down_blocks.0.resnets.0.time_emb_proj.weight"),
     .rows = same},
    {.title = "DDPM U-Net of older diffusers",
     .family = &limn_family_ddpm,
     .numbers = limn_numbers_of_ddpm,
     .naming = LIMN_NAMES_DIFFUSERS_OLD,
     .rename = limn_rename_ddpm_old,
     .anchors = ANCHORS("mid_block.attentions.0.query.weight", "down_blocks.0.resnets.0.time_emb_proj.weight"),
     .rows = same},
    {.title = "DDPM U-Net (diffusers)",
     .family = &limn_family_ddpm,
     .numbers = limn_numbers_of_ddpm,
     .naming = LIMN_NAMES_DIFFUSERS,
     .anchors = ANCHORS("mid_block.attentions.0.to_q.weight", "down_blocks.0.resnets.0.time_emb_proj.weight"),
     .rows = same},
    {.title = "DDPM U-Net for digits",
     .family = &limn_family_ddpm_mnist,
     .numbers = limn_numbers_of_ddpm_mnist,
     .anchors = ANCHORS("b_mid.0.ln.weight", "time_embed.weight", "te_out.2.weight"),
     .rows = same},
    {.title = "ADM",
     .family = &limn_family_adm,
     .numbers = limn_numbers_of_adm,
     .anchors = ANCHORS("middle_block.1.qkv.weight", "input_blocks.0.0.weight", "output_blocks.0.0.in_layers.2.weight",
                        "time_embed.0.weight"),
     .rows = same},
    {.title = "U-ViT",
     .family = &limn_family_uvit,
     .numbers = limn_numbers_of_uvit,
     .anchors = ANCHORS("mid_block.attn.qkv.weight", "in_blocks.0.norm1.weight", "pos_embed", "decoder_pred.weight"),
     .rows = same},
    {.title = "U-Net",
     .family = &limn_family_unet,
     .numbers = limn_numbers_of_segmenter,
     .anchors = ANCHORS("inc.double_conv.0.weight", "outc.conv.weight", "down1.maxpool_conv.1.double_conv.0.weight"),
     .rows = same},
    {.title = "TAESD",
     .family = &limn_family_tae,
     .numbers = limn_numbers_of_tae,
     .anchors = ANCHORS("encoder.1.conv.0.weight", "encoder.2.weight", "decoder.3.conv.0.weight"),
     .rows = same},
    {.title = "TAESD (diffusers)",
     .family = &limn_family_tae,
     .numbers = limn_numbers_of_tae,
     .naming = LIMN_NAMES_DIFFUSERS,
     .rename = limn_rename_tae,
     .anchors = ANCHORS("encoder.layers.1.conv.0.weight", "decoder.layers.2.conv.0.weight"),
     .rows = same},
    {.title = "TAESD encoder",
     .family = &limn_family_tae,
     .numbers = limn_numbers_of_tae,
     .part = LIMN_PART_ENCODER,
     .anchors = ANCHORS("1.conv.0.weight", "2.weight", "0.weight"),
     .rows = tae_encoder},
    {.title = "TAESD decoder",
     .family = &limn_family_tae,
     .numbers = limn_numbers_of_tae,
     .part = LIMN_PART_DECODER,
     .anchors = ANCHORS("3.conv.0.weight", "1.weight"),
     .rows = tae_decoder},
    {.title = NULL},
};
