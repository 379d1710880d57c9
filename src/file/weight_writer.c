/* weight_writer.c: what the writers of both formats ask of a list; see weight_writer.h. */
#include "file/weight_writer.h"

#include <stdlib.h>
#include <string.h>

size_t limn_tensor_out_count(const limn_tensor_out *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->dim[i];
    return n;
}

limn_status limn_weight_list_refuse(limn_ctx *ctx, const char *path, const char *name, const char *why)
{
    char shown[256];
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: \"%s\" %s", path, limn_escape(name, strlen(name), shown, sizeof shown),
                     why);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const limn_tensor_out *const *)a)->name, (*(const limn_tensor_out *const *)b)->name);
}

limn_status limn_weight_list_by_name(limn_ctx *ctx, const char *path, const limn_weight_list *list,
                                     const limn_tensor_out ***out)
{
    const limn_tensor_out **order = *out = malloc((list->n + 1) * sizeof *order);
    if (!order) return limn_fail_memory(ctx, list->n * sizeof *order, path);
    for (size_t i = 0; i < list->n; i++) order[i] = &list->tensor[i];
    qsort(order, list->n, sizeof *order, by_name);
    for (size_t i = 1; i < list->n; i++)
        if (strcmp(order[i]->name, order[i - 1]->name) == 0)
            return limn_weight_list_refuse(ctx, path, order[i]->name, "would be the name of two tensors");
    return LIMN_OK;
}
