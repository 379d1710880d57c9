/* probe.h: what a network predicts, where no file says it. */
#ifndef LIMN_PIPELINE_PROBE_H
#define LIMN_PIPELINE_PROBE_H

#include "pipeline/pipeline.h"

/**
 * Ask a U-Net of Stable Diffusion 2, once, and say so in a line; of other networks, and where something says it, nothing is
 * done.  Its weights are read for it, and free again: ask before any others are read.
 *
 * @param changes  p->prediction is another now
 * @return LIMN_OK; LIMN_NO_MEMORY; LIMN_BAD_FILE: NaN or infinity came out
 */
limn_status limn_probe_prediction(limn_pipeline *p, limn_precision precision, bool *changes);

#endif
