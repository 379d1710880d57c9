/* test_graph.c: a constructor that is handed nonsense says so; it never makes a node of it. */
#include "graph/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* x [2,6,8], picture [1,4,4,8], ids [3] */
typedef struct leaves {
    limn_graph *g;
    limn_node *x, *picture, *ids, *one;
} leaves;

static limn_node *negative_sides(const leaves *l) { return limn_reshape(l->x, LIMN_SHAPE(-2, -48)); }
static limn_node *sides_that_overflow(const leaves *l)
{
    return limn_reshape(l->x, LIMN_SHAPE(INT64_C(1) << 32, INT64_C(1) << 32, 96));
}
static limn_node *two_open_sides(const leaves *l) { return limn_reshape(l->x, LIMN_SHAPE(-1, -1)); }
static limn_node *seven_sides(const leaves *l) { return limn_reshape(l->x, LIMN_SHAPE(2, 6, 8, 1, 1, 1, 1)); }
static limn_node *seven_sides_of_a_sum(const leaves *l) { return limn_sum_to(l->x, LIMN_SHAPE(1, 1, 1, 1, 2, 6, 8)); }
static limn_node *turned(const leaves *l, int64_t tokens, int64_t d)
{
    return limn_rotate(l->x, limn_input(l->g, "turns", LIMN_WIDE, LIMN_SHAPE(tokens, d), LIMN_PER_STEP));
}
static limn_node *turns_of_other_tokens(const leaves *l) { return turned(l, 5, 4); }
static limn_node *turns_of_half_a_pair(const leaves *l) { return turned(l, 6, 1); }
static limn_node *turns_of_no_head(const leaves *l) { return turned(l, 6, 6); }
static limn_node *slice_past_the_end(const leaves *l) { return limn_slice(l->x, 1, 5, 2); }
static limn_node *slice_of_everything(const leaves *l) { return limn_slice(l->x, 1, 1, INT64_MAX); }
static limn_node *slice_from_nowhere(const leaves *l) { return limn_slice(l->x, 1, INT64_MAX, 2); }
static limn_node *slice_of_no_axis(const leaves *l) { return limn_slice(l->x, -4, 0, 1); }
static limn_node *endless_padding(const leaves *l) { return limn_pad(l->x, 1, INT64_MAX, INT64_MAX); }
static limn_node *endless_repetition(const leaves *l)
{
    return limn_expand(l->one, LIMN_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40));
}
static limn_node *repetition_of_nothing(const leaves *l) { return limn_expand(l->one, LIMN_SHAPE(0)); }
static limn_node *no_kernel(const leaves *l) { return limn_conv(l->g, "c", l->picture, 4, 0); }
static limn_node *no_channels(const leaves *l) { return limn_conv(l->g, "c", l->picture, 0, 3); }
static limn_node *negative_padding(const leaves *l)
{
    return limn_conv_with(l->g, "c", l->picture, 4, 3, (limn_conv_options){.pad = (int[]){-9, 0, 0, 0}});
}
static limn_node *huge_padding(const leaves *l)
{
    return limn_conv_with(l->g, "c", l->picture, 4, 3,
                          (limn_conv_options){.pad = (int[]){INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}});
}
static limn_node *negative_stride(const leaves *l)
{
    return limn_conv_with(l->g, "c", l->picture, 4, 3, (limn_conv_options){.stride = -1});
}
static limn_node *negative_stride_up(const leaves *l)
{
    return limn_conv_transpose(l->g, "c", l->picture, 4, 3, (limn_conv_options){.stride = -1});
}
static limn_node *no_groups(const leaves *l) { return limn_group_norm(l->g, "n", l->picture, 0, 1e-5, LIMN_IDENTITY); }
static limn_node *groups_that_do_not_fit(const leaves *l)
{
    return limn_group_norm(l->g, "n", l->picture, 3, 1e-5, LIMN_IDENTITY);
}
static limn_node *no_window(const leaves *l) { return limn_window_partition(l->picture, 0); }
static limn_node *windows_of_nothing(const leaves *l) { return limn_window_merge(l->x, 0, 0); }
static limn_node *windows_on_nothing(const leaves *l)
{
    return limn_window_merge(limn_reshape(l->x, LIMN_SHAPE(2, 4, 12)), 0, 0);
}
static limn_node *roll_of_a_line(const leaves *l) { return limn_roll(l->one, 1, 1); }
static limn_node *shuffle_by_far_too_much(const leaves *l) { return limn_pixel_shuffle(l->picture, 65536); }
static limn_node *shuffle_by_nothing(const leaves *l) { return limn_pixel_shuffle(l->picture, 0); }
static limn_node *unshuffle_by_nothing(const leaves *l) { return limn_pixel_unshuffle(l->picture, 0); }
static limn_node *shuffle_backwards(const leaves *l) { return limn_pixel_unshuffle(l->picture, -2); }
static limn_node *no_pixels(const leaves *l) { return limn_resize(l->picture, 0, 4, LIMN_NEAREST); }
static limn_node *endless_pixels(const leaves *l)
{
    return limn_resize(l->picture, INT64_C(1) << 40, INT64_C(1) << 40, LIMN_NEAREST);
}
static limn_node *pool_of_nothing(const leaves *l) { return limn_max_pool(l->picture, 0); }
static limn_node *no_heads(const leaves *l) { return limn_attention(l->x, l->x, l->x, 0, false); }
static limn_node *odd_packing(const leaves *l) { return limn_attention_qkv(l->x, 1, false); }
static limn_node *no_parts(const leaves *l) { return limn_concat(l->g, 0, 0, NULL); }
static limn_node *axis_of_nothing(const leaves *l) { return limn_concat(l->g, 9, 2, (limn_node *[]){l->x, l->x}); }
static limn_node *axis_of_one_part(const leaves *l) { return limn_concat(l->g, 3, 1, (limn_node *[]){l->x}); }
static limn_node *axis_below_one_part(const leaves *l) { return limn_concat(l->g, -4, 1, (limn_node *[]){l->x}); }
static limn_node *no_chunks(const leaves *l)
{
    limn_node *parts[1];
    return limn_chunk(l->x, 3, (limn_node *[3]){0}), limn_chunk(l->x, 1, parts), parts[0];
}
static limn_node *no_columns(const leaves *l) { return limn_linear(l->g, "l", l->x, 0); }
static limn_node *more_columns_than_there_are(const leaves *l) { return limn_linear(l->g, "l", l->x, INT64_MAX); }
static limn_node *sinusoids_of_nothing(const leaves *l) { return limn_timestep_embedding(l->ids, 0, 10000, true); }
static limn_node *odd_sinusoids(const leaves *l) { return limn_timestep_embedding(l->ids, 3, 10000, true); }
static limn_node *order_of_too_few(const leaves *l) { return limn_permute(l->x, 2, (int[]){1, 0}); }
static limn_node *order_twice(const leaves *l) { return limn_permute(l->x, 3, (int[]){0, 0, 1}); }
static limn_node *table_without_rows(const leaves *l) { return limn_embedding(l->g, "e", l->ids, 0, 8); }
static limn_node *targets_of_another_length(const leaves *l)
{
    return limn_cross_entropy(limn_reshape(l->x, LIMN_SHAPE(12, 8)), l->ids);
}

static const struct {
    const char *name;
    limn_node *(*make)(const leaves *l);
} nonsense[] = {
#define ROW(f) {#f, f}
    ROW(negative_sides),
    ROW(sides_that_overflow),
    ROW(two_open_sides),
    ROW(seven_sides),
    ROW(seven_sides_of_a_sum),
    ROW(slice_past_the_end),
    ROW(slice_of_everything),
    ROW(slice_from_nowhere),
    ROW(slice_of_no_axis),
    ROW(endless_padding),
    ROW(endless_repetition),
    ROW(repetition_of_nothing),
    ROW(no_kernel),
    ROW(no_channels),
    ROW(negative_padding),
    ROW(huge_padding),
    ROW(negative_stride),
    ROW(negative_stride_up),
    ROW(no_groups),
    ROW(groups_that_do_not_fit),
    ROW(no_window),
    ROW(windows_of_nothing),
    ROW(windows_on_nothing),
    ROW(roll_of_a_line),
    ROW(shuffle_by_far_too_much),
    ROW(shuffle_by_nothing),
    ROW(unshuffle_by_nothing),
    ROW(shuffle_backwards),
    ROW(no_pixels),
    ROW(endless_pixels),
    ROW(pool_of_nothing),
    ROW(turns_of_other_tokens),
    ROW(turns_of_half_a_pair),
    ROW(turns_of_no_head),
    ROW(no_heads),
    ROW(odd_packing),
    ROW(no_parts),
    ROW(axis_of_nothing),
    ROW(axis_of_one_part),
    ROW(axis_below_one_part),
    ROW(no_chunks),
    ROW(no_columns),
    ROW(more_columns_than_there_are),
    ROW(sinusoids_of_nothing),
    ROW(odd_sinusoids),
    ROW(order_of_too_few),
    ROW(order_twice),
    ROW(table_without_rows),
    ROW(targets_of_another_length),
#undef ROW
};

static void nonsense_is_one_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int wrong = 0;
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        leaves l = {.g = limn_graph_new(ctx)};
        l.x = limn_input(l.g, "x", LIMN_COMPUTE, LIMN_SHAPE(2, 6, 8), LIMN_PER_STEP),
        l.picture = limn_input(l.g, "picture", LIMN_COMPUTE, LIMN_SHAPE(1, 4, 4, 8), LIMN_PER_STEP);
        l.ids = limn_input(l.g, "ids", LIMN_INDEX, LIMN_SHAPE(3), LIMN_PER_STEP),
        l.one = limn_input(l.g, "one", LIMN_COMPUTE, LIMN_SHAPE(1), LIMN_PER_STEP);
        nonsense[i].make(&l);
        if (limn_graph_status(l.g) != LIMN_BAD_ARGUMENT || !limn_error_text(ctx)[0]) {
            print_error("%s was taken\n", nonsense[i].name);
            wrong++;
        }
        limn_graph_free(l.g);
    }
    assert_int_equal(wrong, 0);
    limn_ctx_free(ctx);
}

/* Names that differ in their last letter only are two, however long they are. */
static void long_names_stay_whole(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    char name[1000], full[2100];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    limn_node *x = limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE(2, 4), LIMN_PER_STEP);
    for (int scope = 0; scope < 2; scope++)
        for (int layer = 0; layer < 2; layer++) {
            name[sizeof name - 2] = (char)('a' + scope);
            limn_scope_push(g, "%s", name);
            name[sizeof name - 2] = (char)('a' + layer);
            limn_linear(g, name, x, 4);
            limn_scope_pop(g);
        }
    assert_int_equal(limn_graph_status(g), LIMN_OK);
    assert_int_equal(g->n_parameters, 8);
    for (int i = 0; i < 8; i += 2) {
        name[sizeof name - 2] = (char)('a' + i / 4);
        int n = snprintf(full, sizeof full, "%s.", name);
        name[sizeof name - 2] = (char)('a' + i / 2 % 2);
        snprintf(full + n, sizeof full - (size_t)n, "%s.weight", name);
        assert_string_equal(g->parameters[i]->name, full);
    }
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* A rule for x W^T alone would differentiate it in silence. */
static void a_fused_node_has_no_gradient(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int fused = 0; fused < 2; fused++) {
        limn_graph *g = limn_graph_new(ctx);
        limn_node *x = limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE(2, 4), LIMN_PER_STEP), *dw,
                  *w = limn_parameter(g, "w", LIMN_SHAPE(3, 4), (limn_init){.kind = LIMN_INIT_ONE});
        limn_attr attr = {.activation = fused ? LIMN_SILU : LIMN_IDENTITY};
        limn_node *y = limn_node_new(g, LIMN_OP_LINEAR, 2, (limn_node *[]){x, w}, &attr);
        limn_status status = limn_grad(g, limn_mean(y), 1, &w, &dw);
        assert_int_equal(status, fused ? LIMN_BAD_ARGUMENT : LIMN_OK);
        if (fused)
            assert_non_null(strstr(limn_error_text(ctx), "linear has no gradient rule, and lies between the loss and w"));
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
}

/* Positions that should learn would never move. */
static void a_gradient_that_there_is_not_is_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    limn_init one = {.kind = LIMN_INIT_ONE};
    limn_node *x = limn_parameter(g, "x", LIMN_SHAPE(1, 2, 4), one),
              *turns = limn_parameter(g, "turns", LIMN_SHAPE(2, 4), one);
    limn_node *grads[2], *loss = limn_mean(limn_rotate(x, turns));
    assert_int_equal(limn_grad(g, loss, 1, &turns, grads), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "rotate has no gradient rule, and lies between the loss and turns"));
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nonsense_is_one_sentence), cmocka_unit_test(long_names_stay_whole),
                                       cmocka_unit_test(a_fused_node_has_no_gradient),
                                       cmocka_unit_test(a_gradient_that_there_is_not_is_refused)};
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
