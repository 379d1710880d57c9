/* metric_overlap.c: pixels of each class in truth, prediction and both. */
#include "metric/metric_parts.h"

#include <math.h>
#include <stdlib.h>

void *limn_metric_new(limn_ctx *ctx, size_t n, size_t element_bytes, const char *what)
{
    size_t bytes, large = (size_t)32 << 20;
    if (!limn_mul_size(n, element_bytes, &bytes)) bytes = SIZE_MAX;
    size_t available = bytes > large ? limn_memory_available() : 0;
    void *p = bytes == SIZE_MAX || (available && bytes > available) ? NULL : malloc(bytes ? bytes : 1);
    if (!p) limn_fail_memory(ctx, bytes, what);
    return p;
}

static limn_status not_a_class(limn_ctx *ctx, const limn_label_pair *m, size_t i, const char *which, int value)
{
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: expected classes 0 to %d, found %d in row %zu, column %zu", which,
                     m->n_classes - 1, value, i / m->width, i % m->width);
}

/* The other metrics read any values and trust the size. */
static limn_status check_pair(limn_ctx *ctx, const limn_label_pair *m)
{
    if (m->n_classes < 1 || m->n_classes > LIMN_MAX_CLASSES)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "classes must be 1 to %d, found %d", LIMN_MAX_CLASSES, m->n_classes);
    limn_status status = limn_image_check(ctx, "label maps", m->width, m->height, 1);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)m->width * m->height;
    for (size_t i = 0; i < n; i++) {
        if (m->truth[i] != LIMN_IGNORED && m->truth[i] >= m->n_classes) return not_a_class(ctx, m, i, "truth", m->truth[i]);
        if (m->prediction[i] >= m->n_classes) return not_a_class(ctx, m, i, "prediction", m->prediction[i]);
    }
    return LIMN_OK;
}

limn_status limn_overlap_add(limn_ctx *ctx, const limn_label_pair *m, limn_overlap *classes)
{
    limn_status status = check_pair(ctx, m);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)m->width * m->height;
    for (size_t i = 0; i < n; i++) {
        if (m->truth[i] == LIMN_IGNORED) continue;
        classes[m->truth[i]].truth++;
        classes[m->prediction[i]].predicted++;
        classes[m->truth[i]].both += m->truth[i] == m->prediction[i];
    }
    return LIMN_OK;
}

double limn_dice(const limn_overlap *c)
{
    return c->truth + c->predicted ? 2.0 * (double)c->both / (double)(c->truth + c->predicted) : (double)NAN;
}

double limn_iou(const limn_overlap *c)
{
    return c->truth + c->predicted ? (double)c->both / (double)(c->truth + c->predicted - c->both) : (double)NAN;
}

double limn_pixel_error(int n_classes, const limn_overlap *classes)
{
    uint64_t all = 0, right = 0;
    for (int k = 0; k < n_classes; k++) all += classes[k].truth, right += classes[k].both;
    return all ? (double)(all - right) / (double)all : (double)NAN;
}

double limn_class_mean(int n_classes, int first, const limn_overlap *classes, double (*score)(const limn_overlap *))
{
    double sum = 0;
    int n = 0;
    for (int k = first; k < n_classes; k++) {
        double s = score(&classes[k]);
        if (!isnan(s)) sum += s, n++;
    }
    return n ? sum / n : (double)NAN;
}
