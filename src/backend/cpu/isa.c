/* isa.c: what this CPU runs, and what the operating system lets this process run. */
#include "backend/cpu/rows.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    LEAF7_EDX_AMX_BF16 = 1 << 22, LEAF7_EDX_AMX_TILE = 1 << 24, LEAF1_ECX_OSXSAVE = 1 << 27,
    XCR0_TILE_CONFIG = 1 << 17, XCR0_TILE_DATA = 1 << 18, /* also the number of the feature: 18 */
    ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_TILE_DATA = 18,
};

static bool has_tiles(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    return (d & LEAF7_EDX_AMX_BF16) && (d & LEAF7_EDX_AMX_TILE);
}

static bool cpu_has(limn_isa isa)
{
    switch (isa) {
    case LIMN_ISA_PORTABLE: return true;
    case LIMN_ISA_NEON: return false;
    case LIMN_ISA_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case LIMN_ISA_AVX512:
        return cpu_has(LIMN_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case LIMN_ISA_AVX512BF16: return cpu_has(LIMN_ISA_AVX512) && __builtin_cpu_supports("avx512bf16") &&
                                     __builtin_cpu_supports("avx512vnni");
    case LIMN_ISA_AMX: return has_tiles();
    }
    return false;
}

bool limn_isa_lacks_avx512bf16(void)
{
    return !cpu_has(LIMN_ISA_AVX512BF16) && has_tiles(); /* CPUID last: it leaves a virtual machine, 10 us each */
}

bool limn_isa_pairs_are_slow(void)
{
    return __builtin_cpu_is("intel") && limn_isa_refuse(LIMN_ISA_AMX) != NULL;
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
static const char *refuse_tiles(void)
{
    if (!cpu_has(LIMN_ISA_AVX512BF16))
        return "this CPU has no AVX512_BF16"; /* a hypervisor may hide it; the kernels round by it */
    if (!system_saves_tiles()) return "the operating system does not save tile registers";
#if defined(__linux__)
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA) == 0) return NULL;
#endif
    return "the operating system does not let this process use tile registers";
}

const limn_rows *limn_rows_best(void)
{
    if (cpu_has(LIMN_ISA_AVX512BF16)) return &limn_rows_avx512bf16;
    if (cpu_has(LIMN_ISA_AVX512)) return &limn_rows_avx512;
    return cpu_has(LIMN_ISA_AVX2) ? &limn_rows_avx2 : &limn_rows_portable;
}
#else
#if defined(__aarch64__)
static const limn_rows *const best = &limn_rows_neon; /* a part of the architecture */
#else
static const limn_rows *const best = &limn_rows_portable;
#endif

static bool cpu_has(limn_isa isa)
{
    return isa <= best->isa;
}

bool limn_isa_lacks_avx512bf16(void)
{
    return false;
}

bool limn_isa_pairs_are_slow(void)
{
    return false;
}

static const char *refuse_tiles(void)
{
    return NULL; /* never asked: there are none */
}

const limn_rows *limn_rows_best(void)
{
    return best;
}
#endif

static const char *const lacks[] = {
    [LIMN_ISA_PORTABLE] = NULL,
    [LIMN_ISA_NEON] = "this CPU has no NEON",
    [LIMN_ISA_AVX2] = "this CPU has no AVX2 with FMA",
    [LIMN_ISA_AVX512] = "this CPU has no AVX-512",
    [LIMN_ISA_AVX512BF16] = "this CPU has no AVX512_BF16",
    [LIMN_ISA_AMX] = "this CPU has no AMX-TILE with AMX-BF16",
};

const char *limn_isa_refuse(limn_isa isa)
{
    return !cpu_has(isa) ? lacks[isa] : isa == LIMN_ISA_AMX ? refuse_tiles() : NULL;
}

const char *limn_isa_refuse_call(const limn_call *call, limn_isa isa)
{
    return !call->rows ? limn_isa_refuse(isa) : call->rows->isa < isa ? lacks[isa] : NULL;
}
