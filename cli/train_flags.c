/* train_flags.c: see train_flags.h. */
#include "train_flags.h"

#include "limn/network.h"

#include <string.h>

/* ---- what a training is like ------------------------------------------------------------------------------------------ */

/* The options, and what their network is like. */
typedef struct training {
    const limn_train_options *o;
    limn_network_info net;
} training;

static bool segments(const training *t)
{
    return t->net.kind == LIMN_SEGMENTS;
}

static bool reconstructs(const training *t)
{
    return t->net.kind == LIMN_RECONSTRUCTS;
}

static bool denoises(const training *t)
{
    return !segments(t) && !reconstructs(t);
}

static bool reads_text(const training *t)
{
    return denoises(t) && t->net.reads_text;
}

static bool reads_labels(const training *t)
{
    return denoises(t) && t->net.classes > 0;
}

static bool is_told(const training *t)
{
    return reads_text(t) || reads_labels(t);
}

static bool may_be_told_nothing(const training *t)
{
    return is_told(t) && !t->net.always_labelled;
}

static bool lists_pictures(const training *t)
{
    return !segments(t);
}

static bool reads_pictures(const training *t)
{
    return !segments(t) && !t->o->latents;
}

static bool has_distribution(const training *t)
{
    return t->net.distribution;
}

static bool is_judged(const training *t)
{
    return reconstructs(t) && t->o->adversary > 0;
}

static bool flows(const training *t)
{
    return denoises(t) && t->o->objective.schedule.kind == LIMN_SCHEDULE_FLOW;
}

static bool caps_snr(const training *t)
{
    return denoises(t) && t->o->objective.weighting == LIMN_WEIGHT_MIN_SNR;
}

static bool weighs_classes(const training *t)
{
    return segments(t) && t->o->segment.kind != LIMN_SEGMENT_DICE;
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */

#define DENOISERS "networks that denoise"
#define SEGMENTERS "networks of classes for every pixel (unet)"
#define TEXT "networks with a text encoder (text_encoder=clip)"

static const struct { const char *flag, *whose; bool (*has)(const training *t);
} only_for[] = {
    {"--where", "networks that denoise and autoencoders", lists_pictures},
    {"--crop", "networks that denoise and autoencoders, of --data", reads_pictures},
    {"--flip", "networks that denoise and autoencoders (unet: --augment flip=1)", lists_pictures},
    {"--latents", DENOISERS, denoises},
    {"--schedule", DENOISERS, denoises},
    {"--prediction", DENOISERS, denoises},
    {"--weighting", DENOISERS, denoises},
    {"--gamma", "networks that denoise, with --weighting min-snr", caps_snr},
    {"--shift", "networks that denoise, with --schedule flow", flows},
    {"--time-mean", "networks that denoise, with --schedule flow", flows},
    {"--time-std", "networks that denoise, with --schedule flow", flows},
    {"--merges", TEXT, reads_text},
    {"--caption-field", TEXT, reads_text},
    {"--no-captions", TEXT, reads_text},
    {"--contrastive", TEXT, reads_text},
    {"--label-field", "networks that are told a class (classes=N)", reads_labels},
    {"--sample-prompts", "networks that are told words (text_encoder=clip) or a class (classes=N)", is_told},
    {"--drop", "networks that are told words (text_encoder=clip) or a class (classes=N), or nothing (always_labelled=0)",
     may_be_told_nothing},
    {"--kl", "autoencoders whose latents are a distribution (vae)", has_distribution},
    {"--differences", "autoencoders (vae, tae)", reconstructs},
    {"--discriminator", "autoencoders (vae, tae)", reconstructs},
    {"--discriminator-start", "autoencoders (vae, tae), with --discriminator above 0", is_judged},
    {"--loss", SEGMENTERS, segments},
    {"--augment", SEGMENTERS, segments},
    {"--mask-values", SEGMENTERS, segments},
    {"--range", SEGMENTERS, segments},
    {"--hold-out", SEGMENTERS, segments},
    {"--fold", SEGMENTERS, segments},
    {"--class-weights", "networks of classes for every pixel (unet), with every --loss but dice", weighs_classes},
    {NULL, NULL, NULL},
};

bool train_flag_is_set(const cli_flag *flag)
{
    return (flag->text && *flag->text) || (flag->on && *flag->on);
}

limn_status train_flags_check(limn_ctx *ctx, const limn_train_options *o, const char *const *flags)
{
    limn_network *network;
    limn_status status = limn_network_new(ctx, o->network, &network);
    if (status != LIMN_OK) return status;
    training t = {o, limn_network_describe(network)};
    for (; *flags && status == LIMN_OK; flags++)
        for (int i = 0; only_for[i].flag; i++)
            if (strcmp(only_for[i].flag, *flags) == 0 && !only_for[i].has(&t))
                status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is for %s; this training of %s has no use for it", *flags,
                                   only_for[i].whose, t.net.family);
    limn_network_free(network);
    return status;
}
