/* check_grad.c: gradient rules against central differences, everything in double on the reference. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

limn_node *check_build(check *c, const check_case *k, limn_graph **g)
{
    *g = limn_graph_new(c->ctx);
    if (!*g) abort();
    limn_node *src[LIMN_MAX_SRC];
    limn_attr moments = {.groups = k->attr.groups, .flags = k->attr.flags & LIMN_OVER_BATCH};
    for (int s = 0; s < k->n_src; s++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", s);
        limn_domain domain = check_domain(k->op, s);
        if (domain == LIMN_MOMENTS && limn_op_find(k->op)->grad)
            src[s] = limn_node_new(*g, LIMN_OP_MOMENTS, 1, src, &moments);
        else src[s] = limn_input(*g, name, domain == LIMN_IDS ? LIMN_INDEX : LIMN_COMPUTE, k->src[s], LIMN_PER_STEP);
    }
    limn_node *node = limn_node_new(*g, k->op, k->n_src, src, &k->attr);
    if (limn_graph_status(*g) == LIMN_OK) return node;
    check_fail(c, k, "%s", limn_error_text(c->ctx));
    limn_graph_free(*g);
    return NULL;
}

bool check_has_grad(const check_case *k)
{
    bool smooth = k->values == VALUES_NORMAL || k->values == VALUES_OFFSET || k->values == VALUES_CONSTANT_ROWS;
    int64_t n = 0;
    for (int s = 0; s < k->n_src; s++) n += limn_shape_count(&k->src[s]);
    const limn_op_row *row = limn_op_find(k->op);
    bool fused = row->fused && row->fused(&(limn_node){.op = k->op, .attr = k->attr});
    return row->grad && smooth && !fused && n <= 1500;
}

/* ---- a network of one op -------------------------------------------------------------------------------------------- */

static bool has_gradient(limn_op op, int s)
{
    return check_domain(op, s) < LIMN_FIXED;
}

bool check_net_open(check *c, const check_case *k, limn_precision precision, const char *backend, check_net *net)
{
    *net = (check_net){0};
    net->y = check_build(c, k, &net->g);
    if (!net->y) return false;
    for (int s = 0; s < k->n_src; s++) net->src[s] = net->y->src[s];
    net->dy = limn_input(net->g, "dy", LIMN_WIDE, net->y->shape, LIMN_PER_STEP);
    net->loss = limn_node_as(limn_sum_to(limn_mul(limn_widen(net->y), net->dy), (limn_shape){.rank = 0}), LIMN_WIDE);
    limn_node *of[LIMN_MAX_SRC], *grads[LIMN_MAX_SRC], *outputs[2 + LIMN_MAX_SRC] = {net->loss, net->y};
    int n = 0, n_outputs = 2;
    for (int s = 0; s < k->n_src; s++)
        if (has_gradient(k->op, s)) of[n++] = net->src[s];
    limn_status status = limn_grad(net->g, net->loss, n, of, grads);
    for (int s = 0, i = 0; status == LIMN_OK && s < k->n_src; s++)
        if (has_gradient(k->op, s) && (net->grad[s] = grads[i++])) outputs[n_outputs++] = net->grad[s];
    limn_plan_options options = {.precision = precision, .backend = backend, .no_rewrite = true};
    if (status == LIMN_OK) status = limn_plan_new(net->g, n_outputs, outputs, &options, &net->plan);
    if (status == LIMN_OK) status = limn_run_new(net->plan, &net->run);
    if (status == LIMN_OK) return true;
    check_fail(c, k, "%s", limn_error_text(c->ctx));
    limn_plan_free(net->plan);
    limn_graph_free(net->g);
    return false;
}

void check_net_set(check_net *net, const check_case *k, int s, const double *values)
{
    int64_t n = limn_shape_count(&k->src[s]);
    if (check_domain(k->op, s) == LIMN_MOMENTS) return;
    if (check_domain(k->op, s) != LIMN_IDS) {
        limn_run_write(net->run, net->src[s], LIMN_F64, values);
        return;
    }
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    if (!ids) abort();
    for (int64_t i = 0; i < n; i++) ids[i] = (int32_t)values[i];
    limn_run_write(net->run, net->src[s], LIMN_I32, ids);
    free(ids);
}

void check_net_close(check_net *net)
{
    limn_run_free(net->run);
    limn_plan_free(net->plan);
    limn_graph_free(net->g);
}

/* ---- central differences -------------------------------------------------------------------------------------------- */

static double loss_of(check_net *net)
{
    double loss = NAN;
    if (limn_run_execute(net->run) == LIMN_OK) limn_run_read(net->run, net->loss, LIMN_F64, &loss);
    return loss;
}

enum { MAX_ELEMENTS = 16 }; /* of one source: every one, or evenly spread */

/* (f(x + h) - f(x - h)) / 2h: error h^2 f''' / 6 + u |f| / h */
static bool source_fits(check *c, const check_case *k, check_net *net, int s, double *x, const double *grad)
{
    int64_t n = limn_shape_count(&k->src[s]);
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(grad[i]));
    for (int64_t i = 0; i < n; i += n / MAX_ELEMENTS + 1) {
        double old = x[i], h = 1e-5 * fmax(1, fabs(old));
        x[i] = old + h;
        check_net_set(net, k, s, x);
        double up = loss_of(net);
        x[i] = old - h;
        check_net_set(net, k, s, x);
        double down = loss_of(net), numeric = (up - down) / (2 * h);
        x[i] = old;
        if (!(fabs(numeric - grad[i]) <= 1e-6 * largest + 1e-15 * fabs(up) / h + 1e-9)) {
            check_fail(c, k, "source %d, element %lld: central difference %.9g, gradient %.9g", s, (long long)i, numeric,
                       grad[i]);
            return false;
        }
    }
    check_net_set(net, k, s, x);
    return true;
}

static void source_checked(check *c, const check_case *k, check_net *net, int s, double *x)
{
    double *grad = malloc((size_t)limn_shape_count(&k->src[s]) * sizeof *grad);
    if (!grad) abort();
    loss_of(net);
    if (!net->grad[s]) check_fail(c, k, "source %d has no gradient", s);
    else if (!limn_shape_equal(&net->grad[s]->shape, &k->src[s]))
        check_fail(c, k, "the gradient of source %d has another shape", s);
    else if (limn_run_read(net->run, net->grad[s], LIMN_F64, grad) != LIMN_OK)
        check_fail(c, k, "%s", limn_error_text(c->ctx));
    else if (source_fits(c, k, net, s, x, grad)) c->n_passed++;
    free(grad);
}

void check_grad(check *c, const check_case *k)
{
    check_net net;
    limn_ctx_set_threads(c->ctx, 1); /* the reference has one thread */
    if (!check_net_open(c, k, LIMN_PRECISION_F64, "ref", &net)) return;
    double *values[LIMN_MAX_SRC], *dy;
    for (int s = 0; s < k->n_src; s++) {
        values[s] = check_make_values(k, s);
        check_net_set(&net, k, s, values[s]);
    }
    dy = check_make_values(&(check_case){.op = LIMN_OP_ADD, .proves = "dy", .n_src = 1, .src = {net.y->shape}}, 0);
    limn_run_write(net.run, net.dy, LIMN_F64, dy);
    for (int s = 0; s < k->n_src; s++)
        if (has_gradient(k->op, s)) source_checked(c, k, &net, s, values[s]);
    for (int s = 0; s < k->n_src; s++) free(values[s]);
    free(dy);
    check_net_close(&net);
}
