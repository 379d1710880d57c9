/* generate_layers.h: skip-layer guidance (Stable Diffusion 3.5 medium): its flags, named as in sd-cli, to options. */
#ifndef LIMN_CLI_GENERATE_LAYERS_H
#define LIMN_CLI_GENERATE_LAYERS_H

#include "cli.h"

/* Flags as they were typed. */
typedef struct generate_layer_words {
    const char *scale, *layers, *start, *end;
} generate_layer_words;

#define GENERATE_LAYER_FLAGS(words)                                                                                         \
    {NULL, "--slg-scale", &(words).scale, NULL}, {NULL, "--skip-layers", &(words).layers, NULL},                            \
        {NULL, "--skip-layer-start", &(words).start, NULL}, {NULL, "--skip-layer-end", &(words).end, NULL}

/** Numbers of them, or a message and false. */
bool generate_layers_read(const generate_layer_words *w, limn_generate_options *out);

#endif
