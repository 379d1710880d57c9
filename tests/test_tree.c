/* test_tree.c: sums over parts have the bits of one tree, whoever made which part. */
#include "comm/tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "make_ranks.h"

/* The definition: node (level, first) of n parts. */
static float node(const float *x, int64_t n, int level, int64_t first)
{
    int64_t right = level ? first + (INT64_C(1) << (level - 1)) : n;
    if (level == 0) return x[first];
    float left = node(x, n, level - 1, first);
    return right < n ? left + node(x, n, level - 1, right) : left;
}

static int levels(int64_t n)
{
    int level = 0;
    while ((INT64_C(1) << level) < n) level++;
    return level;
}

static void a_row_of_parts_is_a_few_whole_nodes(void **state)
{
    (void)state;
    for (int first = 0; first < 40; first++)
        for (int n = 1; n < 40; n++) {
            int most, at = first;
            limn_tree t = limn_tree_of(first, n, &most);
            for (int k = 0; k < t.n; k++) { /* they cover it without gaps, and begin at multiples of their size */
                int64_t size = INT64_C(1) << t.node[k].level;
                assert_int_equal(t.node[k].first, at);
                assert_int_equal(at % size, 0);
                at += (int)size;
            }
            assert_int_equal(at, first + n);
            assert_true(t.n <= 2 * levels(n) + 1 && most <= 2 * levels(n) + 1);
            if (n & (n - 1) || first % n) continue;
            assert_int_equal(t.n, 1);
            assert_int_equal(most, levels(n));
        }
}

static void doubles_are_added_in_its_order(void **state)
{
    (void)state;
    double x[64];
    float f[64];
    for (int n = 1; n <= 64; n++) {
        for (int i = 0; i < n; i++) x[i] = f[i] = (float)((i * 7919 % 64) << (i % 12)); /* exact in both */
        assert_true(limn_tree_sum_f64(x, n) == (double)node(f, n, levels(n), 0));
    }
    const double tiny = 0x1p-53; /* 1 + tiny is 1, and tiny + tiny is not lost */
    assert_true(limn_tree_sum_f64((double[]){1, tiny, tiny, tiny}, 4) == 1 + 2 * tiny);
    assert_true(limn_tree_sum_f64((double[]){1, tiny, tiny}, 3) == 1);
}

enum { N = 1000, MOST = 24 };

/* What each part is. */
static void fill(float *x, int part)
{
    for (int i = 0; i < N; i++)
        x[i] = (float)((part * 31 + i) * 2654435761u) * 0x1p-20f * (part % 3 ? 1 : -1) / (float)(1 + i);
}

typedef struct share {
    int parts;
    bool in_bf16;
    float out[N];
} share;

static limn_status add_own(limn_comm *comm, void *user)
{
    share *s = user;
    float *sum[LIMN_TREE_NODES], part[N];
    limn_tree t = {0};
    for (int i = 0; i < LIMN_TREE_NODES; i++) sum[i] = malloc(sizeof part);
    for (int i = 0; i < s->parts; i++) {
        fill(part, comm->rank * s->parts + i);
        int before = t.n, joined = limn_tree_add(&t, 0, comm->rank * s->parts + i);
        float *right = part;
        for (int at = before - 1; at >= before - joined; right = sum[at--]) limn_tree_join(1, N, sum[at], right);
        if (!joined) memcpy(sum[before], part, sizeof part);
    }
    float scale = 1.0f / (float)(s->parts * comm->size);
    limn_tree_sums sums;
    limn_status status = limn_tree_sums_new(comm, s->parts, N, s->in_bf16, &sums);
    if (status == LIMN_OK) status = limn_tree_sum(&sums, sum, s->out, scale);
    limn_tree_sums_free(&sums);
    for (int i = 0; i < LIMN_TREE_NODES; i++) free(sum[i]);
    return status;
}

static void all_groups_have_the_same_bits(void **state)
{
    (void)state;
    static const int groups[][2] = {{1, 1}, {1, 2}, {2, 1}, {1, 8}, {2, 4}, {4, 2}, {8, 1}, {1, 6}, {2, 3}, {3, 2},
                                    {6, 1}, {1, 7}, {7, 1}, {1, 15}, {3, 5}, {5, 3}, {1, 24}, {4, 6}, {6, 4}, {8, 3}};
    float (*x)[N] = malloc(MOST * sizeof *x);
    for (int i = 0; i < MOST; i++) fill(x[i], i);
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        int size = groups[g][0], n = size * groups[g][1];
        share s[MAX_RANKS];
        rank_thread r[MAX_RANKS];
        void *users[MAX_RANKS];
        for (int i = 0; i < size; i++) s[i].parts = groups[g][1], s[i].in_bf16 = false, users[i] = &s[i];
        run_ranks(size, add_own, users, r);
        for (int i = 0; i < size; i++) {
            assert_int_equal(r[i].status, LIMN_OK);
            for (int k = 0; k < N; k++) {
                float column[MOST];
                for (int p = 0; p < n; p++) column[p] = x[p][k];
                assert_true(s[i].out[k] == node(column, n, levels(n), 0) * (1.0f / (float)n));
            }
        }
    }
    free(x);
}

/* What is sent has 8 bits of mantissa: parts, and their sum. */
static void in_bf16_all_ranks_have_the_same_rounded_sum(void **state)
{
    (void)state;
    share s[4];
    rank_thread r[4];
    void *users[4];
    float x[4][N];
    for (int i = 0; i < 4; i++) s[i].parts = 1, s[i].in_bf16 = true, users[i] = &s[i], fill(x[i], i);
    run_ranks(4, add_own, users, r);
    for (int k = 0; k < N; k++) {
        double sum = 0, size = 0;
        for (int i = 0; i < 4; i++) sum += x[i][k] / 4, size += fabs(x[i][k]) / 4;
        assert_true(fabs(s[0].out[k] - sum) <= 0x1p-8 * (size + fabs(sum)));
        uint32_t bits;
        float four = s[0].out[k] * 4;
        memcpy(&bits, &four, sizeof bits);
        assert_int_equal(bits & 0xffff, 0);
        for (int i = 1; i < 4; i++) assert_true(s[i].out[k] == s[0].out[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_parts_is_a_few_whole_nodes),
        cmocka_unit_test(doubles_are_added_in_its_order),
        cmocka_unit_test(all_groups_have_the_same_bits),
        cmocka_unit_test(in_bf16_all_ranks_have_the_same_rounded_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
