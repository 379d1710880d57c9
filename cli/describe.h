/* describe.h: what the files of limn describe share. */
#ifndef LIMN_CLI_DESCRIBE_H
#define LIMN_CLI_DESCRIBE_H

#include "cli.h"
#include "limn/network.h"

/** The table of all families and presets, as text or JSON on stdout. */
limn_status cli_families_print(limn_ctx *ctx);
limn_status cli_families_json(limn_ctx *ctx);

/* What describe is told of several processes; NULL: not. */
typedef struct describe_ranks {
    const char *ranks, *accumulate, *inner_steps, *comm_dtype, *link, *latency, *message, *step_seconds;
    bool shard_state;
} describe_ranks;

/** A flag that is for --ranks only; NULL: there is none. */
const char *cli_describe_ranks_first(const describe_ranks *flags);
/** @return false after a message */
bool cli_describe_ranks_read(const describe_ranks *flags, limn_scaling_options *out);
/** What each holds and sends, and a table of what is expected. */
limn_status cli_describe_ranks_print(limn_ctx *ctx, const limn_cost *training, const limn_scaling_options *options);

#endif
