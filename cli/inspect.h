/* inspect.h: what the files of limn inspect share. */
#ifndef LIMN_CLI_INSPECT_H
#define LIMN_CLI_INSPECT_H

#include "pipeline/inspect.h"

/** The tensors of a file as a table.  all false: numbered repetitions are folded ("blocks.0-11.attn.qkv.weight"), the
 *  optimizer's state is counted, and after 150 lines the rest is counted. */
limn_status cli_tensors_print(limn_ctx *ctx, const limn_weight_file *st, bool all);
void cli_latents_print(const limn_inspected_latents *l);

#endif
