/* scheduler_config.h: what the scheduler_config.json of a published folder says of noise and sampling. */
#ifndef LIMN_DENOISE_SCHEDULER_CONFIG_H
#define LIMN_DENOISE_SCHEDULER_CONFIG_H

#include "denoise/sampler.h"

/**
 * The sampler that diffusers' class of that name is, with the class's own defaults for what the file leaves out: name,
 * schedule, prediction, spacing and steps_offset, sigmas, keep_first_noise, variance, clip; all else as in
 * limn_sampler_defaults(). Flow's spacing is that of the scheduler alone, linspace; pipelines that hand sigmas to it (FLUX)
 * go trailing.
 *
 * A value that would change the pictures and that we do not have is refused, never passed over.  What diffusers does not
 * read either is named in a warning, unless it is a setting of another of its classes.
 *
 * @param file  for messages
 * @return LIMN_OK; LIMN_BAD_FILE: no JSON object, a value of a wrong type or out of range; LIMN_UNSUPPORTED: a class or a
 * value that we do not have; the sentence names it and what there is.  *out is unchanged on failure
 */
limn_status limn_scheduler_config_parse(limn_ctx *ctx, const char *file, const void *bytes, size_t n,
                                        limn_sampler_options *out);
/** The same of a file.  @return also LIMN_NOT_FOUND, LIMN_IO */
limn_status limn_scheduler_config_read(limn_ctx *ctx, const char *file, limn_sampler_options *out);

#endif
