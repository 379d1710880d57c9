/* lora.c: a file of differences: its modules, and how much each counts. */
#include "weights/lora.h"

#include "base/base.h"
#include "file/json_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_LIMIT = 1 << 20, MOST_RANK = 1 << 16 };

struct limn_lora {
    limn_weight_file *st;
    char *path;
    limn_arena *arena; /* names */
    limn_lora_module *module;
    size_t n;
};

/* ---- scales ----------------------------------------------------------------------------------------------------------- */

/* Where a file of diffusers or PEFT keeps what kohya's have as tensors.  0: nothing says. */
typedef struct adapter {
    double alpha;
    bool root; /* divided by the root of the rank (Kalajdzievski 2023) */
    const json_t *own; /* {"to_q": 8}: alphas of modules whose names end so; ranks of modules are their tensors' */
} adapter;

static double number_of(const json_t *object, const char *prefix, const char *key)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : json_is_true(value);
}

static adapter adapter_of(const json_t *object, const char *prefix)
{
    char name[64];
    snprintf(name, sizeof name, "%salpha_pattern", prefix);
    return (adapter){.alpha = number_of(object, prefix, "lora_alpha"),
                     .root = number_of(object, prefix, "use_rslora") != 0,
                     .own = json_object_get(object, name)};
}

/* "down.0.attn.to_q" of "unet.down.0.attn.to_q.lora_B.weight".  @return its length */
static size_t module_path(const char *tensor, const char **path)
{
    static const char *const before[] = {"base_model.model.", "unet.", "transformer.", "text_encoder.", "text_encoder_2.",
                                         "text_encoder_3."};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (strncmp(tensor, before[i], strlen(before[i])) == 0) tensor += strlen(before[i]);
    const char *end = strstr(tensor, ".lora");
    *path = tensor;
    return end ? (size_t)(end - tensor) : strlen(tensor);
}

/* As PEFT has it, (.*\.)?(pattern)$, for patterns that are parts of names; "^" asks for all of it.
 * @return 1: it matches; 0; -1: a regular expression beyond that */
static int matches(const char *pattern, const char *path, size_t n)
{
    char plain[LIMN_LORA_NAME];
    size_t m = 0;
    bool all = *pattern == '^';
    for (const char *p = pattern + all; *p; p++) {
        if (*p == '\\' && p[1] == '.') continue;
        if (strchr("()[]{}*+?|$\\^", *p) || m + 1 == sizeof plain) return -1;
        plain[m++] = *p;
    }
    if (m > n || strncmp(path + n - m, plain, m) != 0) return 0;
    return m == n || (!all && path[n - m - 1] == '.');
}

/* The alpha of one module where the file has several.  @return LIMN_UNSUPPORTED: which modules are meant is not read here */
static limn_status find_own(limn_ctx *ctx, const limn_lora *l, const limn_lora_module *m, adapter *a)
{
    const char *key, *path;
    json_t *value;
    if (!m->part[LIMN_LORA_UP]) return LIMN_OK;
    size_t n = module_path(m->part[LIMN_LORA_UP]->name, &path);
    json_object_foreach((json_t *)(uintptr_t)a->own, key, value) {
        char shown[LIMN_LORA_NAME];
        int found = matches(key, path, n);
        if (found < 0 || !json_is_number(value))
            return limn_fail(ctx, LIMN_UNSUPPORTED,
                             "%s: its alpha_pattern says \"%s\", expected the end of a module's name and a number", l->path,
                             limn_escape(key, strlen(key), shown, sizeof shown));
        if (found) return a->alpha = json_number_value(value), LIMN_OK; /* the first one counts */
    }
    return LIMN_OK;
}

/* The metadata of the file, else adapter_config.json beside it.  NULL: neither is there. */
static limn_status read_config(limn_ctx *ctx, const limn_lora *l, json_t **out)
{
    const char *text = limn_weight_file_metadata(l->st, "lora_adapter_metadata"), *slash = strrchr(l->path, '/');
    char beside[LIMN_LORA_NAME + 4096];
    json_error_t error;
    *out = text ? limn_json_parse(text, strlen(text), &error) : NULL;
    if (text && !*out)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: metadata lora_adapter_metadata is no JSON: %s", l->path, error.text);
    if (text) return LIMN_OK;
    snprintf(beside, sizeof beside, "%.*sadapter_config.json", slash ? (int)(slash - l->path) + 1 : 0, l->path);
    limn_status status = limn_json_read(ctx, beside, CONFIG_LIMIT, out);
    return status == LIMN_NOT_FOUND ? LIMN_OK : status;
}

static adapter find_adapter(const json_t *config, limn_lora_network network)
{
    static const char *const prefixes[LIMN_LORA_ANY + 1][3] = {[LIMN_LORA_DENOISER] = {"unet.", "transformer.", ""},
                                                               [LIMN_LORA_TEXT] = {"text_encoder.", "", ""},
                                                               [LIMN_LORA_TEXT_2] = {"text_encoder_2.", "", ""},
                                                               [LIMN_LORA_TEXT_3] = {"text_encoder_3.", "", ""},
                                                               [LIMN_LORA_ANY] = {"", "", ""}};
    for (int i = 0; i < 3; i++) {
        adapter a = adapter_of(config, prefixes[network][i]);
        if (a.alpha != 0) return a;
    }
    return (adapter){0};
}

/* Rank: rows of what is multiplied first; 0: the module is whole. */
static int64_t rank_of(const limn_lora_module *m)
{
    static const limn_lora_role inner[] = {LIMN_LORA_DOWN, LIMN_LORA_HADA_1B, LIMN_LORA_KRON_1B, LIMN_LORA_KRON_2B};
    for (int i = 0; i < 4; i++) {
        const limn_entry *e = m->part[inner[i]];
        if (e) return e->rank ? e->dim[0] : -1;
    }
    return 0;
}

static limn_status bad_module(limn_ctx *ctx, const limn_lora *l, const limn_lora_module *m, const char *says)
{
    char shown[LIMN_LORA_NAME];
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: module \"%s\" %s", l->path,
                     limn_escape(m->name, strlen(m->name), shown, sizeof shown), says);
}

static limn_status find_scale(limn_ctx *ctx, const limn_lora *l, limn_lora_module *m, const json_t *config)
{
    const limn_entry *e = m->part[LIMN_LORA_ALPHA];
    int64_t rank = rank_of(m);
    m->scale = 1;
    if (rank < 0 || (!rank && m->part[LIMN_LORA_DOWN])) return bad_module(ctx, l, m, "has a rank of 0");
    if (rank > MOST_RANK) return bad_module(ctx, l, m, "has a rank of more than 65536");
    if (!rank) return LIMN_OK;
    float alpha = 0;
    adapter a = find_adapter(config, m->network);
    if (e && (!e->usable || limn_entry_count(e) != 1)) return bad_module(ctx, l, m, "has an alpha that is no single number");
    limn_status status = e ? limn_weight_file_load(ctx, l->st, e, &alpha, LIMN_F32) : find_own(ctx, l, m, &a);
    if (status != LIMN_OK) return status;
    if (e)
        m->scale = (double)alpha / (double)rank;
    else if (a.alpha != 0)
        m->scale = a.alpha / (a.root ? sqrt((double)rank) : (double)rank);
    return fabs(m->scale) <= 1000 ? LIMN_OK : bad_module(ctx, l, m, "has an alpha of more than 1000 times its rank");
}

/* ---- modules ---------------------------------------------------------------------------------------------------------- */

static bool is_whole(const limn_lora_module *m)
{
    const limn_entry *const *p = m->part;
    bool up = p[LIMN_LORA_UP], down = p[LIMN_LORA_DOWN];
    bool hada = p[LIMN_LORA_HADA_1A] && p[LIMN_LORA_HADA_1B] && p[LIMN_LORA_HADA_2A] && p[LIMN_LORA_HADA_2B];
    bool one = p[LIMN_LORA_KRON_1] || (p[LIMN_LORA_KRON_1A] && p[LIMN_LORA_KRON_1B]);
    bool two = p[LIMN_LORA_KRON_2] || (p[LIMN_LORA_KRON_2A] && p[LIMN_LORA_KRON_2B]);
    if (up != down || (!hada && p[LIMN_LORA_HADA_1A]) || one != two || !p[LIMN_LORA_HADA_T1] != !p[LIMN_LORA_HADA_T2])
        return false;
    return up || hada || one || p[LIMN_LORA_DIFF] || p[LIMN_LORA_DIFF_BIAS] || p[LIMN_LORA_SET];
}

/* A tensor and what its name says. */
typedef struct named {
    limn_lora_network network;
    limn_lora_role role;
    const char *flat;
    const limn_entry *entry;
} named;

static int compare(limn_lora_network a, const char *x, limn_lora_network b, const char *y)
{
    return a != b ? (a > b) - (a < b) : strcmp(x, y);
}

static int by_module(const void *a, const void *b)
{
    const named *x = a, *y = b;
    return compare(x->network, x->flat, y->network, y->flat);
}

/* Tensors with names that mean nothing here are counted; those of a kind that is not read are refused. */
static limn_status read_names(limn_ctx *ctx, limn_lora *l, named *names, size_t *n)
{
    size_t strange = 0, all = limn_weight_file_count(l->st);
    const limn_entry *first = NULL;
    char flat[LIMN_LORA_NAME], shown[256];
    for (size_t i = 0; i < all; i++) {
        const limn_entry *e = limn_weight_file_get(l->st, i);
        named *to = &names[*n];
        const char *why = limn_lora_name(e->name, &to->network, &to->role, flat);
        limn_escape(e->name, strlen(e->name), shown, sizeof shown);
        if (why && strcmp(why, "is no part of a LoRA") != 0)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" %s", l->path, shown, why);
        if (why && !strange++) first = e;
        if (why) continue;
        if (!e->usable)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" is %s, which Limn does not compute with", l->path, shown,
                             e->type);
        to->entry = e, to->flat = limn_arena_strdup(l->arena, flat);
        if (!to->flat) return limn_fail_memory(ctx, sizeof flat, l->path);
        ++*n;
    }
    if (first) limn_escape(first->name, strlen(first->name), shown, sizeof shown);
    if (!*n)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: no LoRA: of its %zu tensors none has a name of one%s%s%s", l->path, all,
                         first ? " (\"" : "", first ? shown : "", first ? "\")" : "");
    if (first)
        limn_log(ctx, LIMN_LOG_WARN, "%s: %zu of its %zu tensors are no part of a LoRA, and are left out (\"%s\")", l->path,
                 strange, all, shown);
    return LIMN_OK;
}

static limn_status gather(limn_ctx *ctx, limn_lora *l, named *names, size_t n)
{
    l->module = calloc(n, sizeof *l->module);
    if (!l->module) return limn_fail_memory(ctx, n * sizeof *l->module, l->path);
    qsort(names, n, sizeof *names, by_module);
    for (size_t i = 0; i < n; i++) {
        if (!i || by_module(&names[i - 1], &names[i]) != 0)
            l->module[l->n++] = (limn_lora_module){.network = names[i].network, .name = names[i].flat};
        limn_lora_module *m = &l->module[l->n - 1];
        if (m->part[names[i].role]) return bad_module(ctx, l, m, "comes twice, under two spellings of its name");
        m->part[names[i].role] = names[i].entry;
    }
    return LIMN_OK;
}

static limn_status check(limn_ctx *ctx, limn_lora *l)
{
    json_t *config;
    limn_status status = read_config(ctx, l, &config);
    for (size_t i = 0; i < l->n && status == LIMN_OK; i++) {
        status =
            is_whole(&l->module[i]) ? LIMN_OK : bad_module(ctx, l, &l->module[i], "lacks a tensor of those it is made of");
        if (status == LIMN_OK) status = find_scale(ctx, l, &l->module[i], config);
    }
    json_decref(config);
    return status;
}

static limn_status read_modules(limn_ctx *ctx, limn_lora *l)
{
    size_t n = 0, all = limn_weight_file_count(l->st);
    named *names = malloc(all * sizeof *names + 1);
    limn_status status = names ? LIMN_OK : limn_fail_memory(ctx, all * sizeof *names, l->path);
    if (status == LIMN_OK) status = read_names(ctx, l, names, &n);
    if (status == LIMN_OK) status = gather(ctx, l, names, n);
    if (status == LIMN_OK) status = check(ctx, l);
    free(names);
    return status;
}

/* bytes NULL: those of the file. */
static limn_status open_or_parse(limn_ctx *ctx, const char *path, const unsigned char *bytes, size_t n, limn_lora **out)
{
    *out = NULL;
    limn_lora *l = calloc(1, sizeof *l);
    if (l) l->path = strdup(path), l->arena = limn_arena_new();
    if (!l || !l->path || !l->arena) {
        limn_lora_free(l);
        return limn_fail_memory(ctx, sizeof *l, path);
    }
    limn_status status = bytes ? limn_weight_file_parse(ctx, path, bytes, n, &l->st)
                               : limn_weight_file_open(ctx, path, &l->st);
    if (status == LIMN_OK) status = read_modules(ctx, l);
    if (status == LIMN_OK) *out = l;
    else limn_lora_free(l);
    return status;
}

limn_status limn_lora_open(limn_ctx *ctx, const char *path, limn_lora **out)
{
    return open_or_parse(ctx, path, NULL, 0, out);
}

limn_status limn_lora_parse(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, limn_lora **out)
{
    return open_or_parse(ctx, name, bytes, n, out);
}

void limn_lora_free(limn_lora *l)
{
    if (!l) return;
    limn_weight_file_close(l->st);
    limn_arena_free(l->arena);
    free(l->module);
    free(l->path);
    free(l);
}

static int by_name(const void *a, const void *b)
{
    const limn_lora_module *x = a, *y = b;
    int order = compare(x->network, x->name, y->network, y->name);
    return order ? order : x->piece - y->piece;
}

/* Rows of one parameter that both change. */
static bool meet(const limn_lora_module *x, const limn_lora_module *y)
{
    return !compare(x->network, x->name, y->network, y->name) && (x->piece == y->piece || x->pieces != y->pieces);
}

static limn_status sort_modules(limn_ctx *ctx, limn_lora *l)
{
    qsort(l->module, l->n, sizeof *l->module, by_name);
    for (size_t i = 1; i < l->n; i++)
        if (meet(&l->module[i - 1], &l->module[i]))
            return bad_module(ctx, l, &l->module[i], "comes twice, under two spellings of its name");
    return LIMN_OK;
}

static int by_from(const void *a, const void *b)
{
    return strcmp(((const limn_lora_spelling *)a)->from, ((const limn_lora_spelling *)b)->from);
}

limn_status limn_lora_respell(limn_ctx *ctx, limn_lora *l, limn_lora_network network, size_t n, limn_lora_spelling *s)
{
    if (!n) return LIMN_OK;
    qsort(s, n, sizeof *s, by_from);
    for (size_t i = 0; i < l->n; i++) {
        limn_lora_module *m = &l->module[i];
        limn_lora_spelling key;
        snprintf(key.from, sizeof key.from, "%s", m->name);
        const limn_lora_spelling *found = bsearch(&key, s, n, sizeof *s, by_from);
        if (!found || (m->network != network && m->network != LIMN_LORA_ANY)) continue;
        m->name = limn_arena_strdup(l->arena, found->to);
        m->piece = found->piece, m->pieces = found->pieces, m->swapped = found->swapped;
        if (!m->name) return limn_fail_memory(ctx, sizeof found->to, l->path);
    }
    return sort_modules(ctx, l);
}

limn_status limn_lora_assign(limn_ctx *ctx, limn_lora *l, limn_lora_network network, const bool *which)
{
    for (size_t i = 0; i < l->n; i++)
        if (which[i]) l->module[i].network = network;
    return sort_modules(ctx, l);
}

size_t limn_lora_count(const limn_lora *l) { return l->n; }

const limn_lora_module *limn_lora_get(const limn_lora *l, size_t i) { return &l->module[i]; }

static const limn_lora_module *find(const limn_lora *l, limn_lora_network network, const char *flat)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(network, flat, l->module[middle].network, l->module[middle].name) <= 0) high = middle;
        else low = middle + 1;
    }
    bool found = low < l->n && !compare(network, flat, l->module[low].network, l->module[low].name);
    return found ? &l->module[low] : NULL;
}

const limn_lora_module *limn_lora_find(const limn_lora *l, limn_lora_network network, const char *flat)
{
    const limn_lora_module *m = find(l, network, flat);
    return m ? m : find(l, LIMN_LORA_ANY, flat);
}

const limn_lora_module *limn_lora_next(const limn_lora *l, const limn_lora_module *m)
{
    const limn_lora_module *next = m + 1;
    bool same = next < l->module + l->n && !compare(m->network, m->name, next->network, next->name);
    return same ? next : NULL;
}

const char *limn_lora_path(const limn_lora *l) { return l->path; }

const limn_weight_file *limn_lora_tensors(const limn_lora *l) { return l->st; }

void limn_lora_reads(const limn_lora *l, limn_job_files *files) { limn_weight_file_reads(l->st, "the LoRA", files); }
