/* convert_networks.c: the networks of a file or folder, and the names that they have and get. */
#include "pipeline/convert_networks.h"

#include "file/target.h"
#include "model/config.h"
#include "net/open.h"

#include <stdlib.h>
#include <string.h>

limn_status limn_convert_open(limn_ctx *ctx, const char *source, limn_convert_sources *out)
{
    static const char *const folders[] = {"unet", "transformer", "vae", "text_encoder", "text_encoder_2",
                                          "text_encoder_3"};
    char path[1100], one[1100];
    *out = (limn_convert_sources){.n_files = 0};
    if (strlen(source) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path is longer than 1000 bytes");
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(one, sizeof one, "%s/%s", source, folders[i]);
        if (limn_path_is_folder(one) && limn_map_file(ctx, one, path) == LIMN_OK)
            snprintf(out->file[out->n_files++], sizeof path, "%s", path);
    }
    if (!out->n_files) {
        limn_status status = limn_map_file(ctx, source, out->file[0]);
        if (status != LIMN_OK) return status;
        out->n_files = 1;
    }
    limn_status status = LIMN_OK;
    for (int i = 0; i < out->n_files && status == LIMN_OK; i++)
        status = limn_weight_file_open(ctx, out->file[i], &out->whole[i]);
    return status;
}

void limn_convert_close(limn_convert_sources *s)
{
    for (int i = 0; i < s->n; i++) {
        limn_graph_free(s->network[i].graph);
        limn_weight_file_close(s->network[i].st);
    }
    for (int i = 0; i < s->n_files; i++) limn_weight_file_close(s->whole[i]);
}

/* Networks of limn train may have settings that no tensor tells: without the metadata, which go with Limn's own names, they
 * would be taken for others. */
static bool same_settings(const limn_settings *a, const limn_settings *b)
{
    char x[LIMN_SETTINGS_BYTES], y[LIMN_SETTINGS_BYTES];
    return !strcmp(limn_settings_text(a, x), limn_settings_text(b, y));
}

static limn_status no_other_names(limn_ctx *ctx, const limn_convert_network *net, const limn_family *family)
{
    return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: this %s of limn train has no %snames that it could be known by: leave "
                     "--dialect and --part out", net->file, family->name, net->from.dialect ? "such " : "published ");
}

/* families NULL: what the metadata describe. */
static limn_status add(limn_ctx *ctx, limn_convert_sources *s, int file, const char *family)
{
    limn_settings settings;
    limn_ports ports;
    if (s->n == LIMN_CONVERT_NETWORKS) return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: too many networks", s->file[file]);
    limn_convert_network *net = &s->network[s->n++];
    *net = (limn_convert_network){.file = s->file[file]};
    limn_status status = limn_net_open_in(ctx, net->file, s->whole[file], family, &net->st, &settings, NULL);
    if (status != LIMN_OK) return status;
    status = limn_map_detect_among(ctx, net->file, net->st, settings.family->name, &net->from);
    if (!family && status != LIMN_OK && status != LIMN_NO_MEMORY) {
        net->from.dialect = NULL;
        return no_other_names(ctx, net, settings.family);
    }
    if (status != LIMN_OK) return status;
    net->told = !family && !same_settings(&settings, &net->from.settings);
    if (!family) net->from.settings = settings;
    if (!(net->graph = limn_graph_new(ctx))) return limn_fail_memory(ctx, sizeof *net, "a network");
    return limn_model_build(net->graph, &net->from.settings, (limn_build){.batch = 1, .part = net->from.part}, &ports);
}

static bool is_wanted(const limn_family *family, const char *part)
{
    const char *word = family->kind == LIMN_ENCODES_TEXT ? "text" : family->kind == LIMN_RECONSTRUCTS ? "vae" : "denoiser";
    return !part || !strcmp(part, word);
}

/* "vae"; of text encoders also how wide, as there may be two: "clip-text:1280" */
static const char *word_of(const limn_map *map, char out[48])
{
    int width = limn_model_interface(&map->settings).text_width;
    bool text = map->dialect->family->kind == LIMN_ENCODES_TEXT;
    snprintf(out, 48, text ? "%s:%d" : "%s", map->dialect->family->name, width);
    return out;
}

/* Those of one file.  Of two that are alike names would not tell which is which. */
static limn_status find_in(limn_ctx *ctx, limn_convert_sources *s, int file, const char *part)
{
    char seen[LIMN_CONVERT_NETWORKS][48];
    int n = 0;
    limn_map map;
    limn_map_place place = {0};
    limn_status status = LIMN_OK;
    if (limn_weight_file_metadata(s->whole[file], "limn.settings")) return add(ctx, s, file, NULL);
    while (status == LIMN_OK && n < LIMN_CONVERT_NETWORKS) {
        limn_status found = limn_map_detect_next(ctx, s->file[file], s->whole[file], &place, &map);
        if (found == LIMN_NOT_FOUND) break;
        if (found != LIMN_OK) return found;
        word_of(&map, seen[n]);
        for (int i = 0; i < n; i++)
            if (!strcmp(seen[i], seen[n]))
                return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: holds two networks of one kind (%s), whose names are not known "
                                 "in other dialects: leave --dialect and --part out", s->file[file], seen[n]);
        if (is_wanted(map.dialect->family, part)) status = add(ctx, s, file, seen[n]);
        n++;
    }
    if (status == LIMN_OK && !n) return limn_map_detect(ctx, s->file[file], s->whole[file], &map); /* what is known */
    return status;
}

/* What networks are together, which names of text encoders hang on. */
typedef struct company {
    bool mmdit, xl, clip_l; /* Stable Diffusion 3, XL; CLIP's encoder is there */
    int clip_g;             /* width of OpenCLIP's encoder as Stable Diffusion 3 reads it; 0: unknown */
} company;

static bool is_t5(const limn_settings *s)
{
    return s->family == &limn_family_t5_text;
}

/* By its activation, which its width tells in a file of tensors alone; beside Stable Diffusion 3 by what that reads. */
static bool is_open_clip(const company *c, const limn_settings *s)
{
    if (is_t5(s)) return false;
    if (c->clip_g) return limn_model_interface(s).text_width == c->clip_g;
    return ((const clip_config *)limn_settings_config(s))->activation == CLIP_GELU;
}

static company company_of(const limn_convert_sources *s)
{
    company c = {.mmdit = false};
    int clips = 0;
    for (int i = 0; i < s->n; i++) {
        int whole = limn_model_interface(&s->network[i].from.settings).pooled_width;
        if (s->network[i].from.settings.family == &limn_family_mmdit) c.clip_g = whole - whole * 3 / 8;
    }
    for (int i = 0; i < s->n; i++) {
        const limn_settings *settings = &s->network[i].from.settings;
        bool clip = settings->family->kind == LIMN_ENCODES_TEXT && !is_t5(settings);
        c.mmdit = c.mmdit || settings->family == &limn_family_mmdit, clips += clip;
        c.xl = c.xl || limn_model_interface(settings).sizes > 0;
        c.clip_l = c.clip_l || (clip && !is_open_clip(&c, settings));
    }
    c.xl = c.xl || (clips > 1 && !c.mmdit);
    return c;
}

/* What the names of a text encoder begin with beside others. */
static const char *text_prefix(const company *c, bool original, const limn_settings *s)
{
    bool open_clip = is_open_clip(c, s);
    if (is_t5(s)) return original ? "text_encoders.t5xxl.transformer." : c->mmdit ? "text_encoder_3." : "text_encoder.";
    if (!original) return open_clip && (c->xl || c->mmdit) ? "text_encoder_2." : "text_encoder.";
    if (c->mmdit) return open_clip ? "text_encoders.clip_g.transformer." : "text_encoders.clip_l.transformer.";
    if (!c->xl) return open_clip ? "cond_stage_model.model." : "cond_stage_model.transformer.";
    if (!open_clip) return "conditioner.embedders.0.transformer.";
    return c->clip_l ? "conditioner.embedders.1.model." : "conditioner.embedders.0.model.";
}

/* Of any network. */
static const char *prefix_of(const limn_settings *s, const company *c, bool original)
{
    if (s->family->kind == LIMN_ENCODES_TEXT) return text_prefix(c, original, s);
    if (s->family->kind == LIMN_RECONSTRUCTS) return original ? "first_stage_model." : "vae.";
    bool transformer = c->mmdit || s->family == &limn_family_dit || s->family == &limn_family_pixart;
    return original ? "model.diffusion_model." : transformer ? "transformer." : "unet.";
}

/* naming LIMN_N_NAMINGS: as they are. */
static limn_status name_all(limn_ctx *ctx, limn_convert_sources *s, limn_naming naming)
{
    company c = company_of(s);
    for (int i = 0; i < s->n; i++) {
        limn_convert_network *net = &s->network[i];
        bool text = net->from.settings.family->kind == LIMN_ENCODES_TEXT;
        limn_naming names = c.mmdit && text && naming == LIMN_NAMES_ORIGINAL ? LIMN_NAMES_DIFFUSERS : naming;
        net->to = names < LIMN_N_NAMINGS ? limn_map_named(&net->from, names) : net->from;
        if (net->told && net->to.dialect != net->from.dialect) return no_other_names(ctx, net, net->from.settings.family);
        if (!net->to.dialect) return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: no published names are known for it", net->file);
        const char *prefix = s->n > 1 ? prefix_of(&net->from.settings, &c, naming == LIMN_NAMES_ORIGINAL) : "";
        snprintf(net->to.prefix, sizeof net->to.prefix, "%s", prefix);
    }
    return LIMN_OK;
}

limn_status limn_convert_words(limn_ctx *ctx, const char *dialect, const char *part, limn_naming *naming)
{
    static const char *const words[LIMN_N_NAMINGS] = {"original", "diffusers", "diffusers-old", "transformers-5"};
    int i = 0;
    while (dialect && i < LIMN_N_NAMINGS && strcmp(dialect, words[i])) i++;
    *naming = dialect ? (limn_naming)i : LIMN_N_NAMINGS;
    if (dialect && i == LIMN_N_NAMINGS)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--dialect is one of original, diffusers, diffusers-old, transformers-5, "
                         "found \"%.100s\"", dialect);
    if (part && strcmp(part, "denoiser") && strcmp(part, "text") && strcmp(part, "vae"))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--part is one of denoiser, text, vae, found \"%.100s\"", part);
    return LIMN_OK;
}

limn_status limn_convert_networks(limn_ctx *ctx, limn_convert_sources *s, limn_naming naming, const char *part)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < s->n_files && status == LIMN_OK; i++) status = find_in(ctx, s, i, part);
    if (status == LIMN_OK && !s->n)
        return limn_fail(ctx, LIMN_NOT_FOUND, "%s: it holds no network that --part %s names", s->file[0], part);
    if (status == LIMN_OK && s->n > 1 && naming == LIMN_N_NAMINGS)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: several networks that may share names: say whose names they get in "
                         "one file (--dialect original), or which of them is meant (--part denoiser, text, vae)",
                         s->file[0]);
    return status == LIMN_OK ? name_all(ctx, s, naming) : status;
}
