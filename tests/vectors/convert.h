/* Written by oracle/convert_vectors.py: sums of squared errors, by stable-diffusion.cpp's converter and by PyPI's gguf. */
static const struct { const char *type; double ggml, gguf; } block_errors[] = {
    {"q8_0", 0.212036448, 0.212036448},
    {"q4_0", 48.0253481, 53.6228189},
    {"q4_1", 37.2799799, 47.1767495},
    {"q5_0", 11.94413, 13.3003306},
    {"q5_1", 8.75250584, 11.015687},
    {"iq4_nl", 39.339425, 0},
    {"q2_k", 565.970276, 0},
    {"q3_k", 153.199159, 0},
    {"q4_k", 38.0097528, 0},
    {"q5_k", 9.56759788, 0},
    {"q6_k", 2.29022803, 0},
};
enum { BLOCK_ROWS = 16, BLOCK_COLS = 1024 };
static const uint32_t q8_0_hash = 0x47c70497;
