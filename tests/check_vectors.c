/* check_vectors.c: numbers that PyTorch wrote, beside the reference in double and the CPU kernels. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct op_vector {
    check_case k;
    const double *src[LIMN_MAX_SRC], *y;
    const double *dy, *dsrc[LIMN_MAX_SRC]; /* NULL: no gradient */
    bool single;                           /* computed in f32 */
} op_vector;

#include "vectors/ops.h"

enum { N_VECTORS = sizeof vectors / sizeof *vectors };

int check_n_vectors(limn_op op)
{
    int n = 0;
    for (int i = 0; i < N_VECTORS; i++) n += vectors[i].k.op == op;
    return n;
}

/* Does op stand in the gradients of v that PyTorch has numbers for, less what weighs the loss? */
static bool has_in_gradient(check *c, const op_vector *v, limn_op op)
{
    limn_graph *g;
    limn_node *y = check_build(c, &v->k, &g), *of[LIMN_MAX_SRC], *grads[LIMN_MAX_SRC];
    bool found = false;
    int n = 0, before;
    for (int s = 0; y && s < v->k.n_src; s++)
        if (v->dsrc[s]) of[n++] = y->src[s];
    if (!y) return false;
    limn_node *dy = limn_input(g, "dy", LIMN_WIDE, y->shape, LIMN_PER_STEP);
    limn_node *loss = limn_node_as(limn_sum_to(limn_mul(limn_widen(y), dy), (limn_shape){.rank = 0}), LIMN_WIDE);
    before = g->n_nodes;
    limn_status status = limn_grad(g, loss, n, of, grads);
    for (int i = before; status == LIMN_OK && i < g->n_nodes; i++) found = found || g->nodes[i]->op == op;
    limn_graph_free(g);
    return found;
}

int check_n_vector_gradients(check *c, limn_op op)
{
    int n = 0;
    for (int i = 0; i < N_VECTORS; i++) n += vectors[i].dy && has_in_gradient(c, &vectors[i], op);
    return n;
}

/* Unit roundoff of the arithmetic, times the sums of a gradient (no longer than a source), times the largest gradient. */
static double gradient_tolerance(const op_vector *v, limn_precision precision, double largest)
{
    int64_t longest = 1;
    for (int s = 0; s < v->k.n_src; s++)
        if (limn_shape_count(&v->k.src[s]) > longest) longest = limn_shape_count(&v->k.src[s]);
    if (precision == LIMN_PRECISION_F64) return 1e-11 * fmax(1, largest); /* vectors have 13 digits */
    return 0x1p-24 * (8 + 4 * sqrt((double)longest)) * fmax(1, largest);
}

static void one_gradient(check *c, const op_vector *v, check_net *net, int s, limn_precision precision, const char *backend)
{
    int64_t n = limn_shape_count(&v->k.src[s]), at = -1;
    double *found = malloc((size_t)n * sizeof *found), largest = 0;
    if (!found) abort();
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(v->dsrc[s][i]));
    if (!net->grad[s] || limn_run_read(net->run, net->grad[s], LIMN_F64, found) != LIMN_OK) {
        check_fail(c, &v->k, "source %d has no gradient", s);
        free(found);
        return;
    }
    for (int64_t i = 0; i < n && at < 0; i++)
        if (!(fabs(found[i] - v->dsrc[s][i]) <= gradient_tolerance(v, precision, largest))) at = i;
    if (at < 0) c->n_passed++;
    else
        check_fail(c, &v->k, "%s: gradient of source %d, element %lld is %.12g, PyTorch gives %.12g", backend, s,
                   (long long)at, found[at], v->dsrc[s][at]);
    free(found);
}

static void gradients(check *c, const op_vector *v, limn_precision precision, const char *backend)
{
    check_net net;
    if (!check_net_open(c, &v->k, precision, backend, &net)) return;
    for (int s = 0; s < v->k.n_src; s++) check_net_set(&net, &v->k, s, v->src[s]);
    limn_run_write(net.run, net.dy, LIMN_F64, v->dy);
    limn_status status = limn_run_execute(net.run);
    if (status != LIMN_OK) check_fail(c, &v->k, "%s", limn_error_text(c->ctx));
    for (int s = 0; status == LIMN_OK && s < v->k.n_src; s++)
        if (v->dsrc[s]) one_gradient(c, v, &net, s, precision, backend);
    check_net_close(&net);
}

void check_vectors(check *c)
{
    bool ref = !c->backend || strcmp(c->backend, "ref") == 0, cpu = !c->backend || strcmp(c->backend, "cpu") == 0;
    for (int i = 0; i < N_VECTORS; i++) {
        const op_vector *v = &vectors[i];
        if (!check_wanted(c, v->k.op)) continue;
        check_test(c, &v->k, v->src, v->y, v->single);
        if (v->dy && ref) gradients(c, v, LIMN_PRECISION_F64, "ref");
        if (v->dy && cpu) gradients(c, v, LIMN_PRECISION_F32, "cpu");
    }
}
