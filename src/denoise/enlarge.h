/* enlarge.h: small pictures and latents made large. */
#ifndef LIMN_DENOISE_ENLARGE_H
#define LIMN_DENOISE_ENLARGE_H

/** The mean of each block x block pixels of x [height block, width block, channels], then enlarged to out [to_height,
 *  to_width, channels], linear between pixel centres, edges repeated (as PyTorch's interpolate, align_corners=False).
 *  block 1: x is the small picture. */
void limn_enlarged(const float *x, int block, int height, int width, int channels, int to_height, int to_width, float *out);

#endif
