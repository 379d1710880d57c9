/* classes.c: see classes.h. */
#include "data/classes.h"

#include "data/listing.h"

#include <stdlib.h>
#include <string.h>

void limn_class_name_write(limn_text *out, const char *name)
{
    for (const char *p = name; *p; p++) {
        const char *escape = *p == '\n' ? "\\n" : *p == '\r' ? "\\r" : *p == '\\' ? "\\\\" : NULL;
        if (escape) limn_text_append(out, escape, 2);
        else limn_text_append(out, p, 1);
    }
    limn_text_append(out, "\n", 1);
}

/* A line of n bytes. */
static char *read_name(limn_arena *arena, const char *line, size_t n)
{
    char *name = limn_arena_alloc(arena, n + 1), *to = name;
    for (size_t i = 0; name && i < n; i++) {
        char next = line[i] == '\\' && i + 1 < n ? line[i + 1] : '\0';
        if (next == 'n' || next == 'r' || next == '\\') *to++ = next == 'n' ? '\n' : next == 'r' ? '\r' : '\\', i++;
        else *to++ = line[i];
    }
    return name; /* the arena's bytes are zero */
}

limn_status limn_class_names_read(limn_ctx *ctx, limn_arena *arena, const char *text, const char *const **names, int *n)
{
    size_t lines = 0, i = 0;
    for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') lines++;
    const char **out = limn_arena_alloc(arena, (lines + 1) * sizeof *out);
    if (!out) return limn_fail_memory(ctx, lines * sizeof *out, "names of classes");
    for (const char *p = text; *p; p += *p == '\n') {
        size_t length = strcspn(p, "\n");
        if (!(out[i++] = read_name(arena, p, length))) return limn_fail_memory(ctx, length, "the name of a class");
        p += length;
    }
    *names = out, *n = (int)lines;
    return LIMN_OK;
}

/* Digits alone, of a number up to most; else -1. */
static int number_of(const char *word, int most)
{
    size_t n = strlen(word);
    if (n == 0 || n > 18 || strspn(word, "0123456789") != n) return -1;
    long long number = strtoll(word, NULL, 10);
    return number <= most ? (int)number : -1;
}

limn_class_word limn_class_find(const char *const *names, int n, int most, const char *word)
{
    limn_class_word found = {-1, number_of(word, most)};
    for (int i = 0; i < n && found.class < 0; i++)
        if (strcmp(names[i], word) == 0) found.class = i;
    for (int i = 0; i < n && found.class < 0; i++)
        if (limn_names_same(names[i], strlen(names[i]), word, strlen(word))) found.class = i;
    if (found.class < 0) found.class = *word == '@' ? number_of(word + 1, most) : found.number;
    return found;
}

void limn_class_tell(limn_ctx *ctx, const char *flag, const char *word, limn_class_word found)
{
    if (found.number >= 0 && found.number != found.class)
        limn_log(ctx, LIMN_LOG_WARN,
                 "%s %s: the class that was named \"%s\" in training, its number is %d; @%s is the class number %d", flag,
                 word, word, found.class, word, found.number);
}
