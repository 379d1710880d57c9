/* step_graph.h: a step of training as one graph: network, loss, and the gradient of every parameter.
 *
 * Who wants to know what a step costs builds and plans it; nothing is allocated before limn_plan_run(). */
#ifndef LIMN_STEP_GRAPH_H
#define LIMN_STEP_GRAPH_H

#include "model/model.h"
#include "train/losses.h"
#include "train/segment_losses.h"

typedef struct limn_step_options {
    limn_settings settings;
    int batch;
    int norm_ranks;     /* batch norm's statistics are those of so many ranks together; 0, 1: of one */
    const char *freeze; /* parameters whose names begin so stay as they are: "encoder.,conv_in."; NULL: all learn */
    double contrastive; /* weight of limn_loss_contrastive(); 0: none */
    limn_segment_loss segment; /* networks from pictures to classes; its `classes` is the network's */
    double kl;          /* autoencoders that give a distribution: weight of limn_loss_kl() */
    double differences; /* autoencoders: weight of limn_loss_differences(); 0: none */
    double adversary;   /* autoencoders: weight of limn_loss_adversary(); 0: none */
} limn_step_options;

typedef struct limn_step_graph {
    limn_graph *g;
    limn_ports ports;
    limn_node *target; /* [B,H,W,C] WIDE: what the network should output; with learn_sigma=1 the first half of it */
    limn_node *weight; /* [B,1,1,1] WIDE: of each picture's squared error */
    limn_bound_inputs bound;             /* learn_sigma=1 */
    limn_contrastive_inputs contrastive; /* contrastive != 0 */
    limn_segment_inputs segment;         /* networks from pictures to classes; target and weight above are then NULL */
    limn_adversary adversary;            /* adversary != 0 */
    limn_node *loss;   /* rank 0 */
    int n_network;     /* the first parameters of g are the network's own */
    int n_frozen;      /* of them, by `freeze` */
    int n;             /* outputs: the loss, then gradients */
    limn_node **outputs,
        **of; /* outputs[i] is the gradient of parameter of[i], i >= 1; frozen and unseen parameters are left out */
    int n_running;             /* outputs[n + i], i < n_running, is the value of running statistic i: limn_graph_running() */
} limn_step_graph;

/** Autoencoders: loss = limn_loss_absolute() + differences limn_loss_differences() + kl limn_loss_kl() +
 *  limn_loss_adversary()'s term; the discriminator's parameters have the gradient of its own loss.  Denoisers: loss =
 *  mean(weight (output - target)^2), with learn_sigma=1 + limn_loss_bound() as DiT trains it, + contrastive
 *  limn_loss_contrastive().  From pictures to classes: limn_loss_segment().
 *  @return LIMN_OK: free with limn_step_graph_free(); LIMN_UNSUPPORTED when the network does not go from pictures to
 *  pictures, or lacks the text that the contrastive term needs; LIMN_BAD_ARGUMENT when `freeze` names no parameter, or
 *  leaves none; on failure *out is empty */
limn_status limn_step_graph_build(limn_ctx *ctx, const limn_step_options *options, limn_step_graph *out);
/** Whether a network maps pictures to classes of pixels. */
bool limn_step_segments(const limn_settings *settings);
/** Whether it gives back the pictures that go in. */
bool limn_step_reconstructs(const limn_settings *settings);
void limn_step_graph_free(limn_step_graph *step);
/** Plan all outputs; gradients get their memory by limn_plan_bind().  options->training and first_bound are set here.
 *  The plan must be freed before the step graph. */
limn_status limn_step_graph_plan(const limn_step_graph *step, const limn_plan_options *options, limn_plan **out);

#endif
