/* fuzz_again.c: whatever text a picture holds, it is words for flags or a sentence is said. */
#include "pipeline/again.h"

#include <string.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_again a;
    limn_status status = limn_again_parse(ctx, "fuzz", (const char *)data, n, &a);
    require(status == LIMN_OK ? a.arena != NULL : !a.arena && *limn_error_text(ctx));
    if (status == LIMN_OK) {
        const char *const words[] = {a.prompt, a.negative, a.steps, a.sampler, a.scheduler, a.guidance, a.rescale, a.eta,
                                     a.skip, a.style, a.seed, a.rng, a.label, a.precision, a.strength, a.hires,
                                     a.hires_steps, a.hires_strength, a.model, a.own_sampler, a.rest};
        size_t all = 0;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) all += words[i] ? strlen(words[i]) : 0;
        require(all <= 2 * n + 8);
        require(!a.width || (a.width[strspn(a.width, "0123456789")] == 0 && a.height));
        status = limn_again_check_source(ctx, &a, "models/emoji", false);
        require(status == LIMN_OK || *limn_error_text(ctx));
    }
    limn_again_free(&a);
    limn_ctx_free(ctx);
    return 0;
}
