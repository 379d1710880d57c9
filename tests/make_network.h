/* make_network.h: a network with random weights in a file, as limn train writes it. */
#ifndef LIMN_MAKE_NETWORK_H
#define LIMN_MAKE_NETWORK_H

#include "file/safetensors.h"
#include "graph/node.h"
#include "train/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MADE_METADATA = 8 };

/* fill: writes over the weights of a parameter, or NULL.  more: n pairs beside limn.settings, at most MADE_METADATA.
 * @return whether the file was written; ctx's text says why not */
static inline bool make_network_with(limn_ctx *ctx, const char *path, const char *settings,
                                     void (*fill)(const limn_node *parameter, float *values), size_t n,
                                     const char *const (*more)[2])
{
    limn_settings s;
    limn_ports ports;
    limn_weights w = {0};
    char text[1024];
    const char *metadata[MADE_METADATA + 1][2] = {{"limn.settings", text}};
    limn_graph *g = limn_graph_new(ctx);
    limn_status status = g && n <= MADE_METADATA ? limn_settings_parse(ctx, settings, &s) : LIMN_NO_MEMORY;
    if (status == LIMN_OK) status = limn_model_build(g, &s, (limn_build){.batch = 1, .n_steps = 1}, &ports);
    if (status == LIMN_OK) status = limn_weights_new(ctx, g, 7, &w);
    limn_named_view *view = calloc((size_t)w.n + 1, sizeof *view);
    for (int i = 0; i < w.n; i++) {
        if (fill) fill(w.node[i], w.value + w.begin[i]);
        view[i] = (limn_named_view){limn_node_name(w.node[i]), {LIMN_F32, limn_node_shape(w.node[i]), w.value + w.begin[i]}};
    }
    if (status == LIMN_OK) {
        limn_settings_text(&s, text);
        for (size_t i = 0; i < n; i++) metadata[i + 1][0] = more[i][0], metadata[i + 1][1] = more[i][1];
        status = limn_safetensors_write(ctx, path, (size_t)w.n, view, n + 1, (const char *const(*)[2])metadata);
    }
    free(view);
    if (w.value) limn_weights_free(&w);
    limn_graph_free(g);
    return status == LIMN_OK;
}

/* FOLDER/model.safetensors: of flow, and of latents with a scale of 0.5 and a shift of 0.25 where it is of latents.
 * @return as above */
static inline bool make_network_in(limn_ctx *ctx, const char *folder, const char *settings,
                                   void (*fill)(const limn_node *parameter, float *values), bool latents)
{
    static const char *const metadata[][2] = {
        {"limn.schedule", "flow"}, {"limn.prediction", "flow"}, {"limn.latent.scale", "0.5"}, {"limn.latent.shift", "0.25"}};
    char path[300];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return make_network_with(ctx, path, settings, fill, latents ? 4 : 2, metadata);
}

/* classes: names between newlines, or NULL.  @return as above */
static inline bool make_network(limn_ctx *ctx, const char *path, const char *settings, const char *classes)
{
    return make_network_with(ctx, path, settings, NULL, classes != NULL, &(const char *const[2]){"limn.classes", classes});
}

#endif
