/* backend.c: the backends there are, and the memory of those that run in this process. */
#include "backend/backend.h"
#include "backend/cpu/product.h"
#include "backend/cpu/rows.h"

#include <string.h>

static void copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

/* Only where the CPU multiplies bf16 natively is it faster than f32.  Steps of a training or a sampler are bound by
 * arithmetic, so there pairs must also be faster than floats; what runs once (a decoder, an encoder) may be a little slower
 * in pairs that are not, for half the bytes (docs/speed.md). */
static limn_precision best_precision(const limn_backend *backend, bool repeated, const char **why)
{
    bool native = !limn_isa_refuse_call(&(limn_call){.rows = backend->rows}, LIMN_ISA_AVX512BF16);
    bool slow = native && repeated && !backend->rows && limn_isa_pairs_are_slow();
    *why = !native ? "this CPU does not multiply bf16 natively"
           : slow  ? "this CPU multiplies bf16 more slowly than f32"
                   : "this CPU multiplies bf16 natively";
    return native && !slow ? LIMN_PRECISION_BF16 : LIMN_PRECISION_F32;
}

static const char *refuse(const limn_backend *backend)
{
    return backend->rows ? limn_isa_refuse(backend->rows->isa) : NULL;
}

static void describe(const limn_backend *backend, char text[LIMN_BACKEND_TEXT])
{
    limn_call call = {.rows = backend->rows};
    snprintf(text, LIMN_BACKEND_TEXT, "%s loops%s, oneDNN with %s", limn_rows_of(&call)->name,
             limn_isa_refuse_call(&call, LIMN_ISA_AMX) ? "" : " and AMX tiles", limn_product_isa());
}

/* What backends of this process share: all but their kernels. */
#define IN_THIS_PROCESS                                                                                                     \
    .refuse = refuse, .host = true, .allocate = limn_alloc_aligned, .release = limn_free_aligned, .upload = copy,           \
    .download = copy, .begin = limn_floats_begin, .end = limn_floats_end, .best_precision = best_precision,                 \
    .describe = describe

/* "cpu" on the CPU that there is; then on one of each kind, to plan for it, or to run as it would. */
static const limn_backend backends[] = {
    {.name = "cpu", .kernel = limn_cpu_kernel, IN_THIS_PROCESS},
    {.name = "cpu-portable", .kernel = limn_cpu_kernel, .rows = &limn_rows_portable, IN_THIS_PROCESS},
#if defined(__x86_64__)
    {.name = "cpu-avx2", .kernel = limn_cpu_kernel, .rows = &limn_rows_avx2, IN_THIS_PROCESS},
    {.name = "cpu-avx512", .kernel = limn_cpu_kernel, .rows = &limn_rows_avx512, IN_THIS_PROCESS},
    {.name = "cpu-avx512bf16", .kernel = limn_cpu_kernel, .rows = &limn_rows_avx512bf16, IN_THIS_PROCESS},
    {.name = "cpu-amx", .kernel = limn_cpu_kernel, .rows = &limn_rows_amx, IN_THIS_PROCESS},
#elif defined(__aarch64__)
    {.name = "cpu-neon", .kernel = limn_cpu_kernel, .rows = &limn_rows_neon, IN_THIS_PROCESS},
#endif
    {.name = "ref", .kernel = limn_ref_kernel, IN_THIS_PROCESS},
};

limn_status limn_backend_find(limn_ctx *ctx, const char *name, const limn_backend **out)
{
    char shown[256], names[256] = "";
    *out = NULL;
    for (size_t i = 0; i < sizeof backends / sizeof *backends && !*out; i++) {
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", backends[i].name);
        if (!name || strcmp(backends[i].name, name) == 0) *out = &backends[i];
    }
    return *out ? LIMN_OK
                : limn_fail(ctx, LIMN_NOT_FOUND, "there is no backend \"%s\"; there are: %s",
                            limn_escape(name, strlen(name), shown, sizeof shown), names);
}
