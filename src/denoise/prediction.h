/* prediction.h: what a network may predict, and what that says about the clean picture and the noise.
 *
 * A noisy picture is x = a x0 + b n, n normal.  Variance-preserving schedules (DDPM): a^2 + b^2 = 1.  Rectified flow: a + b
 * = 1. */
#ifndef LIMN_DENOISE_PREDICTION_H
#define LIMN_DENOISE_PREDICTION_H

#include "base/base.h"
#include "limn/train.h"

/* x0 = x0_x x + x0_y y,  n = n_x x + n_y y  for the network's output y at x */
typedef struct limn_conversion { double x0_x, x0_y, n_x, n_y; } limn_conversion;

/** The one place where predictions are converted.  @param a, b  any but both 0; EPS divides by a, X0 by b. */
limn_conversion limn_convert_prediction(limn_prediction prediction, double a, double b);

/** What the network should output: *x0_w x0 + *n_w n. */
void limn_prediction_target(limn_prediction prediction, double a, double b, double *x0_w, double *n_w);

const char *limn_prediction_name(limn_prediction prediction);

/** a^2 / b^2; infinite for b = 0. */
double limn_snr(double a, double b);
/** Weight of the squared error of a prediction so that the error of x0 is weighted min(SNR, gamma) (Hang et al. 2023):
 *  eps min(SNR, gamma) / SNR, v min(SNR, gamma) / (SNR + 1), x0 min(SNR, gamma); flow min(a^2, gamma b^2) / (a + b)^2. */
double limn_min_snr_weight(limn_prediction prediction, double a, double b, double gamma);

#endif
