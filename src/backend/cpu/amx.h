/* amx.h: attention on bf16, on AMX tiles or in pairs (AVX512_BF16), and products on AMX tiles: may they run here, and the
 * sizes both sides of a template agree on. */
#ifndef LIMN_AMX_H
#define LIMN_AMX_H

#include "backend/cpu/rows.h"

enum { LIMN_AMX_QUERIES = 32, LIMN_AMX_KEYS = 128 };

/* The operand of LDTILECFG: all eight tiles are 16 rows of 64 bytes (palette 1). */
typedef struct limn_tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} limn_tile_config;

static inline limn_tile_config limn_tile_config_full(void)
{
    limn_tile_config c = {.palette = 1};
    for (int i = 0; i < 8; i++) c.row_bytes[i] = 64, c.rows[i] = 16;
    return c;
}

/** Bytes of scratch for one head, 64-byte aligned. */
size_t limn_amx_scratch_bytes(int64_t n_key, int64_t d, bool backward);

/* As limn_rows.attention, every operand bf16; only where limn_isa_refuse(LIMN_ISA_AMX) is NULL (x86-64). */
void limn_amx_attention(const limn_head *head);
void limn_amx_attention_grad(const limn_head *head);
/* The same with VDPBF16PS; only where the CPU has AVX512_BF16 (x86-64). */
void limn_pairs_attention(const limn_head *head);
void limn_pairs_attention_grad(const limn_head *head);
/* Products of pairs on AMX tiles; only where there are some. */
extern const limn_tiles limn_amx_pairs;
/** Prepares a convolution of pairs: sets its state to limn_amx_pairs. */
limn_status limn_amx_prepare_pairs(limn_ctx *ctx, limn_call *call);

#endif
