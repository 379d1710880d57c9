/* inspect_json.c: what is in a file, as JSON. */
#include "pipeline/inspect.h"

#include "base/json.h"

#include <string.h>

/* Text of unknown origin: what is not UTF-8 is escaped. */
static json_t *text_json(const char *text)
{
    char shown[1024];
    json_t *json = json_string(text);
    return json ? json : json_string(limn_escape(text, strlen(text), shown, sizeof shown));
}

static json_t *tensor_json(const limn_entry *e)
{
    json_t *shape = json_array();
    for (int i = 0; i < e->rank; i++) json_array_append_new(shape, json_integer(e->dim[i]));
    return json_pack("{s:o, s:s, s:o, s:I, s:I}", "name", text_json(e->name), "dtype", e->type, "shape", shape, "offset",
                     (json_int_t)e->begin, "bytes", (json_int_t)e->bytes);
}

static json_t *sets_json(const limn_fit *fit)
{
    static const char *const words[] = {[LIMN_SET_RAW] = "raw", [LIMN_SET_ONLINE] = "online", [LIMN_SET_EMA] = "ema",
                                        [LIMN_SET_STATE] = "optimizer"};
    json_t *all = json_array();
    for (int i = 0; i < fit->n_sets; i++)
        json_array_append_new(all, json_pack("{s:s, s:o, s:I}", "kind", words[fit->sets[i].kind], "prefix",
                                             text_json(fit->sets[i].prefix), "tensors", (json_int_t)fit->sets[i].n));
    return all;
}

static json_t *fit_json(const limn_fit *fit)
{
    char settings[LIMN_SETTINGS_BYTES];
    if (fit->source == LIMN_FIT_NONE)
        return fit->preset ? json_pack("{s:s, s:b, s:s}", "preset", fit->preset, "fits", 0, "missing", fit->missing)
                           : json_null();
    json_t *o =
        json_pack("{s:s, s:s, s:i, s:i, s:b}", "settings", limn_settings_text(&fit->settings, settings), "known_from",
                  fit->source == LIMN_FIT_METADATA    ? "metadata"
                  : fit->source == LIMN_FIT_PUBLISHED ? "published"
                                                      : "names",
                  "parameters", fit->n_parameters, "found", fit->n_found, "fits", fit->n_found == fit->n_parameters);
    if (fit->preset) json_object_set_new(o, "preset", json_string(fit->preset));
    if (fit->prefix[0]) json_object_set_new(o, "prefix", text_json(fit->prefix));
    if (fit->n_sets) json_object_set_new(o, "weights", sets_json(fit));
    if (fit->missing[0]) json_object_set_new(o, "missing", json_string(fit->missing));
    return o;
}

static json_t *latents_json(const limn_inspected_latents *l)
{
    const limn_latents *all = &l->all;
    if (l->kind == LIMN_NO_LATENTS) return json_null();
    json_t *mean = json_array(), *spread = json_array();
    for (int k = 0; k < all->channels; k++)
        json_array_append_new(mean, json_real(l->mean[k])), json_array_append_new(spread, json_real(l->spread[k]));
    json_t *o = json_pack("{s:i, s:i, s:i, s:o, s:o}", "width", all->width, "height", all->height, "channels", all->channels,
                          "mean", mean, "spread", spread);
    if (l->kind == LIMN_ONE_LATENT) json_object_set_new(o, "picture", json_pack("[i, i]", l->image_width, l->image_height));
    else
        json_object_update_new(
            o, json_pack("{s:I, s:f, s:f}", "count", (json_int_t)all->count, "scale", all->scale, "shift", all->shift));
    return o;
}

static json_t *weights_json(const limn_inspected *it)
{
    json_t *tensors = json_array(), *metadata = json_object(), *networks = json_array();
    for (int i = 0; i < it->n_fits; i++)
        if (it->fit[i].source != LIMN_FIT_NONE || it->fit[i].preset) json_array_append_new(networks, fit_json(&it->fit[i]));
    for (size_t i = 0; i < limn_weight_file_count(it->st); i++)
        json_array_append_new(tensors, tensor_json(limn_weight_file_get(it->st, i)));
    const char *key, *value;
    for (const void *at = NULL; (at = limn_weight_file_metadata_next(it->st, at, &key, &value)) != NULL;)
        json_object_set_new(metadata, key, json_string(value));
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "file", text_json(it->file), "kind",
                     limn_weight_file_kind(it->st), "metadata", metadata, "network",
                     it->n_fits ? fit_json(&it->fit[0]) : json_null(), "networks", networks, "latents",
                     latents_json(&it->latents), "tensors", tensors);
}

static json_t *picture_json(const limn_inspected *it)
{
    const limn_png_info *info = &it->picture;
    json_t *texts = json_object();
    for (int i = 0; i < info->n; i++) json_object_set_new(texts, info->texts[i].key, text_json(info->texts[i].text));
    return json_pack("{s:o, s:s, s:I, s:I, s:i, s:s, s:o}", "file", text_json(it->file), "kind", "png", "width",
                     (json_int_t)info->width, "height", (json_int_t)info->height, "bits", info->bits, "color", info->color,
                     "text", texts);
}

limn_status limn_inspect_json(limn_ctx *ctx, const char *source, char **out)
{
    limn_inspected *it;
    *out = NULL;
    limn_status status = limn_inspected_open(ctx, source, &it);
    if (status == LIMN_OK) status = it->known;
    if (status == LIMN_OK) {
        json_t *json = it->st ? weights_json(it) : picture_json(it);
        if (!(*out = limn_json_text(json, JSON_INDENT(1)))) status = limn_fail_memory(ctx, 4096, "JSON");
        json_decref(json);
    }
    limn_inspected_close(it);
    return status;
}
