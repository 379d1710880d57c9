/* generate.h: what the project's own programs need beside the public pipeline of limn.h. */
#ifndef LIMN_GENERATE_H
#define LIMN_GENERATE_H

#include "file/image.h"
#include "model/model.h"

/** The network's settings; borrowed. */
const limn_settings *limn_pipeline_settings(const limn_pipeline *pipeline);

#endif
