/* samples.c: a grid of pictures drawn with the EMA weights while training goes on: a second plan of the same network. */
#include "train/trainer_parts.h"

#include "denoise/guidance.h"
#include "denoise/picture.h"
#include "denoise/sampler.h"
#include "file/bytes.h"
#include "file/image.h"
#include "graph/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STEPS = 20, DEFAULT_COUNT = 8, MAX_COUNT = 64 };
static const double guidance_scale = 3;

struct limn_samples {
    limn_graph *g;
    limn_ports ports;
    limn_plan *plan;
    limn_sampler *sampler;
    int n, batch;              /* pictures; rows of the plan: twice as many with guidance, the second half without condition */
    int size, channels, out_channels;
    char *prompts;             /* "a|b|c" cut at the bars, or NULL */
    const char *prompt[MAX_COUNT];
    int32_t label[MAX_COUNT];
    float *x, *output;         /* [n, size, size, channels], [batch, size, size, out_channels] */
    bool bound;
};

/* ---- planning ---------------------------------------------------------------------------------------------------------- */

static limn_status split_prompts(limn_trainer *t, limn_samples *s)
{
    s->prompts = strdup(t->o->sample_prompts);
    if (!s->prompts) return limn_fail_memory(t->ctx, strlen(t->o->sample_prompts), "prompts");
    for (char *p = s->prompts, *bar; p; p = bar) {
        if (s->n == MAX_COUNT) return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "--sample-prompts takes at most %d prompts", MAX_COUNT);
        bar = strchr(p, '|');
        if (bar) *bar++ = '\0';
        s->prompt[s->n++] = p;
    }
    return LIMN_OK;
}

/* A class by its name or its number. */
static limn_status find_label(limn_trainer *t, const char *word, int32_t *label)
{
    int classes = limn_settings_get(&t->o->settings, "classes");
    char *end, shown[256];
    for (*label = 0; *label < limn_dataset_classes(t->data); ++*label)
        if (!strcmp(limn_dataset_class(t->data, *label), word)) return LIMN_OK;
    long number = strtol(word, &end, 10);
    *label = (int32_t)number;
    if (end != word && !*end && number >= 0 && number < classes) return LIMN_OK;
    return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "--sample-prompts: \"%s\" is neither a class of the data nor a number from 0 to %d",
                     limn_escape(word, strlen(word), shown, sizeof shown), classes - 1);
}

/* As asked, else the first classes or the first captions of the data. */
static limn_status choose_prompts(limn_trainer *t, limn_samples *s)
{
    limn_status status = t->o->sample_prompts ? split_prompts(t, s) : LIMN_OK;
    int64_t has = t->net.ports.label ? limn_dataset_classes(t->data) : limn_dataset_count(t->data);
    if (!t->o->sample_prompts) s->n = has < DEFAULT_COUNT ? (int)has : DEFAULT_COUNT;
    for (int i = 0; i < s->n && status == LIMN_OK; i++) {
        if (!t->o->sample_prompts) s->prompt[i] = t->net.ports.label ? limn_dataset_class(t->data, i) : limn_dataset_caption(t->data, i);
        if (t->net.ports.label) status = find_label(t, s->prompt[i], &s->label[i]);
    }
    return status;
}

static limn_status make_sampler(limn_trainer *t, limn_samples *s)
{
    const limn_objective *o = &t->o->objective;
    bool flow = o->schedule.kind == LIMN_SCHEDULE_FLOW;
    limn_sampler_options options = limn_sampler_defaults();
    options.name = flow ? "euler" : "ddim";
    options.schedule = o->schedule, options.prediction = o->prediction, options.n_steps = STEPS;
    options.channels = s->channels, options.out_channels = s->out_channels;
    options.clip = limn_sampler_clip(&o->schedule, s->channels);
    return limn_sampler_new(t->ctx, &options, &s->sampler);
}

static limn_status make_plan(limn_trainer *t, limn_samples *s)
{
    s->g = limn_graph_new(t->ctx);
    if (!s->g) return LIMN_NO_MEMORY;
    limn_build build = {.batch = s->batch, .n_steps = limn_sampler_calls(s->sampler)};
    limn_status status = limn_model_build(s->g, &t->o->settings, build, &s->ports);
    limn_plan_options options = {.precision = t->o->precision};
    return status == LIMN_OK ? limn_plan_new(s->g, 1, &s->ports.output, &options, &s->plan) : status;
}

static limn_status make_buffers(limn_trainer *t, limn_samples *s)
{
    size_t pixels = (size_t)s->size * (size_t)s->size;
    s->x = malloc((size_t)s->n * pixels * (size_t)s->channels * sizeof *s->x);
    s->output = malloc((size_t)s->batch * pixels * (size_t)s->out_channels * sizeof *s->output);
    return s->x && s->output ? LIMN_OK : limn_fail_memory(t->ctx, (size_t)s->batch * pixels * 4, "samples");
}

limn_status limn_samples_new(limn_trainer *t, limn_samples **out)
{
    const limn_settings *set = &t->o->settings;
    *out = NULL;
    limn_samples *s = calloc(1, sizeof *s);
    if (!s) return limn_fail_memory(t->ctx, sizeof *s, "samples");
    s->size = limn_settings_get(set, "size"), s->channels = limn_settings_get(set, "channels");
    s->out_channels = s->channels * (limn_settings_get(set, "learn_sigma") ? 2 : 1);
    limn_status status = choose_prompts(t, s);
    if (status == LIMN_OK && s->channels != 1 && s->channels != 3 && s->channels != 4)
        status = limn_fail(t->ctx, LIMN_UNSUPPORTED, "--sample-every: %d channels are a latent, not a picture", s->channels);
    if (status == LIMN_OK && t->net.ports.condition)
        status = limn_fail(t->ctx, LIMN_UNSUPPORTED, "--sample-every: a network that enlarges draws nothing without small pictures; try it with limn upscale");
    bool guided = (t->net.ports.ids || t->net.ports.label) && t->o->drop > 0 && !limn_settings_get(set, "always_labelled"); /* without dropout the network never saw "no condition" */
    s->batch = s->n * (guided ? 2 : 1);
    if (status == LIMN_OK) status = make_sampler(t, s);
    if (status == LIMN_OK) status = make_plan(t, s);
    if (status == LIMN_OK) status = make_buffers(t, s);
    if (status == LIMN_OK) *out = s;
    else limn_samples_free(s);
    return status;
}

void limn_samples_free(limn_samples *s)
{
    if (!s) return;
    limn_plan_free(s->plan);
    limn_graph_free(s->g);
    limn_sampler_free(s->sampler);
    free(s->prompts);
    free(s->x);
    free(s->output);
    free(s);
}

size_t limn_samples_bytes(const limn_samples *s)
{
    limn_plan_size size = limn_plan_sizes(s->plan);
    size_t pixels = (size_t)s->size * (size_t)s->size;
    return size.activation_bytes + size.scratch_bytes + size.packed_bytes +
           pixels * 4 * ((size_t)s->n * (size_t)s->channels + (size_t)s->batch * (size_t)s->out_channels);
}

/* ---- what does not change from one grid to the next -------------------------------------------------------------------- */

static limn_status set_conditions(limn_trainer *t, limn_samples *s)
{
    int32_t *ids = s->ports.ids ? limn_plan_data(s->plan, s->ports.ids) : NULL, *end = ids ? limn_plan_data(s->plan, s->ports.text_end) : NULL;
    int32_t *label = s->ports.label ? limn_plan_data(s->plan, s->ports.label) : NULL;
    int length = ids ? (int)limn_node_shape(s->ports.ids).dim[1] : 0, classes = limn_settings_get(&t->o->settings, "classes"), used;
    limn_status status = LIMN_OK;
    for (int b = 0; b < s->batch && status == LIMN_OK; b++) {
        const char *prompt = b < s->n ? s->prompt[b] : "";
        if (label) label[b] = b < s->n ? s->label[b] : classes;
        if (!ids) continue;
        status = limn_clip_bpe_encode(t->ctx, t->bpe, prompt, strlen(prompt), length, ids + (ptrdiff_t)b * length, &used, NULL);
        if (end) end[b] = b * length + used - 1;
    }
    return status;
}

static limn_status bind(limn_trainer *t, limn_samples *s)
{
    void *data;
    limn_status status = limn_weights_bind(t->ctx, &t->weights, t->ema, s->g, s->plan);
    if (status == LIMN_OK) status = limn_plan_data_of(s->plan, s->ports.timesteps, &data);
    float *times = status == LIMN_OK ? data : NULL;
    for (int k = 0; times && k < limn_sampler_calls(s->sampler); k++) times[k] = (float)limn_sampler_timestep(s->sampler, k);
    if (status == LIMN_OK) status = set_conditions(t, s);
    s->bound = status == LIMN_OK;
    return status;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------------- */

static limn_status call(limn_samples *s, int k)
{
    size_t pixels = (size_t)s->size * (size_t)s->size, size = pixels * (size_t)s->channels, out_size = pixels * (size_t)s->out_channels;
    float *image = limn_plan_data(s->plan, s->ports.image);
    int32_t step = k;
    limn_sampler_input(s->sampler, k, s->x, image);
    if (s->batch > s->n) memcpy(image + (size_t)s->n * size, image, (size_t)s->n * size * sizeof *image);
    limn_plan_touch(s->plan, s->ports.image);
    limn_status status = limn_plan_set(s->plan, s->ports.step, LIMN_I32, &step);
    if (status == LIMN_OK) status = limn_plan_run(s->plan);
    if (status == LIMN_OK) status = limn_plan_get(s->plan, s->ports.output, LIMN_F32, s->output);
    if (status != LIMN_OK) return status;
    if (s->batch > s->n)
        limn_guidance_combine(s->output, s->output + (size_t)s->n * out_size, (size_t)s->n * pixels, s->out_channels, s->channels, guidance_scale, s->output);
    limn_sampler_step(s->sampler, k, s->output, s->x);
    return LIMN_OK;
}

static limn_status sample(limn_trainer *t, limn_samples *s)
{
    limn_picture_seed seeds[MAX_COUNT];
    for (int i = 0; i < s->n; i++) seeds[i] = (limn_picture_seed){t->o->seed, (uint64_t)i};
    limn_status status = limn_sampler_begin(t->ctx, s->sampler, s->n, (size_t)s->size * (size_t)s->size * (size_t)s->channels, seeds);
    if (status != LIMN_OK) return status;
    limn_sampler_start(s->sampler, NULL, s->x);
    for (int p = 0; p < s->g->n_parameters; p++) limn_plan_touch(s->plan, s->g->parameters[p]); /* the EMA moved on */
    for (int k = 0; k < limn_sampler_calls(s->sampler) && status == LIMN_OK; k++) status = call(s, k);
    return status;
}

/* Picture i into its place of the grid. */
static limn_status place(limn_trainer *t, const limn_samples *s, int i, int columns, limn_image *grid)
{
    limn_image one;
    size_t row = (size_t)s->size * (size_t)s->channels;
    limn_status status = limn_picture_bytes(t->ctx, s->size, s->size, s->channels, s->x + (size_t)i * (size_t)s->size * row, &one);
    if (status != LIMN_OK) return status;
    uint8_t *to = grid->pixels + (size_t)(i / columns * s->size) * (size_t)grid->width * (size_t)s->channels + (size_t)(i % columns) * row;
    for (int y = 0; y < s->size; y++, to += (size_t)grid->width * (size_t)s->channels) memcpy(to, one.pixels + (size_t)y * row, row);
    limn_image_free(&one);
    return LIMN_OK;
}

static limn_status make_folder(limn_trainer *t, char path[1200])
{
    snprintf(path, 1200, "%s/samples", t->o->out);
    return mkdir(path, 0777) == 0 || errno == EEXIST ? LIMN_OK : limn_fail(t->ctx, LIMN_IO, "%s: %s", path, strerror(errno));
}

limn_status limn_samples_save(limn_trainer *t, const limn_image *grid)
{
    char path[1200];
    unsigned char *png;
    size_t n;
    limn_status status = make_folder(t, path);
    snprintf(path, sizeof path, "%s/samples/step-%06lld.png", t->o->out, (long long)t->step);
    if (status == LIMN_OK) status = limn_png_write(t->ctx, path, grid, NULL);
    if (status == LIMN_OK) status = limn_file_read(t->ctx, path, (size_t)1 << 30, &png, &n);
    if (status != LIMN_OK) return status;
    limn_tensorboard_image(t->events, t->step, "samples", grid->width, grid->height, grid->channels, png, n);
    free(png);
    return LIMN_OK;
}

static limn_status save_grid(limn_trainer *t, const limn_samples *s)
{
    int columns = 1;
    while (columns * columns < s->n) columns++;
    int rows = (s->n + columns - 1) / columns;
    limn_image grid = {.width = columns * s->size, .height = rows * s->size, .channels = s->channels};
    grid.pixels = calloc((size_t)grid.width * (size_t)grid.height, (size_t)s->channels);
    if (!grid.pixels) return limn_fail_memory(t->ctx, (size_t)grid.width * (size_t)grid.height * (size_t)grid.channels, "a grid");
    limn_status status = LIMN_OK;
    for (int i = 0; i < s->n && status == LIMN_OK; i++) status = place(t, s, i, columns, &grid);
    if (status == LIMN_OK) status = limn_samples_save(t, &grid);
    limn_image_free(&grid);
    return status;
}

limn_status limn_samples_draw(limn_trainer *t, limn_samples *s)
{
    limn_status status = s->bound ? LIMN_OK : bind(t, s);
    if (status == LIMN_OK) status = sample(t, s);
    return status == LIMN_OK ? save_grid(t, s) : status;
}
