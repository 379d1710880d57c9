/* make_gguf.h: a GGUF file in memory, field by field, so that any of them can lie. */
#ifndef MAKE_GGUF_H
#define MAKE_GGUF_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct gguf_bytes {
    unsigned char *bytes;
    size_t n, room;
} gguf_bytes;

static inline void gguf_put(gguf_bytes *g, const void *from, size_t n)
{
    if (g->n + n > g->room) g->bytes = realloc(g->bytes, g->room = 2 * (g->n + n));
    if (!g->bytes) abort();
    memcpy(g->bytes + g->n, from, n);
    g->n += n;
}

/* A whole number of `width` bytes. */
static inline void gguf_whole(gguf_bytes *g, size_t width, uint64_t x)
{
    for (size_t i = 0; i < width; i++) gguf_put(g, &(unsigned char){(unsigned char)(x >> 8 * i)}, 1);
}

static inline void gguf_text(gguf_bytes *g, const char *text)
{
    gguf_whole(g, 8, strlen(text));
    gguf_put(g, text, strlen(text));
}

static inline void gguf_head(gguf_bytes *g, uint32_t version, uint64_t tensors, uint64_t pairs)
{
    gguf_put(g, "GGUF", 4);
    gguf_whole(g, 4, version), gguf_whole(g, 8, tensors), gguf_whole(g, 8, pairs);
}

/* A pair whose value is a whole number of this type and width, or a text (8). */
static inline void gguf_number(gguf_bytes *g, const char *key, uint32_t type, size_t width, uint64_t value)
{
    gguf_text(g, key), gguf_whole(g, 4, type), gguf_whole(g, width, value);
}

static inline void gguf_string(gguf_bytes *g, const char *key, const char *value)
{
    gguf_text(g, key), gguf_whole(g, 4, 8), gguf_text(g, value);
}

/* dim: the fastest first, as in the file. */
static inline void gguf_tensor(gguf_bytes *g, const char *name, uint32_t rank, const uint64_t *dim, uint32_t type,
                               uint64_t offset)
{
    gguf_text(g, name), gguf_whole(g, 4, rank);
    for (uint32_t i = 0; i < rank && i < 8; i++) gguf_whole(g, 8, dim[i]);
    gguf_whole(g, 4, type), gguf_whole(g, 8, offset);
}

static inline void gguf_pad(gguf_bytes *g, size_t to)
{
    while (g->n % to) gguf_whole(g, 1, 0);
}

#endif
