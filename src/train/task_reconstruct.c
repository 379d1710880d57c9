/* task_reconstruct.c: an autoencoder learns to give back the pictures it sees. */
#include "train/trainer_parts.h"

#include "denoise/noising.h"
#include "denoise/picture.h"
#include "file/image.h"
#include "graph/node.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 8 };

/* A second plan of the network, with the EMA weights: pictures of the data above, what comes back below. */
struct limn_reconstructing {
    limn_graph *g;
    limn_ports ports;
    limn_plan *plan;
    int n, size, channels;
    float *pictures, *back;    /* [SHOWN, size, size, channels], n of them used */
    bool bound;
};

static limn_status check(limn_ctx *ctx, const limn_train_options *o)
{
    if (o->latents) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "an autoencoder learns from pictures: give --data in place of --latents");
    return LIMN_OK;
}

/* ---- data -------------------------------------------------------------------------------------------------------------- */

/* The first SHOWN pictures that can be read. */
static limn_status choose_shown(limn_trainer *t, limn_reconstructing *r, size_t floats)
{
    limn_status status = LIMN_OK;
    for (int64_t i = 0; r->n < SHOWN && i < limn_dataset_count(t->data) && status != LIMN_NO_MEMORY; i++) {
        status = limn_dataset_picture(t->ctx, t->data, i, r->pictures + (size_t)r->n * floats);
        r->n += status == LIMN_OK;
    }
    return r->n && status != LIMN_NO_MEMORY ? LIMN_OK : status;
}

static limn_status plan_shown(limn_trainer *t, limn_reconstructing *r)
{
    limn_plan_options options = {.precision = t->o->precision};
    size_t floats = limn_dataset_floats(t->data), bytes = SHOWN * floats * sizeof(float);
    r->size = limn_settings_get(&t->o->settings, "size"), r->channels = limn_settings_get(&t->o->settings, "channels");
    r->g = limn_graph_new(t->ctx), r->pictures = malloc(bytes), r->back = malloc(bytes);
    if (!r->g || !r->pictures || !r->back) return limn_fail_memory(t->ctx, 2 * bytes, "samples");
    limn_status status = choose_shown(t, r, floats);
    if (status == LIMN_OK) status = limn_model_build(r->g, &t->o->settings, (limn_build){.batch = r->n}, &r->ports);
    return status == LIMN_OK ? limn_plan_new(r->g, 1, &r->ports.output, &options, &r->plan) : status;
}

static limn_status open(limn_trainer *t)
{
    const limn_train_options *o = t->o;
    limn_data_options data = {.folder = o->data, .where = o->where, .resize = o->crop, .size = limn_settings_get(&o->settings, "size"),
                              .channels = limn_settings_get(&o->settings, "channels"), .n_shapes = o->n_shapes};
    t->reconstructing = calloc(1, sizeof *t->reconstructing);
    if (!t->reconstructing) return limn_fail_memory(t->ctx, sizeof *t->reconstructing, "training");
    limn_status status = limn_dataset_open(t->ctx, &data, &t->data);
    return status == LIMN_OK && o->sample_every ? plan_shown(t, t->reconstructing) : status;
}

static limn_status start(limn_trainer *t)
{
    t->shown = calloc((size_t)t->o->batch, sizeof *t->shown);
    if (!t->shown) return limn_fail_memory(t->ctx, (size_t)t->o->batch * sizeof *t->shown, "a batch");
    limn_loader_options loader = {.seed = t->o->seed, .first = (uint64_t)t->step * (uint64_t)limn_trainer_pictures(t), .batch = t->o->batch,
                                  .n_threads = t->ctx->n_threads, .flip = t->o->flip};
    return limn_loader_new(t->ctx, t->data, &loader, &t->loader);
}

static limn_status fill(limn_trainer *t, int part)
{
    const limn_ports *ports = &t->net.ports;
    int batch = t->o->batch;
    void *data;
    limn_status status = limn_plan_data_of(t->plan, ports->image, &data);
    if (status != LIMN_OK) return status;
    float *x = data;
    status = limn_loader_next(t->loader, x, t->shown);
    if (status != LIMN_OK) return status;
    float *weight = limn_plan_data(t->plan, t->net.weight), *noise = ports->noise ? limn_plan_data(t->plan, ports->noise) : NULL;
    size_t n_noise = noise ? (size_t)limn_node_count(ports->noise) / (size_t)batch : 0;
    uint64_t first = (uint64_t)t->step * (uint64_t)limn_trainer_pictures(t) + (uint64_t)part * (uint64_t)batch;
    memcpy(limn_plan_data(t->plan, t->net.target), x, (size_t)limn_node_count(ports->image) * sizeof *x);
    for (int b = 0; b < batch; b++) {
        weight[b] = 1;
        if (noise) limn_training_noise(t->o->seed, first + (uint64_t)b, n_noise, noise + (size_t)b * n_noise);
    }
    if (t->net.adversary.gate) *(float *)limn_plan_data(t->plan, t->net.adversary.gate) = t->step >= t->o->adversary_start ? 1 : 0;
    limn_plan_touch(t->plan, ports->image); /* parameters are planned as changing with every step: all that depends on them runs */
    return LIMN_OK;
}

static void facts(const limn_trainer *t, limn_run_facts *f)
{
    const limn_train_options *o = t->o;
    limn_run_say(f, "limn.kl", "--kl", "%.9g", o->kl);
    limn_run_say(f, "limn.adversary", "--discriminator", "%.9g", o->adversary);
    limn_run_say(f, "limn.adversary_start", "--discriminator-start", "%lld", (long long)o->adversary_start);
    limn_run_say(f, "limn.n_pictures", "the number of pictures in --data", "%lld", (long long)limn_dataset_count(t->data));
    limn_run_say(f, "limn.where", "--where", "%s", o->where ? o->where : "");
    limn_run_say(f, "limn.flip", "--flip", "%d", o->flip);
    limn_run_say(f, "limn.crop", "--crop", "%s", limn_data_resize_name(o->crop));
}

/* ---- how far it is ------------------------------------------------------------------------------------------------------ */

/* Its weights are the EMA's; the latent is the mean: noise stays 0. */
static limn_status bind(limn_trainer *t, limn_reconstructing *r)
{
    limn_status status = limn_weights_bind(t->ctx, &t->weights, t->ema, r->g, r->plan);
    float *noise = r->ports.noise && status == LIMN_OK ? limn_plan_data(r->plan, r->ports.noise) : NULL;
    if (noise) memset(noise, 0, (size_t)limn_node_count(r->ports.noise) * sizeof *noise);
    if (status == LIMN_OK) status = limn_plan_set(r->plan, r->ports.image, LIMN_F32, r->pictures);
    r->bound = status == LIMN_OK;
    return status;
}

static limn_status place(limn_trainer *t, const limn_reconstructing *r, const float *values, int column, int row, limn_image *grid)
{
    limn_image one;
    size_t bytes = (size_t)r->size * (size_t)r->channels, width = (size_t)grid->width * (size_t)r->channels;
    limn_status status = limn_picture_bytes(t->ctx, r->size, r->size, r->channels, values + (size_t)column * (size_t)r->size * bytes, &one);
    for (int y = 0; y < r->size && status == LIMN_OK; y++)
        memcpy(grid->pixels + (size_t)(row * r->size + y) * width + (size_t)column * bytes, one.pixels + (size_t)y * bytes, bytes);
    if (status == LIMN_OK) limn_image_free(&one);
    return status;
}

static limn_status show(limn_trainer *t)
{
    limn_reconstructing *r = t->reconstructing;
    limn_image grid = {0};
    limn_status status = r->bound ? LIMN_OK : bind(t, r);
    for (int p = 0; p < r->g->n_parameters; p++) limn_plan_touch(r->plan, r->g->parameters[p]); /* the EMA moved on */
    if (status == LIMN_OK) status = limn_plan_run(r->plan);
    if (status == LIMN_OK) status = limn_plan_get(r->plan, r->ports.output, LIMN_F32, r->back);
    if (status == LIMN_OK) status = limn_image_new(t->ctx, "samples", (uint32_t)(r->n * r->size), (uint32_t)(2 * r->size), r->channels, &grid);
    for (int i = 0; i < 2 * r->n && status == LIMN_OK; i++) status = place(t, r, i < r->n ? r->pictures : r->back, i % r->n, i / r->n, &grid);
    if (status == LIMN_OK) status = limn_samples_save(t, &grid);
    limn_image_free(&grid);
    return status;
}

static void tell(const limn_trainer *t, char text[256])
{
    int size = limn_settings_get(&t->o->settings, "size");
    snprintf(text, 256, "%lld pictures of %dx%dx%d", (long long)limn_dataset_count(t->data), size, size, limn_settings_get(&t->o->settings, "channels"));
}

static size_t bytes(const limn_trainer *t)
{
    const limn_reconstructing *r = t->reconstructing;
    if (!r || !r->plan) return 0;
    limn_plan_size size = limn_plan_sizes(r->plan);
    return size.activation_bytes + size.scratch_bytes + size.packed_bytes + 2 * SHOWN * limn_dataset_floats(t->data) * sizeof(float);
}

static void close(limn_trainer *t)
{
    limn_reconstructing *r = t->reconstructing;
    if (r) {
        limn_plan_free(r->plan);
        limn_graph_free(r->g);
        free(r->pictures);
        free(r->back);
    }
    free(r);
    limn_loader_free(t->loader);
    limn_dataset_free(t->data);
    free(t->shown);
}

const limn_task limn_task_reconstruct = {.check = check, .open = open, .start = start, .fill = fill, .facts = facts, .show = show, .tell = tell, .bytes = bytes,
                                         .close = close};
