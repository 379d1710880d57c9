/* make_sd3.h: shrunken networks of Stable Diffusion 3 as files: folders of diffusers, and all in one under Stability AI's
 * names (oracle/sd3_pipeline.py). */
#ifndef LIMN_MAKE_SD3_H
#define LIMN_MAKE_SD3_H

#include "make_published.h"
#include "vectors/sd3_pipeline.h"

#include <sys/stat.h>

enum { SD3_TENSORS = sizeof sd3_tensors / sizeof *sd3_tensors };
#define SD3_CLIP(act) "{\"hidden_act\": \"" act "\", \"num_attention_heads\": 2}"
#define SD3_FLOW "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 3.0, \"num_train_timesteps\": 1000}"
#define SD3_DUAL                                                                                                            \
    "{\"sample_size\": 8, \"num_attention_heads\": 2, \"dual_attention_layers\": [0, 1], \"qk_norm\": \"rms_norm\"}"
#define SD3_TRANSFORMER "{\"sample_size\": 8, \"num_attention_heads\": 2, \"attention_head_dim\": 16}"

static inline float *sd3_values(const sd_tensor *t, limn_shape *shape)
{
    float *x = sd_values(t, shape);
    if (!strcmp(t->name, "pos_embed.pos_embed")) formula_fill(t->name, limn_shape_count(shape), 0.5f, x);
    return x;
}

/* The tensor of this part that is called so. */
static inline const sd_tensor *sd3_find(const char *part, const char *name)
{
    for (size_t i = 0; i < SD3_TENSORS; i++)
        if (!strcmp(sd3_tensors[i].part, part) && !strcmp(sd3_tensors[i].name, name)) return &sd3_tensors[i];
    fail_msg("no tensor %s of %s", name, part);
    return NULL;
}

/* q, k and v under each other. */
static inline void sd3_join(const sd_tensor *q, limn_view *view)
{
    size_t n = (size_t)limn_shape_count(&view->shape);
    float *all = malloc(3 * n * sizeof *all);
    if (!all) abort();
    for (int i = 0; i < 3; i++) {
        char name[128];
        limn_shape shape;
        snprintf(name, sizeof name, "%s", q->name);
        char *at = strstr(name, "to_q.") ? strstr(name, "to_q.") + 3 : strstr(name, "add_q_proj.") + 4;
        *at = "qkv"[i];
        float *x = sd3_values(sd3_find(q->part, name), &shape);
        memcpy(all + (size_t)i * n, x, n * sizeof *x);
        free(x);
    }
    free((void *)(uintptr_t)view->data);
    view->data = all, view->shape.dim[0] *= 3;
}

/* (scale, shift) to (shift, scale) */
static inline void sd3_swap(limn_view *view)
{
    size_t n = (size_t)limn_shape_count(&view->shape) / 2;
    float *x = (void *)(uintptr_t)view->data;
    for (size_t i = 0; i < n; i++) {
        float other = x[i];
        x[i] = x[n + i], x[n + i] = other;
    }
}

/* A part's tensors behind n others, under diffusers' names, or (one) those of one file.  @return how many there are now */
static inline size_t sd3_add(const char *part, bool one, size_t n, limn_named_view *view)
{
    for (size_t i = 0; i < SD3_TENSORS; i++) {
        const sd_tensor *t = &sd3_tensors[i];
        if (strcmp(t->part, part) || (one && !*t->original)) continue;
        if (n == SD_MOST) abort();
        limn_view *v = &view[n].view;
        view[n].name = one ? t->original : t->name, v->dtype = LIMN_F32, v->data = sd3_values(t, &v->shape);
        if (one && strstr(t->original, ".qkv.")) sd3_join(t, v);
        if (one && (strstr(t->name, "norm_out.linear") || strstr(t->name, "s.2.norm1_context.linear"))) sd3_swap(v);
        if (one && strstr(t->original, ".attn_1.") && v->shape.rank == 2) v->shape = LIMN_SHAPE(t->dim[0], t->dim[1], 1, 1);
        n++;
    }
    return n;
}

static inline void sd3_write(limn_ctx *ctx, const char *path, bool one, const char *const *parts)
{
    static limn_named_view view[SD_MOST];
    size_t n = 0;
    for (; *parts; parts++) n = sd3_add(*parts, one, n, view);
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

static inline void sd3_put(const char *folder, const char *inside, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, inside);
    write_text(path, text);
}

static inline void sd3_copy(const char *from, const char *to)
{
    unsigned char bytes[1 << 16];
    FILE *a = fopen(from, "rb"), *b = fopen(to, "wb");
    assert_non_null(a);
    assert_non_null(b);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, a)) > 0;) assert_int_equal(fwrite(bytes, 1, n, b), n);
    fclose(a), fclose(b);
}

#define SD3_PIECES LIMN_SOURCE_DIR "/tests/vectors/unigram/spiece.model"

/* model: "plain", "norms", "dual"; there: which encoders, of "lgt" */
static inline void sd3_write_folder(limn_ctx *ctx, const char *folder, const char *model, const char *there)
{
    static const char *const parts[] = {"", "transformer", "vae", "scheduler", "text_encoder", "text_encoder_2",
                                        "text_encoder_3", "tokenizer", "tokenizer_2", "tokenizer_3"};
    char path[200];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, parts[i]);
        if (i < 4 || strchr(there, "lgt"[(i - 4) % 3])) mkdir(path, 0777);
    }
    sd3_put(folder, "transformer/config.json", strcmp(model, "dual") ? SD3_TRANSFORMER : SD3_DUAL);
    sd3_put(folder, "vae/config.json", "{\"scaling_factor\": 1.5305, \"shift_factor\": 0.0609, \"norm_num_groups\": 32}");
    sd3_put(folder, "scheduler/scheduler_config.json", SD3_FLOW);
    if (strchr(there, 'l')) sd3_put(folder, "text_encoder/config.json", SD3_CLIP("quick_gelu"));
    if (strchr(there, 'g')) sd3_put(folder, "text_encoder_2/config.json", SD3_CLIP("gelu"));
    if (strchr(there, 'g')) sd3_put(folder, "tokenizer_2/special_tokens_map.json", "{\"pad_token\": \"!\"}");
    snprintf(path, sizeof path, "%s/tokenizer_3/spiece.model", folder);
    if (strchr(there, 't')) sd3_copy(SD3_PIECES, path);
    for (int i = 1; i < 7; i++) {
        if (i == 3 || (i > 3 && !strchr(there, "lgt"[i - 4]))) continue;
        snprintf(path, sizeof path, "%s/%s/%s.safetensors", folder, parts[i], i < 3 ? "diffusion_pytorch_model" : "model");
        sd3_write(ctx, path, false, (const char *const[]){i == 1 ? model : parts[i], NULL});
    }
}

#endif
