/* bytes.c: reading, mapping, atomic writing. */
#include "file/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static limn_status open_regular(limn_ctx *ctx, const char *path, int *fd, size_t *n)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (*fd < 0) return limn_fail(ctx, errno == ENOENT || errno == ENOTDIR ? LIMN_NOT_FOUND : LIMN_IO, "%s: %s", path, strerror(errno));
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: not a regular file", path);
    }
    *n = (size_t)st.st_size;
    return LIMN_OK;
}

limn_status limn_file_read(limn_ctx *ctx, const char *path, size_t limit, unsigned char **out, size_t *n)
{
    int fd;
    *out = NULL;
    limn_status status = open_regular(ctx, path, &fd, n);
    if (status != LIMN_OK) return status;
    if (*n > limit) status = limn_fail(ctx, LIMN_BAD_FILE, "%s: %zu bytes, at most %zu are expected", path, *n, limit);
    unsigned char *bytes = status == LIMN_OK ? malloc(*n + 1) : NULL;
    if (status == LIMN_OK && !bytes) status = limn_fail_memory(ctx, *n, path);
    size_t done = 0;
    while (status == LIMN_OK && done < *n) {
        ssize_t got = read(fd, bytes + done, *n - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) status = limn_fail(ctx, LIMN_IO, "%s: read stopped at byte %zu of %zu: %s", path, done, *n, got ? strerror(errno) : "file was cut");
        else done += (size_t)got;
    }
    close(fd);
    if (status != LIMN_OK) {
        free(bytes);
        return status;
    }
    bytes[*n] = 0;
    *out = bytes;
    return LIMN_OK;
}

limn_status limn_file_map(limn_ctx *ctx, const char *path, const unsigned char **out, size_t *n)
{
    int fd;
    *out = NULL;
    limn_status status = open_regular(ctx, path, &fd, n);
    if (status != LIMN_OK) return status;
    void *bytes = *n ? mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (bytes == MAP_FAILED) return limn_fail(ctx, *n ? LIMN_IO : LIMN_BAD_FILE, "%s: %s", path, *n ? strerror(errno) : "the file is empty");
    *out = bytes;
    return LIMN_OK;
}

void limn_file_unmap(const unsigned char *bytes, size_t n)
{
    if (bytes) munmap((void *)(uintptr_t)bytes, n);
}

limn_status limn_file_create(limn_ctx *ctx, const char *path, limn_writer *writer)
{
    *writer = (limn_writer){.ctx = ctx, .fd = -1};
    if (strlen(path) >= sizeof writer->path) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a path of %zu characters is too long", strlen(path));
    snprintf(writer->path, sizeof writer->path, "%s", path);
    snprintf(writer->temporary, sizeof writer->temporary, "%s.XXXXXX", path);
    writer->fd = mkostemp(writer->temporary, O_CLOEXEC);
    if (writer->fd < 0) return writer->status = limn_fail(ctx, LIMN_IO, "%s: cannot create: %s", path, strerror(errno));
    mode_t mask = umask(0);
    umask(mask);
    fchmod(writer->fd, 0666 & ~mask);
    return LIMN_OK;
}

void limn_file_write(limn_writer *w, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n && w->status == LIMN_OK) {
        ssize_t put = write(w->fd, p, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) w->status = limn_fail(w->ctx, LIMN_IO, "%s: cannot write: %s", w->path, strerror(errno));
        else p += put, n -= (size_t)put;
    }
}

void limn_file_discard(limn_writer *w)
{
    if (w->fd < 0) return;
    close(w->fd);
    unlink(w->temporary);
    w->fd = -1;
}

static void sync_folder(const char *path)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

limn_status limn_file_commit(limn_writer *w)
{
    if (w->status == LIMN_OK && fsync(w->fd) != 0) w->status = limn_fail(w->ctx, LIMN_IO, "%s: cannot write: %s", w->path, strerror(errno));
    if (w->status == LIMN_OK && rename(w->temporary, w->path) != 0)
        w->status = limn_fail(w->ctx, LIMN_IO, "%s: cannot rename into place: %s", w->path, strerror(errno));
    if (w->status != LIMN_OK) {
        limn_file_discard(w);
        return w->status;
    }
    close(w->fd);
    w->fd = -1;
    sync_folder(w->path);
    return LIMN_OK;
}
