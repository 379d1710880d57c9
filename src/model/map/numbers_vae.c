/* numbers_vae.c: the settings of published autoencoders, and CompVis's names of their tensors. */
#include "model/map/numbers.h"

#include <string.h>

/* Inside a block, as diffusers and as CompVis name it. */
static const char *const part_names[][2] = {
    {"conv_shortcut.", "nin_shortcut."}, {"group_norm.", "norm."}, {"to_q.", "q."}, {"to_k.", "k."}, {"to_v.", "v."},
    {"to_out.0.", "proj_out."}};

static void put_part(const char *head, const char *rest, char *out, size_t out_bytes)
{
    for (size_t i = 0; i < sizeof part_names / sizeof *part_names; i++)
        if (!strncmp(rest, part_names[i][0], strlen(part_names[i][0]))) {
            snprintf(out, out_bytes, "%s%s%s", head, part_names[i][1], rest + strlen(part_names[i][0]));
            return;
        }
    snprintf(out, out_bytes, "%s%s", head, rest);
}

/* diffusers' names -> CompVis's, whose decoder counts its levels from the finest. */
void limn_rename_vae(const limn_map *map, const char *name, char *out, size_t out_bytes)
{
    char side[16], part[16], head[64];
    int level, j, n = 0;
    if (sscanf(name, "%15[a-z].mid_block.%15[a-z].%d.%n", side, part, &j, &n) == 3 && n) {
        if (!strcmp(part, "resnets")) snprintf(head, sizeof head, "%s.mid.block_%d.", side, (j & 15) + 1);
        else snprintf(head, sizeof head, "%s.mid.attn_1.", side);
        put_part(head, name + n, out, out_bytes);
    } else if (sscanf(name, "%15[a-z].%*[a-z]_blocks.%d.%15[a-z].%d.%n", side, &level, part, &j, &n) == 4 && n) {
        bool down = !strcmp(side, "encoder");
        if (!down) level = ((const vae_config *)limn_settings_config(&map->settings))->levels - 1 - level;
        snprintf(head, sizeof head, "%s.%s.%d.", side, down ? "down" : "up", level & 15);
        size_t length = strlen(head);
        if (!strcmp(part, "resnets")) snprintf(head + length, sizeof head - length, "block.%d.", j & 15);
        else snprintf(head + length, sizeof head - length, "%ssample.", down ? "down" : "up");
        put_part(head, name + n, out, out_bytes);
    } else if (sscanf(name, "%15[a-z].conv_norm_out.%n", side, &n) == 1 && n)
        snprintf(out, out_bytes, "%s.norm_out.%s", side, name + n);
    else snprintf(out, out_bytes, "%s", name);
}

/* A number of config.json, else what the published networks have, which is a default: no tensor says it. */
static void configured(limn_numbers *q, const char *key, const double *field, double otherwise)
{
    const json_t *value = q->config ? json_object_get(q->config, key) : NULL;
    if (json_is_number(value)) limn_numbers_set_real(q, field, json_number_value(value));
    else limn_settings_default(&q->map->settings, field, otherwise);
}

/* Beside a U-Net of Stable Diffusion XL, in one file: that network's. */
static bool is_of_xl(const limn_numbers *q)
{
    return limn_weight_file_find(q->st, "model.diffusion_model.label_emb.0.0.weight") != NULL;
}

void limn_numbers_of_vae(limn_numbers *q)
{
    const vae_config *cfg = limn_numbers_config(q);
    int64_t base = limn_numbers_dim(q, "encoder.conv_in.weight", 4, 0),
            latent = limn_numbers_dim(q, "decoder.conv_in.weight", 4, 1);
    int64_t levels = limn_numbers_depth(q, "encoder.down_blocks.", ".resnets.0.conv1.weight");
    limn_numbers_set(q, &cfg->base, base);
    limn_numbers_set(q, &cfg->channels, limn_numbers_dim(q, "encoder.conv_in.weight", 4, 1));
    limn_numbers_set(q, &cfg->latent, latent);
    limn_numbers_set(q, &cfg->levels, levels);
    limn_numbers_set(q, &cfg->layers, limn_numbers_depth(q, "encoder.down_blocks.0.resnets.", ".conv1.weight"));
    for (int64_t i = 0; i < levels && q->status == LIMN_OK; i++) {
        char name[64];
        snprintf(name, sizeof name, "encoder.down_blocks.%lld.resnets.0.conv2.weight", (long long)i);
        limn_numbers_set(q, &cfg->mult[i], limn_numbers_dim(q, name, 4, 0) / (base ? base : 1));
    }
    limn_numbers_set(q, &cfg->attention, limn_numbers_find(q, "encoder.mid_block.attentions.0.group_norm.weight") != NULL);
    limn_numbers_set(q, &cfg->quant, limn_numbers_find(q, "quant_conv.weight") != NULL);
    limn_numbers_set(q, &cfg->groups, limn_numbers_whole(q, "norm_num_groups", 32));
    configured(q, "scaling_factor", &cfg->scaling_factor, latent != 4 ? 1 : is_of_xl(q) ? 0.13025 : 0.18215);
    configured(q, "shift_factor", &cfg->shift_factor, 0);
}
