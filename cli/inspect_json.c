/* inspect_json.c: limn inspect FILE --json. */
#include "cli.h"
#include "inspect.h"

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

json_t *cli_weights_json(const char *file, const limn_weight_file *st, const cli_latents *latents, int n,
                         const limn_fit *fits)
{
    json_t *tensors = json_array(), *metadata = json_object(), *networks = json_array();
    for (int i = 0; i < n; i++)
        if (fits[i].source != LIMN_FIT_NONE || fits[i].preset) json_array_append_new(networks, fit_json(&fits[i]));
    for (size_t i = 0; i < limn_weight_file_count(st); i++)
        json_array_append_new(tensors, tensor_json(limn_weight_file_get(st, i)));
    const char *key, *value;
    for (const void *at = NULL; (at = limn_weight_file_metadata_next(st, at, &key, &value)) != NULL;)
        json_object_set_new(metadata, key, json_string(value));
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "file", text_json(file), "kind", limn_weight_file_kind(st),
                     "metadata", metadata, "network", n ? fit_json(&fits[0]) : json_null(), "networks", networks, "latents",
                     cli_latents_json(latents), "tensors", tensors);
}

json_t *cli_picture_json(const char *file, const limn_png_info *info)
{
    json_t *texts = json_object();
    for (int i = 0; i < info->n; i++) json_object_set_new(texts, info->texts[i].key, text_json(info->texts[i].text));
    return json_pack("{s:o, s:s, s:I, s:I, s:i, s:s, s:o}", "file", text_json(file), "kind", "png", "width",
                     (json_int_t)info->width, "height", (json_int_t)info->height, "bits", info->bits, "color", info->color,
                     "text", texts);
}
