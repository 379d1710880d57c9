/* nifti_header.h: where the fields of a NIfTI-1 header lie (nifti1.h), and numbers in either byte order. */
#ifndef LIMN_NIFTI_HEADER_H
#define LIMN_NIFTI_HEADER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    NIFTI_DIM = 40,
    NIFTI_DATATYPE = 70,
    NIFTI_BITPIX = 72,
    NIFTI_OFFSET = 108,
    NIFTI_SLOPE = 112,
    NIFTI_INTER = 116,
    NIFTI_CAL_MAX = 124,
    NIFTI_CAL_MIN = 128,
    NIFTI_MAGIC = 344,
    NIFTI_FIRST = 352 /* least vox_offset: the header, and 4 bytes that say whether extensions follow */
};

static inline uint32_t limn_nifti_u32(const unsigned char *p, bool swap)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return swap ? __builtin_bswap32(v) : v;
}

static inline int16_t limn_nifti_i16(const unsigned char *p, bool swap)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return (int16_t)(swap ? __builtin_bswap16(v) : v);
}

static inline float limn_nifti_f32(const unsigned char *p, bool swap)
{
    uint32_t v = limn_nifti_u32(p, swap);
    float f;
    memcpy(&f, &v, 4);
    return f;
}

static inline void limn_nifti_put_i16(unsigned char *p, bool swap, int16_t value)
{
    uint16_t v = swap ? __builtin_bswap16((uint16_t)value) : (uint16_t)value;
    memcpy(p, &v, 2);
}

static inline void limn_nifti_put_f32(unsigned char *p, bool swap, float value)
{
    uint32_t v;
    memcpy(&v, &value, 4);
    v = swap ? __builtin_bswap32(v) : v;
    memcpy(p, &v, 4);
}

#endif
