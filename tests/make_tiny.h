/* make_tiny.h: a tiny autoencoder of TAESD's kind as files, with the weights of oracle/hires_vectors.py. */
#ifndef LIMN_MAKE_TINY_H
#define LIMN_MAKE_TINY_H

#include "make_published.h"
#include "vectors/hires.h"

enum { N_TINY = sizeof tiny_tensors / sizeof *tiny_tensors };

/* Its tensors under diffusers' names, or those of half "encoder." or "decoder." as TAESD is published; twice as strong as
 * those of the other networks, and what comes out neither black nor white. */
static void write_tiny(limn_ctx *ctx, const char *path, const char *half)
{
    limn_named_view view[N_TINY];
    size_t n = 0, head = half ? strlen(half) : 0;
    for (size_t i = 0; i < N_TINY; i++) {
        const tiny_tensor *t = &tiny_tensors[i];
        if (half && strncmp(t->original, half, head)) continue;
        view[n].name = half ? t->original + head : t->name, view[n].view.dtype = LIMN_F32;
        sd_tensor own = {.name = t->original, .rank = t->rank};
        memcpy(own.dim, t->dim, sizeof own.dim);
        float *x = sd_values(&own, &view[n].view.shape);
        view[n++].view.data = x;
        bool last = t->dim[0] == 3;
        for (int64_t k = 0; k < limn_shape_count(&view[n - 1].view.shape); k++)
            x[k] = t->rank == 1 ? x[k] + 0.5f * last : x[k] * (last ? 0.5f : 2);
    }
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    for (size_t i = 0; i < n; i++) free((void *)(uintptr_t)view[i].view.data);
}

#define TINY_CONFIG "{\"_class_name\": \"AutoencoderTiny\", \"act_fn\": \"relu\", \"scaling_factor\": 1.0}"

#endif
