/* samples.c: a grid of pictures drawn with the EMA weights while training goes on: a second network of the same settings. */
#include "train/denoising.h"

#include "denoise/guidance.h"
#include "denoise/picture.h"
#include "denoise/sampler.h"
#include "file/image.h"
#include "graph/node.h"
#include "data/classes.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS = 20, DEFAULT_COUNT = 8, MAX_COUNT = 64 };
static const double guidance_scale = 3;

struct limn_samples {
    limn_net *net;             /* with the EMA weights */
    limn_net_shape shape;
    limn_job job;
    size_t plan_bytes;
    limn_sampler *sampler;
    int n, batch; /* pictures; rows of the plan: twice as many with guidance, the second half without condition */
    int size, channels, out_channels;
    char *prompts;             /* "a|b|c" cut at the bars, or NULL */
    const char *prompt[MAX_COUNT];
    int32_t label[MAX_COUNT];
    float *x, *input,
        *output; /* [n, size, size, channels], [batch, size, size, channels], [batch, size, size, out_channels] */
};

/* ---- planning --------------------------------------------------------------------------------------------------------- */

static limn_status split_prompts(limn_trainer *t, limn_samples *s)
{
    s->prompts = strdup(t->o->sample_prompts);
    if (!s->prompts) return limn_fail_memory(t->ctx, strlen(t->o->sample_prompts), "prompts");
    for (char *p = s->prompts, *bar; p; p = bar) {
        if (s->n == MAX_COUNT)
            return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "--sample-prompts takes at most %d prompts", MAX_COUNT);
        bar = strchr(p, '|');
        if (bar) *bar++ = '\0';
        s->prompt[s->n++] = p;
    }
    return LIMN_OK;
}

static limn_status find_label(limn_trainer *t, const char *word, int32_t *label)
{
    const limn_denoising *d = t->state;
    int classes = limn_model_interface(&t->settings).classes;
    char shown[256];
    limn_class_word found =
        limn_class_find(limn_dataset_class_names(d->data), limn_dataset_classes(d->data), classes - 1, word);
    *label = found.class;
    limn_class_tell(t->ctx, "--sample-prompts", word, found);
    if (found.class >= 0) return LIMN_OK;
    return limn_fail(t->ctx, LIMN_BAD_ARGUMENT,
                     "--sample-prompts: \"%s\" is neither a class of the data nor a number from 0 to %d",
                     limn_escape(word, strlen(word), shown, sizeof shown), classes - 1);
}

/* As asked, else the first classes or the first captions of the data. */
static limn_status choose_prompts(limn_trainer *t, limn_samples *s)
{
    const limn_denoising *d = t->state;
    limn_status status = t->o->sample_prompts ? split_prompts(t, s) : LIMN_OK;
    bool asked = t->o->sample_prompts != NULL;
    int64_t has = t->net.ports.label ? limn_dataset_classes(d->data) : limn_dataset_count(d->data);
    if (!asked) s->n = has < DEFAULT_COUNT ? (int)has : DEFAULT_COUNT;
    for (int i = 0; i < s->n && status == LIMN_OK; i++) {
        s->label[i] = i;
        if (!asked) s->prompt[i] = t->net.ports.label ? limn_dataset_class(d->data, i) : limn_dataset_caption(d->data, i);
        else if (t->net.ports.label) status = find_label(t, s->prompt[i], &s->label[i]);
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
    limn_source *ema;
    limn_net_size size;
    s->shape = (limn_net_shape){.batch = s->batch, .n_times = limn_sampler_calls(s->sampler), .precision = t->o->precision};
    limn_status status = limn_weights_source(t->ctx, &t->weights, &t->shown, &ema);
    if (status == LIMN_OK) status = limn_net_new(t->ctx, &t->settings, ema, NULL, &s->net);
    if (status == LIMN_OK) status = limn_net_measure(t->ctx, s->net, &s->shape, &size);
    if (status == LIMN_OK) s->plan_bytes = size.activations + size.weights;
    return status;
}

static limn_status make_buffers(limn_trainer *t, limn_samples *s)
{
    size_t pixels = (size_t)s->size * (size_t)s->size, rows = (size_t)s->batch;
    s->x = malloc((size_t)s->n * pixels * (size_t)s->channels * sizeof *s->x);
    s->input = malloc(rows * pixels * (size_t)s->channels * sizeof *s->input);
    s->output = malloc(rows * pixels * (size_t)s->out_channels * sizeof *s->output);
    return s->x && s->input && s->output
               ? LIMN_OK
               : limn_fail_memory(t->ctx, rows * pixels * (size_t)(2 * s->channels + s->out_channels) * sizeof *s->x,
                                  "samples");
}

limn_status limn_samples_new(limn_trainer *t, limn_samples **out)
{
    const limn_settings *set = &t->settings;
    *out = NULL;
    limn_samples *s = calloc(1, sizeof *s);
    if (!s) return limn_fail_memory(t->ctx, sizeof *s, "samples");
    s->size = limn_model_interface(set).width, s->channels = limn_model_interface(set).channels;
    s->out_channels = s->channels * (limn_model_interface(set).learned_variance ? 2 : 1);
    limn_status status = choose_prompts(t, s);
    if (status == LIMN_OK && s->channels != 1 && s->channels != 3 && s->channels != 4)
        status = limn_fail(t->ctx, LIMN_UNSUPPORTED, "--sample-every: %d channels are a latent, not a picture", s->channels);
    if (status == LIMN_OK && t->net.ports.condition)
        status = limn_fail(
            t->ctx, LIMN_UNSUPPORTED,
            "--sample-every: a network that enlarges draws nothing without small pictures; try it with limn upscale");
    bool guided = (t->net.ports.ids || t->net.ports.label) && t->o->drop > 0 &&
                  !limn_model_interface(set).always_labelled; /* without dropout the network never saw "no condition" */
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
    limn_job_end(&s->job);
    limn_net_free(s->net);
    limn_sampler_free(s->sampler);
    free(s->prompts);
    free(s->x);
    free(s->input);
    free(s->output);
    free(s);
}

size_t limn_samples_bytes(const limn_samples *s)
{
    size_t pixels = (size_t)s->size * (size_t)s->size;
    return s->plan_bytes +
           pixels * sizeof(float) *
               ((size_t)(s->n + s->batch) * (size_t)s->channels + (size_t)s->batch * (size_t)s->out_channels);
}

/* ---- what does not change from one grid to the next ------------------------------------------------------------------- */

static limn_status set_text(limn_trainer *t, limn_samples *s)
{
    const limn_denoising *d = t->state;
    const limn_ports *ports = s->job.ports;
    int length = (int)limn_node_shape(ports->ids).dim[1], used;
    int32_t *ids = malloc((size_t)s->batch * (size_t)(length + 1) * sizeof *ids), *end = ids + (ptrdiff_t)s->batch * length;
    limn_status status =
        ids ? LIMN_OK : limn_fail_memory(t->ctx, (size_t)s->batch * (size_t)(length + 1) * sizeof *ids, "prompts");
    for (int b = 0; b < s->batch && status == LIMN_OK; b++) {
        const char *prompt = b < s->n ? s->prompt[b] : "";
        status =
            limn_clip_bpe_encode(t->ctx, d->bpe, prompt, strlen(prompt), length, ids + (ptrdiff_t)b * length, &used, NULL);
        end[b] = b * length + used - 1;
    }
    if (status == LIMN_OK) status = limn_run_write(s->job.run, ports->ids, LIMN_I32, ids);
    if (status == LIMN_OK && ports->text_end) status = limn_run_write(s->job.run, ports->text_end, LIMN_I32, end);
    free(ids);
    return status;
}

static limn_status set_labels(limn_trainer *t, limn_samples *s)
{
    int32_t label[2 * MAX_COUNT];
    for (int b = 0; b < s->batch; b++) label[b] = b < s->n ? s->label[b] : limn_model_interface(&t->settings).classes;
    return limn_run_write(s->job.run, s->job.ports->label, LIMN_I32, label);
}

static limn_status set_timesteps(limn_trainer *t, limn_samples *s)
{
    float *times = calloc((size_t)s->job.n_times, sizeof *times);
    if (!times) return limn_fail_memory(t->ctx, (size_t)s->job.n_times * sizeof *times, "timesteps");
    for (int k = 0; k < limn_sampler_calls(s->sampler); k++) times[k] = (float)limn_sampler_timestep(s->sampler, k);
    limn_status status = limn_run_write(s->job.run, s->job.ports->timesteps, LIMN_F32, times);
    free(times);
    return status;
}

/* The first time all of it; later the EMA has moved on, and no more. */
static limn_status begin(limn_trainer *t, limn_samples *s)
{
    if (s->job.run) return limn_net_refresh(t->ctx, &s->job);
    limn_status status = limn_job_begin(t->ctx, s->net, &s->shape, 0, &s->job);
    if (status == LIMN_OK) status = set_timesteps(t, s);
    if (status == LIMN_OK && s->job.ports->ids) status = set_text(t, s);
    if (status == LIMN_OK && s->job.ports->label) status = set_labels(t, s);
    if (status != LIMN_OK) limn_job_end(&s->job);
    return status;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------------- */

static limn_status call(limn_samples *s, int k)
{
    const limn_job *job = &s->job;
    size_t pixels = (size_t)s->size * (size_t)s->size, size = pixels * (size_t)s->channels,
           out_size = pixels * (size_t)s->out_channels;
    int32_t step = k;
    limn_sampler_input(s->sampler, k, s->x, s->input);
    if (s->batch > s->n) memcpy(s->input + (size_t)s->n * size, s->input, (size_t)s->n * size * sizeof *s->input);
    limn_status status = limn_run_write(job->run, job->ports->image, LIMN_F32, s->input);
    if (status == LIMN_OK) status = limn_run_write(job->run, job->ports->step, LIMN_I32, &step);
    if (status == LIMN_OK) status = limn_run_execute(job->run);
    if (status == LIMN_OK) status = limn_run_read(job->run, job->ports->output, LIMN_F32, s->output);
    if (status != LIMN_OK) return status;
    if (s->batch > s->n)
        limn_guidance_combine(s->output, s->output + (size_t)s->n * out_size, (size_t)s->n * pixels, s->out_channels,
                              s->channels, guidance_scale, s->output);
    limn_sampler_step(s->sampler, k, s->output, s->x);
    return LIMN_OK;
}

static limn_status sample(limn_trainer *t, limn_samples *s)
{
    limn_picture_seed seeds[MAX_COUNT];
    for (int i = 0; i < s->n; i++) seeds[i] = (limn_picture_seed){t->o->seed, (uint64_t)i};
    limn_status status =
        limn_sampler_begin(t->ctx, s->sampler, s->n, (size_t)s->size * (size_t)s->size * (size_t)s->channels, seeds);
    if (status != LIMN_OK) return status;
    limn_sampler_start(s->sampler, NULL, s->x);
    for (int k = 0; k < limn_sampler_calls(s->sampler) && status == LIMN_OK; k++)
        status = limn_progress(t->ctx, "sample", k, limn_sampler_calls(s->sampler))
                     ? call(s, k) : limn_fail(t->ctx, LIMN_CANCELLED, "stopped while samples were drawn");
    return status;
}

/* Picture i into its place of the grid. */
static limn_status place(limn_trainer *t, const limn_samples *s, int i, int columns, limn_image *grid)
{
    limn_image one;
    size_t row = (size_t)s->size * (size_t)s->channels;
    limn_status status =
        limn_picture_bytes(t->ctx, s->size, s->size, s->channels, s->x + (size_t)i * (size_t)s->size * row, &one);
    if (status != LIMN_OK) return status;
    uint8_t *to = grid->pixels + (size_t)(i / columns * s->size) * (size_t)grid->width * (size_t)s->channels +
                  (size_t)(i % columns) * row;
    for (int y = 0; y < s->size; y++, to += (size_t)grid->width * (size_t)s->channels)
        memcpy(to, one.pixels + (size_t)y * row, row);
    limn_image_free(&one);
    return LIMN_OK;
}

static limn_status save_grid(limn_trainer *t, const limn_samples *s)
{
    int columns = 1;
    while (columns * columns < s->n) columns++;
    int rows = (s->n + columns - 1) / columns;
    limn_image grid = {.width = columns * s->size, .height = rows * s->size, .channels = s->channels};
    grid.pixels = calloc((size_t)grid.width * (size_t)grid.height, (size_t)s->channels);
    if (!grid.pixels)
        return limn_fail_memory(t->ctx, (size_t)grid.width * (size_t)grid.height * (size_t)grid.channels, "a grid");
    limn_status status = LIMN_OK;
    for (int i = 0; i < s->n && status == LIMN_OK; i++) status = place(t, s, i, columns, &grid);
    if (status == LIMN_OK) status = limn_trainer_log_picture(t, &grid);
    limn_image_free(&grid);
    return status;
}

limn_status limn_samples_draw(limn_trainer *t, limn_samples *s)
{
    limn_status status = begin(t, s);
    if (status == LIMN_OK) status = sample(t, s);
    return status == LIMN_OK ? save_grid(t, s) : status;
}
