/* train_flags.h: flags of limn train that are meant for some networks only. */
#ifndef LIMN_CLI_TRAIN_FLAGS_H
#define LIMN_CLI_TRAIN_FLAGS_H

#include "cli.h"
#include "limn/train.h"

/** Whether a flag was on the command line. */
bool train_flag_is_set(const cli_flag *flag);
/** A flag that would change nothing in this training.  flags: all that were given, ends with a NULL name
 *  @return LIMN_BAD_ARGUMENT naming the flag and the networks it is meant for */
limn_status train_flags_check(limn_ctx *ctx, const limn_train_options *o, const char *const *flags);

#endif
