/* finite.h: an output of NaN or infinity is said, with the weights that did it, and never becomes a picture. */
#ifndef LIMN_FINITE_H
#define LIMN_FINITE_H

#include "base/base.h"

/**
 * Check n numbers that a network gave.
 *
 * @param file   its weights, which are searched for the first tensor that is not finite; NULL: they are in memory only
 * @param where  "step 3 of 20", "decoder", or ""
 * @return LIMN_OK; LIMN_BAD_FILE naming file, place, and the tensor or that there is none; without
 * a file LIMN_DIVERGED */
limn_status limn_finite_check(limn_ctx *ctx, const char *file, const char *where, size_t n, const float *x);

#endif
