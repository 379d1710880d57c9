/* amx.c: may this process use AMX, the kernels of attention on bf16 ("attention.amx" and "attention.avx512bf16"), and what
 * convolutions on AMX share. */
#include "backend/cpu/amx.h"
#include "backend/cpu/heads.h"
#include "backend/cpu/kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LEAF7_EDX_AMX_BF16 = 1 << 22, LEAF7_EDX_AMX_TILE = 1 << 24, LEAF1_ECX_OSXSAVE = 1 << 27,
    XCR0_TILE_CONFIG = 1 << 17, XCR0_TILE_DATA = 1 << 18, /* also the number of the feature: 18 */
    ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_TILE_DATA = 18,
};

static bool cpu_has_tiles(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    return (d & LEAF7_EDX_AMX_BF16) && (d & LEAF7_EDX_AMX_TILE);
}

bool limn_amx_lacks_avx512bf16(void)
{
    return !limn_rows_avx512bf16() && cpu_has_tiles(); /* CPUID last: it leaves a virtual machine, 10 us each */
}

static bool system_saves_tiles(void)
{
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & LEAF1_ECX_OSXSAVE)) return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & XCR0_TILE_CONFIG) && (low & XCR0_TILE_DATA);
}

/* Linux hands out tile registers on request (since 5.16).  The permission is the process's, threads that exist and threads
 * to come; asking again changes nothing, so nobody has to remember that it was asked. */
const char *limn_amx_refuse(void)
{
    if (!cpu_has_tiles()) return "this CPU has no AMX-TILE with AMX-BF16";
    if (!limn_rows_avx512bf16())
        return "this CPU has no AVX512_BF16"; /* a hypervisor may hide it; the kernels round by it */
    if (!system_saves_tiles()) return "the operating system does not save tile registers";
#if defined(__linux__)
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA) == 0) return NULL;
#endif
    return "the operating system does not let this process use tile registers";
}
#else
const char *limn_amx_refuse(void)
{
    return "this is not an x86-64 CPU";
}

bool limn_amx_lacks_avx512bf16(void)
{
    return false;
}
#endif

size_t limn_amx_scratch_bytes(int64_t n_key, int64_t d, bool backward)
{
    size_t dp = (size_t)(d + 31) / 32 * 32, plane = (size_t)(n_key + 31) / 32 * 32 * dp;
    size_t block = LIMN_AMX_QUERIES * dp, scores = LIMN_AMX_QUERIES * LIMN_AMX_KEYS;
    return backward ? plane * (3 * 2 + 2 * 4) + block * (4 * 2 + 4) + scores * (3 * 2 + 2 * 4)
                    : plane * (2 * 2) + block * (2 + 4) + scores * (2 + 4);
}

const char *limn_amx_refuse_pairs(const limn_call *call)
{
    return call->rows && call->rows->vector != 16 ? "the call asks for other loops" : limn_amx_refuse();
}

limn_status limn_amx_prepare_pairs(limn_ctx *ctx, limn_call *call)
{
    (void)ctx;
#if defined(__x86_64__)
    call->state = (void *)(uintptr_t)&limn_amx_pairs;
#endif
    return LIMN_OK;
}

static const char *refuse_operands(const limn_call *c)
{
    if (c->attr->flags & LIMN_HAS_BIAS) return "there is a bias on the scores";
    for (int i = 0; i < c->n_src; i++)
        if (c->src[i].dtype != LIMN_BF16) return c->src[i].dtype == LIMN_F32 ? "sources are f32" : "sources are not bf16";
    return c->dst.dtype == LIMN_BF16 ? NULL : "the result is not bf16";
}

static const char *refuse_amx(const limn_call *c)
{
    const char *why = refuse_operands(c);
    if (!why && c->rows && strncmp(c->rows->name, "avx512", 6) != 0) why = "the call asks for other loops";
    return why ? why : limn_amx_refuse();
}

static const char *refuse_pairs(const limn_call *c)
{
    const char *why = refuse_operands(c);
    if (!why && c->rows && strcmp(c->rows->name, "avx512bf16") != 0) why = "the call asks for other loops";
    return why || limn_rows_avx512bf16() ? why : "this CPU has no AVX512_BF16";
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
static void run_amx(const limn_call *c)
{
    (void)c; /* refused */
}
#define run_pairs run_amx
#endif

const limn_kernel limn_cpu_attention_amx = {
    .name = "attention.amx", .refuse = refuse_amx, .scratch_bytes = scratch_bf16, .run = run_amx};
const limn_kernel limn_cpu_attention_grad_amx = {
    .name = "attention_grad.amx", .refuse = refuse_amx, .scratch_bytes = scratch_bf16, .run = run_amx};
const limn_kernel limn_cpu_attention_pairs = {
    .name = "attention.avx512bf16", .refuse = refuse_pairs, .scratch_bytes = scratch_bf16, .run = run_pairs};
const limn_kernel limn_cpu_attention_grad_pairs = {
    .name = "attention_grad.avx512bf16", .refuse = refuse_pairs, .scratch_bytes = scratch_bf16, .run = run_pairs};
