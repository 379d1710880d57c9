/* describe.h: a graph drawn as text. */
#ifndef LIMN_DESCRIBE_H
#define LIMN_DESCRIBE_H

#include "base/base.h"
#include "limn/graph.h"

/** The tree of scopes: shape after each block, parameters, FLOPs, totals.  Equal neighbours are folded ("x12").
 *  Caller frees with free(); NULL when out of memory. */
char *limn_describe_text(const limn_graph *g);
int64_t limn_describe_parameters(const limn_graph *g);

#endif
