/* convert.c: which tensors a file in another type or under other names has, and writing it. */
#include "pipeline/convert.h"

#include "base/number.h"
#include "file/job_files.h"
#include "file/target.h"
#include "pipeline/convert_networks.h"

#include <stdlib.h>
#include <string.h>

/* ---- tensors ---------------------------------------------------------------------------------------------------------- */

static limn_status add(limn_conversion *c, const limn_weight_file *st, const limn_map_tensor *t)
{
    if (c->n == c->capacity) {
        size_t more = c->capacity ? 2 * c->capacity : 256;
        limn_tensor_out *out = realloc(c->out, more * sizeof *out);
        if (out) c->out = out;
        limn_convert_tensor *tensor = out ? realloc(c->tensor, more * sizeof *tensor) : NULL;
        if (!tensor) return limn_fail_memory(c->ctx, more * sizeof *tensor, "a list of tensors");
        c->tensor = tensor, c->capacity = more;
    }
    char *name = limn_arena_strdup(c->arena, t->name);
    limn_map_piece *piece = limn_arena_alloc(c->arena, (size_t)t->n * sizeof *piece + 1);
    if (!name || !piece) return limn_fail_memory(c->ctx, sizeof *piece, "a list of tensors");
    memcpy(piece, t->piece, (size_t)t->n * sizeof *piece);
    limn_tensor_out *out = &c->out[c->n];
    *out = (limn_tensor_out){.name = name, .rank = (int8_t)t->rank};
    memcpy(out->dim, t->dim, sizeof out->dim);
    c->tensor[c->n++] = (limn_convert_tensor){.n = t->n, .piece = piece, .st = st, .table = t->table, .turned = t->turned};
    return limn_convert_decide(c);
}

/* Numbers that the weights are multiplied by when they are read. */
static bool is_scale(const limn_weight_file *st, const limn_entry *e)
{
    static const char *const ends[] = {".scale_weight", ".weight_scale"};
    char name[LIMN_MAP_NAME];
    if (!strcmp(e->name, "scaled_fp8")) return true;
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(e->name), k = strlen(ends[i]);
        if (n <= k || n >= sizeof name - 8 || !limn_ends_in(e->name, n, ends[i])) continue;
        snprintf(name, sizeof name, "%.*s.weight", (int)(n - k), e->name);
        const limn_entry *weight = limn_weight_file_find(st, name);
        return weight && weight->scale != 0;
    }
    return false;
}

/* Names as they are: every tensor, whatever it is. */
static limn_status add_all(limn_conversion *c, const char *file, const limn_weight_file *st)
{
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < limn_weight_file_count(st) && status == LIMN_OK; i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        char shown[256];
        limn_map_tensor t = {.rank = e->rank, .n = 1, .piece = {{e, 0, limn_entry_count(e)}}};
        memcpy(t.dim, e->dim, sizeof t.dim);
        limn_escape(e->name, strlen(e->name), shown, sizeof shown);
        if (is_scale(st, e)) continue;
        if (!e->usable)
            return limn_fail(c->ctx, LIMN_UNSUPPORTED, "%s: tensor \"%s\" is %s, which Limn does not read", file, shown,
                             e->type);
        if (snprintf(t.name, sizeof t.name, "%s", e->name) >= (int)sizeof t.name)
            return limn_fail(c->ctx, LIMN_UNSUPPORTED, "%s: tensor \"%s\" has a name of more than %d bytes", file, shown,
                             LIMN_MAP_NAME - 1);
        status = add(c, st, &t);
    }
    return status;
}

typedef struct adding {
    limn_conversion *c;
    const limn_weight_file *st;
} adding;

static limn_status put(void *user, const limn_map_tensor *t)
{
    adding *a = user;
    return add(a->c, a->st, t);
}

static limn_status add_networks(limn_conversion *c, const limn_convert_sources *s)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < s->n; i++) {
        const limn_convert_network *net = &s->network[i];
        adding a = {c, net->st};
        for (int k = 0; k < net->graph->n_parameters && status == LIMN_OK; k++)
            status = limn_map_write(c->ctx, &net->from, net->file, net->st, &net->to, net->graph->parameters[k], put, &a);
        if (status != LIMN_OK) return status;
        bool other = net->to.dialect->family == &limn_family_dit && net->to.dialect != net->from.dialect;
        limn_log(c->ctx, LIMN_LOG_INFO, "%s: %s, as %s%s", net->file, net->from.dialect->title, net->to.dialect->title,
                 other ? ", and so drawn with other frequencies of timesteps (diffusers', its authors')" : "");
    }
    return status;
}

static int by_address(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    return (x > y) - (x < y);
}

/* What of the file is not in the result: tensors of no network, or of one that was not asked for, other sets of weights. */
static limn_status tell_left_out(const limn_conversion *c, const limn_convert_sources *s)
{
    size_t all = 0, n = 0, used = 0;
    const char **e = malloc((c->n * LIMN_MAP_PIECES + 1) * sizeof *e);
    if (!e) return limn_fail_memory(c->ctx, c->n * sizeof *e, "a list of tensors");
    for (int i = 0; i < s->n_files; i++) all += limn_weight_file_count(s->whole[i]);
    for (size_t i = 0; i < c->n; i++)
        for (int k = 0; k < c->tensor[i].n; k++) e[n++] = (const char *)c->tensor[i].piece[k].e;
    if (n) qsort(e, n, sizeof *e, by_address);
    for (size_t i = 0; i < n; i++) used += i == 0 || e[i] != e[i - 1];
    free(e);
    if (all > used)
        limn_log(c->ctx, LIMN_LOG_INFO, "left out: %zu of %zu tensors, which are no weights of %s", all - used, all,
                 s->n > 1 ? "these networks" : "this network");
    return LIMN_OK;
}

/* ---- metadata --------------------------------------------------------------------------------------------------------- */

typedef const char *pair[2];

static bool keeps_settings(const limn_convert_sources *s)
{
    return !s->n || (s->n == 1 && s->network[0].from.dialect == s->network[0].to.dialect);
}

/* Those of the first file, but for what the names no longer fit.  Readers of safetensors want to know whose layout it is. */
static limn_status copy_metadata(const limn_conversion *c, const limn_convert_sources *s, pair **out, size_t *n)
{
    const char *key, *value;
    size_t room = 1;
    const limn_weight_file *st = s->whole[0];
    for (const void *at = NULL; (at = limn_weight_file_metadata_next(st, at, &key, &value)) != NULL;) room++;
    *n = 0;
    if (!(*out = malloc(room * sizeof **out))) return limn_fail_memory(c->ctx, room * sizeof **out, "metadata");
    for (const void *at = NULL; (at = limn_weight_file_metadata_next(st, at, &key, &value)) != NULL;) {
        if (!keeps_settings(s) && !strcmp(key, "limn.settings")) continue;
        (*out)[*n][0] = key, (*out)[(*n)++][1] = value;
    }
    if (!c->gguf && !limn_weight_file_metadata(st, "format")) (*out)[*n][0] = "format", (*out)[(*n)++][1] = "pt";
    return LIMN_OK;
}

/* ---- the job ---------------------------------------------------------------------------------------------------------- */

static limn_status find_type(limn_ctx *ctx, const char *word, limn_dtype *out)
{
    limn_text known = {0};
    *out = LIMN_N_DTYPES;
    for (int i = 0; i < LIMN_N_DTYPES && word; i++) {
        const limn_dtype_row *row = limn_dtype_row_of((limn_dtype)i);
        bool can = row->block > 1 || i == LIMN_F32 || i == LIMN_F16 || i == LIMN_BF16;
        if (!can) continue;
        if (limn_same_word(row->name, strlen(row->name), word, strlen(word))) *out = (limn_dtype)i;
        limn_text_printf(&known, "%s%s", known.n ? ", " : "", row->name);
    }
    limn_status status = LIMN_OK;
    if (word && *out == LIMN_N_DTYPES)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "--type is one of %s, found \"%.100s\"", known.bytes ? known.bytes : "",
                           word);
    limn_text_free(&known);
    return status;
}

static limn_status find_format(limn_ctx *ctx, const char *out, const char *format, bool *gguf)
{
    *gguf = format ? !strcmp(format, "gguf") : limn_path_ends_in(out, ".gguf");
    if (format && !*gguf && strcmp(format, "safetensors"))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--format is one of safetensors, gguf, found \"%s\"", format);
    if (!format) return limn_target_check(ctx, "the result", out, ".safetensors|.sft|.gguf");
    if (limn_path_is_folder(out)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is a folder, expected a file", out);
    return limn_target_folder_check(ctx, "the result", out);
}

static limn_status check_files(limn_ctx *ctx, const limn_convert_sources *s, const char *out)
{
    limn_job_files files = {0};
    for (int i = 0; i < s->n_files; i++) {
        limn_job_reads(&files, "the weights that are converted", s->file[i]);
        limn_weight_file_reads(s->whole[i], "the weights that are converted", &files);
    }
    limn_job_writes(&files, out);
    return limn_job_files_check(ctx, &files);
}

static limn_status write_file(limn_conversion *c, const limn_convert_sources *s, const char *out)
{
    pair *metadata;
    limn_weight_list list = {.n = c->n, .tensor = c->out, .read = limn_convert_read, .user = c};
    limn_status status = copy_metadata(c, s, &metadata, &list.n_metadata);
    list.metadata = (const char *const(*)[2])metadata;
    c->x = limn_alloc_aligned(LIMN_OUT_ELEMENTS * sizeof *c->x);
    c->bytes = limn_alloc_aligned(LIMN_OUT_ELEMENTS * sizeof(double));
    if (status == LIMN_OK && (!c->x || !c->bytes)) status = limn_fail_memory(c->ctx, LIMN_OUT_ELEMENTS * 12, "a piece");
    if (status == LIMN_OK)
        status = c->gguf ? limn_gguf_write_list(c->ctx, out, &list) : limn_safetensors_write_list(c->ctx, out, &list);
    limn_free_aligned(c->x);
    limn_free_aligned(c->bytes);
    free(metadata);
    return status;
}

static limn_status convert(limn_conversion *c, limn_convert_sources *s, const char *out, const limn_convert_options *o)
{
    bool names = o->dialect || o->part || s->n_files > 1;
    limn_naming naming;
    limn_status status = limn_convert_words(c->ctx, o->dialect, o->part, &naming);
    if (status == LIMN_OK) status = check_files(c->ctx, s, out);
    if (status == LIMN_OK && names) status = limn_convert_networks(c->ctx, s, naming, o->part);
    if (status == LIMN_OK) status = names ? add_networks(c, s) : add_all(c, s->file[0], s->whole[0]);
    if (status == LIMN_OK && names) status = tell_left_out(c, s);
    if (status != LIMN_OK) return status;
    limn_convert_tell(c);
    return write_file(c, s, out);
}

limn_status limn_convert_file(limn_ctx *ctx, const char *in, const char *out, const limn_convert_options *options)
{
    limn_conversion c = {.ctx = ctx, .arena = limn_arena_new()};
    limn_convert_sources *s = calloc(1, sizeof *s);
    limn_status status = s && c.arena ? LIMN_OK : limn_fail_memory(ctx, sizeof *s, "a conversion");
    if (status == LIMN_OK) status = find_type(ctx, options->type, &c.type);
    if (status == LIMN_OK) status = find_format(ctx, out, options->format, &c.gguf);
    if (status == LIMN_OK) status = limn_convert_open(ctx, in, s);
    if (status == LIMN_OK) status = convert(&c, s, out, options);
    if (s) limn_convert_close(s);
    free(s);
    free(c.out);
    free(c.tensor);
    limn_arena_free(c.arena);
    return status;
}
