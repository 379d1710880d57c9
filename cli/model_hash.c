/* model_hash.c: see model_hash.h.
 *
 * The cache is lines of "SHA-256 bytes time path": bytes and time (of the last change, in ns) summed over the files, the
 * path that of the first. */
#include "model_hash.h"

#include "file/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 18, DIGITS = 2 * SHA256_DIGEST_SIZE, CACHE_BYTES = 1 << 20 };

struct model_hash {
    const limn_pipeline *p;
    char path[LIMN_PATH_BYTES];  /* of the first file, without links */
    size_t bytes;                /* of all files */
    uint64_t time;
    pthread_t thread;
    bool threaded;
    atomic_bool stop;            /* the thread leaves the rest to others */
    struct sha256_ctx sha;       /* below: the thread's, until it is joined */
    unsigned char *chunk;
    int file, fd;                /* that is read: its number, -1: the next one */
    size_t read;                 /* of all files */
    bool failed;
    char digits[DIGITS + 1];     /* "": not known yet */
};

/* Bytes and times of all files, as they are now. */
static bool look(const limn_pipeline *p, size_t *bytes, uint64_t *time)
{
    const char *path;
    struct stat st;
    *bytes = 0, *time = 0;
    for (int i = 0; (path = limn_pipeline_weights(p, i)); i++) {
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return false;
        *bytes += (size_t)st.st_size;
        *time += (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    }
    return true;
}

/* ---- making ----------------------------------------------------------------------------------------------------------- */

static void write_digits(model_hash *h)
{
    unsigned char digest[SHA256_DIGEST_SIZE];
    size_t bytes;
    uint64_t time;
    sha256_digest(&h->sha, sizeof digest, digest);
    if (!look(h->p, &bytes, &time) || bytes != h->bytes || time != h->time || bytes != h->read) h->failed = true;
    for (size_t i = 0; i < sizeof digest && !h->failed; i++) snprintf(h->digits + 2 * i, 3, "%02x", digest[i]);
}

/* One chunk more.  @return false: there is none, or it cannot be read */
static bool advance(model_hash *h)
{
    const char *path = limn_pipeline_weights(h->p, h->file);
    if (!path) return write_digits(h), false;
    if (h->fd < 0) h->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = h->fd < 0 ? -1 : read(h->fd, h->chunk, CHUNK);
    if (n < 0 && errno == EINTR && h->fd >= 0) return true;
    if (n < 0) return h->failed = true, false;
    sha256_update(&h->sha, (size_t)n, h->chunk);
    h->read += (size_t)n;
    if (n == 0) close(h->fd), h->fd = -1, h->file++;
    return true;
}

/* The lowest of priorities: it takes no time from the networks. */
static void *work(void *data)
{
    model_hash *h = data;
    pthread_setschedparam(pthread_self(), SCHED_IDLE, &(struct sched_param){0});
    while (!atomic_load_explicit(&h->stop, memory_order_relaxed) && advance(h)) continue;
    return NULL;
}

static void join(model_hash *h)
{
    atomic_store(&h->stop, true);
    if (h->threaded) pthread_join(h->thread, NULL);
    h->threaded = false;
}

/* ---- the cache -------------------------------------------------------------------------------------------------------- */

/* The folder, with `make` made where it is not there.  @return false: there can be none */
static bool cache_folder(char out[LIMN_PATH_BYTES], bool make)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool own = cache && cache[0] == '/';
    if (!own && !(home && home[0] == '/')) return false;
    int base = snprintf(out, LIMN_PATH_BYTES, "%s%s", own ? cache : home, own ? "" : "/.cache");
    if (base < 0 || base > LIMN_PATH_BYTES - 100) return false;
    if (make) mkdir(out, 0700);
    snprintf(out + base, (size_t)(LIMN_PATH_BYTES - base), "/limn");
    if (make) mkdir(out, 0700);
    return true;
}

/* Text of the cache, NULL: there is none.  out: its path, "" where it cannot be. */
static char *read_cache(limn_ctx *ctx, char out[LIMN_PATH_BYTES], bool make)
{
    struct stat st;
    unsigned char *text = NULL;
    size_t n;
    bool can = cache_folder(out, make);
    if (can) snprintf(out + strlen(out), LIMN_PATH_BYTES - strlen(out), "/model-hashes");
    bool there = can && lstat(out, &st) == 0;
    if (!can || (there && !S_ISREG(st.st_mode))) return *out = '\0', NULL; /* a link would lead elsewhere */
    if (!there || limn_file_read(ctx, out, CACHE_BYTES, &text, &n) != LIMN_OK) return NULL;
    if (strlen((char *)text) == n) return (char *)text;
    free(text);
    return NULL;
}

/* A line [n]: is it one, and whose?  @return its path, which ends with the line; NULL: it is none */
static const char *path_of(const char *line, size_t n)
{
    const char *end = line + n, *at = line + DIGITS;
    if (n < DIGITS + 6 || strspn(line, "0123456789abcdef") != DIGITS) return NULL;
    for (int i = 0; i < 2; i++) {
        size_t digits = *at == ' ' ? strspn(at + 1, "0123456789") : 0;
        if (!digits || digits > 20) return NULL;
        at += 1 + digits;
    }
    return *at == ' ' && at + 1 < end ? at + 1 : NULL;
}

static void find_kept(limn_ctx *ctx, model_hash *h)
{
    char file[LIMN_PATH_BYTES], key[64];
    char *text = read_cache(ctx, file, false);
    int n_key = snprintf(key, sizeof key, " %zu %llu ", h->bytes, (unsigned long long)h->time);
    for (const char *line = text; line && *line;) {
        size_t n = strcspn(line, "\n");
        const char *path = path_of(line, n);
        bool same = path && path == line + DIGITS + n_key && strncmp(line + DIGITS, key, (size_t)n_key) == 0 &&
                    strlen(h->path) == (size_t)(line + n - path) && strncmp(path, h->path, strlen(h->path)) == 0;
        if (same) snprintf(h->digits, sizeof h->digits, "%.*s", DIGITS, line);
        line += n + (line[n] == '\n');
    }
    free(text);
}

/* The newest line first; what no longer fits goes, and what is none.  Failures are no matter. */
static void keep(limn_ctx *ctx, const model_hash *h)
{
    char file[LIMN_PATH_BYTES];
    limn_text all = {0};
    limn_writer writer;
    if (strchr(h->path, '\n')) return;
    char *text = read_cache(ctx, file, true);
    limn_text_printf(&all, "%s %zu %llu %s\n", h->digits, h->bytes, (unsigned long long)h->time, h->path);
    for (const char *line = text; line && *line;) {
        size_t n = strcspn(line, "\n"), n_own = strlen(h->path);
        const char *path = path_of(line, n);
        bool own = path && (size_t)(line + n - path) == n_own && strncmp(path, h->path, n_own) == 0;
        if (path && !own && all.n + n + 1 < CACHE_BYTES) limn_text_printf(&all, "%.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    if (*file && !all.failed && limn_file_create(ctx, file, &writer) == LIMN_OK) {
        limn_file_write(&writer, all.bytes, all.n);
        limn_file_commit(&writer);
    }
    limn_text_free(&all);
    free(text);
}

/* ---- all of it -------------------------------------------------------------------------------------------------------- */

model_hash *model_hash_begin(limn_ctx *ctx, const limn_pipeline *p)
{
    model_hash *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->p = p, h->fd = -1, h->chunk = malloc(CHUNK);
    char *path = realpath(limn_pipeline_weights(p, 0), NULL);
    bool fine = h->chunk && path && strlen(path) < sizeof h->path && look(p, &h->bytes, &h->time);
    if (fine) snprintf(h->path, sizeof h->path, "%s", path);
    free(path);
    if (!fine) return model_hash_free(h), NULL;
    find_kept(ctx, h);
    sha256_init(&h->sha);
    if (!*h->digits) h->threaded = pthread_create(&h->thread, NULL, work, h) == 0; /* else all is left to the end */
    return h;
}

const char *model_hash_known(const model_hash *h)
{
    return h && !h->threaded && *h->digits ? h->digits : NULL;
}

const char *model_hash_finish(limn_ctx *ctx, model_hash *h)
{
    if (!h || model_hash_known(h)) return h ? h->digits : NULL;
    const double soon = 0.3;
    double begin = limn_seconds();
    join(h);
    while (!h->failed && !*h->digits && advance(h))
        if (limn_seconds() - begin > soon && !limn_progress(ctx, "hash", (int64_t)h->read, (int64_t)h->bytes)) return NULL;
    if (!*h->digits) return NULL;
    if (limn_seconds() - begin > soon) limn_progress(ctx, "hash", (int64_t)h->bytes, (int64_t)h->bytes);
    keep(ctx, h);
    return h->digits;
}

void model_hash_free(model_hash *h)
{
    if (!h) return;
    join(h);
    if (h->fd >= 0) close(h->fd);
    free(h->chunk);
    free(h);
}
