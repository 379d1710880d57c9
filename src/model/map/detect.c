/* detect.c: which published network a file holds, and its numbers.
 *
 * Heads: no shape tells them but that of a q/k norm (one head's width).  config.json says num_attention_heads; without it the published
 * rules: DiT 384:6 768:12 1024:16 1152:16; SD3 one head per block; CLIP 64 wide. */
#include "file/bytes.h"
#include "model/map/map.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_LIMIT = 1 << 20 };

typedef struct numbers {
    limn_ctx *ctx;
    const char *file;
    const limn_safetensors *st;
    limn_map *map;
    json_t *config;       /* NULL: there is none */
    limn_status status;   /* of the first failure; later calls do nothing */
} numbers;

/* ---- reading shapes --------------------------------------------------------------------------------------------------- */

static const limn_entry *find(const numbers *q, const char *name)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", q->map->prefix, name);
    return limn_safetensors_find(q->st, full);
}

/* Dimension k of a tensor of this rank; 0 and a failure when it is not there. */
static int64_t dim_of(numbers *q, const char *name, int rank, int k)
{
    if (q->status != LIMN_OK) return 0;
    const limn_entry *e = find(q, name);
    if (!e) {
        q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: looks like %s, but has no tensor \"%s%s\"", q->file, q->map->dialect->title, q->map->prefix, name);
        return 0;
    }
    if (e->rank == rank) return e->dim[k];
    q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" has %d dimensions, expected %d", q->file, e->name, e->rank, rank);
    return 0;
}

static void set(numbers *q, const char *name, int64_t value)
{
    char text[96];
    if (q->status != LIMN_OK) return;
    snprintf(text, sizeof text, "%s=%lld", name, (long long)value);
    q->status = limn_settings_set(q->ctx, &q->map->settings, text);
    if (q->status != LIMN_OK) limn_fail_in(q->ctx, q->status = LIMN_BAD_FILE, "%s (%s)", q->file, q->map->dialect->title);
}

static void choose(numbers *q, const char *assignment)
{
    if (q->status == LIMN_OK) q->status = limn_settings_set(q->ctx, &q->map->settings, assignment);
}

/* Blocks 0, 1, ... that have the tensor before%dafter. */
static int64_t depth_of(const numbers *q, const char *before, const char *after)
{
    int64_t n = 0;
    char name[256];
    do snprintf(name, sizeof name, "%s%lld%s", before, (long long)n, after);
    while (find(q, name) && ++n < 4096);
    return n;
}

/* A whole number of config.json, or otherwise when it has none. */
static int64_t configured(const numbers *q, const char *key, int64_t otherwise)
{
    const json_t *value = q->config ? json_object_get(q->config, key) : NULL;
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : otherwise;
}

static void set_heads(numbers *q, const char *setting, int64_t heads, int64_t width)
{
    if (q->status != LIMN_OK) return;
    if (heads < 1 || width % heads)
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: %s of width %lld: the number of heads is not in the tensors, and no published rule "
                              "gives it; put a config.json with num_attention_heads beside the file", q->file, q->map->dialect->title, (long long)width);
    else set(q, setting, heads);
}

static int64_t root(int64_t n)
{
    int64_t r = 0;
    while (r < 65536 && r * r < n) r++;
    return r * r == n ? r : 0;
}

/* ---- one function per family ------------------------------------------------------------------------------------------ */

/* Patches, width, channels of input and output, and the size of the picture for a grid of g x g. */
static int64_t image_numbers(numbers *q, const char *patches, const char *last)
{
    int64_t width = dim_of(q, patches, 4, 0), channels = dim_of(q, patches, 4, 1), p = dim_of(q, patches, 4, 2), out = dim_of(q, last, 2, 0);
    set(q, "width", width);
    set(q, "channels", channels);
    set(q, "patch", p);
    if (q->status == LIMN_OK && out != p * p * channels && (out != 2 * p * p * channels || strcmp(q->map->settings.family->name, "dit")))
        q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: tensor \"%s%s\" has %lld rows, expected %lld for patches of %lld and %lld channels", q->file,
                              q->map->prefix, last, (long long)out, (long long)(p * p * channels), (long long)p, (long long)channels);
    if (!strcmp(q->map->settings.family->name, "dit")) set(q, "learn_sigma", channels && out == 2 * p * p * channels);
    choose(q, "conditioning=modulated");
    choose(q, "norm=pre");
    return width;
}

static void dit_numbers(numbers *q, bool diffusers)
{
    const char *patches = diffusers ? "pos_embed.proj.weight" : "x_embedder.proj.weight";
    int64_t width = image_numbers(q, patches, diffusers ? "proj_out_2.weight" : "final_layer.linear.weight"), patch = dim_of(q, patches, 4, 2);
    set(q, "depth", diffusers ? depth_of(q, "transformer_blocks.", ".norm1.linear.weight") : depth_of(q, "blocks.", ".adaLN_modulation.1.weight"));
    set(q, "mlp", dim_of(q, diffusers ? "transformer_blocks.0.ff.net.0.proj.weight" : "blocks.0.mlp.fc1.weight", 2, 0));
    set(q, "classes", dim_of(q, diffusers ? "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight" : "y_embedder.embedding_table.weight", 2, 0) - 1);
    int64_t grid = diffusers ? 0 : root(dim_of(q, "pos_embed", 3, 1));
    set(q, "size", diffusers ? configured(q, "sample_size", 32) : grid * patch);
    int64_t rule = width == 384 ? 6 : width == 768 ? 12 : width == 1024 || width == 1152 ? 16 : 0;
    set_heads(q, "heads", configured(q, "num_attention_heads", rule), width);
}

static void sd3_numbers(numbers *q, bool diffusers)
{
    const char *patches = diffusers ? "pos_embed.proj.weight" : "x_embedder.proj.weight";
    const char *norm = diffusers ? "transformer_blocks.0.attn.norm_q.weight" : "joint_blocks.0.x_block.attn.ln_q.weight";
    const char *second = diffusers ? "transformer_blocks.0.attn2.to_q.weight" : "joint_blocks.0.x_block.attn2.qkv.weight";
    if (find(q, second))
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: \"%s%s\" is the second attention of SD3.5 medium (MMDiT-X), which Limn has no block for",
                              q->file, q->map->prefix, second);
    int64_t width = image_numbers(q, patches, diffusers ? "proj_out.weight" : "final_layer.linear.weight"), patch = dim_of(q, patches, 4, 2);
    int64_t depth = diffusers ? depth_of(q, "transformer_blocks.", ".attn.add_q_proj.weight") : depth_of(q, "joint_blocks.", ".x_block.attn.qkv.weight");
    choose(q, "attention=joint");
    set(q, "depth", depth);
    set(q, "mlp", dim_of(q, diffusers ? "transformer_blocks.0.ff.net.0.proj.weight" : "joint_blocks.0.x_block.mlp.fc1.weight", 2, 0));
    set(q, "text_width", dim_of(q, "context_embedder.weight", 2, 1));
    set(q, "pooled_width", dim_of(q, diffusers ? "time_text_embed.text_embedder.linear_1.weight" : "y_embedder.mlp.0.weight", 2, 1));
    set(q, "text_length", 154); /* 77 of CLIP and 77 of T5 */
    int64_t most = root(dim_of(q, diffusers ? "pos_embed.pos_embed" : "pos_embed", 3, 1)) * patch, size = configured(q, "sample_size", 128);
    set(q, "size", size < most ? size : most);
    int64_t head = find(q, norm) ? dim_of(q, norm, 1, 0) : 0;
    set(q, "qk_norm", head > 0);
    int64_t rule = head > 0 && width % head == 0 ? width / head : width == 64 * depth ? depth : 0;
    set_heads(q, "heads", head > 0 ? rule : configured(q, "num_attention_heads", rule), width);
}

static void clip_numbers(numbers *q)
{
    int64_t width = dim_of(q, "text_model.embeddings.token_embedding.weight", 2, 1);
    set(q, "text_vocab", dim_of(q, "text_model.embeddings.token_embedding.weight", 2, 0));
    set(q, "text_width", width);
    set(q, "text_length", dim_of(q, "text_model.embeddings.position_embedding.weight", 2, 0));
    set(q, "text_depth", depth_of(q, "text_model.encoder.layers.", ".layer_norm1.weight"));
    const char *act = q->config ? json_string_value(json_object_get(q->config, "hidden_act")) : NULL;
    bool gelu = act ? strcmp(act, "gelu") == 0 : width >= 1024;
    if (q->status == LIMN_OK && act && !gelu && strcmp(act, "quick_gelu"))
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: hidden_act of config.json is neither quick_gelu nor gelu", q->file);
    choose(q, gelu ? "text_activation=gelu" : "text_activation=quick_gelu");
    set_heads(q, "text_heads", configured(q, "num_attention_heads", width % 64 ? 0 : width / 64), width);
}

/* A real number of config.json in 1/100000. */
static int64_t configured_real(const numbers *q, const char *key, int64_t otherwise)
{
    const json_t *value = q->config ? json_object_get(q->config, key) : NULL;
    double x = json_is_number(value) ? json_number_value(value) * 1e5 : 0;
    return json_is_number(value) && x > -1e7 && x < 1e7 ? (int64_t)(x < 0 ? x - 0.5 : x + 0.5) : otherwise;
}

static void vae_numbers(numbers *q)
{
    int64_t base = dim_of(q, "encoder.conv_in.weight", 4, 0), latent = dim_of(q, "decoder.conv_in.weight", 4, 1);
    int64_t levels = depth_of(q, "encoder.down_blocks.", ".resnets.0.conv1.weight");
    set(q, "base", base);
    set(q, "channels", dim_of(q, "encoder.conv_in.weight", 4, 1));
    set(q, "latent", latent);
    set(q, "levels", levels);
    set(q, "layers", depth_of(q, "encoder.down_blocks.0.resnets.", ".conv1.weight"));
    for (int64_t i = 0; i < levels && q->status == LIMN_OK; i++) {
        char name[64], setting[16];
        snprintf(name, sizeof name, "encoder.down_blocks.%lld.resnets.0.conv2.weight", (long long)i);
        snprintf(setting, sizeof setting, "mult%lld", (long long)i + 1);
        set(q, setting, dim_of(q, name, 4, 0) / (base ? base : 1));
    }
    set(q, "attention", find(q, "encoder.mid_block.attentions.0.group_norm.weight") != NULL);
    set(q, "quant", find(q, "quant_conv.weight") != NULL);
    set(q, "groups", configured(q, "norm_num_groups", 32));
    set(q, "scaling", configured_real(q, "scaling_factor", latent == 4 ? 18215 : 100000));
    set(q, "shift", configured_real(q, "shift_factor", 0));
}

/* Levels and blocks are three each in all that was published. */
static void tae_numbers(numbers *q)
{
    const char *title = q->map->dialect->title;
    limn_model_part part = !strcmp(title, "TAESD encoder") ? LIMN_PART_ENCODER : !strcmp(title, "TAESD decoder") ? LIMN_PART_DECODER : LIMN_PART_WHOLE;
    const char *in = part == LIMN_PART_WHOLE ? "encoder.0.weight" : "0.weight", *to = part == LIMN_PART_WHOLE ? "encoder.14.weight" : "14.weight";
    bool decoder = part == LIMN_PART_DECODER;
    q->map->part = part;
    set(q, "width", dim_of(q, decoder ? "1.weight" : in, 4, 0));
    set(q, "channels", decoder ? dim_of(q, "19.weight", 4, 0) : dim_of(q, in, 4, 1));
    set(q, "latent", decoder ? dim_of(q, "1.weight", 4, 1) : dim_of(q, to, 4, 0));
    set(q, "pool", find(q, decoder ? "3.pool.0.weight" : part == LIMN_PART_WHOLE ? "encoder.11.pool.0.weight" : "11.pool.0.weight") != NULL);
}

/* ---- which dialect ---------------------------------------------------------------------------------------------------- */

/* The prefix under which all anchors are there. */
static bool fits(const limn_safetensors *st, const limn_dialect *d, char *prefix, size_t prefix_bytes)
{
    size_t anchor = strlen(d->anchors[0]);
    for (size_t i = 0; i < limn_safetensors_count(st); i++) {
        const char *name = limn_safetensors_get(st, i)->name;
        size_t n = strlen(name);
        if (n < anchor || n - anchor >= prefix_bytes || strcmp(name + n - anchor, d->anchors[0])) continue;
        if (n > anchor && name[n - anchor - 1] != '.') continue;
        snprintf(prefix, prefix_bytes, "%.*s", (int)(n - anchor), name);
        bool all = true;
        for (int k = 1; d->anchors[k] && all; k++) {
            char full[512];
            snprintf(full, sizeof full, "%s%s", prefix, d->anchors[k]);
            all = limn_safetensors_find(st, full) != NULL;
        }
        if (all) return true;
    }
    return false;
}

/* config.json of the file's folder; none is no failure, a broken one is. */
static limn_status open_config(limn_ctx *ctx, const char *file, json_t **out)
{
    char path[1100];
    const char *slash = strrchr(file, '/');
    unsigned char *bytes;
    size_t n;
    json_error_t error;
    *out = NULL;
    snprintf(path, sizeof path, "%.*sconfig.json", slash ? (int)(slash - file) + 1 : 0, file);
    limn_status status = limn_file_read(ctx, path, CONFIG_LIMIT, &bytes, &n);
    if (status != LIMN_OK) return status == LIMN_NOT_FOUND ? LIMN_OK : status;
    *out = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, &error);
    free(bytes);
    if (!*out) return limn_fail(ctx, LIMN_BAD_FILE, "%s: line %d, column %d: %s", path, error.line, error.column, error.text);
    return LIMN_OK;
}

static limn_status find_settings(limn_ctx *ctx, const char *file, const limn_safetensors *st, limn_map *map)
{
    numbers q = {.ctx = ctx, .file = file, .st = st, .map = map};
    q.status = limn_settings_find(ctx, map->dialect->family, &map->settings);
    if (q.status == LIMN_OK) q.status = open_config(ctx, file, &q.config);
    bool diffusers = strstr(map->dialect->title, "diffusers") != NULL;
    if (q.status != LIMN_OK) return q.status;
    if (!strcmp(map->dialect->family, "dit")) dit_numbers(&q, diffusers);
    else if (!strcmp(map->dialect->family, "mmdit")) sd3_numbers(&q, diffusers);
    else if (!strcmp(map->dialect->family, "vae")) vae_numbers(&q);
    else if (!strcmp(map->dialect->family, "tae")) tae_numbers(&q);
    else clip_numbers(&q);
    json_decref(q.config);
    const char *wrong = q.status == LIMN_OK && map->settings.family->check ? map->settings.family->check(&map->settings) : NULL;
    return wrong ? limn_fail(ctx, LIMN_BAD_FILE, "%s (%s): %s", file, map->dialect->title, wrong) : q.status;
}

limn_status limn_map_detect(limn_ctx *ctx, const char *file, const limn_safetensors *st, limn_map *out)
{
    for (const limn_dialect *d = limn_dialects; d->title; d++) {
        *out = (limn_map){.dialect = d};
        if (fits(st, d, out->prefix, sizeof out->prefix)) return find_settings(ctx, file, st, out);
    }
    limn_text known = {0};
    for (const limn_dialect *d = limn_dialects; d->title; d++) limn_text_printf(&known, "%s%s", d == limn_dialects ? "" : ", ", d->title);
    limn_fail(ctx, LIMN_NOT_FOUND, "%s: its tensor names fit no network Limn knows (%s)", file, known.bytes ? known.bytes : "");
    limn_text_free(&known);
    return LIMN_NOT_FOUND;
}
