/* nifti.h: NIfTI-1 volumes, .nii and .nii.gz: a header of 348 bytes (nifti1.h), extensions that are skipped, values from
 * vox_offset on, x fastest. */
#ifndef LIMN_NIFTI_H
#define LIMN_NIFTI_H

#include "file/raster.h"

/** Whether the bytes begin like gzip, or like a header of 348 (or NIfTI-2's 540) bytes in either order. */
bool limn_nifti_sniff(const uint8_t *bytes, size_t n);
/** A volume: dim[1] columns, dim[2] rows, dim[3] slices; more dimensions only of size 1.  Integers of 8 to 64 bits, f32,
 *  f64, RGB24; v scl_slope + scl_inter where scl_slope is neither 0 nor NaN.  Of gzip no more is unpacked than the header
 *  asks for.  @return as limn_raster_decode() */
limn_status limn_nifti_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_raster *out);
/**
 * A volume of one channel in the place of `like`: its dimensions, pixdim, qform, sform and byte order; atomically, gzipped
 * where path ends in ".gz".
 * @param bytes, reals  [S,H,W], one of them; the other NULL
 * @return LIMN_OK; LIMN_IO: an older file at path is untouched; LIMN_NO_MEMORY
 */
limn_status limn_nifti_write(limn_ctx *ctx, const char *path, const limn_raster *like, const uint8_t *bytes,
                             const float *reals);
/** How far the same voxel of two volumes of one size lies apart, by their headers: the most of all corners, in units of the
 *  shortest side of a's voxels. 0 where one of them is no NIfTI, or its header does not say where it lies. */
double limn_nifti_apart(const limn_raster *a, const limn_raster *b);

#endif
