/* open.c: a model folder, a weight file, or parts in files of their own: weights, their metadata, the tokenizer. */
#include "file/bytes.h"
#include "model/config.h"
#include "model/map/map.h"
#include "pipeline/autoencoder.h"
#include "pipeline/generate.h"
#include "pipeline/embeddings.h"
#include "pipeline/loras.h"
#include "pipeline/open.h"
#include "pipeline/pipeline.h"
#include "denoise/scheduler_config.h"
#include "net/open.h"
#include "pipeline/beside.h"
#include "pipeline/labels.h"
#include "pipeline/published.h"

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
        return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: metadata %s must be a number from %g to %g, found \"%s\"", p->file, key,
                         low, high, limn_escape(text, strlen(text), shown, sizeof shown));
    *out = value;
    return LIMN_OK;
}

/* SD3 was trained on rectified flow; diffusion in latents of Stable Diffusion has betas of its own. */
static const char *published_schedule(const limn_family *family)
{
    return family == &limn_family_ldm_unet ? "scaled_linear" : "linear";
}

/* What Stability AI's files, and those of others after them, say: epsilon or v. */
static bool read_spec(limn_pipeline *p)
{
    const char *spec = limn_weight_file_metadata(p->st, "modelspec.prediction_type");
    limn_prediction told;
    bool tells = spec && limn_prediction_find(spec, &told) && told != LIMN_PREDICT_FLOW;
    if (tells) p->prediction = told;
    return tells;
}

/* Metadata: limn.schedule, limn.shift, limn.beta_start, limn.beta_end, limn.prediction; before them there was
 * limn.objective, "flow" or "noise". */
static limn_status read_objective(limn_pipeline *p)
{
    const char *schedule = limn_weight_file_metadata(p->st, "limn.schedule"),
               *prediction = limn_weight_file_metadata(p->st, "limn.prediction");
    const char *objective = limn_weight_file_metadata(p->st, "limn.objective");
    bool published = p->published, flow = p->settings.family == &limn_family_mmdit;
    if (!schedule && published) schedule = flow ? "flow" : published_schedule(p->settings.family);
    if (!schedule) schedule = objective && strcmp(objective, "noise") == 0 ? "linear" : "flow";
    p->schedule = limn_schedule_defaults();
    if (published && flow) p->schedule.shift = 3; /* SD3 */
    if (!limn_schedule_find(schedule, &p->schedule.kind)) return unknown_value(p, "limn.schedule", schedule);
    if (p->schedule.kind == LIMN_SCHEDULE_SCALED_LINEAR) p->schedule.beta_start = 0.00085, p->schedule.beta_end = 0.012;
    p->prediction = p->schedule.kind == LIMN_SCHEDULE_FLOW ? LIMN_PREDICT_FLOW : LIMN_PREDICT_EPS;
    if (prediction && !limn_prediction_find(prediction, &p->prediction))
        return unknown_value(p, "limn.prediction", prediction);
    p->prediction_known = prediction || (published && !flow && read_spec(p));
    limn_status status = read_number(p, "limn.shift", 1e-4, 1e4, &p->schedule.shift);
    if (status == LIMN_OK) status = read_number(p, "limn.beta_start", 1e-12, 1, &p->schedule.beta_start);
    if (status == LIMN_OK) status = read_number(p, "limn.beta_end", 1e-12, 1, &p->schedule.beta_end);
    return status;
}

/* Networks trained on latents say their scale; published ones of 4 and more channels are known to make latents. */
static limn_status read_latent(limn_pipeline *p)
{
    int channels = limn_model_interface(&p->settings).channels;
    bool published = p->published, picture = channels == 1 || channels == 3 || (channels == 4 && !published);
    p->latent_known = limn_weight_file_metadata(p->st, "limn.latent.scale") != NULL;
    p->makes_latents = p->latent_known || !picture;
    p->latent_scale = 1;
    limn_status status = read_number(p, "limn.latent.scale", 1e-9, 1e9, &p->latent_scale);
    return status == LIMN_OK ? read_number(p, "limn.latent.shift", -1e9, 1e9, &p->latent_shift) : status;
}

/* FOLDER/scheduler: noise, prediction, and the sampler that is taken when none is named. */
static limn_status read_scheduler(limn_pipeline *p, const char *source)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/scheduler/scheduler_config.json", source);
    if (!p->folder || !p->published || access(path, F_OK) != 0) return LIMN_OK;
    limn_status status = limn_scheduler_config_read(p->ctx, path, &p->scheduler);
    if (status != LIMN_OK) return status;
    p->has_scheduler = true, p->schedule = p->scheduler.schedule, p->prediction = p->scheduler.prediction;
    p->prediction_known = true;
    return LIMN_OK;
}

/* ---- the recipe ------------------------------------------------------------------------------------------------------- */

limn_status limn_open_part(limn_pipeline *p, const char *name, limn_role role, limn_lora_network network,
                            const limn_settings *settings, const char *file, const limn_weight_file *st,
                            const limn_port *port)
{
    limn_source *weights;
    limn_net *net = NULL;
    limn_status status = limn_map_source(p->ctx, file, st, &weights);
    if (status == LIMN_OK) status = limn_lora_source(p->ctx, weights, network, &p->loras->stack, &weights);
    if (status == LIMN_OK) status = limn_net_new(p->ctx, settings, weights, file, &net);
    if (status == LIMN_OK) status = limn_recipe_add(p->ctx, &p->recipe, name, role, net, LIMN_PART_WHOLE, port);
    limn_net_free(net);
    return status;
}

void limn_open_forget_weights(limn_ctx *ctx, char kept[sizeof ctx->weights])
{
    memcpy(kept, ctx->weights, sizeof ctx->weights);
    ctx->weights[0] = '\0';
}

/* The networks of an opened model and what feeds what: its weights, the text encoders in them or beside them, later its
 * autoencoder (limn_pipeline_set_autoencoder()).  A folder in another layout has its parts and wires made here. */
static limn_status make_recipe(limn_pipeline *p, const char *source, const limn_pipeline_parts *parts, const limn_port *port)
{
    limn_status status =
        limn_open_part(p, "denoiser", LIMN_ROLE_DENOISER, LIMN_LORA_DENOISER, &p->settings, p->file, p->st, port);
    if (status == LIMN_OK) status = limn_open_texts(p, source, parts);
    if (status != LIMN_OK) return status;
    if (p->bpe && !p->published) p->text[0].pad = limn_clip_bpe_end(p->bpe);
    for (int i = 0; i < 1 || i < p->n_texts; i++) { /* the text encoders, or the network that one is in */
        limn_recipe_part *reader = &p->recipe.part[p->n_texts ? 1 + i : 0];
        reader->pad = p->text[i].pad, reader->encoder = i;
        if (p->text[i].whole) reader->unigram = p->unigram;
        else reader->bpe = p->bpe;
        if (p->n_texts && reader->bpe) reader->embeddings = p->embeddings;
    }
    if (limn_model_interface(&p->settings).blocks && p->n_texts)
        status = limn_recipe_twin(p->ctx, &p->recipe, "skips", LIMN_ROLE_SKIPS, &p->recipe.part[0]);
    if (status != LIMN_OK) return status;
    if (p->text[0].st ? p->published : limn_published_is_dit(p)) p->rng = LIMN_RNG_CPU; /* as diffusers draws it */
    status = limn_recipe_check(p->ctx, &p->recipe);
    return status == LIMN_OK ? LIMN_OK : limn_fail_in(p->ctx, status, "%s", p->file);
}

static limn_status add_coder(limn_pipeline *p, const char *name, limn_role role, limn_coder *coder)
{
    return limn_recipe_add(p->ctx, &p->recipe, name, role, coder->net, coder->part, NULL);
}

/* On failure it has none. */
static limn_status add_coders(limn_pipeline *p)
{
    limn_status status = LIMN_OK;
    limn_recipe_drop_coders(&p->recipe);
    if (p->vae) status = add_coder(p, "encoder", LIMN_ROLE_ENCODER, &p->vae->encoder);
    if (p->vae && status == LIMN_OK) status = add_coder(p, "decoder", LIMN_ROLE_DECODER, &p->vae->decoder);
    if (p->tiny && status == LIMN_OK) status = add_coder(p, "preview", LIMN_ROLE_PREVIEW, &p->tiny->decoder);
    if (status == LIMN_OK) return LIMN_OK;
    limn_recipe_drop_coders(&p->recipe);
    limn_autoencoder_free(p->vae);
    limn_autoencoder_free(p->tiny);
    p->vae = p->tiny = NULL;
    return status;
}

static limn_status check_kind(const limn_pipeline *p)
{
    const char *name = p->settings.family->name;
    switch (p->settings.family->kind) {
    case LIMN_DENOISES: return LIMN_OK;
    case LIMN_SEGMENTS:
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: a %s finds what is in pictures and makes none: limn segment",
                         p->file, name);
    case LIMN_RECONSTRUCTS:
        return limn_fail(p->ctx, LIMN_UNSUPPORTED,
                         "%s: a %s makes pictures of latents only: limn encode, limn decode, or --vae beside a network that "
                         "makes latents", p->file, name);
    case LIMN_ENCODES_TEXT: break;
    }
    return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: a %s makes features of text, and no pictures by itself", p->file, name);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static limn_status take_autoencoder(limn_pipeline *p, const char *source, bool own);

/* One that lies beside a published denoiser. */
static limn_status find_beside(limn_pipeline *p, char *out)
{
    return limn_beside_find(p->ctx, p->file, LIMN_BESIDE_AUTOENCODER, limn_model_interface(&p->settings).channels, out);
}

/* FOLDER/vae, or another network of the one file, where a network of latents has one beside it: it goes before the place
 * that its metadata names.  What is not found, or twice, may still be named. */
static limn_status open_own_autoencoder(limn_pipeline *p, const char *source)
{
    char inside[1100];
    if (!p->makes_latents) return LIMN_OK;
    snprintf(inside, sizeof inside, "%s/vae", source);
    if (p->folder && access(inside, F_OK) == 0) return take_autoencoder(p, inside, true);
    if (!p->folder && limn_published_holds(p, "vae")) return take_autoencoder(p, source, true);
    if (!p->published) return LIMN_OK;
    limn_status status = find_beside(p, inside);
    if (status == LIMN_OK) return take_autoencoder(p, inside, false);
    return status == LIMN_NOT_FOUND || status == LIMN_BAD_ARGUMENT ? LIMN_OK : status;
}

/* Of a file with several networks the one that draws.  The file stays open where the others are looked for in it, too. */
static limn_status open_denoiser(limn_pipeline *p, const char *source, limn_port *port)
{
    char denoisers[256] = "";
    for (int i = 0; limn_families[i]; i++)
        if (limn_families[i]->kind == LIMN_DENOISES)
            snprintf(denoisers + strlen(denoisers), sizeof denoisers - strlen(denoisers), "%s ", limn_families[i]->name);
    limn_status status = limn_weight_file_open(p->ctx, p->file, &p->whole);
    if (status == LIMN_OK) status = limn_net_open_in(p->ctx, p->file, p->whole, denoisers, &p->st, &p->settings, port);
    if (status == LIMN_OK) p->published = !limn_weight_file_metadata(p->st, "limn.settings");
    snprintf(p->whole_file, sizeof p->whole_file, "%s", p->folder ? p->file : source);
    if (status != LIMN_OK || strcmp(p->whole_file, p->file) == 0) return status;
    limn_weight_file_close(p->whole);
    p->whole = NULL;
    return limn_weight_file_open(p->ctx, p->whole_file, &p->whole);
}

/* source: what holds the parts that are not named. */
static limn_status open_networks(limn_pipeline *p, const char *source, const limn_pipeline_parts *parts)
{
    limn_port port[LIMN_PORTS];
    limn_status status = limn_map_file(p->ctx, parts->diffusion_model ? parts->diffusion_model : source, p->file);
    if (status == LIMN_OK) status = open_denoiser(p, source, port);
    if (status == LIMN_OK) status = check_kind(p);
    if (status == LIMN_OK) status = read_latent(p);
    if (status == LIMN_OK) status = read_objective(p);
    if (status == LIMN_OK) status = read_scheduler(p, source);
    if (status == LIMN_OK) status = make_recipe(p, source, parts, port);
    if (status == LIMN_OK) status = limn_labels_read(p, source);
    if (status == LIMN_OK)
        status = parts->vae ? limn_pipeline_set_autoencoder(p, parts->vae) : open_own_autoencoder(p, source);
    limn_weight_file_close(p->whole);
    p->whole = NULL;
    return status;
}

/* The parts have paths, and as long as they may be. */
static limn_status check_paths(limn_ctx *ctx, const limn_pipeline_parts *parts)
{
    const char *const paths[] = {parts->model, parts->diffusion_model, parts->clip_l, parts->clip_g, parts->t5xxl,
                                 parts->vae};
    char shown[256];
    if (!parts->model && !parts->diffusion_model)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a model, or a network that draws alone (--diffusion-model)");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i] && strlen(paths[i]) > 1000)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a folder name of %zu bytes is too long: \"%s\"", strlen(paths[i]),
                             limn_escape(paths[i], strlen(paths[i]), shown, sizeof shown));
    return LIMN_OK;
}

limn_status limn_pipeline_open(limn_ctx *ctx, const char *source, limn_pipeline **out)
{
    return limn_pipeline_open_parts(ctx, &(limn_pipeline_parts){.model = source}, out);
}

limn_status limn_pipeline_open_parts(limn_ctx *ctx, const limn_pipeline_parts *parts, limn_pipeline **out)
{
    struct stat there;
    char shown[256];
    *out = NULL;
    limn_status status = check_paths(ctx, parts);
    if (status != LIMN_OK) return status;
    const char *source = parts->model ? parts->model : parts->diffusion_model,
               *draws = parts->diffusion_model ? parts->diffusion_model : source;
    bool found = stat(source, &there) == 0, file = found && S_ISREG(there.st_mode);
    if (!file && (!found || !S_ISDIR(there.st_mode)))
        return limn_fail(ctx, LIMN_NOT_FOUND,
                         "%s: expected a model folder with model.safetensors in it, or a weight file, found %s",
                         limn_escape(source, strlen(source), shown, sizeof shown), found ? "neither" : "nothing");
    limn_pipeline *p = calloc(1, sizeof *p);
    if (p) p->loras = limn_loras_new(), p->embeddings = limn_embeddings_new();
    if (!p || !p->loras || !p->embeddings) {
        limn_pipeline_free(p);
        return limn_fail_memory(ctx, sizeof *p, "a pipeline");
    }
    p->ctx = ctx;
    if (!*limn_path_last(draws, p->name, sizeof p->name)) snprintf(p->name, sizeof p->name, "%.100s", draws);
    p->folder = !file;
    status = open_networks(p, source, parts);
    if (status == LIMN_OK) *out = p;
    else limn_pipeline_free(p);
    return status;
}

void limn_pipeline_free(limn_pipeline *p)
{
    if (!p) return;
    limn_job_end(&p->reader.job);
    free(p->reader.ids);
    limn_recipe_free(&p->recipe);
    limn_autoencoder_free(p->vae);
    limn_autoencoder_free(p->tiny);
    if (!p->shares) {
        limn_weight_file_close(p->st);
        for (int i = 0; i < LIMN_TEXT_ENCODERS; i++) limn_weight_file_close(p->text[i].st);
        limn_clip_bpe_free(p->bpe);
        limn_unigram_free(p->unigram);
        limn_arena_free(p->arena);
        limn_loras_free(p->loras);
        limn_embeddings_free(p->embeddings);
    }
    free(p);
}

limn_status limn_pipeline_share(limn_ctx *ctx, const limn_pipeline *p, limn_pipeline **out)
{
    *out = NULL;
    limn_pipeline *q = malloc(sizeof *q);
    if (!q) return limn_fail_memory(ctx, sizeof *q, "a pipeline");
    *q = *p;
    q->ctx = ctx, q->shares = true, q->under_way = false, q->reader = (limn_recipe_part){0}, q->vae = q->tiny = NULL;
    limn_recipe_share(&p->recipe, &q->recipe);
    limn_status status = p->vae ? limn_autoencoder_share(ctx, p->vae, &q->vae) : LIMN_OK;
    if (status == LIMN_OK && p->tiny) status = limn_autoencoder_share(ctx, p->tiny, &q->tiny);
    if (status == LIMN_OK) *out = q;
    else limn_pipeline_free(q);
    return status;
}

/* What metadata limn.vae names, beside the weights or beside the folder of the model.  Only a name is taken of it, whatever
 * path it holds: opening somebody's model opens nothing elsewhere.  out: 1500 bytes */
static limn_status find_named(limn_pipeline *p, char *out)
{
    const char *said = limn_weight_file_metadata(p->st, "limn.vae"), *slash = strrchr(p->file, '/');
    const char *made = limn_weight_file_metadata(p->st, "limn.vae.settings");
    char name[256], shown[256], settings[1024] = "";
    int channels = limn_model_interface(&p->settings).channels, folder = slash ? (int)(slash - p->file) + 1 : 0;
    if (!said && p->published) return find_beside(p, out);
    if (!*limn_path_last(said ? said : "", name, sizeof name))
        return limn_fail(p->ctx, LIMN_NOT_FOUND,
                         "%s: its %d channels are a latent: give the autoencoder that makes pictures of it (--vae)", p->file,
                         channels);
    for (int up = 0; up <= p->folder; up++) {
        snprintf(out, 1500, "%.*s%s%s", folder, p->file, up ? "../" : "", name);
        if (access(out, R_OK) == 0 && strcmp(out, p->file) != 0) return LIMN_OK;
    }
    if (made) limn_escape(made, strlen(made), settings, sizeof settings);
    limn_escape(name, strlen(name), shown, sizeof shown);
    return limn_fail(p->ctx, LIMN_NOT_FOUND,
                     "%s: its %d channels are a latent, and the autoencoder it was trained with, \"%s\"%s%s%s, is not "
                     "beside it: give it (--vae)",
                     p->file, channels, shown, made ? " (" : "", settings, made ? ")" : "");
}

/* Of the right latents, and of the settings that it was trained with (NULL: any). */
static limn_status check_latents(const limn_pipeline *p, const limn_autoencoder *vae, const char *source,
                                 const char *trained)
{
    limn_autoencoder_info info = limn_autoencoder_describe(vae);
    int channels = limn_model_interface(&p->settings).channels;
    if (info.latent == channels && (!trained || strcmp(trained, info.settings) == 0)) return LIMN_OK;
    return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s makes latents of %d channels%s%s, and %s (%s) has %d", p->file, channels,
                     trained ? " for " : "", trained ? trained : "", source, info.settings, info.latent);
}

/* And the very one, as far as the model says. */
static limn_status check_autoencoder(limn_pipeline *p, limn_autoencoder *vae, const char *source)
{
    const char *crc = limn_weight_file_metadata(p->st, "limn.vae.crc32");
    char found[16], shown[256];
    limn_status status = check_latents(p, vae, source, limn_weight_file_metadata(p->st, "limn.vae.settings"));
    if (status == LIMN_OK && crc) status = limn_autoencoder_checksum(vae, found);
    if (status == LIMN_OK && crc && strcmp(crc, found) != 0)
        limn_log(p->ctx, LIMN_LOG_WARN,
                 "%s has the checksum %s, and the autoencoder that %s was trained with \"%s\": other weights", source, found,
                 p->file, limn_escape(crc, strlen(crc), shown, sizeof shown));
    return status;
}

static limn_status open_autoencoder(const limn_pipeline *p, const char *source, limn_autoencoder **out)
{
    limn_ctx *ctx = p->ctx;
    char kept[sizeof ctx->weights];
    limn_open_forget_weights(ctx, kept);
    limn_status status = limn_autoencoder_open_in(ctx, source, strcmp(source, p->whole_file) ? NULL : p->whole, out);
    memcpy(ctx->weights, kept, sizeof kept);
    return status;
}

/* A file alone does not say what the autoencoder's latents are for: XL's has the tensors of Stable Diffusion 1's, FLUX's
 * those of Stable Diffusion 3's. */
static bool says_scale(const limn_autoencoder *vae)
{
    const vae_config *cfg = limn_settings_config(&vae->settings);
    return vae->settings.family != &limn_family_vae || limn_settings_is_said(&vae->settings, &cfg->scaling_factor);
}

/* own: it is the model's, and pictures need not tell. */
static limn_status take_autoencoder(limn_pipeline *p, const char *source, bool own)
{
    limn_autoencoder *vae;
    limn_status status = open_autoencoder(p, source, &vae);
    if (status != LIMN_OK) return status;
    status = check_autoencoder(p, vae, source);
    if (status != LIMN_OK) {
        limn_autoencoder_free(vae);
        return status;
    }
    limn_autoencoder_free(p->vae);
    p->vae = vae;
    limn_path_last(own ? "" : source, p->vae_name, sizeof p->vae_name);
    limn_autoencoder_info info = limn_autoencoder_describe(vae);
    if (!p->latent_known) p->latent_scale = info.scale, p->latent_shift = info.shift;
    if (!p->latent_known && !says_scale(vae)) limn_published_latents(p, info.latent);
    return add_coders(p);
}

limn_status limn_pipeline_set_autoencoder(limn_pipeline *p, const char *source)
{
    char beside[1500];
    bool named = limn_weight_file_metadata(p->st, "limn.vae");
    if (!source && (!p->makes_latents || p->vae)) return LIMN_OK;
    if (limn_pipeline_check_idle(p) != LIMN_OK) return LIMN_BAD_ARGUMENT;
    if (!p->makes_latents && limn_weight_file_metadata(p->st, "limn.settings"))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "%s: its %d channels were trained as pictures, and an autoencoder (--vae) makes pictures of "
                         "latents: leave it out",
                         p->file, limn_model_interface(&p->settings).channels);
    limn_status status = source ? LIMN_OK : find_named(p, beside);
    if (status != LIMN_OK) return status;
    status = take_autoencoder(p, source ? source : beside, !source && named);
    if (status != LIMN_OK && !source && named)
        limn_fail_in(p->ctx, status, "the autoencoder that %s names (--vae gives another place)", p->file);
    return status;
}

limn_status limn_pipeline_set_preview(limn_pipeline *p, const char *source)
{
    limn_autoencoder *tiny;
    if (limn_pipeline_check_idle(p) != LIMN_OK) return LIMN_BAD_ARGUMENT;
    if (!p->makes_latents)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s makes pictures, and an autoencoder for previews (--taesd) makes "
                         "them of latents: leave it out", p->file);
    limn_status status = open_autoencoder(p, source, &tiny);
    if (status != LIMN_OK) return status;
    status = check_latents(p, tiny, source, NULL);
    if (status != LIMN_OK) return limn_autoencoder_free(tiny), status;
    limn_autoencoder_free(p->tiny);
    p->tiny = tiny;
    return add_coders(p);
}

void limn_pipeline_reads(const limn_pipeline *p, limn_job_files *files)
{
    limn_job_reads(files, "the model", p->file); /* perhaps an index of several */
    limn_weight_file_reads(p->st, "the model", files);
    for (int i = 0; i < p->n_texts; i++) {
        limn_job_reads(files, "the text encoder", p->text[i].file);
        limn_weight_file_reads(p->text[i].st, "the text encoder", files);
    }
    for (int i = 0; i < p->loras->stack.n; i++) limn_lora_reads(p->loras->stack.use[i].lora, files);
    limn_embeddings_reads(p->embeddings, files);
    if (p->vae) limn_autoencoder_reads(p->vae, files);
    if (p->tiny) limn_autoencoder_reads(p->tiny, files);
}

const char *limn_pipeline_weights(const limn_pipeline *p, int i)
{
    return limn_weight_file_path(p->st, i);
}

limn_status limn_pipeline_check_idle(const limn_pipeline *p)
{
    return p->under_way ? limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "pictures of this pipeline are under way a step at a time: "
                                    "end them first (limn_sampling_end)")
                        : LIMN_OK;
}

bool limn_pipeline_follows_diffusers(const limn_pipeline *p)
{
    return p->published && p->makes_latents && (p->text[0].st || limn_published_is_dit(p));
}

const char *limn_pipeline_text_name(const limn_pipeline *p, int number)
{
    bool three = limn_published_is_sd3(p);
    for (int i = 0; i < p->n_texts; i++)
        if (number == (three ? (int)p->text[i].lora - LIMN_LORA_TEXT : i)) return p->text[i].name;
    return "";
}

bool limn_pipeline_reads_text(const limn_pipeline *p)
{
    return p->bpe || p->unigram;
}

const limn_settings *limn_pipeline_settings(const limn_pipeline *p)
{
    return &p->settings;
}

limn_pipeline_info limn_pipeline_describe(const limn_pipeline *p)
{
    limn_autoencoder_info vae = p->vae ? limn_autoencoder_describe(p->vae) : (limn_autoencoder_info){.factor = 1};
    limn_interface net = limn_model_interface(&p->settings), text = {0};
    if (limn_pipeline_reads_text(p)) text = limn_model_interface(&p->text[0].settings);
    int size = net.width * vae.factor, classes = net.classes;
    const char *sampler = p->has_scheduler                           ? p->scheduler.name
                          : p->schedule.kind == LIMN_SCHEDULE_FLOW ? "euler"
                          : net.told_guidance                        ? "lcm"
                          : net.edits                                ? "euler_a"
                                                                   : "dpm++2m";
    return (limn_pipeline_info){.network = p->settings.family->name,
                                .sampler = sampler,
                                .rng = p->rng == LIMN_RNG_AUTO ? LIMN_RNG_LIMN : p->rng,
                                .width = size,
                                .height = size,
                                .channels = p->vae ? vae.channels : net.channels,
                                .enlarges = net.enlarge,
                                .makes_latents = p->makes_latents,
                                .classes = classes,
                                .class_name = p->class_name,
                                .n_class_names = p->n_class_names,
                                .reads_text = limn_pipeline_reads_text(p),
                                .text_length = p->t5_tokens ? net.text_length : text.text_length,
                                .text_width = p->n_texts ? net.text_width : text.text_width,
                                .pooled_width = net.sizes || p->t5_tokens ? net.pooled_width
                                                : text.pooled_width ? text.pooled_width
                                                                    : text.text_width,
                                .told_guidance = net.told_guidance,
                                .inpaints = net.inpaints,
                                .edits = net.edits,
                                .told_sizes = net.sizes,
                                .guidance = net.told_guidance          ? 8.5
                                            : limn_published_is_dit(p) ? 4
                                            : !p->published || !limn_pipeline_reads_text(p) ? 3
                                            : p->t5_tokens ? 4.5
                                            : net.sizes                ? 5
                                                                       : 7.5,
                                .steps = net.told_guidance ? 4 : limn_published_is_sd3(p) ? 28 : 20,
                                .resample = limn_pipeline_follows_diffusers(p) ? 1 : 5,
                                .guides = (limn_pipeline_reads_text(p) || classes) && !net.always_labelled};
}
