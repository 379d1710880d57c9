/* lock.c: flock() on a file that holds the number of the process. */
#include "file/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static limn_status taken(limn_ctx *ctx, const char *folder, int fd)
{
    char who[32] = "";
    ssize_t n = pread(fd, who, sizeof who - 1, 0);
    who[n > 0 ? n : 0] = '\0';
    long process = strtol(who, NULL, 10);
    if (process > 0)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: another training (process %ld) is working in this folder", folder,
                         process);
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: another training is working in this folder", folder);
}

limn_status limn_lock_take(limn_ctx *ctx, const char *folder, int *lock)
{
    char path[4096], who[32];
    *lock = -1;
    if (snprintf(path, sizeof path, "%s/.lock", folder) >= (int)sizeof path)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a path of %zu characters is too long", strlen(folder));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (fd < 0) return limn_fail(ctx, LIMN_IO, "%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        limn_status status = taken(ctx, folder, fd);
        close(fd);
        return status;
    }
    int n = snprintf(who, sizeof who, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, who, (size_t)n, 0) < n) /* a full disk: the lock holds, the name is missing */
        limn_log(ctx, LIMN_LOG_WARN, "%s: cannot write: %s", path, strerror(errno));
    *lock = fd;
    return LIMN_OK;
}

void limn_lock_release(int lock)
{
    if (lock >= 0) close(lock);
}
