/* blocks.c: see blocks.h. */
#include "model/blocks.h"

/* Saharia et al. 2021 (SR3): what is enlarged is told to the network as more channels. */
limn_node *limn_picture_input(limn_graph *g, limn_build b, int channels, int enlarge, limn_ports *ports)
{
    limn_shape shape = LIMN_SHAPE(b.batch, b.height, b.width, channels);
    ports->image = limn_input(g, "image", LIMN_COMPUTE, shape, LIMN_PER_STEP);
    if (!enlarge) return ports->image;
    ports->condition = limn_input(g, "condition", LIMN_COMPUTE, shape, LIMN_PER_PROMPT);
    return limn_concat(g, 3, 2, (limn_node *[]){ports->image, ports->condition});
}

const char *limn_side_of_patches(int patch, int pixels)
{
    return pixels % patch ? "a multiple of patch" : NULL;
}

limn_node *limn_patchify(limn_graph *g, limn_node *image, int patch)
{
    limn_shape s = limn_node_shape(image);
    int64_t p = patch, h = s.dim[1] / p, w = s.dim[2] / p, c = s.dim[3];
    limn_scope_push(g, "patchify");
    limn_scope_note(g, "%lld x %lld patches of %d x %d x %lld", (long long)h, (long long)w, patch, patch, (long long)c);
    limn_node *x = limn_reshape(image, LIMN_SHAPE(s.dim[0], h, p, w, p * c));
    x = limn_permute(x, 5, (int[]){0, 1, 3, 2, 4});                                  /* [B,h,w,p,(p c)] */
    x = limn_reshape(x, LIMN_SHAPE(s.dim[0], h * w, p * p, c));
    x = limn_permute(x, 4, (int[]){0, 1, 3, 2});                                     /* [B,T,c,(p p)] */
    x = limn_reshape(x, LIMN_SHAPE(s.dim[0], h * w, c * p * p));
    limn_scope_pop(g);
    return x;
}

limn_node *limn_unpatchify(limn_graph *g, limn_node *tokens, int height, int width, int patch, int channels)
{
    int64_t b = limn_node_shape(tokens).dim[0], p = patch, h = height / p, w = width / p, c = channels;
    limn_scope_push(g, "unpatchify");
    limn_scope_note(g, "%lld x %lld patches back to a picture", (long long)h, (long long)w);
    limn_node *x = limn_reshape(tokens, LIMN_SHAPE(b, h, w, p, p * c));
    x = limn_permute(x, 5, (int[]){0, 1, 3, 2, 4});                                  /* [B,h,p,w,(p c)] */
    x = limn_reshape(x, LIMN_SHAPE(b, height, width, c));
    limn_scope_pop(g);
    return x;
}

limn_node *limn_linear_zero(limn_graph *g, const char *name, limn_node *x, int64_t n)
{
    limn_init zero = {.kind = LIMN_INIT_ZERO, .decay = true};
    return limn_linear_with(g, name, x, n, (limn_linear_options){.weight_init = &zero});
}

limn_node *limn_patch_embed(limn_graph *g, const char *name, limn_node *image, int patch, int width)
{
    int64_t c = limn_node_shape(image).dim[3], k = c * patch * patch;
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, "picture to tokens");
    limn_node *x = limn_patchify(g, image, patch);
    limn_scope_push(g, "proj");
    limn_init init = {.kind = LIMN_INIT_UNIFORM, .scale = 1.0f / (float)__builtin_sqrt((double)k), .decay = true};
    limn_node *w = limn_parameter(g, "weight", LIMN_SHAPE(width, c, patch, patch), init);
    limn_node *b = limn_parameter(g, "bias", LIMN_SHAPE(width), (limn_init){.kind = LIMN_INIT_ZERO});
    x = limn_matmul(x, limn_reshape(w, LIMN_SHAPE(width, k)), b);
    limn_scope_pop(g);
    limn_scope_pop(g);
    return x;
}

/* Fixed 2-D sine and cosine positions "pos_embed" [1,T,D], added. */
static limn_node *add_positions(limn_graph *g, limn_node *tokens, int grid_h, int grid_w, double base)
{
    limn_shape s = limn_node_shape(tokens);
    limn_init table = {.kind = LIMN_INIT_SINCOS_2D, .frozen = true, .grid_h = grid_h, .grid_w = grid_w, .grid_base = base};
    return limn_add(tokens, limn_parameter(g, "pos_embed", LIMN_SHAPE(1, s.dim[1], s.dim[2]), table));
}

limn_node *limn_self_attention(limn_graph *g, const char *name, limn_node *x, int heads)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, "self-attention: tokens look at each other");
    x = limn_attention_qkv(limn_linear(g, "qkv", x, 3 * width), heads, false);
    x = limn_linear(g, "proj", x, width);
    limn_scope_pop(g);
    return x;
}

limn_node *limn_cross_attention(limn_graph *g, const char *name, limn_node *x, limn_node *text, int heads)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, "cross-attention: tokens (q) look at text (k, v)");
    limn_node *q = limn_linear(g, "q_linear", x, width), *kv = limn_linear(g, "kv_linear", text, 2 * width);
    x = limn_linear(g, "proj", limn_attention_kv(q, kv, heads), width);
    limn_scope_pop(g);
    return x;
}

limn_node *limn_mlp(limn_graph *g, const char *name, limn_node *x, int hidden, limn_activation activation)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, "MLP: every token by itself");
    x = limn_linear(g, "fc2", limn_activate(limn_linear(g, "fc1", x, hidden), activation), width);
    limn_scope_pop(g);
    return x;
}

/* Scope "t_embedder": sinusoids of `frequencies`, mlp.0, SiLU, mlp.2 -> [B,width]. */
static limn_node *time_embed(limn_graph *g, limn_node *t, int frequencies, double period, int width)
{
    limn_scope_push(g, "t_embedder");
    limn_scope_note(g, "timestep to a vector");
    limn_init normal = {.kind = LIMN_INIT_NORMAL, .scale = 0.02f, .decay = true};
    limn_linear_options options = {.weight_init = &normal};
    limn_node *c = limn_timestep_embedding(t, frequencies, period, true);
    c = limn_linear_with(g, "mlp.2", limn_silu(limn_linear_with(g, "mlp.0", c, width, options)), width, options);
    limn_scope_pop(g);
    return c;
}

limn_node *limn_time_input(limn_graph *g, limn_build b, limn_ports *ports)
{
    int n = b.n_steps ? b.n_steps : b.batch;
    ports->timesteps = limn_input(g, "timesteps", LIMN_WIDE, LIMN_SHAPE(n), b.n_steps ? LIMN_PER_PROMPT : LIMN_PER_STEP);
    if (b.n_steps) ports->step = limn_input(g, "step", LIMN_INDEX, (limn_shape){.rank = 0}, LIMN_PER_STEP);
    return ports->timesteps;
}

limn_node *limn_time_of_step(const limn_ports *ports, limn_node *c)
{
    limn_shape s = limn_node_shape(c);
    return ports->step ? limn_gather(limn_reshape(c, LIMN_SHAPE(s.dim[0], 1, s.dim[1])), ports->step) : c;
}

limn_node *limn_time_ports(limn_graph *g, limn_build b, limn_ports *ports, int frequencies, double period, int width)
{
    return limn_time_of_step(ports, time_embed(g, limn_time_input(g, b, ports), frequencies, period, width));
}

/* ---- blocks of transformers ------------------------------------------------------------------------------------------- */

limn_node *limn_added_block(limn_graph *g, int heads, int hidden, limn_norm_place norm, limn_node *x, limn_node *text,
                            limn_node *t)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_node *time = limn_linear(g, "time_proj", t, width);
    x = limn_add(x, limn_reshape(time, LIMN_SHAPE(limn_node_shape(time).dim[0], 1, width)));
    if (norm == LIMN_NORM_POST) {
        x = limn_layer_norm(g, "norm1", limn_add(x, limn_self_attention(g, "attn", x, heads)), 1e-5);
        limn_node *seen = text ? limn_cross_attention(g, "cross_attn", x, text, heads) : NULL;
        if (text) x = limn_layer_norm(g, "norm_cross", limn_add(x, seen), 1e-5);
        return limn_layer_norm(g, "norm2", limn_add(x, limn_mlp(g, "mlp", x, hidden, LIMN_GELU_TANH)), 1e-5);
    }
    x = limn_add(x, limn_self_attention(g, "attn", limn_layer_norm(g, "norm1", x, 1e-5), heads));
    if (text) x = limn_add(x, limn_cross_attention(g, "cross_attn", limn_layer_norm(g, "norm_cross", x, 1e-5), text, heads));
    return limn_add(x, limn_mlp(g, "mlp", limn_layer_norm(g, "norm2", x, 1e-5), hidden, LIMN_GELU_TANH));
}

void limn_modulation(limn_graph *g, limn_node *c, int n, int64_t width, limn_node **m)
{
    limn_chunk(limn_linear_zero(g, "adaLN_modulation.1", limn_silu(c), n * width), n, m);
}

limn_node *limn_modulated_norm(limn_graph *g, limn_node *x, limn_node *shift, limn_node *scale)
{
    return limn_modulate(limn_layer_norm(g, NULL, x, 1e-6), shift, scale);
}

limn_node *limn_modulated_mlp(limn_graph *g, limn_node *x, limn_node *const *m, int hidden)
{
    limn_node *h = limn_modulated_norm(g, x, m[3], m[4]);
    return limn_gated(x, m[5], limn_mlp(g, "mlp", h, hidden, LIMN_GELU_TANH));
}

limn_node *limn_modulated_block(limn_graph *g, int heads, int hidden, limn_node *x, limn_node *text, limn_node *c)
{
    limn_node *m[6];
    limn_modulation(g, c, 6, limn_node_shape(x).dim[2], m);
    limn_node *h = limn_modulated_norm(g, x, m[0], m[1]);
    x = limn_gated(x, m[2], limn_self_attention(g, "attn", h, heads));
    if (text) x = limn_add(x, limn_cross_attention(g, "cross_attn", x, text, heads));
    return limn_modulated_mlp(g, x, m, hidden);
}

limn_node *limn_patch_tokens(limn_graph *g, limn_node *picture, int patch, int width, double base)
{
    limn_shape s = limn_node_shape(picture);
    limn_node *x = limn_patch_embed(g, "x_embedder", picture, patch, width);
    return add_positions(g, x, (int)s.dim[1] / patch, (int)s.dim[2] / patch, base);
}

limn_node *limn_final_layer(limn_graph *g, limn_node *x, limn_node *c, limn_shape picture, int patch, int channels)
{
    limn_scope_push(g, "final_layer");
    limn_scope_note(g, "tokens to picture");
    if (c) {
        limn_node *m[2];
        limn_modulation(g, c, 2, limn_node_shape(x).dim[2], m);
        x = limn_modulated_norm(g, x, m[0], m[1]);
    }
    x = limn_linear_zero(g, "linear", x, (int64_t)patch * patch * channels);
    x = limn_unpatchify(g, x, (int)picture.dim[1], (int)picture.dim[2], patch, channels);
    limn_scope_pop(g);
    return x;
}

limn_node *limn_add_label(limn_graph *g, limn_build b, int classes, limn_ports *ports, limn_node *c)
{
    if (!classes) return c;
    ports->label = limn_input(g, "label", LIMN_INDEX, LIMN_SHAPE(b.batch), LIMN_PER_PROMPT);
    limn_scope_push(g, "y_embedder");
    limn_scope_note(g, "class to a vector; the last row means no class");
    limn_node *y = limn_embedding(g, "embedding_table", ports->label, classes + 1, limn_node_shape(c).dim[1]);
    limn_scope_pop(g);
    return limn_add(c, y);
}

/* Rows of 2s numbers, repeated and read in steps of 2s - 1, move by one a row. */
limn_node *limn_sheared(limn_node *x, int s)
{
    int64_t n = limn_node_shape(x).dim[0];
    x = limn_reshape(limn_pad(x, 1, 0, 1), LIMN_SHAPE(n, 1, 2 * s));
    x = limn_reshape(limn_expand(x, LIMN_SHAPE(n, s, 2 * s)), LIMN_SHAPE(n, 2 * s * s));
    x = limn_reshape(limn_slice(x, 1, 0, (int64_t)s * (2 * s - 1)), LIMN_SHAPE(n, s, 2 * s - 1));
    return limn_slice(x, 2, s - 1, s);
}
