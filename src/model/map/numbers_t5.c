/* numbers_t5.c: the settings of T5's encoder (version 1.1), by its shapes; config.json of transformers may say the same. */
#include "model/config.h"
#include "model/map/numbers.h"

#include <string.h>

#define LAYER "encoder.block.0.layer."

static int64_t dim(limn_numbers *q, const char *name, int k)
{
    return limn_numbers_dim(q, name, 2, k);
}

/* What only config.json tells. */
static void config_agrees(limn_numbers *q)
{
    const char *kind = q->config ? json_string_value(json_object_get(q->config, "feed_forward_proj")) : NULL;
    char shown[80];
    if (q->status == LIMN_OK && kind && strcmp(kind, "gated-gelu"))
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: feed_forward_proj of config.json: expected \"gated-gelu\" (T5 "
                              "v1.1), found \"%s\"", q->file, limn_escape(kind, strlen(kind), shown, sizeof shown));
}

void limn_numbers_of_t5(limn_numbers *q)
{
    const t5_config *cfg = limn_numbers_config(q);
    int64_t depth = limn_numbers_depth(q, "encoder.block.", ".layer.1.DenseReluDense.wi_0.weight");
    int64_t heads = dim(q, LAYER "0.SelfAttention.relative_attention_bias.weight", 1);
    int64_t inner = dim(q, LAYER "0.SelfAttention.q.weight", 0);
    limn_numbers_set(q, &cfg->text.vocab, dim(q, "shared.weight", 0));
    limn_numbers_set(q, &cfg->text.width, dim(q, "shared.weight", 1));
    limn_numbers_set(q, &cfg->mlp, dim(q, LAYER "1.DenseReluDense.wi_0.weight", 0));
    limn_numbers_set(q, &cfg->text.depth, depth);
    limn_numbers_set(q, &cfg->text.heads, heads);
    limn_numbers_set(q, &cfg->distances, dim(q, LAYER "0.SelfAttention.relative_attention_bias.weight", 0));
    limn_numbers_set(q, &cfg->far, limn_numbers_whole(q, "relative_attention_max_distance", 128));
    if (q->status == LIMN_OK && inner % heads)
        q->status = limn_fail(q->ctx, LIMN_BAD_FILE, "%s: %lld heads of T5 cannot share %lld rows of queries", q->file,
                              (long long)heads, (long long)inner);
    if (q->status == LIMN_OK) limn_numbers_set(q, &cfg->head_width, inner / heads);
    limn_numbers_must_agree(q, "d_model", cfg->text.width);
    limn_numbers_must_agree(q, "d_kv", cfg->head_width);
    limn_numbers_must_agree(q, "d_ff", cfg->mlp);
    limn_numbers_must_agree(q, "num_layers", depth);
    limn_numbers_must_agree(q, "num_heads", heads);
    config_agrees(q);
}
