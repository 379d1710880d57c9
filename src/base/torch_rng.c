/* torch_rng.c: PyTorch's generators, after ATen's MT19937RNGEngine.h, DistributionsHelper.h, DistributionTemplates.h (CPU)
 * and curand_normal.h (GPU). */
#include "base/torch_rng.h"

#include <Random123/philox.h>
#include <math.h>

static const double two_pi = 6.283185307179586;

/* ---- Mersenne twister: Matsumoto & Nishimura 1998, MT19937 ------------------------------------------------------------ */

void limn_torch_rng_seed(limn_torch_rng *g, bool cuda, uint64_t seed)
{
    *g = (limn_torch_rng){.cuda = cuda, .seed = seed, .next = LIMN_MT19937_WORDS};
    g->words[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < LIMN_MT19937_WORDS; i++)
        g->words[i] = UINT32_C(1812433253) * (g->words[i - 1] ^ g->words[i - 1] >> 30) + i;
}

static void twist(uint32_t *words)
{
    enum { N = LIMN_MT19937_WORDS, M = 397 };
    for (int i = 0; i < N; i++) {
        uint32_t both = (words[i] & 0x80000000) | (words[(i + 1) % N] & 0x7fffffff);
        words[i] = words[(i + M) % N] ^ both >> 1 ^ (both & 1 ? 0x9908b0df : 0);
    }
}

static uint32_t next_word(limn_torch_rng *g)
{
    if (g->next == LIMN_MT19937_WORDS) twist(g->words), g->next = 0;
    uint32_t y = g->words[g->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680;
    y ^= y << 15 & 0xefc60000;
    return y ^ y >> 18;
}

static float uniform_24(limn_torch_rng *g) { return (float)(next_word(g) & 0xffffff) * 0x1p-24f; }

static double uniform_53(limn_torch_rng *g)
{
    uint64_t high = next_word(g), low = next_word(g);
    return (double)((high << 32 | low) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

/* ---- CPU -------------------------------------------------------------------------------------------------------------- */

/* Box & Muller 1958 in f32: number j of eight radii and number j + 8 of eight angles make normal numbers j and j + 8. */
static void normal_16(float *x)
{
    for (int j = 0; j < 8; j++) {
        float u = 1 - x[j], radius = sqrtf(-2 * (float)log(u)), angle = (float)two_pi * x[j + 8];
        x[j] = radius * (float)cos(angle);
        x[j + 8] = radius * (float)sin(angle);
    }
}

/* 16 elements and more.  What a tensor has beyond a multiple of 16 is not drawn alone: its last 16 are drawn anew. */
static void normal_blocks(limn_torch_rng *g, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = uniform_24(g);
    for (size_t i = 0; i + 16 <= n; i += 16) normal_16(out + i);
    if (n % 16 == 0) return;
    float *last = out + n - 16;
    for (int i = 0; i < 16; i++) last[i] = uniform_24(g);
    normal_16(last);
}

/* Less than 16: one by one, in f64; a second number is kept for whichever small tensor comes next. */
static double normal_one(limn_torch_rng *g)
{
    if (g->has_second) return g->has_second = false, g->second;
    double turn = uniform_53(g), radius = sqrt(-2 * log1p(-uniform_53(g)));
    g->has_second = true, g->second = radius * sin(two_pi * turn);
    return radius * cos(two_pi * turn);
}

/* ---- NVIDIA ----------------------------------------------------------------------------------------------------------- */

/* Philox4x32-10 (Salmon et al. 2011), key: seed, counter: (tensor, element), 64 bits each; of curand_normal4() the first:
 *   u = (word 0 + 1/2) / 2^32,  v = 2 pi (word 1 + 1/2) / 2^32,  sqrt(-2 log u) sin v,  u and v in f32
 * So draws a GPU that has a thread for each element, and rng_philox.py of AUTOMATIC1111's web UI for all sizes: a GPU with
 * fewer (2048 or 1536 for each of its multiprocessors) lets its threads make the elements beyond as well. */
static float normal_of_thread(uint64_t seed, uint64_t tensor, uint64_t element)
{
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t counter = {{(uint32_t)tensor, (uint32_t)(tensor >> 32), (uint32_t)element, (uint32_t)(element >> 32)}};
    philox4x32_ctr_t words = philox4x32(counter, key);
    const float turn = (float)two_pi * 0x1p-32f;
    float u = (float)words.v[0] * 0x1p-32f + 0x1p-33f, v = (float)words.v[1] * turn + turn / 2;
    return (float)(sqrt(-2 * log(u)) * sin(v));
}

void limn_torch_rng_normal(limn_torch_rng *g, size_t n, float *out)
{
    if (g->cuda) {
        for (size_t i = 0; i < n; i++) out[i] = normal_of_thread(g->seed, g->tensors, i);
        g->tensors++;
    } else if (n >= 16) normal_blocks(g, n, out);
    else for (size_t i = 0; i < n; i++) out[i] = (float)normal_one(g);
}
