/* make_unet.h: a small U-Net with random weights in a file, as limn train writes it. */
#ifndef LIMN_MAKE_UNET_H
#define LIMN_MAKE_UNET_H

#include "file/safetensors.h"
#include "graph/node.h"
#include "train/weights.h"

#include <stdlib.h>

/* classes: names between newlines, or NULL.  @return whether the file was written */
static inline bool make_network(limn_ctx *ctx, const char *path, const char *settings, const char *classes)
{
    limn_settings s;
    limn_ports ports;
    limn_weights w = {0};
    char text[1024];
    limn_graph *g = limn_graph_new(ctx);
    limn_status status = g ? limn_settings_parse(ctx, settings, &s) : LIMN_NO_MEMORY;
    if (status == LIMN_OK) status = limn_model_build(g, &s, (limn_build){.batch = 1, .n_steps = 1}, &ports);
    if (status == LIMN_OK) status = limn_weights_new(ctx, g, 7, &w);
    limn_named_view *view = calloc((size_t)w.n + 1, sizeof *view);
    for (int i = 0; i < w.n; i++)
        view[i] = (limn_named_view){limn_node_name(w.node[i]), {LIMN_F32, limn_node_shape(w.node[i]), w.value + w.begin[i]}};
    const char *const metadata[][2] = {{"limn.settings", limn_settings_text(&s, text)}, {"limn.classes", classes}};
    if (status == LIMN_OK) status = limn_safetensors_write(ctx, path, (size_t)w.n, view, classes ? 2 : 1, metadata);
    free(view);
    if (w.value) limn_weights_free(&w);
    limn_graph_free(g);
    return status == LIMN_OK;
}

#endif
