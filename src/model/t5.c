/* t5.c: the encoder of T5 v1.1 (Raffel et al. 2020; Shazeer 2020 for its gated MLP): pre-norm by RMS, no biases, scores that
 * are not divided by sqrt(d), and places that only attention knows, by how far a key is from the query.
 * Names as published: shared.weight, encoder.block.0.layer.0.SelfAttention.q.weight ... */
#include "model/blocks.h"

#include <math.h>

/* ---- how far ---------------------------------------------------------------------------------------------------------- */

/* The row of the table for a key d tokens behind the query (below 0: before it).  Half of the rows are for keys behind; of a
 * half the first half is one for each distance, the rest grows with its logarithm, up to `far`.  In float, as in
 * transformers. */
static int distance_row(int d, int rows, int far)
{
    int half = rows / 2, exact = half / 2, n = d < 0 ? -d : d, from = d > 0 ? half : 0;
    if (n < exact) return from + n;
    int row = exact + (int)(logf((float)n / (float)exact) / (float)log((double)far / exact) * (float)(half - exact));
    return from + (row < half ? row : half - 1);
}

typedef struct pieces {
    limn_graph *g;
    limn_node *of[LIMN_MAX_SRC];
    int n;
} pieces;

static limn_node *joined(pieces *p)
{
    return p->n == 1 ? p->of[0] : limn_concat(p->g, 1, p->n, p->of);
}

static void append(pieces *p, limn_node *piece)
{
    if (p->n == LIMN_MAX_SRC) p->of[0] = joined(p), p->n = 1;
    p->of[p->n++] = piece;
}

/* "relative_attention_bias.weight" [rows, heads] -> what is added to the scores [1, heads, query, key].  First one row for
 * all distances, whose stretches are one number of the table each; then that row once for each query, moved by one. */
static limn_node *distances(limn_graph *g, const t5_config *cfg, int length)
{
    limn_scope_push(g, "encoder.block.0.layer.0.SelfAttention");
    limn_init normal = {.kind = LIMN_INIT_NORMAL, .scale = 0.02f};
    limn_shape shape = LIMN_SHAPE(cfg->distances, cfg->text.heads);
    limn_node *table = limn_parameter(g, "relative_attention_bias.weight", shape, normal);
    limn_scope_push(g, "distances");
    limn_scope_note(g, "what the table says for each query and key");
    table = limn_permute(table, 2, (int[]){1, 0});
    pieces row = {.g = g};
    for (int d = 1 - length, next; d < length; d = next) {
        int at = distance_row(d, cfg->distances, cfg->far);
        for (next = d + 1; next < length && distance_row(next, cfg->distances, cfg->far) == at;) next++;
        append(&row, limn_expand(limn_slice(table, 1, at, 1), LIMN_SHAPE(cfg->text.heads, next - d)));
    }
    limn_node *y = limn_reshape(limn_sheared(joined(&row), length), LIMN_SHAPE(1, cfg->text.heads, length, length));
    limn_scope_pop(g);
    limn_scope_pop(g);
    return y;
}

/* Keys that are padding: minus infinity, as far as numbers of any type go.   mask [B,T]  ->  [B,1,1,T] */
static limn_node *hidden(limn_node *mask)
{
    limn_shape s = limn_node_shape(mask);
    return limn_reshape(limn_affine(mask, 1e9, -1e9), LIMN_SHAPE(s.dim[0], 1, 1, s.dim[1]));
}

/* ---- layers ----------------------------------------------------------------------------------------------------------- */

static limn_node *unbiased(limn_graph *g, const char *name, limn_node *x, int64_t n)
{
    return limn_linear_with(g, name, x, n, (limn_linear_options){.no_bias = true});
}

static limn_node *t5_attention(limn_graph *g, const t5_config *cfg, limn_node *x, limn_node *bias)
{
    int64_t width = limn_node_shape(x).dim[2], inner = (int64_t)cfg->text.heads * cfg->head_width;
    limn_scope_push(g, "layer.0");
    limn_scope_note(g, "every token looks at all of them");
    limn_node *h = limn_rms_norm(g, "layer_norm", x, 1e-6);
    limn_scope_push(g, "SelfAttention");
    limn_node *q = limn_affine(unbiased(g, "q", h, inner), sqrt(cfg->head_width), 0), /* attention divides by it */
              *k = unbiased(g, "k", h, inner), *v = unbiased(g, "v", h, inner);
    h = limn_attention_with(q, k, v, cfg->text.heads, (limn_attention_options){.bias = bias});
    h = unbiased(g, "o", h, width);
    limn_scope_pop(g);
    limn_scope_pop(g);
    return limn_add(x, h);
}

static limn_node *t5_mlp(limn_graph *g, const t5_config *cfg, limn_node *x)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_scope_push(g, "layer.1");
    limn_node *h = limn_rms_norm(g, "layer_norm", x, 1e-6);
    limn_scope_push(g, "DenseReluDense");
    limn_scope_note(g, "no ReLU in it since version 1.1");
    h = limn_mul(limn_activate(unbiased(g, "wi_0", h, cfg->mlp), LIMN_GELU_TANH), unbiased(g, "wi_1", h, cfg->mlp));
    h = unbiased(g, "wo", h, width);
    limn_scope_pop(g);
    limn_scope_pop(g);
    return limn_add(x, h);
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const t5_config *cfg = config;
    int length = b.text_length ? b.text_length : cfg->text.length;
    ports->ids = limn_input(g, "ids", LIMN_INDEX, LIMN_SHAPE(b.batch, length), LIMN_PER_PROMPT);
    ports->mask = limn_input(g, "mask", LIMN_COMPUTE, LIMN_SHAPE(b.batch, length), LIMN_PER_PROMPT);
    limn_node *x = limn_embedding(g, "shared", ports->ids, cfg->text.vocab, cfg->text.width);
    limn_node *bias = limn_add(distances(g, cfg, length), hidden(ports->mask));
    for (int i = 0; i < cfg->text.depth; i++) {
        limn_scope_push(g, "encoder.block.%d", i);
        x = t5_mlp(g, cfg, t5_attention(g, cfg, x, bias));
        limn_scope_pop(g);
    }
    limn_scope_push(g, "encoder");
    ports->output = ports->features = limn_rms_norm(g, "final_layer_norm", x, 1e-6);
    limn_scope_pop(g);
}

static const limn_setting settings[] = {
    LIMN_NUMBER_AS("text_length", t5_config, text.length, 256, 2, 4096, "text tokens"),
    LIMN_NUMBER_AS("text_width", t5_config, text.width, 512, 8, 16384, "width of a token"),
    LIMN_NUMBER_AS("text_depth", t5_config, text.depth, 8, 1, 128, "layers"),
    LIMN_NUMBER_AS("text_heads", t5_config, text.heads, 6, 1, 256, "attention heads"),
    LIMN_NUMBER_AS("text_vocab", t5_config, text.vocab, 32128, 4, 1000000, "tokens known"),
    LIMN_NUMBER(t5_config, head_width, 64, 1, 1024, "width of a head; all of them need not be as wide as a token"),
    LIMN_NUMBER(t5_config, mlp, 1024, 1, 65536, "hidden width of the MLP, which is gated"),
    LIMN_NUMBER(t5_config, distances, 32, 4, 1024, "rows of the table of distances"),
    LIMN_NUMBER(t5_config, far, 128, 2, 65536, "tokens from which on all distances are one"),
    {.name = NULL},
};

static const char *check(const void *config)
{
    const t5_config *cfg = config;
    if (cfg->distances % 4) return "distances must be a multiple of 4";
    return cfg->far > cfg->distances / 4 ? NULL : "far must be more than a quarter of distances";
}

static limn_interface interface(const void *config)
{
    const limn_text_config *text = &((const t5_config *)config)->text;
    return (limn_interface){.vocabulary = text->vocab, .text_length = text->length, .text_width = text->width,
                            .text_depth = text->depth};
}

const limn_family limn_family_t5_text = {
    .kind = LIMN_ENCODES_TEXT,
    .name = "t5-text",
    .task = "text to features",
    .input = "256 ids and which are text",
    .output = "features 256x512",
    .loss = "none of its own",
    .settings = settings,
    .interface = interface,
    .build = build,
    .check = check,
};
