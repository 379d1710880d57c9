/* fuzz_bpe.h: an input as a file of byte pairs on a disk; its first byte: how many merges are asked for. */
#ifndef LIMN_FUZZ_BPE_H
#define LIMN_FUZZ_BPE_H

#include "text/clip_bpe.h"

#include <sys/mman.h>
#include <unistd.h>

typedef limn_status fuzz_opener(limn_ctx *ctx, const char *path, int n_merges, limn_clip_bpe **out);

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

/* What opens encodes the input to ids of its vocabulary; what does not says why. */
static inline int fuzz_bpe(fuzz_opener *open_file, const uint8_t *data, size_t n)
{
    if (!n) return 0;
    int fd = memfd_create("input", MFD_CLOEXEC);
    char path[64];
    require(fd >= 0 && write(fd, data + 1, n - 1) == (ssize_t)(n - 1));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    limn_ctx *ctx = limn_ctx_new();
    limn_clip_bpe *bpe = NULL;
    int n_merges = data[0] == 255 ? -1 : data[0] % 16;
    limn_status status = open_file(ctx, path, n_merges, &bpe);
    require(status == LIMN_OK ? bpe != NULL : bpe == NULL && *limn_error_text(ctx));
    if (bpe) {
        int32_t ids[77];
        require(n_merges < 0 || limn_clip_bpe_vocab(bpe) == 514 + n_merges);
        require(limn_clip_bpe_encode(ctx, bpe, (const char *)data, n, 77, ids, NULL, NULL) == LIMN_OK);
        for (int i = 0; i < 77; i++) require(ids[i] >= 0 && ids[i] < limn_clip_bpe_vocab(bpe));
    }
    limn_clip_bpe_free(bpe);
    limn_ctx_free(ctx);
    close(fd);
    return 0;
}

#endif
