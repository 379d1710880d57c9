/* tiles_amx.h: the operations on AMX tiles as instructions; tests/tiles_emulated.h has the same in plain C.
 *
 *   tile_configure(t)  tile_release(t)  tile_zero(t, i)  tile_load(t, i, from, row_bytes)  tile_store(t, i, to, row_bytes)
 *   tile_dot(t, c, a, b)   C [16][16] f32 += A [16][32] bf16 B [32][16] bf16, B as pairs of rows: [16][16][2]
 *   (TDPBF16PS) */
#ifndef LIMN_TILES_AMX_H
#define LIMN_TILES_AMX_H

#include "backend/cpu/amx.h"

#include <immintrin.h>

typedef struct tiles {
    limn_tile_config config;
} tiles;

/* gcc 12's _tile_loadconfig and _tile_loadd do not say that they read memory: a store before them may be moved behind them
 * or dropped.  Hence the fences for the compiler (no instruction). */
static inline void memory_fence(void)
{
    __asm__ volatile("" ::: "memory");
}

static inline void tile_configure(tiles *t)
{
    t->config = limn_tile_config_full();
    memory_fence();
    _tile_loadconfig(&t->config);
    memory_fence();
}

static inline void tile_release(tiles *t)
{
    (void)t;
    _tile_release();
}

/* The number of a tile is part of the instruction's text: macros, since a function's argument is no literal. */
#define tile_zero(t, i) do { (void)(t); _tile_zero(i); } while (0)
#define tile_load(t, i, from, row_bytes)                                                                                    \
    do {                                                                                                                    \
        (void)(t), memory_fence();                                                                                          \
        _tile_loadd(i, from, row_bytes);                                                                                    \
        memory_fence();                                                                                                     \
    } while (0)
#define tile_store(t, i, to, row_bytes) do { (void)(t); _tile_stored(i, to, row_bytes); } while (0)
#define tile_dot(t, c, a, b) do { (void)(t); _tile_dpbf16ps(c, a, b); } while (0)

#endif
