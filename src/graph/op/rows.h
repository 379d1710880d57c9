/* rows.h: what the op families share: building gradient nodes, and the families' tables. */
#ifndef LIMN_OP_ROWS_H
#define LIMN_OP_ROWS_H

#include "graph/node.h"

#define LIMN_MAX_COUNT (INT64_C(1) << 46) /* elements of a tensor: their bytes, and sums of them, are far from overflow */

extern const limn_op_row limn_rows_shape[LIMN_N_OPS], limn_rows_elementwise[LIMN_N_OPS], limn_rows_linear[LIMN_N_OPS],
    limn_rows_norm[LIMN_N_OPS], limn_rows_softmax[LIMN_N_OPS], limn_rows_attention[LIMN_N_OPS], limn_rows_table[LIMN_N_OPS],
    limn_rows_conv[LIMN_N_OPS], limn_rows_pool[LIMN_N_OPS], limn_rows_group_norm[LIMN_N_OPS], limn_rows_ranks[LIMN_N_OPS];

/* Rules of `terms` and `size` that several families use. */
double limn_terms_cols(const limn_node *node); /* of source 0 */
double limn_terms_rows(const limn_node *node);
double limn_size_result(const limn_node_values *n); /* the root of its mean square */
/** sqrt(terms) times both operands, times the gate, plus the residual. */
double limn_size_product(const limn_node_values *n);
/** Largest |x| of what is finite. */
double limn_largest(const double *x, int64_t n);
/** The same, and the root of the mean square, of source s; 0 where there is none. */
double limn_largest_of(const limn_node_values *n, int s);
double limn_rms_of(const limn_node_values *n, int s);

/** Result has the shape of source 0. */
const char *limn_shape_first(limn_node *node, char *text, size_t text_bytes);
/** All sources have one shape. */
const char *limn_shape_same(limn_node *node, char *text, size_t text_bytes);
/** Sum dy over the dimensions along which src was repeated; WIDE for parameters and wide sources. */
limn_node *limn_reduce_like(limn_node *dy, limn_node *src);
/** numpy broadcasting of two shapes; false when they do not fit. */
bool limn_broadcast(const limn_shape *a, const limn_shape *b, limn_shape *out);

limn_node *limn_node_1(limn_op op, limn_node *a, const limn_attr *attr);
limn_node *limn_node_2(limn_op op, limn_node *a, limn_node *b, const limn_attr *attr);
limn_node *limn_node_3(limn_op op, limn_node *a, limn_node *b, limn_node *c, const limn_attr *attr);
/** The parameter "name.part", without a scope of its own. */
limn_node *limn_parameter_of(limn_graph *g, const char *name, const char *part, limn_shape shape, limn_init init);
/** Part of a flat result: elements begin.. as shape. */
limn_node *limn_part(limn_node *flat, int64_t begin, limn_shape shape);

#endif
