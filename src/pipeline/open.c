/* open.c: a model folder, or a weight file alone: weights, their metadata, the tokenizer beside them. */
#include "model/map/map.h"
#include "pipeline/generate.h"
#include "pipeline/pipeline.h"
#include "train/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static limn_status unknown_value(const limn_pipeline *p, const char *key, const char *value)
{
    char shown[256];
    return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: metadata %s is \"%s\", which this version does not know", p->file, key,
                     limn_escape(value, strlen(value), shown, sizeof shown));
}

/* *out is unchanged when the file does not say. */
static limn_status read_number(const limn_pipeline *p, const char *key, double low, double high, double *out)
{
    const char *text = limn_weight_file_metadata(p->st, key);
    if (!text) return LIMN_OK;
    char *end, shown[256];
    double value = limn_number_parse(text, &end);
    if (end == text || *end || !(value >= low && value <= high))
        return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: metadata %s must be a number from %g to %g, found \"%s\"", p->file, key, low, high,
                         limn_escape(text, strlen(text), shown, sizeof shown));
    *out = value;
    return LIMN_OK;
}

/* SD3 was trained on rectified flow; diffusion in latents of Stable Diffusion has betas of its own. */
static const char *published_schedule(const char *family)
{
    return !strcmp(family, "ldm-unet") ? "scaled_linear" : "linear";
}

/* Metadata: limn.schedule, limn.shift, limn.beta_start, limn.beta_end, limn.prediction; before them there was limn.objective, "flow" or "noise". */
static limn_status read_objective(limn_pipeline *p)
{
    const char *schedule = limn_weight_file_metadata(p->st, "limn.schedule"), *prediction = limn_weight_file_metadata(p->st, "limn.prediction");
    const char *objective = limn_weight_file_metadata(p->st, "limn.objective");
    bool published = !limn_weight_file_metadata(p->st, "limn.settings"), flow = !strcmp(p->settings.family->name, "mmdit");
    if (!schedule && published) schedule = flow ? "flow" : published_schedule(p->settings.family->name);
    if (!schedule) schedule = objective && strcmp(objective, "noise") == 0 ? "linear" : "flow";
    p->schedule = limn_schedule_defaults();
    if (published && flow) p->schedule.shift = 3; /* SD3 */
    if (!limn_schedule_find(schedule, &p->schedule.kind)) return unknown_value(p, "limn.schedule", schedule);
    if (p->schedule.kind == LIMN_SCHEDULE_SCALED_LINEAR) p->schedule.beta_start = 0.00085, p->schedule.beta_end = 0.012;
    p->prediction = p->schedule.kind == LIMN_SCHEDULE_FLOW ? LIMN_PREDICT_FLOW : LIMN_PREDICT_EPS;
    if (prediction && !limn_prediction_find(prediction, &p->prediction)) return unknown_value(p, "limn.prediction", prediction);
    limn_status status = read_number(p, "limn.shift", 1e-4, 1e4, &p->schedule.shift);
    if (status == LIMN_OK) status = read_number(p, "limn.beta_start", 1e-12, 1, &p->schedule.beta_start);
    if (status == LIMN_OK) status = read_number(p, "limn.beta_end", 1e-12, 1, &p->schedule.beta_end);
    return status;
}

/* Networks trained on latents say their scale; published ones of 4 and more channels are known to make latents. */
static limn_status read_latent(limn_pipeline *p)
{
    int channels = limn_settings_get(&p->settings, "channels");
    bool published = !limn_weight_file_metadata(p->st, "limn.settings"), picture = channels == 1 || channels == 3 || (channels == 4 && !published);
    p->latent_known = limn_weight_file_metadata(p->st, "limn.latent.scale") != NULL;
    p->makes_latents = p->latent_known || !picture;
    p->latent_scale = 1;
    limn_status status = read_number(p, "limn.latent.scale", 1e-9, 1e9, &p->latent_scale);
    return status == LIMN_OK ? read_number(p, "limn.latent.shift", -1e9, 1e9, &p->latent_shift) : status;
}

static limn_status open_tokenizer(limn_pipeline *p, const char *source, bool file)
{
    char merges[1100];
    const char *slash = strrchr(source, '/');
    if (limn_settings_get(&p->settings, "text_encoder") != 1) return LIMN_OK;
    if (file) snprintf(merges, sizeof merges, "%.*smerges.txt.gz", slash ? (int)(slash - source) + 1 : 0, source);
    else snprintf(merges, sizeof merges, "%s/merges.txt.gz", source);
    bool has = access(merges, F_OK) == 0;
    int vocab = limn_settings_get(&p->settings, "text_vocab");
    const char *tokens = limn_weight_file_metadata(p->st, "limn.tokens"); /* "bytes": trained without merges */
    if (!has && vocab != 514 && !(tokens && !strcmp(tokens, "bytes")))
        return limn_fail(p->ctx, LIMN_NOT_FOUND, "%s: not there, and the network's vocabulary of %d tokens needs the merges in it", merges, vocab);
    return limn_clip_bpe_open(p->ctx, has ? merges : NULL, has ? vocab - 514 : 0, &p->bpe);
}

/* Last part of the folder's or file's name. */
static void name_model(limn_pipeline *p, const char *folder)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    size_t begin = n;
    while (begin > 0 && folder[begin - 1] != '/') begin--;
    snprintf(p->name, sizeof p->name, "%.*s", (int)(n - begin < 100 ? n - begin : 100), folder + begin);
}

limn_status limn_pipeline_open(limn_ctx *ctx, const char *source, limn_pipeline **out)
{
    struct stat there;
    char shown[256];
    *out = NULL;
    limn_escape(source, strlen(source), shown, sizeof shown);
    if (strlen(source) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a folder name of %zu bytes is too long: \"%s\"", strlen(source), shown);
    bool found = stat(source, &there) == 0, file = found && S_ISREG(there.st_mode);
    if (!file && (!found || !S_ISDIR(there.st_mode)))
        return limn_fail(ctx, LIMN_NOT_FOUND, "%s: expected a model folder with model.safetensors in it, or a weight file, found %s", shown, found ? "neither" : "nothing");
    limn_pipeline *p = calloc(1, sizeof *p);
    if (!p) return limn_fail_memory(ctx, sizeof *p, "a pipeline");
    p->ctx = ctx;
    name_model(p, source);
    limn_status status = limn_map_file(ctx, source, p->file);
    if (status == LIMN_OK) status = limn_weight_file_open(ctx, p->file, &p->st);
    if (status == LIMN_OK) status = limn_weights_settings(ctx, p->file, p->st, &p->settings);
    if (status == LIMN_OK && strcmp(p->settings.family->task, "segment") == 0)
        status = limn_fail(ctx, LIMN_UNSUPPORTED, "%s: a %s finds what is in pictures and makes none: limn segment", p->file, p->settings.family->name);
    if (status == LIMN_OK) status = read_latent(p);
    if (status == LIMN_OK) status = read_objective(p);
    if (status == LIMN_OK) status = open_tokenizer(p, source, file);
    if (status == LIMN_OK) *out = p;
    else limn_pipeline_free(p);
    return status;
}

void limn_pipeline_free(limn_pipeline *p)
{
    if (!p) return;
    limn_network_free(&p->network);
    limn_autoencoder_free(p->vae);
    limn_weight_file_close(p->st);
    limn_clip_bpe_free(p->bpe);
    free(p);
}

limn_status limn_pipeline_set_autoencoder(limn_pipeline *p, const char *source)
{
    int channels = limn_settings_get(&p->settings, "channels");
    limn_autoencoder *vae;
    if (!source && !p->makes_latents) return LIMN_OK;
    if (!p->makes_latents && limn_weight_file_metadata(p->st, "limn.settings"))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s: its %d channels were trained as pictures, and an autoencoder (--vae) makes pictures of latents: leave it out",
                         p->file, channels);
    bool named = !source;
    if (named) source = limn_weight_file_metadata(p->st, "limn.vae");
    if (!source || !*source)
        return limn_fail(p->ctx, LIMN_NOT_FOUND, "%s: its %d channels are a latent: give the autoencoder that makes pictures of it (--vae)", p->file, channels);
    limn_status status = limn_autoencoder_open(p->ctx, source, &vae);
    if (status != LIMN_OK) return named ? limn_fail_in(p->ctx, status, "the autoencoder that %s names (--vae gives another place)", p->file) : status;
    limn_autoencoder_info info = limn_autoencoder_describe(vae);
    const char *trained = limn_weight_file_metadata(p->st, "limn.vae.settings");
    if (info.latent != channels || (trained && strcmp(trained, info.settings) != 0)) {
        status = limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s makes latents of %d channels%s%s, and %s is %s", p->file, channels, trained ? " for " : "", trained ? trained : "", source, info.settings);
        limn_autoencoder_free(vae);
        return status;
    }
    limn_autoencoder_free(p->vae);
    p->vae = vae;
    if (!p->latent_known) p->latent_scale = info.scale, p->latent_shift = info.shift;
    return LIMN_OK;
}

const limn_settings *limn_pipeline_settings(const limn_pipeline *p)
{
    return &p->settings;
}

/* Metadata limn.classes: a name a line. */
int limn_pipeline_class(const limn_pipeline *p, const char *name)
{
    const char *line = limn_weight_file_metadata(p->st, "limn.classes");
    int classes = limn_settings_get(&p->settings, "classes");
    size_t n = strlen(name);
    for (int i = 0; line && *line && i < classes; i++, line += strcspn(line, "\n"), line += *line == '\n')
        if (strcspn(line, "\n") == n && memcmp(line, name, n) == 0) return i;
    return -1;
}

limn_pipeline_info limn_pipeline_describe(const limn_pipeline *p)
{
    limn_autoencoder_info vae = p->vae ? limn_autoencoder_describe(p->vae) : (limn_autoencoder_info){.factor = 1};
    int size = limn_settings_get(&p->settings, "size") * vae.factor, classes = limn_settings_get(&p->settings, "classes");
    const char *sampler = p->schedule.kind == LIMN_SCHEDULE_FLOW ? "euler" : "dpm++2m";
    return (limn_pipeline_info){.network = p->settings.family->name, .sampler = sampler, .width = size, .height = size,
                                .channels = p->vae ? vae.channels : limn_settings_get(&p->settings, "channels"),
                                .enlarges = limn_settings_get(&p->settings, "enlarge"),
                                .makes_latents = p->makes_latents, .classes = classes, .reads_text = p->bpe != NULL,
                                .guides = (p->bpe || classes) && !limn_settings_get(&p->settings, "always_labelled")};
}
