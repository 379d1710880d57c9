/* far_apart.h: how much the tensors of two files differ. */
#ifndef FAR_APART_H
#define FAR_APART_H

#include "file/weight_file.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static float *tensor_of(limn_ctx *ctx, const limn_weight_file *file, const limn_entry *e)
{
    float *x = malloc(limn_entry_count(e) * sizeof *x + 1);
    assert_non_null(x);
    if (limn_weight_file_load(ctx, file, e, x, LIMN_F32) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return x;
}

/* The largest |a - b| of elements of all tensors, which have the same names in both; NAN where one is no number. */
static double far_apart(const char *one, const char *other)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *a, *b;
    double most = 0;
    if (limn_weight_file_open(ctx, one, &a) != LIMN_OK || limn_weight_file_open(ctx, other, &b) != LIMN_OK)
        fail_msg("%s", limn_error_text(ctx));
    assert_true(limn_weight_file_count(a) > 0 && limn_weight_file_count(a) == limn_weight_file_count(b));
    for (size_t i = 0; i < limn_weight_file_count(a); i++) {
        const limn_entry *x = limn_weight_file_get(a, i), *y = limn_weight_file_find(b, x->name);
        assert_true(y && limn_entry_count(x) == limn_entry_count(y));
        float *u = tensor_of(ctx, a, x), *v = tensor_of(ctx, b, y);
        for (size_t k = 0; k < limn_entry_count(x); k++) {
            double d = fabs((double)u[k] - (double)v[k]);
            if (!(d <= most)) most = d;
        }
        free(u), free(v);
    }
    limn_weight_file_close(a), limn_weight_file_close(b);
    limn_ctx_free(ctx);
    return most;
}

#endif
