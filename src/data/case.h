/* case.h: a picture or volume as a segmentation network reads it: values in 0..1, all channels. */
#ifndef LIMN_CASE_H
#define LIMN_CASE_H

#include "file/bytes.h"
#include "file/raster.h"

#define LIMN_SEVERAL_TYPES "several types" /* limn_raster.type where files of a case differ */

/** Bytes of path before "_0012" and the ending: CASE of CASE_0012.nii.gz; 0: no such name. */
size_t limn_case_stem(const char *path);
/** Files of a case in nnU-Net's layout: of CASE_0000.nii.gz as many as CASE_0000, CASE_0001 .. without a gap; 1 for any
 *  other name. */
int limn_case_files(const char *path);
/** Channel k of the case of path, which is one of its files.  @return false: path is no such name, or too long */
bool limn_case_path(const char *path, int k, char out[LIMN_PATH_BYTES]);
/** Is it CASE_0001, CASE_0002 .. of a case whose files before it, from CASE_0000 on, are all there? */
bool limn_case_has(const char *path);
/** A warning where `file` lies more than half a voxel elsewhere than `of`, which has as many voxels, by their NIfTI
 *  headers. */
void limn_case_place(limn_ctx *ctx, const char *path, const limn_raster *file, const char *of_path, const limn_raster *of);
/**
 * Read a picture and scale it.
 *
 * @param path      one file with all channels, or channel 0 of a case
 * @param channels  files of the case that are put together, each scaled for itself; 1: path alone, with the channels it has
 * @param range     what becomes 0 and 1; what was taken of path is written to it
 * @return LIMN_OK: free with limn_raster_free(); LIMN_BAD_FILE: also files of different sizes, or colours in a case; as
 * limn_raster_read()
 */
limn_status limn_case_read(limn_ctx *ctx, const char *path, int channels, limn_range *range, limn_raster *out);

#endif
