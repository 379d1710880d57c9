/* check_input.h: what a denoiser under way is told: every `stride`-th of n numbers, within 1e-5 of the largest. */
#ifndef LIMN_CHECK_INPUT_H
#define LIMN_CHECK_INPUT_H

#include "make_published.h"
#include "pipeline/sampling.h"

static inline void check_input(limn_sampling *s, const char *what, int k, const limn_node *node, int n, size_t stride,
                               const float *expected)
{
    float *found = malloc((size_t)n * sizeof *found);
    limn_ctx *ctx = s->p->ctx;
    OK(limn_run_read(s->denoiser->job.run, node, LIMN_F32, found));
    compare(what, k, (size_t)n, stride, found, expected, 1e-5);
    free(found);
}

#endif
