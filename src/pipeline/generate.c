/* generate.c: text -> ids -> network -> sampler -> pictures.  With guidance the batch is doubled: the first half sees the prompt,
 * the second the negative prompt. */
#include "pipeline/generate.h"

#include "base/rng.h"
#include "denoise/flow.h"
#include "graph/node.h"
#include "text/clip_bpe.h"
#include "train/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct limn_pipeline {
    limn_ctx *ctx;
    char file[1100];
    limn_safetensors *st;
    limn_settings settings;
    limn_clip_bpe *bpe;
    bool flow;
};

/* One plan for one batch and number of steps. */
typedef struct job {
    limn_pipeline *p;
    const limn_generate_options *o;
    limn_graph *g;
    limn_ports ports;
    limn_plan *plan;
    int batch;     /* rows of the network's batch */
    size_t size;   /* floats of a picture */
    float *x;      /* [n, size] */
} job;

limn_status limn_pipeline_open(limn_ctx *ctx, const char *folder, limn_pipeline **out)
{
    char merges[1100];
    *out = NULL;
    limn_pipeline *p = calloc(1, sizeof *p);
    if (!p) return limn_fail_memory(ctx, sizeof *p, "a pipeline");
    p->ctx = ctx;
    snprintf(p->file, sizeof p->file, "%s/model.safetensors", folder);
    snprintf(merges, sizeof merges, "%s/merges.txt.gz", folder);
    limn_status status = limn_safetensors_open(ctx, p->file, &p->st);
    if (status == LIMN_OK) status = limn_weights_settings(ctx, p->file, p->st, &p->settings);
    if (status == LIMN_OK) {
        const char *schedule = limn_safetensors_metadata(p->st, "limn.schedule");
        p->flow = !schedule || strcmp(schedule, "flow") == 0;
        bool text = limn_settings_get(&p->settings, "text_encoder") == 1, has = access(merges, R_OK) == 0;
        if (text) status = limn_clip_bpe_open(ctx, has ? merges : NULL, has ? limn_settings_get(&p->settings, "text_vocab") - 514 : 0, &p->bpe);
    }
    if (status == LIMN_OK) *out = p;
    else limn_pipeline_free(p);
    return status;
}

void limn_pipeline_free(limn_pipeline *p)
{
    if (!p) return;
    limn_safetensors_close(p->st);
    limn_clip_bpe_free(p->bpe);
    free(p);
}

const limn_settings *limn_pipeline_settings(const limn_pipeline *p)
{
    return &p->settings;
}

static limn_status open_job(job *j)
{
    limn_ctx *ctx = j->p->ctx;
    j->batch = j->o->n * (j->o->guidance != 1 && j->p->bpe ? 2 : 1);
    j->g = limn_graph_new(ctx);
    if (!j->g) return LIMN_NO_MEMORY;
    limn_status status = limn_model_build(j->g, &j->p->settings, (limn_build){.batch = j->batch, .n_steps = j->o->steps}, &j->ports);
    if (status != LIMN_OK) return status;
    if (!j->ports.image || j->ports.features) return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: this network does not make pictures from text by itself", j->p->file);
    limn_plan_options options = {.precision = j->o->precision, .own_parameters = true};
    status = limn_plan_new(j->g, 1, &j->ports.output, &options, &j->plan);
    if (status == LIMN_OK) status = limn_weights_give(ctx, j->g, j->plan, j->p->file, j->p->st);
    j->size = (size_t)limn_node_count(j->ports.image) / (size_t)j->batch;
    j->x = malloc((size_t)j->o->n * j->size * sizeof *j->x);
    return status == LIMN_OK && !j->x ? limn_fail_memory(ctx, (size_t)j->o->n * j->size, "pictures") : status;
}

static limn_status set_text(job *j)
{
    if (!j->ports.ids) return LIMN_OK;
    int length = (int)limn_node_shape(j->ports.ids).dim[1], n;
    int32_t *ids = limn_plan_data(j->plan, j->ports.ids), *end = limn_plan_data(j->plan, j->ports.text_end);
    if (!ids || !end) return LIMN_NO_MEMORY;
    limn_status status = LIMN_OK;
    for (int b = 0; b < j->batch && status == LIMN_OK; b++) {
        const char *text = b < j->o->n ? j->o->prompt : j->o->negative;
        bool cut = false;
        status = limn_clip_bpe_encode(j->p->ctx, j->p->bpe, text ? text : "", text ? strlen(text) : 0, length, ids + (ptrdiff_t)b * length, &n, &cut);
        end[b] = b * length + n - 1;
        if (cut && b == 0) limn_log(j->p->ctx, LIMN_LOG_WARN, "the prompt is longer than %d tokens; its end was cut off", length - 2);
    }
    limn_plan_touch(j->plan, j->ports.ids);
    return status;
}

/* v = uncond + guidance (cond - uncond) for picture i */
static void guided(const job *j, const float *output, int i, float *v)
{
    const float *cond = output + (size_t)i * j->size, *uncond = output + (size_t)(i + j->o->n) * j->size;
    bool twice = j->batch > j->o->n;
    float scale = (float)j->o->guidance;
    for (size_t k = 0; k < j->size; k++) v[k] = twice ? uncond[k] + scale * (cond[k] - uncond[k]) : cond[k];
}

static limn_status run_step(job *j, const limn_flow *flow, int k, float *output, float *v)
{
    float *image = limn_plan_data(j->plan, j->ports.image);
    for (int b = 0; b < j->batch; b++) memcpy(image + (size_t)b * j->size, j->x + (size_t)(b % j->o->n) * j->size, j->size * sizeof *image);
    limn_plan_touch(j->plan, j->ports.image);
    int32_t step = k;
    limn_status status = limn_plan_set(j->plan, j->ports.step, LIMN_I32, &step);
    if (status == LIMN_OK) status = limn_plan_run(j->plan);
    if (status == LIMN_OK) status = limn_plan_get(j->plan, j->ports.output, LIMN_F32, output);
    for (int i = 0; i < j->o->n && status == LIMN_OK; i++) {
        guided(j, output, i, v);
        limn_flow_step(flow, k, j->size, v, j->x + (size_t)i * j->size);
    }
    return status;
}

static limn_status sample(job *j)
{
    limn_flow flow;
    limn_ctx *ctx = j->p->ctx;
    limn_status status = limn_flow_init(ctx, j->o->steps, 1, !j->p->flow, &flow);
    if (status != LIMN_OK) return status;
    float *timesteps = limn_plan_data(j->plan, j->ports.timesteps), *output = malloc((size_t)j->batch * j->size * sizeof *output), *v = malloc(j->size * sizeof *v);
    if (!timesteps || !output || !v) status = limn_fail_memory(ctx, (size_t)j->batch * j->size, "sampling");
    for (int k = 0; k < j->o->steps && status == LIMN_OK; k++) timesteps[k] = limn_flow_timestep(&flow, k);
    if (status == LIMN_OK) limn_plan_touch(j->plan, j->ports.timesteps);
    for (int i = 0; i < j->o->n && status == LIMN_OK; i++)
        limn_random_normal(j->o->seed, LIMN_STREAM_LATENT, (uint64_t)i, 0, j->size, j->x + (size_t)i * j->size);
    for (int k = 0; k < j->o->steps && status == LIMN_OK; k++) {
        if (!limn_progress(ctx, "step", k, j->o->steps)) status = limn_fail(ctx, LIMN_CANCELLED, "stopped");
        else status = run_step(j, &flow, k, output, v);
    }
    if (status == LIMN_OK) limn_progress(ctx, "step", j->o->steps, j->o->steps);
    free(output);
    free(v);
    return status;
}

static uint8_t to_byte(float x)
{
    return !(x > 0) ? 0 : x > 1 ? 255 : (uint8_t)(x * 255 + 0.5f);
}

/* [-1,1] to bytes; four channels are premultiplied (see train/data.h): colour / alpha */
static limn_status to_image(limn_ctx *ctx, const limn_settings *s, const float *x, limn_image *out)
{
    int size = limn_settings_get(s, "size"), c = limn_settings_get(s, "channels");
    if (c != 1 && c != 3 && c != 4) return limn_fail(ctx, LIMN_UNSUPPORTED, "%d channels are a latent, not a picture", c);
    *out = (limn_image){.width = size, .height = size, .channels = c, .pixels = malloc((size_t)size * (size_t)size * (size_t)c)};
    if (!out->pixels) return limn_fail_memory(ctx, (size_t)size * (size_t)size, "a picture");
    for (size_t i = 0; i < (size_t)size * (size_t)size; i++) {
        const float *p = x + i * (size_t)c;
        float alpha = c == 4 ? p[3] * 0.5f + 0.5f : 1;
        for (int k = 0; k < c; k++) {
            float value = p[k] * 0.5f + 0.5f;
            out->pixels[i * (size_t)c + (size_t)k] = to_byte(k < 3 && alpha > 0.004f ? value / (alpha < 1 ? alpha : 1) : value);
        }
    }
    return LIMN_OK;
}

limn_status limn_generate(limn_pipeline *p, const limn_generate_options *o, limn_image *images)
{
    job j = {.p = p, .o = o};
    for (int i = 0; i < o->n; i++) images[i] = (limn_image){0};
    limn_status status = open_job(&j);
    if (status == LIMN_OK) status = set_text(&j);
    if (status == LIMN_OK) status = sample(&j);
    for (int i = 0; i < o->n && status == LIMN_OK; i++) status = to_image(p->ctx, &p->settings, j.x + (size_t)i * j.size, &images[i]);
    for (int i = 0; i < o->n && status != LIMN_OK; i++) limn_image_free(&images[i]);
    limn_plan_free(j.plan);
    limn_graph_free(j.g);
    free(j.x);
    return status;
}
