/* describe.h: what the files of limn describe share. */
#ifndef LIMN_CLI_DESCRIBE_H
#define LIMN_CLI_DESCRIBE_H

#include "cli.h"
#include "limn/network.h"

/** The table of all families and presets, as text or JSON on stdout. */
limn_status cli_families_print(limn_ctx *ctx);
limn_status cli_families_json(limn_ctx *ctx);

#endif
