/* make_lora.h: files of differences of rank 2 and alpha 1 for shrunken networks, with the numbers of oracle/sd_lora.py. */
#ifndef LIMN_MAKE_LORA_H
#define LIMN_MAKE_LORA_H

#include "make_published.h"

enum { LORA_RANK = 2, LORA_MOST = 1024 };

typedef struct lora_tensors {
    int n;
    char name[LORA_MOST][240];
    limn_named_view view[LORA_MOST];
} lora_tensors;

/* words end with NULL */
static inline bool lora_has_any(const char *name, const char *const *words)
{
    while (*words && !strstr(name, *words)) words++;
    return *words;
}

/* The modules that LCM's, TCD's, Hyper-SD's and Lightning's files change. */
static inline bool lora_is_few(const sd_tensor *t)
{
    static const char *const few[] = {".to_q.", ".to_k.", ".to_v.", ".to_out.0.", "proj_in.", "proj_out.", "ff.net.0.proj.",
                                      "ff.net.2.", ".conv1.", ".conv2.", "conv_shortcut.", "downsamplers.0.conv.",
                                      "upsamplers.0.conv.", "time_emb_proj.", NULL};
    return !strcmp(t->part, "unet") && strstr(t->name, ".weight") && lora_has_any(t->name, few);
}

/* A parameter's name without ".weight", behind `head`.  @return out */
static inline const char *lora_stem(const char *head, const char *name, bool flat, char out[200])
{
    snprintf(out, 200, "%s%.*s", head, (int)(strlen(name) - strlen(".weight")), name);
    for (char *p = out; flat && *p; p++)
        if (*p == '.') *p = '_';
    return out;
}

static inline void lora_add_tensor(lora_tensors *f, const char *numbers, const char *written, const char *key,
                                   const char *written_key, limn_shape shape, float scale)
{
    char name[240];
    int64_t n = limn_shape_count(&shape);
    float *x = malloc((size_t)n * sizeof *x);
    if (!x || f->n == LORA_MOST) abort();
    snprintf(name, sizeof name, "%s.%s", numbers, key);
    formula_fill(name, n, scale, x);
    if (!shape.rank) x[0] = 1; /* alpha */
    snprintf(f->name[f->n], sizeof *f->name, "%s.%s", written, written_key);
    f->view[f->n] = (limn_named_view){f->name[f->n], {LIMN_F32, shape, x}};
    f->n++;
}

/* What changes one parameter.  numbers: the name that they are of; peft: without alpha, which metadata has. */
static inline void lora_add(lora_tensors *f, const sd_tensor *t, const char *numbers, const char *written, bool peft)
{
    int64_t fan = 1;
    int k = 0;
    limn_shape down = {.rank = t->rank, .dim = {LORA_RANK}}, up = {.rank = t->rank, .dim = {t->dim[0], LORA_RANK, 1, 1}};
    for (int d = 1; d < t->rank; d++) fan *= down.dim[d] = t->dim[d];
    while (3 * (INT64_C(1) << 2 * k) < fan) k++;
    lora_add_tensor(f, numbers, written, "lora_down.weight", peft ? "lora_A.weight" : "lora_down.weight", down,
                    ldexpf(1, -k));
    lora_add_tensor(f, numbers, written, "lora_up.weight", peft ? "lora_B.weight" : "lora_up.weight", up, 0.5f);
    if (!peft) lora_add_tensor(f, numbers, written, "alpha", "alpha", (limn_shape){0}, 1);
}

#endif
