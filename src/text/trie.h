/* trie.h: which of many words a text begins with, in steps of one byte. */
#ifndef LIMN_TEXT_TRIE_H
#define LIMN_TEXT_TRIE_H

#include "base/base.h"

typedef struct limn_trie_word {
    const char *text;
    uint32_t n;
    int32_t id;
    uint64_t key; /* limn_trie_sort()'s: the first 8 bytes as one number */
} limn_trie_word;

/* Children of a node lie side by side in the order of their bytes. */
typedef struct limn_trie_node {
    uint32_t first;
    int32_t id; /* of the word that ends here, or -1 */
    uint16_t n;
    uint8_t byte;
} limn_trie_node;

typedef struct limn_trie { limn_trie_node *node; } limn_trie; /* {NULL}: no words */

/** In the order that limn_trie_make() wants: two that are equal then stand side by side. */
void limn_trie_sort(limn_trie_word *words, size_t n);
/** @param words  sorted, none empty, no two equal, fewer than 2^32 bytes in all; not kept.  @return false: memory is out */
bool limn_trie_make(limn_trie *t, const limn_trie_word *words, size_t n);
void limn_trie_free(limn_trie *t);

/** The node behind `node` (0: the start) over one byte; 0: there is none. */
static inline uint32_t limn_trie_step(const limn_trie *t, uint32_t node, uint8_t byte)
{
    const limn_trie_node *child = t->node + t->node[node].first;
    uint32_t low = 0;
    for (uint32_t n = t->node[node].n; n; n /= 2) { /* the first that is not below byte */
        uint32_t half = n / 2;
        if (child[low + half].byte < byte) low += half + 1, n--;
    }
    return low < t->node[node].n && child[low].byte == byte ? t->node[node].first + low : 0;
}

#endif
