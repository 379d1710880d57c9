/* attention_amx.c: attention on AMX tiles. */
#include "backend/cpu/amx.h"

#include <immintrin.h>

typedef struct tiles {
    limn_tile_config config;
} tiles;

/* gcc 12's _tile_loadconfig and _tile_loadd do not say that they read memory: a store before them may be moved behind them or
 * dropped.  Hence the fences for the compiler (no instruction). */
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
#define tile_load(t, i, from, row_bytes) do { (void)(t), memory_fence(); _tile_loadd(i, from, row_bytes); memory_fence(); } while (0)
#define tile_store(t, i, to, row_bytes) do { (void)(t); _tile_stored(i, to, row_bytes); } while (0)
#define tile_dot(t, c, a, b) do { (void)(t); _tile_dpbf16ps(c, a, b); } while (0)

#include "backend/cpu/attention_amx.inc.h"

void limn_amx_attention(const limn_head *head)
{
    tiles t;
    attention_tiles(&t, head);
}

void limn_amx_attention_grad(const limn_head *head)
{
    tiles t;
    attention_grad_tiles(&t, head);
}
