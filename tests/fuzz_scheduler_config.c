/* fuzz_scheduler_config.c: whatever a scheduler_config.json says, a sampler runs by it or a sentence is said. */
#include "base/base.h"
#include "denoise/scheduler_config.h"

#include <string.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void run(limn_ctx *ctx, limn_sampler_options o, int steps)
{
    limn_sampler *s;
    float x[2] = {0.5f, -0.5f}, y[4] = {0.1f, 0.2f, 0.3f, 0.4f}, z[2];
    o.n_steps = steps;
    if (o.variance == LIMN_VARIANCE_LEARNED_RANGE) o.channels = 1, o.out_channels = 2;
    if (limn_sampler_new(ctx, &o, &s) != LIMN_OK) return require(*limn_error_text(ctx) != '\0');
    require(limn_sampler_begin(ctx, s, 1, 2, &(limn_picture_seed){1, 2}) == LIMN_OK);
    for (int k = 0; k < limn_sampler_calls(s); k++) {
        limn_sampler_input(s, k, x, z);
        limn_sampler_step(s, k, y, x);
    }
    limn_sampler_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    limn_sampler_options o;
    limn_ctx *ctx = limn_ctx_new();
    limn_status status = limn_scheduler_config_parse(ctx, "scheduler_config.json", data, n, &o);
    require(status == LIMN_OK || *limn_error_text(ctx));
    for (int steps = 1; steps <= 9 && status == LIMN_OK; steps += 4) run(ctx, o, steps);
    limn_ctx_free(ctx);
    return 0;
}
