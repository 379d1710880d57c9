/* task_denoise.c: a denoiser learns from pictures with captions and classes. */
#include "train/denoising.h"

#include "graph/node.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a network sees beside the noisy picture is not made here. */
static limn_status check_network(const limn_trainer *t)
{
    limn_interface net = limn_model_interface(&t->settings);
    static const char *const says[][2] = {{"fills in what a mask shows", "inpaint=0"},
                                          {"changes a picture that it sees", "edit=0"},
                                          {"is told the guidance", "guidance_width=0"},
                                          {"is told the sides of the picture (Stable Diffusion XL)",
                                           "sizes=0 pooled_width=0"}};
    int i = net.inpaints ? 0 : net.edits ? 1 : net.told_guidance ? 2 : net.sizes ? 3 : -1;
    return i < 0 ? LIMN_OK
                 : limn_fail(t->ctx, LIMN_UNSUPPORTED, "a network that %s is not trained here: expected one that reads a "
                             "noisy picture alone (--set \"%s\")", says[i][0], says[i][1]);
}

static limn_status check(const limn_trainer *t)
{
    limn_ctx *ctx = t->ctx;
    const limn_train_options *o = t->o;
    limn_status status = limn_objective_check(ctx, &o->objective);
    if (status == LIMN_OK) status = check_network(t);
    if (status != LIMN_OK) return status;
    bool eps = o->objective.prediction == LIMN_PREDICT_EPS && o->objective.schedule.kind != LIMN_SCHEDULE_FLOW;
    if (limn_model_interface(&t->settings).learned_variance && !eps)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "learn_sigma=1 learns the variance of predicted noise: use --schedule linear (or cosine) and "
                         "--prediction eps, or --set learn_sigma=0");
    if (o->latents && (o->flip || o->sample_every))
        return limn_fail(
            ctx, LIMN_BAD_ARGUMENT, "%s",
            o->flip ? "a mirrored latent is not the latent of the mirrored picture: leave --flip out, or encode mirrored "
                      "pictures, too"
                    : "--sample-every draws pictures, and latents become pictures in limn generate --vae: leave it out");
    return LIMN_OK;
}

/* Which number limn generate --class takes for which folder or label; numbers that name themselves need no words. */
static void tell_classes(const limn_trainer *t, int classes, int known)
{
    const limn_denoising *d = t->state;
    enum { SHOWN = 12 };
    limn_text list = {0};
    bool plain = true;
    for (int i = 0; i < classes; i++) {
        char number[16], name[128];
        const char *class = limn_dataset_class(d->data, i);
        snprintf(number, sizeof number, "%d", i);
        plain = plain && strcmp(number, class) == 0;
        const char *quote = *class && !strchr(class, ',') && *class != ' ' ? "" : "\"";
        if (i < SHOWN)
            limn_text_printf(&list, "%s%d %s%s%s", i ? ", " : "", i, quote,
                             limn_escape(class, strlen(class), name, sizeof name), quote);
    }
    if (!plain && !list.failed) limn_log(t->ctx, LIMN_LOG_INFO, "classes: %s%s", list.bytes, classes > SHOWN ? ", .." : "");
    if (known > classes)
        limn_log(t->ctx, LIMN_LOG_WARN,
                 "the network knows %d classes and %s has %d: from %d on they stay untaught (--set classes=%d)", known,
                 t->o->data, classes, classes, classes);
    limn_text_free(&list);
}

/* Pictures without a label, which are taught as "none". */
static limn_status check_labels(const limn_trainer *t)
{
    const limn_denoising *d = t->state;
    int64_t n = limn_dataset_count(d->data), missing = 0;
    const char *field = t->o->label_field ? t->o->label_field : "label";
    for (int64_t i = 0; i < n; i++) missing += limn_dataset_label(d->data, i) < 0;
    if (missing == n)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT,
                         "%s: none of the %lld pictures%s%s has a label (field \"%s\"), and the network learns classes",
                         t->o->data, (long long)n, t->o->where ? " with " : "", t->o->where ? t->o->where : "", field);
    if (missing && limn_model_interface(&t->settings).always_labelled)
        return limn_fail(
            t->ctx, LIMN_BAD_ARGUMENT,
            "%s: %lld of %lld pictures have no label (field \"%s\"), and with always_labelled=1 every picture needs one",
            t->o->data, (long long)missing, (long long)n, field);
    if (missing)
        limn_log(t->ctx, LIMN_LOG_WARN, "%lld of %lld pictures have no label (field \"%s\") and are taught as \"none\"",
                 (long long)missing, (long long)n, field);
    return LIMN_OK;
}

static limn_status open_data(limn_trainer *t)
{
    limn_denoising *d = t->state;
    const limn_train_options *o = t->o;
    limn_data_options data = {.folder = o->data,
                              .where = o->where,
                              .caption = o->caption_field,
                              .label = o->label_field,
                              .resize = o->crop,
                              .flip = o->flip,
                              .size = limn_model_interface(&t->settings).width,
                              .channels = limn_model_interface(&t->settings).channels,
                              .n_shapes = o->n_shapes,
                              .texts = t->net.ports.ids != NULL,
                              .latents = o->latents};
    limn_status status = limn_dataset_open(t->ctx, &data, &d->data);
    if (status == LIMN_OK && t->net.ports.ids) status = limn_dataset_tell_captions(t->ctx, d->data, o->data, o->no_captions);
    if (status == LIMN_OK) status = limn_dataset_fingerprint(t->ctx, d->data, o->data, &t->print);
    if (!t->net.ports.ids) t->print.captions[0] = '\0'; /* nobody reads them */
    if (!t->net.ports.label) t->print.labels[0] = '\0';
    if (status != LIMN_OK || !t->net.ports.label) return status;
    int classes = limn_dataset_classes(d->data), known = limn_model_interface(&t->settings).classes;
    if (classes == 0)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT,
                         "%s has no classes and the network knows %d: sort the pictures into folders, name a --label-field, "
                         "or --set classes=0",
                         o->data, known);
    if (classes > known)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "%s has %d classes and the network knows %d: --set classes=%d", o->data,
                         classes, known, classes);
    tell_classes(t, classes, known);
    return check_labels(t);
}

static limn_status open_tokenizer(limn_trainer *t)
{
    limn_denoising *d = t->state;
    if (!t->net.ports.ids) return LIMN_OK;
    int n = limn_model_interface(&t->settings).vocabulary - 514;
    return limn_clip_bpe_open(t->ctx, t->o->merges, t->o->merges ? n : 0, &d->bpe);
}

static limn_status open(limn_trainer *t)
{
    limn_denoising *d = t->state = calloc(1, sizeof *d);
    if (!d) return limn_fail_memory(t->ctx, sizeof *d, "training");
    if (t->net.ports.features)
        return limn_fail(
            t->ctx, LIMN_UNSUPPORTED,
            "training on captions needs text_encoder=clip; with text_encoder=none text features come from elsewhere");
    limn_status status = open_tokenizer(t);
    if (status == LIMN_OK) status = open_data(t);
    return status == LIMN_OK && t->o->sample_every && limn_trainer_leads(t) ? limn_samples_new(t, &d->samples) : status;
}

static limn_status start(limn_trainer *t)
{
    limn_denoising *d = t->state;
    d->rows = calloc((size_t)t->o->batch, sizeof *d->rows);
    if (!d->rows) return limn_fail_memory(t->ctx, (size_t)t->o->batch * sizeof *d->rows, "a batch");
    limn_status status = limn_schedule_new(t->ctx, &t->o->objective.schedule, &d->schedule);
    limn_samples_of samples = limn_dataset_samples(d->data);
    limn_loader_options loader = limn_trainer_loader(t);
    return status == LIMN_OK ? limn_loader_new(t->ctx, &samples, &loader, &d->loader) : status;
}

static void record_classes(const limn_trainer *t, limn_run_facts *f)
{
    const limn_denoising *d = t->state;
    if (!t->net.ports.label) return;
    limn_facts_add_line(f, "limn.classes", "the list of classes in --data", NULL);
    for (int i = 0; i < limn_dataset_classes(d->data); i++)
        limn_facts_add_line(f, "limn.classes", NULL, limn_dataset_class(d->data, i));
}

/* What turns samples of the network into pictures.  RUN/vae needs no name: a folder that holds both can go anywhere. */
static void record_latents(const limn_trainer *t, limn_run_facts *f)
{
    const limn_denoising *d = t->state;
    char inside[1100];
    struct stat there;
    const limn_latents *l = limn_dataset_latents(d->data);
    if (!l) return;
    limn_facts_add(f, "limn.latent.scale", "the scale of --latents", "%.9g", l->scale);
    limn_facts_add(f, "limn.latent.shift", "the shift of --latents", "%.9g", l->shift);
    snprintf(inside, sizeof inside, "%.1000s/vae", t->o->out);
    if (stat(inside, &there) != 0) limn_facts_add(f, "limn.vae", NULL, "%s", l->vae);
    limn_facts_add(f, "limn.vae.settings", "the autoencoder of --latents", "%s", l->settings);
    if (l->vae_crc[0]) limn_facts_add(f, "limn.vae.crc32", "the checksum of the autoencoder of --latents", "%s", l->vae_crc);
}

static void facts(const limn_trainer *t, limn_run_facts *f)
{
    const limn_denoising *d = t->state;
    const limn_train_options *o = t->o;
    limn_facts_add(f, "limn.schedule", "--schedule", "%s",
                 limn_schedule_name(o->objective.schedule.kind)); /* before what follows from it */
    limn_facts_add(f, "limn.prediction", "--prediction", "%s", limn_prediction_name(o->objective.prediction));
    limn_facts_add(f, "limn.shift", "--shift", "%.9g", o->objective.schedule.shift);
    limn_facts_add(f, "limn.weighting", "--weighting", "%s", limn_weighting_name(o->objective.weighting));
    limn_facts_add(f, "limn.gamma", "--gamma", "%.9g", o->objective.gamma);
    limn_facts_add(f, "limn.time_mean", "--time-mean", "%.9g", o->objective.time_mean);
    limn_facts_add(f, "limn.time_std", "--time-std", "%.9g", o->objective.time_std);
    limn_facts_add(f, "limn.contrastive", "--contrastive", "%.9g", o->contrastive);
    limn_facts_add(f, "limn.n_pictures", "the number of pictures in --data", "%lld", (long long)limn_dataset_count(d->data));
    limn_facts_add(f, "limn.where", "--where", "%s", o->where ? o->where : "");
    const char *field = limn_dataset_caption_field(d->data);
    limn_facts_add(f, "limn.caption_field", "--caption-field", "%s", field ? field : "text");
    limn_facts_add(f, "limn.label_field", "--label-field", "%s", o->label_field ? o->label_field : "label");
    limn_facts_add(f, "limn.drop", "--drop", "%.9g", o->drop);
    limn_facts_add(f, "limn.flip", "--flip", "%d", o->flip);
    if (d->bpe) limn_facts_add(f, "limn.tokens", "--merges", "%s", o->merges ? "merges" : "bytes");
    limn_facts_add(f, "limn.crop", "--crop", "%s", limn_data_resize_name(o->crop));
    record_latents(t, f);
    record_classes(t, f);
}

/* The tokenizer, without which the weights are of no use. */
static limn_status write(limn_trainer *t)
{
    const limn_denoising *d = t->state;
    char path[1100];
    snprintf(path, sizeof path, "%s/merges.txt.gz", t->o->out);
    return d->bpe && t->o->merges ? limn_clip_bpe_write(t->ctx, d->bpe, path) : LIMN_OK;
}

static limn_status show(limn_trainer *t)
{
    const limn_denoising *d = t->state;
    return limn_samples_draw(t, d->samples);
}

static void tell(const limn_trainer *t, char text[256])
{
    const limn_denoising *d = t->state;
    limn_interface net = limn_model_interface(&t->settings);
    snprintf(text, 256, "%lld pictures of %dx%dx%d", (long long)limn_dataset_count(d->data), net.width, net.height,
             net.channels);
}

static size_t bytes(const limn_trainer *t)
{
    const limn_denoising *d = t->state;
    return d->samples ? limn_samples_bytes(d->samples) : 0;
}

static void close(limn_trainer *t)
{
    limn_denoising *d = t->state;
    if (!d) return;
    limn_samples_free(d->samples);
    limn_schedule_free(d->schedule);
    limn_clip_bpe_free(d->bpe);
    limn_loader_free(d->loader);
    limn_dataset_free(d->data);
    free(d->rows);
    free(d);
}

const limn_task limn_task_denoise = {.check = check,
                                     .open = open,
                                     .start = start,
                                     .fill = limn_batch_fill,
                                     .facts = facts,
                                     .write = write,
                                     .show = show,
                                     .tell = tell,
                                     .bytes = bytes,
                                     .close = close};
