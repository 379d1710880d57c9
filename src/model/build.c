/* build.c: settings, and the sides of a picture, to a graph: what goes together, and the nearest side that does. */
#include "graph/node.h"
#include "model/blocks.h"

#include <limits.h>
#include <string.h>

const char *limn_model_side(const limn_settings *s, int pixels)
{
    return s->family->side ? s->family->side(s->config, pixels) : NULL;
}

enum { FARTHEST = 16384 }; /* pixels away that the nearest side is looked for */

/* Would this side do?  size: it is the setting "size", from which more may follow. */
static bool can_be(const limn_settings *s, bool size, int64_t pixels)
{
    limn_settings with = *s;
    if (pixels < 1 || pixels > INT_MAX) return false;
    if (size && !limn_settings_put_size(&with, (int)pixels)) return false;
    return !limn_model_side(&with, (int)pixels);
}

/* Of two that are as near, the larger.  @return 0: none is near */
static int nearest_side(const limn_settings *s, bool size, int pixels)
{
    for (int away = 1; away <= FARTHEST; away++) {
        if (can_be(s, size, (int64_t)pixels + away)) return pixels + away;
        if (can_be(s, size, (int64_t)pixels - away)) return pixels - away;
    }
    return 0;
}

/* what: "size", or the picture's side. */
static limn_status check_side(limn_ctx *ctx, const limn_settings *s, const char *what, int pixels)
{
    char nearest[64] = "";
    if (!s->family->side) return LIMN_OK;
    if (pixels < 1)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s must be at least 1, found %d", s->family->name, what, pixels);
    const char *must_be = limn_model_side(s, pixels);
    if (!must_be) return LIMN_OK;
    int n = nearest_side(s, strcmp(what, "size") == 0, pixels);
    if (n) snprintf(nearest, sizeof nearest, "; the nearest is %d", n);
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s must be %s, found %d%s", s->family->name, what, must_be, pixels,
                     nearest);
}

limn_status limn_settings_check(limn_ctx *ctx, const limn_settings *s)
{
    limn_status status = limn_settings_check_lists(ctx, s);
    if (status != LIMN_OK) return status;
    const char *wrong = s->family->check ? s->family->check(s->config) : NULL;
    if (wrong) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s", s->family->name, wrong);
    limn_interface net = limn_model_interface(s);
    status = check_side(ctx, s, "size", net.width);
    return status == LIMN_OK && net.height != net.width ? check_side(ctx, s, "height", net.height) : status;
}

static limn_status check_left_out(limn_ctx *ctx, const limn_settings *s, uint64_t left_out)
{
    int blocks = limn_model_interface(s).blocks, i = 63;
    while (i >= blocks && !(left_out >> i & 1)) i--;
    if (i < blocks) return LIMN_OK;
    return blocks ? limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: block %d cannot be left out, of blocks 0 to %d", s->family->name,
                              i, blocks - 1)
                  : limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: no block of a network of these settings can be left out",
                              s->family->name);
}

/* A side of 0 is that of the settings. */
static limn_status check_picture(limn_ctx *ctx, const limn_settings *s, limn_build b)
{
    int64_t size = limn_model_interface(s).width;
    limn_status status = b.height ? check_side(ctx, s, "the height of the picture", b.height) : LIMN_OK;
    if (status == LIMN_OK && b.width) status = check_side(ctx, s, "the width of the picture", b.width);
    int64_t height = b.height ? b.height : size, width = b.width ? b.width : size;
    if (status != LIMN_OK || !s->family->learned_places || height == width || height * width != size * size) return status;
    return limn_fail(
        ctx, LIMN_BAD_ARGUMENT,
        "%s: %d rows of %d pixels are as many as %d x %d, for which the places were learned, and would be taken for these; "
        "choose other sides",
        s->family->name, (int)height, (int)width, (int)size, (int)size);
}

limn_status limn_model_build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    *ports = (limn_ports){0};
    limn_status status = limn_settings_check(g->ctx, s);
    if (status == LIMN_OK) status = check_picture(g->ctx, s, b);
    if (status == LIMN_OK) status = check_left_out(g->ctx, s, b.left_out);
    if (status != LIMN_OK) return status;
    if (b.batch < 1) return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "the batch must be at least 1, found %d", b.batch);
    limn_interface net = limn_model_interface(s);
    if (!b.height) b.height = net.height;
    if (!b.width) b.width = net.width;
    if (b.part == LIMN_PART_TEXT && s->family->kind != LIMN_ENCODES_TEXT) {
        if (!net.text_encoder)
            return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "%s: there is no text encoder in a network of these settings",
                             s->family->name);
        ports->output = ports->features = limn_text_features(g, net.text_encoder, b, ports);
    } else s->family->build(g, s->config, b, ports);
    return limn_graph_status(g);
}
