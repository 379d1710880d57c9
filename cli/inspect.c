/* inspect.c: limn inspect FILE...: weight files and pictures. */
#include "cli.h"
#include "file/target.h"
#include "inspect.h"
#include "pipeline/beside.h"

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

/* One of the networks that a published denoiser draws with. */
typedef struct part {
    const char *title, *unit, *flag, *place; /* in a folder of diffusers */
    const limn_family *family;        /* NULL: any autoencoder */
    limn_beside beside;
    int width;                        /* of its features, or channels of its latents; 0: it is not read */
    bool here, misfit, several;       /* in the file; its place has something else; beside it several files fit */
    char found[280];                  /* beside it, where: "text_encoder", "l.safetensors (--clip_l)"; "" */
} part;

enum { CLIP_L, CLIP_G, T5, CODER, N_PARTS };

/* Of published networks that draw together: which of them a file has, and what is beside it. */
typedef struct parts {
    const limn_fit *draws;
    bool text, coder;
    bool optional; /* of its text encoders one is enough */
    part part[N_PARTS];
} parts;

static const part no_parts[N_PARTS] = {
    [CLIP_L] = {.title = "a text encoder that makes features of", .unit = "numbers", .flag = "--clip_l",
                .place = "text_encoder", .family = &limn_family_clip_text, .beside = LIMN_BESIDE_TEXT_ENCODER},
    [CLIP_G] = {.title = "a text encoder that makes features of", .unit = "numbers", .flag = "--clip_g",
                .place = "text_encoder_2", .family = &limn_family_clip_text, .beside = LIMN_BESIDE_CLIP_G},
    [T5] = {.title = "a T5 that makes features of", .unit = "numbers", .flag = "--t5xxl", .place = "text_encoder_3",
            .family = &limn_family_t5_text, .beside = LIMN_BESIDE_T5},
    [CODER] = {.title = "an autoencoder of latents of", .unit = "channels", .flag = "--vae", .place = "vae",
               .beside = LIMN_BESIDE_AUTOENCODER}};

static bool is_lacking(const part *w)
{
    return w->width && !w->here && !*w->found;
}

/* The network, of any width for width 0. */
static bool has_network(const limn_inspected *it, const part *w, int width)
{
    for (int i = 0; i < it->n_fits; i++) {
        const limn_fit *fit = &it->fit[i];
        if (fit->source == LIMN_FIT_NONE) continue;
        if (w->family ? fit->settings.family != w->family : fit->settings.family->kind != LIMN_RECONSTRUCTS) continue;
        limn_interface net = limn_model_interface(&fit->settings);
        if (!width || (w->family ? net.text_width : net.latent) == width) return true;
    }
    return false;
}

/* Which text encoders are read, and how wide: as pipeline/texts.c opens them.  Stable Diffusion XL reads two, the second of
 * them as wide as the whole text; 3 reads three, whose CLIPs share the whole text 3 : 5; PixArt T5 alone. */
static void find_texts(const limn_settings *s, parts *p)
{
    limn_interface net = limn_model_interface(s);
    int all = net.text_width, whole = net.pooled_width;
    if (!all || net.reads_ids) return;
    p->optional = s->family == &limn_family_mmdit && whole;
    if (p->optional) {
        p->part[CLIP_L].width = whole * 3 / 8, p->part[CLIP_G].width = whole - whole * 3 / 8, p->part[T5].width = all;
    } else if (s->family == &limn_family_pixart) p->part[T5].width = all, p->part[T5].place = "text_encoder";
    else if (net.sizes) p->part[CLIP_L].width = all > whole ? all - whole : 0, p->part[CLIP_G].width = whole;
    else p->part[CLIP_L].width = all;
}

static bool is_beside(limn_ctx *ctx, const char *path, const part *w)
{
    limn_inspected *it = NULL;
    bool there = limn_inspected_open(ctx, path, &it) == LIMN_OK && has_network(it, w, w->width);
    limn_inspected_close(it);
    return there;
}

/* What is missing is looked for in the folder; beside a file of a network that reads T5, which are published in pieces, as
 * limn generate looks for it. */
static void look_beside(limn_ctx *ctx, const char *source, parts *p)
{
    char path[1100], name[256];
    bool folder = limn_path_is_folder(source), file = !folder && p->part[T5].width;
    for (int i = 0; i < N_PARTS && strlen(source) <= 1000; i++) {
        part *w = &p->part[i];
        if (!is_lacking(w)) continue;
        snprintf(path, sizeof path, "%s/%s", source, w->place);
        limn_status status = !file ? LIMN_NOT_FOUND : limn_beside_find(ctx, source, w->beside, w->width, path);
        w->several = status == LIMN_BAD_ARGUMENT;
        const char *last = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        if (status == LIMN_OK)
            snprintf(w->found, sizeof w->found, "%s (%s)", limn_escape(last, strlen(last), name, sizeof name), w->flag);
        if (!folder || access(path, F_OK) != 0) continue;
        if (is_beside(ctx, path, w)) snprintf(w->found, sizeof w->found, "%s", w->place);
        else w->misfit = true;
    }
}

static parts parts_of(const limn_inspected *it)
{
    parts p = {0};
    memcpy(p.part, no_parts, sizeof no_parts);
    for (int i = 0; i < it->n_fits; i++) {
        const limn_fit *fit = &it->fit[i];
        if (fit->source == LIMN_FIT_NONE || fit->source == LIMN_FIT_METADATA) continue;
        p.text = p.text || fit->settings.family->kind == LIMN_ENCODES_TEXT;
        p.coder = p.coder || fit->settings.family->kind == LIMN_RECONSTRUCTS;
        if (fit->settings.family->kind == LIMN_DENOISES) p.draws = fit;
    }
    if (!p.draws) return p;
    int channels = limn_model_interface(&p.draws->settings).channels;
    find_texts(&p.draws->settings, &p);
    p.part[CODER].width = channels > 3 ? channels : 0;
    bool one = p.part[CLIP_L].width && !p.part[CLIP_G].width; /* it is that of the file, whatever it is */
    for (int i = 0; i < N_PARTS; i++)
        p.part[i].here = has_network(it, &p.part[i], i == CODER || (one && i == CLIP_L) ? 0 : p.part[i].width);
    return p;
}

/* Of a text encoder alone: OpenCLIP's of Stable Diffusion XL makes a whole text, too. */
static const char *flag_of(const limn_inspected *it)
{
    for (int i = 0; i < it->n_fits; i++)
        if (it->fit[i].source != LIMN_FIT_NONE && it->fit[i].settings.family->kind == LIMN_ENCODES_TEXT) {
            limn_interface net = limn_model_interface(&it->fit[i].settings);
            if (it->fit[i].settings.family == &limn_family_t5_text) return "--t5xxl";
            return net.pooled_width && net.text_width != 768 && net.text_width != 1024 ? "--clip_g" : "--clip_l";
        }
    return "--clip_l";
}

static int count_texts(const parts *p, bool lacking)
{
    int n = 0;
    for (int i = 0; i < CODER; i++) n += p->part[i].width && is_lacking(&p->part[i]) == lacking;
    return n;
}

/* Of text encoders that it draws without, when another one is there. */
static bool is_optional(const parts *p, int i)
{
    return p->optional && i < CODER && count_texts(p, false);
}

/* What the file is a part of, and what it lacks. */
static void print_parts(const limn_inspected *it, const parts *p)
{
    if (!p->draws && p->text) printf("part      a text encoder: %s of limn generate\n", flag_of(it));
    if (!p->draws && p->coder) printf("part      an autoencoder: -m of limn encode and decode, --vae of limn generate\n");
    const char *missing = "missing";
    for (int i = 0; i < N_PARTS; i++) {
        const part *w = &p->part[i];
        if (!is_lacking(w)) continue;
        printf("%-10s%s %d %s (%s)%s", missing, w->title, w->width, w->unit, w->flag,
               is_optional(p, i)            ? "; draws without"
               : p->optional && i < CODER ? "; one of the three is enough"
                                          : "");
        if (w->misfit) printf("; %s is there, and holds none", w->place);
        if (w->several) printf("; several files beside it fit, of which one must be named");
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

/* "; beside it: text_encoder, vae; missing: text encoders, autoencoder; draws without: --t5xxl" */
static void print_missing(const parts *p)
{
    const char *with = "; beside it: ", *without = "; draws without: ";
    int texts = is_optional(p, 0) ? 0 : count_texts(p, true);
    bool coder = is_lacking(&p->part[CODER]);
    for (int i = 0; i < N_PARTS; i++)
        if (*p->part[i].found) printf("%s%s", with, p->part[i].found), with = ", ";
    printf("%s%s%s%s", texts || coder ? "; missing: " : "", texts > 1 ? "text encoders" : texts ? "text encoder" : "",
           texts && coder ? ", " : "", coder ? "autoencoder" : "");
    for (int i = 0; i < CODER; i++)
        if (is_lacking(&p->part[i]) && is_optional(p, i)) printf("%s%s", without, p->part[i].flag), without = ", ";
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
    print_missing(p);
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
