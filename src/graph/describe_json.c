/* describe_json.c: the outline of a graph as JSON. */
#include "graph/describe.h"
#include "graph/outline.h"

static json_t *shape_json(const limn_shape *shape)
{
    json_t *array = json_array();
    for (int i = 0; array && i < shape->rank; i++) json_array_append_new(array, json_integer(shape->dim[i]));
    return array;
}

static json_t *items_json(const limn_item *block)
{
    json_t *array = json_array();
    for (const limn_item *i = block->first; array && i; i = i->next) {
        json_t *o =
            json_pack("{s:s, s:s, s:s, s:I, s:f}", "name", i->name, "kind", i->scope ? "block" : limn_op_name(i->node->op),
                      "note", i->note, "parameters", (json_int_t)i->parameters, "flops", i->flops);
        if (o && i->scope) json_object_set_new(o, "path", json_string(i->scope->path));
        if (o && i->from[0]) json_object_set_new(o, "from", json_string(i->from));
        if (o && i->continued) json_object_set_new(o, "continued", json_true());
        if (o && i->node) json_object_set_new(o, "shape", shape_json(&i->node->shape));
        if (o && i->first) json_object_set_new(o, "blocks", items_json(i));
        if (!o || json_array_append_new(array, o) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *limn_describe_json(const limn_graph *g)
{
    limn_outline *o = limn_outline_new(g);
    json_t *json = o ? items_json(o->root) : NULL;
    limn_outline_free(o);
    return json;
}
