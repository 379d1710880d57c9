/* published.c: see published.h. */
#include "pipeline/published.h"

#include "file/json_file.h"
#include "model/config.h"
#include "model/map/map.h"

#include <string.h>
#include <unistd.h>

enum { CONFIG_LIMIT = 1 << 20, PATH = 1200, PUBLISHED_T5 = 32100, TOKENS_OF_ALPHA = 120, TOKENS_OF_SIGMA = 300 };

bool limn_published_holds(const limn_pipeline *p, const char *families)
{
    limn_map map;
    return p->published && limn_map_detect_among(p->ctx, p->whole_file, p->whole, families, &map) != LIMN_NOT_FOUND;
}

/* ---- the token behind the end ----------------------------------------------------------------------------------------- */

/* "pad_token": "!" or {"content": "!"}.  NULL: it is not said. */
static const char *pad_of(const json_t *root)
{
    const json_t *pad = json_object_get(root, "pad_token");
    return json_string_value(json_is_object(pad) ? json_object_get(pad, "content") : pad);
}

static limn_status read_pad(const limn_pipeline *p, const char *path, limn_pipeline_text *reader)
{
    json_t *root;
    char shown[80];
    limn_status status = limn_json_read(p->ctx, path, CONFIG_LIMIT, &root);
    if (status != LIMN_OK) return status;
    const char *pad = pad_of(root);
    if (pad && !strcmp(pad, "!")) reader->pad = 0;
    else if (pad && !strcmp(pad, "<|endoftext|>")) reader->pad = limn_clip_bpe_end(p->bpe);
    else if (pad)
        status = limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: pad_token: expected \"<|endoftext|>\" or \"!\", found \"%s\"",
                           path, limn_escape(pad, strlen(pad), shown, sizeof shown));
    json_decref(root);
    return status;
}

/* ---- merges ----------------------------------------------------------------------------------------------------------- */

/* Of a model's folder `source` that of the tokenizer, of a file that in which it lies, with a slash at its end. */
static void folder_of(bool model, const char *source, const char *folder, char out[PATH])
{
    const char *slash = strrchr(source, '/');
    if (model) snprintf(out, PATH, "%s/%s/", source, folder);
    else snprintf(out, PATH, "%.*s", slash ? (int)(slash - source) + 1 : 0, source);
}

static bool is_there(const char *folder, const char *name, char out[PATH + 64])
{
    snprintf(out, PATH + 64, "%s%s", folder, name);
    return access(out, F_OK) == 0;
}

static limn_status open_merges(limn_pipeline *p, const char *folder, int vocab)
{
    static const char *const names[] = {"merges.txt", "merges.txt.gz", "bpe_simple_vocab_16e6.txt.gz"};
    char path[PATH + 64];
    int most = LIMN_CLIP_MERGES + 514, n = (vocab < most ? vocab : most) - 514; /* tokens behind these were added later */
    if (n < 0)
        return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: a vocabulary of %d tokens is none of CLIP's, which has 514 and one for "
                         "each merge", p->file, vocab);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_there(folder, names[i], path)) return limn_clip_bpe_open(p->ctx, path, n, &p->bpe);
    if (p->folder && is_there(folder, "tokenizer.json", path)) return limn_clip_bpe_from_json(p->ctx, path, n, &p->bpe);
    if (vocab >= most) return limn_clip_bpe_published(p->ctx, &p->bpe);
    return limn_fail(p->ctx, LIMN_NOT_FOUND, "%smerges.txt: not there, and the text encoder's vocabulary of %d tokens is "
                     "not the published one of %d, whose merges are known", folder, vocab, most);
}

/* By its activation. */
static bool is_open_clip(const limn_pipeline_text *reader)
{
    return reader->settings.family == &limn_family_clip_text &&
           ((const clip_config *)limn_settings_config(&reader->settings))->activation == CLIP_GELU;
}

bool limn_published_is_dit(const limn_pipeline *p)
{
    return p->published && p->settings.family == &limn_family_dit && p->makes_latents;
}

/* Their models.py: "For exact reproducibility reasons, we apply classifier-free guidance on only three channels by default.
 * The standard approach to cfg applies it to all channels."  diffusers' DiTPipeline does that. */
int limn_published_guided(const limn_pipeline *p)
{
    const dit_config *cfg = limn_settings_config(&p->settings);
    int channels = limn_model_interface(&p->settings).channels;
    bool authors = limn_published_is_dit(p) && cfg->learn_sigma && !cfg->as_diffusers && channels > 3;
    return authors ? 3 : channels;
}

bool limn_published_is_sd3(const limn_pipeline *p)
{
    return p->published && p->settings.family == &limn_family_mmdit &&
           ((const mmdit_config *)limn_settings_config(&p->settings))->attention == MMDIT_JOINT;
}

bool limn_published_is_pixart(const limn_pipeline *p)
{
    return p->published && p->settings.family == &limn_family_pixart;
}

/* Its autoencoder is XL's; alpha's is that of Stable Diffusion 1. */
static bool is_sigma(const limn_pipeline *p)
{
    return limn_published_is_pixart(p) && p->t5_tokens > TOKENS_OF_ALPHA;
}

void limn_published_latents(limn_pipeline *p, int channels)
{
    if (limn_model_interface(&p->settings).sizes) p->latent_scale = 0.13025;
    if (is_sigma(p) && channels == 4) p->latent_scale = 0.13025;
    if (limn_published_is_sd3(p) && channels == 16) p->latent_scale = 1.5305, p->latent_shift = 0.0609;
}

bool limn_published_is_sd2(const limn_pipeline *p)
{
    const ldm_unet_config *cfg = limn_settings_config(&p->settings);
    return p->published && p->settings.family == &limn_family_ldm_unet && cfg->projection == LDM_LINEAR && !cfg->sizes &&
           is_open_clip(&p->text[0]);
}

limn_status limn_published_tokenizer(limn_pipeline *p, const char *source, const char *folder, limn_pipeline_text *reader)
{
    static const char *const names[] = {"special_tokens_map.json", "tokenizer_config.json"};
    char place[PATH], path[PATH + 64];
    folder_of(p->folder, source, folder, place);
    limn_status status = p->bpe ? LIMN_OK : open_merges(p, place, limn_model_interface(&reader->settings).vocabulary);
    if (status != LIMN_OK) return status;
    reader->pad = is_open_clip(reader) ? 0 : limn_clip_bpe_end(p->bpe);
    for (size_t i = 0; i < 2 && p->folder && status == LIMN_OK; i++)
        if (is_there(place, names[i], path)) status = read_pad(p, path, reader);
    return status;
}

limn_status limn_published_unigram(limn_pipeline *p, const char *source, const char *folder, limn_pipeline_text *reader)
{
    char place[PATH], path[PATH + 64];
    int vocab = limn_model_interface(&reader->settings).vocabulary;
    bool model = p->folder && !*reader->name;
    limn_status status;
    folder_of(model, model ? source : reader->file, folder, place);
    if (is_there(place, "spiece.model", path) || (p->folder && is_there(place, "tokenizer.json", path)))
        status = limn_unigram_open(p->ctx, path, &p->unigram);
    else if (vocab >= PUBLISHED_T5) status = limn_unigram_published(p->ctx, &p->unigram);
    else
        return limn_fail(p->ctx, LIMN_NOT_FOUND, "%sspiece.model: not there, and the vocabulary of %d tokens of T5 is not "
                         "the published one, whose pieces are known", place, vocab);
    if (status == LIMN_OK && limn_unigram_vocab(p->unigram) > vocab)
        return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: its ids go up to %d, and %s knows %d tokens: they do not belong "
                         "together", place, limn_unigram_vocab(p->unigram) - 1, reader->file, vocab);
    return status;
}

/* ---- what a pipeline of diffusers says of itself ---------------------------------------------------------------------- */

/* FOLDER/model_index.json; NULL: there is none. */
static limn_status read_index(const limn_pipeline *p, const char *source, json_t **out)
{
    char path[PATH];
    *out = NULL;
    snprintf(path, sizeof path, "%s/model_index.json", source);
    if (!p->folder || access(path, F_OK)) return LIMN_OK;
    return limn_json_read(p->ctx, path, CONFIG_LIMIT, out);
}

limn_status limn_published_zero_negative(limn_pipeline *p, const char *source, bool otherwise)
{
    json_t *root;
    p->zero_negative = otherwise;
    limn_status status = read_index(p, source, &root);
    if (status != LIMN_OK) return status;
    const json_t *said = json_object_get(root, "force_zeros_for_empty_prompt");
    if (json_is_boolean(said)) p->zero_negative = json_is_true(said);
    json_decref(root);
    return LIMN_OK;
}

limn_status limn_published_t5_tokens(limn_pipeline *p, const char *source)
{
    json_t *root;
    p->t5_tokens = limn_model_interface(&p->settings).text_length;
    limn_status status = read_index(p, source, &root);
    if (status != LIMN_OK) return status;
    const char *class = json_string_value(json_object_get(root, "_class_name"));
    if (class && !strcmp(class, "PixArtAlphaPipeline")) p->t5_tokens = TOKENS_OF_ALPHA;
    if (class && !strcmp(class, "PixArtSigmaPipeline")) p->t5_tokens = TOKENS_OF_SIGMA;
    json_decref(root);
    return LIMN_OK;
}
