/* control.h: the register that says how a thread rounds and whether it flushes denormals. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

/* As a process begins; bits of what happened; of rounding down; of flushing. */
enum { CONTROL_BEGINS = 0x1f80, CONTROL_EVENTS = 0x3f, CONTROL_DOWN = 0x2000, CONTROL_FLUSH = 0x8040 };

static inline unsigned control_get(void) { return _mm_getcsr(); }

static inline void control_set(unsigned value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
enum { CONTROL_BEGINS = 0, CONTROL_EVENTS = 0, CONTROL_DOWN = 1 << 23, CONTROL_FLUSH = 1 << 24 };

static inline unsigned control_get(void)
{
    uint64_t value;
    __asm__ volatile("mrs %0, fpcr" : "=r"(value));
    return (unsigned)value;
}

static inline void control_set(unsigned value) { __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)value)); }
#else
enum { CONTROL_BEGINS = 0, CONTROL_EVENTS = 0, CONTROL_DOWN = 0, CONTROL_FLUSH = 0 };

static inline unsigned control_get(void) { return 0; }

static inline void control_set(unsigned value) { (void)value; }
#endif

#endif
