/* generate.c: text or label -> network -> sampler -> pictures.  With guidance the batch is doubled: the first half sees the
 * prompt, the second the negative prompt (or no label). */
#include "pipeline/generate.h"

#include "denoise/enlarge.h"
#include "denoise/guidance.h"
#include "denoise/picture.h"
#include "graph/node.h"
#include "pipeline/autoencoder.h"
#include "pipeline/start.h"

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
    float *x, *input, *output; /* [n, size], [n or 2n, size], [n or 2n, out_size] */
} job;

limn_generate_options limn_generate_defaults(void)
{
    return (limn_generate_options){.n = 1, .steps = 20, .guidance = 3, .seed = 42, .strength = 0.75, .resample = 5};
}

/* ---- text and labels -------------------------------------------------------------------------------------------------- */

static limn_status set_text(job *j)
{
    const limn_job *net = &j->p->job;
    const limn_ports *ports = net->ports;
    if (!ports->ids) return LIMN_OK;
    int length = (int)limn_node_shape(ports->ids).dim[1], batch = net->shape.batch, n;
    int32_t *ids = malloc((size_t)batch * (size_t)(length + 1) * sizeof *ids), *end = ids + (ptrdiff_t)batch * length;
    if (!ids) return limn_fail_memory(j->p->ctx, (size_t)batch * (size_t)(length + 1) * sizeof *ids, "a prompt");
    limn_status status = LIMN_OK;
    for (int b = 0; b < batch && status == LIMN_OK; b++) {
        const char *text = b < j->n ? j->o->prompt : j->o->negative, *name = b < j->n ? "prompt" : "negative prompt";
        bool cut = false;
        status = limn_clip_bpe_encode(j->p->ctx, j->p->bpe, text ? text : "", text ? strlen(text) : 0, length,
                                      ids + (ptrdiff_t)b * length, &n, &cut);
        end[b] = b * length + n - 1;
        if (cut && j->first == 0 && b % j->n == 0)
            limn_log(j->p->ctx, LIMN_LOG_WARN, "the %s is longer than %d tokens; its end was cut off", name, length - 2);
    }
    if (status == LIMN_OK) status = limn_run_write(net->run, ports->ids, LIMN_I32, ids);
    if (status == LIMN_OK && ports->text_end)
        status = limn_run_write(net->run, ports->text_end, LIMN_I32, end); /* only networks that pool the text read it */
    free(ids);
    return status;
}

static limn_status set_labels(job *j)
{
    const limn_job *net = &j->p->job;
    int batch = net->shape.batch;
    if (!net->ports->label) return LIMN_OK;
    int32_t *to = malloc((size_t)batch * sizeof *to);
    if (!to) return limn_fail_memory(j->p->ctx, (size_t)batch * sizeof *to, "labels");
    for (int b = 0; b < batch; b++) to[b] = b < j->n ? j->o->label : limn_model_interface(&j->p->settings).classes;
    limn_status status = limn_run_write(net->run, net->ports->label, LIMN_I32, to);
    free(to);
    return status;
}

/* The small picture, enlarged, for every row of the batch. */
static limn_status set_condition(job *j)
{
    const limn_job *net = &j->p->job;
    if (!net->ports->condition) return LIMN_OK;
    limn_pipeline_info info = limn_pipeline_describe(j->p);
    limn_image small = {0};
    size_t batch = (size_t)net->shape.batch;
    float *to = malloc(batch * j->size * sizeof *to), *values = malloc(j->size * sizeof *values);
    limn_status status = to && values ? limn_image_copy(j->p->ctx, j->o->small, j->channels, &small)
                                      : limn_fail_memory(j->p->ctx, (batch + 1) * j->size * sizeof *to, "a small picture");
    if (status == LIMN_OK) {
        limn_picture_values(&small, values);
        for (size_t b = 0; b < batch; b++)
            limn_enlarged(values, 1, small.width, j->channels, info.enlarges, to + b * j->size);
        status = limn_run_write(net->run, net->ports->condition, LIMN_F32, to);
    }
    limn_image_free(&small);
    free(values);
    free(to);
    return status;
}

/* Rows that the sampler has no use for are those of timestep 0. */
static limn_status set_timesteps(job *j)
{
    const limn_job *net = &j->p->job;
    float *times = calloc((size_t)net->n_times, sizeof *times);
    if (!times) return limn_fail_memory(j->p->ctx, (size_t)net->n_times * sizeof *times, "timesteps");
    for (int k = 0; k < limn_sampler_calls(j->sampler); k++) times[k] = (float)limn_sampler_timestep(j->sampler, k);
    limn_status status = limn_run_write(net->run, net->ports->timesteps, LIMN_F32, times);
    free(times);
    return status;
}

/* ---- sampling --------------------------------------------------------------------------------------------------------- */

/* One call of the network, guided; the result lies in the first half of j->output. */
static limn_status call_network(job *j, int k)
{
    const limn_job *net = &j->p->job;
    size_t half = (size_t)j->n * j->size, pixels = j->size / (size_t)j->channels;
    int32_t step = k;
    char where[64];
    limn_sampler_input(j->sampler, k, j->x, j->input);
    if (j->guided) memcpy(j->input + half, j->input, half * sizeof *j->input);
    limn_status status = limn_run_write(net->run, net->ports->image, LIMN_F32, j->input);
    if (status == LIMN_OK) status = limn_run_write(net->run, net->ports->step, LIMN_I32, &step);
    if (status == LIMN_OK) status = limn_run_execute(net->run);
    snprintf(where, sizeof where, "step %d of %d", k + 1, limn_sampler_calls(j->sampler));
    if (status == LIMN_OK) status = limn_job_output(j->p->ctx, net, net->ports->output, where, j->output);
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
    if (!limn_progress(j->p->ctx, "step", j->done, j->total))
        return limn_fail(j->p->ctx, LIMN_CANCELLED, "stopped after %lld of %lld steps", (long long)j->done,
                         (long long)j->total);
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

/* ---- batches ---------------------------------------------------------------------------------------------------------- */

/* What is left for activations beside the caller's own memory. */
static limn_status memory_left(limn_ctx *ctx, size_t reserve, size_t *limit)
{
    size_t have = limn_memory_available();
    *limit = have > reserve ? have - reserve : 0; /* 0: the plan asks for itself */
    if (!have || reserve < have) return LIMN_OK;
    return limn_fail(ctx, LIMN_NO_MEMORY, "the pictures need %.1f MB, the machine has %.1f MB: make fewer at a time",
                     (double)reserve * 1e-6, (double)have * 1e-6);
}

/* Decoding is planned before the first step, so that it cannot fail for want of memory after the last one. */
static limn_status measure_decoder(job *j, size_t *need)
{
    limn_net_size size;
    int side = limn_model_interface(&j->p->settings).width * (j->p->vae ? j->p->vae->factor : 1);
    limn_net_shape shape = {
        .batch = 1, .part = LIMN_PART_DECODER, .height = side, .width = side, .precision = j->o->precision};
    *need = 0;
    if (!j->p->vae) return LIMN_OK;
    limn_status status = limn_net_measure(j->p->ctx, j->p->vae->decoder.net, &shape, &size);
    *need = size.activations + size.weights + (size_t)side * (size_t)side * 4 * sizeof(float);
    return status;
}

static limn_status check_ports(const limn_pipeline *p, const limn_ports *ports)
{
    if (ports->latent)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED,
                         "%s: a %s makes pictures of latents only: limn encode, limn decode, or --vae beside a network that "
                         "makes latents",
                         p->file, p->settings.family->name);
    if (ports->image && !ports->features) return LIMN_OK;
    return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: a %s of these settings does not make pictures by itself%s", p->file,
                     p->settings.family->name,
                     ports->features ? ": its text features come from elsewhere (text_encoder=none)" : "");
}

static limn_status plan_network(job *j, int rows, size_t reserve)
{
    limn_net_shape shape = {.batch = rows, .n_times = limn_sampler_calls(j->sampler), .precision = j->o->precision};
    size_t limit;
    limn_status status = memory_left(j->p->ctx, reserve, &limit);
    if (status == LIMN_OK) status = limn_job_begin(j->p->ctx, j->p->net, &shape, limit, &j->p->job);
    return status == LIMN_OK ? check_ports(j->p, j->p->job.ports) : status;
}

/* Pictures at a time: as many as fit, TOGETHER at most, in batches of nearly the same size. */
static limn_status plan_batch(job *j, int n)
{
    size_t decoder, rows_each = j->guided ? 2 : 1;
    limn_status status = measure_decoder(j, &decoder);
    for (int most = n < TOGETHER ? n : TOGETHER; status == LIMN_OK;) {
        int batches = (n + most - 1) / most;
        j->n = (n + batches - 1) / batches;
        size_t each = ((7 + rows_each) * j->size + rows_each * j->out_size) *
                      sizeof(float); /* x, what samplers keep, what it starts from, input, output */
        status = plan_network(j, j->n * (int)rows_each, (size_t)j->n * each + decoder);
        if (status != LIMN_NO_MEMORY || most == 1) break;
        most /= 2, status = LIMN_OK;
    }
    return status;
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
    int n = j->o->n, side = limn_model_interface(&j->p->settings).width, calls = limn_sampler_calls(j->sampler);
    limn_status status = plan_batch(j, n);
    if (status != LIMN_OK) return status;
    status = limn_start_new(j->p, j->o, j->n, side, j->channels, &j->start);
    if (status != LIMN_OK) return status;
    for (int k = 0; k < calls; k++) j->total += limn_start_repeats(&j->start, j->sampler, k);
    j->total *= (n + j->n - 1) / j->n;
    size_t rows = (size_t)j->p->job.shape.batch, floats = (size_t)j->n * j->size, in_floats = rows * j->size,
           out_floats = rows * j->out_size;
    j->x = malloc(floats * sizeof *j->x), j->input = malloc(in_floats * sizeof *j->input),
    j->output = malloc(out_floats * sizeof *j->output);
    if (!j->x || !j->input || !j->output)
        return limn_fail_memory(ctx, (floats + in_floats + out_floats) * sizeof *j->x, "pictures");
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
    if (small && !info.enlarges)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "%s does not enlarge pictures: it was trained without the setting enlarge", p->name);
    if (!small && info.enlarges)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "%s enlarges pictures, and there is none to enlarge: limn upscale does that", p->name);
    if (small && info.makes_latents)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: it enlarges latents, of which small pictures are none", p->file);
    if (!small || (small->width * info.enlarges == info.width && small->height * info.enlarges == info.height))
        return LIMN_OK;
    return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s enlarges pictures of %d x %d to %d x %d, found one of %d x %d", p->name,
                     info.width / info.enlarges, info.height / info.enlarges, info.width, info.height, small->width,
                     small->height);
}

static limn_status check(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (o->n < 1 || o->n > MAX_PICTURES)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected 1 to %d pictures, found %d", MAX_PICTURES, o->n);
    if (o->steps < 1 || o->steps > MAX_STEPS)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected 1 to %d steps, found %d", MAX_STEPS, o->steps);
    if (!(o->guidance >= 0 && o->guidance <= 1000))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a guidance scale from 0 to 1000, found %.9g", o->guidance);
    if (!(o->guidance_rescale >= 0 && o->guidance_rescale <= 1))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a guidance rescale from 0 to 1, found %.9g",
                         o->guidance_rescale);
    bool none = info.classes && !limn_model_interface(&p->settings).always_labelled; /* a row of the table for it */
    if (info.classes && (o->label < 0 || o->label >= info.classes + none)) {
        char last[48] = "";
        if (none) snprintf(last, sizeof last, ", or %d for none", info.classes);
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a class from 0 to %d%s, found %d", info.classes - 1, last,
                         o->label);
    }
    if (info.makes_latents && !p->vae)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED,
                         "%s: its %d channels are a latent: an autoencoder must make pictures of it", p->file,
                         info.channels);
    if (p->vae && o->noise > 0)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED,
                         "%s: it works on latents, in which the noise of a picture is no longer noise", p->file);
    if (info.channels != 1 && info.channels != 3 && info.channels != 4)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: %d channels are no picture", p->file, info.channels);
    return LIMN_OK;
}

/* A model of cut-out figures has never seen one on paper: the paper would be taken for a part of the figure. */
static void warn_of_ground(const limn_pipeline *p, const limn_image *init)
{
    if (!init || init->channels % 2 == 0 || limn_pipeline_describe(p).channels != 4) return;
    limn_log(p->ctx, LIMN_LOG_WARN,
             "the picture has no transparency, and %s draws figures that stand on nothing: cut out what the picture shows, "
             "or little of it will be recognised",
             p->name);
}

limn_status limn_generate(limn_pipeline *p, const limn_generate_options *o, limn_image *images)
{
    for (int i = 0; i < o->n; i++) images[i] = (limn_image){0};
    limn_sampler_options sampling;
    job j = {.p = p, .o = o};
    limn_status status = check(p, o);
    if (status == LIMN_OK) status = check_small(p, o->small);
    if (status == LIMN_OK) status = limn_start_check(p->ctx, o);
    bool stays = status == LIMN_OK && limn_start_stays(o);
    if (status == LIMN_OK && !stays) warn_of_ground(p, o->init);
    if (status == LIMN_OK) status = limn_generate_sampler(p, o, &sampling);
    if (status == LIMN_OK) status = limn_sampler_new(p->ctx, &sampling, &j.sampler);
    if (status == LIMN_OK && stays) status = limn_start_copy(p, o, images);
    else if (status == LIMN_OK) {
        int side = limn_model_interface(&p->settings).width;
        j.channels = sampling.channels, j.out_channels = sampling.out_channels;
        j.size = (size_t)side * (size_t)side * (size_t)j.channels,
        j.out_size = j.size / (size_t)j.channels * (size_t)j.out_channels;
        j.guided = o->guidance != 1 && limn_pipeline_describe(p).guides;
        /* DiT's published sampling guides the first three channels of a latent; what limn train made is guided as a
         * whole. */
        bool published = !limn_weight_file_metadata(p->st, "limn.settings");
        j.guided_channels = published && j.out_channels != j.channels && j.channels > 3 ? 3 : j.channels;
        status = run_all(&j, images);
    }
    for (int i = 0; i < o->n && status != LIMN_OK; i++) limn_image_free(&images[i]);
    limn_sampler_free(j.sampler);
    limn_start_free(&j.start);
    free(j.x);
    free(j.input);
    free(j.output);
    return status;
}
