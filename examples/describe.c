/* describe.c: a network of one's own, drawn as text.
 *
 *   cc examples/describe.c $(pkg-config --cflags --libs limn) -o describe        (CMake builds it as build/example-describe)
 *
 * Scopes are the blocks of the drawing; joined by dots they name the weights. */
#include <limn/graph.h>
#include <stdio.h>

/* One transformer block.   x [B,T,D] -> [B,T,D] */
static limn_node *block(limn_graph *g, limn_node *x, int heads)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_node *h = limn_layer_norm(g, "norm1", x, 1e-5);
    x = limn_add(x, limn_linear(g, "proj", limn_attention_qkv(limn_linear(g, "qkv", h, 3 * width), heads, false), width));
    h = limn_layer_norm(g, "norm2", x, 1e-5);
    return limn_add(x, limn_linear(g, "fc2", limn_activate(limn_linear(g, "fc1", h, 4 * width), LIMN_GELU_TANH), width));
}

int main(void)
{
    enum { BATCH = 2, TOKENS = 16, WIDTH = 32, DEPTH = 3, CLASSES = 10 };
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = ctx ? limn_graph_new(ctx) : NULL;
    if (!g) return 1;
    limn_node *x = limn_input(g, "tokens", LIMN_COMPUTE, LIMN_SHAPE(BATCH, TOKENS, WIDTH), LIMN_PER_STEP);
    for (int i = 0; i < DEPTH; i++) {
        limn_scope_push(g, "blocks.%d", i);
        limn_scope_note(g, "attention, then an MLP");
        x = block(g, x, 4);
        limn_scope_pop(g);
    }
    limn_linear(g, "head", x, CLASSES);

    char *drawing =
        limn_graph_status(g) == LIMN_OK ? limn_describe(g, &(limn_describe_options){.batch = BATCH, .ascii = true}) : NULL;
    if (drawing) fputs(drawing, stdout);
    else fprintf(stderr, "%s\n", limn_error_text(ctx));
    int code = drawing ? 0 : 1;
    limn_free(drawing);
    limn_graph_free(g);
    limn_ctx_free(ctx);
    return code;
}
