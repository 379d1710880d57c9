/* outline.h: a graph as a tree of blocks (scopes) and lines (the ops a reader cares for), in the order of computation.
 * describe.c draws it, describe_json.c lists it: neither knows a network.
 *
 * A scope that is left and entered again (the two streams of a joint block) gives one item per visit.  Ops that only move
 * elements have no line; an activation is drawn with its linear layer, a modulation and a gate with their sum. */
#ifndef LIMN_OUTLINE_H
#define LIMN_OUTLINE_H

#include "graph/node.h"

typedef struct limn_item limn_item;
struct limn_item {
    const limn_scope *scope;  /* a block; NULL: a line */
    const limn_node *node;    /* a line's op, a block's result; NULL: no result */
    const char *name;         /* "blocks.3", "qkv", "+" */
    const char *note;         /* "linear 64 -> 192"; "" */
    const char *from;         /* lines it reads other than the one above: "context_embedder"; "" */
    int64_t parameters;
    double flops;
    int begin, end;           /* nodes of the graph, end excluded */
    bool continued;           /* a later visit of its scope */
    limn_item *parent, *previous, *next, *first, *last;
};

typedef struct limn_outline {
    const limn_graph *g;
    limn_arena *arena;
    limn_item *root;
    limn_item **line;         /* [n_nodes] the line a node is drawn in, or NULL */
    int *n_uses, *last_use;   /* [n_nodes] */
    const limn_node **owner;  /* [n_nodes] the node whose line draws this one too, or NULL */
    bool *counted;            /* [n_nodes] a parameter that some line has counted */
    bool *mark;               /* [n_nodes] for walks */
    limn_item *newest;        /* line made last */
    bool failed;              /* out of memory */
} limn_outline;

/** @return NULL when memory is out */
limn_outline *limn_outline_new(const limn_graph *g);
void limn_outline_free(limn_outline *o);
/** This item and the following ones that are alike but for the number at the end of their names; at least 1. */
int limn_outline_repeats(const limn_item *item);

/* outline_label.c */
/** Fill owner[]: which nodes are drawn in the line of another. */
void limn_outline_absorb(limn_outline *o);
/** Whether a node has a line of its own. */
bool limn_outline_has_line(const limn_outline *o, const limn_node *node);
/** Name, note and from of a new line; it becomes o->newest. */
void limn_outline_label(limn_outline *o, limn_item *line);

#endif
