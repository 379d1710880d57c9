/* store.h: what is constant, made once and never changed: weights in the layout of their kernels, and what follows from
 * weights alone.
 *
 * One store serves all plans and runs of a network.  A value is known by what it is (the name of the weight, or the hash of
 * the constant subgraph), how it lies (the layout of its kernel) and its type: two plans that ask for the same get the same
 * bytes.  Values live in the memory of a backend.  Several threads may use one store. */
#ifndef LIMN_STORE_H
#define LIMN_STORE_H

#include "tensor/tensor.h"

typedef struct limn_store_key {
    uint64_t what, how;  /* how 0: rows of dtype, as they are in a file */
    limn_dtype dtype;
    size_t bytes;
} limn_store_key;

typedef struct limn_store limn_store;

/** allocate, release: of the backend whose kernels read the values.  @return LIMN_OK: free with limn_store_free();
 *  LIMN_NO_MEMORY */
limn_status limn_store_new(limn_ctx *ctx, void *(*allocate)(size_t bytes), void (*release)(void *memory), limn_store **out);
void limn_store_free(limn_store *s); /* NULL is allowed; no run may use it any more */

/** Whoever makes values locks the store meanwhile; others wait. */
void limn_store_lock(limn_store *s);
void limn_store_unlock(limn_store *s);

/** The value, or NULL: it was not made.  While locked. */
void *limn_store_find(const limn_store *s, const limn_store_key *key);
/** Memory for the values that are added next, together: the sum of limn_store_padded() of theirs.  While locked.  @return
 *  false: memory is out */
bool limn_store_reserve(limn_store *s, size_t bytes);
size_t limn_store_padded(size_t bytes);
/** Room for a value that is not there, to be filled before the store is unlocked.  While locked.  @return NULL: memory is
 *  out */
void *limn_store_add(limn_store *s, const limn_store_key *key);
/** Values there are; forget those from number n on, which could not be filled.  While locked. */
int limn_store_count(const limn_store *s);
void limn_store_cut(limn_store *s, int n);
/** Forget every value: their source has changed.  No run may be under way. */
void limn_store_clear(limn_store *s);
/** While not locked. */
size_t limn_store_bytes(limn_store *s);

#endif
