/* describe.h: what the files of limn describe share. */
#ifndef LIMN_CLI_DESCRIBE_H
#define LIMN_CLI_DESCRIBE_H

#include "cli.h"
#include "limn/network.h"

/** One network as JSON on stdout.  g, output: as it was built */
limn_status cli_describe_json(limn_ctx *ctx, const char *name, const limn_network *network, const limn_cost_options *o,
                              const limn_graph *g, const limn_node *output);
/** The table of all families and presets, as text or JSON on stdout. */
limn_status cli_families_print(limn_ctx *ctx);
limn_status cli_families_json(limn_ctx *ctx);

#endif
