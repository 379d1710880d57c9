/* amx.c: the kernels of attention on bf16 ("attention.amx" and "attention.avx512bf16"), and what convolutions on AMX
 * share. */
#include "backend/cpu/amx.h"
#include "backend/cpu/heads.h"
#include "backend/cpu/kernels.h"

size_t limn_amx_scratch_bytes(int64_t n_key, int64_t d, bool backward)
{
    size_t dp = (size_t)(d + 31) / 32 * 32, plane = (size_t)(n_key + 31) / 32 * 32 * dp;
    size_t block = LIMN_AMX_QUERIES * dp, scores = LIMN_AMX_QUERIES * LIMN_AMX_KEYS;
    return backward ? plane * (3 * 2 + 2 * 4) + block * (4 * 2 + 4) + scores * (3 * 2 + 2 * 4)
                    : plane * (2 * 2) + block * (2 + 4) + scores * (2 + 4);
}

limn_status limn_amx_prepare_pairs(limn_ctx *ctx, limn_call *call)
{
    (void)ctx, (void)call;
#if defined(__x86_64__)
    call->state = (void *)(uintptr_t)&limn_amx_pairs;
#endif
    return LIMN_OK;
}

static const char *refuse_operands(const limn_call *c)
{
    for (int i = 0; i < c->n_src; i++)
        if (c->src[i].dtype != LIMN_BF16) return c->src[i].dtype == LIMN_F32 ? "sources are f32" : "sources are not bf16";
    return c->dst.dtype == LIMN_BF16 ? NULL : "the result is not bf16";
}

static const char *refuse_amx(const limn_call *c)
{
    const char *why = refuse_operands(c);
    return why ? why : limn_isa_refuse_call(c, LIMN_ISA_AMX);
}

static const char *refuse_pairs(const limn_call *c)
{
    const char *why = refuse_operands(c);
    return why ? why : limn_isa_refuse_call(c, LIMN_ISA_AVX512BF16);
}

static size_t scratch_bf16(const limn_call *c)
{
    return (size_t)c->n_threads * limn_heads_scratch(c, limn_amx_scratch_bytes);
}

#if defined(__x86_64__)
static void run_heads(const limn_call *c, void (*forward)(const limn_head *), void (*backward)(const limn_head *))
{
    limn_heads_run(c, c->op == LIMN_OP_ATTENTION_GRAD ? backward : forward, limn_heads_scratch(c, limn_amx_scratch_bytes));
}

static limn_status run_amx(const limn_call *c)
{
    run_heads(c, limn_amx_attention, limn_amx_attention_grad);
    return LIMN_OK;
}

static limn_status run_pairs(const limn_call *c)
{
    run_heads(c, limn_pairs_attention, limn_pairs_attention_grad);
    return LIMN_OK;
}
#else
static limn_status run_amx(const limn_call *c)
{
    (void)c; /* refused */
    return LIMN_UNSUPPORTED;
}
#define run_pairs run_amx
#endif

#define ON_BF16(label, refuses, runs)                                                                                       \
    {.name = label, .refuse = refuses, .scratch_bytes = scratch_bf16, .run = runs, .rounds_attention = true}

const limn_kernel limn_cpu_attention_amx = ON_BF16("attention.amx", refuse_amx, run_amx);
const limn_kernel limn_cpu_attention_grad_amx = ON_BF16("attention_grad.amx", refuse_amx, run_amx);
const limn_kernel limn_cpu_attention_pairs = ON_BF16("attention.avx512bf16", refuse_pairs, run_pairs);
const limn_kernel limn_cpu_attention_grad_pairs = ON_BF16("attention_grad.avx512bf16", refuse_pairs, run_pairs);
