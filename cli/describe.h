/* describe.h: what the files of limn describe share. */
#ifndef LIMN_CLI_DESCRIBE_H
#define LIMN_CLI_DESCRIBE_H

#include "train/cost.h"

/** One network as JSON on stdout.  loss: NULL: its family's */
limn_status cli_describe_json(limn_ctx *ctx, const char *name, const char *loss, const limn_cost_options *o,
                              const limn_graph *g, const limn_ports *ports);
/** The table of all families and presets, as text or JSON on stdout. */
limn_status cli_families_print(limn_ctx *ctx);
limn_status cli_families_json(limn_ctx *ctx);

#endif
