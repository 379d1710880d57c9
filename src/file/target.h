/* target.h: where a result may go: said before the work, not after it. */
#ifndef LIMN_TARGET_H
#define LIMN_TARGET_H

#include "base/base.h"

bool limn_path_is_folder(const char *path);
/** "/dev/stdout", "/dev/fd/1". */
bool limn_path_is_stdout(const char *path);
/** Whether a name ends in one of "a|b", capitals or not, and is more than that. */
bool limn_path_ends_in(const char *path, const char *endings);
/** A file can be written: its folder is there and takes files, the file itself, where there is one, may be replaced, stdout
 *  is no terminal.  @return LIMN_NOT_FOUND; LIMN_IO; LIMN_BAD_ARGUMENT: a terminal */
limn_status limn_target_folder_check(limn_ctx *ctx, const char *flag, const char *path);
/** The same, its name ends in one of "a|b" (stdout has no ending), and it is no folder itself.  The sentence begins with
 *  the flag. */
limn_status limn_target_check(limn_ctx *ctx, const char *flag, const char *path, const char *endings);

#endif
