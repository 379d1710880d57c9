/* formula.h: weights and inputs from a formula that C and Python (oracle/networks.py) both compute exactly, so that vectors
 * store only results.  Element i of the tensor `name`:
 *   scale (2 u - 1),   u = (mix(fnv1a32(name) + i 0x9E3779B9) >> 8) 2^-24,   mix: the finaliser of MurmurHash3;
 * weights of norms: 1 + that, rounded to f32. */
#ifndef LIMN_TEST_FORMULA_H
#define LIMN_TEST_FORMULA_H

#include "limn/graph.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint32_t formula_mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
}

static inline void formula_fill(const char *name, int64_t n, float scale, float *to)
{
    uint32_t h = 2166136261u;
    for (const char *c = name; *c; c++) h = (h ^ (unsigned char)*c) * 16777619u;
    for (int64_t i = 0; i < n; i++) {
        float u = (float)(formula_mix(h + (uint32_t)i * 0x9E3779B9u) >> 8) * 0x1p-24f;
        to[i] = (u * 2 - 1) * scale;
    }
}

/* "norm1.weight", "layer_norm2.weight", "ln_q.weight" */
static inline bool formula_is_norm(const char *name)
{
    const char *last = strrchr(name, '.');
    if (!last || strcmp(last, ".weight")) return false;
    const char *part = last;
    while (part > name && part[-1] != '.') part--;
    char word[64] = "";
    size_t n = (size_t)(last - part);
    if (n >= sizeof word) return false;
    memcpy(word, part, n);
    return strstr(word, "norm") || !strcmp(word, "ln_q") || !strcmp(word, "ln_k");
}

static inline void formula_weight(const char *name, int64_t n, float *to)
{
    formula_fill(name, n, 0.25f, to);
    for (int64_t i = 0; i < n && formula_is_norm(name); i++) to[i] = 1.0f + to[i];
}

/* The value `name` of the formula, scale 1, into an input. */
static inline void formula_write(limn_run *run, const limn_node *node, const char *name)
{
    limn_shape shape = limn_node_shape(node);
    int64_t n = 1;
    for (int i = 0; i < shape.rank; i++) n *= shape.dim[i];
    float *x = malloc((size_t)n * sizeof *x);
    if (!x) abort();
    formula_fill(name, n, 1, x);
    if (limn_run_write(run, node, LIMN_F32, x) != LIMN_OK) abort();
    free(x);
}

#endif
