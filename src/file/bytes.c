/* bytes.c: reading and atomic writing. */
#include "file/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- in --------------------------------------------------------------------------------------------------------------- */

limn_status limn_file_open(limn_ctx *ctx, const char *path, int *fd, size_t *n)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not waiting for the writer of a pipe */
    if (*fd < 0)
        return limn_fail(ctx, errno == ENOENT || errno == ENOTDIR ? LIMN_NOT_FOUND : LIMN_IO, "%s: %s", path,
                         strerror(errno));
    st.st_mode = 0;
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        *fd = -1;
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %s", path,
                         S_ISDIR(st.st_mode) ? "is a folder, expected a file" : "not a regular file");
    }
    *n = (size_t)st.st_size;
    return LIMN_OK;
}

limn_status limn_file_read_at(limn_ctx *ctx, const char *path, int fd, size_t offset, size_t n, void *to)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return limn_fail(ctx, LIMN_IO, "%s: read stopped at byte %zu: %s", path, offset + done, strerror(errno));
        if (got == 0)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: ends at byte %zu, it was longer when it was opened", path,
                             offset + done);
        done += (size_t)got;
    }
    return LIMN_OK;
}

limn_status limn_file_read(limn_ctx *ctx, const char *path, size_t limit, unsigned char **out, size_t *n)
{
    int fd;
    *out = NULL;
    limn_status status = limn_file_open(ctx, path, &fd, n);
    if (status != LIMN_OK) return status;
    if (*n > limit) status = limn_fail(ctx, LIMN_BAD_FILE, "%s: %zu bytes, at most %zu are expected", path, *n, limit);
    unsigned char *bytes = status == LIMN_OK ? malloc(*n + 1) : NULL;
    if (status == LIMN_OK && !bytes) status = limn_fail_memory(ctx, *n, path);
    if (status == LIMN_OK) status = limn_file_read_at(ctx, path, fd, 0, *n, bytes);
    close(fd);
    if (status != LIMN_OK) {
        free(bytes);
        return status;
    }
    bytes[*n] = 0;
    *out = bytes;
    return LIMN_OK;
}

limn_status limn_text_begin(limn_ctx *ctx, const char *name, const void *bytes, size_t n, size_t *begin)
{
    static const struct { const char *mark; size_t n; const char *what; } others[] = { /* UTF-32's begins with UTF-16's */
        {"\xff\xfe\0\0", 4, "UTF-32, little end first"}, {"\0\0\xfe\xff", 4, "UTF-32, big end first"},
        {"\xff\xfe", 2, "UTF-16, little end first"}, {"\xfe\xff", 2, "UTF-16, big end first"},
    };
    *begin = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (n >= others[i].n && memcmp(bytes, others[i].mark, others[i].n) == 0)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s begins with the byte order mark of %s: expected UTF-8, save it as such",
                             name, others[i].what);
    return LIMN_OK;
}

/* ---- out -------------------------------------------------------------------------------------------------------------- */

static limn_status cannot(limn_writer *w, const char *what)
{
    return w->status = limn_fail(w->ctx, LIMN_IO, "%s: cannot %s: %s", w->path, what, strerror(errno));
}

bool limn_file_behind(const char *path, char out[LIMN_PATH_BYTES])
{
    enum { MOST_LINKS = 40 }; /* Linux follows as many */
    char link[LIMN_PATH_BYTES];
    if (snprintf(out, LIMN_PATH_BYTES, "%s", path) >= LIMN_PATH_BYTES) return false;
    for (int i = 0; i <= MOST_LINKS; i++) {
        ssize_t n = readlink(out, link, sizeof link - 1);
        if (n < 0) return true;
        char *slash = strrchr(out, '/');
        size_t folder = link[0] == '/' || !slash ? 0 : (size_t)(slash - out) + 1;
        if (folder + (size_t)n >= LIMN_PATH_BYTES) return false;
        memcpy(out + folder, link, (size_t)n);
        out[folder + (size_t)n] = '\0';
    }
    return false;
}

int limn_file_descriptor(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    if (strcmp(path, "/dev/stdout") == 0) return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0) return STDERR_FILENO;
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(folders[i]), digits = strncmp(path, folders[i], n) == 0 ? strspn(path + n, "0123456789") : 0;
        if (digits && digits < 9 && !path[n + digits]) return atoi(path + n);
    }
    return -1;
}

/* Where the bytes go in the end: the file behind links; a device or pipe is told by w->direct. */
static limn_status find_target(limn_writer *w, const char *path)
{
    struct stat st;
    bool there = stat(path, &st) == 0, file = there && S_ISREG(st.st_mode);
    if (there && S_ISDIR(st.st_mode))
        return w->status = limn_fail(w->ctx, LIMN_IO, "%s: is a folder, expected the name of a file", path);
    w->direct = limn_file_descriptor(path) >= 0 || (there && !file);
    bool fits = w->direct ? snprintf(w->path, sizeof w->path, "%s", path) < (int)sizeof w->path
                          : limn_file_behind(path, w->path);
    const char *slash = fits ? strrchr(w->path, '/') : NULL;
    int folder = slash ? (int)(slash - w->path) + 1 : 0;
    int n = fits ? snprintf(w->partial, sizeof w->partial, "%.*s.%s.partial", folder, w->path, w->path + folder) : 0;
    if (!fits || n >= (int)sizeof w->partial)
        return w->status = limn_fail(w->ctx, LIMN_BAD_ARGUMENT,
                                     "a path of %zu characters is too long, or a link in a circle", strlen(path));
    if (file && faccessat(AT_FDCWD, w->path, W_OK, AT_EACCESS) != 0) return cannot(w, "write over it");
    return LIMN_OK;
}

/* ctx->writing is read by a signal's handler, between any two instructions. */
static void enter(limn_writer *w)
{
    w->next = w->ctx->writing;
    atomic_signal_fence(memory_order_release);
    w->ctx->writing = w;
}

static void leave(limn_writer *w)
{
    struct limn_writer **at = &w->ctx->writing;
    while (*at && *at != w) at = &(*at)->next;
    if (*at) *at = w->next;
}

/* Whether the file behind a descriptor is the one of this name. */
static bool same_file(int fd, const char *name, struct stat *ours)
{
    struct stat there;
    return fstat(fd, ours) == 0 && stat(name, &there) == 0 && ours->st_ino == there.st_ino && ours->st_dev == there.st_dev;
}

/* Only what may be called in a handler.  It may have interrupted open_partial() before the descriptor was known; whoever
 * holds the lock owns the file. */
void limn_ctx_abandon(limn_ctx *ctx)
{
    struct stat ours;
    for (limn_writer *w = ctx->writing; w; w = w->next) {
        int fd = w->fd >= 0 ? w->fd : open(w->partial, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && same_file(fd, w->partial, &ours) && S_ISREG(ours.st_mode))
            unlink(w->partial);
    }
}

/* The new file belongs to whom the older one belonged, as far as we may give it away, and keeps its permissions; to a group
 * that is not the older one's, those of everybody. */
static void take_after_older(limn_writer *w)
{
    struct stat older, ours;
    if (stat(w->path, &older) != 0 || fstat(w->fd, &ours) != 0) return;
    mode_t mode = older.st_mode & 0777;
    bool given = fchown(w->fd, older.st_uid, older.st_gid) == 0 || ours.st_gid == older.st_gid ||
                 fchown(w->fd, (uid_t)-1, older.st_gid) == 0;
    if (!given) mode = (mode & 0707) | (mode & 070 & (mode & 07) << 3);
    if (fchmod(w->fd, mode) != 0)
        limn_log(w->ctx, LIMN_LOG_WARN, "%s: its permissions could not be kept: %s", w->path, strerror(errno));
}

/* A partial file of our own: made and locked.  One that is there already, of a process that was killed, has bytes and
 * permissions of its own, and goes.  Between opening and locking its writer may have renamed it, or somebody removed it:
 * then it is not ours, and we try again.  Until take_after_older() nobody else may open one that takes an older file's
 * place. */
static limn_status open_partial(limn_writer *w)
{
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    for (;;) {
        struct stat ours;
        bool made = (w->fd = open(w->partial, flags | O_CREAT | O_EXCL, access(w->path, F_OK) == 0 ? 0600 : 0666)) >= 0;
        bool older = !made && errno == EEXIST;
        if (older && (w->fd = open(w->partial, flags)) < 0 && errno == ENOENT) continue;
        if (w->fd < 0) return cannot(w, "create");
        if (flock(w->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            close(w->fd);
            w->fd = -1;
            return w->status = limn_fail(w->ctx, LIMN_IO, "%s: another process is writing it", w->path);
        }
        bool same = same_file(w->fd, w->partial, &ours);
        bool file = same && S_ISREG(ours.st_mode);
        if (file && made) return take_after_older(w), LIMN_OK;
        if (same && !file) errno = EEXIST; /* a pipe or device, somebody else's */
        if (same && (!file || unlink(w->partial) != 0)) cannot(w, "create");
        close(w->fd);
        w->fd = -1;
        if (w->status != LIMN_OK) return w->status;
    }
}

limn_status limn_file_create(limn_ctx *ctx, const char *path, limn_writer *w)
{
    *w = (limn_writer){.ctx = ctx, .fd = -1};
    if (find_target(w, path) != LIMN_OK) return w->status;
    if (!w->direct) {
        enter(w);
        if (open_partial(w) != LIMN_OK) leave(w);
        return w->status;
    }
    int fd = limn_file_descriptor(w->path);
    w->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : open(w->path, O_WRONLY | O_CLOEXEC);
    return w->fd < 0 ? cannot(w, "open") : LIMN_OK;
}

/* Beyond `ulimit -f` a write to a file would not fail but end the process (SIGXFSZ). */
static bool within_limit(limn_writer *w, size_t n)
{
    struct rlimit limit;
    struct stat st;
    off_t at = !w->direct || (fstat(w->fd, &st) == 0 && S_ISREG(st.st_mode)) ? lseek(w->fd, 0, SEEK_CUR) : -1;
    if (at < 0 || getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return true;
    if ((rlim_t)at <= limit.rlim_cur && n <= limit.rlim_cur - (rlim_t)at) return true;
    errno = EFBIG;
    return false;
}

void limn_file_write(limn_writer *w, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n && w->status == LIMN_OK) {
        ssize_t put = within_limit(w, n) ? write(w->fd, p, n) : -1;
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) cannot(w, "write");
        else p += put, n -= (size_t)put;
    }
}

void limn_file_patch(limn_writer *w, size_t offset, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n && w->status == LIMN_OK) {
        ssize_t put = pwrite(w->fd, p, n, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) cannot(w, "write");
        else p += put, n -= (size_t)put, offset += (size_t)put;
    }
}

void limn_file_discard(limn_writer *w)
{
    if (w->fd < 0) return;
    if (!w->direct) unlink(w->partial); /* before the lock goes with the descriptor */
    leave(w);
    close(w->fd);
    w->fd = -1;
}

/* After a failed fsync the kernel may call the lost pages clean: never tried twice, the file is given up. */
static void sync_file(limn_writer *w)
{
    int code;
    do code = fsync(w->fd);
    while (code != 0 && errno == EINTR);
    if (code != 0) cannot(w, "write");
}

char *limn_path_last(const char *path, char *out, size_t out_bytes)
{
    size_t end = strlen(path);
    while (end && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin && path[begin - 1] != '/') begin--;
    snprintf(out, out_bytes, "%.*s", (int)(end - begin), path + begin);
    if (!strcmp(out, ".") || !strcmp(out, "..")) *out = '\0';
    return out;
}

/* The name in its folder.  Some file systems cannot sync folders and say EINVAL. */
static void sync_folder(limn_writer *w)
{
    const char *slash = strrchr(w->path, '/');
    char folder[LIMN_PATH_BYTES];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - w->path) + 1 : 1, slash ? w->path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return; /* a folder that may be written but not read */
    if (fsync(fd) != 0 && errno != EINVAL && errno != EINTR) cannot(w, "sync the folder of");
    close(fd);
}

limn_status limn_file_commit(limn_writer *w)
{
    if (w->status == LIMN_OK && !w->direct) {
        sync_file(w);
        if (w->status == LIMN_OK && rename(w->partial, w->path) != 0) cannot(w, "rename into place");
    }
    if (w->status != LIMN_OK) {
        limn_file_discard(w);
        return w->status;
    }
    leave(w);
    if (close(w->fd) != 0 && errno != EINTR) cannot(w, "write");
    w->fd = -1;
    if (!w->direct) sync_folder(w);
    return w->status;
}
