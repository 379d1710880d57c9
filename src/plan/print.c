/* print.c: a plan as text. */
#include "plan/plan.h"

#include <stdlib.h>

/* A second computation, for the backward pass: see recompute.c. */
static bool is_again(const limn_node *node)
{
    return node->made == LIMN_MADE_AGAIN;
}

char *limn_plan_text(const limn_plan *plan)
{
    static const char *const phases[] = {"once", "prompt", "step"};
    static const char *const precisions[] = {
        [LIMN_PRECISION_F32] = "f32", [LIMN_PRECISION_BF16] = "bf16", [LIMN_PRECISION_F64] = "f64"};
    limn_text text = {0};
    limn_text_printf(&text, "precision %s%s, %s\n", plan->options.precision == LIMN_PRECISION_AUTO ? "auto: " : "",
                     precisions[plan->precision], plan->precision_why);
    for (int i = 0; i < plan->n_steps; i++) {
        const limn_step *step = &plan->steps[i];
        const limn_tensor *t = &plan->tensors[step->dst];
        char shape[128];
        limn_text_printf(&text, "%-7s %-38s %-20s %-5s %-20s %s%s%s%s%s\n", phases[step->phase], t->node->scope->path,
                         step->is_pack ? "pack" : limn_op_name(step->call.op), limn_dtype_name(t->view.dtype),
                         limn_shape_text(&t->view.shape, shape), step->kernel->name, is_again(t->node) ? ", again" : "",
                         step->refusals[0] ? "  (" : "", step->refusals, step->refusals[0] ? ")" : "");
    }
    limn_plan_size size = limn_plan_sizes(plan);
    limn_text_printf(&text,
                     "%d steps, %.3f GFLOP; activations %.2f MB, scratch %.2f MB, packed weights %.2f MB, weights %.2f MB\n",
                     plan->n_steps, size.flops * 1e-9, (double)size.activation_bytes * 1e-6,
                     (double)size.scratch_bytes * 1e-6, (double)size.packed_bytes * 1e-6, (double)size.weight_bytes * 1e-6);
    if (text.failed) limn_text_free(&text);
    return text.bytes;
}
