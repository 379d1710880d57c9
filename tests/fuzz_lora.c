/* fuzz_lora.c: lines: "NAME ROWS COLUMNS ..." is a tensor of a file of differences, "=NAME ROWS ..." a parameter that they
 * may change, "#TEXT" what its metadata say of alpha.  A first byte of 255: the rest is a file as it is.  All of it is also
 * read as a prompt with tags. */
#include "text/lora_tags.h"
#include "weights/lora.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, MOST_NUMBERS = 1 << 16 };

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

typedef struct line {
    char name[300];
    limn_shape shape;
} line;

typedef struct input {
    line tensor[MOST], parameter[MOST];
    int n_tensors, n_parameters;
    char metadata[1024];
} input;

/* What JSON needs no escapes for. */
static void copy_plain(char *to, size_t room, const char *from, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n && k + 1 < room; i++)
        if (from[i] >= ' ' && from[i] < 127) to[k++] = from[i];
    to[k] = '\0';
}

static void read_line(const char *text, size_t n, line *out)
{
    char words[400], *at;
    copy_plain(words, sizeof words, text, n);
    at = strchr(words, ' ');
    copy_plain(out->name, sizeof out->name, words, at ? (size_t)(at - words) : strlen(words));
    for (char *c = out->name; *c; c++)
        if (*c == '"' || *c == '\\') *c = '_';
    int64_t all = 1;
    for (out->shape.rank = 0; at && *at && out->shape.rank < 6; out->shape.rank++) {
        int64_t size = strtol(at, &at, 10);
        if (size < 0 || size > MOST_NUMBERS || all * size > MOST_NUMBERS) break;
        all *= out->shape.dim[out->shape.rank] = size;
        at += strcspn(at, " ");
    }
}

static void read_lines(const char *text, size_t n, input *in)
{
    for (size_t at = 0, k; at < n; at += k + 1) {
        const char *begin = text + at, *end = memchr(begin, '\n', n - at);
        k = end ? (size_t)(end - begin) : n - at;
        if (k && *begin == '#') copy_plain(in->metadata, sizeof in->metadata, begin + 1, k - 1);
        else if (k && *begin == '=' && in->n_parameters < MOST)
            read_line(begin + 1, k - 1, &in->parameter[in->n_parameters++]);
        else if (k && in->n_tensors < MOST) read_line(begin, k, &in->tensor[in->n_tensors++]);
    }
}

/* safetensors: a header, then numbers near 0, all the same where the rank is 0. */
static unsigned char *make_file(const input *in, size_t *n)
{
    size_t room = 8 + 2200 + MOST * 500, data = 0, at = 8;
    char *header = malloc(room), shape[128];
    at += (size_t)snprintf(header + at, room - at, "{\"__metadata__\":{\"lora_adapter_metadata\":\"");
    for (const char *c = in->metadata; *c; c++) {
        if (*c == '"' || *c == '\\') header[at++] = '\\';
        header[at++] = *c;
    }
    at += (size_t)snprintf(header + at, room - at, "\"}");
    for (int i = 0; i < in->n_tensors; i++) {
        const limn_shape *s = &in->tensor[i].shape;
        size_t bytes = 4 * (size_t)limn_shape_count(s);
        *shape = '\0';
        for (int k = 0; k < s->rank; k++)
            snprintf(shape + strlen(shape), sizeof shape - strlen(shape), k ? ",%d" : "%d", (int)s->dim[k]);
        at += (size_t)snprintf(header + at, room - at,
                               ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                               in->tensor[i].name, shape, data, data + bytes);
        data += bytes;
    }
    header[at++] = '}';
    *n = at + data;
    unsigned char *file = malloc(*n);
    memcpy(file, header, at);
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)((at - 8) >> 8 * i);
    for (size_t i = 0; i < data / 4; i++) memcpy(file + at + 4 * i, &(float){(float)((int)(i % 7) - 3) / 4}, 4);
    free(header);
    return file;
}

/* What fits by its shapes can be computed. */
static void apply(limn_ctx *ctx, const limn_lora *lora, const line *parameter)
{
    char flat[LIMN_LORA_NAME];
    bool bias;
    if (!limn_lora_flat(parameter->name, flat, &bias)) return;
    limn_wanted w = {.name = parameter->name, .shape = parameter->shape};
    for (int network = 0; network < LIMN_LORA_ANY; network++) {
        const limn_lora_module *m = limn_lora_find(lora, (limn_lora_network)network, flat);
        if (!m) continue;
        float *x = calloc((size_t)limn_shape_count(&w.shape) + 1, sizeof *x);
        limn_status fits = limn_lora_apply(ctx, lora, m, 1, &w, bias, NULL);
        require(fits == LIMN_OK || (fits == LIMN_BAD_FILE && *limn_error_text(ctx)));
        require(limn_lora_apply(ctx, lora, m, 0.5, &w, bias, x) == fits);
        free(x);
    }
}

/* @return false: a module is there under two names */
static bool respell(limn_ctx *ctx, limn_lora *lora)
{
    limn_lora_spelling s[] = {
        {.from = "input_blocks_1_1_proj_in", .to = "down_blocks_0_attentions_0_proj_in"},
        {.from = "c", .to = "a"},
        {.from = "d", .to = "d", .swapped = true},
        {.from = "b", .to = "conv_in", .piece = 1, .pieces = 2}};
    limn_status status = limn_lora_respell(ctx, lora, LIMN_LORA_DENOISER, sizeof s / sizeof *s, s);
    require(status == LIMN_OK || (status == LIMN_BAD_FILE && strstr(limn_error_text(ctx), "comes twice")));
    return status == LIMN_OK;
}

static void read_tags(limn_ctx *ctx, const char *text, size_t n)
{
    char *prompt = malloc(n + 1), *left;
    memcpy(prompt, text, n);
    prompt[n] = '\0';
    limn_lora_tag tag;
    bool found = true;
    for (size_t at = 0; found && at <= strlen(prompt);)
        if (limn_lora_tag_next(ctx, prompt, &at, &tag, &found) != LIMN_OK) break;
    left = limn_lora_tags_remove(prompt);
    require(left && strlen(left) <= strlen(prompt));
    free(left);
    free(prompt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!n) return 0;
    limn_ctx *ctx = limn_ctx_new();
    input *in = calloc(1, sizeof *in);
    limn_lora *lora = NULL;
    bool whole = data[0] == 255;
    size_t all = n - 1;
    if (!whole) read_lines((const char *)data, n, in);
    unsigned char *file = whole ? malloc(all + !all) : make_file(in, &all);
    if (whole) memcpy(file, data + 1, all);
    limn_status status = limn_lora_parse(ctx, "fuzz", file, all, &lora);
    require(status == LIMN_OK ? lora != NULL : status == LIMN_BAD_FILE && !lora && *limn_error_text(ctx));
    if (lora && !respell(ctx, lora)) limn_lora_free(lora), lora = NULL;
    for (size_t i = 0; lora && i < limn_lora_count(lora); i++) {
        const limn_lora_module *m = limn_lora_get(lora, i);
        const limn_lora_module *found = limn_lora_find(lora, m->network, m->name);
        while (found && found != m) found = limn_lora_next(lora, found);
        require(isfinite(m->scale) && found);
    }
    for (int i = 0; lora && i < in->n_parameters; i++) apply(ctx, lora, &in->parameter[i]);
    read_tags(ctx, (const char *)data, n);
    limn_lora_free(lora);
    limn_ctx_free(ctx);
    free(file);
    free(in);
    return 0;
}
