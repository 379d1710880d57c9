/* guidance.h: classifier-free guidance (Ho & Salimans 2022). */
#ifndef LIMN_DENOISE_GUIDANCE_H
#define LIMN_DENOISE_GUIDANCE_H

#include <stddef.h>

/**
 * out[pixel, c] = uncond + scale (cond - uncond) for c < guided_channels, cond for the rest (DiT guides its first 3 of 8).
 *
 * @param cond, uncond, out  [n_pixels, channels]; out may be either of the others
 */
void limn_guidance_combine(const float *cond, const float *uncond, size_t n_pixels, int channels, int guided_channels,
                           double scale, float *out);

/** Brooks et al. 2023, equation 3, of a network that sees a text and a picture that it changes:
 *
 *      out[pixel, c] = none + image_scale (image - none) + scale (both - image)   for c < guided_channels, both for the rest
 *
 *  @param both, image, none, out  [n_pixels, channels], of text and picture, the picture alone, neither; out may be any */
void limn_guidance_combine_edit(const float *both, const float *image, const float *none, size_t n_pixels, int channels,
                                int guided_channels, double scale, double image_scale, float *out);

/** Lin et al. 2024, section 3.4:  out *= 1 + phi (std(cond) / std(out) - 1), std over one picture's guided channels.
 *  @param phi  0 does nothing, 1 gives out the spread of cond; call it once for each picture */
void limn_guidance_rescale(const float *cond, size_t n_pixels, int channels, int guided_channels, double phi, float *out);

#endif
