/* trie.c: see trie.h. */
#include "text/trie.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const limn_trie_word *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

void limn_trie_sort(limn_trie_word *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char first[sizeof words->key] = {0};
        memcpy(first, words[i].text, words[i].n < sizeof first ? words[i].n : sizeof first);
        memcpy(&words[i].key, first, sizeof first);
        words[i].key = be64toh(words[i].key);
    }
    if (n) qsort(words, n, sizeof *words, compare);
}

static size_t count_nodes(const limn_trie_word *words, size_t n)
{
    size_t nodes = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t same = 0, most = i ? words[i - 1].n : 0;
        while (same < most && words[i - 1].text[same] == words[i].text[same]) same++; /* ends inside words[i]: they differ */
        nodes += words[i].n - same;
    }
    return nodes;
}

/* Words lo .. hi - 1 are those that go through a node, `depth` bytes from the start. */
typedef struct range { uint32_t lo, hi, depth; } range;

bool limn_trie_make(limn_trie *t, const limn_trie_word *words, size_t n)
{
    size_t nodes = count_nodes(words, n), used = 1;
    range *r = malloc(nodes * sizeof *r);
    *t = (limn_trie){malloc(nodes * sizeof *t->node)};
    if (!r || !t->node) {
        free(r), limn_trie_free(t);
        return false;
    }
    r[0] = (range){0, (uint32_t)n, 0};
    t->node[0] = (limn_trie_node){.id = -1};
    for (size_t i = 0; i < used; i++) {
        uint32_t at = r[i].lo, hi = r[i].hi, depth = r[i].depth;
        if (at < hi && words[at].n == depth) t->node[i].id = words[at++].id; /* the shortest stands first */
        t->node[i].first = (uint32_t)used;
        while (at < hi) {
            uint32_t begin = at;
            char byte = words[at].text[depth];
            while (at < hi && words[at].text[depth] == byte) at++;
            r[used] = (range){begin, at, depth + 1};
            t->node[used++] = (limn_trie_node){.id = -1, .byte = (uint8_t)byte};
        }
        t->node[i].n = (uint16_t)(used - t->node[i].first);
    }
    free(r);
    return true;
}

void limn_trie_free(limn_trie *t)
{
    free(t->node);
    t->node = NULL;
}
