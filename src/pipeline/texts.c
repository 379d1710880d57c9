/* texts.c: the text encoders of a model: which it reads, where they are, their tokenizers, and their wires. */
#include "file/bytes.h"
#include "model/config.h"
#include "model/map/map.h"
#include "net/open.h"
#include "pipeline/beside.h"
#include "pipeline/loras.h"
#include "pipeline/open.h"
#include "pipeline/published.h"

#include <string.h>
#include <unistd.h>

/* Of all readers one, with an id of each behind a text's end. */
static limn_status open_tokenizer(limn_pipeline *p, const char *source, const char *folder, limn_pipeline_text *reader)
{
    char merges[1100];
    const char *slash = strrchr(source, '/');
    const char *from = p->folder || !*reader->file ? source : reader->file;
    if (p->published) return limn_published_tokenizer(p, from, folder, reader);
    if (!p->folder) snprintf(merges, sizeof merges, "%.*smerges.txt.gz", slash ? (int)(slash - source) + 1 : 0, source);
    else snprintf(merges, sizeof merges, "%s/merges.txt.gz", source);
    bool has = access(merges, F_OK) == 0;
    int vocab = limn_model_interface(&reader->settings).vocabulary;
    const char *tokens = limn_weight_file_metadata(reader->st ? reader->st : p->st, "limn.tokens"); /* "bytes": trained
                                                                                                     * without merges */
    if (!has && vocab != 514 && !(tokens && !strcmp(tokens, "bytes")))
        return limn_fail(p->ctx, LIMN_NOT_FOUND,
                         "%s: not there, and the network's vocabulary of %d tokens needs the merges in it", merges, vocab);
    return limn_clip_bpe_open(p->ctx, has ? merges : NULL, has ? vocab - 514 : 0, &p->bpe);
}

/* ---- one encoder ------------------------------------------------------------------------------------------------------ */

enum { TOKENS_OF_SD3 = 256 }; /* of T5; diffusers' max_sequence_length */

/* A text encoder on its way in. */
typedef struct encoder {
    const char *part, *folder, *tokenizer, *flag; /* of the recipe; in a model's folder */
    limn_beside beside;
    limn_lora_network lora;
    const char *named;  /* where it is; NULL: nobody said */
    int width;          /* of its features */
    int whole;          /* numbers of a whole text that are read; 0: it is not */
    bool t5, of_three;  /* Stable Diffusion 3's */
    bool optional;      /* a model without it draws, too */
    limn_pipeline_text *to;
} encoder;

static const encoder clip = {.part = "text", .folder = "text_encoder", .tokenizer = "tokenizer", .flag = "--clip_l",
                             .beside = LIMN_BESIDE_TEXT_ENCODER, .lora = LIMN_LORA_TEXT},
                     clip_l = {.part = "l", .folder = "text_encoder", .tokenizer = "tokenizer", .flag = "--clip_l",
                               .beside = LIMN_BESIDE_TEXT_ENCODER, .lora = LIMN_LORA_TEXT},
                     clip_g = {.part = "g", .folder = "text_encoder_2", .tokenizer = "tokenizer_2", .flag = "--clip_g",
                               .beside = LIMN_BESIDE_CLIP_G, .lora = LIMN_LORA_TEXT_2},
                     t5 = {.part = "t5", .folder = "text_encoder_3", .tokenizer = "tokenizer_3", .flag = "--t5xxl",
                           .beside = LIMN_BESIDE_T5, .lora = LIMN_LORA_TEXT_3, .t5 = true};

/* "t5-text"; "clip-text", of a file with several the one of this width */
static const char *family_of(const limn_pipeline *p, const encoder *e, char out[32])
{
    bool several = p->recipe.part[0].port[LIMN_PORT_SIZES].there || p->t5_tokens;
    snprintf(out, 32, e->t5 ? "t5-text" : several ? "clip-text:%d" : "clip-text", e->width);
    return out;
}

/* e->to->file: what is named, FOLDER/text_encoder, the file of all networks, or what lies beside a published denoiser; "":
 * there is none. */
static limn_status find_text_encoder(limn_pipeline *p, const char *source, const encoder *e)
{
    char inside[1100], family[32];
    snprintf(inside, sizeof inside, "%s/%s", source, e->folder);
    if (e->named) limn_path_last(e->named, e->to->name, sizeof e->to->name);
    if (e->named) return limn_map_file(p->ctx, e->named, e->to->file);
    if (p->folder && access(inside, F_OK) == 0) return limn_map_file(p->ctx, inside, e->to->file);
    if (!p->folder && limn_published_holds(p, family_of(p, e, family))) return limn_map_file(p->ctx, source, e->to->file);
    if (!p->published || (p->folder && e->optional)) return LIMN_OK;
    limn_status status = limn_beside_find(p->ctx, p->file, e->beside, e->width, e->to->file);
    if (status == LIMN_NOT_FOUND && e->optional) return LIMN_OK;
    if (status == LIMN_OK) limn_path_last(e->to->file, e->to->name, sizeof e->to->name);
    return status;
}

/* Of the file of all networks, or its own. */
static limn_status open_text_weights(limn_pipeline *p, const encoder *e)
{
    limn_ctx *ctx = p->ctx;
    limn_pipeline_text *to = e->to;
    char kept[sizeof ctx->weights], family[32];
    family_of(p, e, family);
    if (!p->folder && strcmp(to->file, p->whole_file) == 0)
        return limn_net_open_in(ctx, to->file, p->whole, family, &to->st, &to->settings, NULL);
    if (!*to->name) return limn_net_open(ctx, to->file, family, &to->st, &to->settings);
    limn_open_forget_weights(ctx, kept);
    limn_status status = limn_net_open(ctx, to->file, family, &to->st, &to->settings);
    memcpy(ctx->weights, kept, sizeof kept);
    return status;
}

static limn_status check_text_encoder(const limn_pipeline *p, const encoder *e)
{
    const limn_pipeline_text *to = e->to;
    const limn_family *family = e->t5 ? &limn_family_t5_text : &limn_family_clip_text;
    if (to->settings.family != family)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: holds a %s, expected a text encoder (%s)", to->file,
                         to->settings.family->name, family->name);
    limn_interface net = limn_model_interface(&to->settings);
    if (net.text_width != e->width)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s makes features of %d numbers for a token, and %s reads %d of it "
                         "(%s): they do not belong together", to->file, net.text_width, p->file, e->width, e->flag);
    int whole = net.pooled_width || !e->of_three ? net.pooled_width : net.text_width;
    if (e->whole && !whole)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s makes nothing of a whole text (it has no text_projection), and %s "
                         "reads %d numbers of it (%s): they do not belong together", to->file, p->file, e->whole, e->flag);
    if (e->whole && whole != e->whole)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s makes %d numbers of a whole text, and %s reads %d (%s): they do not "
                         "belong together", to->file, whole, p->file, e->whole, e->flag);
    return LIMN_OK;
}

/* What no tensor tells and Stability AI's own code does: CLIP's encoder has its own activation, and its whole text is read
 * as it is, also where the file has a projection (in a folder of diffusers it is projected, by the identity); OpenCLIP's has
 * GELU. */
static limn_status take_as_published(limn_pipeline *p, const encoder *e)
{
    limn_settings *settings = &e->to->settings;
    const clip_config *cfg = limn_settings_config(settings);
    bool own = e->lora == LIMN_LORA_TEXT;
    if (settings->family != &limn_family_clip_text) return LIMN_OK;
    limn_status status = limn_settings_assign(p->ctx, settings, &cfg->activation, own ? CLIP_QUICK_GELU : CLIP_GELU);
    return status == LIMN_OK && own ? limn_settings_assign(p->ctx, settings, &cfg->projection, 0) : status;
}

/* So many tokens, whatever the prompt: as the network was trained. */
static limn_status take_t5(limn_pipeline *p, const encoder *e)
{
    const t5_config *cfg = limn_settings_config(&e->to->settings);
    e->to->whole = true;
    return limn_settings_assign(p->ctx, &e->to->settings, &cfg->text.length, p->t5_tokens);
}

/* The part of one text encoder, its file and its tokenizer.  Where there is none, e->to->file is "". */
static limn_status open_text_encoder(limn_pipeline *p, const char *source, const encoder *e)
{
    limn_status status = find_text_encoder(p, source, e);
    if (status != LIMN_OK || !*e->to->file) return status;
    e->to->lora = e->lora;
    status = open_text_weights(p, e);
    if (status == LIMN_OK && e->of_three && (!p->folder || *e->to->name)) status = take_as_published(p, e);
    if (status == LIMN_OK) status = check_text_encoder(p, e);
    if (status == LIMN_OK && e->t5) status = take_t5(p, e);
    if (status == LIMN_OK)
        status = limn_open_part(p, e->part, LIMN_ROLE_TEXT, e->lora, &e->to->settings, e->to->file, e->to->st, NULL);
    if (status == LIMN_OK) p->n_texts++;
    if (status != LIMN_OK) return status;
    if (e->t5) return limn_published_unigram(p, source, e->tokenizer, e->to);
    return open_tokenizer(p, source, e->tokenizer, e->to);
}

/* Stable Diffusion XL: features of CLIP's and of OpenCLIP's encoder stand beside each other, the second one's whole text is
 * read, too.  The refiner has that alone. */
static limn_status open_two(limn_pipeline *p, const char *source, const limn_pipeline_parts *parts)
{
    const limn_port *port = p->recipe.part[0].port;
    int all = (int)port[LIMN_PORT_FEATURES].shape.dim[2], wide = (int)port[LIMN_PORT_POOLED].shape.dim[1];
    encoder l = clip_l, g = clip_g;
    bool both = all > wide;
    char wire[80];
    g.whole = wide;
    if (!both) wide = all;
    l.named = parts->clip_l, l.width = all - wide, l.to = &p->text[0];
    g.named = parts->clip_g, g.width = wide, g.to = &p->text[both];
    if (!both && l.named)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s reads one text encoder, OpenCLIP's (--clip_g): leave --clip_l out",
                         p->file);
    limn_status status = both ? open_text_encoder(p, source, &l) : LIMN_OK;
    if (status == LIMN_OK && both) status = limn_recipe_wire(p->ctx, &p->recipe, "l.features -> denoiser.features[0,0]");
    if (status == LIMN_OK) status = open_text_encoder(p, source, &g);
    p->text[both].channel = all - wide;
    snprintf(wire, sizeof wire, "g.features -> denoiser.features[0,%d]", all - wide);
    if (status == LIMN_OK) status = limn_recipe_wire(p->ctx, &p->recipe, wire);
    if (status == LIMN_OK) status = limn_recipe_wire(p->ctx, &p->recipe, "g.pooled -> denoiser.pooled");
    for (int i = 0; i < p->n_texts; i++) limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, i)->raw = true;
    return status == LIMN_OK ? limn_published_zero_negative(p, source, both) : status;
}

/* Its block of an input, and of the vector of a whole text. */
static limn_status wire_clip(limn_pipeline *p, const char *part, int token, int channel)
{
    char wire[80];
    snprintf(wire, sizeof wire, "%s.features -> denoiser.features[%d,%d]", part, token, channel);
    limn_status status = limn_recipe_wire(p->ctx, &p->recipe, wire);
    snprintf(wire, sizeof wire, "%s.pooled -> denoiser.pooled[%d]", part, channel);
    return status == LIMN_OK ? limn_recipe_wire(p->ctx, &p->recipe, wire) : status;
}

/* One of CLIP's two encoders. */
static limn_status open_clip_of_three(limn_pipeline *p, const char *source, encoder *e, int channel)
{
    e->to = &p->text[p->n_texts], e->to->token = p->t5_tokens, e->to->channel = channel;
    e->optional = e->of_three = true;
    int before = p->n_texts;
    limn_status status = open_text_encoder(p, source, e);
    if (status != LIMN_OK || p->n_texts == before) return status;
    limn_recipe_part *part = limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, before);
    part->raw = part->pools = true;
    return wire_clip(p, e->part, p->t5_tokens, channel);
}

static limn_status check_three(limn_pipeline *p, bool has_t5)
{
    int clips = p->n_texts - has_t5;
    if (!p->n_texts)
        return limn_fail(p->ctx, LIMN_NOT_FOUND, "%s reads CLIP's text encoder (--clip_l), OpenCLIP's (--clip_g) and T5 "
                         "(--t5xxl), and none of them is there: name one at least", p->file);
    if (!clips) p->recipe.part[0].zero_inputs = 1u << LIMN_PORT_POOLED;
    if (p->n_texts < 3)
        limn_log(p->ctx, LIMN_LOG_INFO, "%s reads three text encoders and was trained to do without some: it draws without "
                 "%s%s%s", p->name, has_t5 ? "" : "T5 (--t5xxl)", has_t5 || clips == 2 ? "" : " and ",
                 clips == 2 ? "" : clips ? "one of CLIP's (--clip_l, --clip_g)" : "both of CLIP's (--clip_l, --clip_g)");
    return LIMN_OK;
}

/* Stable Diffusion 3: features of CLIP's and of OpenCLIP's encoder beside each other, T5's in front of them along tokens
 * (whose order no block sees), both whole texts beside each other.  Channels are shared as 768 and 1280 share theirs. */
static limn_status open_three(limn_pipeline *p, const char *source, const limn_pipeline_parts *parts)
{
    const limn_port *port = p->recipe.part[0].port;
    int whole = (int)port[LIMN_PORT_POOLED].shape.dim[1], wide = whole * 3 / 8;
    encoder l = clip_l, g = clip_g, t = t5;
    p->t5_tokens = TOKENS_OF_SD3;
    l.named = parts->clip_l, l.width = l.whole = wide;
    g.named = parts->clip_g, g.width = g.whole = whole - wide;
    t.named = parts->t5xxl, t.width = (int)port[LIMN_PORT_FEATURES].shape.dim[2], t.optional = t.of_three = true;
    limn_status status = open_clip_of_three(p, source, &l, 0);
    if (status == LIMN_OK) status = open_clip_of_three(p, source, &g, wide);
    int clips = p->n_texts;
    t.to = &p->text[clips];
    if (status == LIMN_OK) status = open_text_encoder(p, source, &t);
    bool has_t5 = p->n_texts > clips;
    if (status == LIMN_OK && has_t5) status = limn_recipe_wire(p->ctx, &p->recipe, "t5.features -> denoiser.features[0,0]");
    return status == LIMN_OK ? check_three(p, has_t5) : status;
}

/* PixArt: T5 alone, of texts in small letters, whose padding is hidden in it and in the denoiser. */
static limn_status open_t5(limn_pipeline *p, const char *source, const limn_pipeline_parts *parts)
{
    encoder e = t5;
    e.folder = "text_encoder", e.tokenizer = "tokenizer", e.named = parts->t5xxl, e.to = &p->text[0];
    e.width = (int)p->recipe.part[0].port[LIMN_PORT_FEATURES].shape.dim[2];
    limn_status status = limn_published_t5_tokens(p, source);
    if (status == LIMN_OK) status = open_text_encoder(p, source, &e);
    if (status != LIMN_OK || !p->n_texts) return status;
    limn_recipe_part *part = limn_recipe_find(&p->recipe, LIMN_ROLE_TEXT);
    part->lowers = part->masks = true;
    return limn_recipe_wire(p->ctx, &p->recipe, "t5 -> denoiser");
}

limn_status limn_open_texts(limn_pipeline *p, const char *source, const limn_pipeline_parts *parts)
{
    const limn_port *port = p->recipe.part[0].port;
    const char *named = parts->clip_l ? "--clip_l" : parts->clip_g ? "--clip_g" : parts->t5xxl ? "--t5xxl" : NULL;
    bool own = limn_model_interface(&p->settings).reads_ids;
    encoder e = clip;
    if (named && (own || !port[LIMN_PORT_FEATURES].there))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s: this %s %s: leave the text encoder out (%s)", p->file,
                         p->settings.family->name, own ? "has a text encoder inside of it" : "reads no text", named);
    if (own) p->text[0].settings = p->settings;
    if (own) return open_tokenizer(p, source, clip.tokenizer, &p->text[0]);
    if (!port[LIMN_PORT_FEATURES].there) return LIMN_OK;
    if (limn_published_is_sd3(p)) return open_three(p, source, parts);
    if (limn_published_is_pixart(p) && (parts->clip_l || parts->clip_g))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s reads T5 (--t5xxl) alone: leave %s out", p->file, named);
    if (limn_published_is_pixart(p)) return open_t5(p, source, parts);
    if (parts->t5xxl)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s reads no T5: leave the text encoder out (--t5xxl)", p->file);
    if (port[LIMN_PORT_SIZES].there) return open_two(p, source, parts);
    if (parts->clip_g)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s reads one text encoder (--clip_l): leave --clip_g out", p->file);
    e.named = parts->clip_l, e.width = (int)port[LIMN_PORT_FEATURES].shape.dim[2], e.to = &p->text[0];
    limn_status status = open_text_encoder(p, source, &e);
    return status == LIMN_OK && p->n_texts ? limn_recipe_wire(p->ctx, &p->recipe, "text -> denoiser") : status;
}
