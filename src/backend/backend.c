/* backend.c: the backends there are, and the memory of those that run in this process. */
#include "backend/backend.h"

#include <string.h>

static void copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

/* Only where the CPU multiplies bf16 natively is it faster than f32. */
static limn_precision best_precision(const char **why)
{
#if defined(__x86_64__)
    bool native = __builtin_cpu_supports("avx512bf16");
#else
    bool native = false;
#endif
    *why = native ? "this CPU multiplies bf16 natively" : "this CPU does not multiply bf16 natively";
    return native ? LIMN_PRECISION_BF16 : LIMN_PRECISION_F32;
}

/* What backends of this process share: all but their kernels. */
#define IN_THIS_PROCESS                                                                                                     \
    .host = true, .allocate = limn_alloc_aligned, .release = limn_free_aligned, .upload = copy, .download = copy,           \
    .begin = limn_floats_begin, .end = limn_floats_end, .best_precision = best_precision

static const limn_backend backends[] = {
    {.name = "cpu", .kernel = limn_cpu_kernel, IN_THIS_PROCESS},
    {.name = "ref", .kernel = limn_ref_kernel, IN_THIS_PROCESS},
};

limn_status limn_backend_find(limn_ctx *ctx, const char *name, const limn_backend **out)
{
    char shown[256];
    *out = NULL;
    for (size_t i = 0; i < sizeof backends / sizeof *backends && !*out; i++)
        if (!name || strcmp(backends[i].name, name) == 0) *out = &backends[i];
    return *out ? LIMN_OK
                : limn_fail(ctx, LIMN_NOT_FOUND, "there is no backend \"%s\"; there are: cpu, ref",
                            limn_escape(name, strlen(name), shown, sizeof shown));
}
