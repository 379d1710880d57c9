/* respell.c: what LoRA files call the modules of a network by other names than ours: a latent U-Net's blocks as Stable
 * Diffusion's own files, a transformer's modules as diffusers, where q, k and v are modules of their own, or their
 * authors with a number for each of those. */
#include "model/config.h"
#include "model/map/write.h"
#include "weights/lora.h"

#include <stdlib.h>
#include <string.h>

typedef struct spellings {
    size_t n;
    limn_lora_spelling *s;
} spellings;

static void add(spellings *all, const char *name, const char *parameter, limn_lora_spelling how)
{
    limn_lora_spelling *s = &all->s[all->n];
    bool bias;
    *s = how;
    if (limn_lora_flat(name, s->from, &bias) && limn_lora_flat(parameter, s->to, &bias) && !bias) all->n++;
}

static void add_rows(spellings *all, const limn_map *map, const char *parameter)
{
    int block = -1;
    char name[LIMN_MAP_NAME];
    const char *suffix = limn_map_suffix(parameter);
    const limn_map_row *row = limn_map_row_of(map, parameter, &block);
    int n = row ? limn_map_source_count(row) : 0;
    if (row && limn_map_is_copied(row)) return; /* a file changes each copy for itself */
    for (int k = 0; k < n; k++) {
        limn_lora_spelling how = {.piece = k, .pieces = n > 1 ? n : 0, .swapped = limn_map_swaps(map, row, block)};
        limn_map_source_name(map, row->source[k], block, suffix, name, sizeof name);
        add(all, name, parameter, how);
        snprintf(name, sizeof name, "%.*s.%d%s", (int)(suffix - parameter), parameter, k, suffix);
        if (n > 1) add(all, name, parameter, how);
    }
}

/* The last one is of another kind. */
static int blocks_of(const limn_settings *s)
{
    return s->family == &limn_family_mmdit ? ((const mmdit_config *)limn_settings_config(s))->depth : 0;
}

limn_status limn_map_respell(limn_ctx *ctx, const limn_settings *settings, limn_lora *lora)
{
    limn_ports ports;
    spellings all = {0};
    limn_map map = {.settings = *settings, .n_blocks = blocks_of(settings)};
    limn_map named = limn_map_named(&map, LIMN_NAMES_DIFFUSERS);
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return limn_fail_memory(ctx, sizeof(limn_graph), "a graph");
    limn_status status = limn_model_build(g, settings, (limn_build){.batch = 1}, &ports);
    size_t bytes = (size_t)g->n_parameters * 2 * LIMN_MAP_SOURCES * sizeof *all.s;
    if (status == LIMN_OK && !(all.s = malloc(bytes + 1))) status = limn_fail_memory(ctx, bytes, limn_lora_path(lora));
    for (int i = 0; i < g->n_parameters && status == LIMN_OK; i++) {
        char original[LIMN_LORA_NAME];
        const char *name = g->parameters[i]->name;
        if (limn_map_original(settings, name, original, sizeof original)) add(&all, original, name, (limn_lora_spelling){0});
        else if (named.dialect) add_rows(&all, &named, name);
    }
    if (status == LIMN_OK) status = limn_lora_respell(ctx, lora, LIMN_LORA_DENOISER, all.n, all.s);
    free(all.s);
    limn_graph_free(g);
    return status;
}
