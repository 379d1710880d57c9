/* rewrite.c: fusions as named rules.  A rule looks at one node; where its pattern ends in that node it changes the node in
 * place, to an op that does the same work in one pass.  Sources stay earlier than their users, so order is kept.
 *
 *   layer_norm_modulate     norm(x) (1 + scale) + shift           -> layer_norm(x, scale, shift)       also before gradients
 *   group_norm_activation   act(n(x) w + b)                       -> group norm with activation        also before gradients
 *   linear_activation       act(x W^T + b)                        -> linear with activation
 *   linear_gated_residual   r + gate (x W^T + b), r + x W^T + b   -> linear with gate and residual
 *   qkv_as_one_product      three products of one x, one attention -> one product with stacked weights
 *   hoist_gather            f(table[i])                           -> f(table)[i], so that f runs once per prompt
 *   fold_scale              (x * W + b) scale + shift, constant   -> x * (W scale) + (b scale + shift): batch norm of a
 *   network that runs
 *   conv_upsampled          nearest x 2, then a 3 x 3 convolution -> four 2 x 2 convolutions of the small picture
 *   conv_residual, _activation  act(x * W + b + r)                -> convolution with residual and activation
 *   elementwise_chain       a run of elementwise nodes            -> one pass over cache-sized blocks */
#include "graph/rewrite.h"

#include <stdlib.h>
#include <string.h>

/* ---- helpers ------------------------------------------------------------------------------------------------------ */

static limn_node *source(limn_node *node, int i, limn_op op)
{
    return i < node->n_src && node->src[i]->op == op ? node->src[i] : NULL;
}

static bool only_use(const int *n_uses, const limn_node *node)
{
    return n_uses[node->id] == 1;
}

/* act becomes the layer in front of it, with the activation. */
static bool take_activation(limn_node *act, const limn_node *layer)
{
    limn_activation activation = act->attr.activation;
    if (layer->attr.activation) return false;
    act->op = layer->op;
    act->attr = layer->attr;
    act->attr.activation = activation;
    act->n_src = layer->n_src;
    memcpy(act->src, layer->src, sizeof act->src);
    return true;
}

/* ---- layer norm + modulate ---------------------------------------------------------------------------------------- */

static bool layer_norm_modulate(limn_rewriter *r, limn_node *add)
{
    if (add->op != LIMN_OP_ADD) return false;
    limn_node *mul = source(add, 0, LIMN_OP_MUL), *norm = mul ? source(mul, 0, LIMN_OP_LAYER_NORM) : NULL;
    limn_node *scale1 = mul ? source(mul, 1, LIMN_OP_AFFINE) : NULL, *shift = add->src[1];
    if (!norm || !scale1 || norm->attr.flags & LIMN_HAS_WEIGHT || norm->attr.shift != 1) return false;
    if (scale1->attr.scale != 1 || scale1->attr.shift != 1 || !limn_shape_equal(&norm->shape, &add->shape)) return false;
    limn_node *scale = scale1->src[0];
    if (!only_use(r->n_uses, mul) || !only_use(r->n_uses, norm) || !limn_shape_equal(&scale->shape, &shift->shape))
        return false;
    add->op = LIMN_OP_LAYER_NORM;
    add->attr = (limn_attr){.flags = LIMN_HAS_WEIGHT, .shift = 1, .eps = norm->attr.eps};
    add->n_src = 3;
    add->src[0] = norm->src[0], add->src[1] = scale, add->src[2] = shift;
    return true;
}

/* ---- group norm + activation ---------------------------------------------------------------------------------------- */

static bool group_norm_activation(limn_rewriter *r, limn_node *act)
{
    limn_node *norm = act->op == LIMN_OP_ACTIVATE ? source(act, 0, LIMN_OP_GROUP_NORM) : NULL;
    return norm && only_use(r->n_uses, norm) && take_activation(act, norm);
}

/* ---- linear + activation, + gated residual ------------------------------------------------------------------------ */

static bool linear_activation(limn_rewriter *r, limn_node *act)
{
    limn_node *linear = act->op == LIMN_OP_ACTIVATE ? source(act, 0, LIMN_OP_LINEAR) : NULL;
    if (!linear || !only_use(r->n_uses, linear)) return false;
    return !(linear->attr.flags & (LIMN_HAS_GATE | LIMN_HAS_RESIDUAL)) && take_activation(act, linear);
}

static bool linear_gated_residual(limn_rewriter *r, limn_node *add)
{
    if (add->op != LIMN_OP_ADD || add->kind != LIMN_COMPUTE) return false;
    for (int side = 0; side < 2; side++) {
        limn_node *residual = add->src[1 - side], *branch = add->src[side], *gate = NULL;
        if (branch->op == LIMN_OP_MUL && only_use(r->n_uses, branch))
            for (int i = 0; i < 2 && !gate; i++)
                if (branch->src[1 - i]->op == LIMN_OP_LINEAR && branch->src[i]->shape.rank == 3 &&
                    branch->src[i]->shape.dim[1] == 1 && branch->src[i]->shape.dim[2] == limn_shape_cols(&branch->shape))
                    gate = branch->src[i];
        limn_node *linear = gate ? (branch->src[0] == gate ? branch->src[1] : branch->src[0]) : branch;
        if (linear->op != LIMN_OP_LINEAR || !only_use(r->n_uses, linear) || linear->attr.activation) continue;
        if (linear->attr.flags & (LIMN_HAS_GATE | LIMN_HAS_RESIDUAL) || linear->shape.rank != 3) continue;
        if (!limn_shape_equal(&linear->shape, &add->shape) || !limn_shape_equal(&residual->shape, &add->shape)) continue;
        limn_attr attr = linear->attr;
        attr.flags |= LIMN_HAS_RESIDUAL | (gate ? LIMN_HAS_GATE : 0);
        add->op = LIMN_OP_LINEAR;
        add->attr = attr;
        add->n_src = linear->n_src;
        memcpy(add->src, linear->src, sizeof add->src);
        if (gate) add->src[add->n_src++] = gate;
        add->src[add->n_src++] = residual;
        return true;
    }
    return false;
}

/* ---- convolutions ----------------------------------------------------------------------------------------------------- */

static bool plain_conv(const limn_rewriter *r, const limn_node *node)
{
    return node->op == LIMN_OP_CONV && only_use(r->n_uses, node) && !node->attr.activation &&
           !(node->attr.flags & LIMN_HAS_RESIDUAL);
}

static bool conv_activation(limn_rewriter *r, limn_node *act)
{
    limn_node *conv = act->op == LIMN_OP_ACTIVATE ? source(act, 0, LIMN_OP_CONV) : NULL;
    return conv && only_use(r->n_uses, conv) && take_activation(act, conv);
}

static bool conv_residual(limn_rewriter *r, limn_node *add)
{
    if (add->op != LIMN_OP_ADD || add->kind != LIMN_COMPUTE) return false;
    for (int side = 0; side < 2; side++) {
        limn_node *conv = add->src[side], *residual = add->src[1 - side];
        if (conv == residual || !plain_conv(r, conv) || !limn_shape_equal(&residual->shape, &add->shape)) continue;
        add->op = LIMN_OP_CONV;
        add->attr = conv->attr;
        add->attr.flags |= LIMN_HAS_RESIDUAL;
        add->n_src = conv->n_src;
        memcpy(add->src, conv->src, sizeof add->src);
        add->src[add->n_src++] = residual;
        return true;
    }
    return false;
}

/* nearest x 2 -> 3 x 3 with a zero around: two of three rows of a window lie on one small pixel (Shi et al. 2016 make such
 * phases explicit) */
static bool conv_upsampled(limn_rewriter *r, limn_node *conv)
{
    limn_node *up = conv->op == LIMN_OP_CONV ? source(conv, 0, LIMN_OP_RESIZE) : NULL;
    if (!up || !only_use(r->n_uses, up) || up->attr.resize != LIMN_NEAREST || conv->attr.stride != 1) return false;
    const limn_shape *small = &up->src[0]->shape, *w = &conv->src[1]->shape;
    if (up->shape.dim[1] != 2 * small->dim[1] || up->shape.dim[2] != 2 * small->dim[2] || w->dim[2] != 3 || w->dim[3] != 3)
        return false;
    for (int i = 0; i < 4; i++)
        if (conv->attr.pad[i] != 1) return false;
    conv->attr.flags |= LIMN_UPSAMPLED;
    conv->src[0] = up->src[0];
    return true;
}

/* ---- a constant scale and shift behind a layer: batch norm ------------------------------------------------------------ */

static bool per_channel(const limn_rewriter *r, const limn_node *v, int64_t channels)
{
    return v->shape.rank == 1 && v->shape.dim[0] == channels && r->rates[v->id] == LIMN_CONSTANT;
}

static bool fold_scale(limn_rewriter *r, limn_node *add)
{
    limn_node *mul = add->op == LIMN_OP_ADD ? source(add, 0, LIMN_OP_MUL) : NULL, *layer = mul ? mul->src[0] : NULL;
    if (!mul || !only_use(r->n_uses, mul) ||
        !(plain_conv(r, layer) || (layer->op == LIMN_OP_LINEAR && only_use(r->n_uses, layer))))
        return false;
    if (layer->attr.activation || layer->attr.flags & ~(unsigned)LIMN_HAS_BIAS) return false;
    limn_node *scale = mul->src[1], *shift = add->src[1], *w = layer->src[1];
    int64_t n = w->shape.dim[0];
    if (!per_channel(r, scale, n) || !per_channel(r, shift, n) || r->rates[w->id] != LIMN_CONSTANT) return false;
    limn_node *column = limn_rewriter_insert(r, add, LIMN_OP_VIEW, 1, &scale);
    if (!column) return false;
    column->shape = w->shape.rank == 4 ? LIMN_SHAPE(n, 1, 1, 1) : LIMN_SHAPE(n, 1);
    column->attr.shape = column->shape;
    limn_node *scaled = limn_rewriter_insert(r, add, LIMN_OP_MUL, 2, (limn_node *[]){w, column}), *bias = shift;
    if (layer->attr.flags & LIMN_HAS_BIAS) {
        limn_node *b = limn_rewriter_insert(r, add, LIMN_OP_MUL, 2, (limn_node *[]){scale, layer->src[2]});
        bias = b ? limn_rewriter_insert(r, add, LIMN_OP_ADD, 2, (limn_node *[]){b, shift}) : NULL;
    }
    if (!scaled || !bias) return false;
    add->op = layer->op;
    add->attr = layer->attr;
    add->attr.flags |= LIMN_HAS_BIAS;
    add->n_src = 3;
    add->src[0] = layer->src[0], add->src[1] = scaled, add->src[2] = bias;
    return true;
}

/* ---- q, k, v as one product --------------------------------------------------------------------------------------- */

static bool plain_linear_of(const limn_rewriter *r, limn_node *node, const limn_node *x)
{
    return node->op == LIMN_OP_LINEAR && node->src[0] == x && node->attr.flags == LIMN_HAS_BIAS && !node->attr.activation &&
           only_use(r->n_uses, node) && node->src[1]->op == LIMN_OP_PARAMETER && node->src[2]->op == LIMN_OP_PARAMETER;
}

static bool qkv_as_one_product(limn_rewriter *r, limn_node *node)
{
    if (node->op != LIMN_OP_ATTENTION || node->attr.packed != LIMN_PACKED_NONE) return false;
    limn_node **p = node->src;
    for (int i = 0; i < 3; i++)
        if (!plain_linear_of(r, p[i], p[0]->src[0]) || !limn_shape_equal(&p[i]->shape, &p[0]->shape)) return false;
    /* p[2] comes last of the three: it becomes the one product, with stacked weights made just before it */
    limn_node *w =
        limn_rewriter_insert(r, p[2], LIMN_OP_CONCAT, 3, (limn_node *[]){p[0]->src[1], p[1]->src[1], p[2]->src[1]});
    limn_node *b =
        limn_rewriter_insert(r, p[2], LIMN_OP_CONCAT, 3, (limn_node *[]){p[0]->src[2], p[1]->src[2], p[2]->src[2]});
    if (!w || !b) return false;
    limn_node *one = p[2];
    one->src[1] = w, one->src[2] = b;
    one->shape.dim[one->shape.rank - 1] *= 3;
    node->attr.packed = LIMN_PACKED_QKV;
    node->src[0] = one;
    if (node->attr.flags & LIMN_HAS_BIAS) node->src[1] = node->src[3];
    node->n_src = node->attr.flags & LIMN_HAS_BIAS ? 2 : 1;
    return true;
}

/* ---- hoist a gather ----------------------------------------------------------------------------------------------- */

static limn_rate rate_of(const limn_rewriter *r, const limn_node *node)
{
    return r->rates[node->id];
}

/* f(gather(table [S, rest], i)) with a rank-0 index i  ->  gather(f(table), i) */
static bool hoist_gather(limn_rewriter *r, limn_node *f)
{
    bool unary = f->op == LIMN_OP_AFFINE || f->op == LIMN_OP_ACTIVATE || f->op == LIMN_OP_VIEW || f->op == LIMN_OP_SLICE;
    bool binary = f->op == LIMN_OP_ADD || f->op == LIMN_OP_MUL ||
                  (f->op == LIMN_OP_LINEAR && !(f->attr.flags & ~(unsigned)LIMN_HAS_BIAS));
    if (!unary && !binary) return false;
    limn_node *gather = f->src[0]->op == LIMN_OP_GATHER     ? f->src[0]
                        : binary && f->op != LIMN_OP_LINEAR ? source(f, 1, LIMN_OP_GATHER)
                                                            : NULL;
    if (!gather || gather->src[1]->shape.rank != 0 || gather->shape.rank + 1 > LIMN_MAX_RANK) return false;
    limn_node *table = gather->src[0];
    if (rate_of(r, table) >= rate_of(r, gather)) return false;
    for (int i = 0; i < f->n_src; i++)
        if (f->src[i] != gather && (rate_of(r, f->src[i]) > rate_of(r, table) ||
                                    (f->op != LIMN_OP_LINEAR && f->src[i]->shape.rank > gather->shape.rank)))
            return false;
    if (f->op == LIMN_OP_VIEW && limn_node_count(f) != limn_node_count(gather)) return false;
    if (f->shape.rank + 1 > LIMN_MAX_RANK) return false;

    limn_node *src[LIMN_MAX_SRC];
    for (int i = 0; i < f->n_src; i++) src[i] = f->src[i] == gather ? table : f->src[i];
    limn_node *g = limn_rewriter_insert(r, f, f->op, f->n_src, src);
    if (!g) return false;
    g->attr = f->attr;
    g->kind = f->kind;
    g->shape = (limn_shape){.rank = f->shape.rank + 1, .dim = {table->shape.dim[0]}};
    for (int i = 0; i < f->shape.rank; i++) g->shape.dim[i + 1] = f->shape.dim[i];
    if (g->op == LIMN_OP_SLICE) g->attr.axis++;
    if (g->op == LIMN_OP_VIEW) g->attr.shape = g->shape;
    f->op = LIMN_OP_GATHER;
    f->attr = (limn_attr){0};
    f->n_src = 2;
    f->src[1] = gather->src[1];
    f->src[0] = g;
    return true;
}

/* ---- elementwise chains ------------------------------------------------------------------------------------------- */

typedef struct chain_build {
    limn_chain chain;
    limn_node *inside[LIMN_MAX_CHAIN]; /* node of each step */
    int n_src;
    limn_node *src[LIMN_MAX_SRC];
} chain_build;

static bool may_chain(const limn_node *node)
{
    return limn_op_find(node->op)->elementwise && node->op != LIMN_OP_CAST;
}

static int chain_source(chain_build *c, limn_node *node)
{
    for (int i = 0; i < c->n_src; i++)
        if (c->src[i] == node) return i;
    if (c->n_src == LIMN_MAX_SRC) return -1;
    c->src[c->n_src] = node;
    return c->n_src++;
}

/* Append node's steps after those of its fused operands; the register of its value, or -1 when it does not fit.
 * Registers of steps are kept as LIMN_MAX_SRC + step until the number of sources is known. */
static int chain_add(chain_build *c, const limn_rewriter *r, limn_node *node, const limn_node *root, int depth)
{
    bool inside =
        node == root || (may_chain(node) && only_use(r->n_uses, node) && limn_shape_equal(&node->shape, &root->shape) &&
                         rate_of(r, node) == rate_of(r, root) && depth < 8);
    if (!inside) return chain_source(c, node);
    int operand[2] = {-1, -1};
    for (int i = 0; i < node->n_src; i++)
        if ((operand[i] = chain_add(c, r, node->src[i], root, depth + 1)) < 0) return -1;
    if (c->chain.n == LIMN_MAX_CHAIN) return -1;
    c->chain.step[c->chain.n] = (struct limn_chain_step){.op = node->op,
                                                         .a = operand[0],
                                                         .b = operand[1],
                                                         .scale = node->attr.scale,
                                                         .shift = node->attr.shift,
                                                         .activation = node->attr.activation};
    c->inside[c->chain.n] = node;
    return LIMN_MAX_SRC + c->chain.n++;
}

static bool elementwise_chain(limn_rewriter *r, limn_node *root)
{
    if (!may_chain(root)) return false;
    chain_build c = {.n_src = 0};
    if (chain_add(&c, r, root, root, 0) < 0 || c.chain.n < 2) return false;
    for (int i = 0; i < c.chain.n; i++) {
        struct limn_chain_step *s = &c.chain.step[i];
        if (s->a >= LIMN_MAX_SRC) s->a += c.n_src - LIMN_MAX_SRC;
        if (s->b >= LIMN_MAX_SRC) s->b += c.n_src - LIMN_MAX_SRC;
    }
    limn_chain *chain = limn_arena_alloc(root->graph->arena, sizeof *chain);
    if (!chain) return !(r->failed = true);
    *chain = c.chain;
    for (int i = 0; i + 1 < c.chain.n; i++) r->n_uses[c.inside[i]->id] = 0; /* dead: no root of another chain */
    root->op = LIMN_OP_CHAIN;
    root->attr = (limn_attr){.chain = chain, .shape = root->shape};
    root->n_src = c.n_src;
    memcpy(root->src, c.src, sizeof c.src);
    return true;
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

const limn_rule limn_rules[] = {
    {.name = "layer_norm_modulate", .apply = layer_norm_modulate, .before_grad = true},
    {.name = "group_norm_activation", .apply = group_norm_activation, .before_grad = true},
    {.name = "qkv_as_one_product", .apply = qkv_as_one_product},
    {.name = "hoist_gather", .apply = hoist_gather},
    {.name = "fold_scale", .apply = fold_scale},
    {.name = "conv_upsampled", .apply = conv_upsampled},
    {.name = "conv_residual", .apply = conv_residual},
    {.name = "conv_activation", .apply = conv_activation},
    {.name = "linear_activation", .apply = linear_activation},
    {.name = "linear_gated_residual", .apply = linear_gated_residual},
    {.name = "elementwise_chain", .apply = elementwise_chain, .backward = true},
    {.name = NULL},
};
