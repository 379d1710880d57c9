/* outer.c: see outer.h. */
#include "train/outer.h"

#include <string.h>

limn_status limn_outer_new(limn_comm *comm, size_t n, bool in_bf16, limn_outer *out)
{
    size_t bytes = n * sizeof(float);
    *out = (limn_outer){.from = limn_alloc_aligned(bytes), .momentum = limn_alloc_aligned(bytes)};
    if (!out->from || !out->momentum) return limn_fail_memory(comm->ctx, 2 * bytes, "outer steps");
    memset(out->momentum, 0, bytes);
    return limn_tree_sums_new(comm, 1, n, in_bf16, &out->sums);
}

void limn_outer_free(limn_outer *outer)
{
    limn_free_aligned(outer->from);
    limn_free_aligned(outer->momentum);
    limn_tree_sums_free(&outer->sums);
}

limn_status limn_outer_step(limn_outer *o, size_t n, float *value, float *ema, float *room)
{
    const float rate = 0.7f, keep = 0.9f;
    int threads = o->sums.comm->ctx->n_threads;
    float mean = 1.0f / (float)o->sums.comm->size;
    limn_floats floats;
    limn_floats_begin(&floats, threads);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++) room[i] = o->from[i] - value[i];
    limn_status status = limn_tree_sum(&o->sums, &room, room, mean);
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (size_t i = 0; i < n; i++) {
        float m = keep * o->momentum[i] + room[i];
        o->momentum[i] = m;
        value[i] = o->from[i] -= rate * (room[i] + keep * m);
    }
    limn_floats_end(&floats);
    return status == LIMN_OK ? limn_tree_sum(&o->sums, &ema, ema, mean) : status;
}
