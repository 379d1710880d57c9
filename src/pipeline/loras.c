/* loras.c: see loras.h. */
#include "pipeline/loras.h"

#include "graph/node.h"
#include "model/map/map.h"
#include "pipeline/prompts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct limn_loras *limn_loras_new(void) { return calloc(1, sizeof(struct limn_loras)); }

/* Number `from` and all behind it. */
static void drop(struct limn_loras *loras, int from)
{
    while (loras->stack.n > from) limn_lora_free(loras->stack.use[--loras->stack.n].lora);
    loras->n_named = 0;
}

void limn_loras_free(struct limn_loras *loras)
{
    if (!loras) return;
    drop(loras, 0);
    free(loras);
}

/* ---- does it fit? ----------------------------------------------------------------------------------------------------- */

/* Modules of a file that are some network's. */
typedef struct fitted {
    bool *module;
    size_t n;
} fitted;

static limn_lora_network network_of(const limn_pipeline *p, const limn_recipe_part *part)
{
    return part->role == LIMN_ROLE_TEXT ? p->text[part->encoder].lora : LIMN_LORA_DENOISER;
}

static limn_status fit_parameter(limn_pipeline *p, const limn_lora *lora, limn_lora_network network, const limn_node *node,
                                 fitted *out)
{
    char flat[LIMN_LORA_NAME];
    bool bias;
    const limn_lora_module *m = limn_lora_flat(node->name, flat, &bias) ? limn_lora_find(lora, network, flat) : NULL;
    limn_wanted w = {.name = node->name, .shape = node->shape, .init = &node->init};
    limn_status status = LIMN_OK;
    for (; m && status == LIMN_OK; m = limn_lora_next(lora, m)) {
        size_t i = (size_t)(m - limn_lora_get(lora, 0));
        out->n += !out->module[i], out->module[i] = true;
        status = limn_lora_apply(p->ctx, lora, m, 1, &w, bias, NULL);
    }
    return status;
}

static limn_status fit_part(limn_pipeline *p, const limn_lora *lora, const limn_recipe_part *part, fitted *out)
{
    limn_ports ports;
    limn_graph *g = limn_graph_new(p->ctx);
    if (!g) return limn_fail_memory(p->ctx, sizeof(limn_graph), "a graph");
    limn_status status = limn_model_build(g, limn_net_settings(part->net), (limn_build){.batch = 1}, &ports);
    for (int i = 0; i < g->n_parameters && status == LIMN_OK; i++)
        status = fit_parameter(p, lora, network_of(p, part), g->parameters[i], out);
    limn_graph_free(g);
    return status;
}

static bool is_changed(const limn_recipe_part *part)
{
    return part->role == LIMN_ROLE_TEXT || part->role == LIMN_ROLE_DENOISER;
}

/* The modules without a network that are this text encoder's by name and shape; none where one shape is another. */
static limn_status fit_encoder(limn_pipeline *p, const limn_lora *lora, const limn_recipe_part *part, fitted *out)
{
    size_t n = limn_lora_count(lora);
    *out = (fitted){.module = calloc(n, sizeof *out->module)};
    if (!out->module) return limn_fail_memory(p->ctx, n, limn_lora_path(lora));
    limn_status status = fit_part(p, lora, part, out);
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        out->module[i] = out->module[i] && status == LIMN_OK && limn_lora_get(lora, i)->network == LIMN_LORA_ANY;
        out->n += out->module[i];
    }
    return status == LIMN_BAD_FILE ? LIMN_OK : status;
}

/* Encoder i, whose modules `fit` are. */
static limn_status take_encoder(limn_pipeline *p, limn_lora *lora, int i, const fitted *fit)
{
    const limn_recipe_part *part = limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, i);
    limn_log(p->ctx, LIMN_LOG_INFO, "%s: no name says which text encoder it changes; by its shapes that which makes "
             "features of %d numbers", limn_lora_path(lora), limn_model_interface(limn_net_settings(part->net)).text_width);
    return limn_lora_assign(p->ctx, lora, network_of(p, part), fit->module);
}

/* Of any two encoders: a module that fits both. */
static limn_status check_encoders(limn_pipeline *p, const limn_lora *lora, const fitted *fit)
{
    for (int i = 0; i < p->n_texts; i++)
        for (int k = 0; k < i; k++)
            for (size_t m = 0; m < limn_lora_count(lora); m++)
                if (fit[i].module[m] && fit[k].module[m])
                    return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: fits %s text encoders of %s, and no name says which it "
                                     "changes", limn_lora_path(lora), p->n_texts == 2 ? "both" : "several", p->name);
    return LIMN_OK;
}

/* Encoder i gets what is its; numbers of modules change. */
static limn_status find_modules(limn_pipeline *p, limn_lora *lora, int i)
{
    fitted fit;
    limn_status status = fit_encoder(p, lora, limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, i), &fit);
    if (status == LIMN_OK && fit.n) status = take_encoder(p, lora, i, &fit);
    free(fit.module);
    return status;
}

/* Text encoders of CLIP call their modules alike, and PEFT alone does not say whose those of a file are: shapes do. */
static limn_status find_encoders(limn_pipeline *p, limn_lora *lora)
{
    fitted fit[LIMN_TEXT_ENCODERS] = {{0}};
    limn_status status = LIMN_OK;
    if (p->n_texts < 2) return LIMN_OK;
    for (int i = 0; i < p->n_texts && status == LIMN_OK; i++)
        status = fit_encoder(p, lora, limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, i), &fit[i]);
    if (status == LIMN_OK) status = check_encoders(p, lora, fit);
    for (int i = 0; i < p->n_texts; i++) free(fit[i].module);
    for (int i = 0; i < p->n_texts && status == LIMN_OK; i++) status = find_modules(p, lora, i);
    return status;
}

/* PixArt's first text encoder is T5. */
static limn_status name_t5(limn_pipeline *p, limn_lora *lora)
{
    size_t n = limn_lora_count(lora);
    if (p->settings.family != &limn_family_pixart) return LIMN_OK;
    bool *which = malloc(n * sizeof *which + 1);
    if (!which) return limn_fail_memory(p->ctx, n, limn_lora_path(lora));
    for (size_t i = 0; i < n; i++) which[i] = limn_lora_get(lora, i)->network == LIMN_LORA_TEXT;
    limn_status status = limn_lora_assign(p->ctx, lora, LIMN_LORA_TEXT_3, which);
    free(which);
    return status;
}

static limn_status tell(limn_pipeline *p, const limn_lora *lora, const fitted *fit)
{
    size_t n = limn_lora_count(lora), other = 0;
    char shown[LIMN_LORA_NAME];
    while (other < n && fit->module[other]) other++;
    const char *name = other < n ? limn_lora_get(lora, other)->name : "";
    limn_escape(name, strlen(name), shown, sizeof shown);
    if (!fit->n)
        return limn_fail(p->ctx, LIMN_BAD_FILE,
                         "%s: of its %zu modules none is one of %s (the first is \"%s\"): it was made "
                         "for another kind of model",
                         limn_lora_path(lora), n, p->name, shown);
    if (fit->n < n)
        limn_log(p->ctx, LIMN_LOG_WARN, "%s: %zu of its %zu modules are of this model; the first that is not: \"%s\"",
                 limn_lora_path(lora), fit->n, n, shown);
    else
        limn_log(p->ctx, LIMN_LOG_INFO, "%s: all its %zu modules are of this model", limn_lora_path(lora), n);
    return LIMN_OK;
}

/* Numbers of a token that the network read which a file was made for; 0: it does not say. */
static int64_t text_width_of(const limn_lora *lora)
{
    for (size_t i = 0; i < limn_lora_count(lora); i++) {
        const limn_lora_module *m = limn_lora_get(lora, i);
        const limn_entry *down = m->part[LIMN_LORA_DOWN];
        bool draws = m->network == LIMN_LORA_DENOISER || m->network == LIMN_LORA_ANY;
        if (draws && down && down->rank >= 2 && limn_ends_in(m->name, strlen(m->name), "_attn2_to_k")) return down->dim[1];
    }
    return 0;
}

static const char *known_by_width(int64_t width)
{
    return width == 768 ? " (Stable Diffusion 1)" : width == 1024 ? " (Stable Diffusion 2)"
           : width == 1280 ? " (the refiner of Stable Diffusion XL)" : width == 2048 ? " (Stable Diffusion XL)" : "";
}

/* Families of Stable Diffusion call their modules alike. */
static limn_status check_family(const limn_pipeline *p, const limn_lora *lora)
{
    int64_t made_for = text_width_of(lora), width = limn_model_interface(&p->settings).text_width;
    if (!made_for || p->settings.family != &limn_family_ldm_unet || made_for == width) return LIMN_OK;
    return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: was made for a network that reads %lld numbers of a token%s, and %s reads "
                     "%lld%s: they do not belong together", limn_lora_path(lora), (long long)made_for,
                     known_by_width(made_for), p->name, (long long)width, known_by_width(width));
}

static limn_status check_fit(limn_pipeline *p, const limn_lora *lora)
{
    if (check_family(p, lora) != LIMN_OK) return LIMN_BAD_FILE;
    fitted fit = {.module = calloc(limn_lora_count(lora), sizeof *fit.module)};
    limn_status status = fit.module ? LIMN_OK : limn_fail_memory(p->ctx, limn_lora_count(lora), limn_lora_path(lora));
    for (int i = 0; i < p->recipe.n_parts && status == LIMN_OK; i++)
        if (is_changed(&p->recipe.part[i])) status = fit_part(p, lora, &p->recipe.part[i], &fit);
    if (status == LIMN_OK) status = tell(p, lora, &fit);
    free(fit.module);
    return status;
}

/* ---- the stack -------------------------------------------------------------------------------------------------------- */

static limn_status too_many(const limn_pipeline *p)
{
    return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "at most %d LoRA files change a model at once", LIMN_MOST_LORAS);
}

static limn_status push(limn_pipeline *p, const char *path, double denoiser, double text)
{
    limn_lora_stack *stack = &p->loras->stack;
    limn_lora *lora;
    if (stack->n == LIMN_MOST_LORAS) return too_many(p);
    if (!(fabs(denoiser) <= 100 && fabs(text) <= 100))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s: expected a weight from -100 to 100", path);
    limn_status status = limn_lora_open(p->ctx, path, &lora);
    if (status != LIMN_OK) return status;
    status = limn_map_respell(p->ctx, limn_net_settings(limn_recipe_find(&p->recipe, LIMN_ROLE_DENOISER)->net), lora);
    if (status == LIMN_OK) status = name_t5(p, lora);
    if (status == LIMN_OK) status = find_encoders(p, lora);
    if (status == LIMN_OK) status = check_fit(p, lora);
    if (status != LIMN_OK) return limn_lora_free(lora), status;
    stack->use[stack->n++] = (struct limn_lora_use){lora, denoiser, text};
    return LIMN_OK;
}

/* The numbers of both networks will be others: plans and packed weights go, before anything is changed. */
static limn_status renew(limn_pipeline *p)
{
    limn_status status = LIMN_OK;
    limn_job_end(&p->reader.job);
    for (int i = 0; i < p->recipe.n_parts && status == LIMN_OK; i++) {
        limn_recipe_part *part = &p->recipe.part[i];
        if (!is_changed(part) && part->role != LIMN_ROLE_SKIPS) continue;
        limn_job_end(&part->job);
        part->changed = true;
    }
    for (int i = 0; i < p->recipe.n_parts && status == LIMN_OK; i++)
        if (is_changed(&p->recipe.part[i])) status = limn_net_renew(p->ctx, p->recipe.part[i].net);
    return status;
}

static limn_status check_own(const limn_pipeline *p)
{
    if (limn_pipeline_check_idle(p) != LIMN_OK) return LIMN_BAD_ARGUMENT;
    if (p->shares)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "%s: a pipeline that shares another one's weights has its LoRA files, "
                         "too, and cannot change them",
                         p->name);
    return LIMN_OK;
}

limn_status limn_pipeline_set_loras(limn_pipeline *p, int n, const limn_lora_file *files)
{
    limn_status status = check_own(p);
    if (status == LIMN_OK && (n || p->loras->stack.n)) status = renew(p);
    if (status != LIMN_OK) return status;
    drop(p->loras, 0);
    p->loras->n_given = 0;
    for (int i = 0; i < n && status == LIMN_OK; i++) status = push(p, files[i].path, files[i].weight, files[i].text_weight);
    if (status != LIMN_OK) drop(p->loras, 0);
    p->loras->n_given = p->loras->stack.n;
    return status;
}

/* ---- what a prompt names ---------------------------------------------------------------------------------------------- */

static limn_status find_file(limn_pipeline *p, const char *folder, const char *name, char out[LIMN_LORA_NAME + 4096])
{
    char shown[300];
    for (int i = 0, last = 0; !last; i++) {
        last = !limn_weight_endings[i];
        snprintf(out, LIMN_LORA_NAME + 4096, "%.4000s/%.200s%s", folder, name, last ? "" : limn_weight_endings[i]);
        if (access(out, R_OK) == 0) return LIMN_OK;
    }
    return limn_fail(p->ctx, LIMN_NOT_FOUND,
                     "%.4000s: no \"%s\" is there, with the ending .safetensors, .pt, .ckpt or .bin, "
                     "as <lora:%s> asks for",
                     folder, limn_escape(name, strlen(name), shown, sizeof shown), shown);
}

static limn_status read_tags(const limn_pipeline *p, const char *prompt, limn_lora_tag *tags, int *n)
{
    limn_lora_tag tag;
    bool found = true;
    size_t at = 0;
    limn_status status = LIMN_OK;
    for (*n = 0; status == LIMN_OK;) {
        status = limn_lora_tag_next(p->ctx, prompt, &at, &tag, &found);
        if (status != LIMN_OK || !found) break;
        if (*n == LIMN_MOST_LORAS) return too_many(p);
        tags[(*n)++] = tag;
    }
    return status;
}

static limn_status push_named(limn_pipeline *p, const limn_lora_tag *tag, const char *folder)
{
    char path[LIMN_LORA_NAME + 4096];
    if (!folder)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "the prompt asks for <lora:%s>: say in which folder such files are (--lora-model-dir)", tag->name);
    limn_status status = find_file(p, folder, tag->name, path);
    return status == LIMN_OK ? push(p, path, tag->denoiser, tag->text) : status;
}

static bool same_tags(const struct limn_loras *loras, int n, const limn_lora_tag *tags)
{
    bool same = n == loras->n_named;
    for (int i = 0; i < n && same; i++)
        same = strcmp(tags[i].name, loras->named[i].name) == 0 && tags[i].denoiser == loras->named[i].denoiser &&
               tags[i].text == loras->named[i].text;
    return same;
}

limn_status limn_loras_of_prompt(limn_pipeline *p, const limn_generate_options *o)
{
    limn_prompt_style style;
    limn_lora_tag tags[LIMN_MOST_LORAS];
    int n;
    limn_status status = limn_prompts_check(p, o, &style);
    if (status != LIMN_OK || style == LIMN_PROMPT_PLAIN) return status;
    status = read_tags(p, o->prompt ? o->prompt : "", tags, &n);
    if (status != LIMN_OK || same_tags(p->loras, n, tags)) return status;
    if (p->shares)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "%s: a pipeline that shares another one's weights cannot be changed by <lora:...> in a prompt",
                         p->name);
    status = renew(p);
    if (status != LIMN_OK) return status;
    drop(p->loras, p->loras->n_given);
    for (int i = 0; i < n && status == LIMN_OK; i++) status = push_named(p, &tags[i], o->lora_folder);
    if (status != LIMN_OK) return drop(p->loras, p->loras->n_given), status;
    memcpy(p->loras->named, tags, (size_t)n * sizeof *tags);
    p->loras->n_named = n;
    return LIMN_OK;
}
