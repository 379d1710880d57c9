/* tree.h: sums over the parts of a step, the same bits whoever made which part.
 *
 * Addition of floats hangs on its order, so the order is fixed by the parts' numbers alone.  Node (level l, first part
 * a = k 2^l) is the sum of parts a .. a + 2^l - 1: of its children (l - 1, a) + (l - 1, a + 2^(l-1)); where the right one
 * has no part, it is the left one.  The sum over n parts is the node over all of them.
 *
 *     parts     0   1   2   3   4   5        6 parts: ((0+1) + (2+3)) + (4+5)
 *
 * A rank that makes some parts in a row keeps the sums of the whole nodes among them, as a binary counter does: of 2^l parts
 * that begin at a multiple of 2^l it is one at the end, of others at most 2 log2 of their number. */
#ifndef LIMN_TREE_H
#define LIMN_TREE_H

#include "comm/comm.h"

enum { LIMN_TREE_NODES = 64 };

/* Whole nodes, from left to right, none of them the two children of one. */
typedef struct limn_tree {
    int n;
    struct {
        int level;
        int64_t first; /* part */
    } node[LIMN_TREE_NODES];
} limn_tree;

/** One more node, right of the others (a part: level 0).
 *  @return how many of those at the end it completes: the new last node is their sum, made from the right:
 *          node[last - 1] + (new), then node[last - 2] + that */
int limn_tree_add(limn_tree *tree, int level, int64_t first);

/** The nodes of parts first .. first + n - 1.
 *  @param most  NULL, or the most nodes that lie there while the next part is made */
limn_tree limn_tree_of(int64_t first, int64_t n, int *most);

/** A node of two: left[i] += right[i]. */
void limn_tree_join(int n_threads, size_t n, float *left, const float *right);

/** x[0] + .. + x[n - 1] in the order of the tree, n >= 1. */
double limn_tree_sum_f64(const double *x, int64_t n);

/* Sums over the parts of all ranks.  The vector lies in pieces of size x each floats; block r of a piece is rank r's, which
 * adds what all have of it.  From there the sum goes to all, or stays (what is divided among ranks: train/shares.h). */
enum { LIMN_TREE_GRAIN = 4096 }; /* blocks are multiples of so many floats */

typedef struct limn_tree_sums {
    limn_comm *comm;
    int parts, nodes; /* of each rank; the most nodes that one has at the end */
    bool in_bf16;     /* half of the bytes: what is sent is rounded */
    int n_threads;    /* that add */
    size_t n, each;   /* floats of the vector, of a block */
    float *out, *in, *wire; /* [size, each]; [nodes, size, each]; of bf16 [2, size, each] */
} limn_tree_sums;

typedef struct limn_tree_block { /* of the vector */
    size_t begin, n;
} limn_tree_block;

/** For vectors of n floats of which each rank has `parts`, rank r those from r x parts on.  It has all the memory that sums
 *  take.
 *  @return LIMN_NO_MEMORY; limn_tree_sums_free() in any case */
limn_status limn_tree_sums_new(limn_comm *comm, int parts, size_t n, bool in_bf16, limn_tree_sums *out);
void limn_tree_sums_free(limn_tree_sums *sums);
/** Bytes that it takes, and that each rank sends (and receives) for a sum: 2 (size - 1) / size x n floats where parts is a
 *  power of two, else (1 + nodes) in place of 2, and what fills up the last piece. */
size_t limn_tree_sums_bytes(int size, int parts, size_t n, bool in_bf16);
double limn_tree_sums_traffic(int size, int parts, size_t n, bool in_bf16);
/** Calls of the group for a sum; in each a rank sends size - 1 messages of one length. */
double limn_tree_sums_calls(int size, int parts, size_t n);

size_t limn_tree_pieces(const limn_tree_sums *sums);
/** The floats of a piece; of a rank's block in it, which may be cut short by the end, or empty. */
limn_tree_block limn_tree_piece(const limn_tree_sums *sums, size_t piece);
limn_tree_block limn_tree_block_of(const limn_tree_sums *sums, size_t piece, int rank);
/** Floats of all blocks of a rank, one behind the other, those cut short too: of piece p they begin at p x each. */
size_t limn_tree_share_floats(int size, size_t n);

/** out[i] = scale x (sum of the parts of all ranks), in the order of the tree.
 *  @param sum  [limn_tree_of(rank x parts, parts).n] of n floats: the nodes of this rank; overwritten
 *  @param out  n floats; may be one of them
 *  @return what the group says */
limn_status limn_tree_sum(limn_tree_sums *sums, float *const *sum, float *out, float scale);
/** The same for the elements of a piece.  to_all: else only this rank's block of out is made */
limn_status limn_tree_sum_piece(limn_tree_sums *sums, size_t piece, float *const *sum, float *out, float scale, bool to_all);

/** Every rank's blocks of `whole` to all others. */
limn_status limn_tree_share(limn_tree_sums *sums, float *whole);
/** All ranks' blocks to rank 0, and from there to their ranks.
 *  @param own    [limn_tree_share_floats()]
 *  @param whole  n floats on rank 0, else NULL */
limn_status limn_tree_collect(limn_tree_sums *sums, const float *own, float *whole);
limn_status limn_tree_hand_out(limn_tree_sums *sums, const float *whole, float *own);

#endif
