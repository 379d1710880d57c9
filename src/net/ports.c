/* ports.c: see ports.h. */
#include "net/ports.h"

#include "graph/node.h"

#include <string.h>

#define ROW(row, text, field, ...) [LIMN_PORT_##row] = {.name = text, .at = offsetof(limn_ports, field), __VA_ARGS__}
const limn_port_row limn_port_rows[LIMN_PORTS] = {
    ROW(FEATURES, "features", features, .joined = true),
    ROW(POOLED, "pooled", pooled_text, .joined = true),
    ROW(IDS, "ids", ids),
    ROW(VECTORS, "vectors", vectors),
    ROW(KEPT, "kept", kept),
    ROW(MASK, "mask", mask),
    ROW(TEXT_END, "text_end", text_end),
    ROW(SIZES, "sizes", sizes),
    ROW(RESOLUTION, "resolution", resolution),
    ROW(LABEL, "label", label),
    ROW(CONDITION, "condition", condition),
    ROW(GUIDANCE, "guidance", guidance),
    ROW(TIMESTEPS, "timesteps", timesteps),
    ROW(STEP, "step", step),
    ROW(IMAGE, "image", image),
    ROW(LATENT, "latent", latent),
    ROW(NOISE, "noise", noise),
    ROW(OUTPUT, "output", output),
};

int limn_port_find(const char *name)
{
    for (int i = 0; i < LIMN_PORTS; i++)
        if (strcmp(limn_port_rows[i].name, name) == 0) return i;
    return -1;
}

limn_node *limn_port_node(const limn_ports *ports, limn_port_name row)
{
    limn_node *node;
    memcpy(&node, (const char *)ports + limn_port_rows[row].at, sizeof node);
    return node;
}

void limn_ports_list(const limn_ports *ports, limn_port *out)
{
    for (int i = 0; i < LIMN_PORTS; i++) {
        const limn_node *node = limn_port_node(ports, i);
        out[i] = (limn_port){.there = node != NULL};
        if (node) out[i].input = node->op == LIMN_OP_INPUT, out[i].shape = limn_node_shape(node);
    }
}

limn_status limn_ports_look(limn_ctx *ctx, const limn_settings *s, limn_model_part part, limn_port *out)
{
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return limn_fail_memory(ctx, sizeof(limn_graph), "a graph");
    limn_status status = limn_model_build(g, s, (limn_build){.batch = 1, .n_steps = 1, .part = part}, &ports);
    if (status == LIMN_OK) limn_ports_list(&ports, out);
    limn_graph_free(g);
    return status;
}

char *limn_ports_text(const limn_port *ports, char *out)
{
    *out = '\0';
    for (int i = 0; i < LIMN_PORTS; i++) {
        size_t n = strlen(out);
        if (ports[i].there) snprintf(out + n, LIMN_PORTS_TEXT - n, "%s%s", n ? " " : "", limn_port_rows[i].name);
    }
    return out;
}
