/* make_relatives.h: what relatives of Stable Diffusion draw beside diffusers' pipelines: the schedulers, the picture and the
 * mask of oracle/sd_relatives.py, and latents after every call. */
#ifndef LIMN_MAKE_RELATIVES_H
#define LIMN_MAKE_RELATIVES_H

#include "file/image.h"
#include "make_published.h"
#include "pipeline/sampling.h"
#include "vectors/sd_relatives.h"

#define FLOW "\"prediction_type\": \"flow_prediction\", \"use_flow_sigmas\": true, \"flow_shift\": 3.0"

static const struct scheduler {
    const char *name, *config, *sampler; /* the sampler that means the same without the file; NULL: none does */
} schedulers[] = {
    {"pndm", SD_PNDM, "plms"},
    {"ddim", SD_DDIM, "ddim"},
    {"euler", SD_EULER, NULL},
    {"euler_a", "{\"_class_name\": \"EulerAncestralDiscreteScheduler\", \"timestep_spacing\": \"leading\", " SD_BETAS "}",
     NULL},
    {"dpm", "{\"_class_name\": \"DPMSolverMultistepScheduler\", " SD_BETAS "}", "dpm++2m"},
    {"unipc", "{\"_class_name\": \"UniPCMultistepScheduler\", " SD_BETAS "}", "unipc"},
    {"heun", "{\"_class_name\": \"HeunDiscreteScheduler\", " SD_BETAS "}", "heun"},
    {"dpm2_a", "{\"_class_name\": \"KDPM2AncestralDiscreteScheduler\", " SD_BETAS "}", "dpm2_a"},
    {"dpm2", "{\"_class_name\": \"KDPM2DiscreteScheduler\", " SD_BETAS "}", "dpm2"},
    {"unipc_flow", "{\"_class_name\": \"UniPCMultistepScheduler\", " FLOW "}", NULL},
    {"dpm_flow", "{\"_class_name\": \"DPMSolverMultistepScheduler\", " FLOW "}", NULL},
    {"deis_flow", "{\"_class_name\": \"DEISMultistepScheduler\", " FLOW "}", NULL},
    {"lms", "{\"_class_name\": \"LMSDiscreteScheduler\", " SD_BETAS "}", "lms"},
    {"turbo",
     "{\"_class_name\": \"EulerAncestralDiscreteScheduler\", \"timestep_spacing\": \"trailing\", " SD_BETAS "}", NULL},
    {"lightning", "{\"_class_name\": \"EulerDiscreteScheduler\", \"timestep_spacing\": \"trailing\", " SD_BETAS "}", NULL},
    {"tcd", "{\"_class_name\": \"TCDScheduler\", " SD_BETAS "}", NULL},
    {"lcm", "{\"_class_name\": \"LCMScheduler\", \"original_inference_steps\": 50, " SD_BETAS "}", "lcm"},
};
enum { SCHEDULERS = sizeof schedulers / sizeof *schedulers };

static inline limn_generate_options options_of(const limn_pipeline *p, const rel_case *c)
{
    limn_generate_options o = limn_generate_defaults();
    limn_pipeline_info info = limn_pipeline_describe(p);
    o.prompt = rel_prompt, o.negative = c->negative, o.width = REL_WIDTH, o.height = REL_HEIGHT, o.seed = REL_SEED;
    o.steps = c->steps, o.guidance = c->guidance, o.strength = c->strength, o.resample = info.resample;
    o.prompt_style = "plain", o.precision = LIMN_PRECISION_F32;
    return o;
}

/* The picture is left out where the mask is white and no noise but noise is in x. */
static inline void check_case(limn_ctx *ctx, limn_pipeline *p, const rel_case *c, const char *sampler)
{
    limn_generate_options o = options_of(p, c);
    limn_image picture = sd_picture(ctx, REL_WIDTH, REL_HEIGHT), mask = sd_mask(ctx, REL_WIDTH, REL_HEIGHT);
    limn_sampling *s;
    char what[80];
    bool white = !strcmp(c->kind, "white");
    snprintf(what, sizeof what, "%s, %s, %s, strength %g: call", c->net, c->kind, c->scheduler, c->strength);
    if (strcmp(c->kind, "words") && !(white && c->strength == 1)) o.init = &picture;
    if (!strcmp(c->kind, "mask")) o.mask = &mask;
    o.sampler = sampler;
    OK(limn_sampling_begin(p, &o, &s));
    if (limn_sampling_left(s) != c->calls) fail_msg("%s: %d calls, not %d", what, limn_sampling_left(s), c->calls);
    for (int i = 0; i < c->calls; i++) {
        OK(limn_sampling_step(s));
        if (i + 1 < c->calls) limn_start_keep(&s->start, s->sampler, i + 1, s->x); /* as a pipeline leaves it */
        compare(what, i, s->size, 1, s->x, c->latents + (size_t)i * s->size, 1e-4);
    }
    limn_sampling_end(s);
    limn_image_free(&picture);
    limn_image_free(&mask);
}

#endif
