/* segment.c: a segmentation network opened, and pictures through it. */
#include "pipeline/segment.h"

#include "file/image.h"
#include "model/map/map.h"
#include "net/segmenter.h"
#include "data/classes.h"
#include "net/open.h"

#include <stdlib.h>
#include <string.h>

struct limn_segmentation {
    limn_ctx *ctx;
    char file[1100];
    limn_settings settings;
    limn_weight_file *st;
    limn_segmenter *segmenter;
    limn_arena *arena;
    const char *const *class_name; /* [classes]; NULL: the file names none */
    limn_range range;          /* as trained */
};

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

/* Metadata limn.classes. */
static limn_status read_names(limn_segmentation *s)
{
    const char *text = limn_weight_file_metadata(s->st, "limn.classes");
    int n = limn_segmenter_classes(s->segmenter), found;
    if (!text || !*text) return LIMN_OK;
    limn_status status = limn_class_names_read(s->ctx, s->arena, text, &s->class_name, &found);
    if (status != LIMN_OK || found == n) return status;
    return limn_fail(s->ctx, LIMN_BAD_FILE, "%s: metadata limn.classes names %d classes, the network tells %d apart",
                     s->file, found, n);
}

/* Metadata limn.range, and where that is auto limn.range_rule, what it meant for the files learned from.  Models of older
 * versions lack one or both. */
static limn_status read_range(limn_segmentation *s)
{
    const char *text = limn_weight_file_metadata(s->st, "limn.range"),
               *rule = limn_weight_file_metadata(s->st, "limn.range_rule");
    char shown[256];
    if (text && !limn_range_parse(text, &s->range))
        return limn_fail(s->ctx, LIMN_BAD_FILE,
                         "%s: metadata limn.range is \"%s\", expected auto, minmax, percentiles or two numbers", s->file,
                         limn_escape(text, strlen(text), shown, sizeof shown));
    if (!rule || s->range.kind != LIMN_RANGE_AUTO) return LIMN_OK;
    if (strcmp(rule, "bytes") != 0 && strcmp(rule, "percentiles") != 0)
        return limn_fail(s->ctx, LIMN_BAD_FILE, "%s: metadata limn.range_rule is \"%s\", expected bytes or percentiles",
                         s->file, limn_escape(rule, strlen(rule), shown, sizeof shown));
    s->range.kind = strcmp(rule, "bytes") == 0 ? LIMN_RANGE_BYTES : LIMN_RANGE_PERCENTILES;
    return LIMN_OK;
}

static limn_status set_tile(limn_segmentation *s, int tile)
{
    char size[32];
    if (!tile) return LIMN_OK;
    snprintf(size, sizeof size, "size=%d height=0", tile);
    return limn_settings_apply(s->ctx, &s->settings, size);
}

static limn_status plan(limn_segmentation *s, const limn_segmentation_options *o)
{
    if (s->settings.family->kind != LIMN_SEGMENTS)
        return limn_fail(s->ctx, LIMN_UNSUPPORTED,
                         "%s: holds a %s (%s), expected a network that tells classes of pixels apart (unet)", s->file,
                         s->settings.family->name, s->settings.family->task);
    limn_status status = set_tile(s, o->tile);
    limn_segmenter_options options = {.overlap = o->overlap, .views = o->views, .precision = o->precision};
    limn_source *weights;
    limn_net *net = NULL;
    if (status == LIMN_OK) status = limn_map_source(s->ctx, s->file, s->st, &weights);
    if (status == LIMN_OK) status = limn_net_new(s->ctx, &s->settings, weights, s->file, &net);
    if (status == LIMN_OK) status = limn_segmenter_new(s->ctx, net, &options, &s->segmenter);
    if (!s->segmenter) limn_net_free(net);
    if (status == LIMN_BAD_ARGUMENT && o->tile) status = limn_fail_in(s->ctx, status, "a tile of %d pixels", o->tile);
    if (status == LIMN_OK && limn_segmenter_classes(s->segmenter) > LIMN_MAX_CLASSES)
        status = limn_fail(s->ctx, LIMN_UNSUPPORTED, "%s: tells %d classes apart, at most %d fit a mask", s->file,
                           limn_segmenter_classes(s->segmenter), LIMN_MAX_CLASSES);
    if (status == LIMN_OK) status = read_names(s);
    if (status == LIMN_OK) status = read_range(s);
    return status == LIMN_OK ? limn_segmenter_begin(s->ctx, s->segmenter) : status;
}

limn_status limn_segmentation_open(limn_ctx *ctx, const char *source, const limn_segmentation_options *options,
                                   limn_segmentation **out)
{
    static const limn_segmentation_options none;
    *out = NULL;
    if (strlen(source) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path of the model is longer than 1000 bytes");
    limn_segmentation *s = calloc(1, sizeof *s);
    if (!s || !(s->arena = limn_arena_new())) {
        free(s);
        return limn_fail_memory(ctx, sizeof *s, "a segmentation");
    }
    s->ctx = ctx;
    limn_status status = limn_map_file(ctx, source, s->file);
    if (status == LIMN_OK) status = limn_net_open(ctx, s->file, NULL, &s->st, &s->settings);
    if (status == LIMN_OK) status = plan(s, options ? options : &none);
    if (status == LIMN_OK) *out = s;
    else limn_segmentation_free(s);
    return status;
}

void limn_segmentation_free(limn_segmentation *s)
{
    if (!s) return;
    limn_segmenter_free(s->segmenter);
    limn_weight_file_close(s->st);
    limn_arena_free(s->arena);
    free(s);
}

limn_segmentation_info limn_segmentation_describe(const limn_segmentation *s)
{
    limn_interface net = limn_model_interface(&s->settings);
    return (limn_segmentation_info){.network = s->settings.family->name,
                                    .tile_width = net.width,
                                    .tile_height = net.height,
                                    .channels = limn_segmenter_channels(s->segmenter),
                                    .classes = limn_segmenter_classes(s->segmenter),
                                    .class_name = s->class_name};
}

limn_ctx *limn_segmentation_ctx(const limn_segmentation *s)
{
    return s->ctx;
}

const char *limn_segmentation_file(const limn_segmentation *s)
{
    return s->file;
}

limn_range limn_segmentation_range(const limn_segmentation *s)
{
    return s->range;
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

static limn_status check(const limn_segmentation *s, int width, int height, int channels, bool probability)
{
    int wanted = limn_segmenter_channels(s->segmenter), k = limn_segmenter_classes(s->segmenter);
    if (channels != wanted && (channels < 1 || channels > 4 || (wanted != 1 && wanted != 3)))
        return limn_fail(s->ctx, LIMN_BAD_ARGUMENT, "the network reads pictures of %d channels, found %d", wanted, channels);
    limn_status status = limn_image_check(s->ctx, "a picture", (uint32_t)width, (uint32_t)height, 1);
    size_t n = (size_t)width * (size_t)height * sizeof(float), need = n * (size_t)(wanted + (probability ? 0 : k) + 1),
           has = limn_memory_available();
    if (status == LIMN_OK && has && need > has)
        return limn_fail(s->ctx, LIMN_NO_MEMORY, "%d classes of %d x %d pixels need %.0f MB, %.0f are available", k, width,
                         height, (double)need * 1e-6, (double)has * 1e-6);
    return status;
}

limn_status limn_segment_values(limn_segmentation *s, int width, int height, int channels, const float *values,
                                uint8_t *classes, float *probability)
{
    int wanted = limn_segmenter_channels(s->segmenter), k = limn_segmenter_classes(s->segmenter);
    limn_status status = check(s, width, height, channels, probability != NULL);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)width * (size_t)height;
    float *image = malloc(n * (size_t)wanted * sizeof *image),
          *own = probability ? NULL : malloc(n * (size_t)k * sizeof *own), *p = own ? own : probability;
    if (!image || !p) status = limn_fail_memory(s->ctx, n * (size_t)(wanted + k) * sizeof *image, "a picture");
    for (size_t i = 0; status == LIMN_OK && i < n; i++)
        limn_raster_pixel(channels, values + i * (size_t)channels, wanted, image + i * (size_t)wanted);
    if (status == LIMN_OK) status = limn_segmenter_run(s->ctx, s->segmenter, width, height, image, p);
    if (status == LIMN_OK) limn_segmenter_classify(n, k, p, classes);
    free(image);
    free(own);
    return status;
}

limn_status limn_segment(limn_segmentation *s, const limn_image *image, limn_image *classes, float *probability)
{
    size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    *classes = (limn_image){0};
    limn_status status = check(s, image->width, image->height, image->channels, probability != NULL);
    if (status == LIMN_OK)
        status = limn_image_new(s->ctx, "a mask", (uint32_t)image->width, (uint32_t)image->height, 1, classes);
    if (status != LIMN_OK) return status;
    limn_raster r = {0};
    limn_range range = s->range;
    status = limn_raster_new(s->ctx, "a picture", image->width, image->height, 1, image->channels, 0, &r);
    for (size_t i = 0; status == LIMN_OK && i < n; i++) r.values[i] = (float)image->pixels[i];
    r.limit = 255;
    if (status == LIMN_OK) status = limn_raster_scale(s->ctx, "a picture", &r, &range);
    if (status == LIMN_OK)
        status =
            limn_segment_values(s, image->width, image->height, image->channels, r.values, classes->pixels, probability);
    limn_raster_free(&r);
    if (status != LIMN_OK) limn_image_free(classes);
    return status;
}

limn_status limn_segment_raster(limn_segmentation *s, const limn_raster *r, uint8_t *classes, int n_kept,
                                const limn_kept_class *kept)
{
    size_t n = (size_t)r->width * (size_t)r->height, k = (size_t)limn_segmenter_classes(s->segmenter);
    limn_status status = check(s, r->width, r->height, r->channels, false);
    if (status != LIMN_OK) return status;
    float *p = n_kept ? malloc(n * k * sizeof *p) : NULL;
    if (n_kept && !p) return limn_fail_memory(s->ctx, n * k * sizeof *p, "probabilities");
    for (int z = 0; z < r->slices && status == LIMN_OK; z++) {
        size_t at = (size_t)z * n;
        status =
            limn_segment_values(s, r->width, r->height, r->channels, r->values + at * (size_t)r->channels, classes + at, p);
        for (int j = 0; j < n_kept && status == LIMN_OK; j++)
            for (size_t i = 0; i < n; i++) kept[j].p[at + i] = p[i * k + (size_t)kept[j].k];
        if (status == LIMN_OK && r->slices > 1 && !limn_progress(s->ctx, "slice", z + 1, r->slices))
            status = limn_fail(s->ctx, LIMN_CANCELLED, "stopped");
    }
    free(p);
    return status;
}
