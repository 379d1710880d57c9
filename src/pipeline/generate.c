/* generate.c: text or label -> network -> sampler -> pictures.  With guidance the batch is doubled: the first half sees the prompt,
 * the second the negative prompt (or no label). */
#include "pipeline/generate.h"

#include "denoise/enlarge.h"
#include "denoise/guidance.h"
#include "denoise/picture.h"
#include "graph/node.h"
#include "pipeline/autoencoder.h"
#include "pipeline/start.h"
#include "train/finite.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 1000, MAX_PICTURES = 65536, TOGETHER = 16 };

/* One call of limn_generate(): pictures first .. first + n - 1 are under way. */
typedef struct job {
    limn_pipeline *p;
    const limn_generate_options *o;
    limn_sampler *sampler;
    bool guided;
    int channels, out_channels, guided_channels;
    size_t size, out_size; /* floats of a picture, of an output */
    limn_start start;
    int n, first;
    int64_t done, total;   /* calls of the network */
    float *x, *output;     /* [n, size], [n or 2n, out_size] */
} job;

limn_generate_options limn_generate_defaults(void)
{
    return (limn_generate_options){.n = 1, .steps = 20, .guidance = 3, .seed = 42, .strength = 0.75, .resample = 5};
}

/* ---- text and labels ---------------------------------------------------------------------------------------------------- */

static limn_status set_text(job *j)
{
    const limn_ports *ports = &j->p->network.ports;
    limn_plan *plan = j->p->network.plan;
    if (!ports->ids) return LIMN_OK;
    int length = (int)limn_node_shape(ports->ids).dim[1], n;
    void *data;
    limn_status status = limn_plan_data_of(plan, ports->ids, &data);
    if (status != LIMN_OK) return status;
    int32_t *ids = data, *end = limn_plan_data(plan, ports->text_end);
    for (int b = 0; b < j->p->network.batch && status == LIMN_OK; b++) {
        const char *text = b < j->n ? j->o->prompt : j->o->negative, *name = b < j->n ? "prompt" : "negative prompt";
        bool cut = false;
        status = limn_clip_bpe_encode(j->p->ctx, j->p->bpe, text ? text : "", text ? strlen(text) : 0, length, ids + (ptrdiff_t)b * length, &n, &cut);
        if (end) end[b] = b * length + n - 1; /* only networks that pool the text have it in their plan */
        if (cut && j->first == 0 && b % j->n == 0) limn_log(j->p->ctx, LIMN_LOG_WARN, "the %s is longer than %d tokens; its end was cut off", name, length - 2);
    }
    limn_plan_touch(plan, ports->ids);
    limn_plan_touch(plan, ports->text_end);
    return status;
}

static limn_status set_labels(job *j)
{
    limn_node *label = j->p->network.ports.label;
    void *data;
    if (!label) return LIMN_OK;
    limn_status status = limn_plan_data_of(j->p->network.plan, label, &data);
    if (status != LIMN_OK) return status;
    int32_t *to = data;
    for (int b = 0; b < j->p->network.batch; b++) to[b] = b < j->n ? j->o->label : limn_settings_get(&j->p->settings, "classes");
    limn_plan_touch(j->p->network.plan, label);
    return LIMN_OK;
}

/* The small picture, enlarged, for every row of the batch. */
static limn_status set_condition(job *j)
{
    limn_node *node = j->p->network.ports.condition;
    if (!node) return LIMN_OK;
    limn_pipeline_info info = limn_pipeline_describe(j->p);
    limn_image small = {0};
    void *data;
    limn_status status = limn_plan_data_of(j->p->network.plan, node, &data);
    if (status != LIMN_OK) return status;
    float *to = data, *values = malloc(j->size * sizeof *values);
    status = values ? limn_image_copy(j->p->ctx, j->o->small, j->channels, &small) : limn_fail_memory(j->p->ctx, j->size * sizeof *values, "a small picture");
    if (status == LIMN_OK) {
        limn_picture_values(&small, values);
        for (int b = 0; b < j->p->network.batch; b++) limn_enlarged(values, 1, small.width, j->channels, info.enlarges, to + (size_t)b * j->size);
        limn_plan_touch(j->p->network.plan, node);
    }
    limn_image_free(&small);
    free(values);
    return status;
}

static limn_status set_timesteps(job *j)
{
    limn_node *node = j->p->network.ports.timesteps;
    void *data;
    limn_status status = limn_plan_data_of(j->p->network.plan, node, &data);
    if (status != LIMN_OK) return status;
    float *times = data;
    for (int k = 0; k < limn_sampler_calls(j->sampler); k++) times[k] = (float)limn_sampler_timestep(j->sampler, k);
    limn_plan_touch(j->p->network.plan, node);
    return LIMN_OK;
}

/* ---- sampling ----------------------------------------------------------------------------------------------------------- */

/* One call of the network, guided; the result lies in the first half of j->output. */
static limn_status call_network(job *j, int k)
{
    const limn_network *net = &j->p->network;
    float *image = limn_plan_data(net->plan, net->ports.image);
    size_t half = (size_t)j->n * j->size, pixels = j->size / (size_t)j->channels;
    int32_t step = k;
    char where[64];
    limn_sampler_input(j->sampler, k, j->x, image);
    if (j->guided) memcpy(image + half, image, half * sizeof *image);
    limn_plan_touch(net->plan, net->ports.image);
    limn_status status = limn_plan_set(net->plan, net->ports.step, LIMN_I32, &step);
    if (status == LIMN_OK) status = limn_plan_run(net->plan);
    if (status == LIMN_OK) status = limn_plan_get(net->plan, net->ports.output, LIMN_F32, j->output);
    snprintf(where, sizeof where, "step %d of %d", k + 1, limn_sampler_calls(j->sampler));
    if (status == LIMN_OK) status = limn_finite_check(j->p->ctx, j->p->file, where, (size_t)net->batch * j->out_size, j->output);
    for (int i = 0; i < j->n && j->guided && status == LIMN_OK; i++) {
        float *cond = j->output + (size_t)i * j->out_size, *uncond = cond + (size_t)j->n * j->out_size;
        limn_guidance_combine(cond, uncond, pixels, j->out_channels, j->guided_channels, j->o->guidance, uncond);
        limn_guidance_rescale(cond, pixels, j->out_channels, j->guided_channels, j->o->guidance_rescale, uncond);
        memcpy(cond, uncond, j->out_size * sizeof *cond);
    }
    return status;
}

/* Starting noise of each picture: that of seed + number, alone or among others. */
static limn_status begin(job *j)
{
    limn_picture_seed seeds[TOGETHER];
    j->start.first = j->first;
    for (int i = 0; i < j->n; i++) seeds[i] = limn_start_seed(&j->start, i);
    limn_status status = limn_sampler_begin(j->p->ctx, j->sampler, j->n, j->size, seeds);
    if (status == LIMN_OK) limn_start_first(&j->start, j->sampler, j->x);
    return status;
}

/* Call k for the (repeat + 1)-th time; again: then back to where it began. */
static limn_status step(job *j, int k, int repeat, bool again)
{
    if (!limn_progress(j->p->ctx, "step", j->done, j->total)) return limn_fail(j->p->ctx, LIMN_CANCELLED, "stopped after %lld of %lld steps", (long long)j->done, (long long)j->total);
    limn_start_keep(&j->start, j->sampler, k, j->x);
    limn_status status = call_network(j, k);
    if (status == LIMN_OK) limn_sampler_step(j->sampler, k, j->output, j->x);
    if (status == LIMN_OK && again) limn_start_again(&j->start, j->sampler, k, repeat, j->x);
    j->done++;
    return status;
}

static limn_status sample(job *j)
{
    limn_status status = begin(j);
    if (status == LIMN_OK) status = set_text(j);
    if (status == LIMN_OK) status = set_labels(j);
    if (status == LIMN_OK) status = set_condition(j);
    if (status == LIMN_OK) status = set_timesteps(j);
    for (int k = 0; k < limn_sampler_calls(j->sampler) && status == LIMN_OK; k++) {
        int repeats = limn_start_repeats(&j->start, j->sampler, k);
        for (int i = 0; i < repeats && status == LIMN_OK; i++) status = step(j, k, i, i + 1 < repeats);
    }
    if (status != LIMN_OK) return status;
    int calls = limn_sampler_calls(j->sampler);
    limn_start_keep(&j->start, j->sampler, calls, j->x);
    limn_start_last(&j->start, j->sampler, j->x);
    return LIMN_OK;
}

/* ---- batches ------------------------------------------------------------------------------------------------------------ */

/* Pictures at a time: as many as fit, TOGETHER at most, in batches of nearly the same size. */
static limn_status plan_batch(job *j, int n)
{
    int rows_each = j->guided ? 2 : 1;
    for (int most = n < TOGETHER ? n : TOGETHER;; most /= 2) {
        int batches = (n + most - 1) / most;
        j->n = (n + batches - 1) / batches;
        size_t each = (7 * j->size + (size_t)rows_each * j->out_size) * sizeof(float); /* x, what samplers keep, what it starts from, output */
        limn_status status = limn_network_plan(j->p, j->n * rows_each, limn_sampler_calls(j->sampler), j->o->precision, (size_t)j->n * each);
        if (status != LIMN_NO_MEMORY || most == 1) return status;
    }
}

/* The network's numbers as a picture, through the autoencoder where there is one. */
static limn_status to_picture(job *j, float *x, limn_image *out)
{
    const limn_pipeline *p = j->p;
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (!p->vae) return limn_picture_bytes(p->ctx, info.width, info.height, j->channels, x, out);
    size_t n = (size_t)info.width * (size_t)info.height * (size_t)info.channels;
    float *values = malloc(n * sizeof *values);
    if (!values) return limn_fail_memory(p->ctx, n * sizeof *values, "a picture");
    for (size_t i = 0; i < j->size; i++) x[i] = (float)(x[i] / p->latent_scale + p->latent_shift);
    limn_status status = limn_decode_values(p->vae, 1, info.height, info.width, x, j->o->precision, values);
    if (status == LIMN_OK) status = limn_picture_bytes(p->ctx, info.width, info.height, info.channels, values, out);
    free(values);
    return status;
}

static limn_status run_all(job *j, limn_image *images)
{
    limn_ctx *ctx = j->p->ctx;
    int n = j->o->n, side = limn_settings_get(&j->p->settings, "size"), calls = limn_sampler_calls(j->sampler);
    limn_status status = plan_batch(j, n);
    if (status != LIMN_OK) return status;
    status = limn_start_new(j->p, j->o, j->n, side, j->channels, &j->start);
    if (status != LIMN_OK) return status;
    for (int k = 0; k < calls; k++) j->total += limn_start_repeats(&j->start, j->sampler, k);
    j->total *= (n + j->n - 1) / j->n;
    size_t floats = (size_t)j->n * j->size, out_floats = (size_t)j->p->network.batch * j->out_size;
    j->x = malloc(floats * sizeof *j->x), j->output = malloc(out_floats * sizeof *j->output);
    if (!j->x || !j->output) return limn_fail_memory(ctx, (floats + out_floats) * sizeof *j->x, "pictures");
    for (j->first = 0; j->first < n && status == LIMN_OK; j->first += j->n) {
        status = sample(j);
        for (int i = 0; i < j->n && j->first + i < n && status == LIMN_OK; i++)
            status = to_picture(j, j->x + (size_t)i * j->size, &images[j->first + i]);
    }
    if (status == LIMN_OK) limn_progress(ctx, "step", j->total, j->total);
    return status;
}

static limn_status check_small(const limn_pipeline *p, const limn_image *small)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (small && !info.enlarges) return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s does not enlarge pictures: it was trained without the setting enlarge", p->name);
    if (!small && info.enlarges) return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s enlarges pictures, and there is none to enlarge: limn upscale does that", p->name);
    if (small && info.makes_latents) return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: it enlarges latents, of which small pictures are none", p->file);
    if (!small || (small->width * info.enlarges == info.width && small->height * info.enlarges == info.height)) return LIMN_OK;
    return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s enlarges pictures of %d x %d to %d x %d, found one of %d x %d", p->name, info.width / info.enlarges,
                     info.height / info.enlarges, info.width, info.height, small->width, small->height);
}

static limn_status check(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (o->n < 1 || o->n > MAX_PICTURES) return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected 1 to %d pictures, found %d", MAX_PICTURES, o->n);
    if (o->steps < 1 || o->steps > MAX_STEPS) return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected 1 to %d steps, found %d", MAX_STEPS, o->steps);
    if (!(o->guidance >= 0 && o->guidance <= 1000)) return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a guidance scale from 0 to 1000, found %g", o->guidance);
    if (!(o->guidance_rescale >= 0 && o->guidance_rescale <= 1))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a guidance rescale from 0 to 1, found %g", o->guidance_rescale);
    if (info.classes && (o->label < 0 || o->label > info.classes))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a class from 0 to %d, or %d for none, found %d", info.classes - 1, info.classes, o->label);
    if (info.makes_latents && !p->vae)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: its %d channels are a latent: an autoencoder must make pictures of it", p->file, info.channels);
    if (p->vae && o->noise > 0) return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: it works on latents, in which the noise of a picture is no longer noise", p->file);
    if (info.channels != 1 && info.channels != 3 && info.channels != 4)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: %d channels are no picture", p->file, info.channels);
    return LIMN_OK;
}

/* A model of cut-out figures has never seen one on paper: the paper would be taken for a part of the figure. */
static void warn_of_ground(const limn_pipeline *p, const limn_image *init)
{
    if (!init || init->channels % 2 == 0 || limn_pipeline_describe(p).channels != 4) return;
    limn_log(p->ctx, LIMN_LOG_WARN, "the picture has no transparency, and %s draws figures that stand on nothing: cut out what the picture shows, or little of it will be recognised", p->name);
}

limn_status limn_generate(limn_pipeline *p, const limn_generate_options *o, limn_image *images)
{
    for (int i = 0; i < o->n; i++) images[i] = (limn_image){0};
    limn_sampler_options sampling;
    job j = {.p = p, .o = o};
    limn_status status = check(p, o);
    if (status == LIMN_OK) status = check_small(p, o->small);
    if (status == LIMN_OK) status = limn_start_check(p->ctx, o);
    if (status == LIMN_OK) warn_of_ground(p, o->init);
    if (status == LIMN_OK) status = limn_generate_sampler(p, o, &sampling);
    if (status == LIMN_OK) status = limn_sampler_new(p->ctx, &sampling, &j.sampler);
    if (status == LIMN_OK) {
        int side = limn_settings_get(&p->settings, "size");
        j.channels = sampling.channels, j.out_channels = sampling.out_channels;
        j.size = (size_t)side * (size_t)side * (size_t)j.channels, j.out_size = j.size / (size_t)j.channels * (size_t)j.out_channels;
        j.guided = o->guidance != 1 && limn_pipeline_describe(p).guides;
        /* DiT's published sampling guides the first three channels of a latent; what limn train made is guided as a whole. */
        bool published = !limn_weight_file_metadata(p->st, "limn.settings");
        j.guided_channels = published && j.out_channels != j.channels && j.channels > 3 ? 3 : j.channels;
        status = run_all(&j, images);
    }
    for (int i = 0; i < o->n && status != LIMN_OK; i++) limn_image_free(&images[i]);
    limn_sampler_free(j.sampler);
    limn_start_free(&j.start);
    free(j.x);
    free(j.output);
    return status;
}
