/* test_memory.c: allocation number i fails, for every i: opening, drawing and running a network end with LIMN_NO_MEMORY and
 * a sentence, and give back all they took. */
#include "file/bytes.h"
#include "file/safetensors.h"
#include "graph/node.h"
#include "make_network.h"
#include "model/map/map.h"
#include "pipeline/generate.h"
#include "metric/report.h"
#include "train/step_graph.h"
#include "vectors/torch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

/* ---- allocations of Limn's own code (see CMakeLists.txt) -------------------------------------------------------------- */

static struct {
    long at, n;   /* allocation number `at` (1 ...) fails; 0: none */
    bool for_ever; /* and all that follow */
    size_t largest;
} fault;

static bool fails(size_t bytes)
{
    if (bytes > fault.largest) fault.largest = bytes;
    long n = __atomic_add_fetch(&fault.n, 1, __ATOMIC_RELAXED);
    return fault.at && (n == fault.at || (fault.for_ever && n > fault.at));
}

#define WRAP(name, bytes, parameters, ...)          \
    void *__real_##name parameters;                 \
    void *__wrap_##name parameters;                 \
    void *__wrap_##name parameters                  \
    {                                               \
        return fails(bytes) ? NULL : __real_##name(__VA_ARGS__); \
    }
WRAP(malloc, n, (size_t n), n)
WRAP(calloc, n * size, (size_t n, size_t size), n, size)
WRAP(realloc, n, (void *p, size_t n), p, n)
WRAP(aligned_alloc, n, (size_t alignment, size_t n), alignment, n)
WRAP(strdup, strlen(text), (const char *text), text)
WRAP(limn_arena_alloc, n, (limn_arena *arena, size_t n), arena, n)

char *__real_limn_arena_strdup(limn_arena *arena, const char *text);
char *__wrap_limn_arena_strdup(limn_arena *arena, const char *text);
char *__wrap_limn_arena_strdup(limn_arena *arena, const char *text)
{
    return fails(strlen(text)) ? NULL : __real_limn_arena_strdup(arena, text);
}

/* ---- a small network on the disk -------------------------------------------------------------------------------------- */

#define NET                                                                                                                 \
    "mmdit size=8 channels=3 patch=4 width=16 depth=2 heads=2 mlp=32 time_width=16 conditioning=modulated norm=pre "        \
    "text_encoder=clip "                                                                                                    \
    "text_length=16 text_width=16 text_depth=1 text_heads=2 text_vocab=514"

#define TWO "mmdit size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16 attention=joint text_length=16 text_width=16"
#define ENCODER "clip-text text_length=16 text_width=16 text_depth=1 text_heads=2 text_vocab=514"

static limn_ctx *ctx;

static int make_model(void **state)
{
    (void)state;
    ctx = limn_ctx_new();
    if (!ctx) return -1;
    limn_ctx_set_threads(ctx, 1);
    mkdir("memory", 0777);
    bool made = make_network_with(ctx, "memory/model.safetensors", NET, NULL, 1,
                                  &(const char *const[2]){"limn.schedule", "flow"});
    mkdir("memory-two", 0777);
    mkdir("memory-two/text_encoder", 0777);
    made = made && make_network_with(ctx, "memory-two/model.safetensors", TWO, NULL, 1,
                                     &(const char *const[2]){"limn.schedule", "flow"});
    made = made && make_network(ctx, "memory-two/text_encoder/model.safetensors", ENCODER, NULL);
    if (!made) print_error("%s\n", limn_error_text(ctx));
    return made ? 0 : -1;
}

static int drop_ctx(void **state)
{
    (void)state;
    limn_ctx_free(ctx);
    return 0;
}

/* ---- every allocation of a job fails once, and from then on ----------------------------------------------------------- */

static void each_allocation_may_fail(const char *name, limn_status (*job)(void))
{
    long n = 0;
    assert_int_equal(job(), LIMN_OK); /* what libraries keep for ever is there now */
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (long i = 1;; i++) {
            fault.at = i, fault.n = 0, fault.for_ever = for_ever;
            memset(ctx->error, 0, sizeof ctx->error);
            limn_status status = job();
            bool reached = fault.n >= i;
            fault.at = 0;
            if (status != (reached ? LIMN_NO_MEMORY : LIMN_OK))
                fail_msg("%s, allocation %ld: %s: %s", name, i, limn_status_name(status), limn_error_text(ctx));
            if (!reached) break;
            if (!strstr(limn_error_text(ctx), "out of memory"))
                fail_msg("%s, allocation %ld: \"%s\"", name, i, limn_error_text(ctx));
            n = i;
        }
    print_message("%s: each of %ld allocations\n", name, n);
    assert_int_equal(job(), LIMN_OK); /* and the context is as good as new */
}

static limn_status open_file(void)
{
    limn_weight_file *st;
    bool known;
    limn_status status = limn_weight_file_open(ctx, "memory/model.safetensors", &st);
    if (status == LIMN_OK) status = limn_weight_file_check(ctx, st, &known);
    limn_weight_file_close(st);
    return status;
}

static limn_status open_torch(void)
{
    limn_weight_file *st;
    float to[24];
    limn_status status = limn_weight_file_parse(ctx, "views.pt", torch_views, sizeof torch_views, &st);
    for (size_t i = 0; status == LIMN_OK && i < limn_weight_file_count(st); i++)
        status = limn_weight_file_load(ctx, st, limn_weight_file_get(st, i), to, LIMN_F32);
    limn_weight_file_close(st);
    return status;
}

/* A tensor that is converted exists once: beside it there is a piece of a fixed size. */
static void a_source_converts_without_a_copy(void **state)
{
    (void)state;
    enum { N = 600000, PIECE = 1 << 18 };
    uint16_t *x = calloc(N, sizeof *x);
    float *to = malloc(N * sizeof *to);
    const limn_named_view view = {"x", {LIMN_BF16, {1, {N}}, x}};
    const limn_wanted w = {.name = "x", .shape = {1, {N}}, .init = &(limn_init){.kind = LIMN_INIT_ZERO}};
    limn_weight_file *st;
    limn_source *own, *any;
    x[N - 1] = 0x4040;
    assert_int_equal(limn_safetensors_write(ctx, "memory/large.safetensors", 1, &view, 0, NULL), LIMN_OK);
    assert_int_equal(limn_weight_file_open(ctx, "memory/large.safetensors", &st), LIMN_OK);
    assert_int_equal(limn_source_file(ctx, "large", st, "", &own), LIMN_OK);
    assert_int_equal(limn_map_source(ctx, "large", st, &any), LIMN_OK);
    for (int i = 0; i < 2; i++) {
        to[N - 1] = 0, fault.largest = 0;
        assert_int_equal(limn_source_read(ctx, i ? any : own, &w, LIMN_F32, to), LIMN_OK);
        assert_true(to[N - 1] == 3);
        assert_true(fault.largest <= PIECE);
    }
    limn_source_free(any);
    limn_source_free(own);
    limn_weight_file_close(st);
    free(to);
    free(x);
}

static limn_status write_file(void)
{
    static float x[4];
    const limn_named_view views[] = {{"a", {LIMN_F32, {1, {4}}, x}}, {"b", {LIMN_F32, {1, {2}}, x}}};
    const char *const metadata[][2] = {{"key", "value"}};
    return limn_safetensors_write(ctx, "memory/small.safetensors", 2, views, 1, metadata);
}

static limn_status build(void)
{
    limn_settings s;
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return limn_fail_memory(ctx, 0, "a graph");
    limn_status status = limn_settings_parse(ctx, NET, &s);
    if (status == LIMN_OK) status = limn_model_build(g, &s, (limn_build){.batch = 1}, &ports);
    limn_graph_free(g);
    return status;
}

static limn_status describe(void)
{
    limn_settings s;
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return limn_fail_memory(ctx, 0, "a graph");
    limn_status status = limn_settings_parse(ctx, NET, &s);
    if (status == LIMN_OK) status = limn_model_build(g, &s, (limn_build){.batch = 1}, &ports);
    char *drawing = status == LIMN_OK ? limn_describe(g, NULL) : NULL;
    if (status == LIMN_OK && !drawing) status = limn_fail_memory(ctx, 0, "a drawing");
    free(drawing);
    limn_graph_free(g);
    return status;
}

static limn_status open_pipeline(void)
{
    limn_pipeline *p;
    limn_status status = limn_pipeline_open(ctx, "memory", &p);
    limn_pipeline_free(p);
    return status;
}

static limn_status generate(void)
{
    limn_pipeline *p;
    limn_image image = {0};
    limn_status status = limn_pipeline_open(ctx, "memory", &p);
    limn_generate_options o = {
        .prompt = "a red circle", .n = 1, .steps = 2, .guidance = 2, .seed = 5, .precision = LIMN_PRECISION_F32};
    if (status == LIMN_OK) status = limn_generate(p, &o, &image);
    limn_image_free(&image);
    limn_pipeline_free(p);
    return status;
}

/* A text encoder beside the network, its text alone, and steps one by one. */
static limn_status step_by_step(void)
{
    limn_pipeline *p;
    limn_sampling *s = NULL;
    limn_image image = {0};
    float features[16 * 16], pooled[16];
    limn_status status = limn_pipeline_open(ctx, "memory-two", &p);
    limn_generate_options o = {.prompt = "a red circle", .n = 1, .steps = 2, .guidance = 2, .width = 12,
                               .precision = LIMN_PRECISION_F32};
    if (status == LIMN_OK) status = limn_encode_text(p, "a circle", LIMN_PRECISION_F32, features, pooled);
    if (status == LIMN_OK) status = limn_sampling_begin(p, &o, &s);
    while (status == LIMN_OK && limn_sampling_left(s)) status = limn_sampling_step(s);
    if (status == LIMN_OK) status = limn_sampling_picture(s, 0, &image);
    limn_image_free(&image);
    limn_sampling_end(s);
    limn_pipeline_free(p);
    return status;
}

static limn_status training_step(void)
{
    limn_step_options options = {.batch = 2};
    limn_step_graph step = {0};
    limn_plan *plan = NULL;
    limn_run *run = NULL;
    limn_status status = limn_settings_parse(ctx, NET, &options.settings);
    if (status == LIMN_OK) status = limn_step_graph_build(ctx, &options, &step);
    if (status == LIMN_OK)
        status = limn_step_graph_plan(&step, &(limn_plan_options){.precision = LIMN_PRECISION_F32}, &plan);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_step_graph_free(&step);
    return status;
}

static limn_status report(void)
{
    static const uint8_t truth[16 * 16] = {1, 1, 0, 1}, found[16 * 16] = {0, 1, 1, 1}; /* 16x16: SSIM's windows fit */
    static const float p_cell[16 * 16] = {0.3f, 0.9f};
    limn_report *r = NULL;
    const limn_label_pair maps = {16, 16, 2, truth, found};
    limn_image picture = {16, 16, 1, (uint8_t *)truth}, overlay = {0};
    double ssim;
    limn_status status = limn_report_new(ctx, 2, NULL, 1, &r);
    if (status == LIMN_OK) status = limn_report_add(ctx, r, &maps, p_cell);
    if (status == LIMN_OK) status = limn_report_picture(ctx, &picture, truth, found, &overlay);
    if (status == LIMN_OK) status = limn_ssim(ctx, &picture, &picture, &ssim);
    char *text = status == LIMN_OK ? limn_report_text(r) : NULL;
    if (status == LIMN_OK && !text) status = limn_fail_memory(ctx, 0, "a report");
    limn_free(text);
    limn_report_free(r);
    limn_image_free(&overlay);
    return status;
}

static limn_status segment_files(void)
{
    const char *const pictures[] = {"memory/masks"};
    const limn_segmentation_options plain = {.precision = LIMN_PRECISION_F32};
    limn_segmentation *s = NULL;
    limn_report *r = NULL;
    limn_segment_files_options o = limn_segment_files_defaults();
    o.pictures = pictures, o.n_pictures = 1, o.truth = "memory/masks", o.mask = "memory/found", o.overlay = "memory/looks";
    o.probability = "memory/maps", o.cell = "1";
    limn_status status = limn_segmentation_open(ctx, "memory/unet.safetensors", &plain, &s);
    if (status == LIMN_OK) status = limn_segment_files(s, &o, &r);
    if (status == LIMN_OK) status = limn_report_add_files(ctx, r, "memory/masks/a.png", "memory/masks/a.png", NULL);
    char *json = status == LIMN_OK ? limn_report_json(r) : NULL;
    if (status == LIMN_OK && !json) status = limn_fail_memory(ctx, 0, "a report");
    limn_free(json);
    limn_report_free(r);
    limn_segmentation_free(s);
    return status;
}

static void a_weight_file_opens_or_says_why_not(void **state)
{
    (void)state;
    each_allocation_may_fail("open", open_file);
}

static void a_file_of_torch_opens_or_says_why_not(void **state)
{
    (void)state;
    each_allocation_may_fail("torch", open_torch);
}

static void a_weight_file_is_written_or_not_at_all(void **state)
{
    (void)state;
    each_allocation_may_fail("write", write_file);
}

static void a_graph_is_built_or_says_why_not(void **state)
{
    (void)state;
    each_allocation_may_fail("build", build);
}

static void a_network_is_drawn_or_says_why_not(void **state)
{
    (void)state;
    each_allocation_may_fail("describe", describe);
}

static void a_folder_opens_or_says_why_not(void **state)
{
    (void)state;
    each_allocation_may_fail("pipeline", open_pipeline);
}

static void a_picture_is_made_or_not_at_all(void **state)
{
    (void)state;
    each_allocation_may_fail("generate", generate);
}

static void two_networks_draw_step_by_step_or_say_why_not(void **state)
{
    (void)state;
    each_allocation_may_fail("two networks", step_by_step);
}

static void a_training_step_is_planned_or_says_why_not(void **state)
{
    (void)state;
    each_allocation_may_fail("training step", training_step);
}

static void a_segmentation_is_measured_or_the_report_says_why_not(void **state)
{
    (void)state;
    each_allocation_may_fail("report", report);
}

static void files_are_segmented_or_it_says_why_not(void **state)
{
    (void)state;
    static const uint8_t mask[64] = {255, 255, 0, 255};
    const limn_image picture = {8, 8, 1, (uint8_t *)mask};
    assert_true(mkdir("memory/masks", 0777) == 0 || errno == EEXIST);
    assert_int_equal(limn_png_write(ctx, "memory/masks/a.png", &picture, NULL), LIMN_OK);
    assert_true(make_network(ctx, "memory/unet.safetensors", "unet size=8 channels=1 classes=2 width=4 levels=2", NULL));
    each_allocation_may_fail("files", segment_files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_converts_without_a_copy),
        cmocka_unit_test(a_weight_file_opens_or_says_why_not),
        cmocka_unit_test(a_file_of_torch_opens_or_says_why_not),
        cmocka_unit_test(a_weight_file_is_written_or_not_at_all),
        cmocka_unit_test(a_graph_is_built_or_says_why_not),
        cmocka_unit_test(a_network_is_drawn_or_says_why_not),
        cmocka_unit_test(a_folder_opens_or_says_why_not),
        cmocka_unit_test(a_picture_is_made_or_not_at_all),
        cmocka_unit_test(a_training_step_is_planned_or_says_why_not),
        cmocka_unit_test(a_segmentation_is_measured_or_the_report_says_why_not),
        cmocka_unit_test(files_are_segmented_or_it_says_why_not),
        cmocka_unit_test(two_networks_draw_step_by_step_or_say_why_not),
    };
    return cmocka_run_group_tests(tests, make_model, drop_ctx);
}
