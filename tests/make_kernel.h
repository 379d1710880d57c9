/* make_kernel.h: a kernel run as a plan runs it, with the inner loops of every instruction set that is here. */
#ifndef MAKE_KERNEL_H
#define MAKE_KERNEL_H

#include "backend/cpu/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* In turn; NULL: no more. */
static inline const limn_rows *kernel_rows(int i)
{
    static const limn_rows *const rows[] = {&limn_rows_portable,
#if defined(__x86_64__)
                                            &limn_rows_avx2, &limn_rows_avx512, &limn_rows_avx512bf16
#elif defined(__aarch64__)
                                            &limn_rows_neon
#endif
    };
    return i < (int)(sizeof rows / sizeof *rows) && !limn_isa_refuse(rows[i]->isa) ? rows[i] : NULL;
}

static inline void *kernel_memory(size_t bytes)
{
    void *p = limn_alloc_aligned(bytes + 64);
    assert_non_null(p);
    return p;
}

/* Prepare, pack, open, run; of a call that the kernel does not refuse. */
static inline void kernel_run(limn_ctx *ctx, const limn_kernel *kernel, limn_call call)
{
    if (kernel->prepare) assert_int_equal(kernel->prepare(ctx, &call), LIMN_OK);
    size_t packed_bytes = kernel->packed_bytes ? kernel->packed_bytes(&call) : 0;
    void *packed = kernel_memory(packed_bytes);
    if (packed_bytes) {
        assert_int_equal(kernel->pack(&call, &call.src[kernel->pack_src], packed), LIMN_OK);
        call.src[kernel->pack_src].data = packed;
    }
    call.scratch = kernel_memory(kernel->scratch_bytes ? kernel->scratch_bytes(&call) : 0);
    if (kernel->open) assert_int_equal(kernel->open(ctx, &call), LIMN_OK);
    assert_int_equal(kernel->run(&call), LIMN_OK);
    if (kernel->close) kernel->close(&call);
    if (kernel->release) kernel->release(&call);
    limn_free_aligned(call.scratch);
    limn_free_aligned(packed);
}

#endif
