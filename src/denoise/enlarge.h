/* enlarge.h: small pictures as conditions of large ones. */
#ifndef LIMN_DENOISE_ENLARGE_H
#define LIMN_DENOISE_ENLARGE_H

/** The mean of each block x block pixels of x [height block, width block, channels], then `factor` times enlarged, linear
 *  between pixel centres, edges repeated (as PyTorch's interpolate, align_corners=False): out [height factor, width factor,
 *  channels].  block 1: x is the small picture. */
void limn_enlarged(const float *x, int block, int height, int width, int channels, int factor, float *out);

#endif
