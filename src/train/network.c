/* network.c: networks by name, or as a weight file holds them: limn/network.h. */
#include "train/network.h"

#include "graph/describe.h"
#include "model/map/map.h"
#include "net/open.h"
#include "train/segment_losses.h"

#include <stdlib.h>
#include <string.h>

const char *limn_network_name(int i)
{
    int n = 0;
    while (limn_families[n] && n <= i) n++;
    if (i < n) return i < 0 ? NULL : limn_families[i]->name;
    for (int k = 0; k < i - n; k++)
        if (!limn_presets[k].name) return NULL;
    return limn_presets[i - n].name;
}

static limn_status network_new(limn_ctx *ctx, limn_network **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return limn_fail_memory(ctx, sizeof **out, "a network");
    (*out)->ctx = ctx;
    return LIMN_OK;
}

/* @return status; the network is ready, or gone */
static limn_status network_ready(limn_network **network, limn_status status)
{
    if (status == LIMN_OK) limn_settings_text(&(*network)->settings, (*network)->text);
    else limn_network_free(*network), *network = NULL;
    return status;
}

limn_status limn_network_new(limn_ctx *ctx, const char *text, limn_network **out)
{
    limn_status status = network_new(ctx, out);
    return status == LIMN_OK ? network_ready(out, limn_settings_named(ctx, text, &(*out)->settings)) : status;
}

void limn_network_free(limn_network *network)
{
    free(network);
}

limn_status limn_network_set(limn_network *network, const char *settings)
{
    limn_status status = limn_settings_apply(network->ctx, &network->settings, settings);
    limn_settings_text(&network->settings, network->text);
    return status;
}

/* ---- of a file -------------------------------------------------------------------------------------------------------- */

/* A network of a file.  width: of a text encoder's features, else 0 */
typedef struct held {
    const limn_family *family;
    int width;
} held;
enum { MOST_HELD = 2 * LIMN_MAX_SETS };

static held held_of(const limn_settings *s)
{
    return (held){s->family, s->family->kind == LIMN_ENCODES_TEXT ? limn_model_interface(s).text_width : 0};
}

/* "clip-text", or with its width "clip-text:768" */
static bool is_called(held h, const char *asked)
{
    char name[64];
    snprintf(name, sizeof name, "%s:%d", h.family->name, h.width);
    return !strcmp(asked, h.family->name) || (h.width && !strcmp(asked, name));
}

/* Of published files; others hold one network, which is not listed.  @return how many */
static int list_held(limn_ctx *ctx, const char *file, const limn_weight_file *st, held out[MOST_HELD])
{
    limn_map map;
    limn_map_place place = {0};
    int n = 0;
    limn_status status = limn_weight_file_metadata(st, "limn.settings") ? LIMN_NOT_FOUND : LIMN_OK;
    while (status != LIMN_NOT_FOUND && status != LIMN_NO_MEMORY && n < MOST_HELD) {
        status = limn_map_detect_next(ctx, file, st, &place, &map);
        if (status == LIMN_OK) out[n++] = held_of(&map.settings);
    }
    return n;
}

/* Another one that a name does not tell from number i, and a width does. */
static bool is_ambiguous(const held *all, int n, int i)
{
    for (int k = 0; k < n; k++)
        if (all[k].family == all[i].family && all[k].width != all[i].width) return true;
    return false;
}

/* "clip-text:768, clip-text:1280, vae, ldm-unet" */
static void name_all(const held *all, int n, limn_text *out)
{
    for (int i = 0; i < n; i++) {
        limn_text_printf(out, "%s%s", i ? ", " : "", all[i].family->name);
        if (is_ambiguous(all, n, i)) limn_text_printf(out, ":%d", all[i].width);
    }
}

/* The network of a weight file, or the one of several that was asked for. */
static limn_status find_in_file(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *asked,
                                limn_settings *out)
{
    held all[MOST_HELD];
    limn_text known = {0};
    int n = list_held(ctx, file, st, all);
    bool unclear = n > 1 && !asked;
    for (int i = 0; i < n && asked; i++)
        unclear = unclear || (!strcmp(asked, all[i].family->name) && is_ambiguous(all, n, i));
    name_all(all, n, &known);
    limn_status status = unclear ? limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s holds %d networks, %s: say which with --network",
                                             file, n, known.bytes ? known.bytes : "")
                                 : limn_net_settings_among(ctx, file, st, asked, out);
    if (status == LIMN_OK && asked && !is_called(held_of(out), asked))
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "--network: %s holds no \"%.100s\" but %s", file, asked,
                           n > 1 && known.bytes ? known.bytes : out->family->name);
    limn_text_free(&known);
    return status;
}

/* Metadata limn.loss, which limn train unet writes: a word of --loss. */
static const char *trained_loss(const limn_weight_file *st, const limn_settings *s)
{
    limn_segment_kind kind;
    const char *text = limn_weight_file_metadata(st, "limn.loss");
    bool other = text && s->family->kind == LIMN_SEGMENTS && limn_segment_kind_find(text, &kind) &&
                 kind != LIMN_SEGMENT_CROSS_ENTROPY;
    return other ? limn_segment_kind_name(kind) : NULL;
}

limn_status limn_network_open(limn_ctx *ctx, const char *source, const char *family, limn_network **out)
{
    char file[1100];
    limn_weight_file *st = NULL;
    limn_status status = network_new(ctx, out);
    if (status != LIMN_OK) return status;
    status = limn_map_file(ctx, source, file);
    if (status == LIMN_OK) status = limn_weight_file_open(ctx, file, &st);
    if (status == LIMN_OK) status = find_in_file(ctx, file, st, family, &(*out)->settings);
    if (status == LIMN_OK) (*out)->loss = trained_loss(st, &(*out)->settings);
    limn_weight_file_close(st);
    return network_ready(out, status);
}

/* ---- what it is ------------------------------------------------------------------------------------------------------- */

limn_network_info limn_network_describe(const limn_network *network)
{
    const limn_settings *s = &network->settings;
    const limn_family *f = s->family;
    limn_interface net = limn_model_interface(s);
    return (limn_network_info){.kind = f->kind,
                               .family = f->name,
                               .task = f->task,
                               .input = f->input,
                               .output = f->output,
                               .loss = network->loss ? network->loss : f->loss,
                               .settings = network->text,
                               .classes = net.classes,
                               .reads_text = net.reads_ids,
                               .always_labelled = net.always_labelled,
                               .distribution = f == &limn_family_vae};
}

bool limn_network_setting_at(const limn_network *network, int i, limn_network_setting *out)
{
    const limn_setting *row = network->settings.family->settings;
    limn_settings plain;
    int n = 0;
    *out = (limn_network_setting){0};
    while (row[n].name && n <= i) n++;
    if (i < 0 || i >= n) return false;
    row += i;
    limn_settings_defaults(&plain, network->settings.family);
    *out = (limn_network_setting){.name = row->name, .help = row->help, .words = row->choices, .min = row->min,
                                  .max = row->max, .changed = !limn_setting_same(&network->settings, &plain, i)};
    switch (row->kind) {
    case LIMN_SETTING_CHOICE: out->kind = LIMN_NETWORK_WORD; break;
    case LIMN_SETTING_REAL: out->kind = LIMN_NETWORK_REAL; break;
    case LIMN_SETTING_LIST: out->kind = LIMN_NETWORK_LIST; break;
    default: out->kind = LIMN_NETWORK_NUMBER;
    }
    limn_setting_text(&network->settings, i, out->value);
    return true;
}

limn_status limn_network_build(const limn_network *network, limn_graph *g, int batch, limn_node **output)
{
    limn_ports ports;
    limn_status status = limn_model_build(g, &network->settings, (limn_build){.batch = batch}, &ports);
    if (output) *output = status == LIMN_OK ? ports.output : NULL;
    return status;
}
