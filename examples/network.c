/* network.c: build a network, differentiate it, plan it, run it: sin(x) learned by gradient descent in 40 lines.
 * CMake builds it as build/example-network. */
#include <limn/graph.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 64, HIDDEN = 32, N_PARAMETERS = 4, STEPS = 2000 };

static int fail(limn_ctx *ctx)
{
    fprintf(stderr, "%s\n", limn_error_text(ctx));
    return 1;
}

int main(void)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = ctx ? limn_graph_new(ctx) : NULL;
    if (!g) return 1;

    /* loss = mean((w2 tanh(w1 x + b1) + b2 - y)^2)   x y [N,1] */
    limn_shape column = LIMN_SHAPE(N, 1);
    limn_node *x = limn_input(g, "x", LIMN_COMPUTE, column, LIMN_PER_STEP),
              *y = limn_input(g, "y", LIMN_WIDE, column, LIMN_PER_STEP);
    limn_init spread = {.kind = LIMN_INIT_ZERO}; /* this program sets the values itself */
    limn_node *p[N_PARAMETERS] = {
        limn_parameter(g, "w1", LIMN_SHAPE(HIDDEN, 1), spread), limn_parameter(g, "b1", LIMN_SHAPE(HIDDEN), spread),
        limn_parameter(g, "w2", LIMN_SHAPE(1, HIDDEN), spread), limn_parameter(g, "b2", LIMN_SHAPE(1), spread)};
    limn_node *h = limn_activate(limn_matmul(x, p[0], p[1]), LIMN_TANH);
    limn_node *loss = limn_mean(limn_square(limn_sub(limn_widen(limn_matmul(h, p[2], p[3])), y)));

    limn_node *outputs[1 + N_PARAMETERS] = {loss}; /* the loss, then d loss / d p[i] */
    limn_plan *plan = NULL;
    limn_run *run = NULL;
    limn_plan_options options = {.precision = LIMN_PRECISION_F32, .training = true};
    if (limn_graph_status(g) != LIMN_OK || limn_grad(g, loss, N_PARAMETERS, p, outputs + 1) != LIMN_OK ||
        limn_plan_new(g, 1 + N_PARAMETERS, outputs, &options, &plan) != LIMN_OK || limn_run_new(plan, &run) != LIMN_OK)
        return fail(ctx);

    float value[N_PARAMETERS][HIDDEN] = {{0}}, grad[HIDDEN], xs[N], ys[N], now = 0, first = 0;
    for (int i = 0; i < HIDDEN; i++)
        value[0][i] = 2 * sinf((float)i + 1), value[1][i] = 2 * cosf(3 * (float)i), value[2][i] = 0.2f * sinf(5 * (float)i);
    for (int i = 0; i < N; i++) xs[i] = 6.2831853f * ((float)i / (N - 1) - 0.5f), ys[i] = sinf(xs[i]);
    for (int i = 0; i < N_PARAMETERS; i++)
        if (limn_run_bind(run, p[i], LIMN_F32, value[i]) != LIMN_OK) return fail(ctx);
    if (limn_run_write(run, x, LIMN_F32, xs) != LIMN_OK || limn_run_write(run, y, LIMN_F32, ys) != LIMN_OK) return fail(ctx);

    for (int step = 0; step < STEPS; step++) {
        if (limn_run_execute(run) != LIMN_OK || limn_run_read(run, loss, LIMN_F32, &now) != LIMN_OK) return fail(ctx);
        if (step == 0) first = now;
        for (int i = 0; i < N_PARAMETERS; i++) {
            limn_shape s = limn_node_shape(p[i]);
            if (limn_run_read(run, outputs[1 + i], LIMN_F32, grad) != LIMN_OK) return fail(ctx);
            for (int64_t k = 0; k < s.dim[0] * (s.rank > 1 ? s.dim[1] : 1); k++) value[i][k] -= 0.05f * grad[k];
            limn_run_touch(run, p[i]);
        }
    }
    printf("mean squared error of sin(x): %.4f at the start, %.6f after %d steps\n", first, now, STEPS);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_ctx_free(ctx);
    return now < 0.01f ? 0 : 1;
}
