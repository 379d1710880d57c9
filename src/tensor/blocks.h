/* blocks.h: decoding, and making (quantize.c), of the types that weights are kept in and nothing is computed in: 8-bit
 * floats, and blocks of small whole numbers that share scales (ggml's layouts).  Rows of tensor.c's table. */
#ifndef LIMN_BLOCKS_H
#define LIMN_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/** n blocks that follow each other to f32, of which either may lie at any byte. */
typedef void limn_block_decode(const unsigned char *src, size_t n, unsigned char *f32);

limn_block_decode limn_decode_f8_e4m3, limn_decode_f8_e5m2;
limn_block_decode limn_decode_q8_0, limn_decode_q4_0, limn_decode_q4_1, limn_decode_q5_0, limn_decode_q5_1,
    limn_decode_iq4_nl;
limn_block_decode limn_decode_q2_k, limn_decode_q3_k, limn_decode_q4_k, limn_decode_q5_k, limn_decode_q6_k;
/** n blocks of f32 that follow each other to blocks; finite numbers of at most 65504. */
typedef void limn_block_encode(const unsigned char *f32, size_t n, unsigned char *dst);

limn_block_encode limn_encode_q8_0, limn_encode_q4_0, limn_encode_q4_1, limn_encode_q5_0, limn_encode_q5_1,
    limn_encode_iq4_nl;
limn_block_encode limn_encode_q2_k, limn_encode_q3_k, limn_encode_q4_k, limn_encode_q5_k, limn_encode_q6_k;

extern const int8_t limn_iq4_nl_levels[16];

double limn_get_f8_e4m3(const void *p);
double limn_get_f8_e5m2(const void *p);

#endif
