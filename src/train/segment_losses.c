/* segment_losses.c: see segment_losses.h. */
#include "train/segment_losses.h"

#include "graph/node.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[LIMN_N_SEGMENT_KINDS] = {"ce", "bce", "dice", "dice-ce", "focal"};

limn_segment_loss limn_segment_loss_defaults(int classes)
{
    return (limn_segment_loss){
        .kind = LIMN_SEGMENT_CROSS_ENTROPY, .classes = classes, .gamma = 2, .smooth = 1, .dice = 1, .entropy = 1};
}

bool limn_segment_kind_find(const char *name, limn_segment_kind *out)
{
    for (int i = 0; i < LIMN_N_SEGMENT_KINDS; i++)
        if (!strcmp(name, kinds[i])) {
            *out = (limn_segment_kind)i;
            return true;
        }
    return false;
}

const char *limn_segment_kind_name(limn_segment_kind kind)
{
    return kinds[kind];
}

/* Each logit is a question of its own: a row of two logits each, 0 and x. */
static bool binary(const limn_segment_loss *l)
{
    return l->classes == 1 || l->kind == LIMN_SEGMENT_BINARY;
}

/* Rows of the softmax have this many classes. */
static int row_classes(const limn_segment_loss *l)
{
    return binary(l) ? 2 : l->classes;
}

limn_status limn_segment_loss_check(limn_ctx *ctx, const limn_segment_loss *l)
{
    double sum = 0;
    if ((unsigned)l->kind >= LIMN_N_SEGMENT_KINDS)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "there is no segmentation loss %d", (int)l->kind);
    if (l->classes < 1 || l->classes > LIMN_MAX_CLASSES)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a segmentation has 1 to %d classes, found %d", LIMN_MAX_CLASSES,
                         l->classes);
    if (l->weight && l->kind == LIMN_SEGMENT_DICE)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "the Dice loss takes no weights of classes: leave them out, or take dice-ce");
    if (l->weight && l->n_weights != row_classes(l))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected %d weights of classes, found %d", row_classes(l), l->n_weights);
    for (int k = 0; l->weight && k < row_classes(l); k++) {
        if (!(l->weight[k] >= 0) || isinf(l->weight[k]))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the weight of class %d is %.9g, expected a number of 0 or more", k,
                             l->weight[k]);
        sum += l->weight[k];
    }
    if (l->weight && !(sum > 0)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the weights of all classes are 0");
    if (!(l->gamma >= 0) || !(l->smooth >= 0) || !(l->dice >= 0) || !(l->entropy >= 0) ||
        isinf(l->gamma + l->smooth + l->dice + l->entropy))
        return limn_fail(
            ctx, LIMN_BAD_ARGUMENT,
            "expected gamma, smooth and the weights of Dice and cross entropy of 0 or more, found %.9g, %.9g, %.9g and %.9g",
            l->gamma, l->smooth, l->dice, l->entropy);
    return LIMN_OK;
}

/* ---- terms ------------------------------------------------------------------------------------------------------------ */

static limn_node *total(limn_node *x)
{
    return limn_sum_to(x, (limn_shape){.rank = 0});
}

/* sum w l / sum w;   l w [N] */
static limn_node *weighted_mean(limn_node *l, limn_node *w)
{
    return limn_div(total(limn_mul(l, w)), limn_clamp(total(w), 1e-12, HUGE_VAL));
}

/* (1 - p)^gamma l with l = -log p.  1 - p is kept above 1e-7 where a logarithm is taken. */
static limn_node *focal(limn_node *l, double gamma)
{
    limn_node *missing = limn_affine(limn_exp(limn_affine(l, -1, 0)), -1, 1);
    if (gamma == 0) return l;
    if (gamma == 1) return limn_mul(missing, l);
    if (gamma == 2) return limn_mul(limn_square(missing), l);
    return limn_mul(limn_exp(limn_affine(limn_ln(limn_clamp(missing, 1e-7, 1)), gamma, 0)), l);
}

/* rows [N,K], target [N]:  p t are summed over pixels (and pictures); what is ignored has t = 0 and its p is taken out. */
static limn_node *dice(const limn_segment_loss *loss, limn_node *rows, limn_node *t, limn_node *valid, int64_t b)
{
    int64_t n = limn_node_shape(rows).dim[0], k = limn_node_shape(rows).dim[1], samples = loss->per_sample ? b : 1;
    int64_t first = k > 1 && !loss->background;
    limn_node *p = limn_mul(limn_widen(limn_softmax(rows)), limn_reshape(valid, LIMN_SHAPE(n, 1)));
    limn_shape by_sample = LIMN_SHAPE(samples, n / samples, k), sums = LIMN_SHAPE(samples, 1, k);
    limn_node *both = limn_sum_to(limn_reshape(limn_mul(p, t), by_sample), sums);
    limn_node *either = limn_sum_to(limn_reshape(limn_add(p, t), by_sample), sums);
    limn_node *score =
        limn_div(limn_affine(both, 2, loss->smooth), limn_clamp(limn_affine(either, 1, loss->smooth), 1e-8, HUGE_VAL));
    return limn_affine(limn_mean(limn_slice(score, 2, first, k - first)), -1, 1);
}

static limn_node *dice_of_targets(limn_graph *g, const limn_segment_loss *loss, limn_node *rows, int64_t b,
                                  limn_segment_inputs *in)
{
    int64_t k = limn_node_shape(rows).dim[1], n = limn_node_shape(rows).dim[0];
    in->onehot = limn_input(g, "segment_onehot", LIMN_WIDE, LIMN_SHAPE(k + 1, k), LIMN_CONSTANT);
    limn_node *t = limn_gather(in->onehot, in->target);
    return dice(loss, rows, t, limn_sum_to(t, LIMN_SHAPE(n, 1)), b);
}

limn_node *limn_loss_segment(limn_graph *g, const limn_segment_loss *loss, limn_node *logits, limn_segment_inputs *in)
{
    limn_shape s = limn_node_shape(logits);
    int64_t k = row_classes(loss),
            n = binary(loss) ? s.dim[0] * s.dim[1] * s.dim[2] * s.dim[3] : s.dim[0] * s.dim[1] * s.dim[2];
    limn_node *rows = limn_widen(limn_reshape(logits, LIMN_SHAPE(n, binary(loss) ? 1 : k)));
    if (binary(loss)) rows = limn_pad(rows, 1, 1, 0);
    *in = (limn_segment_inputs){.target = limn_input(g, "segment_target", LIMN_INDEX, LIMN_SHAPE(n), LIMN_PER_STEP)};
    if (loss->kind == LIMN_SEGMENT_DICE) return dice_of_targets(g, loss, rows, s.dim[0], in);
    in->weight = limn_input(g, "segment_weight", LIMN_WIDE, LIMN_SHAPE(k + 1, 1), LIMN_CONSTANT);
    limn_node *w = limn_reshape(limn_gather(in->weight, in->target), LIMN_SHAPE(n));
    limn_node *entropy = limn_cross_entropy(rows, in->target);
    if (loss->kind == LIMN_SEGMENT_FOCAL) entropy = focal(entropy, loss->gamma);
    limn_node *mean = weighted_mean(entropy, w);
    if (loss->kind != LIMN_SEGMENT_DICE_CE) return mean;
    return limn_add(limn_affine(mean, loss->entropy, 0),
                    limn_affine(dice_of_targets(g, loss, rows, s.dim[0], in), loss->dice, 0));
}

/* ---- values of the inputs --------------------------------------------------------------------------------------------- */

limn_status limn_segment_constants(limn_run *run, const limn_segment_loss *loss, const limn_segment_inputs *in)
{
    int k = row_classes(loss);
    float weight[LIMN_MAX_CLASSES + 1] = {0}, *onehot = NULL;
    for (int i = 0; i < k; i++) weight[i] = loss->weight ? (float)loss->weight[i] : 1;
    limn_status status = in->weight ? limn_run_write(run, in->weight, LIMN_F32, weight) : LIMN_OK;
    if (status != LIMN_OK || !in->onehot) return status;
    size_t n = (size_t)(k + 1) * (size_t)k;
    if (!(onehot = calloc(n, sizeof *onehot)))
        return limn_fail_memory(in->onehot->graph->ctx, n * sizeof *onehot, "one-hot rows");
    for (int i = 0; i < k; i++) onehot[i * k + i] = 1;
    status = limn_run_write(run, in->onehot, LIMN_F32, onehot);
    free(onehot);
    return status;
}

void limn_segment_targets(const limn_segment_loss *loss, size_t n, const uint8_t *labels, int32_t *out)
{
    int k = row_classes(loss);
    if (loss->classes == 1 || !binary(loss)) {
        for (size_t i = 0; i < n; i++) out[i] = labels[i] < k ? labels[i] : k;
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < loss->classes; j++) *out++ = labels[i] >= loss->classes ? 2 : labels[i] == j;
}
