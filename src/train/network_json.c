/* network_json.c: a network, its blocks and what it costs, as JSON. */
#include "train/network.h"

#include "base/json.h"
#include "graph/describe.h"
#include "graph/node.h"

#include <stdlib.h>

/* "1,2,4" */
static json_t *list_json(const char *numbers)
{
    json_t *list = json_array();
    for (char *end; *numbers; numbers = *end ? end + 1 : end) {
        json_array_append_new(list, json_integer(strtoll(numbers, &end, 10)));
        if (end == numbers) break;
    }
    return list;
}

static json_t *setting_json(const limn_network_setting *s)
{
    switch (s->kind) {
    case LIMN_NETWORK_WORD: return json_string(s->value);
    case LIMN_NETWORK_REAL: return json_real(limn_number_parse(s->value, NULL));
    case LIMN_NETWORK_LIST: return list_json(s->value);
    default: return json_integer(strtoll(s->value, NULL, 10));
    }
}

static json_t *settings_json(const limn_network *network)
{
    limn_network_setting row;
    json_t *o = json_object();
    for (int i = 0; o && limn_network_setting_at(network, i, &row); i++)
        json_object_set_new(o, row.name, setting_json(&row));
    return o;
}

static json_t *tensor_json(const limn_node *node)
{
    static const char *const rates[] = {"constant", "prompt", "step"};
    limn_shape shape = limn_node_shape(node);
    json_t *dims = json_array();
    for (int i = 0; i < shape.rank; i++) json_array_append_new(dims, json_integer(shape.dim[i]));
    if (node->op != LIMN_OP_INPUT) return dims;
    return json_pack("{s:s, s:o, s:s}", "name", node->name, "shape", dims, "changes_every", rates[node->rate]);
}

static json_t *cost_json(const limn_cost *c)
{
    static const char *const precisions[] = {"auto", "f32", "bf16", "exact", "f64"};
    json_t *o = json_pack("{s:s, s:f, s:i, s:I, s:I, s:I, s:I}", "precision", precisions[c->precision], "flops", c->flops,
                          "kernels", c->n_kernels, "weight_bytes", (json_int_t)c->weight_bytes, "activation_bytes",
                          (json_int_t)c->activation_bytes, "scratch_bytes", (json_int_t)c->scratch_bytes, "packed_bytes",
                          (json_int_t)c->packed_bytes);
    if (c->gradient_bytes) json_object_set_new(o, "gradient_bytes", json_integer((json_int_t)c->gradient_bytes));
    if (c->optimizer_bytes) json_object_set_new(o, "optimizer_bytes", json_integer((json_int_t)c->optimizer_bytes));
    json_object_set_new(o, "peak_bytes", json_integer((json_int_t)c->peak_bytes));
    return o;
}

static limn_status add_memory(limn_ctx *ctx, const limn_network *network, const limn_cost_options *o, json_t *root)
{
    limn_cost cost;
    json_t *memory = json_object();
    limn_status status = limn_cost_inference(network, o, &cost, NULL);
    if (status == LIMN_OK) json_object_set_new(memory, "inference", cost_json(&cost));
    limn_status trained = status == LIMN_OK ? limn_cost_training(network, o, &cost, NULL) : status;
    if (trained == LIMN_OK) json_object_set_new(memory, "training", cost_json(&cost));
    else if (status == LIMN_OK) json_object_set_new(memory, "training_refused", json_string(limn_error_text(ctx)));
    json_object_set_new(root, "memory", memory);
    return status;
}

/* g, output: as it was built */
static limn_status as_json(const limn_network *network, const char *name, const limn_cost_options *o, const limn_graph *g,
                           const limn_node *output, char **out)
{
    limn_network_info info = limn_network_describe(network);
    json_t *inputs = json_array();
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == LIMN_OP_INPUT) json_array_append_new(inputs, tensor_json(g->nodes[i]));
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:i, s:o, s:o, s:I, s:f, s:o}", "network", name, "family", info.family, "task",
                  info.task, "loss", info.loss, "settings", settings_json(network), "batch", o->batch, "inputs", inputs,
                  "output", tensor_json(output), "parameters", (json_int_t)limn_describe_parameters(g), "flops",
                  limn_describe_flops(g), "blocks", limn_describe_json(g));
    limn_status status = root ? add_memory(network->ctx, network, o, root) : LIMN_OK;
    *out = status == LIMN_OK ? limn_json_text(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    return *out || status != LIMN_OK ? status : limn_fail_memory(network->ctx, sizeof *g, "JSON");
}

limn_status limn_network_json(const limn_network *network, const char *name, const limn_cost_options *options, char **out)
{
    limn_node *output;
    limn_graph *g = limn_graph_new(network->ctx);
    *out = NULL;
    if (!g) return LIMN_NO_MEMORY;
    limn_status status = limn_network_build(network, g, options->batch, &output);
    if (status == LIMN_OK) status = as_json(network, name, options, g, output, out);
    limn_graph_free(g);
    return status;
}
