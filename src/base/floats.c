/* floats.c: how the threads that compute treat denormals, set and put back. */
#include "base/base.h"

#include <omp.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

enum { FTZ_DAZ = 0x8040 };

static unsigned control(void)
{
    return _mm_getcsr();
}

static void set_control(unsigned value)
{
    _mm_setcsr(value);
}
#elif defined(__aarch64__)
enum { FTZ_DAZ = 1 << 24 }; /* FPCR.FZ: operands and results, f32 and f64 */

static unsigned control(void)
{
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return (unsigned)value;
}

static void set_control(unsigned value)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)value));
}
#else
enum { FTZ_DAZ = 0 };

static unsigned control(void)
{
    return 0;
}

static void set_control(unsigned value)
{
    (void)value;
}
#endif

void limn_floats_begin(limn_floats *before, int n_threads)
{
    before->n_threads = n_threads < LIMN_MAX_THREADS ? n_threads : LIMN_MAX_THREADS;
    for (int i = 0; i < before->n_threads; i++) before->control[i] = control(); /* of a thread that the team lacks today */
#pragma omp parallel num_threads(before->n_threads) if (before->n_threads > 1)
    {
        before->control[omp_get_thread_num()] = control();
        set_control(control() | FTZ_DAZ);
    }
}

void limn_floats_end(const limn_floats *before)
{
#pragma omp parallel num_threads(before->n_threads) if (before->n_threads > 1)
    set_control(before->control[omp_get_thread_num()]);
}
