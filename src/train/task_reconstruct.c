/* task_reconstruct.c: an autoencoder learns to give back the pictures it sees. */
#include "data/loader.h"
#include "train/trainer_parts.h"

#include "denoise/noising.h"
#include "denoise/picture.h"
#include "file/image.h"
#include "graph/node.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 8 };

typedef struct reconstructing {
    limn_dataset *data;
    limn_loader *loader;
    /* A second network, with the EMA weights: pictures of the data above, what comes back below. */
    limn_net *net;
    limn_net_shape shape;
    limn_job job;
    size_t plan_bytes;
    int n, size, channels;
    float *pictures, *back;    /* [SHOWN, size, size, channels], n of them used */
} reconstructing;

static limn_status check(const limn_trainer *t)
{
    if (t->o->latents)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT,
                         "an autoencoder learns from pictures: give --data in place of --latents");
    return LIMN_OK;
}

/* ---- data ------------------------------------------------------------------------------------------------------------- */

/* The first SHOWN pictures that can be read. */
static limn_status choose_shown(limn_trainer *t, reconstructing *r, size_t floats)
{
    limn_status status = LIMN_OK;
    for (int64_t i = 0; r->n < SHOWN && i < limn_dataset_count(r->data) && status != LIMN_NO_MEMORY; i++) {
        status = limn_dataset_picture(t->ctx, r->data, i, r->pictures + (size_t)r->n * floats);
        r->n += status == LIMN_OK;
    }
    return r->n && status != LIMN_NO_MEMORY ? LIMN_OK : status;
}

static limn_status plan_shown(limn_trainer *t, reconstructing *r)
{
    size_t floats = limn_dataset_floats(r->data), bytes = SHOWN * floats * sizeof(float);
    limn_net_size size;
    limn_source *ema;
    r->size = limn_model_interface(&t->settings).width, r->channels = limn_model_interface(&t->settings).channels;
    r->pictures = malloc(bytes), r->back = malloc(bytes);
    if (!r->pictures || !r->back) return limn_fail_memory(t->ctx, 2 * bytes, "samples");
    limn_status status = choose_shown(t, r, floats);
    r->shape = (limn_net_shape){.batch = r->n, .precision = t->o->precision};
    if (status == LIMN_OK) status = limn_weights_source(t->ctx, &t->weights, &t->shown, &ema);
    if (status == LIMN_OK) status = limn_net_new(t->ctx, &t->settings, ema, NULL, &r->net);
    if (status == LIMN_OK) status = limn_net_measure(t->ctx, r->net, &r->shape, &size);
    if (status == LIMN_OK) r->plan_bytes = size.activations + size.weights;
    return status;
}

static limn_status open(limn_trainer *t)
{
    const limn_train_options *o = t->o;
    limn_data_options data = {.folder = o->data,
                              .where = o->where,
                              .resize = o->crop,
                              .flip = o->flip,
                              .size = limn_model_interface(&t->settings).width,
                              .channels = limn_model_interface(&t->settings).channels,
                              .n_shapes = o->n_shapes};
    reconstructing *r = t->state = calloc(1, sizeof *r);
    if (!r) return limn_fail_memory(t->ctx, sizeof *r, "training");
    limn_status status = limn_dataset_open(t->ctx, &data, &r->data);
    if (status == LIMN_OK) status = limn_dataset_fingerprint(t->ctx, r->data, o->data, &t->print);
    t->print.captions[0] = t->print.labels[0] = '\0'; /* nobody reads them */
    return status == LIMN_OK && o->sample_every && limn_trainer_leads(t) ? plan_shown(t, r) : status;
}

static limn_status start(limn_trainer *t)
{
    reconstructing *r = t->state;
    limn_samples_of samples = limn_dataset_samples(r->data);
    limn_loader_options loader = limn_trainer_loader(t);
    return limn_loader_new(t->ctx, &samples, &loader, &r->loader);
}

static limn_status fill(limn_trainer *t, int part)
{
    reconstructing *r = t->state;
    const limn_ports *ports = &t->net.ports;
    int batch = t->o->batch;
    float *x = limn_stage(t, ports->image), *weight = limn_stage(t, t->net.weight), *noise = limn_stage(t, ports->noise);
    float *gate = limn_stage(t, t->net.adversary.gate);
    limn_status status = limn_loader_next(r->loader, (void *const[]){x, NULL});
    if (status != LIMN_OK) return status;
    size_t n_noise = noise ? (size_t)limn_node_count(ports->noise) / (size_t)batch : 0;
    uint64_t first = limn_trainer_sample(t, part);
    memcpy(limn_stage(t, t->net.target), x, (size_t)limn_node_count(ports->image) * sizeof *x);
    for (int b = 0; b < batch; b++) {
        weight[b] = 1;
        if (noise) limn_training_noise(t->o->seed, first + (uint64_t)b, n_noise, noise + (size_t)b * n_noise);
    }
    if (gate) *gate = t->step >= t->o->adversary_start ? 1 : 0;
    return LIMN_OK;
}

static void facts(const limn_trainer *t, limn_run_facts *f)
{
    const limn_train_options *o = t->o;
    const reconstructing *r = t->state;
    limn_facts_add(f, "limn.kl", "--kl", "%.9g", o->kl);
    limn_facts_add(f, "limn.differences", "--differences", "%.9g", o->differences);
    limn_facts_add(f, "limn.adversary", "--discriminator", "%.9g", o->adversary);
    limn_facts_add(f, "limn.adversary_start", "--discriminator-start", "%lld", (long long)o->adversary_start);
    limn_facts_add(f, "limn.n_pictures", "the number of pictures in --data", "%lld", (long long)limn_dataset_count(r->data));
    limn_facts_add(f, "limn.where", "--where", "%s", o->where ? o->where : "");
    limn_facts_add(f, "limn.flip", "--flip", "%d", o->flip);
    limn_facts_add(f, "limn.crop", "--crop", "%s", limn_data_resize_name(o->crop));
}

/* ---- how far it is ---------------------------------------------------------------------------------------------------- */

/* The first time all of it; later the EMA has moved on, and no more. */
static limn_status begin(limn_trainer *t, reconstructing *r)
{
    if (r->job.run) return limn_net_refresh(t->ctx, &r->job);
    limn_status status = limn_job_begin(t->ctx, r->net, &r->shape, 0, &r->job);
    if (status == LIMN_OK) status = limn_run_write(r->job.run, r->job.ports->image, LIMN_F32, r->pictures);
    if (status == LIMN_OK && r->job.ports->noise) {
        size_t n = (size_t)limn_node_count(r->job.ports->noise);
        float *zeros = calloc(n, sizeof *zeros); /* the latent is the mean */
        status = zeros ? limn_run_write(r->job.run, r->job.ports->noise, LIMN_F32, zeros)
                       : limn_fail_memory(t->ctx, n * sizeof *zeros, "samples");
        free(zeros);
    }
    if (status != LIMN_OK) limn_job_end(&r->job);
    return status;
}

static limn_status place(limn_trainer *t, const reconstructing *r, const float *values, int column, int row,
                         limn_image *grid)
{
    limn_image one;
    size_t bytes = (size_t)r->size * (size_t)r->channels, width = (size_t)grid->width * (size_t)r->channels;
    limn_status status =
        limn_picture_bytes(t->ctx, r->size, r->size, r->channels, values + (size_t)column * (size_t)r->size * bytes, &one);
    for (int y = 0; y < r->size && status == LIMN_OK; y++)
        memcpy(grid->pixels + (size_t)(row * r->size + y) * width + (size_t)column * bytes, one.pixels + (size_t)y * bytes,
               bytes);
    if (status == LIMN_OK) limn_image_free(&one);
    return status;
}

static limn_status show(limn_trainer *t)
{
    reconstructing *r = t->state;
    limn_image grid = {0};
    limn_status status = begin(t, r);
    if (status == LIMN_OK) status = limn_run_execute(r->job.run);
    if (status == LIMN_OK) status = limn_run_read(r->job.run, r->job.ports->output, LIMN_F32, r->back);
    if (status == LIMN_OK)
        status = limn_image_new(t->ctx, "samples", (uint32_t)(r->n * r->size), (uint32_t)(2 * r->size), r->channels, &grid);
    for (int i = 0; i < 2 * r->n && status == LIMN_OK; i++)
        status = place(t, r, i < r->n ? r->pictures : r->back, i % r->n, i / r->n, &grid);
    if (status == LIMN_OK) status = limn_trainer_log_picture(t, &grid);
    limn_image_free(&grid);
    return status;
}

static void tell(const limn_trainer *t, char text[256])
{
    const reconstructing *r = t->state;
    limn_interface net = limn_model_interface(&t->settings);
    snprintf(text, 256, "%lld pictures of %dx%dx%d", (long long)limn_dataset_count(r->data), net.width, net.height,
             net.channels);
}

static size_t bytes(const limn_trainer *t)
{
    const reconstructing *r = t->state;
    if (!r || !r->net) return 0;
    return r->plan_bytes + 2 * SHOWN * limn_dataset_floats(r->data) * sizeof(float);
}

static void close(limn_trainer *t)
{
    reconstructing *r = t->state;
    if (!r) return;
    limn_job_end(&r->job);
    limn_net_free(r->net);
    limn_loader_free(r->loader);
    limn_dataset_free(r->data);
    free(r->pictures);
    free(r->back);
    free(r);
}

const limn_task limn_task_reconstruct = {.check = check,
                                         .open = open,
                                         .start = start,
                                         .fill = fill,
                                         .facts = facts,
                                         .show = show,
                                         .tell = tell,
                                         .bytes = bytes,
                                         .close = close};
