/* memory.c: aligned memory, checked sizes, the arena, the growing text, what the machine can give. */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *limn_alloc_aligned(size_t bytes)
{
    size_t padded;
    if (!limn_add_size(bytes ? bytes : 1, LIMN_ALIGN - 1, &padded)) return NULL;
    return aligned_alloc(LIMN_ALIGN, padded / LIMN_ALIGN * LIMN_ALIGN);
}

void limn_free_aligned(void *p)
{
    free(p);
}

void limn_free(void *text)
{
    free(text);
}

bool limn_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool limn_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* ---- arena ---- */

typedef struct arena_block {
    struct arena_block *next;
    size_t used, bytes;
    _Alignas(16) unsigned char data[];
} arena_block;

struct limn_arena {
    arena_block *first;
};

enum { ARENA_BLOCK = 64 * 1024 };

limn_arena *limn_arena_new(void)
{
    return calloc(1, sizeof(limn_arena));
}

void limn_arena_free(limn_arena *arena)
{
    if (!arena) return;
    for (arena_block *block = arena->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

void *limn_arena_alloc(limn_arena *arena, size_t bytes)
{
    size_t need;
    if (!limn_add_size(bytes, 15, &need)) return NULL;
    need = need / 16 * 16;
    arena_block *block = arena->first;
    if (!block || block->bytes - block->used < need) {
        size_t size = need > ARENA_BLOCK ? need : ARENA_BLOCK, all;
        if (!limn_add_size(size, sizeof *block, &all) || !(block = calloc(1, all))) return NULL;
        block->bytes = size;
        block->next = arena->first;
        arena->first = block;
    }
    void *p = block->data + block->used;
    block->used += need;
    return p;
}

char *limn_arena_strdup(limn_arena *arena, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = limn_arena_alloc(arena, n);
    return copy ? memcpy(copy, text, n) : NULL;
}

char *limn_arena_join(limn_arena *arena, const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    char *text = limn_arena_alloc(arena, n + m + 2);
    if (!text) return NULL;
    memcpy(text, a, n);
    text[n] = '.';
    memcpy(text + n + 1, b, m + 1);
    return text;
}

char *limn_arena_printf_list(limn_arena *arena, const char *format, va_list args)
{
    char most[256]; /* that are written once */
    va_list again;
    va_copy(again, args);
    int n = limn_format_list(most, sizeof most, format, args);
    char *text = n < 0 ? NULL : limn_arena_alloc(arena, (size_t)n + 1);
    if (text && n < (int)sizeof most) memcpy(text, most, (size_t)n + 1);
    else if (text) limn_format_list(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

char *limn_arena_printf(limn_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = limn_arena_printf_list(arena, format, args);
    va_end(args);
    return text;
}

/* ---- text ---- */

static bool text_reserve(limn_text *text, size_t more)
{
    size_t need;
    if (text->failed) return false;
    if (!limn_add_size(text->n, more, &need) || !limn_add_size(need, 1, &need)) return !(text->failed = true);
    if (need <= text->capacity) return true;
    size_t capacity = text->capacity ? 2 * text->capacity : 256;
    if (capacity < need) capacity = need;
    char *bytes = realloc(text->bytes, capacity);
    if (!bytes) return !(text->failed = true);
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void limn_text_append(limn_text *text, const char *bytes, size_t n)
{
    if (!text_reserve(text, n)) return;
    memcpy(text->bytes + text->n, bytes, n);
    text->n += n;
    text->bytes[text->n] = '\0';
}

void limn_text_printf(limn_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = limn_format_list(NULL, 0, format, args);
    if (n >= 0 && text_reserve(text, (size_t)n)) {
        limn_format_list(text->bytes + text->n, (size_t)n + 1, format, again);
        text->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void limn_text_free(limn_text *text)
{
    free(text->bytes);
    *text = (limn_text){0};
}

/* ---- what the machine can give ---- */

static size_t number_after(const char *path, const char *key)
{
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    char line[256];
    unsigned long long value = 0;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), " %llu", &value) == 1) break;
    fclose(f);
    return (size_t)value;
}

size_t limn_memory_available(void)
{
    size_t machine = number_after("/proc/meminfo", "MemAvailable:") * 1024;
    size_t limit = number_after("/sys/fs/cgroup/memory.max", ""), used = number_after("/sys/fs/cgroup/memory.current", "");
    if (limit > used && limit - used < machine) return limit - used;
    return machine;
}
