/* rewrite.h: the rule table of the fusions, and what a rule may look at. */
#ifndef LIMN_REWRITE_H
#define LIMN_REWRITE_H

#include "graph/node.h"

typedef struct limn_rewriter {
    limn_graph *graph;
    int *n_uses;        /* by node id; outputs count as a use */
    limn_rate *rates;   /* by node id */
    int capacity;
    bool failed;        /* memory ran out */
} limn_rewriter;

typedef struct limn_rule {
    const char *name;
    bool (*apply)(limn_rewriter *r, limn_node *node); /* true when node was changed */
    bool before_grad;   /* the result has a gradient rule: runs before gradients are made */
    bool backward;      /* walk from the last node to the first (longest pattern first) */
} limn_rule;

extern const limn_rule limn_rules[]; /* ends with a NULL name */

/** New node placed just before `before`; shape and kind by the op's rule (the caller may then change them).
 *  @return NULL when memory is out */
limn_node *limn_rewriter_insert(limn_rewriter *r, limn_node *before, limn_op op, int n_src, limn_node *const *src);

/** Apply one rule everywhere in g until nothing changes. @return number of places; -1 when memory is out: g is then of no
 *  use */
int limn_rule_apply(limn_graph *g, const limn_rule *rule, int n_outputs, limn_node *const *outputs);

/** Keep what outputs need (all when there are none), sources first, else in the order of making; nodes made late just before
 *  their first user.
 *  @return false when memory is out */
bool limn_graph_sort(limn_graph *g, int n_outputs, limn_node *const *outputs);

/** Rate of every node: the highest of its sources.  rates has g->n_nodes entries; training: parameters count as PER_STEP. */
void limn_graph_rates(const limn_graph *g, bool training, limn_rate *rates);

#endif
