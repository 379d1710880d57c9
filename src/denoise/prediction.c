/* prediction.c: eps, v, x0, flow. */
#include "denoise/prediction.h"

#include <math.h>
#include <string.h>

limn_conversion limn_convert_prediction(limn_prediction prediction, double a, double b)
{
    double square = a * a + b * b, sum = a + b;
    switch (prediction) {
    case LIMN_PREDICT_V: /* v = a n - b x0, x = a x0 + b n */
        return (limn_conversion){a / square, -b / square, b / square, a / square};
    case LIMN_PREDICT_X0:
        return (limn_conversion){0, 1, 1 / b, -a / b};
    case LIMN_PREDICT_FLOW: /* u = n - x0 */
        return (limn_conversion){1 / sum, -b / sum, 1 / sum, a / sum};
    default:
        return (limn_conversion){1 / a, -b / a, 0, 1};
    }
}

void limn_prediction_target(limn_prediction prediction, double a, double b, double *x0_w, double *n_w)
{
    *x0_w = prediction == LIMN_PREDICT_V ? -b : prediction == LIMN_PREDICT_X0 ? 1 : prediction == LIMN_PREDICT_FLOW ? -1 : 0;
    *n_w = prediction == LIMN_PREDICT_V ? a : prediction == LIMN_PREDICT_X0 ? 0 : 1;
}

static const struct { const char *name, *other; } names[LIMN_N_PREDICTIONS] = {
    [LIMN_PREDICT_EPS] = {"eps", "epsilon"},
    [LIMN_PREDICT_V] = {"v", "v_prediction"},
    [LIMN_PREDICT_X0] = {"x0", "sample"},
    [LIMN_PREDICT_FLOW] = {"flow", "flow_prediction"},
};

bool limn_prediction_find(const char *name, limn_prediction *out)
{
    for (int i = 0; i < LIMN_N_PREDICTIONS; i++)
        if (!strcmp(name, names[i].name) || !strcmp(name, names[i].other)) {
            *out = (limn_prediction)i;
            return true;
        }
    return false;
}

const char *limn_prediction_name(limn_prediction prediction)
{
    return prediction < LIMN_N_PREDICTIONS ? names[prediction].name : "?";
}

double limn_snr(double a, double b) { return b > 0 ? a * a / (b * b) : INFINITY; }

/* In terms of a^2 and b^2, so that neither SNR = 0 nor SNR = infinity divides by zero. */
double limn_min_snr_weight(limn_prediction prediction, double a, double b, double gamma)
{
    double signal = a * a, noise = b * b, least = fmin(signal, gamma * noise);
    switch (prediction) {
    case LIMN_PREDICT_V: return least / (signal + noise);
    case LIMN_PREDICT_X0: return fmin(limn_snr(a, b), gamma);
    case LIMN_PREDICT_FLOW: return least / ((a + b) * (a + b));
    default: return signal > 0 ? least / signal : 1;
    }
}
