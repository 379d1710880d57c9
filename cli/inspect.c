/* inspect.c: limn inspect FILE...: weight files and pictures. */
#include "cli.h"
#include "inspect.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "limn inspect FILE|FOLDER... [flags]\n"
    "\n"
    "A weight file, or the folder that holds it: safetensors, the index of several (.safetensors.index.json), or what "
    "torch.save() wrote\n"
    "(.pt, .pth, .ckpt; nothing in it is executed): every tensor (name, type, shape, bytes, offset), totals, metadata, "
    "whether it is\n"
    "damaged, and the network it fits: all of them where a checkpoint holds several.  First, of published networks, in a\n"
    "line which there are, what is missing to draw, what is left over; and which sets of weights there are (raw, EMA) and\n"
    "what their names begin with.  Of latents that limn encode made:\n"
    "how many, shape, scale, spread, autoencoder.  Numbered repetitions are folded: blocks.0-11.attn.qkv.weight.\n"
    "A PNG that limn generate made: prompt, seed and settings.\n"
    "\n"
    "  -a, --all   every tensor on a line of its own\n"
    "  --json      for programs: one object per file, always with every tensor\n"
    "\n"
    "examples:\n"
    "  limn inspect models/emoji/model.safetensors\n"
    "  limn inspect cat.png\n"
    "  limn inspect model.safetensors --json | jq '.tensors[].name'\n";

enum { MOST_KINDS = 24, PIECE = 180 };

/* ---- weights --------------------------------------------------------------------------------------------------------- */

static void print_totals(const limn_weight_file *st)
{
    struct { const char *type; size_t tensors; double elements, bytes; } kinds[MOST_KINDS] = {{0}};
    int n = 0;
    for (size_t i = 0; i < limn_weight_file_count(st); i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        int k = 0;
        while (k < n && strcmp(kinds[k].type, e->type) != 0) k++;
        if (k == MOST_KINDS) continue;
        if (k == n) kinds[n++].type = e->type;
        double elements = 1;
        for (int d = 0; d < e->rank; d++) elements *= (double)e->dim[d];
        kinds[k].tensors++, kinds[k].elements += elements, kinds[k].bytes += (double)e->bytes;
    }
    char bytes[32];
    for (int k = 0; k < n; k++)
        printf("%-9s %zu tensors, %.0f elements, %s\n", kinds[k].type, kinds[k].tensors, kinds[k].elements,
               cli_bytes(kinds[k].bytes, bytes));
    if (!n) printf("no tensors\n");
}

static void print_metadata(const limn_weight_file *st)
{
    const char *key, *value;
    char a[256], b[1024];
    for (const void *at = NULL; (at = limn_weight_file_metadata_next(st, at, &key, &value)) != NULL;)
        if (strcmp(key, "limn.settings") != 0)
            printf("metadata  %s: %s\n", limn_escape(key, strlen(key), a, sizeof a),
                   limn_escape(value, strlen(value), b, sizeof b));
}

/* many: of several networks in one file, which are told apart by what their tensors' names begin with */
static void print_fit(const limn_fit *fit, bool many)
{
    char text[LIMN_SETTINGS_BYTES], prefix[256];
    if (fit->preset && fit->source != LIMN_FIT_PRESET)
        printf(many && fit->prefix[0] ? "published as %s, names begin with %s\n" : "published as %s\n", fit->preset,
               limn_escape(fit->prefix, strlen(fit->prefix), prefix, sizeof prefix));
    if (fit->source == LIMN_FIT_NONE && fit->preset)
        printf("network   not one that Limn builds\n          %s\n", fit->missing);
    else if (fit->source == LIMN_FIT_NONE)
        printf("network   none that Limn knows by these names and shapes\n          %s\n", fit->missing);
    else if (fit->source == LIMN_FIT_PRESET)
        printf("network   fits %s: all %d parameters are here under its names\n", fit->preset, fit->n_parameters);
    else if (fit->n_found == fit->n_parameters)
        printf("network   %s\n          fits: all %d parameters are here\n", limn_settings_text(&fit->settings, text),
               fit->n_parameters);
    else
        printf("network   %s\n          does not fit: %d of %d parameters are here; %s\n",
               limn_settings_text(&fit->settings, text), fit->n_found, fit->n_parameters, fit->missing);
}

/* Of published networks that draw together: which of them a file has, and a folder of diffusers beside it. */
typedef struct parts {
    const limn_fit *draws;
    bool text, coder, lacks_coder;
    int lacks_text[2];  /* width of the features of each text encoder that is not there, CLIP's and OpenCLIP's; 0: none */
    limn_interface net; /* of `draws` */
    bool folder[3], misfit[3]; /* places[] has it; has something else */
} parts;

static const char *const places[3] = {"text_encoder", "text_encoder_2", "vae"};

/* A network of this kind, and this width of its features or channels of its latents. */
static bool has_network(const limn_inspected *it, limn_family_kind kind, int width)
{
    for (int i = 0; i < it->n_fits; i++) {
        const limn_fit *fit = &it->fit[i];
        if (fit->source == LIMN_FIT_NONE || fit->settings.family->kind != kind) continue;
        limn_interface net = limn_model_interface(&fit->settings);
        if ((kind == LIMN_ENCODES_TEXT ? net.text_width : net.latent) == width) return true;
    }
    return false;
}

/* Stable Diffusion XL reads two encoders, the second of them as wide as the whole text. */
static void find_lacking_texts(const limn_inspected *it, parts *p)
{
    int all = p->net.text_width, second = p->net.sizes ? p->net.pooled_width : 0;
    if (!all || p->net.reads_ids) return;
    if (!p->net.sizes) p->lacks_text[0] = p->text ? 0 : all;
    else if (all > second) p->lacks_text[0] = has_network(it, LIMN_ENCODES_TEXT, all - second) ? 0 : all - second;
    if (second) p->lacks_text[1] = has_network(it, LIMN_ENCODES_TEXT, second) ? 0 : second;
}

/* What is missing is looked for in the folder. */
static void look_beside(limn_ctx *ctx, const char *folder, parts *p)
{
    char path[1100];
    for (int i = 0; i < 3; i++) {
        limn_inspected *it = NULL;
        int width = i < 2 ? p->lacks_text[i] : p->lacks_coder ? p->net.channels : 0;
        snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        if (!width || strlen(folder) > 1000 || access(path, F_OK) != 0) continue;
        bool there = limn_inspected_open(ctx, path, &it) == LIMN_OK;
        p->folder[i] = there && has_network(it, i < 2 ? LIMN_ENCODES_TEXT : LIMN_RECONSTRUCTS, width);
        p->misfit[i] = !p->folder[i];
        limn_inspected_close(it);
        if (p->folder[i] && i < 2) p->lacks_text[i] = 0;
        else if (p->folder[i]) p->lacks_coder = false;
    }
}

static parts parts_of(const limn_inspected *it)
{
    parts p = {0};
    for (int i = 0; i < it->n_fits; i++) {
        const limn_fit *fit = &it->fit[i];
        if (fit->source == LIMN_FIT_NONE || fit->source == LIMN_FIT_METADATA) continue;
        p.text = p.text || fit->settings.family->kind == LIMN_ENCODES_TEXT;
        p.coder = p.coder || fit->settings.family->kind == LIMN_RECONSTRUCTS;
        if (fit->settings.family->kind == LIMN_DENOISES) p.draws = fit;
    }
    if (!p.draws) return p;
    p.net = limn_model_interface(&p.draws->settings);
    find_lacking_texts(it, &p);
    p.lacks_coder = p.net.channels > 3 && !p.coder;
    return p;
}

/* Of a text encoder alone: OpenCLIP's of Stable Diffusion XL makes a whole text, too. */
static const char *flag_of(const limn_inspected *it)
{
    for (int i = 0; i < it->n_fits; i++)
        if (it->fit[i].source != LIMN_FIT_NONE && it->fit[i].settings.family->kind == LIMN_ENCODES_TEXT) {
            limn_interface net = limn_model_interface(&it->fit[i].settings);
            return net.pooled_width && net.text_width != 768 && net.text_width != 1024 ? "--clip_g" : "--clip_l";
        }
    return "--clip_l";
}

/* What the file is a part of, and what it lacks. */
static void print_parts(const limn_inspected *it, const parts *p)
{
    if (!p->draws && p->text) printf("part      a text encoder: %s of limn generate\n", flag_of(it));
    if (!p->draws && p->coder) printf("part      an autoencoder: -m of limn encode and decode, --vae of limn generate\n");
    const char *missing = "missing";
    for (int i = 0; i < 3; i++) {
        if (i < 2 ? !p->lacks_text[i] : !p->lacks_coder) continue;
        if (i < 2)
            printf("%-10sa text encoder that makes features of %d numbers (%s)", missing, p->lacks_text[i],
                   i ? "--clip_g" : "--clip_l");
        else printf("%-10san autoencoder of latents of %d channels (--vae)", missing, p->net.channels);
        if (p->misfit[i]) printf("; %s is there, and holds none", places[i]);
        putchar('\n');
        missing = "";
    }
}

static bool begins(const limn_entry *e, const char *prefix)
{
    return !strncmp(e->name, prefix, strlen(prefix));
}

/* Does the name of a tensor say that it is of one of the networks, or of a set of its weights? */
static bool belongs(const limn_inspected *it, const limn_entry *e)
{
    bool found = false;
    for (int i = 0; i < it->n_fits; i++) {
        found = found || begins(e, it->fit[i].prefix);
        for (int k = 0; k < it->fit[i].n_sets; k++) found = found || begins(e, it->fit[i].sets[k].prefix);
    }
    return found;
}

/* First, in a line: published networks by their titles, what is missing, and how much is nobody's. */
static void print_summary(const limn_inspected *it, const parts *p)
{
    size_t others = 0;
    const char *first = NULL;
    char name[256];
    int n = 0;
    for (int i = 0; i < it->n_fits; i++)
        if (it->fit[i].source == LIMN_FIT_PUBLISHED) printf("%s%s", n++ ? ", " : "holds     ", it->fit[i].preset);
    if (!n) return;
    for (size_t i = 0; i < limn_weight_file_count(it->st); i++) {
        const limn_entry *e = limn_weight_file_get(it->st, i);
        if (belongs(it, e)) continue;
        if (!others++) first = e->name;
    }
    const char *with = "; beside it: ";
    for (int i = 0; i < 3; i++)
        if (p->folder[i]) printf("%s%s", with, places[i]), with = ", ";
    int texts = (p->lacks_text[0] > 0) + (p->lacks_text[1] > 0);
    printf("%s%s%s%s", texts || p->lacks_coder ? "; missing: " : "",
           texts > 1 ? "text encoders" : texts ? "text encoder" : "", texts && p->lacks_coder ? ", " : "",
           p->lacks_coder ? "autoencoder" : "");
    if (others)
        printf("; left over: %zu tensor%s (%s%s)", others, others > 1 ? "s" : "",
               limn_escape(first, strlen(first), name, sizeof name), others > 1 ? " .." : "");
    printf("\n");
}

/* State dicts of one network beside each other, before the list of their tensors. */
static void print_sets(const limn_fit *fit, bool many)
{
    static const char *const words[] = {[LIMN_SET_RAW] = "raw", [LIMN_SET_ONLINE] = "raw, kept by the EMA",
                                        [LIMN_SET_EMA] = "EMA", [LIMN_SET_STATE] = "optimizer"};
    char prefix[256];
    for (int i = 0; i < fit->n_sets && (fit->n_sets > 1 || (fit->prefix[0] && !many)); i++) {
        const limn_weight_set *set = &fit->sets[i];
        printf("%-9s %s: %zu tensors, ", i ? "" : "weights", words[set->kind], set->n);
        limn_escape(set->prefix, strlen(set->prefix), prefix, sizeof prefix);
        printf("%s%s\n", *prefix ? "names begin with " : "without a prefix", prefix);
    }
}

/* Every byte against the checksum that Limn's files carry. */
static limn_status print_checksum(limn_ctx *ctx, const limn_weight_file *st)
{
    bool known;
    limn_status status = limn_weight_file_check(ctx, st, &known);
    if (status == LIMN_OK && known) printf("checksum  right: no byte has changed since it was written\n");
    return status;
}

static limn_status print_weights(limn_ctx *ctx, const limn_inspected *it, const char *source, bool all)
{
    bool many = it->n_fits > 1;
    limn_status status = it->known;
    parts p = parts_of(it);
    if (p.draws) look_beside(ctx, source, &p);
    if (status == LIMN_OK) print_summary(it, &p);
    for (int i = 0; i < it->n_fits; i++) print_sets(&it->fit[i], many);
    limn_status listed = cli_tensors_print(ctx, it->st, all); /* also when the metadata is wrong */
    print_totals(it->st);
    print_metadata(it->st);
    if (status == LIMN_OK && it->latents.kind != LIMN_NO_LATENTS) cli_latents_print(&it->latents);
    if (many && status == LIMN_OK) printf("networks  %d\n", it->n_fits);
    for (int i = 0; i < it->n_fits && status == LIMN_OK; i++) print_fit(&it->fit[i], many);
    if (status == LIMN_OK) print_parts(it, &p);
    if (status == LIMN_OK) status = print_checksum(ctx, it->st);
    return listed != LIMN_OK ? listed : status;
}

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

/* One line of unknown origin, whole: limn_escape() stops at 200 bytes. */
static void print_line(const char *line, size_t n)
{
    char shown[4 * PIECE + 8];
    printf("  ");
    while (n) {
        size_t piece = n;
        if (n > PIECE) for (piece = PIECE; piece > PIECE - 4 && ((unsigned char)line[piece] & 0xc0) == 0x80;) piece--;
        fputs(limn_escape(line, piece, shown, sizeof shown), stdout);
        line += piece;
        n -= piece;
    }
    putchar('\n');
}

static void print_picture(const char *file, const limn_png_info *info)
{
    char name[256];
    printf("%s: PNG, %u x %u, %s, %d bits\n", limn_escape(file, strlen(file), name, sizeof name), info->width, info->height,
           info->color, info->bits);
    for (int i = 0; i < info->n; i++) {
        printf("%s\n", limn_escape(info->texts[i].key, strlen(info->texts[i].key), name, sizeof name));
        for (const char *line = info->texts[i].text; *line;) {
            size_t n = strcspn(line, "\n");
            print_line(line, n);
            line += n + (line[n] == '\n');
        }
    }
    if (!info->n) printf("no text in it\n");
}

/* ---- the verb --------------------------------------------------------------------------------------------------------- */

static limn_status inspect(limn_ctx *ctx, const char *source, bool all)
{
    limn_inspected *it;
    limn_status status = limn_inspected_open(ctx, source, &it);
    if (status == LIMN_OK && it->st) status = print_weights(ctx, it, source, all);
    else if (status == LIMN_OK) print_picture(it->file, &it->picture);
    limn_inspected_close(it);
    return status;
}

static limn_status inspect_json(limn_ctx *ctx, const char *source)
{
    char *json;
    limn_status status = limn_inspect_json(ctx, source, &json);
    if (json) puts(json);
    limn_free(json);
    return status;
}

static int inspect_files(int n, const char *const *files, bool all, bool json)
{
    int code = 0;
    limn_ctx *ctx = cli_ctx_new();
    if (!ctx) return 1;
    for (int i = 0; i < n; i++) {
        char shown[256];
        if (n > 1 && !json) printf("%s%s\n", i ? "\n" : "", limn_escape(files[i], strlen(files[i]), shown, sizeof shown));
        limn_status status = json ? inspect_json(ctx, files[i]) : inspect(ctx, files[i], all);
        if (status != LIMN_OK) code = cli_fail(ctx, status);
    }
    cli_ctx_free(ctx);
    return code;
}

int cli_inspect(int argc, char **argv)
{
    bool asked = false, all = false, json = false;
    const cli_flag flags[] = {{"-a", "--all", NULL, &all},
                              {NULL, "--json", NULL, &json},
                              {"-h", "--help", NULL, &asked},
                              {NULL, NULL, NULL, NULL}};
    const char **files = malloc((size_t)argc * sizeof *files);
    if (!files) return fprintf(stderr, "limn: out of memory\n"), 1;
    int n = cli_parse(argc, argv, flags, files, argc), code;
    if (asked) code = (fputs(help, stdout), 0);
    else if (n < 1)
        code = (fprintf(stderr,
                        n < 0 ? "" : "limn inspect: expected a file, as in: limn inspect models/emoji/model.safetensors\n"),
                2);
    else code = inspect_files(n, files, all, json);
    free(files);
    return code;
}
