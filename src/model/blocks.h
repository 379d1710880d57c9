/* blocks.h: parts that several networks share.   B batch, T tokens, D width. */
#ifndef LIMN_BLOCKS_H
#define LIMN_BLOCKS_H

#include "model/config.h"

/** The picture of a denoiser [B,H,W,channels]: fills ports->image; with enlarge > 0 also ports->condition, and both lie side
 *  by side: [B,H,W,2C]. */
limn_node *limn_picture_input(limn_graph *g, limn_build b, int channels, int enlarge, limn_ports *ports);
/** What limn_family.side says of networks whose tokens are patches. */
const char *limn_side_of_patches(int patch, int pixels);
/** [B,H,W,C] -> [B, H/p W/p, C p p]; inside a patch (C, row, column), the order of a convolution's weight [D,C,p,p]. */
limn_node *limn_patchify(limn_graph *g, limn_node *image, int patch);
/** [B, T, p p C] -> [B,H,W,C]; inside a patch (row, column, C), as in DiT's unpatchify. */
limn_node *limn_unpatchify(limn_graph *g, limn_node *tokens, int height, int width, int patch, int channels);
/** Patches through "name.proj.weight" [D,C,p,p] and "name.proj.bias". */
limn_node *limn_patch_embed(limn_graph *g, const char *name, limn_node *image, int patch, int width);
/** Scope `name`: qkv, attention, proj. */
limn_node *limn_self_attention(limn_graph *g, const char *name, limn_node *x, int heads);
/** Scope `name`: q_linear of x, kv_linear of text, attention, proj. */
limn_node *limn_cross_attention(limn_graph *g, const char *name, limn_node *x, limn_node *text, int heads);
/** Scope `name`: fc1, activation, fc2. */
limn_node *limn_mlp(limn_graph *g, const char *name, limn_node *x, int hidden, limn_activation activation);
/** Patches of a picture [B,H,W,C] in scope "x_embedder", and their positions (base: limn_init.grid_base). */
limn_node *limn_patch_tokens(limn_graph *g, limn_node *picture, int patch, int width, double base);
/** Scope "final_layer": modulated by c (NULL: not), linear, patches back to a picture of these sides and so many
 *  channels. */
limn_node *limn_final_layer(limn_graph *g, limn_node *x, limn_node *c, limn_shape picture, int patch, int channels);
/** c [B,E] + the class, which is an input, in scope "y_embedder"; classes = 0: c. */
limn_node *limn_add_label(limn_graph *g, limn_build b, int classes, limn_ports *ports, limn_node *c);

/* Blocks of so many heads and a hidden width of their MLP.   x [B,T,D], text [B,L,D] or NULL: no cross-attention */

/** + time, x + attn, x + cross, x + mlp, each followed (post) or preceded (pre) by LayerNorm.   t [B,E] */
limn_node *limn_added_block(limn_graph *g, int heads, int hidden, limn_norm_place norm, limn_node *x, limn_node *text,
                            limn_node *t);
/** adaLN-Zero, Peebles & Xie 2022, fig. 3; cross-attention between its halves as PixArt has it: the query is not normalised.
 *  c [B,E] */
limn_node *limn_modulated_block(limn_graph *g, int heads, int hidden, limn_node *x, limn_node *text, limn_node *c);
/** Its parts: m[0..n-1] [B,width] of c: shift, scale, gate of the attention, then of the MLP; LayerNorm, then shift and
 *  scale; the second half. */
void limn_modulation(limn_graph *g, limn_node *c, int n, int64_t width, limn_node **m);
limn_node *limn_modulated_norm(limn_graph *g, limn_node *x, limn_node *shift, limn_node *scale);
limn_node *limn_modulated_mlp(limn_graph *g, limn_node *x, limn_node *const *m, int hidden);

/** The timesteps [B] of training or the table [S] of running: fills ports->timesteps and, when running, step. */
limn_node *limn_time_input(limn_graph *g, limn_build b, limn_ports *ports);
/** What belongs to this step of c, which was made of the timesteps: c [B,D] in training, one row [1,D] for the whole batch
 *  when running. */
limn_node *limn_time_of_step(const limn_ports *ports, limn_node *c);
/** limn_time_input(), in scope "t_embedder" sinusoids of `frequencies`, mlp.0, SiLU, mlp.2, and limn_time_of_step().
 *  @param period  10000 nearly everywhere   @return embedding [B or 1, width] */
limn_node *limn_time_ports(limn_graph *g, limn_build b, limn_ports *ports, int frequencies, double period, int width);
/** A linear layer that starts at zero (adaLN-Zero and output layers). */
limn_node *limn_linear_zero(limn_graph *g, const char *name, limn_node *x, int64_t n);

/** Text features [B,T,D]: from a CLIP encoder in scope "text_encoder" (fills ids, text_end, pooled_text), or an input (fills
 *  features). */
limn_node *limn_text_features(limn_graph *g, const limn_text_config *text, limn_build b, limn_ports *ports);

/** What is said of each distance, for each query and key: y[n,k,i] = x[n, i - k + s - 1].   x [N,2s-1]  ->  [N,s,s] */
limn_node *limn_sheared(limn_node *x, int s);

#endif
