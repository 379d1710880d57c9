/* again.c: see again.h. */
#include "pipeline/again.h"

#include "denoise/sampler_rows.h"
#include "file/bytes.h"
#include "file/png_text.h"
#include "pipeline/embeddings.h"
#include "pipeline/published.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PNG = 256 << 20, FEWEST_PAIRS = 3, MOST_KEY = 60 };

typedef struct span { const char *at; size_t n; } span;

static bool is(span s, const char *word) { return s.n == strlen(word) && memcmp(s.at, word, s.n) == 0; }
static bool begins(span s, const char *word) { return s.n >= strlen(word) && memcmp(s.at, word, strlen(word)) == 0; }

static span trimmed(span s)
{
    while (s.n && strchr(" \t\r", s.at[0])) s.at++, s.n--;
    while (s.n && strchr(" \t\r", s.at[s.n - 1])) s.n--;
    return s;
}

/* ---- pairs ------------------------------------------------------------------------------------------------------------ */

static bool is_key(span key)
{
    for (size_t i = 0; i < key.n; i++) {
        int c = limn_lower((unsigned char)key.at[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(i && strchr(" _-/", c))) return false;
    }
    return key.n > 0 && key.n <= MOST_KEY;
}

/* Bytes of a quoted value at s, with its quotes, when a comma or nothing follows it; 0: it is none. */
static size_t quoted_at(span s)
{
    size_t i = 1;
    if (!s.n || s.at[0] != '"') return 0;
    while (i < s.n && s.at[i] != '"') i += s.at[i] == '\\' ? 2 : 1;
    return i < s.n && (i + 1 == s.n || s.at[i + 1] == ',') ? i + 1 : 0;
}

/* The next pair of *line, which loses it.  What is none ends at its comma.  @return false: the line is at its end */
static bool next_pair(span *line, span *key, span *value)
{
    while (line->n) {
        span s = trimmed(*line);
        const char *colon = s.n ? memchr(s.at, ':', s.n) : NULL;
        *key = (span){s.at, colon ? (size_t)(colon - s.at) : 0};
        bool good = colon && is_key(*key);
        span rest = good ? trimmed((span){colon + 1, s.n - key->n - 1}) : s;
        size_t n = good ? quoted_at(rest) : 0;
        const char *comma = n || !rest.n ? NULL : memchr(rest.at, ',', rest.n);
        if (!n) n = comma ? (size_t)(comma - rest.at) : rest.n;
        *value = trimmed((span){rest.at, n});
        line->n = rest.n > n ? rest.n - n - 1 : 0, line->at = rest.n > n ? rest.at + n + 1 : rest.at;
        if (good) return true;
    }
    return false;
}

static int count_pairs(span line)
{
    span key, value;
    int n = 0;
    while (next_pair(&line, &key, &value)) n++;
    return n;
}

/* Without quotes, \n and \" as what they mean; ends at a zero byte. */
static char *copy(limn_arena *arena, span s)
{
    bool quoted = s.n > 1 && s.at[0] == '"' && s.at[s.n - 1] == '"';
    char *text = limn_arena_alloc(arena, s.n + 1), *to = text;
    if (quoted) s.at++, s.n -= 2;
    for (size_t i = 0; text && i < s.n; i++) {
        bool mark = quoted && s.at[i] == '\\' && i + 1 < s.n;
        if (mark) i++;
        *to++ = mark && s.at[i] == 'n' ? '\n' : s.at[i];
    }
    return text;
}

/* ---- what they mean --------------------------------------------------------------------------------------------------- */

/* Words that need another form before a flag takes them. */
typedef struct raw {
    const char *size, *version, *from, *class_number, *denoising, *upscaler, *left, *top;
} raw;

typedef struct reader {
    limn_ctx *ctx;
    limn_again *a;
    raw raw;
    limn_text rest;
    bool failed; /* memory is out */
} reader;

/* Where the value of a key goes; NULL: nowhere, as it is of no use; *known: whether there is such a key. */
static const char **place_of(reader *r, span key, bool *known)
{
    limn_again *a = r->a;
    const struct { const char *key, **to; } keys[] = {
        {"Steps", &a->steps}, {"Sampler", &a->sampler}, {"Schedule type", &a->scheduler}, {"CFG scale", &a->guidance},
        {"Image CFG scale", &a->image_guidance},
        {"SLG scale", &a->slg_scale}, {"Skip layers", &a->skip_layers}, {"Skip layer start", &a->skip_layer_start},
        {"Skip layer end", &a->skip_layer_end},
        {"CFG Rescale phi", &a->rescale}, {"Eta DDIM", &a->eta}, {"Clip skip", &a->skip}, {"Prompt style", &a->style},
        {"Seed", &a->seed}, {"Model", &a->model}, {"RNG", &a->rng}, {"Precision", &a->precision}, {"Size", &r->raw.size},
        {"Version", &r->raw.version}, {"Sampler from", &r->raw.from}, {"Class", &r->raw.class_number}, {"Class name", NULL},
        {"Denoising strength", &r->raw.denoising}, {"Hires upscale", &a->hires}, {"Hires steps", &a->hires_steps},
        {"Text encoder", &a->text_encoder}, {"Text encoder 2", &a->text_encoder_2},
        {"Text encoder 3", &a->text_encoder_3}, {"VAE", &a->vae},
        {"Prediction", &a->prediction},
        {"Used embeddings", &a->embeddings}, {"Original size", &a->original_size}, {"Crop left", &r->raw.left},
        {"Crop top", &r->raw.top}, {"Target size", &a->target_size}, {"Aesthetic score", &a->score},
        {"Negative aesthetic score", &a->negative_score},
        {"Hires upscaler", &r->raw.upscaler}, {"Model hash", &a->hash}, {"Batch size", NULL}, {"Batch pos", NULL}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (is(key, keys[i].key)) return *known = true, keys[i].to;
    *known = false;
    return NULL;
}

static void leave(reader *r, const char *key, size_t n_key, const char *value)
{
    limn_text_printf(&r->rest, "%s%.*s: %s", r->rest.n ? ", " : "", (int)n_key, key, value);
}

/* Of a key that is there twice the last word is taken, as in the web UI. */
static void take_pairs(reader *r, span line)
{
    span key, value;
    bool known;
    while (!r->failed && next_pair(&line, &key, &value)) {
        const char **to = place_of(r, key, &known), *text = copy(r->a->arena, value);
        r->failed = !text;
        if (text && to) *to = text;
        else if (text && !known) leave(r, key.at, key.n, text);
    }
}

static limn_status senseless(reader *r, const char *key, const char *expected, const char *found)
{
    char shown[128];
    return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: %s: expected %s, found \"%s\"", r->a->file, key, expected,
                     limn_escape(found, strlen(found), shown, sizeof shown));
}

/* "512x768" */
static limn_status part_size(reader *r)
{
    const char *size = r->raw.size, *x = size ? strchr(size, 'x') : NULL;
    if (!size) return LIMN_OK;
    char *width = x ? limn_arena_printf(r->a->arena, "%.*s", (int)(x - size), size) : NULL;
    if (!width || !limn_is_whole(width) || !limn_is_whole(x + 1))
        return senseless(r, "Size", "two numbers, as in 512x768", size);
    r->a->width = width, r->a->height = x + 1;
    return LIMN_OK;
}

static bool same(const char *a, const char *b) { return limn_same_word(a, strlen(a), b, strlen(b)); }

static bool one_of(const char *text, const char *a, const char *b, const char *c)
{
    return same(text, a) || same(text, b) || same(text, c);
}

/* Where nothing is said, Limn's pictures have Limn's noise, those of the web UI that of a GPU. */
static void name_rng(reader *r)
{
    limn_again *a = r->a;
    if (!a->rng) a->rng = r->raw.version && !strncmp(r->raw.version, "limn ", 5) ? "limn" : "cuda";
    else if (one_of(a->rng, "NV", "GPU", "cuda")) a->rng = "cuda";
    else if (same(a->rng, "CPU")) a->rng = "cpu";
    else leave(r, "RNG", 3, a->rng), a->rng = NULL;
}

/* "Karras", "Leading", "Automatic"; what nobody knows is left to the flag, which lists what there is. */
static void name_scheduler(reader *r)
{
    limn_again *a = r->a;
    const char *word = a->scheduler;
    if (word && one_of(word, "Automatic", "Uniform", "discrete")) a->scheduler = NULL;
    else if (word) {
        char *lower = limn_arena_strdup(a->arena, word);
        r->failed |= !lower;
        for (char *c = lower; c && *c; c++) *c = (char)limn_lower((unsigned char)*c);
        a->scheduler = lower;
    }
    if (r->raw.from) a->own_sampler = a->sampler ? a->sampler : "", a->sampler = a->scheduler = NULL;
}

/* One that enlarges latents linearly is ours; of others all is left. */
static void take_second_pass(reader *r)
{
    limn_again *a = r->a;
    if (!a->hires) a->strength = r->raw.denoising;
    else a->hires_strength = r->raw.denoising;
    if (a->image_guidance && a->strength) { /* networks that edit start from noise here */
        if (limn_number_parse(a->strength, NULL) != 1) leave(r, "Denoising strength", 18, a->strength);
        a->strength = NULL;
    }
    if (!r->raw.upscaler || same(r->raw.upscaler, "Latent")) return;
    leave(r, "Hires upscaler", 14, r->raw.upscaler);
    if (a->hires) leave(r, "Hires upscale", 13, a->hires);
    if (a->hires_steps) leave(r, "Hires steps", 11, a->hires_steps);
    if (a->hires_strength) leave(r, "Denoising strength", 18, a->hires_strength);
    a->hires = a->hires_steps = a->hires_strength = NULL;
}

static limn_status finish(reader *r)
{
    limn_again *a = r->a;
    if (a->seed && !limn_is_whole(a->seed)) return senseless(r, "Seed", "a whole number", a->seed);
    limn_status status = part_size(r);
    if (status != LIMN_OK) return status;
    name_rng(r);
    name_scheduler(r);
    if (r->raw.class_number) r->failed |= !(a->label = limn_arena_printf(a->arena, "@%s", r->raw.class_number));
    if (r->raw.left || r->raw.top)
        r->failed |= !(a->crop = limn_arena_printf(a->arena, "%s,%s", r->raw.left ? r->raw.left : "0",
                                                   r->raw.top ? r->raw.top : "0"));
    take_second_pass(r);
    if (r->rest.n) r->failed |= !(a->rest = limn_arena_strdup(a->arena, r->rest.bytes));
    return r->failed || r->rest.failed ? limn_fail_memory(r->ctx, r->rest.n, "a picture's text") : LIMN_OK;
}

/* ---- the text --------------------------------------------------------------------------------------------------------- */

/* Lines before the pairs: the prompt, behind "Negative prompt:" what it is guided away from. */
static void take_prompts(reader *r, span text)
{
    static const char mark[] = "Negative prompt:";
    size_t head = text.n, next;
    for (size_t at = 0; at < text.n && head == text.n; at = next) {
        const char *end = memchr(text.at + at, '\n', text.n - at);
        next = end ? (size_t)(end - text.at) + 1 : text.n;
        if (begins((span){text.at + at, next - at}, mark)) head = at;
    }
    if (head < text.n) {
        span negative = {text.at + head + sizeof mark - 1, text.n - head - sizeof mark + 1};
        if (negative.n && negative.at[0] == ' ') negative.at++, negative.n--;
        r->failed |= !(r->a->negative = limn_arena_printf(r->a->arena, "%.*s", (int)negative.n, negative.at));
    }
    size_t n = head == text.n ? head : head ? head - 1 : 0; /* without the line break before the mark */
    r->failed |= !(r->a->prompt = limn_arena_printf(r->a->arena, "%.*s", (int)n, text.at));
}

static limn_status parse(reader *r, span text)
{
    while (text.n && strchr(" \t\r\n", text.at[text.n - 1])) text.n--;
    const char *newline = text.n ? memrchr(text.at, '\n', text.n) : NULL;
    span last = newline ? (span){newline + 1, text.n - (size_t)(newline + 1 - text.at)} : text;
    if (count_pairs(last) < FEWEST_PAIRS)
        return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: the last line of its text is no settings, as in \"Steps: 20, Sampler: "
                         "Euler, Seed: 42\"", r->a->file);
    if (newline) take_prompts(r, (span){text.at, (size_t)(newline - text.at)});
    take_pairs(r, last);
    return finish(r);
}

limn_status limn_again_parse(limn_ctx *ctx, const char *name, const char *text, size_t n, limn_again *out)
{
    char shown[256];
    *out = (limn_again){.arena = limn_arena_new()};
    reader r = {.ctx = ctx, .a = out};
    const char *zero = memchr(text, 0, n);
    if (out->arena) out->file = limn_arena_strdup(out->arena, limn_escape(name, strlen(name), shown, sizeof shown));
    limn_status status = out->file ? parse(&r, (span){text, zero ? (size_t)(zero - text) : n})
                                   : limn_fail_memory(ctx, n, "a picture's text");
    limn_text_free(&r.rest);
    if (status != LIMN_OK) limn_again_free(out);
    return status;
}

static limn_status lacks(limn_ctx *ctx, const char *path, const limn_png_info *info)
{
    for (int i = 0; i < info->n; i++)
        if (!strcmp(info->texts[i].key, "workflow"))
            return limn_fail(ctx, LIMN_NOT_FOUND, "%s: holds a workflow of ComfyUI, which is not followed, and no text "
                             "\"parameters\"", path);
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s: no text \"parameters\" is in it: limn inspect shows what there is", path);
}

limn_status limn_again_read(limn_ctx *ctx, const char *path, limn_again *out)
{
    unsigned char *bytes;
    const char *text = NULL;
    size_t n;
    limn_png_info info;
    *out = (limn_again){0};
    limn_status status = limn_file_read(ctx, path, MOST_PNG, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_png_info_read(ctx, path, bytes, n, &info);
    free(bytes);
    if (status != LIMN_OK) return status;
    for (int i = 0; i < info.n && !text; i++)
        if (!strcmp(info.texts[i].key, "parameters")) text = info.texts[i].text;
    status = text ? limn_again_parse(ctx, path, text, strlen(text), out) : lacks(ctx, path, &info);
    limn_png_info_free(&info);
    return status;
}

void limn_again_free(limn_again *a)
{
    limn_arena_free(a->arena);
    *a = (limn_again){0};
}

/* ---- the model -------------------------------------------------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    size_t n = limn_weight_stem(a);
    return n == limn_weight_stem(b) && memcmp(a, b, n) == 0;
}

limn_status limn_again_check_source(limn_ctx *ctx, const limn_again *a, const char *source, bool named)
{
    char last[256], shown[128];
    if (!a->model && named) return LIMN_OK;
    if (!a->model) return limn_fail(ctx, LIMN_NOT_FOUND, "%s does not say which model drew it: give it (-m)", a->file);
    limn_path_last(source, last, sizeof last);
    limn_escape(a->model, strlen(a->model), shown, sizeof shown);
    if (same_file(last, a->model)) return LIMN_OK;
    if (!named) return limn_fail(ctx, LIMN_NOT_FOUND, "%s was drawn by the model \"%s\": give it (-m)", a->file, shown);
    limn_log(ctx, LIMN_LOG_WARN, "%s was drawn by the model \"%s\", and this is %s", a->file, shown, last);
    return LIMN_OK;
}

/* A part that lay in a file beside the model; is: "": it is the model's own. */
static void compare_part(const limn_pipeline *p, const limn_again *a, const char *title, const char *flag, const char *said,
                         const char *is)
{
    char was[128], now[128];
    if (!said || same_file(said, is)) return;
    limn_escape(said, strlen(said), was, sizeof was);
    limn_escape(is, strlen(is), now, sizeof now);
    limn_log(p->ctx, LIMN_LOG_WARN, "%s was drawn with the %s \"%s\" (%s), and here it is %s", a->file, title, was, flag,
             *is ? now : "the model's own");
}

/* "glim [1a2b], bad hands [00ff]": each is there.  Other numbers of the same name are a warning. */
static limn_status check_embeddings(const limn_pipeline *p, const limn_again *a)
{
    char found[8], name[256], shown[256];
    for (const char *at = a->embeddings ? a->embeddings : "", *end; *at; at = end + strspn(end, "], ")) {
        const char *mark = strstr(at, " [");
        end = mark ? mark + strcspn(mark, "]") : at + strlen(at);
        if (!mark || end - mark != 6 || mark - at >= (int)sizeof name) continue;
        snprintf(name, sizeof name, "%.*s", (int)(mark - at), at);
        limn_escape(name, strlen(name), shown, sizeof shown);
        if (!limn_embeddings_find(p->embeddings, name, found))
            return limn_fail(p->ctx, LIMN_NOT_FOUND, "%s was drawn with the embedding \"%s\", which is not there: say in "
                             "which folder it is (--embd-dir)", a->file, shown);
        if (memcmp(found, mark + 2, 4) != 0)
            limn_log(p->ctx, LIMN_LOG_WARN, "%s was drawn with another embedding \"%s\": its numbers make %.4s, these %s",
                     a->file, shown, mark + 2, found);
    }
    return LIMN_OK;
}

limn_status limn_again_check_model(const limn_pipeline *p, const limn_again *a)
{
    limn_sigmas sigmas;
    char shown[256];
    const sampler_row *said = a->own_sampler ? limn_sampler_find(a->own_sampler, &sigmas) : NULL,
                      *own = limn_sampler_find(limn_pipeline_describe(p).sampler, &sigmas);
    if (a->own_sampler && (!p->has_scheduler || said != own))
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s was drawn as its model's scheduler_config.json says (%s), which that "
                         "of %s does not: name a sampler (--sampling-method)", a->file,
                         limn_escape(a->own_sampler, strlen(a->own_sampler), shown, sizeof shown), p->name);
    bool alone = p->n_texts == 1 && limn_model_interface(&p->settings).sizes; /* OpenCLIP's, of a refiner */
    bool t5 = p->n_texts == 1 && p->text[0].whole && !limn_published_is_sd3(p);
    compare_part(p, a, "text encoder", t5 ? "--t5xxl" : alone ? "--clip_g" : "--clip_l", a->text_encoder,
                 limn_pipeline_text_name(p, 0));
    compare_part(p, a, "second text encoder", "--clip_g", a->text_encoder_2, limn_pipeline_text_name(p, 1));
    compare_part(p, a, "third text encoder", "--t5xxl", a->text_encoder_3, limn_pipeline_text_name(p, 2));
    compare_part(p, a, "autoencoder", "--vae", a->vae, p->vae_name);
    limn_status status = check_embeddings(p, a);
    if (status != LIMN_OK) return status;
    if (a->rest)
        limn_log(p->ctx, LIMN_LOG_WARN, "%s also says this, which is not followed: %s", a->file,
                 limn_escape(a->rest, strlen(a->rest), shown, sizeof shown));
    return LIMN_OK;
}

void limn_again_check_hash(limn_ctx *ctx, const limn_again *a, const char *digits)
{
    enum { SHORT = 10 };
    size_t n = a->hash ? strlen(a->hash) : 0; /* before these ten digits there were eight, of a part of the file */
    char lower[SHORT + 1] = "";
    if (n < SHORT || strspn(a->hash, "0123456789abcdefABCDEF") != n) return;
    for (int i = 0; i < SHORT; i++) lower[i] = (char)limn_lower((unsigned char)a->hash[i]);
    if (strncmp(lower, digits, SHORT) != 0)
        limn_log(ctx, LIMN_LOG_WARN, "%s was drawn by other weights: its model has the hash %s, this one %.*s", a->file,
                 lower, SHORT, digits);
}
