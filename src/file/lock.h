/* lock.h: one process at a time for a folder. */
#ifndef LIMN_LOCK_H
#define LIMN_LOCK_H

#include "base/base.h"

/** Take FOLDER/.lock for this process; the system gives it back when the process ends, however it ends.  The file stays.
 *  @return LIMN_OK: release *lock with limn_lock_release(); LIMN_BAD_ARGUMENT names the process that has it; LIMN_IO */
limn_status limn_lock_take(limn_ctx *ctx, const char *folder, int *lock);
void limn_lock_release(int lock); /* -1 is allowed */

#endif
