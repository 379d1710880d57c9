/* rng.c: Philox4x32-10 streams. */
#include "base/rng.h"

#include <Random123/philox.h>
#include <math.h>
#include <string.h>

void limn_random_words(uint64_t seed, limn_stream stream, uint64_t sub, uint64_t index, uint32_t out[4])
{
    /* key: seed;  counter: index (48 bits), stream (16 bits), sub */
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t counter = {
        {(uint32_t)index, (uint32_t)(index >> 32 & 0xffff) | (uint32_t)stream << 16, (uint32_t)sub, (uint32_t)(sub >> 32)}};
    philox4x32_ctr_t words = philox4x32(counter, key);
    for (int i = 0; i < 4; i++) out[i] = words.v[i];
}

float limn_random_uniform(uint64_t seed, limn_stream stream, uint64_t sub, uint64_t index)
{
    uint32_t words[4];
    limn_random_words(seed, stream, sub, index, words);
    return (float)(words[0] >> 8) * 0x1p-24f;
}

__extension__ typedef unsigned __int128 wide_product;

uint64_t limn_random_below(uint64_t seed, limn_stream stream, uint64_t sub, uint64_t index, uint64_t n)
{
    uint32_t words[4];
    limn_random_words(seed, stream, sub, index, words);
    uint64_t wide = (uint64_t)words[0] << 32 | words[1];
    return (uint64_t)((wide_product)wide * n >> 64);
}

/* Box & Muller 1958: two words in (0,1] x [0,1) give two normal numbers. */
static void normal_pair(uint32_t a, uint32_t b, float *x, float *y)
{
    double radius = sqrt(-2.0 * log(((double)a + 1) * 0x1p-32)), angle = 6.283185307179586 * (double)b * 0x1p-32;
    *x = (float)(radius * cos(angle));
    *y = (float)(radius * sin(angle));
}

void limn_random_normal(uint64_t seed, limn_stream stream, uint64_t sub, uint64_t begin, size_t n, float *out)
{
    for (size_t i = 0; i < n;) {
        uint64_t at = begin + i;
        uint32_t words[4];
        float four[4];
        limn_random_words(seed, stream, sub, at / 4, words);
        normal_pair(words[0], words[1], &four[0], &four[1]);
        normal_pair(words[2], words[3], &four[2], &four[3]);
        for (size_t j = at % 4; j < 4 && i < n; j++) out[i++] = four[j];
    }
}

uint64_t limn_hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
    for (const unsigned char *p = bytes; n--; p++) hash = (hash ^ *p) * UINT64_C(1099511628211);
    return hash;
}

uint64_t limn_hash_name(const char *name)
{
    return limn_hash_bytes(LIMN_HASH, name, strlen(name));
}
