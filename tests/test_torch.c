/* test_torch.c: files of torch.save() hold the tensors, shapes and values that torch says, whatever their strides. */
#include "net/open.h"
#include "base/rng.h"
#include "file/bytes.h"
#include "file/safetensors.h"
#include "file/weight_file.h"
#include "graph/node.h"
#include "make_torch.h"
#include "train/weights.h"
#include "vectors/torch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static limn_ctx *ctx;

static int make_ctx(void **state)
{
    (void)state;
    ctx = limn_ctx_new();
    return ctx ? 0 : -1;
}

static int drop_ctx(void **state)
{
    (void)state;
    limn_ctx_free(ctx);
    return 0;
}

static limn_weight_file *opened(const void *bytes, size_t n)
{
    limn_weight_file *st;
    if (limn_weight_file_parse(ctx, "t.pt", bytes, n, &st) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_string_equal(limn_weight_file_kind(st), "torch");
    return st;
}

static double *values_of(const limn_weight_file *st, const limn_entry *e, size_t n)
{
    double *values = malloc(n * sizeof *values + 1);
    assert_int_equal(e->bytes, n * limn_dtype_bytes(e->dtype));
    if (limn_weight_file_load(ctx, st, e, values, LIMN_F64) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return values;
}

static void same_tensor(const limn_weight_file *st, const torch_tensor *want)
{
    const limn_entry *e = limn_weight_file_find(st, want->name);
    if (!e) fail_msg("no tensor %s", want->name);
    assert_int_equal(e->rank, want->rank);
    for (int k = 0; k < e->rank; k++) assert_int_equal(e->dim[k], want->dim[k]);
    if (!e->usable) return;
    double *values = values_of(st, e, want->n);
    for (size_t i = 0; i < want->n; i++)
        if (values[i] != want->values[i])
            fail_msg("%s[%zu] is %.17g, torch has %.17g", want->name, i, values[i], want->values[i]);
    for (size_t first = 0; first < want->n; first += 1 + want->n / 5) { /* parts of it, as they begin and end in rows */
        size_t n = (want->n - first + 1) / 2;
        assert_int_equal(limn_weight_file_load_part(ctx, st, e, first, n, values, LIMN_F64), LIMN_OK);
        assert_memory_equal(values, want->values + first, n * sizeof *values);
    }
    free(values);
}

/* sums: every byte of it has a checksum. */
static void same_file(const unsigned char *bytes, size_t n, bool sums, const torch_tensor *want, size_t n_want)
{
    limn_weight_file *st = opened(bytes, n);
    bool known = false;
    assert_int_equal(limn_weight_file_count(st), n_want);
    for (size_t i = 0; i < n_want; i++) {
        assert_string_equal(limn_weight_file_get(st, i)->name, want[i].name); /* in the order of the dicts */
        same_tensor(st, &want[i]);
    }
    assert_int_equal(limn_weight_file_check(ctx, st, &known), LIMN_OK);
    assert_int_equal(known, sums);
    limn_weight_file_close(st);
}

static void views_of_shared_storages_become_dense_tensors(void **state)
{
    (void)state;
    same_file(torch_views, sizeof torch_views, true, torch_views_tensors, COUNT(torch_views_tensors));
}

static void every_type_is_listed_and_those_limn_knows_load(void **state)
{
    (void)state;
    static const char *const names[] = {"F32", "F64", "F16",  "BF16", "I64",  "I32", "I16",
                                        "I8",  "U8",  "BOOL", "C64",  "C128", "U16", "F8_E4M3"};
    same_file(torch_types, sizeof torch_types, true, torch_types_tensors, COUNT(torch_types_tensors));
    limn_weight_file *st = opened(torch_types, sizeof torch_types);
    char to[64];
    for (size_t i = 0; i < COUNT(names); i++) assert_string_equal(limn_weight_file_get(st, i)->type, names[i]);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "bool"), to, LIMN_F32), LIMN_UNSUPPORTED);
    limn_weight_file_close(st);
}

static void nested_dicts_and_lists_flatten_and_all_else_is_passed_over(void **state)
{
    (void)state;
    same_file(torch_checkpoint, sizeof torch_checkpoint, true, torch_checkpoint_tensors, COUNT(torch_checkpoint_tensors));
}

/* ---- before torch 1.6 ------------------------------------------------------------------------------------------------- */

/* Also tensors that share a storage, and types of 16 bits. */
static void files_before_1_6_hold_the_same(void **state)
{
    (void)state;
    same_file(torch_old_views, sizeof torch_old_views, false, torch_views_tensors, COUNT(torch_views_tensors));
    same_file(torch_old_types, sizeof torch_old_types, false, torch_types_tensors, COUNT(torch_types_tensors));
    same_file(torch_old_checkpoint, sizeof torch_old_checkpoint, false, torch_checkpoint_tensors,
              COUNT(torch_checkpoint_tensors));
}

/* Bytes k + 1: whole, in a view of 12 bytes from 5 on, in the same view once more; in another storage. */
static void views_of_storages_lie_in_their_roots(void **state)
{
    (void)state;
    static const char *const keys[] = {"9", "10"};
    static const struct { const char *name; double first; size_t n; } want[] = {
        {"whole", 1, 24}, {"part", 6 + 2, 4}, {"tied", 6, 12}, {"other", 1, 3}};
    made_bytes p = {0}, f = {0};
    put_text(&p, "}(");
    pickle_text(&p, "whole");
    pickle_old_tensor(&p, (made_tensor){"ByteStorage", "9", 24, 0, 1, {24}, {1}}, NULL, 0, 0);
    pickle_text(&p, "part");
    pickle_old_tensor(&p, (made_tensor){"ByteStorage", "9", 24, 2, 1, {4}, {1}}, "v", 5, 12);
    pickle_text(&p, "tied");
    pickle_old_tensor(&p, (made_tensor){"ByteStorage", "9", 24, 0, 1, {12}, {1}}, "v", 5, 12);
    pickle_text(&p, "other");
    pickle_old_tensor(&p, (made_tensor){"ByteStorage", "10", 3, 0, 1, {3}, {1}}, NULL, 0, 0);
    put_text(&p, "u");
    old_begin(&f, true, &p, 2, keys);
    old_storage(&f, 24, 1), old_storage(&f, 3, 1);
    limn_weight_file *st = opened(f.at, f.n);
    for (size_t i = 0; i < COUNT(want); i++) {
        double *values = values_of(st, limn_weight_file_find(st, want[i].name), want[i].n);
        for (size_t k = 0; k < want[i].n; k++) assert_true(values[k] == want[i].first + (double)k);
        free(values);
    }
    limn_weight_file_close(st);
    free(p.at);
    free(f.at);
}

/* Longer than what is read at first, by each of its parts. */
static void a_long_pickle_is_read_whole(void **state)
{
    (void)state;
    static const char *const keys[] = {"0"};
    for (int kind = 0; kind < 3; kind++) { /* many short names, a few long ones, one that is longer than a million */
        made_bytes p = {0}, f = {0};
        int n = kind ? 40 : 8000, length = kind ? 60000 : 100;
        char *name = malloc(70000);
        put_text(&p, "}(");
        for (int i = 0; i < n; i++) {
            memset(name, 'x', 70000);
            snprintf(name + length, 10, "%d", i);
            pickle_text(&p, name);
            pickle_old_tensor(&p, (made_tensor){"ByteStorage", "0", 8, 0, 1, {8}, {1}}, NULL, 0, 0);
        }
        if (kind == 2) put_text(&p, "NX"), put_number(&p, 5000000, 4);
        for (int i = 0; i < 5000000 && kind == 2; i++) put(&p, "y", 1);
        put_text(&p, "u");
        assert_true(p.n > 1 << 20);
        old_begin(&f, true, &p, 1, keys);
        old_storage(&f, 8, 1);
        limn_weight_file *st = opened(f.at, f.n);
        assert_int_equal(limn_weight_file_count(st), n);
        limn_weight_file_close(st);
        free(name);
        free(p.at);
        free(f.at);
    }
}

static void published_files_hold_what_torch_reads_from_them(void **state)
{
    (void)state;
    size_t found = 0;
    for (size_t i = 0; i < COUNT(published); i++) {
        char path[1100];
        limn_weight_file *st;
        bool known;
        snprintf(path, sizeof path, LIMN_SOURCE_DIR "/../shared/data/weights/%s", published[i].path);
        if (access(path, R_OK) != 0) continue;
        found++;
        if (limn_weight_file_open(ctx, path, &st) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
        assert_int_equal(limn_weight_file_count(st), published[i].n);
        for (size_t k = 0; k < 3; k++) {
            const limn_entry *e = limn_weight_file_find(st, published[i].tensors[k].name);
            assert_non_null(e);
            size_t n = published[i].tensors[k].n;
            double *values = values_of(st, e, n), sum = 0, size = 0;
            for (size_t j = 0; j < n; j++) sum += values[j], size += fabs(values[j]);
            for (int j = 0; j < 3; j++)
                assert_true(values[published[i].tensors[k].at[j]] == published[i].tensors[k].values[j]);
            assert_true(fabs(sum - published[i].tensors[k].sum) <= 1e-12 * size);
            free(values);
        }
        assert_int_equal(limn_weight_file_check(ctx, st, &known), LIMN_OK);
        limn_weight_file_close(st);
    }
    if (!found) print_message("SKIP: there are no published weights in ../shared/data/weights\n");
    if (!found) skip();
}

/* ---- strides against index by index ----------------------------------------------------------------------------------- */

/* Element `at` (row by row) of a tensor whose storage holds k + 1 in byte k. */
static double element(const made_tensor *t, size_t at)
{
    int64_t place = t->offset;
    for (int d = t->rank - 1; d >= 0; at /= (size_t)t->size[d], d--)
        place += (int64_t)(at % (size_t)t->size[d]) * t->stride[d];
    return (double)(uint8_t)(place + 1);
}

static void any_strides_give_what_indexing_gives(void **state)
{
    (void)state;
    enum { TENSORS = 300, BYTES = 250 };
    made_bytes p = {0};
    made_zip z = {0};
    made_tensor t[TENSORS];
    char name[16];
    size_t counts[TENSORS], strided = 0;
    uint64_t draw = 0;
    put_text(&p, "}(");
    for (int i = 0; i < TENSORS; i++) {
        t[i] = (made_tensor){.type = "ByteStorage", .key = "0", .numel = BYTES, .rank = i % 5};
        int64_t left = BYTES - 1, count = 1;
        for (int d = 0; d < t[i].rank; d++) {
            t[i].size[d] = 1 + (int64_t)(limn_random_uniform(3, 0, ++draw, 0) * 4);
            t[i].stride[d] = (int64_t)(limn_random_uniform(3, 0, ++draw, 0) * 20);
            left -= (t[i].size[d] - 1) * t[i].stride[d];
            count *= t[i].size[d];
        }
        if (left < 0) { i--; continue; }
        t[i].offset = (int64_t)(limn_random_uniform(3, 0, ++draw, 0) * (double)(left + 1));
        counts[i] = (size_t)count;
        snprintf(name, sizeof name, "%d", i);
        pickle_text(&p, name);
        pickle_tensor(&p, t[i]);
    }
    put_text(&p, "u");
    torch_file(&z, &p, 1, (const size_t[]){BYTES});
    limn_weight_file *st = opened(z.file.at, z.file.n);
    for (int i = 0; i < TENSORS; i++) {
        double *values = values_of(st, limn_weight_file_get(st, (size_t)i), counts[i]);
        for (size_t k = 0; k < counts[i]; k++)
            if (values[k] != element(&t[i], k))
                fail_msg("tensor %d, element %zu: %g, expected %g", i, k, values[k], element(&t[i], k));
        strided += counts[i] > 1;
        free(values);
    }
    assert_true(strided > TENSORS / 2);
    limn_weight_file_close(st);
    zip_free(&z);
    free(p.at);
}

/* ---- archives of other programs --------------------------------------------------------------------------------------- */

/* Tensors "a" [1000, 100] F32 and its transpose "b": storage 0 of 400 kB. */
static void put_pair(made_bytes *p)
{
    put_text(p, "}(");
    pickle_text(p, "a");
    pickle_tensor(p, (made_tensor){"FloatStorage", "0", 100000, 0, 2, {1000, 100}, {100, 1}});
    pickle_text(p, "b");
    pickle_tensor(p, (made_tensor){"FloatStorage", "0", 100000, 200, 2, {100, 998}, {1, 100}});
    put_text(p, "u");
}

static void deflated_members_load_like_stored_ones(void **state)
{
    (void)state;
    made_bytes p = {0}, whole = {0};
    made_zip z = {0};
    float *data = malloc(400000), *values = malloc(400000);
    for (int i = 0; i < 100000; i++) data[i] = (float)(i % 3571) / 7;
    put_pair(&p);
    put(&whole, "\x80\2", 2);
    put(&whole, p.at, p.n);
    put_text(&whole, ".");
    zip_add_deflated(&z, "x/version", "3", 1);
    zip_add_deflated(&z, "x/data.pkl", whole.at, whole.n);
    zip_add_deflated(&z, "x/data/0", data, 400000);
    zip_end(&z);
    limn_weight_file *st = opened(z.file.at, z.file.n);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "a"), values, LIMN_F32), LIMN_OK);
    assert_memory_equal(values, data, 400000);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "b"), values, LIMN_F32), LIMN_OK);
    for (int i = 0; i < 100; i++)
        for (int k = 0; k < 998; k++) assert_true(values[i * 998 + k] == data[200 + i + 100 * k]);
    assert_int_equal(limn_weight_file_load_part(ctx, st, limn_weight_file_find(st, "a"), 70000, 11, values, LIMN_F32),
                     LIMN_OK);
    assert_memory_equal(values, data + 70000, 44);
    assert_int_equal(limn_weight_file_load_part(ctx, st, limn_weight_file_find(st, "b"), 997, 2, values, LIMN_F32),
                     LIMN_OK);
    assert_true(values[0] == data[200 + 100 * 997] && values[1] == data[201]);
    limn_weight_file_close(st);
    zip_free(&z);
    free(p.at);
    free(whole.at);
    free(data);
    free(values);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void files_are_told_by_their_bytes_not_by_their_names(void **state)
{
    (void)state;
    limn_weight_file *st;
    write_file("named.safetensors", torch_views, sizeof torch_views);
    assert_int_equal(limn_weight_file_open(ctx, "named.safetensors", &st), LIMN_OK);
    assert_string_equal(limn_weight_file_kind(st), "torch");
    same_tensor(st, &torch_views_tensors[0]);
    limn_weight_file_close(st);
    float x = 3;
    assert_int_equal(limn_safetensors_write(ctx, "named.pt", 1, &(limn_named_view){"a", {LIMN_F32, {1, {1}}, &x}}, 0, NULL),
                     LIMN_OK);
    assert_int_equal(limn_weight_file_open(ctx, "named.pt", &st), LIMN_OK);
    assert_string_equal(limn_weight_file_kind(st), "safetensors");
    limn_weight_file_close(st);
}

static void an_index_may_name_files_of_torch(void **state)
{
    (void)state;
    static const char index[] = "{\"weight_map\": {\"t\": \"part-1.bin\", \"float16\": \"part-2.bin\"}}";
    limn_weight_file *st;
    write_file("part-1.bin", torch_views, sizeof torch_views);
    write_file("part-2.bin", torch_types, sizeof torch_types);
    write_file("torch.bin.index.json", index, strlen(index));
    if (limn_weight_file_open(ctx, "torch.bin.index.json", &st) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_weight_file_count(st), COUNT(torch_views_tensors) + COUNT(torch_types_tensors));
    same_tensor(st, &torch_views_tensors[7]);
    same_tensor(st, &torch_types_tensors[2]);
    limn_weight_file_close(st);
}

static void a_file_cut_after_opening_is_an_error_not_a_signal(void **state)
{
    (void)state;
    limn_weight_file *st;
    float to[24];
    write_file("cut.pt", torch_views, sizeof torch_views);
    assert_int_equal(limn_weight_file_open(ctx, "cut.pt", &st), LIMN_OK);
    assert_int_equal(truncate("cut.pt", 1160), 0);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "t"), to, LIMN_F32), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "cut.pt: ends at byte 1160"));
    limn_weight_file_close(st);
    unlink("cut.pt");
}

/* ---- a network from such a file --------------------------------------------------------------------------------------- */

#define NET "dit size=8 channels=3 patch=4 width=384 depth=1 heads=6 mlp=32 conditioning=modulated norm=pre classes=7"

/* The parameters of w as torch would save them, under {"model": {...}}. */
static void save_torch(const char *path, const limn_weights *w)
{
    made_bytes p = {0}, whole = {0};
    made_zip z = {0};
    put(&p, "}", 1);
    pickle_text(&p, "model");
    put_text(&p, "}(");
    for (int i = 0; i < w->n; i++) {
        made_tensor t = {.type = "FloatStorage",
                         .key = "0",
                         .numel = (int64_t)w->count,
                         .offset = (int64_t)w->begin[i],
                         .rank = w->node[i]->shape.rank};
        int64_t step = 1;
        for (int d = t.rank - 1; d >= 0; d--) t.size[d] = w->node[i]->shape.dim[d], t.stride[d] = step, step *= t.size[d];
        pickle_text(&p, w->node[i]->name);
        pickle_tensor(&p, t);
    }
    put_text(&p, "us");
    put(&whole, "\x80\2", 2);
    put(&whole, p.at, p.n);
    put_text(&whole, ".");
    zip_add(&z, "net/data.pkl", whole.at, whole.n);
    zip_add(&z, "net/data/0", w->value, w->count * sizeof(float));
    zip_add(&z, "net/version", "3\n", 2);
    zip_end(&z);
    write_file(path, z.file.at, z.file.n);
    zip_free(&z);
    free(p.at);
    free(whole.at);
}

static limn_graph *build(limn_settings *s, limn_weights *w)
{
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_settings_parse(ctx, NET, s), LIMN_OK);
    assert_int_equal(limn_model_build(g, s, (limn_build){.batch = 1}, &ports), LIMN_OK);
    assert_int_equal(limn_weights_new(ctx, g, 1, w), LIMN_OK);
    return g;
}

static void a_published_network_starts_from_a_file_of_torch(void **state)
{
    (void)state;
    limn_settings s, read;
    limn_weights w;
    limn_weight_file *st;
    limn_graph *g = build(&s, &w);
    for (size_t i = 0; i < w.count; i++) w.value[i] = (float)i / 1000;
    save_torch("start.pt", &w);
    float *loaded = calloc(w.count, sizeof *loaded);
    if (limn_weight_file_open(ctx, "start.pt", &st) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    if (limn_net_settings_of(ctx, "start.pt", st, &read) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_memory_equal(read.config, s.config, sizeof read.config);
    if (limn_weights_load(ctx, &w, "start.pt", st, "", loaded) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    for (int i = 0; i < w.n; i++)
        assert_memory_equal(loaded + w.begin[i], w.value + w.begin[i], (size_t)limn_node_count(w.node[i]) * sizeof(float));
    limn_weight_file_close(st);
    limn_weights_free(&w);
    limn_graph_free(g);
    free(loaded);
}

static limn_image picture_of(const char *file)
{
    limn_pipeline *p;
    limn_image image;
    limn_generate_options o = limn_generate_defaults();
    if (limn_pipeline_open(ctx, file, &p) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    o.label = 3, o.steps = 2;
    if (limn_generate(p, &o, &image) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    limn_pipeline_free(p);
    return image;
}

static void the_same_weights_make_the_same_picture_from_either_kind_of_file(void **state)
{
    (void)state;
    limn_settings s;
    limn_weights w;
    limn_graph *g = build(&s, &w);
    for (int i = 0; i < w.n; i++) /* adaLN-Zero starts as zeros: then every network makes the same picture */
        for (int64_t k = 0; k < limn_node_count(w.node[i]); k++)
            w.value[w.begin[i] + (size_t)k] += 0.02f * (float)sin((double)k + i);
    limn_named_view views[64];
    assert_in_range(w.n, 1, COUNT(views));
    for (int i = 0; i < w.n; i++)
        views[i] = (limn_named_view){w.node[i]->name, {LIMN_F32, w.node[i]->shape, w.value + w.begin[i]}};
    assert_int_equal(limn_safetensors_write(ctx, "picture.safetensors", (size_t)w.n, views, 0, NULL), LIMN_OK);
    save_torch("picture.pt", &w);
    limn_image a = picture_of("picture.safetensors"), b = picture_of("picture.pt");
    assert_int_equal(a.width, 8);
    assert_memory_equal(a.pixels, b.pixels, 8 * 8 * 3);
    w.value[w.begin[w.n - 1]] += 1; /* and another picture from other weights */
    save_torch("picture.pt", &w);
    limn_image c = picture_of("picture.pt");
    assert_memory_not_equal(a.pixels, c.pixels, 8 * 8 * 3);
    limn_image_free(&a);
    limn_image_free(&b);
    limn_image_free(&c);
    limn_weights_free(&w);
    limn_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_of_shared_storages_become_dense_tensors),
        cmocka_unit_test(every_type_is_listed_and_those_limn_knows_load),
        cmocka_unit_test(nested_dicts_and_lists_flatten_and_all_else_is_passed_over),
        cmocka_unit_test(files_before_1_6_hold_the_same),
        cmocka_unit_test(views_of_storages_lie_in_their_roots),
        cmocka_unit_test(a_long_pickle_is_read_whole),
        cmocka_unit_test(published_files_hold_what_torch_reads_from_them),
        cmocka_unit_test(any_strides_give_what_indexing_gives),
        cmocka_unit_test(deflated_members_load_like_stored_ones),
        cmocka_unit_test(files_are_told_by_their_bytes_not_by_their_names),
        cmocka_unit_test(an_index_may_name_files_of_torch),
        cmocka_unit_test(a_file_cut_after_opening_is_an_error_not_a_signal),
        cmocka_unit_test(a_published_network_starts_from_a_file_of_torch),
        cmocka_unit_test(the_same_weights_make_the_same_picture_from_either_kind_of_file),
    };
    return cmocka_run_group_tests(tests, make_ctx, drop_ctx);
}
