/* segment_values.c: values of masks that are read and written, and the classes they stand for. */
#include "pipeline/segment.h"

#include "data/mask_parts.h"

#include <stdlib.h>
#include <string.h>

/* The syntax is that of the trainer's --mask-values. */
static limn_status parse(limn_ctx *ctx, const char *text, int n_classes, limn_class_values *out)
{
    limn_masks *m = calloc(1, sizeof *m);
    if (!m) return limn_fail_memory(ctx, sizeof *m, "values of masks");
    limn_status status = limn_mask_values_parse(ctx, text, m);
    if (status == LIMN_OK && m->classes != n_classes)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "the network tells %d classes apart, found %d values in \"%.100s\"",
                           n_classes, m->classes, text);
    for (int k = 0; status == LIMN_OK && k < n_classes; k++) out->value_of[k] = (uint16_t)m->class_value[k];
    out->halved = m->halved;
    if (status == LIMN_OK) memcpy(out->class_of, m->value_class, sizeof out->class_of);
    free(m);
    return status;
}

limn_status limn_class_values_new(limn_ctx *ctx, const char *text, int n_classes, bool black_white, limn_class_values **out)
{
    limn_class_values *values = *out = calloc(1, sizeof **out); /* 128 KB: not on the stack */
    if (!values) return limn_fail_memory(ctx, sizeof *values, "values of masks");
    values->given = text != NULL;
    for (int v = 0; v < LIMN_MASK_VALUES; v++) values->class_of[v] = (int16_t)(v < n_classes ? v : -1);
    if (n_classes < 256) values->class_of[255] = LIMN_IGNORED;
    for (int k = 0; k < n_classes && k < LIMN_MAX_CLASSES; k++)
        values->value_of[k] = (uint16_t)(n_classes == 2 && black_white ? 255 * k : k);
    limn_status status = text ? parse(ctx, text, n_classes, values) : LIMN_OK;
    if (status != LIMN_OK) free(values), *out = NULL;
    return status;
}

limn_status limn_class_values_apply(limn_ctx *ctx, const char *name, const limn_class_values *values, int n_classes,
                                    int width, size_t n, const uint16_t *mask, uint8_t *classes)
{
    bool black_white = !values->given && n_classes == 2;
    uint16_t white = 0;
    for (size_t i = 0; i < n && black_white; i++) {
        if (mask[i] == 255 || mask[i] == 65535) white = white ? white : mask[i];
        black_white = mask[i] == 0 || mask[i] == white;
    }
    for (size_t i = 0; i < n; i++) {
        int class = black_white && white && mask[i] == white ? 1 : values->class_of[mask[i]];
        if (class < 0)
            return limn_fail(
                ctx, LIMN_BAD_FILE,
                "%s: the value %d at column %zu, row %zu is none of the %d classes: name their values, as in --values 0,255",
                name, mask[i], i % (size_t)width, i / (size_t)width, n_classes);
        classes[i] = (uint8_t)class;
    }
    return LIMN_OK;
}
