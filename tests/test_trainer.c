/* test_trainer.c: what a run promises: the same bits after a stop, no bad state over a good one, refusals in a sentence,
 * events. */
#include "file/bytes.h"
#include "file/image.h"
#include "file/weight_file.h"
#include "plan/plan.h"
#include "train/tensorboard.h"
#include "train/trainer_parts.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define SIZES "size=16 channels=3 patch=4 width=32 depth=2 heads=2 mlp=64 conditioning=modulated norm=pre "
#define MMDIT "mmdit " SIZES "text_encoder=clip text_length=40 text_width=32 text_depth=1 text_heads=2 text_vocab=514"
#define DIT "dit " SIZES

enum { MAX_ROWS = 64 };

/* What a run told. */
typedef struct told {
    int n, warnings;
    double loss[MAX_ROWS], norm[MAX_ROWS];
    int64_t stop_after;      /* steps until the progress callback says stop; 0: never */
    const char *stop_at;     /* what the progress callback refuses; NULL: nothing */
    const char *remove;      /* folder to remove after the first warning */
    char first[1024], last[1024], all[8192]; /* lines of the log */
} told;

static void report(void *user, const limn_train_report *r)
{
    told *t = user;
    if (t->n < MAX_ROWS) t->loss[t->n] = r->loss, t->norm[t->n++] = r->gradient;
}

static void hear(void *user, limn_log_level level, const char *text)
{
    told *t = user;
    if (!t->first[0]) snprintf(t->first, sizeof t->first, "%s", text);
    snprintf(t->last, sizeof t->last, "%s", text);
    size_t n = strlen(t->all);
    snprintf(t->all + n, sizeof t->all - n, "%s\n", text);
    if (level != LIMN_LOG_WARN) return;
    t->warnings++;
    if (t->remove) rmdir(t->remove);
}

static bool go_on(void *user, const char *what, int64_t done, int64_t total)
{
    (void)total;
    told *t = user;
    if (t->stop_at && strcmp(what, t->stop_at) == 0) return false;
    return strcmp(what, "step") != 0 || t->stop_after == 0 || done % t->stop_after != 0;
}

static limn_ctx *context(told *t)
{
    limn_ctx *ctx = limn_ctx_new();
    *t = (told){0};
    limn_ctx_set_threads(ctx, 1);
    limn_ctx_set_log(ctx, hear, t);
    limn_ctx_set_progress(ctx, go_on, t);
    return ctx;
}

static limn_train_options options_for(const char *net, const char *out, told *t)
{
    limn_train_options o = limn_train_defaults();
    o.network = net, o.data = "shapes", o.n_shapes = 64, o.out = out, o.batch = 4, o.steps = 12, o.save_every = 5,
    o.log_every = 1, o.warmup = 4, o.lr = 2e-3;
    o.precision = LIMN_PRECISION_F32, o.report = report, o.user = t;
    return o;
}

static void expect(limn_ctx *ctx, const limn_train_options *o, limn_status expected)
{
    limn_status status = limn_train(ctx, o);
    if (status != expected)
        fail_msg("expected \"%s\", found \"%s\": %s", limn_status_name(expected), limn_status_name(status),
                 limn_error_text(ctx));
}

static void refused(limn_ctx *ctx, const limn_train_options *o, const char *word)
{
    if (limn_train(ctx, o) != LIMN_BAD_ARGUMENT) fail_msg("%s was not refused: %s", word, limn_error_text(ctx));
    if (!strstr(limn_error_text(ctx), word)) fail_msg("expected \"%s\" in: %s", word, limn_error_text(ctx));
}

static unsigned char *bytes_of(limn_ctx *ctx, const char *path, size_t *n)
{
    unsigned char *bytes;
    if (limn_file_read(ctx, path, 1 << 30, &bytes, n) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return bytes;
}

static void same_files(limn_ctx *ctx, const char *a, const char *b)
{
    size_t n, m;
    unsigned char *x = bytes_of(ctx, a, &n), *y = bytes_of(ctx, b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* ---- resuming --------------------------------------------------------------------------------------------------------- */

static int64_t step_of(limn_ctx *ctx, const char *path)
{
    limn_weight_file *file;
    if (limn_weight_file_open(ctx, path, &file) != LIMN_OK) return -1;
    int64_t step = strtoll(limn_weight_file_metadata(file, "limn.step"), NULL, 10);
    limn_weight_file_close(file);
    return step;
}

/* Before the first step nothing is left; while samples are drawn or pictures scored they are given up, and the step is
 * saved. */
static void a_stop_is_heard_outside_of_steps(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-heard", &t);
    o.sample_every = 3;
    assert_int_equal(system("rm -rf run-heard"), 0);
    t.stop_at = "picture";
    expect(ctx, &o, LIMN_CANCELLED);
    assert_int_equal(access("run-heard", F_OK), -1);
    t.stop_at = "start";
    expect(ctx, &o, LIMN_CANCELLED);
    assert_int_equal(step_of(ctx, "run-heard/checkpoint.safetensors"), -1);
    t.stop_at = "sample";
    expect(ctx, &o, LIMN_CANCELLED);
    assert_int_equal(step_of(ctx, "run-heard/checkpoint.safetensors"), 3);
    assert_int_equal(t.warnings, 0);
    assert_int_equal(access("run-heard/samples", F_OK), -1);
    o.steps = 3; /* the last one, too */
    expect(ctx, &o, LIMN_CANCELLED);
    assert_non_null(strstr(limn_error_text(ctx), "samples and scores are missing"));
    limn_ctx_free(ctx);
}

static bool cancel_at_3(void *user, const char *what, int64_t done, int64_t total)
{
    (void)total;
    if (strcmp(what, "step") == 0 && done == 3) limn_ctx_cancel(user); /* seen in the middle of step 4 */
    return true;
}

/* limn_ctx_cancel() is as good as the callback: what was learned is saved, the step under way comes again. */
static void a_cancelled_run_is_saved_and_goes_on_with_the_same_bits(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-uncancelled", &t);
    o.steps = 6;
    assert_int_equal(system("rm -rf run-uncancelled run-cancelled"), 0);
    expect(ctx, &o, LIMN_OK);
    o.out = "run-cancelled";
    limn_ctx_set_progress(ctx, cancel_at_3, ctx);
    expect(ctx, &o, LIMN_CANCELLED);
    assert_non_null(strstr(limn_error_text(ctx), "stopped at step 3, saved"));
    limn_ctx_set_progress(ctx, go_on, &t);
    o.resume = true;
    expect(ctx, &o, LIMN_OK);
    same_files(ctx, "run-uncancelled/model.safetensors", "run-cancelled/model.safetensors");
    o.resume = false, o.out = "run-uncancelled-2";
    limn_ctx_cancel(ctx); /* before anything */
    expect(ctx, &o, LIMN_CANCELLED);
    assert_int_equal(access("run-uncancelled-2", F_OK), -1);
    limn_ctx_free(ctx);
}

/* Runs o to its end in one go, and again with a stop every 5 steps. */
static void stop_and_go(limn_ctx *ctx, told *t, limn_train_options o, const char *whole, const char *parts)
{
    char a[256], b[256];
    o.out = whole;
    expect(ctx, &o, LIMN_OK);
    o.out = parts;
    t->stop_after = 5;
    expect(ctx, &o, LIMN_CANCELLED);
    assert_non_null(strstr(limn_error_text(ctx), "--resume"));
    o.resume = true;
    expect(ctx, &o, LIMN_CANCELLED);
    expect(ctx, &o, LIMN_OK);
    t->stop_after = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(a, sizeof a, "%s/%s.safetensors", whole, i ? "model" : "checkpoint");
        snprintf(b, sizeof b, "%s/%s.safetensors", parts, i ? "model" : "checkpoint");
        same_files(ctx, a, b);
    }
}

static void accumulation_text_and_samples_resume_with_the_same_bits(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(MMDIT, "", &t);
    o.accumulate = 2, o.contrastive = 0.5, o.flip = true, o.sample_every = 6,
    o.sample_prompts = "a red circle|a blue square";
    stop_and_go(ctx, &t, o, "run-all", "run-all-parts");
    static const char *const words[] = {
        "mmdit, 0.08",    "M parameters", "64 pictures of 16x16x3", "a step sees 8 in 2 parts",
        "f32 (as asked)", "planned peak"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(t.first, words[i])) fail_msg("the first line lacks \"%s\": %s", words[i], t.first);
    limn_image grid;
    assert_int_equal(limn_image_read(ctx, "run-all/samples/step-000012.png", 3, &grid), LIMN_OK);
    assert_int_equal(grid.width, 32);
    assert_int_equal(grid.height, 16);
    limn_image_free(&grid);
    same_files(ctx, "run-all/samples/step-000006.png", "run-all-parts/samples/step-000006.png");
    same_files(ctx, "run-all/samples/step-000012.png", "run-all-parts/samples/step-000012.png");
    limn_ctx_free(ctx);
}

/* A folder of four gray pictures, a line of metadata.jsonl each. */
static void put_rows(limn_ctx *ctx, const char *folder, const char *const rows[4])
{
    char path[128];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/metadata.jsonl", folder);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 4; i++) {
        uint8_t gray[16 * 16 * 3];
        memset(gray, 60 * i, sizeof gray);
        snprintf(path, sizeof path, "%s/%d.png", folder, i);
        assert_int_equal(limn_png_write(ctx, path, &(limn_image){16, 16, 3, gray}, NULL), LIMN_OK);
        fprintf(file, "{\"file_name\": \"%d.png\"%s}\n", i, rows[i]);
    }
    fclose(file);
}

static void captions_that_are_drawn_resume_with_the_same_bits(void **state)
{
    (void)state;
    static const char *const rows[] = {", \"text\": [\"black\", \"a dark one\", \"night\"], \"kind\": \"x\"",
                                       ", \"text\": \"gray\", \"kind\": [\"y\", \"z\"]", ", \"text\": \"light\"", ""};
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(MMDIT, "run-first", &t);
    put_rows(ctx, "data-drawn", rows);
    o.data = "data-drawn", o.drop = 0, o.steps = 12, o.caption_field = "text:2,kind";
    stop_and_go(ctx, &t, o, "run-drawn", "run-drawn-parts");
    double drawn = t.loss[0];
    t.first[0] = '\0', t.n = t.warnings = 0, o.out = "run-first", o.steps = 4;
    expect(ctx, &o, LIMN_OK);
    assert_true(t.loss[0] == drawn && t.warnings == 1);
    assert_non_null(strstr(t.first, "captions: 3 from the fields \"text:2,kind\" of metadata.jsonl; 2 have several, of "
                                    "which every sample draws one; 1 of 4 pictures have no caption"));
    o.seed++, t.n = 0;
    expect(ctx, &o, LIMN_OK);
    assert_true(t.loss[0] != drawn);
    limn_ctx_free(ctx);
}

static void captions_and_labels_that_are_missing_are_counted(void **state)
{
    (void)state;
    static const char *const none[] = {", \"label\": 1, \"split\": \"a\"", ", \"label\": 0, \"split\": \"a\"",
                                       ", \"split\": \"b\"", ", \"label\": null, \"text\": \"\", \"split\": \"a\""};
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(MMDIT, "run-none-said", &t);
    put_rows(ctx, "data-none", none);
    assert_int_equal(system("rm -rf run-none-said run-labels-said"), 0);
    o.data = "data-none", o.steps = 1;
    expect(ctx, &o, LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "data-none: 4 of 4 pictures have no caption"));
    assert_int_equal(access("run-none-said", F_OK), -1);
    o.no_captions = true;
    expect(ctx, &o, LIMN_OK);
    assert_int_equal(t.warnings, 1);
    o = options_for(DIT "classes=2", "run-labels-said", &t), t.warnings = 0;
    o.data = "data-none", o.steps = 1;
    expect(ctx, &o, LIMN_OK);
    assert_int_equal(t.warnings, 1);
    assert_non_null(strstr(t.first, "pictures have no caption")); /* of the run before; this one says: */
    t.first[0] = '\0';
    expect(ctx, &o, LIMN_OK);
    assert_string_equal(t.first, "2 of 4 pictures have no label (field \"label\") and are taught as \"none\"");
    o.where = "split=b", t.first[0] = '\0';
    expect(ctx, &o, LIMN_BAD_ARGUMENT);
    assert_string_equal(t.first, "data-none: 1 of 4 rows have split=b");
    assert_non_null(strstr(
        limn_error_text(ctx),
        "data-none: none of the 1 pictures with split=b has a label (field \"label\"), and the network learns classes"));
    limn_ctx_free(ctx);
}

/* DDPM: noise predicted, 1000 linear betas. */
static limn_objective noise_predicted(void)
{
    return (limn_objective){.prediction = LIMN_PREDICT_EPS, .schedule = limn_schedule_defaults(), .gamma = 5};
}

static void a_learned_variance_resumes_with_the_same_bits(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT "learn_sigma=1", "run-sigma-flow", &t);
    expect(ctx, &o, LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "--schedule linear"));
    o.objective = noise_predicted();
    stop_and_go(ctx, &t, o, "run-sigma", "run-sigma-parts");
    limn_ctx_free(ctx);
}

static void labels_with_dropout_resume_with_the_same_bits(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT "classes=32", "", &t);
    o.drop = 0.3, o.accumulate = 2, o.sample_every = 12, o.sample_prompts = "red circle|31";
    stop_and_go(ctx, &t, o, "run-labels", "run-labels-parts");
    limn_image grid;
    assert_int_equal(limn_image_read(ctx, "run-labels/samples/step-000012.png", 3, &grid), LIMN_OK);
    assert_int_equal(grid.width, 32);
    limn_image_free(&grid);
    limn_ctx_free(ctx);
}

static void copy_file(limn_ctx *ctx, const char *from, const char *to)
{
    limn_writer w;
    size_t n;
    unsigned char *bytes = bytes_of(ctx, from, &n);
    assert_int_equal(limn_file_create(ctx, to, &w), LIMN_OK);
    limn_file_write(&w, bytes, n);
    assert_int_equal(limn_file_commit(&w), LIMN_OK);
    free(bytes);
}

/* Four pictures of noise; the mask is where it is bright. */
static void noise_with_masks(limn_ctx *ctx, const char *folder)
{
    enum { SIDE = 16 };
    uint8_t pixels[SIDE * SIDE], mask[SIDE * SIDE];
    char path[256];
    uint32_t noise = 1;
    mkdir(folder, 0777);
    for (int i = 0; i < 2; i++) snprintf(path, sizeof path, "%s/%s", folder, i ? "masks" : "images"), mkdir(path, 0777);
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < SIDE * SIDE; k++)
            noise = noise * 1664525u + 1013904223u, pixels[k] = (uint8_t)(noise >> 24), mask[k] = pixels[k] > 127 ? 255 : 0;
        snprintf(path, sizeof path, "%s/images/%d.png", folder, i);
        assert_int_equal(limn_png_write(ctx, path, &(limn_image){SIDE, SIDE, 1, pixels}, NULL), LIMN_OK);
        snprintf(path, sizeof path, "%s/masks/%d.png", folder, i);
        assert_int_equal(limn_png_write(ctx, path, &(limn_image){SIDE, SIDE, 1, mask}, NULL), LIMN_OK);
    }
}

static void keep_checkpoint(void *user, const limn_train_report *r)
{
    if (r->step == 6)
        copy_file(user, "run-norm/checkpoint.safetensors", "run-norm-killed/checkpoint.safetensors"); /* that of step 5 */
}

/* What a killed run leaves is the state between two steps: no statistic of the next batch is in it yet. */
static void running_statistics_of_a_killed_run_resume_with_the_same_bits(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o =
        options_for("unet size=16 channels=1 classes=2 width=4 levels=2 convs=1 norm=batch", "run-norm", &t);
    noise_with_masks(ctx, "run-norm-data");
    mkdir("run-norm-killed", 0777);
    o.data = "run-norm-data", o.accumulate = 2, o.batch = 2, o.report = keep_checkpoint, o.user = ctx;
    expect(ctx, &o, LIMN_OK);
    o.out = "run-norm-killed", o.resume = true, o.report = report, o.user = &t;
    expect(ctx, &o, LIMN_OK);
    same_files(ctx, "run-norm/checkpoint.safetensors", "run-norm-killed/checkpoint.safetensors");
    same_files(ctx, "run-norm/model.safetensors", "run-norm-killed/model.safetensors");
    limn_ctx_free(ctx);
}

/* Every --sample-every, and when a run ends. */
/* How many tensors of two models have the same values: of those whose names begin so, and of the others. */
static void same_tensors(limn_ctx *ctx, const char *a, const char *b, const char *prefix, int same[2], int all[2])
{
    limn_weight_file *x, *y;
    if (limn_weight_file_open(ctx, a, &x) != LIMN_OK || limn_weight_file_open(ctx, b, &y) != LIMN_OK)
        fail_msg("%s", limn_error_text(ctx));
    for (size_t i = 0; i < limn_weight_file_count(x); i++) {
        static float of_x[1 << 14], of_y[1 << 14];
        const limn_entry *e = limn_weight_file_get(x, i), *f = limn_weight_file_find(y, e->name);
        assert_non_null(f);
        assert_true(limn_entry_count(e) <= 1 << 14 && limn_entry_count(f) == limn_entry_count(e));
        assert_int_equal(limn_weight_file_load(ctx, x, e, of_x, LIMN_F32), LIMN_OK);
        assert_int_equal(limn_weight_file_load(ctx, y, f, of_y, LIMN_F32), LIMN_OK);
        int other = strncmp(e->name, prefix, strlen(prefix)) != 0;
        same[other] += memcmp(of_x, of_y, limn_entry_count(e) * sizeof *of_x) == 0;
        all[other]++;
    }
    limn_weight_file_close(x);
    limn_weight_file_close(y);
}

/* Neither the gradient nor the decay of weights nor a batch's moments reach it. */
static void what_is_frozen_stays(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {DIT, "blocks.0."}, {"unet size=16 channels=1 classes=2 width=4 levels=2 convs=1 norm=batch", "down1."}};
    for (int i = 0; i < 2; i++) {
        told t;
        limn_ctx *ctx = context(&t);
        limn_train_options o = options_for(rows[i][0], "run-freeze", &t);
        noise_with_masks(ctx, "run-freeze-data");
        if (i) o.data = "run-freeze-data";
        o.ema = 0, o.steps = 2;
        expect(ctx, &o, LIMN_OK);
        o.init = "run-freeze/model.safetensors", o.out = "run-frozen", o.freeze = rows[i][1], o.weight_decay = 5,
        o.steps = 4;
        expect(ctx, &o, LIMN_OK);
        assert_non_null(strstr(t.all, " tensors frozen), on "));
        int same[2] = {0}, all[2] = {0};
        same_tensors(ctx, o.init, "run-frozen/model.safetensors", rows[i][1], same, all);
        assert_true(all[0] >= 4 && all[1] >= 4);
        assert_int_equal(same[0], all[0]);
        assert_true(i ? same[1] == 0 : 2 * same[1] < all[1]); /* a table, and what has no gradient yet */
        o.init = NULL, o.resume = true, o.steps = 6, o.freeze = NULL, refused(ctx, &o, "--freeze");
        o.freeze = "x_embedde,", refused(ctx, &o, i ? "begins with \"x_embedde\"" : "--freeze");
        o.freeze = ",", refused(ctx, &o, "begins with \"\"");
        o.freeze = i ? "inc.,down1.,up1.,outc." : "x_,pos_,t_,y_,blocks.,final_layer", refused(ctx, &o, "freeze");
        limn_ctx_free(ctx);
    }
}

static void what_is_held_out_is_scored_into_a_file(void **state)
{
    (void)state;
    told t;
    size_t n;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for("unet size=16 channels=1 classes=2 width=4 levels=2 convs=1", "run-held", &t);
    noise_with_masks(ctx, "run-held-data");
    o.data = "run-held-data", o.batch = 1, o.steps = 6, o.seconds = 1e-9, o.hold_out = "3";
    expect(ctx, &o, LIMN_OK); /* time is up after a step */
    o.seconds = 0, o.sample_every = 4, o.resume = true;
    expect(ctx, &o, LIMN_OK);
    o.steps = 7, o.sample_every = 0;
    expect(ctx, &o, LIMN_OK);
    char *rows = (char *)bytes_of(ctx, "run-held/held_out.csv", &n), *row = rows;
    static const char *const begin[] = {"step,pixel_error,dice,iou,foreground_dice,foreground_iou,dice_0,dice_1\n", "1,0.",
                                        "4,0.", "6,0.", "7,0."};
    for (int i = 0; i < 5; i++, row = strchr(row, '\n') + 1) assert_memory_equal(row, begin[i], strlen(begin[i]));
    assert_ptr_equal(row, rows + n);
    free(rows);
    assert_int_equal(access("run-norm/held_out.csv", F_OK), -1);
    limn_ctx_free(ctx);
}

/* Labels reach the loss: rows of "none" and of the classes that were seen learn, those of other classes stay. */
static void only_classes_that_were_seen_learn(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_weight_file *before, *after;
    limn_train_options o = options_for(DIT "classes=40", "run-none", &t);
    o.steps = 1, o.batch = 8, o.weight_decay = 0, o.lr = 1e-12, o.warmup = 0;
    expect(ctx, &o, LIMN_OK);
    assert_int_equal(t.warnings, 1); /* 8 of them have no picture */
    assert_memory_equal(t.first, "classes: 0 black circle, 1 ", 27);
    assert_string_equal(t.first + strlen(t.first) - 4, ", ..");
    o.out = "run-seen", o.steps = 12, o.lr = 1e-2;
    expect(ctx, &o, LIMN_OK);
    assert_int_equal(limn_weight_file_open(ctx, "run-none/checkpoint.safetensors", &before), LIMN_OK);
    assert_int_equal(limn_weight_file_open(ctx, "run-seen/checkpoint.safetensors", &after), LIMN_OK);
    assert_non_null(strstr(limn_weight_file_metadata(after, "limn.classes"), "red circle\n"));
    const limn_entry *a = limn_weight_file_find(before, "y_embedder.embedding_table.weight"),
                     *b = limn_weight_file_find(after, "y_embedder.embedding_table.weight");
    assert_non_null(a);
    float was[41][32], is[41][32];
    assert_int_equal(a->bytes, sizeof was);
    assert_int_equal(limn_weight_file_load(ctx, before, a, was, LIMN_F32), LIMN_OK);
    assert_int_equal(limn_weight_file_load(ctx, after, b, is, LIMN_F32), LIMN_OK);
    int moved = 0;
    for (int row = 0; row < 41; row++) {
        float most = 0;
        for (int i = 0; i < 32; i++) most = fmaxf(most, fabsf(was[row][i] - is[row][i]));
        if (row >= 32 && row < 40) assert_true(most < 1e-6f); /* the data has 32 classes */
        else moved += most > 1e-4f;
        if (row == 40) assert_true(most > 1e-4f);
    }
    assert_true(moved > 20);
    limn_weight_file_close(before);
    limn_weight_file_close(after);
    o = options_for(DIT "classes=8", "run-few", &t);
    expect(ctx, &o, LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "--set classes=32"));
    o = options_for(DIT "classes=32", "run-few", &t);
    o.sample_every = 1, o.sample_prompts = "red herring";
    expect(ctx, &o, LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "red herring"));
    limn_ctx_free(ctx);
}

static void parts_of_a_batch_add_up_to_the_whole(void **state)
{
    (void)state;
    told one, two;
    limn_ctx *ctx = context(&one);
    limn_train_options o = options_for(MMDIT, "run-whole-batch", &one);
    o.batch = 8, o.steps = 6;
    expect(ctx, &o, LIMN_OK);
    two = (told){0};
    o.out = "run-parts-of-batch", o.batch = 2, o.accumulate = 4, o.user = &two;
    expect(ctx, &o, LIMN_OK);
    assert_int_equal(one.n, 6);
    assert_int_equal(two.n, 6);
    for (int i = 0; i < 6; i++) {
        assert_true(fabs(one.loss[i] - two.loss[i]) < 1e-5 * one.loss[i]);
        assert_true(fabs(one.norm[i] - two.norm[i]) < 1e-4 * one.norm[i]);
    }
    limn_ctx_free(ctx);
}

static void another_number_of_threads_changes_only_the_rounding(void **state)
{
    (void)state;
    told one, two;
    limn_ctx *ctx = context(&one);
    limn_train_options o = options_for(MMDIT, "run-one-thread", &one);
    o.steps = 20;
    expect(ctx, &o, LIMN_OK);
    two = (told){0};
    o.out = "run-two-threads", o.user = &two;
    limn_ctx_set_threads(ctx, 2);
    expect(ctx, &o, LIMN_OK);
    assert_int_equal(two.n, 20);
    for (int i = 0; i < 20; i++)
        if (!(fabs(one.loss[i] - two.loss[i]) < 1e-5 * one.loss[i]))
            fail_msg("step %d: %.9g and %.9g", i + 1, one.loss[i], two.loss[i]);
    limn_ctx_free(ctx);
}

static void bf16_learns_as_f32_does(void **state)
{
    (void)state;
#if defined(__x86_64__)
    bool can = __builtin_cpu_supports("avx512bw");
#else
    bool can = false;
#endif
    if (!can) {
        print_message("SKIP: bf16 kernels of training need AVX-512, which this CPU lacks\n");
        skip();
    }
    told f32, bf16;
    limn_ctx *ctx = context(&f32);
    limn_train_options o = options_for(MMDIT, "run-f32", &f32);
    o.steps = 20;
    expect(ctx, &o, LIMN_OK);
    bf16 = (told){0};
    o.out = "run-bf16", o.precision = LIMN_PRECISION_BF16, o.user = &bf16;
    expect(ctx, &o, LIMN_OK);
    /* 8 bits of mantissa: single losses within 2 % */
    for (int i = 0; i < 20; i++) assert_true(fabs(f32.loss[i] - bf16.loss[i]) < 0.02 * f32.loss[i]);
    limn_ctx_free(ctx);
}

/* A killed run leaves rows of steps that its checkpoint does not know, perhaps half a line. */
static void a_resumed_log_has_every_step_once(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-log", &t);
    o.seconds = 1e-9, o.log_every = 20;
    expect(ctx, &o, LIMN_OK); /* stops after a step */
    FILE *f = fopen("run-log/log.csv", "a");
    fputs("2,9.9,0.1,0.1,5\n3,9.9,0.1", f);
    fclose(f);
    o.seconds = 0, o.log_every = 1, o.resume = true;
    expect(ctx, &o, LIMN_OK);
    size_t n;
    char *text = (char *)bytes_of(ctx, "run-log/log.csv", &n);
    size_t at = strcspn(text, "\n") + 1;
    for (int step = 1; step <= 12; step++) {
        assert_int_equal(strtol(text + at, NULL, 10), step);
        at += strcspn(text + at, "\n") + 1;
    }
    assert_int_equal(at, n);
    assert_null(strstr(text, "9.9,"));
    free(text);
    limn_ctx_free(ctx);
}

/* ---- what goes wrong -------------------------------------------------------------------------------------------------- */

static void a_diverged_run_keeps_the_last_good_checkpoint(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-nan", &t);
    o.steps = 6;
    expect(ctx, &o, LIMN_OK);
    size_t n, m;
    unsigned char *before = bytes_of(ctx, "run-nan/checkpoint.safetensors", &n);
    o.resume = true, o.steps = 40, o.save_every = 1, o.lr = 1e30;
    expect(ctx, &o, LIMN_DIVERGED);
    assert_non_null(strstr(limn_error_text(ctx), "last good checkpoint is kept"));
    /* the first resumed step began from good weights, so it may be saved again; nothing later may */
    unsigned char *after = bytes_of(ctx, "run-nan/checkpoint.safetensors", &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
    o.lr = 1e-4;
    expect(ctx, &o, LIMN_OK);
    limn_ctx_free(ctx);
}

static void a_failed_save_is_a_warning_until_the_third(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-full", &t);
    mkdir("run-full", 0777);
    unlink("run-full/checkpoint.safetensors");
    mkdir("run-full/checkpoint.safetensors", 0777); /* nothing can be renamed over a folder */
    o.save_every = 2;
    expect(ctx, &o, LIMN_IO);
    assert_int_equal(t.warnings, 2);
    assert_non_null(strstr(limn_error_text(ctx), "3 saves in a row failed"));
    assert_non_null(strstr(limn_error_text(ctx), "run-full/checkpoint.safetensors"));
    t = (told){.remove = "run-full/checkpoint.safetensors"};
    expect(ctx, &o, LIMN_OK);
    assert_int_equal(t.warnings, 1);
    size_t n;
    free(bytes_of(ctx, "run-full/checkpoint.safetensors", &n));
    limn_ctx_free(ctx);
}

/* The rows of a run of 12 steps, whatever came after it. */
static void rows_are_kept(limn_ctx *ctx)
{
    size_t n;
    char *rows = (char *)bytes_of(ctx, "run-older/log.old.csv", &n);
    assert_non_null(memmem(rows, n, "\n12,", 4));
    free(rows);
}

static void a_new_run_keeps_the_checkpoint_and_rows_of_an_older_one(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-older", &t);
    size_t n, m;
    unlink("run-older/checkpoint.safetensors"), unlink("run-older/checkpoint.old.safetensors");
    unlink("run-older/log.csv"), unlink("run-older/log.old.csv");
    expect(ctx, &o, LIMN_OK);
    unsigned char *before = bytes_of(ctx, "run-older/checkpoint.safetensors", &n);
    o.seed = 7, o.steps = 2;
    expect(ctx, &o, LIMN_OK);
    assert_non_null(strstr(t.last, "checkpoint.old.safetensors"));
    unsigned char *after = bytes_of(ctx, "run-older/checkpoint.old.safetensors", &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(after);
    rows_are_kept(ctx);
    expect(ctx, &o, LIMN_OK); /* --resume forgotten twice: two steps do not take the place of twelve */
    after = bytes_of(ctx, "run-older/checkpoint.old.safetensors", &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    assert_int_equal(t.warnings, 1);
    free(after);
    rows_are_kept(ctx);
    after = bytes_of(ctx, "run-older/checkpoint.safetensors", &n);
    o.lr = 1e30, o.steps = 12, o.clip = 0; /* a run that ends before its first save moves nothing */
    expect(ctx, &o, LIMN_DIVERGED);
    free(before);
    before = bytes_of(ctx, "run-older/checkpoint.safetensors", &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
    limn_ctx_free(ctx);
}

/* Options that no flag stands guard for. */
static void a_program_is_told_which_option_is_wrong(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-wrong", &t), other;
    other = o, other.network = NULL, refused(ctx, &other, "network is not set");
    other = o, other.data = NULL, refused(ctx, &other, "data is not set");
    other = o, other.out = NULL, refused(ctx, &other, "out is not set");
    other = o, other.network = "dit size=wide", refused(ctx, &other, "size");
    other = o, other.lr = NAN, refused(ctx, &other, "lr is nan, expected 0 to 3.4e+38");
    other = o, other.drop = 1.5, refused(ctx, &other, "drop is 1.5");
    other = o, other.warmup = -1, refused(ctx, &other, "warmup is -1");
    other = o, other.crop = (limn_data_resize)7, refused(ctx, &other, "crop 7");
    other = o, other.objective.prediction = (limn_prediction)9, refused(ctx, &other, "no prediction 9");
    other = o, other.objective.schedule.kind = (limn_schedule_kind)9, refused(ctx, &other, "");
    other = o, other.network = "unet size=16", other.segment.kind = (limn_segment_kind)9, refused(ctx, &other, "loss 9");
    other.segment = o.segment, other.range = (limn_range){LIMN_RANGE_GIVEN, 4, 4}, refused(ctx, &other, "--range");
    other.range = (limn_range){.kind = (limn_range_kind)99}, refused(ctx, &other, "no kind 99");
    other = o, other.network = "dit-s/3";
    expect(ctx, &other, LIMN_NOT_FOUND);
    assert_int_equal(access("run-wrong", F_OK), -1);
    limn_ctx_free(ctx);
}

static void a_run_is_not_resumed_as_another(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-other", &t), other;
    o.steps = 4;
    expect(ctx, &o, LIMN_OK);
    o.resume = true, o.steps = 6;
    other = o, other.network = DIT "depth=3", refused(ctx, &other, "depth=2");
    other = o, other.network = MMDIT, refused(ctx, &other, "trains dit");
    other = o, other.seed = 7, refused(ctx, &other, "--seed");
    other = o, other.batch = 3, refused(ctx, &other, "--batch");
    other = o, other.drop = 0.2, refused(ctx, &other, "--drop");
    other = o, other.flip = true, refused(ctx, &other, "--flip");
    other = o, other.objective = noise_predicted(),
    refused(ctx, &other, "--schedule"); /* its prediction follows from that */
    other = o, other.init = "run-other/model.safetensors", refused(ctx, &other, "--init");
    other = o, other.batch = 2, other.accumulate = 2; /* the same pictures in a step */
    expect(ctx, &other, LIMN_OK);
    limn_ctx_free(ctx);
}

static void put_gray(limn_ctx *ctx, const char *path, uint8_t value)
{
    uint8_t gray[16 * 16];
    memset(gray, value, sizeof gray);
    if (limn_png_write(ctx, path, &(limn_image){16, 16, 1, gray}, NULL) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
}

static void put_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

/* FOLDER/a/0.png .. 2.png and FOLDER/b/0.png .. 2.png: of two classes, or images and masks. */
static void put_six(limn_ctx *ctx, const char *folder, const char *a, const char *b)
{
    char path[256];
    mkdir(folder, 0777);
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, i < 3 ? a : b), mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%s/%d.png", folder, i < 3 ? a : b, i % 3),
            put_gray(ctx, path, i < 3 ? (uint8_t)(10 + i) : (uint8_t)(i % 2));
    }
}

static void a_run_is_not_resumed_on_other_pictures(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    assert_int_equal(system("rm -rf data-print data-moved run-print"), 0);
    put_six(ctx, "data-print", "cat", "dog");
    limn_train_options o = options_for(DIT "classes=2", "run-print", &t);
    o.data = "data-print", o.steps = 2;
    expect(ctx, &o, LIMN_OK);
    o.resume = true, o.data = "./data-moved//"; /* the same in another place */
    assert_int_equal(rename("data-print", "data-moved"), 0);
    o.steps = 3;
    expect(ctx, &o, LIMN_OK);
    o.steps = 4;
    assert_int_equal(rename("data-moved/cat/1.png", "data-moved/cat/4.png"), 0);
    refused(ctx, &o, "the list of pictures in --data");
    assert_non_null(strstr(limn_error_text(ctx), "cat/0.png to dog/2.png"));
    assert_int_equal(rename("data-moved/cat/4.png", "data-moved/cat/1.png"), 0);
    struct stat before, after;
    stat("data-moved/cat/1.png", &before), put_gray(ctx, "data-moved/cat/1.png", 99), stat("data-moved/cat/1.png", &after);
    assert_int_equal(before.st_size, after.st_size); /* not even the size tells */
    refused(ctx, &o, "the content of the pictures in --data");
    put_gray(ctx, "data-moved/cat/1.png", 11);
    expect(ctx, &o, LIMN_OK);
    limn_ctx_free(ctx);
}

static void a_run_is_not_resumed_on_other_captions_or_classes(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    assert_int_equal(system("rm -rf data-said run-said run-class"), 0);
    put_six(ctx, "data-said", "x", "y");
    const char *rows = "{\"file_name\": \"x/0.png\", \"text\": \"a cat\", \"label\": \"1\"}\n{\"file_name\": \"y/0.png\", "
                       "\"text\": \"a dog\", \"label\": \"2\"}\n";
    const char *swapped = "{\"file_name\": \"x/0.png\", \"text\": \"a dog\", \"label\": \"2\"}\n{\"file_name\": "
                          "\"y/0.png\", \"text\": \"a cat\", \"label\": \"1\"}\n";
    limn_train_options o = options_for(MMDIT, "run-said", &t), c = options_for(DIT "classes=2", "run-class", &t),
                       plain = options_for(DIT, "run-plain", &t);
    limn_train_options *all[] = {&o, &c, &plain};
    put_text("data-said/metadata.jsonl", rows);
    for (int i = 0; i < 3; i++)
        all[i]->data = "data-said", all[i]->steps = 2, expect(ctx, all[i], LIMN_OK), all[i]->resume = true,
        all[i]->steps = 3;
    put_text("data-said/metadata.jsonl", swapped);
    refused(ctx, &o, "the hash of the captions in --data");
    refused(ctx, &c, "the hash of the classes of the pictures in --data");
    expect(ctx, &plain, LIMN_OK); /* reads neither */
    put_text("data-said/metadata.jsonl", rows);
    expect(ctx, &o, LIMN_OK);
    limn_ctx_free(ctx);
}

static void a_run_is_not_resumed_on_other_masks(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    assert_int_equal(system("rm -rf data-mask run-mask run-tae"), 0);
    put_six(ctx, "data-mask", "images", "masks");
    limn_train_options o = options_for("unet size=16 levels=2 width=4", "run-mask", &t),
                       tae = options_for("tae size=16", "run-tae", &t);
    limn_train_options *all[] = {&o, &tae};
    o.data = "data-mask", tae.data = "data-mask/images";
    for (int i = 0; i < 2; i++)
        all[i]->batch = 1, all[i]->steps = 1, expect(ctx, all[i], LIMN_OK), all[i]->resume = true, all[i]->steps = 2;
    put_gray(ctx, "data-mask/masks/0.png", 0);
    refused(ctx, &o, "the content of the masks in --data");
    expect(ctx, &tae, LIMN_OK);
    put_gray(ctx, "data-mask/masks/0.png", 1);
    put_gray(ctx, "data-mask/images/2.png", 77);
    tae.steps = 3;
    refused(ctx, &o, "the content of the pictures in --data");
    refused(ctx, &tae, "the content of the pictures in --data");
    limn_ctx_free(ctx);
}

/* MNIST's files of 4 pictures, gray, with labels. */
static void put_idx(uint8_t gray, uint8_t label)
{
    unsigned char images[16 + 4 * 16 * 16] = {0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 16, 0, 0, 0, 16},
                                       labels[8 + 4] = {0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 2, label};
    memset(images + 16, gray, sizeof images - 16);
    mkdir("data-idx", 0777);
    FILE *f = fopen("data-idx/train-images-idx3-ubyte", "w"), *g = fopen("data-idx/train-labels-idx1-ubyte", "w");
    assert_int_equal(fwrite(images, 1, sizeof images, f) + fwrite(labels, 1, sizeof labels, g),
                     sizeof images + sizeof labels);
    fclose(f), fclose(g);
}

static void a_run_is_not_resumed_on_other_digits(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    assert_int_equal(system("rm -rf run-idx"), 0);
    put_idx(100, 3);
    limn_train_options o = options_for(DIT "classes=10", "run-idx", &t);
    o.data = "data-idx", o.steps = 2;
    expect(ctx, &o, LIMN_OK);
    o.resume = true, o.steps = 3;
    put_idx(101, 3), refused(ctx, &o, "the content of the pictures in --data");
    put_idx(100, 4), refused(ctx, &o, "the hash of the classes of the pictures in --data");
    put_idx(100, 3), expect(ctx, &o, LIMN_OK);
    limn_ctx_free(ctx);
}

/* Checkpoints were written without. */
static void an_old_checkpoint_resumes_with_a_line(void **state)
{
    (void)state;
    told t;
    size_t n;
    limn_ctx *ctx = context(&t);
    assert_int_equal(system("rm -rf data-old run-old-print"), 0);
    put_six(ctx, "data-old", "cat", "dog");
    limn_train_options o = options_for(DIT, "run-old-print", &t);
    o.data = "data-old", o.steps = 2;
    expect(ctx, &o, LIMN_OK);
    char *bytes = (char *)bytes_of(ctx, "run-old-print/checkpoint.safetensors", &n);
    for (size_t i = 0; i + 10 < n; i++) /* names that nobody asks for */
        if (memcmp(bytes + i, "limn.data.", 10) == 0 || memcmp(bytes + i, "limn.crc32", 10) == 0) bytes[i] = 'L';
    FILE *f = fopen("run-old-print/checkpoint.safetensors", "w");
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    free(bytes);
    o.resume = true, o.steps = 3;
    put_gray(ctx, "data-old/cat/0.png", 200);
    expect(ctx, &o, LIMN_OK);
    assert_non_null(strstr(t.all, "does not say which pictures it was made with"));
    put_gray(ctx, "data-old/cat/0.png", 10);
    o.steps = 4;
    refused(ctx, &o, "the content of the pictures in --data"); /* from then on it is known */
    limn_ctx_free(ctx);
}

/* Two fields whose names of 2000 bytes differ in the last one. */
static void what_a_run_is_is_compared_to_its_end(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-long", &t);
    char field[2][2001];
    uint8_t gray[16 * 16 * 3] = {0};
    for (int i = 0; i < 2; i++) memset(field[i], 'x', 2000), field[i][1999] = (char)('x' + i), field[i][2000] = '\0';
    mkdir("data-long", 0777);
    assert_int_equal(limn_png_write(ctx, "data-long/a.png", &(limn_image){16, 16, 3, gray}, NULL), LIMN_OK);
    FILE *file = fopen("data-long/metadata.jsonl", "w");
    for (int k = 0; k < 4; k++)
        fprintf(file, "{\"file_name\": \"a.png\", \"%s\": \"one\", \"%s\": \"other\"}\n", field[0], field[1]);
    fclose(file);
    o.data = "data-long", o.steps = 2, o.caption_field = field[0];
    expect(ctx, &o, LIMN_OK);
    o.resume = true, o.steps = 3, o.caption_field = field[1];
    refused(ctx, &o, "--caption-field");
    o.caption_field = field[0];
    expect(ctx, &o, LIMN_OK);
    limn_ctx_free(ctx);
}

static void a_run_starts_from_the_weights_of_another(void **state)
{
    (void)state;
    told first, second;
    limn_ctx *ctx = context(&first);
    limn_train_options o = options_for(DIT, "run-base", &first);
    o.steps = 40, o.ema = 0;
    expect(ctx, &o, LIMN_OK);
    second = (told){0};
    o.out = "run-from-base", o.init = "run-base/model.safetensors", o.steps = 2, o.user = &second;
    expect(ctx, &o, LIMN_OK);
    assert_true(second.loss[0] < 0.9 * first.loss[0]); /* the same pictures and noise, better weights */
    first.stop_after = 1, o.steps = 3;
    expect(ctx, &o, LIMN_CANCELLED);
    assert_non_null(strstr(limn_error_text(ctx), "--resume in place of --init goes on"));
    first.stop_after = 0;
    o.network = DIT "width=64";
    expect(ctx, &o, LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "run-base/model.safetensors"));
    o.init = "no-such-file";
    expect(ctx, &o, LIMN_NOT_FOUND);
    limn_ctx_free(ctx);
}

enum { N_FACTS = 100 };
static char facts_key[N_FACTS][16];

static void many_facts(const limn_trainer *t, limn_run_facts *f)
{
    (void)t;
    for (int i = 0; i < N_FACTS; i++) {
        snprintf(facts_key[i], sizeof facts_key[i], "limn.fact.%d", i);
        limn_facts_add(f, facts_key[i], NULL, "%d", i * i);
    }
}

/* A trainer of two parameters that lies on its side: enough to save. */
static void a_checkpoint_keeps_every_fact_and_every_name(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-facts", &t);
    limn_task task = {.facts = many_facts};
    limn_comm alone = {.ctx = ctx, .size = 1};
    limn_trainer trainer = {
        .ctx = ctx, .o = &o, .ranks = {.comm = &alone}, .task = &task, .saved = true, .net = {.n_network = 2}};
    assert_int_equal(limn_settings_named(ctx, o.network, &trainer.settings), LIMN_OK);
    limn_graph *g = limn_graph_new(ctx);
    char name[2][401];
    for (int i = 0; i < 2; i++) {
        memset(name[i], 'n', 400);
        name[i][399] = (char)('a' + i), name[i][400] = '\0';
        limn_parameter(g, name[i], LIMN_SHAPE(3), (limn_init){.kind = i ? LIMN_INIT_ONE : LIMN_INIT_ZERO});
    }
    assert_int_equal(limn_weights_new(ctx, g, 0, &trainer.weights), LIMN_OK);
    trainer.m = trainer.v = trainer.ema = trainer.shown = trainer.weights.value;
    mkdir("run-facts", 0777);
    if (limn_trainer_save(&trainer) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    limn_weight_file *st;
    assert_int_equal(limn_weight_file_open(ctx, "run-facts/checkpoint.safetensors", &st), LIMN_OK);
    for (int i = 0; i < N_FACTS; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "%d", i * i);
        assert_non_null(limn_weight_file_metadata(st, facts_key[i]));
        assert_string_equal(limn_weight_file_metadata(st, facts_key[i]), expected);
    }
    assert_non_null(limn_weight_file_find(st, name[0]));
    assert_non_null(limn_weight_file_find(st, name[1]));
    limn_weight_file_close(st);
    limn_weights_free(&trainer.weights);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* Neither loops on for ever. */
static void a_parameter_that_is_not_there_is_named(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_graph *trained = limn_graph_new(ctx), *other = limn_graph_new(ctx);
    limn_weights w;
    limn_node *x = limn_input(other, "x", LIMN_COMPUTE, LIMN_SHAPE(1, 4, 4, 3), LIMN_PER_STEP);
    limn_graph_train(other);
    limn_node *y = limn_batch_norm(other, "norm", x, 1e-5);
    limn_plan *plan;
    float values[64] = {0};
    limn_parameter(trained, "norm.weight", LIMN_SHAPE(3), (limn_init){.kind = LIMN_INIT_ONE});
    limn_parameter(trained, "norm.bias", LIMN_SHAPE(4), (limn_init){.kind = LIMN_INIT_ONE});
    assert_int_equal(limn_weights_new(ctx, trained, 0, &w), LIMN_OK);
    assert_int_equal(limn_weights_follow(ctx, &w, other, values), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "norm.running_mean"));
    limn_source *source;
    float *data = values;
    assert_int_equal(limn_weights_source(ctx, &w, &data, &source), LIMN_OK);
    assert_int_equal(limn_plan_new_from(ctx, other, 1, &y, NULL, source, &plan), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "norm."));
    limn_source_free(source);
    limn_weights_free(&w);
    limn_graph_free(trained);
    limn_graph_free(other);
    limn_ctx_free(ctx);
}

/* The weights that a run starts from, its data, a file of the data: whatever name leads there. */
static void a_run_writes_over_nothing_that_it_reads(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-own", &t), other;
    uint8_t gray[16 * 16 * 3] = {0};
    size_t n, m;
    o.steps = 2;
    assert_int_equal(system("rm -rf run-own run-linked data-own run-samples"), 0);
    expect(ctx, &o, LIMN_OK);
    unsigned char *before = bytes_of(ctx, "run-own/model.safetensors", &n);
    other = o, other.init = "run-own/model.safetensors",
    refused(ctx, &other, "run-own/model.safetensors: the result would overwrite the weights of --init");
    other = o, other.init = "./run-own/../run-own/checkpoint.safetensors",
    refused(ctx, &other, "would overwrite the weights of --init");
    assert_int_equal(system("mkdir run-linked data-own run-samples && ln -s ../run-own/model.safetensors "
                            "run-linked/model.safetensors && ln -s ../data-own run-samples/samples"),
                     0);
    other = o, other.out = "run-linked", other.init = "run-own/model.safetensors",
    refused(ctx, &other, "would overwrite the weights of --init, run-own/model.safetensors");
    assert_int_equal(limn_png_write(ctx, "data-own/a.png", &(limn_image){16, 16, 3, gray}, NULL), LIMN_OK);
    other = o, other.data = "data-own", other.batch = 1;
    other.out = "data-own/../data-own/", refused(ctx, &other, "is the folder of the data");
    other.out = "run-samples", refused(ctx, &other, "which samples would go over");
    assert_int_equal(access("run-own/checkpoint.old.safetensors", F_OK), -1);
    unsigned char *after = bytes_of(ctx, "run-own/model.safetensors", &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
    other.out = "data-own/run", expect(ctx, &other, LIMN_OK); /* inside it nothing is in the way */
    limn_ctx_free(ctx);
}

static void what_is_wrong_leaves_no_run_folder(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    limn_train_options o = options_for(DIT, "run-never", &t);
    o.data = "no-such-folder";
    expect(ctx, &o, LIMN_NOT_FOUND);
    o = options_for(DIT, "run-never", &t);
    o.accumulate = 0;
    expect(ctx, &o, LIMN_BAD_ARGUMENT);
    o = options_for("dit size=1024 patch=1 width=2048 depth=200 channels=3 mlp=8192", "run-never", &t);
    o.batch = 64;
    expect(ctx, &o, LIMN_NO_MEMORY);
    assert_int_equal(access("run-never", F_OK), -1);
    limn_ctx_free(ctx);
}

/* ---- events ----------------------------------------------------------------------------------------------------------- */

static uint64_t little(const unsigned char *p, int n)
{
    uint64_t value = 0;
    for (int i = n - 1; i >= 0; i--) value = value << 8 | p[i];
    return value;
}

/* Records in a file, each with both checksums right; counts those that hold `tag`. */
static int count_records(limn_ctx *ctx, const char *path, const char *tag, int *n_with_tag)
{
    size_t n, at = 0;
    int records = 0;
    unsigned char *bytes = bytes_of(ctx, path, &n);
    *n_with_tag = 0;
    while (at < n) {
        assert_true(n - at >= 16);
        uint64_t length = little(bytes + at, 8);
        assert_int_equal(little(bytes + at + 8, 4), limn_crc32c_mask(limn_crc32c(bytes + at, 8)));
        assert_true(length <= n - at - 16);
        assert_int_equal(little(bytes + at + 12 + length, 4), limn_crc32c_mask(limn_crc32c(bytes + at + 12, length)));
        for (size_t i = 0; i + strlen(tag) <= length; i++)
            if (!memcmp(bytes + at + 12 + i, tag, strlen(tag))) {
                ++*n_with_tag;
                break;
            }
        at += length + 16;
        records++;
    }
    free(bytes);
    return records;
}

static void events_are_framed_and_checked(void **state)
{
    (void)state;
    told t;
    limn_ctx *ctx = context(&t);
    assert_int_equal(limn_crc32c("123456789", 9), 0xe3069283u); /* the check value of CRC-32C */
    limn_train_options o = options_for(DIT, "run-events", &t);
    o.steps = 3, o.sample_every = 3;
    DIR *folder = opendir("run-events"); /* of an earlier run of this test */
    char path[600] = "";
    for (struct dirent *e; folder && (e = readdir(folder));)
        if (!strncmp(e->d_name, "events.", 7)) snprintf(path, sizeof path, "run-events/%s", e->d_name), unlink(path);
    if (folder) closedir(folder);
    expect(ctx, &o, LIMN_OK);
    folder = opendir("run-events");
    for (struct dirent *e; (e = readdir(folder));)
        if (!strncmp(e->d_name, "events.out.tfevents.", 20)) snprintf(path, sizeof path, "run-events/%s", e->d_name);
    closedir(folder);
    int with_tag;
    assert_int_equal(count_records(ctx, path, "grad_norm", &with_tag), 1 + 3 * 4 + 1);
    assert_int_equal(with_tag, 3);
    count_records(ctx, path, "\x89PNG\r\n\x1a\n", &with_tag);
    assert_int_equal(with_tag, 1);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_is_heard_outside_of_steps),
        cmocka_unit_test(a_cancelled_run_is_saved_and_goes_on_with_the_same_bits),
        cmocka_unit_test(a_program_is_told_which_option_is_wrong),
        cmocka_unit_test(accumulation_text_and_samples_resume_with_the_same_bits),
        cmocka_unit_test(captions_that_are_drawn_resume_with_the_same_bits),
        cmocka_unit_test(captions_and_labels_that_are_missing_are_counted),
        cmocka_unit_test(a_learned_variance_resumes_with_the_same_bits),
        cmocka_unit_test(labels_with_dropout_resume_with_the_same_bits),
        cmocka_unit_test(running_statistics_of_a_killed_run_resume_with_the_same_bits),
        cmocka_unit_test(what_is_frozen_stays),
        cmocka_unit_test(what_is_held_out_is_scored_into_a_file),
        cmocka_unit_test(only_classes_that_were_seen_learn),
        cmocka_unit_test(parts_of_a_batch_add_up_to_the_whole),
        cmocka_unit_test(another_number_of_threads_changes_only_the_rounding),
        cmocka_unit_test(bf16_learns_as_f32_does),
        cmocka_unit_test(a_resumed_log_has_every_step_once),
        cmocka_unit_test(a_diverged_run_keeps_the_last_good_checkpoint),
        cmocka_unit_test(a_failed_save_is_a_warning_until_the_third),
        cmocka_unit_test(a_new_run_keeps_the_checkpoint_and_rows_of_an_older_one),
        cmocka_unit_test(a_run_is_not_resumed_as_another),
        cmocka_unit_test(a_run_is_not_resumed_on_other_pictures),
        cmocka_unit_test(a_run_is_not_resumed_on_other_captions_or_classes),
        cmocka_unit_test(a_run_is_not_resumed_on_other_masks),
        cmocka_unit_test(a_run_is_not_resumed_on_other_digits),
        cmocka_unit_test(an_old_checkpoint_resumes_with_a_line),
        cmocka_unit_test(what_a_run_is_is_compared_to_its_end),
        cmocka_unit_test(a_run_starts_from_the_weights_of_another),
        cmocka_unit_test(a_run_writes_over_nothing_that_it_reads),
        cmocka_unit_test(a_checkpoint_keeps_every_fact_and_every_name),
        cmocka_unit_test(a_parameter_that_is_not_there_is_named),
        cmocka_unit_test(what_is_wrong_leaves_no_run_folder),
        cmocka_unit_test(events_are_framed_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
