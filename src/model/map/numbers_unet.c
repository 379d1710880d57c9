/* numbers_unet.c: the settings of published U-Nets.  What no shape tells (side of the picture, groups, heads) is in
 * config.json, or is that of the network that made the names known: DDPM for CIFAR-10, Stable Diffusion 1. */
#include "model/map/numbers.h"

#include <string.h>

static const json_t *config_of(const limn_numbers *q, const char *key)
{
    return q->config ? json_object_get(q->config, key) : NULL;
}

/* An integer of config.json; when it is there without the key, the published class's own default; without a config.json,
 * `rule`. */
static int64_t whole(const limn_numbers *q, const char *key, int64_t missing, int64_t rule)
{
    return q->config ? limn_numbers_whole(q, key, missing) : rule;
}

static bool truth(const limn_numbers *q, const char *key, bool missing, bool rule)
{
    const json_t *value = config_of(q, key);
    return !q->config ? rule : json_is_boolean(value) ? json_is_true(value) : missing;
}

/* ---- named as diffusers names them ------------------------------------------------------------------------------------ */

static int64_t level_dim(limn_numbers *q, int64_t level)
{
    char name[96];
    snprintf(name, sizeof name, "down_blocks.%lld.resnets.0.conv1.weight", (long long)level);
    return limn_numbers_dim(q, name, 4, 0);
}

/* @return levels */
static int64_t multipliers(limn_numbers *q, int64_t width)
{
    const limn_unet_config *cfg = limn_numbers_config(q);
    int64_t n = limn_numbers_depth(q, "down_blocks.", ".resnets.0.conv1.weight");
    int values[LIMN_UNET_LEVELS];
    for (int64_t i = 0; i < n && q->status == LIMN_OK; i++) {
        int64_t wide = level_dim(q, i), digit = width > 0 ? wide / width : 0;
        if (q->status == LIMN_OK && (n > LIMN_UNET_LEVELS || digit < 1 || digit > 9 || digit * width != wide))
            q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED,
                                  "%s: level %lld is %lld wide, which is not 1 to 9 times the first convolution's %lld",
                                  q->file, (long long)i, (long long)wide, (long long)width);
        if (q->status == LIMN_OK) values[i] = (int)digit;
    }
    limn_numbers_set_list(q, cfg->multipliers, (int)n, values);
    return n;
}

/* Levels with attention, largest and smallest side; more than 9 were refused. */
static void attention(limn_numbers *q, int64_t levels, int64_t size, const char *norm)
{
    const limn_unet_config *cfg = limn_numbers_config(q);
    int64_t first = 0, last = 0;
    for (int64_t i = 0; i < levels && q->status == LIMN_OK; i++) {
        char name[96];
        snprintf(name, sizeof name, "down_blocks.%lld.attentions.0.%s.weight", (long long)i, norm);
        if (!limn_numbers_find(q, name)) continue;
        last = size >> i;
        if (!first) first = last;
    }
    limn_numbers_set(q, &cfg->attention_most, first);
    limn_numbers_set(q, &cfg->attention_least, first ? last : 0);
}

static int64_t shared(limn_numbers *q, int64_t size, int64_t channels, const char *norm)
{
    const limn_unet_config *cfg = limn_numbers_config(q);
    int64_t width = limn_numbers_dim(q, "conv_in.weight", 4, 0);
    limn_numbers_set(q, &cfg->size, size);
    limn_numbers_set(q, &cfg->channels, channels);
    limn_numbers_set(q, &cfg->width, width);
    attention(q, multipliers(q, width), size, norm);
    limn_numbers_set(q, &cfg->blocks, limn_numbers_depth(q, "down_blocks.0.resnets.", ".conv1.weight"));
    limn_numbers_set(q, &cfg->groups, limn_numbers_whole(q, "norm_num_groups", 32));
    return width;
}

/* Attention layers of older files: query, key, value, proj_attn. */
void limn_rename_ddpm_old(const limn_map *map, const char *name, char *out, size_t out_bytes)
{
    static const char *const names[][2] = {
        {"to_q.", "query."}, {"to_k.", "key."}, {"to_v.", "value."}, {"to_out.0.", "proj_attn."}};
    (void)map;
    snprintf(out, out_bytes, "%s", name);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *at = strstr(name, names[i][0]);
        if (at) snprintf(out, out_bytes, "%.*s%s%s", (int)(at - name), name, names[i][1], at + strlen(names[i][0]));
    }
}

void limn_numbers_of_ddpm(limn_numbers *q)
{
    const ddpm_config *cfg = limn_numbers_config(q);
    int64_t channels = limn_numbers_dim(q, "conv_in.weight", 4, 1);
    int64_t width = shared(q, limn_numbers_whole(q, "sample_size", 32), channels, "group_norm");
    limn_numbers_set(q, &cfg->learn_sigma,
                     limn_numbers_dim(q, "conv_out.weight", 4, 0) == 2 * channels);
    limn_numbers_set(q, &cfg->unet.scale_shift,
                     limn_numbers_dim(q, "down_blocks.0.resnets.0.time_emb_proj.weight", 2, 0) == 2 * width);
    if (limn_numbers_find(q, "class_embedding.weight"))
        limn_numbers_set(q, &cfg->classes, limn_numbers_dim(q, "class_embedding.weight", 2, 0) - 1);
    const json_t *heads = config_of(q, "attention_head_dim");
    limn_numbers_set(q, &cfg->unet.head_width,
                     !q->config || json_is_null(heads) ? 0 : limn_numbers_whole(q, "attention_head_dim", 8));
    limn_numbers_set(q, &cfg->padding, whole(q, "downsample_padding", 1, 0) ? DDPM_PAD_AROUND : DDPM_PAD_AFTER);
    bool cos_first = truth(q, "flip_sin_to_cos", true, false);
    if (q->status == LIMN_OK && whole(q, "freq_shift", 0, 1) != !cos_first)
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED,
                              "%s: freq_shift 1 with cosines first, or 0 with sines first, is no known U-Net's", q->file);
    limn_numbers_set(q, &cfg->time, cos_first ? DDPM_COS_FIRST : DDPM_SIN_FIRST);
    const json_t *eps = config_of(q, "norm_eps");
    limn_numbers_set_real(q, &cfg->norm_eps, !q->config ? 1e-6 : json_is_number(eps) ? json_number_value(eps) : 1e-5);
}

void limn_numbers_of_ddpm_mnist(limn_numbers *q)
{
    const ddpm_mnist_config *cfg = limn_numbers_config(q);
    limn_numbers_set(q, &cfg->size, limn_numbers_dim(q, "b1.0.ln.weight", 3, 1));
    limn_numbers_set(q, &cfg->channels, limn_numbers_dim(q, "b1.0.ln.weight", 3, 0));
    limn_numbers_set(q, &cfg->width, limn_numbers_dim(q, "b1.0.conv1.weight", 4, 0));
    limn_numbers_set(q, &cfg->time_width, limn_numbers_dim(q, "time_embed.weight", 2, 1));
}

/* ---- Stable Diffusion's latent U-Net ---------------------------------------------------------------------------------- */

static const char *const res_names[][2] = {{"norm1", "in_layers.0"},          {"conv1", "in_layers.2"},
                                           {"time_emb_proj", "emb_layers.1"}, {"norm2", "out_layers.0"},
                                           {"conv2", "out_layers.3"},         {"conv_shortcut", "skip_connection"}};

/* "norm1.weight" -> "in_layers.0.weight"; other names stay */
static void put_res(const char *head, const char *rest, char *out, size_t out_bytes)
{
    size_t n = strcspn(rest, ".");
    for (size_t i = 0; i < sizeof res_names / sizeof *res_names; i++)
        if (strlen(res_names[i][0]) == n && !strncmp(rest, res_names[i][0], n)) {
            snprintf(out, out_bytes, "%s%s%s", head, res_names[i][1], rest + n);
            return;
        }
    snprintf(out, out_bytes, "%s%s", head, rest);
}

/* Blocks are counted through in CompVis's files: level L has entries L (n + 1) + 1 .. of input_blocks, the last of which
 * halves the sides.  Pruned networks went through diffusers' script for Stable Diffusion 1, which counts on in threes
 * whatever n is, and leaves a name as it was where Stable Diffusion has no such layer: the attention of up_blocks.0. */
static void rename_level(const limn_map *map, const char *side, int level, const char *part, int j, const char *rest,
                         char *out, size_t out_bytes)
{
    const limn_unet_config *cfg = limn_settings_config(&map->settings);
    int stride = map->stride;
    bool down = side[0] == 'd', res = !strcmp(part, "resnets");
    int up = cfg->n_levels - 1 - level; /* level of an up block; a name may lie */
    int size = up >= 0 ? cfg->size >> up : 0;
    bool attends = size <= cfg->attention_most && size >= cfg->attention_least && !(map->left_over && !level);
    char head[96];
    if (!strcmp(part, "downsamplers"))
        snprintf(out, out_bytes, "input_blocks.%d.0.op%s", (level + 1) * stride, rest + strlen("conv"));
    else if (!strcmp(part, "upsamplers"))
        snprintf(out, out_bytes, "output_blocks.%d.%d.%s", (level + 1) * stride - 1, attends ? 2 : 1, rest);
    else if (map->left_over && !down && !level && !res)
        snprintf(out, out_bytes, "up_blocks.0.attentions.%d.%s", j, rest);
    else {
        snprintf(head, sizeof head, "%s.%d.%d.", down ? "input_blocks" : "output_blocks",
                 level * stride + j + (down ? 1 : 0), res ? 0 : 1);
        if (res) put_res(head, rest, out, out_bytes);
        else snprintf(out, out_bytes, "%s%s", head, rest);
    }
}

/* diffusers' names -> CompVis's and openai's */
void limn_rename_unet(const limn_map *map, const char *name, char *out, size_t out_bytes)
{
    static const char *const whole_names[][2] = {{"conv_in.", "input_blocks.0.0."},
                                                 {"time_embedding.linear_1.", "time_embed.0."},
                                                 {"time_embedding.linear_2.", "time_embed.2."},
                                                 {"time_embedding.cond_proj.", "time_embed.cond_proj."},
                                                 {"add_embedding.linear_1.", "label_emb.0.0."},
                                                 {"add_embedding.linear_2.", "label_emb.0.2."},
                                                 {"conv_norm_out.", "out.0."},
                                                 {"conv_out.", "out.2."}};
    char side[32], part[32];
    int level, j, n = 0;
    for (size_t i = 0; i < sizeof whole_names / sizeof *whole_names; i++)
        if (!strncmp(name, whole_names[i][0], strlen(whole_names[i][0]))) {
            snprintf(out, out_bytes, "%s%s", whole_names[i][1], name + strlen(whole_names[i][0]));
            return;
        }
    if (sscanf(name, "mid_block.%31[a-z].%d.%n", part, &j, &n) == 2 && n) {
        char head[32];
        bool res = !strcmp(part, "resnets");
        snprintf(head, sizeof head, "middle_block.%d.", res ? 2 * (j & 1) : 1);
        if (res) put_res(head, name + n, out, out_bytes);
        else snprintf(out, out_bytes, "%s%s", head, name + n);
    } else if (sscanf(name, "%31[a-z]_blocks.%d.%31[a-z].%d.%n", side, &level, part, &j, &n) == 4 && n)
        rename_level(map, side, level & 15, part, j & 15, name + n, out, out_bytes);
    else snprintf(out, out_bytes, "%s", name);
}

bool limn_map_original(const limn_settings *s, const char *name, char *out, size_t out_bytes)
{
    if (s->family != &limn_family_ldm_unet) return false;
    const limn_unet_config *cfg = limn_settings_config(s);
    const limn_map map = {.settings = *s, .stride = cfg->blocks + 1};
    limn_rename_unet(&map, name, out, out_bytes);
    return true;
}

/* How many levels, and blocks in each: the entries of input_blocks that halve the sides, and residual blocks before. */
static void count_compvis(limn_numbers *q)
{
    const limn_unet_config *cfg = limn_numbers_config(q);
    int levels = 1, ones[LIMN_UNET_LEVELS] = {1}, first = 0, blocks = 0;
    for (int k = 1; k < 100; k++) {
        char name[64];
        snprintf(name, sizeof name, "input_blocks.%d.0.op.weight", k);
        if (!limn_numbers_find(q, name)) continue;
        if (levels < LIMN_UNET_LEVELS) ones[levels++] = 1;
        if (!first) first = k;
    }
    for (int found = 1; found && (!first || blocks + 1 < first); blocks += found) {
        char name[64];
        snprintf(name, sizeof name, "input_blocks.%d.0.in_layers.2.weight", blocks + 1);
        found = blocks < 99 && limn_numbers_find(q, name);
    }
    q->map->stride = first ? first : blocks + 1;
    q->map->left_over = limn_weight_file_find_under(q->st, q->map->prefix, "up_blocks.0.attentions.0.norm.weight") != NULL;
    limn_numbers_set(q, &cfg->blocks, blocks);
    limn_numbers_set_list(q, cfg->multipliers, levels, ones);
}

/* Relatives of Stable Diffusion 1 and 2, and the tensor that shows them. */
static void refuse_relatives(limn_numbers *q)
{
    static const char *const relatives[][2] = {
        {"class_embedding.linear_1.weight", "of a network that is told of a class or a noise level"},
        {"add_embedding.image_proj.weight", "of a network that sees a picture as a vector"},
        {"add_embedding.text_proj.weight", "of a network that is told of an image embedding"}};
    for (size_t i = 0; i < sizeof relatives / sizeof *relatives && q->status == LIMN_OK; i++)
        if (limn_weight_file_find_under(q->st, q->map->prefix, relatives[i][0]))
            q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: \"%s%s\" is %s: that is not there yet", q->file,
                                  q->map->prefix, relatives[i][0], relatives[i][1]);
    int64_t in = limn_numbers_dim(q, "conv_in.weight", 4, 1), out = limn_numbers_dim(q, "conv_out.weight", 4, 0);
    if (q->status == LIMN_OK && in != out && in != 2 * out && in != 2 * out + 1)
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED,
                              "%s: the U-Net reads %lld channels and makes %lld: expected %lld, or with a picture that it "
                              "changes %lld, or with what it fills in %lld", q->file, (long long)in, (long long)out,
                              (long long)out, (long long)(2 * out), (long long)(2 * out + 1));
}

static int64_t depth_of(const limn_numbers *q, const char *side, int64_t block, int j)
{
    char head[96];
    snprintf(head, sizeof head, "%s%lld.attentions.%d.transformer_blocks.", side, (long long)block, j);
    return limn_numbers_depth(q, head, ".attn2.to_k.weight");
}

/* Blocks of each transformer, down, middle, up; one number where they agree.  Levels up are those down: where one is not
 * found there, its tensors will be missed, with a sentence. */
static void depths(limn_numbers *q)
{
    const ldm_unet_config *cfg = limn_numbers_config(q);
    int most[LIMN_SETTING_MOST] = {0}, n = 0, levels = cfg->unet.n_levels, blocks = cfg->unet.blocks;
    int64_t down[LIMN_UNET_LEVELS] = {0}, all = 0;
    bool same = true;
    for (int place = 0; place < levels * (2 * blocks + 1) + 1; place++) {
        bool up = place > levels * blocks, middle = place == levels * blocks;
        int each = up ? blocks + 1 : blocks, at = up ? place - levels * blocks - 1 : place, i = at / each, j = at % each;
        int64_t depth = middle ? limn_numbers_depth(q, "mid_block.attentions.0.transformer_blocks.", ".attn2.to_k.weight")
                               : depth_of(q, up ? "up_blocks." : "down_blocks.", i, j);
        if (!up && !middle && depth) down[i] = depth;
        if (up && !depth) depth = down[levels - 1 - i];
        if (!depth) continue;
        same = same && (!n || depth == all), all = depth;
        if (n < LIMN_SETTING_MOST) most[n] = depth < 1000 ? (int)depth : 1000;
        n++;
    }
    if (q->status == LIMN_OK && !same && n > LIMN_SETTING_MOST)
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: %d transformers of different depth; at most %d are possible",
                              q->file, n, LIMN_SETTING_MOST);
    if (n) limn_numbers_set_list(q, cfg->depth, same ? 1 : n, most);
}

/* diffusers says it of each level down, or of each transformer there. */
static void depths_must_agree(limn_numbers *q)
{
    const ldm_unet_config *cfg = limn_numbers_config(q);
    const json_t *said = config_of(q, "transformer_layers_per_block");
    for (int i = 0; i < cfg->unet.n_levels && q->status == LIMN_OK; i++)
        for (int j = 0; j < cfg->unet.blocks; j++) {
            const json_t *level = json_is_array(said) ? json_array_get(said, (size_t)i) : said,
                         *one = json_is_array(level) ? json_array_get(level, (size_t)j) : level;
            int64_t has = depth_of(q, "down_blocks.", i, j);
            if (!has || !json_is_integer(one) || json_integer_value(one) == has || q->status != LIMN_OK) continue;
            q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: config.json beside it says transformer_layers_per_block %lld "
                                  "of down_blocks.%d.attentions.%d, and its tensors have %lld", q->file,
                                  (long long)json_integer_value(one), i, j, (long long)has);
        }
}

/* What is told beside the time.  The refiner reads what the whole text is pooled from, and five numbers. */
static void told(limn_numbers *q)
{
    static const char first[] = "add_embedding.linear_1.weight";
    const ldm_unet_config *cfg = limn_numbers_config(q);
    const limn_entry *e = limn_numbers_find(q, first);
    if (!e) return;
    int64_t reads = limn_numbers_dim(q, first, 2, 1), each = limn_numbers_whole(q, "addition_time_embed_dim", 256),
            sizes = each > 0 && reads - cfg->text.width == 5 * each ? 5 : 6;
    if (q->status == LIMN_OK && (each < 2 || each > 4096 || reads <= sizes * each || cfg->text.width == 1024))
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: \"%s%s\" reads %lld numbers beside a text of width %d, "
                              "expected those of Stable Diffusion XL: a whole text, and %lld for each of 6 or 5 numbers "
                              "about the picture", q->file, limn_weight_file_prefix(q->st), e->name, (long long)reads,
                              cfg->text.width, (long long)each);
    limn_numbers_must_agree(q, "projection_class_embeddings_input_dim", reads);
    limn_numbers_set(q, &cfg->sizes, sizes);
    limn_numbers_set(q, &cfg->size_width, each);
    limn_numbers_set(q, &cfg->pooled_width, reads - sizes * each);
}

/* Text width and projections are those of any transformer: the middle's, or where there is no middle a level's. */
static void transformers(limn_numbers *q)
{
    const ldm_unet_config *cfg = limn_numbers_config(q);
    static const char layer[] = "transformer_blocks.0.attn2.to_k.weight";
    char name[96], head[48] = "mid_block.attentions.0.";
    for (int i = 0; i < LIMN_UNET_LEVELS; i++) {
        snprintf(name, sizeof name, "%s%s", head, layer);
        if (limn_numbers_find(q, name)) break;
        snprintf(head, sizeof head, "down_blocks.%d.attentions.0.", i);
    }
    limn_numbers_set(q, &cfg->text.width, limn_numbers_dim(q, name, 2, 1));
    snprintf(name, sizeof name, "%sproj_in.weight", head);
    const limn_entry *in = limn_numbers_find(q, name);
    limn_numbers_set(q, &cfg->projection, in && in->rank == 2 ? LDM_LINEAR : LDM_CONV);
}

/* Any of it: of a file that lacks a part the rest is missed, with a sentence. */
static bool has_middle(const limn_numbers *q)
{
    return limn_numbers_find(q, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight") ||
           limn_numbers_find(q, "mid_block.resnets.0.conv1.weight") ||
           limn_numbers_find(q, "mid_block.resnets.1.conv1.weight");
}

/* One residual block alone. */
static bool middle_is_plain(const limn_numbers *q)
{
    return limn_numbers_find(q, "mid_block.resnets.0.conv1.weight") &&
           !limn_numbers_find(q, "mid_block.resnets.1.conv1.weight") &&
           !limn_numbers_find(q, "mid_block.attentions.0.norm.weight") &&
           !limn_numbers_find(q, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight");
}

/* attention_head_dim of diffusers is, in spite of its name, how many heads: of all levels, or of each.  Without it: networks
 * with linear projections, from Stable Diffusion 2 on, have heads of 64 channels. */
static void heads(limn_numbers *q)
{
    const ldm_unet_config *cfg = limn_numbers_config(q);
    const limn_unet_config *unet = &cfg->unet;
    const json_t *said = config_of(q, "attention_head_dim");
    int64_t width = 0;
    int many = (int)json_array_size(said);
    if (q->status == LIMN_OK && json_is_array(said) && many != unet->n_levels)
        q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: attention_head_dim of config.json: expected a number of heads for "
                              "each of %d levels, found %d", q->file, unet->n_levels, many);
    for (int i = 0; i < unet->n_levels && i < many; i++) {
        int64_t n = json_integer_value(json_array_get(said, (size_t)i)), wide = (int64_t)unet->width * unet->multipliers[i];
        bool level = unet->size >> i <= unet->attention_most && unet->size >> i >= unet->attention_least;
        if (!level && (i < unet->n_levels - 1 || !cfg->middle || !cfg->middle_attends)) continue;
        if (q->status == LIMN_OK && (n < 1 || wide % n || (width && wide / n != width)))
            q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: attention_head_dim of config.json: expected heads of one "
                                  "width at all levels, found %lld at one of %lld channels", q->file, (long long)n,
                                  (long long)wide);
        if (q->status == LIMN_OK) width = wide / n;
    }
    if (json_is_integer(said)) limn_numbers_set(q, &unet->heads, json_integer_value(said));
    else limn_numbers_set(q, &unet->head_width, width ? width : cfg->projection == LDM_LINEAR ? 64 : 0);
}

void limn_numbers_of_ldm(limn_numbers *q)
{
    const ldm_unet_config *cfg = limn_numbers_config(q);
    if (q->map->dialect->naming == LIMN_NAMES_ORIGINAL) count_compvis(q);
    refuse_relatives(q);
    int64_t in = limn_numbers_dim(q, "conv_in.weight", 4, 1), out = limn_numbers_dim(q, "conv_out.weight", 4, 0);
    bool xl = limn_numbers_find(q, "add_embedding.linear_1.weight");
    shared(q, limn_numbers_whole(q, "sample_size", xl ? 128 : 64), out, "norm");
    limn_numbers_set(q, &cfg->inpaint, in == 2 * out + 1);
    limn_numbers_set(q, &cfg->edit, in == 2 * out);
    limn_numbers_set(q, &cfg->middle, has_middle(q));
    limn_numbers_set(q, &cfg->middle_attends, !middle_is_plain(q));
    if (limn_numbers_find(q, "time_embedding.cond_proj.weight"))
        limn_numbers_set(q, &cfg->guidance_width, limn_numbers_dim(q, "time_embedding.cond_proj.weight", 2, 1));
    limn_numbers_must_agree(q, "in_channels", in);
    limn_numbers_must_agree(q, "layers_per_block", cfg->unet.blocks);
    transformers(q);
    limn_numbers_must_agree(q, "cross_attention_dim", cfg->text.width);
    depths(q);
    depths_must_agree(q);
    told(q);
    heads(q);
}
