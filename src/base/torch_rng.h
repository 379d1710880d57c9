/* torch_rng.h: the normal numbers of torch.randn(shape, dtype=torch.float32, generator=g), tensor after tensor.
 *
 * On the CPU (g = torch.Generator().manual_seed(seed)) numbers come from one sequence, a Mersenne twister: a tensor's hang
 * on the sizes of all that were drawn before.  On NVIDIA's GPUs they are a function of (seed, number of the tensor,
 * element).
 *
 * Tensors of f32 only: of f16 or f64 PyTorch draws other numbers from the same seed.  Logarithms, sines and cosines are
 * worked out in double and rounded: PyTorch's own last bits hang on the CPU's instructions and the GPU. */
#ifndef LIMN_TORCH_RNG_H
#define LIMN_TORCH_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LIMN_MT19937_WORDS = 624 };

typedef struct limn_torch_rng {
    bool cuda;
    uint64_t seed;
    uint64_t tensors;                   /* cuda: drawn so far */
    uint32_t words[LIMN_MT19937_WORDS]; /* cpu, as the two others */
    int next;                           /* of the words */
    bool has_second;                    /* of a pair of normal numbers, of which a small tensor took the first */
    double second;
} limn_torch_rng;

/** A generator as it is after manual_seed(seed); a CPU's looks at the low 32 bits only. */
void limn_torch_rng_seed(limn_torch_rng *g, bool cuda, uint64_t seed);
/** out[n]: the next tensor of n elements, in its order in memory. */
void limn_torch_rng_normal(limn_torch_rng *g, size_t n, float *out);

#endif
