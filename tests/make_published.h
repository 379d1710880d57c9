/* make_published.h: shrunken networks of Stable Diffusion as files, with the weights of oracle/sd_pipeline.py; and what is
 * said of numbers that differ. */
#ifndef LIMN_MAKE_PUBLISHED_H
#define LIMN_MAKE_PUBLISHED_H

#include "file/image.h"
#include "file/safetensors.h"
#include "formula.h"
#include "limn/limn.h"
#include "vectors/sd.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define OK(call)                                                              \
    do {                                                                      \
        if ((call) != LIMN_OK) fail_msg("%s: %s", #call, limn_error_text(ctx)); \
    } while (0)

enum { SD_TENSORS = sizeof sd_tensors / sizeof *sd_tensors, SD_MOST = 2048 };

static inline void says(limn_ctx *ctx, limn_status found, limn_status expected, const char *words)
{
    if (found != expected || !strstr(limn_error_text(ctx), words))
        fail_msg("status %d, and \"%s\" does not say \"%s\"", (int)found, limn_error_text(ctx), words);
}

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

static inline int sd_hex(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

/* By how much byte i of a picture is off what two digits say. */
static inline int sd_off(const limn_image *image, const char *expected, size_t i)
{
    return abs(image->pixels[i] - (sd_hex(expected[2 * i]) * 16 + sd_hex(expected[2 * i + 1])));
}

/* What pictures start from, and where it is made anew; oracle/ has the same. */
static inline limn_image sd_picture(limn_ctx *ctx, int width, int height)
{
    limn_image image;
    OK(limn_image_new(ctx, "a picture", (uint32_t)width, (uint32_t)height, 3, &image));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                image.pixels[(y * width + x) * 3 + c] = (uint8_t)(5 * x + 3 * y * (c + 1) + x * y / 4);
    return image;
}

static inline limn_image sd_mask(limn_ctx *ctx, int width, int height)
{
    limn_image mask;
    OK(limn_image_new(ctx, "a mask", (uint32_t)width, (uint32_t)height, 1, &mask));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) mask.pixels[y * width + x] = x + 2 * y < 60 ? 255 : 0;
    return mask;
}

/* Within 2 of 255, 0.1 in the mean. */
static inline void sd_compare_picture(const char *what, const limn_image *image, int width, int height, const char *expected)
{
    assert_int_equal(image->width, width);
    assert_int_equal(image->height, height);
    size_t n = (size_t)width * (size_t)height * 3;
    assert_int_equal(strlen(expected), 2 * n);
    int worst = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        int off = sd_off(image, expected, i);
        worst = off > worst ? off : worst, sum += off;
    }
    if (worst > 2 || sum / (double)n > 0.1) fail_msg("%s differs by up to %d, in the mean %g", what, worst, sum / (double)n);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static inline float *sd_values(const sd_tensor *t, limn_shape *shape)
{
    int64_t n = 1, fan = 1;
    int k = 0;
    *shape = (limn_shape){.rank = t->rank};
    for (int i = 0; i < t->rank; i++) n *= shape->dim[i] = t->dim[i], fan *= i ? t->dim[i] : 1;
    while (3 * (INT64_C(1) << 2 * k) < fan) k++;
    float *x = malloc((size_t)n * sizeof *x), scale = ldexpf(1, (strstr(t->name, "attn2") != NULL) - k);
    if (!x) abort();
    formula_fill(t->name, n, t->rank == 1 ? 0.25f : scale, x);
    for (int64_t i = 0; i < n && formula_is_norm(t->name); i++) x[i] += 1;
    return x;
}

/* n tensors under their names without `head`; head NULL: under their original ones.  Their values are the caller's. */
static inline void sd_views(size_t n, const sd_tensor *const *tensors, const char *head, limn_named_view *view)
{
    size_t skip = head ? strlen(head) : 0;
    for (size_t i = 0; i < n; i++) {
        const sd_tensor *t = tensors[i];
        const char *name = head ? t->name + (strncmp(t->name, head, skip) ? 0 : skip) : t->original;
        limn_view *v = &view[i].view;
        view[i].name = name, v->dtype = LIMN_F32, v->data = sd_values(t, &v->shape);
        if (!head && strstr(name, ".attn_1.") && v->shape.rank == 2) v->shape = LIMN_SHAPE(t->dim[0], t->dim[1], 1, 1);
    }
}

/* q, k and v of a text encoder, so many rows each, under each other, as OpenCLIP has them, in place of q's values. */
static inline void sd_join_thirds(const sd_tensor *q, int64_t rows, limn_view *view)
{
    float *all = NULL;
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        limn_shape shape;
        sd_tensor third = *q;
        snprintf(name, sizeof name, "%s", q->name);
        *strstr(name, "q_proj") = "qkv"[i];
        third.name = name, third.dim[0] = rows;
        float *x = sd_values(&third, &shape);
        size_t n = (size_t)limn_shape_count(&shape);
        if (!all && !(all = malloc(3 * n * sizeof *all))) abort();
        memcpy(all + i * n, x, n * sizeof *x);
        free(x);
    }
    free((void *)(uintptr_t)view->data);
    view->data = all, view->shape.dim[0] = 3 * rows;
}

static inline void sd_free(size_t n, const limn_named_view *view)
{
    for (size_t i = 0; i < n; i++) free((void *)(uintptr_t)view[i].view.data);
}

static inline void sd_write(limn_ctx *ctx, const char *path, size_t n, const sd_tensor *const *tensors, const char *head)
{
    static limn_named_view view[SD_MOST + 2];
    static const int64_t positions[77] = {0};
    static const float alphas[1000] = {1};
    size_t all = n;
    sd_views(n, tensors, head, view);
    /* and what is in every such checkpoint, and no weight */
    if (!head) view[all++] = (limn_named_view){"alphas_cumprod", {LIMN_F32, LIMN_SHAPE(1000), (void *)(uintptr_t)alphas}};
    if (!head)
        view[all++] = (limn_named_view){"cond_stage_model.transformer.text_model.embeddings.position_ids",
                                        {LIMN_I64, LIMN_SHAPE(1, 77), (void *)(uintptr_t)positions}};
    OK(limn_safetensors_write(ctx, path, all, view, 0, NULL));
    sd_free(n, view);
}

/* Those of a table that are a part's (NULL: all); without: a name that is left out.  @return how many there are now */
static inline size_t sd_take(const sd_tensor *table, size_t n_table, const char *part, const char *without, size_t n,
                             const sd_tensor **tensors)
{
    for (size_t i = 0; i < n_table; i++)
        if ((!part || !strcmp(part, table[i].part)) && !(without && !strcmp(table[i].name, without))) {
            if (n == SD_MOST) abort();
            tensors[n++] = &table[i];
        }
    return n;
}

static inline void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static inline void write_hex(const char *path, const char *hex)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (; *hex; hex += 2) fputc(sd_hex(hex[0]) * 16 + sd_hex(hex[1]), file);
    assert_int_equal(fclose(file), 0);
}

#define SD_BETAS "\"beta_schedule\": \"scaled_linear\", \"beta_start\": 0.00085, \"beta_end\": 0.012, \"steps_offset\": 1"
#define SD_PNDM "{\"_class_name\": \"PNDMScheduler\", " SD_BETAS ", \"skip_prk_steps\": true, \"set_alpha_to_one\": false}"
#define SD_EULER "{\"_class_name\": \"EulerDiscreteScheduler\", \"timestep_spacing\": \"leading\", " SD_BETAS "}"
#define SD_DDIM                                                                                                             \
    "{\"_class_name\": \"DDIMScheduler\", " SD_BETAS ", \"clip_sample\": false, \"set_alpha_to_one\": false}"
#define SD_TEXT                                                                                                             \
    "{\"hidden_act\": \"quick_gelu\", \"num_hidden_layers\": 3, \"hidden_size\": 64, \"num_attention_heads\": 1, " \
    "\"intermediate_size\": 256}"
#define SD_VAE "{\"scaling_factor\": 0.18215, \"norm_num_groups\": 32}"

/* ---- comparing -------------------------------------------------------------------------------------------------------- */

/* Every `stride`-th of n numbers, within `part` of the largest. */
static inline void compare(const char *what, int k, size_t n, size_t stride, const float *found, const float *expected,
                           double part)
{
    double most = 0, worst = 0;
    for (size_t i = 0; i * stride < n; i++) most = fmax(most, fabs((double)expected[i]));
    for (size_t i = 0; i * stride < n; i++) worst = fmax(worst, fabs((double)found[i * stride] - (double)expected[i]));
    if (!(worst <= part * most)) fail_msg("%s %d: differs by %g of %g", what, k, worst, most);
}

#endif
