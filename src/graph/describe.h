/* describe.h: the outline of a graph for programs; the drawing itself is limn_describe() of limn/graph.h. */
#ifndef LIMN_DESCRIBE_H
#define LIMN_DESCRIBE_H

#include "base/base.h"
#include "limn/graph.h"

#include <jansson.h>

/** Array of blocks and lines: name, note, from, shape, parameters, flops, blocks.  The caller owns a reference; NULL when
 *  memory is out. */
json_t *limn_describe_json(const limn_graph *g);

/** 1234567 -> "1.23 M".  out needs 32 bytes.  @return out */
char *limn_count_text(double n, char *out);

#endif
