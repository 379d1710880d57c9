/* train_flags.c: see train_flags.h. */
#include "train_flags.h"

#include "train/step_graph.h"

#include <string.h>

/* ---- what a training is like ------------------------------------------------------------------------------------------ */

static bool segments(const limn_train_options *o)
{
    return limn_step_segments(&o->settings);
}

static bool reconstructs(const limn_train_options *o)
{
    return limn_step_reconstructs(&o->settings);
}

static bool denoises(const limn_train_options *o)
{
    return !segments(o) && !reconstructs(o);
}

static bool reads_text(const limn_train_options *o)
{
    return denoises(o) && limn_settings_get(&o->settings, "text_encoder") == 1;
}

static bool reads_labels(const limn_train_options *o)
{
    return denoises(o) && limn_settings_get(&o->settings, "classes") > 0;
}

static bool is_told(const limn_train_options *o)
{
    return reads_text(o) || reads_labels(o);
}

static bool may_be_told_nothing(const limn_train_options *o)
{
    return is_told(o) && !limn_settings_get(&o->settings, "always_labelled");
}

static bool lists_pictures(const limn_train_options *o)
{
    return !segments(o);
}

static bool reads_pictures(const limn_train_options *o)
{
    return !segments(o) && !o->latents;
}

static bool has_distribution(const limn_train_options *o)
{
    return o->settings.family == &limn_family_vae;
}

static bool is_judged(const limn_train_options *o)
{
    return reconstructs(o) && o->adversary > 0;
}

static bool flows(const limn_train_options *o)
{
    return denoises(o) && o->objective.schedule.kind == LIMN_SCHEDULE_FLOW;
}

static bool caps_snr(const limn_train_options *o)
{
    return denoises(o) && o->objective.weighting == LIMN_WEIGHT_MIN_SNR;
}

static bool weighs_classes(const limn_train_options *o)
{
    return segments(o) && o->segment.kind != LIMN_SEGMENT_DICE;
}

/* ---- the table -------------------------------------------------------------------------------------------------------- */

#define DENOISERS "networks that denoise"
#define SEGMENTERS "networks of classes for every pixel (unet)"
#define TEXT "networks with a text encoder (text_encoder=clip)"

static const struct { const char *flag, *whose; bool (*has)(const limn_train_options *o);
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
    for (; *flags; flags++)
        for (int i = 0; only_for[i].flag; i++)
            if (strcmp(only_for[i].flag, *flags) == 0 && !only_for[i].has(o))
                return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is for %s; this training of %s has no use for it", *flags,
                                 only_for[i].whose, o->settings.family->name);
    return LIMN_OK;
}
