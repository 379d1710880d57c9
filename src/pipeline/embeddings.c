/* embeddings.c: see embeddings.h. */
#include "pipeline/embeddings.h"

#include "data/listing.h"
#include "pipeline/pipeline.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FILES = 1 << 16, MOST_TOKENS = 256 };

typedef struct embedding {
    const char *name, *file, *path; /* without its ending, with it, with its folder */
    const char *wrong;              /* why it is not for this model; NULL: it is */
    const float *vectors[LIMN_TEXT_ENCODERS]; /* [n, width] of each encoder */
    int32_t first;                  /* its ids, in the order of the files */
    int n;                          /* of each; 1 where it is wrong */
    const char *second;             /* the file with the vectors of the second encoder, where that is another one */
} embedding;

struct limn_embeddings {
    limn_arena *arena;
    embedding *of;
    size_t n;
    int n_widths, width[LIMN_TEXT_ENCODERS]; /* numbers of a vector, of each encoder */
    int most;                       /* vectors that a chunk has room for */
    limn_prompt_words words;
};

struct limn_embeddings *limn_embeddings_new(void) { return calloc(1, sizeof(struct limn_embeddings)); }

static void drop(struct limn_embeddings *e)
{
    limn_arena_free(e->arena);
    free(e->of);
    free((void *)(uintptr_t)e->words.word);
    *e = (struct limn_embeddings){0};
}

void limn_embeddings_free(struct limn_embeddings *e)
{
    if (e) drop(e);
    free(e);
}

bool limn_embeddings_any(const struct limn_embeddings *e) { return e && e->n; }

const limn_prompt_words *limn_embeddings_words(const struct limn_embeddings *e) { return e ? &e->words : NULL; }

void limn_embeddings_reads(const struct limn_embeddings *e, limn_job_files *files)
{
    for (size_t i = 0; i < e->n; i++) limn_job_reads(files, "the embedding", e->of[i].path);
}

/* ---- a file ----------------------------------------------------------------------------------------------------------- */

/* One file on its way in. */
typedef struct reader {
    limn_ctx *ctx;
    struct limn_embeddings *e;
    embedding *to;
    const char *tensor; /* its name in the file */
    const char *model;  /* for messages */
} reader;

static const char *shown(const char *text, char out[128]) { return limn_escape(text, strlen(text), out, 128); }

/* A1111's files, which hold an optimizer's tensors, too. */
static bool is_webuis(const limn_entry *e)
{
    static const char head[] = "string_to_param";
    return strncmp(e->name, head, sizeof head - 1) == 0;
}

/* What belongs to the words, not to a text encoder's output (OneTrainer). */
static bool is_of_words(const limn_entry *e, bool webui)
{
    size_t n = strlen(e->name);
    if (webui && !is_webuis(e)) return false;
    bool list = e->usable && (e->rank == 1 || e->rank == 2) && e->dim[e->rank - 1] > 1;
    return list && !(n > 4 && !strcmp(e->name + n - 4, "_out"));
}

static bool is_of_webui(const limn_weight_file *st)
{
    size_t i = 0, all = limn_weight_file_count(st);
    while (i < all && !is_webuis(limn_weight_file_get(st, i))) i++;
    return i < all;
}

/* Why no list of vectors is as wide as the words of encoder `which`; other: one of another width, or NULL. */
static void say_none(reader *r, const limn_weight_file *st, const limn_entry *other, int which)
{
    if (other)
        r->to->wrong = limn_arena_printf(r->e->arena, "%s: its vectors have %lld numbers, and the words of %s%s have %d: it "
                                         "was made for another kind of model", r->to->path,
                                         (long long)other->dim[other->rank - 1],
                                         which ? "the second text encoder of " : "", r->model, r->e->width[which]);
    else
        r->to->wrong = limn_arena_printf(r->e->arena, "%s: no embedding: of its %zu tensors none is a list of vectors",
                                         r->to->path, limn_weight_file_count(st));
}

/* The tensor that is as wide as the words of encoder `which`.  NULL, and to->wrong: there is none, or there are two. */
static const limn_entry *choose(reader *r, const limn_weight_file *st, int which)
{
    const limn_entry *found = NULL, *other = NULL;
    char a[128], b[128];
    bool webui = is_of_webui(st);
    for (size_t i = 0; i < limn_weight_file_count(st); i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        bool of_words = is_of_words(e, webui), fits = of_words && e->dim[e->rank - 1] == r->e->width[which];
        if (fits && found) {
            r->to->wrong = limn_arena_printf(r->e->arena, "%s: expected one list of vectors of %d numbers, found \"%s\" and "
                                             "\"%s\"", r->to->path, r->e->width[which], shown(found->name, a),
                                             shown(e->name, b));
            return NULL;
        }
        if (fits) found = e;
        else if (of_words && !other) other = e;
    }
    if (!found) say_none(r, st, other, which);
    return found;
}

/* As many for every encoder: they stand where one word does. */
static bool check_count(reader *r, int64_t n, int which)
{
    if (n < 1 || n > r->e->most)
        r->to->wrong = limn_arena_printf(r->e->arena, "%s: expected 1 to %d vectors, as many as a chunk of a text has "
                                         "tokens, found %lld", r->to->path, r->e->most, (long long)n);
    else if (which && n != r->to->n)
        r->to->wrong = limn_arena_printf(r->e->arena, "%s: expected as many vectors for both text encoders, found %d and "
                                         "%lld", r->to->path, r->to->n, (long long)n);
    else return true;
    return false;
}

static limn_status load(reader *r, const limn_weight_file *st, const limn_entry *t, int which)
{
    int64_t n = t->rank == 2 ? t->dim[0] : 1;
    size_t count = limn_entry_count(t);
    char a[128];
    if (!check_count(r, n, which)) return LIMN_OK;
    float *x = limn_arena_alloc(r->e->arena, count * sizeof *x);
    if (!x) return limn_fail_memory(r->ctx, count * sizeof *x, r->to->path);
    limn_status status = limn_weight_file_load(r->ctx, st, t, x, LIMN_F32);
    for (size_t i = 0; i < count && status == LIMN_OK; i++)
        if (!isfinite(x[i]))
            return r->to->wrong = limn_arena_printf(r->e->arena, "%s: tensor \"%s\" holds NaN or infinity, at number %zu",
                                                    r->to->path, shown(t->name, a), i), LIMN_OK;
    if (status != LIMN_OK) return status;
    r->to->vectors[which] = x, r->to->n = (int)n;
    if (!which) r->tensor = limn_arena_strdup(r->e->arena, t->name);
    return r->tensor ? LIMN_OK : limn_fail_memory(r->ctx, strlen(t->name), r->to->path);
}

/* diffusers' script for two text encoders writes two files, NAME_2 for the second one.  *st becomes that one, if it is
 * there and has vectors of the second encoder: *out. */
static limn_status turn_to_second(reader *r, limn_weight_file **st, const limn_entry **out)
{
    const char *path = r->to->path, *wrong = r->to->wrong;
    int stem = (int)(strlen(path) - strlen(r->to->file) + strlen(r->to->name));
    const char *second = limn_arena_printf(r->e->arena, "%.*s_2%s", stem, path, path + stem);
    limn_weight_file *other;
    if (!second) return limn_fail_memory(r->ctx, strlen(path), path);
    if (access(second, R_OK) != 0 || limn_weight_file_open(r->ctx, second, &other) != LIMN_OK) return LIMN_OK;
    *out = choose(r, other, 1);
    r->to->wrong = *out ? NULL : wrong;
    limn_weight_file_close(*out ? *st : other);
    if (*out) *st = other, r->to->second = second;
    return LIMN_OK;
}

/* The vectors of one encoder. */
static limn_status read_vectors(reader *r, limn_weight_file **st, int which)
{
    const limn_entry *tensor = choose(r, *st, which);
    limn_status status = tensor || !which ? LIMN_OK : turn_to_second(r, st, &tensor);
    return tensor ? load(r, *st, tensor, which) : status;
}

/* Whatever is wrong with it is said when a prompt names it. */
static limn_status read_file(reader *r)
{
    limn_weight_file *st;
    limn_status status = limn_weight_file_open(r->ctx, r->to->path, &st);
    for (int i = 0; i < r->e->n_widths && status == LIMN_OK && (!i || r->to->vectors[i - 1]); i++)
        status = read_vectors(r, &st, i);
    limn_weight_file_close(st);
    if (status == LIMN_NO_MEMORY) return status;
    if (status != LIMN_OK) r->to->wrong = limn_arena_strdup(r->e->arena, limn_error_text(r->ctx));
    if (r->to->wrong) r->to->n = 1;
    return r->to->vectors[r->e->n_widths - 1] || r->to->wrong ? LIMN_OK : limn_fail_memory(r->ctx, 1 << 12, r->to->path);
}

/* ---- a folder --------------------------------------------------------------------------------------------------------- */

static limn_status list(limn_ctx *ctx, const char *folder, limn_names *out)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    bool good = true;
    if (!dir) return limn_fail(ctx, LIMN_NOT_FOUND, "%s: no such folder, in which embeddings would be", folder);
    while (good && (entry = readdir(dir)) && out->n <= MOST_FILES)
        if (entry->d_name[0] != '.' && entry->d_name[limn_weight_stem(entry->d_name)])
            good = limn_names_add(out, entry->d_name);
    closedir(dir);
    if (!good) return limn_fail_memory(ctx, 1 << 12, folder);
    if (out->n > MOST_FILES)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: expected at most %d embeddings", folder, MOST_FILES);
    if (!out->n)
        return limn_fail(ctx, LIMN_NOT_FOUND, "%s: no embeddings are there: files that end in .safetensors, .pt or .bin",
                         folder);
    limn_names_sort(out);
    return LIMN_OK;
}

static limn_status name_word(reader *r, const limn_clip_bpe *bpe, limn_clip_encoder *encoder, limn_prompt_word *word)
{
    int32_t ids[MOST_TOKENS];
    bool cut = false;
    int n = limn_clip_tokens(encoder, r->to->name, strlen(r->to->name), MOST_TOKENS, ids, &cut);
    size_t bytes = (size_t)n * sizeof *ids, tensor = r->tensor ? strlen(r->tensor) : 0;
    int32_t *kept = limn_arena_alloc(r->e->arena, bytes + 1);
    if (!kept) return limn_fail_memory(r->ctx, bytes, r->to->path);
    memcpy(kept, ids, bytes);
    bool token = tensor > 2 && r->tensor[0] == '<' && r->tensor[tensor - 1] == '>';
    r->to->first = r->to == r->e->of ? limn_clip_bpe_vocab(bpe) : r->to[-1].first + r->to[-1].n;
    *word = (limn_prompt_word){.name = r->to->name, .file = r->to->file, .token = token ? r->tensor : NULL, .ids = kept,
                               .n_ids = cut ? 0 : n, .first = r->to->first, .n = r->to->n,
                               .misfit = r->to->wrong != NULL};
    return LIMN_OK;
}

static limn_status read_one(reader *r, const char *folder, const char *file)
{
    r->tensor = NULL;
    r->to->file = limn_arena_strdup(r->e->arena, file);
    r->to->path = limn_arena_printf(r->e->arena, "%s/%s", folder, file);
    r->to->name = limn_arena_printf(r->e->arena, "%.*s", (int)limn_weight_stem(file), file);
    if (!r->to->file || !r->to->path || !r->to->name) return limn_fail_memory(r->ctx, strlen(file), folder);
    return read_file(r);
}

static limn_status read_all(limn_pipeline *p, struct limn_embeddings *e, const char *folder, const limn_names *names)
{
    limn_prompt_word *word = calloc(names->n, sizeof *word);
    reader r = {.ctx = p->ctx, .e = e, .model = p->name};
    limn_clip_encoder *encoder = limn_clip_encoder_new(p->bpe);
    e->words.word = word;
    for (int i = 0; i < p->n_texts && !p->text[i].whole; i++) { /* T5 has none */
        e->n_widths++;
        limn_interface text = limn_model_interface(&p->text[i].settings);
        e->width[i] = text.text_width;
        if (!i || text.text_length - 2 < e->most) e->most = text.text_length - 2;
    }
    e->arena = limn_arena_new(), e->of = calloc(names->n, sizeof *e->of);
    if (e->arena) e->words.folder = limn_arena_strdup(e->arena, folder);
    limn_status status = word && encoder && e->of && e->arena && e->words.folder
                             ? LIMN_OK : limn_fail_memory(p->ctx, names->n * sizeof *word, folder);
    for (; e->n < names->n && status == LIMN_OK; e->n++) {
        r.to = &e->of[e->n];
        status = read_one(&r, folder, names->name[e->n]);
        if (status == LIMN_OK) status = name_word(&r, p->bpe, encoder, &word[e->n]);
    }
    limn_clip_encoder_free(encoder);
    if (status != LIMN_OK) return status;
    e->words.n = e->n;
    limn_prompt_words_sort(word, e->n);
    return LIMN_OK;
}

/* Is the file the second one of another? */
static bool is_second(const struct limn_embeddings *e, const embedding *is)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->of[i].second && !strcmp(e->of[i].second, is->path)) return true;
    return false;
}

static limn_status tell(limn_pipeline *p, const struct limn_embeddings *e)
{
    size_t fit = 0, n = e->n;
    const char *first = NULL;
    for (size_t i = 0; i < e->n; i++) {
        bool second = e->of[i].wrong && is_second(e, &e->of[i]);
        fit += !e->of[i].wrong, n -= second;
        if (e->of[i].wrong && !second && !first) first = e->of[i].wrong;
    }
    if (!fit)
        return limn_fail(p->ctx, LIMN_BAD_FILE, "%s: of its %zu files none is an embedding for %s: %s", e->words.folder,
                         e->n, p->name, first);
    if (first)
        limn_log(p->ctx, LIMN_LOG_WARN, "%s: %zu of its %zu embeddings are for this model; the first that is not: %s",
                 e->words.folder, fit, n, first);
    else limn_log(p->ctx, LIMN_LOG_INFO, "%s: all its %zu embeddings are for this model", e->words.folder, n);
    return LIMN_OK;
}

/* Words mean other vectors from now on: what was encoded is encoded anew. */
static limn_status begin(limn_pipeline *p)
{
    limn_recipe_part *text;
    limn_status status = limn_pipeline_check_idle(p);
    if (status != LIMN_OK) return status;
    if (p->shares)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s: a pipeline that shares another one's weights has its embeddings, "
                         "too, and cannot change them", p->name);
    if (!p->n_texts)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "embeddings are words for a text encoder of its own, which %s has not",
                         p->name);
    limn_job_end(&p->reader.job);
    for (int i = 0; (text = limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, i)) && status == LIMN_OK; i++) {
        limn_job_end(&text->job);
        text->changed = true;
        status = limn_net_renew(p->ctx, text->net);
    }
    return status;
}

limn_status limn_pipeline_set_embeddings(limn_pipeline *p, const char *folder)
{
    struct limn_embeddings *e = p->embeddings;
    limn_names names = {0};
    if (!folder && !e->n) return LIMN_OK;
    limn_status status = begin(p);
    if (status != LIMN_OK) return status;
    drop(e);
    if (!folder) return LIMN_OK;
    status = list(p->ctx, folder, &names);
    if (status == LIMN_OK) status = read_all(p, e, folder, &names);
    if (status == LIMN_OK) status = tell(p, e);
    limn_names_free(&names);
    if (status != LIMN_OK) drop(e);
    return status;
}

/* ---- texts ------------------------------------------------------------------------------------------------------------ */

/* NULL: the id is a token's. */
static const embedding *of_id(const struct limn_embeddings *e, int32_t id)
{
    size_t low = 0, high = e ? e->n : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (e->of[middle].first <= id) low = middle + 1;
        else high = middle;
    }
    return low ? &e->of[low - 1] : NULL;
}

/* The file of another word that fits and is the same to this style; NULL: there is none. */
static const char *twin_of(const struct limn_embeddings *e, limn_prompt_style style, const embedding *is)
{
    const limn_prompt_word *word = e->words.word, *w = word;
    while (w->first != is->first) w++;
    for (const limn_prompt_word *v = word; v < word + e->n; v++) {
        bool named = !strcmp(v->name, w->name), alike = w->n_ids && v->n_ids == w->n_ids;
        alike = alike && !memcmp(v->ids, w->ids, (size_t)w->n_ids * sizeof *w->ids);
        if (v != w && !v->misfit && (named || (alike && style != LIMN_PROMPT_COMFY))) return v->file;
    }
    return NULL;
}

limn_status limn_embeddings_check(limn_ctx *ctx, const struct limn_embeddings *e, limn_prompt_style style,
                                  const limn_prompt *text)
{
    size_t n = (size_t)text->n_chunks * (size_t)text->context;
    for (size_t i = 0; limn_embeddings_any(e) && i < n; i++) {
        const embedding *is = of_id(e, text->ids[i]);
        if (!is || text->ids[i] != is->first) continue; /* the first of its vectors is enough */
        if (is->wrong) return limn_fail(ctx, LIMN_BAD_FILE, "%s", is->wrong);
        const char *twin = twin_of(e, style, is);
        if (twin)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: one word of a prompt stands for \"%s\" and for \"%s\": take one of "
                             "them away", e->words.folder, is->file, twin);
    }
    return LIMN_OK;
}

/* A word's id is any, what is kept of it nothing. */
limn_status limn_embeddings_write(limn_ctx *ctx, limn_recipe_part *part, const int32_t *ids, size_t n)
{
    const struct limn_embeddings *e = part->embeddings;
    if (!limn_port_node(part->job.ports, LIMN_PORT_VECTORS)) return limn_recipe_write(part, LIMN_PORT_IDS, LIMN_I32, ids);
    size_t width = (size_t)e->width[part->encoder];
    int32_t *tokens = malloc(n * sizeof *tokens);
    float *kept = malloc(n * sizeof *kept), *vectors = calloc(n * width, sizeof *vectors);
    bool room = tokens && kept && vectors;
    limn_status status = room ? LIMN_OK : limn_fail_memory(ctx, n * width * sizeof *vectors, "a prompt");
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        const embedding *is = of_id(e, ids[i]);
        tokens[i] = is ? 0 : ids[i], kept[i] = is ? 0 : 1;
        if (is && !is->wrong)
            memcpy(vectors + i * width, is->vectors[part->encoder] + (size_t)(ids[i] - is->first) * width,
                   width * sizeof *vectors);
    }
    if (status == LIMN_OK) status = limn_recipe_write(part, LIMN_PORT_IDS, LIMN_I32, tokens);
    if (status == LIMN_OK) status = limn_recipe_write(part, LIMN_PORT_KEPT, LIMN_F32, kept);
    if (status == LIMN_OK) status = limn_recipe_write(part, LIMN_PORT_VECTORS, LIMN_F32, vectors);
    free(tokens);
    free(kept);
    free(vectors);
    return status;
}

/* ---- what a picture's text says --------------------------------------------------------------------------------------- */

/* r = 281 r ^ 997 trunc(100 x) of all numbers, modulo 2^32; the last four digits are shown.  Of several encoders those of
 * one behind those of the other: A1111 shows none. */
static void write_checksum(const struct limn_embeddings *e, const embedding *is, char out[8])
{
    uint32_t r = 0;
    for (int k = 0; k < e->n_widths && !is->wrong; k++)
        for (int i = 0; i < is->n * e->width[k]; i++) {
            float x = is->vectors[k][i] * 100;
            r = r * 281u ^ (isfinite(x) ? (uint32_t)(int64_t)fmod(trunc((double)x), 4294967296.0) : 0) * 997u;
        }
    snprintf(out, 8, "%04x", (unsigned)(r & 0xffff));
}

static bool names(const limn_prompt *text, int32_t id)
{
    size_t n = (size_t)text->n_chunks * (size_t)text->context, i = 0;
    while (i < n && text->ids[i] != id) i++;
    return i < n;
}

void limn_embeddings_tell(const struct limn_embeddings *e, int n_texts, const limn_prompt *texts, limn_text *out)
{
    char checksum[8];
    for (size_t i = 0; e && i < e->n; i++) {
        bool used = false;
        for (int k = 0; k < n_texts; k++) used |= names(&texts[k], e->of[i].first);
        if (!used) continue;
        write_checksum(e, &e->of[i], checksum);
        limn_text_printf(out, "%s%s [%s]", out->n ? ", " : "", e->of[i].name, checksum);
    }
}

bool limn_embeddings_find(const struct limn_embeddings *e, const char *name, char checksum[8])
{
    for (size_t i = 0; e && i < e->n; i++)
        if (!strcmp(e->of[i].name, name) && !e->of[i].wrong) return write_checksum(e, &e->of[i], checksum), true;
    return false;
}
