/* inspect.h: what the files of limn inspect share. */
#ifndef LIMN_CLI_INSPECT_H
#define LIMN_CLI_INSPECT_H

#include "file/png_text.h"
#include "file/safetensors.h"
#include "model/fit.h"

#include <jansson.h>

/** The tensors of a file as a table.  all false: numbered repetitions are folded ("blocks.0-11.attn.qkv.weight"), the
 *  optimizer's state is counted, and after 150 lines the rest is counted. */
limn_status cli_tensors_print(limn_ctx *ctx, const limn_safetensors *st, bool all);
/** Everything about one weight file, or one picture, as JSON; the caller owns it, NULL when memory is out. */
json_t *cli_weights_json(const char *file, const limn_safetensors *st, const limn_fit *fit);
json_t *cli_picture_json(const char *file, const limn_png_info *info);

#endif
