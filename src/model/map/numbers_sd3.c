/* numbers_sd3.c: the settings of Stable Diffusion 3's network.  Norms of queries and keys are as wide as a head; without
 * them heads are 64 wide and as many as blocks, unless config.json says otherwise. */
#include "model/map/numbers.h"

#include <string.h>

/* Blocks 0 to n - 1 with a second attention, which no block behind them has.  @return n */
static int64_t dual_blocks(limn_numbers *q, int64_t depth)
{
    char name[96], full[LIMN_NUMBERS_NAME];
    int64_t n = limn_numbers_depth(q, "joint_blocks.", ".x_block.attn2.qkv.weight");
    for (int64_t i = n + 1; i < depth && q->status == LIMN_OK; i++) {
        snprintf(name, sizeof name, "joint_blocks.%lld.x_block.attn2.qkv.weight", (long long)i);
        if (limn_numbers_find(q, name))
            q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED,
                                  "%s: \"%s\" is a second attention behind block %lld, which has none: Limn knows them in "
                                  "the first blocks only", q->file, limn_numbers_name(q, name, full), (long long)n);
    }
    return n;
}

/* config.json lists these blocks, in any order. */
static void dual_must_agree(limn_numbers *q, int n)
{
    bool seen[256] = {false}; /* as many as the setting may be */
    const json_t *list = q->config ? json_object_get(q->config, "dual_attention_layers") : NULL, *one;
    size_t i;
    bool same = json_is_array(list) && json_array_size(list) == (size_t)n;
    json_array_foreach(list, i, one)
    {
        json_int_t block = json_is_integer(one) ? json_integer_value(one) : -1;
        same = same && block >= 0 && block < n && !seen[block];
        if (same) seen[block] = true;
    }
    if (q->status == LIMN_OK && list && !json_is_null(list) && !same)
        q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: dual_attention_layers of the config.json beside it are not the "
                              "blocks with a second attention in its tensors, which are the first %d", q->file, n);
}

static void qk_norm_must_agree(limn_numbers *q, bool norm)
{
    const json_t *value = q->config ? json_object_get(q->config, "qk_norm") : NULL;
    const char *word = json_string_value(value);
    char shown[80];
    if (q->status != LIMN_OK || !value || (norm ? word && !strcmp(word, "rms_norm") : !word)) return;
    q->status = limn_fail(q->ctx, norm && word ? LIMN_UNSUPPORTED : LIMN_BAD_FILE,
                          "%s: qk_norm of the config.json beside it: expected %s, as its tensors have it, found \"%s\"",
                          q->file, norm ? "\"rms_norm\"" : "none",
                          word ? limn_escape(word, strlen(word), shown, sizeof shown) : "null");
}

/* Places: the whole table, of which a picture takes the middle. */
static void sd3_places(limn_numbers *q, int64_t patch)
{
    const mmdit_config *cfg = limn_numbers_config(q);
    char full[LIMN_NUMBERS_NAME];
    int64_t n = limn_numbers_dim(q, "pos_embed", 3, 1), side = limn_numbers_root(n),
            size = limn_numbers_whole(q, "sample_size", 128);
    if (q->status == LIMN_OK && !side)
        q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: \"%s\" has %lld places, expected a square of them", q->file,
                              limn_numbers_name(q, "pos_embed", full), (long long)n);
    limn_numbers_set(q, &cfg->places, side);
    limn_numbers_set(q, &cfg->size, size < side * patch ? size : side * patch);
    limn_numbers_must_agree(q, "pos_embed_max_size", side);
}

void limn_numbers_of_sd3(limn_numbers *q)
{
    enum { TOKENS = 77 + 256 }; /* of CLIP and of T5, as diffusers' pipeline has them */
    const mmdit_config *cfg = limn_numbers_config(q);
    static const char norm[] = "joint_blocks.0.x_block.attn.ln_q.weight";
    limn_patches p = limn_numbers_patches(q, false, (const int *[]){&cfg->width, &cfg->channels, &cfg->patch});
    int64_t depth = limn_numbers_depth(q, "joint_blocks.", ".x_block.attn.qkv.weight"), dual = dual_blocks(q, depth);
    q->map->n_blocks = (int)depth;
    limn_numbers_set(q, &cfg->attention, MMDIT_JOINT);
    limn_numbers_set(q, &cfg->conditioning, LIMN_TIME_MODULATES);
    limn_numbers_set(q, &cfg->norm, LIMN_NORM_PRE);
    limn_numbers_set(q, &cfg->depth, depth);
    limn_numbers_set(q, &cfg->dual, dual);
    limn_numbers_set(q, &cfg->mlp, limn_numbers_dim(q, "joint_blocks.0.x_block.mlp.fc1.weight", 2, 0));
    limn_numbers_set(q, &cfg->text.width, limn_numbers_dim(q, "context_embedder.weight", 2, 1));
    limn_numbers_set(q, &cfg->text.length, TOKENS);
    limn_numbers_set(q, &cfg->pooled_width, limn_numbers_dim(q, "y_embedder.mlp.0.weight", 2, 1));
    sd3_places(q, p.side);
    int64_t head = limn_numbers_find(q, norm) ? limn_numbers_dim(q, norm, 1, 0) : 0;
    limn_numbers_set(q, &cfg->qk_norm, head > 0);
    int64_t rule = head > 0 && p.width % head == 0 ? p.width / head : p.width == 64 * depth ? depth : 0;
    limn_numbers_heads(q, &cfg->heads, head > 0 ? rule : limn_numbers_whole(q, "num_attention_heads", rule), p.width);
    limn_numbers_must_agree(q, "num_attention_heads", cfg->heads);
    limn_numbers_must_agree(q, "num_layers", cfg->depth);
    limn_numbers_must_agree(q, "patch_size", cfg->patch);
    limn_numbers_must_agree(q, "in_channels", cfg->channels);
    limn_numbers_must_agree(q, "joint_attention_dim", cfg->text.width);
    limn_numbers_must_agree(q, "pooled_projection_dim", cfg->pooled_width);
    dual_must_agree(q, cfg->dual);
    qk_norm_must_agree(q, cfg->qk_norm);
}
