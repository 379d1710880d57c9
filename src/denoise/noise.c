/* noise.c: see noise.h. */
#include "denoise/noise.h"

#include "base/rng.h"
#include "base/torch_rng.h"

#include <stdlib.h>
#include <string.h>

/* A generator before and after what the last step drew. */
typedef struct generator {
    uint32_t draw; /* of that step */
    limn_torch_rng before, now;
} generator;

struct limn_noise {
    limn_rng kind;
    size_t size;
    int channels;
    limn_noise_others others;
    limn_picture_seed *seeds; /* [n_pictures] */
    generator *generators;    /* PyTorch's: [n_pictures] */
    float *tensor;            /* and one of their tensors, [size] */
};

/* ---- tensors ---------------------------------------------------------------------------------------------------------- */

static void draw_tensor(const limn_noise *noise, limn_torch_rng *g, float *out)
{
    size_t c = (size_t)noise->channels, pixels = noise->size / c;
    limn_torch_rng_normal(g, noise->size, noise->tensor);
    for (size_t pixel = 0; pixel < pixels; pixel++)
        for (size_t channel = 0; channel < c; channel++) out[pixel * c + channel] = noise->tensor[channel * pixels + pixel];
}

/* The tensor with this number, and the generator behind it. */
static limn_torch_rng nth_tensor(const limn_noise *noise, limn_picture_seed seed, int number, float *out)
{
    limn_torch_rng g;
    limn_torch_rng_seed(&g, noise->kind == LIMN_RNG_CUDA, seed.seed + seed.picture);
    for (int i = 0; i <= number; i++) draw_tensor(noise, &g, out);
    return g;
}

/* ---- begin and end ---------------------------------------------------------------------------------------------------- */

/* To where they are when the first noise is added. */
static limn_status begin_generators(limn_ctx *ctx, limn_noise *noise, int n_pictures)
{
    size_t n = (size_t)n_pictures;
    int last = noise->others.before + noise->others.after;
    noise->generators = malloc(n * sizeof *noise->generators);
    noise->tensor = malloc(noise->size * sizeof *noise->tensor);
    float *start = malloc(noise->size * sizeof *start);
    bool fits = noise->generators && noise->tensor && start;
    for (size_t p = 0; p < n && fits; p++)
        noise->generators[p] = (generator){.draw = UINT32_MAX, .now = nth_tensor(noise, noise->seeds[p], last, start)};
    free(start);
    return fits ? LIMN_OK
                : limn_fail_memory(ctx, n * sizeof *noise->generators + 2 * noise->size * sizeof(float), "random numbers");
}

limn_status limn_noise_new(limn_ctx *ctx, limn_rng kind, int n_pictures, size_t size, int channels,
                           const limn_picture_seed *seeds, limn_noise_others others, limn_noise **out)
{
    limn_noise *noise = *out = calloc(1, sizeof *noise);
    limn_picture_seed *copy = malloc((size_t)n_pictures * sizeof *copy);
    if (!noise || !copy) {
        free(noise), free(copy);
        *out = NULL;
        return limn_fail_memory(ctx, (size_t)n_pictures * sizeof *copy, "random numbers");
    }
    memcpy(copy, seeds, (size_t)n_pictures * sizeof *copy);
    *noise = (limn_noise){.kind = kind, .size = size, .channels = channels, .others = others, .seeds = copy};
    if (kind != LIMN_RNG_CPU && kind != LIMN_RNG_CUDA) return LIMN_OK;
    limn_status status = begin_generators(ctx, noise, n_pictures);
    if (status != LIMN_OK) limn_noise_free(noise), *out = NULL;
    return status;
}

void limn_noise_free(limn_noise *noise)
{
    if (!noise) return;
    free(noise->seeds);
    free(noise->generators);
    free(noise->tensor);
    free(noise);
}

/* ---- noise ------------------------------------------------------------------------------------------------------------ */

void limn_noise_start(const limn_noise *noise, limn_picture_seed seed, float *out)
{
    if (noise->generators) nth_tensor(noise, seed, noise->others.before, out);
    else limn_random_normal(seed.seed, LIMN_STREAM_LATENT, seed.picture, 0, noise->size, out);
}

void limn_noise_start_of(const limn_noise *noise, int p, float *out) { limn_noise_start(noise, noise->seeds[p], out); }

void limn_noise_other_of(const limn_noise *noise, int p, int which, float *out)
{
    if (noise->generators) nth_tensor(noise, noise->seeds[p], which + (which >= noise->others.before), out);
    else memset(out, 0, noise->size * sizeof *out);
}

/* Ours: numbers 0 .. size - 1, size .. 2 size - 1 of a stream. */
void limn_noise_step(limn_noise *noise, int p, uint32_t draw, int which, float *out)
{
    limn_picture_seed seed = noise->seeds[p];
    if (!noise->generators) {
        uint64_t begin = (uint64_t)which * noise->size;
        limn_random_normal(seed.seed, LIMN_STREAM_ANCESTRAL, seed.picture << 32 | draw, begin, noise->size, out);
        return;
    }
    generator *g = &noise->generators[p];
    if (which == 0 && g->draw == draw) g->now = g->before;
    else if (which == 0) g->before = g->now, g->draw = draw;
    draw_tensor(noise, &g->now, out);
}

void limn_noise_again(limn_noise *noise, int p, uint64_t number, float *out)
{
    if (noise->generators) draw_tensor(noise, &noise->generators[p].now, out);
    else limn_random_normal(noise->seeds[p].seed, LIMN_STREAM_AGAIN, number, 0, noise->size, out);
}
