/* detect.c: which published network a file holds, and its numbers.
 *
 * Heads: no shape tells them but that of a q/k norm (one head's width).  config.json says num_attention_heads; without it
 * the published rules: DiT 384:6 768:12 1024:16 1152:16; CLIP 64 wide. */
#include "file/json_file.h"
#include "model/map/numbers.h"

#include <stdlib.h>
#include <string.h>

enum { CONFIG_LIMIT = 1 << 20 };

/* ---- one function per family ------------------------------------------------------------------------------------------ */

limn_patches limn_numbers_patches(limn_numbers *q, bool may_double, const int *field[3])
{
    static const char first[] = "x_embedder.proj.weight", last[] = "final_layer.linear.weight";
    char full[LIMN_NUMBERS_NAME];
    int64_t width = limn_numbers_dim(q, first, 4, 0), channels = limn_numbers_dim(q, first, 4, 1),
            p = limn_numbers_dim(q, first, 4, 2), out = limn_numbers_dim(q, last, 2, 0);
    limn_numbers_set(q, field[0], width);
    limn_numbers_set(q, field[1], channels);
    limn_numbers_set(q, field[2], p);
    if (q->status != LIMN_OK) return (limn_patches){0}; /* a file's numbers, also beyond what may be multiplied */
    bool doubled = may_double && out == 2 * p * p * channels;
    if (out != p * p * channels && !doubled)
        q->status = limn_fail(
            q->ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" has %lld rows, expected %lld for patches of %lld and %lld channels",
            q->file, limn_numbers_name(q, last, full), (long long)out, (long long)(p * p * channels), (long long)p,
            (long long)channels);
    return (limn_patches){width, p, doubled};
}

void limn_numbers_of_dit(limn_numbers *q)
{
    const dit_config *cfg = limn_numbers_config(q);
    bool diffusers = q->map->dialect->naming == LIMN_NAMES_DIFFUSERS;
    limn_patches p = limn_numbers_patches(q, true, (const int *[]){&cfg->width, &cfg->channels, &cfg->patch});
    limn_numbers_set(q, &cfg->learn_sigma, p.doubled);
    limn_numbers_set(q, &cfg->as_diffusers, diffusers);
    limn_numbers_set(q, &cfg->conditioning, LIMN_TIME_MODULATES);
    limn_numbers_set(q, &cfg->norm, LIMN_NORM_PRE);
    limn_numbers_set(q, &cfg->depth, limn_numbers_depth(q, "blocks.", ".adaLN_modulation.1.weight"));
    limn_numbers_set(q, &cfg->mlp, limn_numbers_dim(q, "blocks.0.mlp.fc1.weight", 2, 0));
    limn_numbers_set(q, &cfg->classes, limn_numbers_dim(q, "y_embedder.embedding_table.weight", 2, 0) - 1);
    limn_numbers_must_agree(q, "in_channels", cfg->channels);
    limn_numbers_must_agree(q, "patch_size", cfg->patch);
    limn_numbers_must_agree(q, "num_layers", cfg->depth);
    limn_numbers_must_agree(q, "num_embeds_ada_norm", cfg->classes);
    int64_t grid = diffusers ? 0 : limn_numbers_root(limn_numbers_dim(q, "pos_embed", 3, 1));
    limn_numbers_set(q, &cfg->size, diffusers ? limn_numbers_whole(q, "sample_size", 32) : grid * p.side);
    int64_t rule = p.width == 384 ? 6 : p.width == 768 ? 12 : p.width == 1024 || p.width == 1152 ? 16 : 0;
    limn_numbers_heads(q, &cfg->heads, limn_numbers_whole(q, "num_attention_heads", rule), p.width);
}

/* transformers 5 dropped the module that the names began with. */
void limn_rename_clip(const limn_map *map, const char *name, char *out, size_t out_bytes)
{
    static const char head[] = "text_model.";
    (void)map;
    snprintf(out, out_bytes, "%s", name + (strncmp(name, head, sizeof head - 1) ? 0 : sizeof head - 1));
}

/* Sizes by the tables of words and places.  @return the width */
static int64_t text_sizes(limn_numbers *q, const char *words, const char *places)
{
    const clip_config *cfg = limn_numbers_config(q);
    int64_t width = limn_numbers_dim(q, words, 2, 1);
    limn_numbers_set(q, &cfg->text.vocab, limn_numbers_dim(q, words, 2, 0));
    limn_numbers_set(q, &cfg->text.width, width);
    limn_numbers_set(q, &cfg->text.length, limn_numbers_dim(q, places, 2, 0));
    limn_numbers_must_agree(q, "hidden_size", width);
    limn_numbers_must_agree(q, "intermediate_size", 4 * width);
    return width;
}

/* Stable Diffusion 2 does without the last of the 24 blocks of OpenCLIP's ViT-H, which some files have all the same. */
static int64_t used_blocks(int64_t width, int64_t blocks)
{
    enum { OF_H = 23, WIDTH_OF_H = 1024 };
    return width == WIDTH_OF_H && blocks > OF_H ? OF_H : blocks;
}

static void text_heads(limn_numbers *q, int64_t width, bool usually_gelu)
{
    const clip_config *cfg = limn_numbers_config(q);
    const char *act = q->config ? json_string_value(json_object_get(q->config, "hidden_act")) : NULL;
    bool gelu = act ? strcmp(act, "gelu") == 0 : usually_gelu;
    if (q->status == LIMN_OK && act && !gelu && strcmp(act, "quick_gelu"))
        q->status =
            limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: hidden_act of config.json is neither quick_gelu nor gelu", q->file);
    limn_numbers_set(q, &cfg->activation, gelu ? CLIP_GELU : CLIP_QUICK_GELU);
    limn_numbers_heads(q, &cfg->text.heads, limn_numbers_whole(q, "num_attention_heads", width % 64 ? 0 : width / 64),
                       width);
}

void limn_numbers_of_clip(limn_numbers *q)
{
    const clip_config *cfg = limn_numbers_config(q);
    int64_t width = text_sizes(q, "text_model.embeddings.token_embedding.weight",
                               "text_model.embeddings.position_embedding.weight");
    int64_t blocks = limn_numbers_depth(q, "text_model.encoder.layers.", ".layer_norm1.weight");
    limn_numbers_must_agree(q, "num_hidden_layers", blocks);
    limn_numbers_set(q, &cfg->text.depth, used_blocks(width, blocks));
    const limn_entry *projection = limn_numbers_find(q, "text_projection.weight"); /* not everybody's is of the text alone */
    if (projection && projection->rank == 2 && projection->dim[1] == width && used_blocks(width, blocks) == blocks)
        limn_numbers_set(q, &cfg->projection, projection->dim[0]);
    text_heads(q, width, width >= 1024);
}

/* A config.json may leave the last blocks out, as that of Stable Diffusion 2 does. */
void limn_numbers_of_open_clip(limn_numbers *q)
{
    const clip_config *cfg = limn_numbers_config(q);
    int64_t width = text_sizes(q, "token_embedding.weight", "positional_embedding");
    int64_t blocks = limn_numbers_depth(q, "transformer.resblocks.", ".ln_1.weight"),
            said = limn_numbers_whole(q, "num_hidden_layers", blocks);
    if (said < 1 || said > blocks) limn_numbers_must_agree(q, "num_hidden_layers", blocks);
    limn_numbers_set(q, &cfg->text.depth, used_blocks(width, said));
    const limn_entry *projection = limn_numbers_find(q, "text_projection"); /* of what all blocks make */
    if (projection && projection->rank == 2 && projection->dim[0] == width && used_blocks(width, said) == blocks)
        limn_numbers_set(q, &cfg->projection, projection->dim[1]);
    text_heads(q, width, true);
}

/* diffusers has the sequences one level deeper, and its decoder none of the clamp at place 0. */
void limn_rename_tae(const limn_map *map, const char *name, char *out, size_t out_bytes)
{
    static const char head[] = "decoder.";
    int place, end = 0;
    (void)map;
    if (sscanf(name, "decoder.%d%n", &place, &end) == 1)
        snprintf(out, out_bytes, "%slayers.%d%s", head, place - 1, name + end);
    else snprintf(out, out_bytes, "%.*slayers.%s", (int)sizeof head - 1, name, name + sizeof head - 1);
}

/* Name of a tensor at a place of the encoder's sequence, or of the decoder's where it is alone. */
static const char *tae_name(const limn_numbers *q, int64_t place, const char *rest, char out[64])
{
    snprintf(out, 64, "%s%lld%s", q->map->part == LIMN_PART_WHOLE ? "encoder." : "", (long long)place, rest);
    return out;
}

static bool tae_has(const limn_numbers *q, int64_t place, const char *rest)
{
    char name[64];
    return limn_numbers_find(q, tae_name(q, place, rest, name)) != NULL;
}

/* What only diffusers' config.json tells, and no other value of it can be built. */
static void tae_config_agrees(limn_numbers *q)
{
    static const char *const words[][2] = {{"act_fn", "relu"}, {"upsample_fn", "nearest"}};
    char shown[80];
    for (int i = 0; i < 2 && q->config && q->status == LIMN_OK; i++) {
        const char *word = json_string_value(json_object_get(q->config, words[i][0]));
        if (word && strcmp(word, words[i][1]))
            q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: %s of config.json: expected \"%s\", found \"%s\"", q->file,
                                  words[i][0], words[i][1], limn_escape(word, strlen(word), shown, sizeof shown));
    }
    const json_t *scale = q->config ? json_object_get(q->config, "scaling_factor") : NULL;
    if (q->status == LIMN_OK && json_is_number(scale) && json_number_value(scale) != 1)
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: scaling_factor of config.json: expected 1, for latents as the "
                              "denoiser has them, found %g", q->file, json_number_value(scale));
}

/* Encoder: conv, block, then of each level conv and blocks, conv.  Decoder: clamp, conv, ReLU, then of each level blocks,
 * enlarging, conv; block, conv. */
void limn_numbers_of_tae(limn_numbers *q)
{
    const tae_config *cfg = limn_numbers_config(q);
    char first[64], last[64];
    bool decoder = (q->map->part = q->map->dialect->part) == LIMN_PART_DECODER;
    int64_t blocks = 0, levels = 0;
    while (tae_has(q, 3 + blocks, ".conv.0.weight")) blocks++;
    int64_t begin = decoder ? 4 + blocks : 2 + blocks + 1, each = blocks + (decoder ? 2 : 1);
    while (tae_has(q, begin + levels * each, ".weight")) levels++;
    tae_name(q, decoder ? 1 : 0, ".weight", first);
    tae_name(q, decoder ? 4 + levels * each : 2 + levels * each, ".weight", last);
    limn_numbers_set(q, &cfg->width, limn_numbers_dim(q, first, 4, 0));
    limn_numbers_set(q, &cfg->channels, limn_numbers_dim(q, decoder ? last : first, 4, decoder ? 0 : 1));
    limn_numbers_set(q, &cfg->latent, limn_numbers_dim(q, decoder ? first : last, 4, decoder ? 1 : 0));
    limn_numbers_set(q, &cfg->levels, levels);
    limn_numbers_set(q, &cfg->blocks, blocks);
    limn_numbers_set(q, &cfg->pool, tae_has(q, decoder ? 3 : 2 + (levels - 1) * each + 1, ".pool.0.weight"));
    tae_config_agrees(q);
}

/* ---- which dialect ---------------------------------------------------------------------------------------------------- */

static bool stands_under(const limn_weight_file *st, const limn_dialect *d, const char *prefix)
{
    int k = 0;
    while (d->anchors[k] && limn_weight_file_find_under(st, prefix, d->anchors[k])) k++;
    return !d->anchors[k];
}

/* The prefix under which all anchors are there, the first one being a tensor from *at on; *at moves behind it.  Sets of raw
 * weights come first. */
static bool fits(const limn_weight_file *st, const limn_dialect *d, size_t *at, char *prefix, size_t prefix_bytes)
{
    size_t anchor = strlen(d->anchors[0]), count = limn_weight_file_count(st);
    while (*at < 2 * count) {
        bool raw = *at < count;
        const char *name = limn_weight_file_get(st, (*at)++ % count)->name;
        size_t n = strlen(name);
        if (n < anchor || n - anchor >= prefix_bytes || strcmp(name + n - anchor, d->anchors[0])) continue;
        if (n > anchor && name[n - anchor - 1] != '.' && name[n - anchor - 1] != '/') continue;
        snprintf(prefix, prefix_bytes, "%.*s", (int)(n - anchor), name);
        if (raw == (limn_set_kind_of(prefix) == LIMN_SET_RAW) && stands_under(st, d, prefix)) return true;
    }
    return false;
}

/* config.json of the file's folder; none is no failure, a broken one is. */
static limn_status open_config(limn_ctx *ctx, const char *file, json_t **out)
{
    char path[1100];
    const char *slash = strrchr(file, '/');
    snprintf(path, sizeof path, "%.*sconfig.json", slash ? (int)(slash - file) + 1 : 0, file);
    limn_status status = limn_json_read(ctx, path, CONFIG_LIMIT, out);
    return status == LIMN_NOT_FOUND ? LIMN_OK : status;
}

static limn_status find_settings(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_map *map)
{
    limn_numbers q = {.ctx = ctx, .file = file, .st = st, .map = map};
    limn_settings_defaults(&map->settings, map->dialect->family);
    q.status = open_config(ctx, file, &q.config);
    if (q.status != LIMN_OK) return q.status;
    map->dialect->numbers(&q);
    json_decref(q.config);
    if (q.status != LIMN_OK || limn_settings_check(ctx, &map->settings) == LIMN_OK) return q.status;
    return limn_fail_in(ctx, LIMN_BAD_FILE, "%s (%s)", file, map->dialect->title);
}

/* Whether `name` is one of the words of `families` (NULL: any), and *width: of which text_width, 0: of any. */
static bool wanted(const char *families, const char *name, int *width)
{
    size_t n = strlen(name);
    *width = 0;
    for (const char *word = families; word && *word; word += strcspn(word, " "), word += strspn(word, " "))
        if (strcspn(word, " :") == n && strncmp(word, name, n) == 0)
            return *width = word[n] == ':' ? (int)strtol(word + n + 1, NULL, 10) : 0, true;
    return !families;
}

limn_status limn_map_detect_among(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *families,
                                  limn_map *out)
{
    int width;
    for (const limn_dialect *d = limn_dialects; d->title; d++) {
        size_t at = 0;
        *out = (limn_map){.dialect = d};
        while (wanted(families, d->family->name, &width) && fits(st, d, &at, out->prefix, sizeof out->prefix)) {
            limn_status status = find_settings(ctx, file, st, out);
            if (status != LIMN_OK || !width || limn_model_interface(&out->settings).text_width == width) return status;
            *out = (limn_map){.dialect = d};
        }
    }
    if (limn_weight_file_metadata(st, "limn.picture") || limn_weight_file_metadata(st, "limn.latent.shape"))
        return limn_fail(ctx, LIMN_NOT_FOUND,
                         "%s: holds latents of pictures, not a network (limn decode and train --latents read them, limn "
                         "inspect tells of them)",
                         file);
    limn_text known = {0};
    for (const limn_dialect *d = limn_dialects; d->title; d++)
        if (wanted(families, d->family->name, &width)) limn_text_printf(&known, "%s%s", known.bytes ? ", " : "", d->title);
    const char *first = limn_weight_file_count(st) ? limn_weight_file_get(st, 0)->name : NULL;
    char shown[256] = "";
    if (first) limn_escape(first, strlen(first), shown, sizeof shown);
    limn_fail(ctx, LIMN_NOT_FOUND, "%s: its tensor names fit no network Limn knows (%s)%s%s%s", file,
              known.bytes ? known.bytes : "", first ? "; the first is \"" : ": it has none", shown, first ? "\"" : "");
    limn_text_free(&known);
    return LIMN_NOT_FOUND;
}

limn_status limn_map_detect(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_map *out)
{
    return limn_map_detect_among(ctx, file, st, NULL, out);
}

/* Names of one dialect may hold those of another of its family: a tiny autoencoder's those of its encoder.  prefix: where
 * the other one was found; a text encoder under other names elsewhere is another network. */
static bool told_before(const limn_weight_file *st, const limn_dialect *d, const char *prefix)
{
    char outer[LIMN_PREFIX_BYTES];
    size_t n = strlen(prefix);
    for (const limn_dialect *e = limn_dialects; e < d; e++)
        for (size_t i = 0; i <= n && e->family == d->family; i++) {
            if (i && prefix[i - 1] != '.' && prefix[i - 1] != '/') continue;
            snprintf(outer, sizeof outer, "%.*s", (int)i, prefix);
            if (stands_under(st, e, outer)) return true;
        }
    return false;
}

/* A set that was told of as one of an earlier network. */
static bool seen_before(const limn_map_place *place, const char *prefix)
{
    for (int i = 0; i < place->n_seen; i++)
        if (!strcmp(place->seen[i], prefix)) return true;
    return false;
}

static limn_status see(limn_ctx *ctx, const limn_weight_file *st, limn_map_place *place, const char *prefix)
{
    limn_weight_set sets[LIMN_MAX_SETS];
    int n = limn_weight_sets(st, prefix, sets);
    if (n < 0) return limn_fail_memory(ctx, sizeof sets, "sets of weights");
    for (int i = 1; i < n && place->n_seen < 2 * LIMN_MAX_SETS; i++)
        memcpy(place->seen[place->n_seen++], sets[i].prefix, LIMN_PREFIX_BYTES);
    return LIMN_OK;
}

limn_status limn_map_detect_next(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_map_place *place,
                                 limn_map *out)
{
    for (const limn_dialect *d = limn_dialects + place->dialect; d->title; d++, place->dialect++, place->tensor = 0) {
        *out = (limn_map){.dialect = d};
        while (fits(st, d, &place->tensor, out->prefix, sizeof out->prefix)) {
            if (seen_before(place, out->prefix) || told_before(st, d, out->prefix)) continue;
            limn_status status = see(ctx, st, place, out->prefix);
            return status == LIMN_OK ? find_settings(ctx, file, st, out) : status;
        }
    }
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s: it holds no other network that Limn knows", file);
}

limn_status limn_map_detect_with(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_node *parameter,
                                 limn_map *out)
{
    bool found;
    for (const limn_dialect *d = limn_dialects; d->title; d++) {
        *out = (limn_map){.dialect = d};
        for (size_t at = 0; fits(st, d, &at, out->prefix, sizeof out->prefix); *out = (limn_map){.dialect = d}) {
            limn_status status = find_settings(ctx, file, st, out);
            if (status == LIMN_OK) status = limn_map_read(ctx, out, file, st, parameter, LIMN_F32, NULL, &found, NULL);
            if (status == LIMN_OK) return LIMN_OK;
        }
    }
    return limn_map_detect(ctx, file, st, out); /* its tensor will be missed, with a sentence */
}
