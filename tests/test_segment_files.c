/* test_segment_files.c: files segmented and compared with their truth by the public header alone, as a program that embeds
 * the library does it: the networks are trained here, files of NIfTI-1 are put together and read byte by byte. */
#include <limn/segment.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { W = 20, H = 12, S = 3, N = W * H, HEADER = 352 };
static char folder[] = "/tmp/limn-files-XXXXXX";
static limn_ctx *ctx;
static limn_segmentation *one, *two; /* networks of one and of two channels */

static void works(limn_status status)
{
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
}

static void refuses(limn_status found, limn_status expected, const char *words)
{
    if (found != expected || !strstr(limn_error_text(ctx), words))
        fail_msg("expected %s, \"%s\", found %s, \"%s\"", limn_status_name(expected), words, limn_status_name(found),
                 limn_error_text(ctx));
}

/* ---- what lies in the folder ------------------------------------------------------------------------------------------ */

/* A disc on a gradient, the disc as its mask; number: where it lies. */
static void draw(int number, uint8_t *picture, uint8_t *mask)
{
    for (int i = 0; i < N; i++) {
        int dx = i % W - 6 - 2 * number, dy = i / W - 6, in = dx * dx + dy * dy < 16;
        picture[i] = (uint8_t)(in ? 200 : 40 + i % W), mask[i] = in ? 255 : 0;
    }
}

static bool put_png(const char *path, const uint8_t *pixels)
{
    return limn_png_write(ctx, path, &(limn_image){W, H, 1, (uint8_t *)pixels}, NULL) == LIMN_OK;
}

static const unsigned char place[] = {0, 0, 128, 62, 0, 0, 0, 63, 0, 0, 0, 64}; /* pixdim: 0.25, 0.5, 2 as 32-bit floats */

/* A volume of bytes, S slices: discs at three places; little endian. */
static void put_volume(const char *path, bool masks)
{
    unsigned char file[HEADER + S * N] = {0x5c, 1}; /* 348 */
    const unsigned char dim[] = {3, 0, W, 0, H, 0, S, 0, 1, 0}, type[] = {2, 0, 8, 0}, offset[] = {0, 0, 176, 67}; /* 352 */
    uint8_t other[N];
    memcpy(file + 40, dim, sizeof dim), memcpy(file + 70, type, sizeof type), memcpy(file + 80, place, sizeof place);
    memcpy(file + 108, offset, sizeof offset), memcpy(file + 344, "n+1", 4);
    for (int z = 0; z < S; z++)
        if (masks) {
            draw(z, other, file + HEADER + z * N);
            for (int i = 0; i < N; i++) file[HEADER + z * N + i] /= 255;
        } else draw(z, file + HEADER + z * N, other);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fwrite(file, 1, sizeof file, f) == sizeof file && fclose(f) == 0);
}

static limn_segmentation *trained(const char *network, const char *data, const char *out)
{
    limn_segmentation *s = NULL;
    limn_train_options o = limn_train_defaults();
    o.network = network, o.data = data, o.out = out, o.steps = 60, o.batch = 8, o.lr = 0.01, o.warmup = 0, o.ema = 0.5;
    o.augment = limn_augment_none();
    works(limn_train(ctx, &o));
    works(limn_segmentation_open(ctx, out, NULL, &s));
    return s;
}

static int begin(void **state)
{
    (void)state;
    static const char json[] = "{\"channel_names\":{\"0\":\"a\",\"1\":\"b\"},\"labels\":{\"ground\":0,\"disc\":1},"
                               "\"numTraining\":2,\"file_ending\":\".png\"}";
    static const char *const folders[] = {"data", "data/images", "data/masks", "cases", "cases/imagesTr", "cases/labelsTr"};
    ctx = limn_ctx_new();
    if (!ctx || !mkdtemp(folder) || chdir(folder) != 0) return -1;
    bool made = true;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) made = made && mkdir(folders[i], 0777) == 0;
    for (int i = 0; i < 2; i++) {
        uint8_t picture[N], mask[N];
        char path[64];
        draw(i, picture, mask);
        snprintf(path, sizeof path, "data/images/%d.png", i), made = made && put_png(path, picture);
        snprintf(path, sizeof path, "cases/imagesTr/%d_0000.png", i), made = made && put_png(path, picture);
        snprintf(path, sizeof path, "cases/imagesTr/%d_0001.png", i), made = made && put_png(path, mask);
        snprintf(path, sizeof path, "data/masks/%d.png", i), made = made && put_png(path, mask);
        for (int k = 0; k < N; k++) mask[k] /= 255;
        snprintf(path, sizeof path, "cases/labelsTr/%d.png", i), made = made && put_png(path, mask);
    }
    FILE *f = fopen("cases/dataset.json", "wb");
    made = made && f && fputs(json, f) >= 0 && fclose(f) == 0;
    put_volume("v.nii", false), put_volume("v-truth.nii", true);
    put_volume("c_0000.nii", false), put_volume("c_0001.nii", false);
    one = trained("unet size=8 channels=1 classes=2 width=4 levels=2", "data", "run");
    two = trained("unet size=8 channels=2 classes=2 width=4 levels=2", "cases", "run2");
    return made ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[64];
    limn_segmentation_free(one);
    limn_segmentation_free(two);
    limn_ctx_free(ctx);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 ? system(command) : -1;
}

/* ---- what is told on the way ------------------------------------------------------------------------------------------ */

typedef struct told {
    int pictures, files, slices, stop_at; /* stop_at: pictures until the callback of progress stops */
    uint64_t wrong, all;
    uint8_t classes[S * N];
    float p[S * N];
    char name[4][64];
} told;

static void written(void *user, const char *path)
{
    told *t = user;
    assert_int_equal(access(path, R_OK), 0);
    snprintf(t->name[t->files++ % 4], sizeof t->name[0], "%s", path);
}

static void segmented(void *user, const limn_segmented *s)
{
    told *t = user;
    size_t n = (size_t)s->slices * N;
    assert_true(s->width == W && s->height == H && s->slices <= S);
    t->pictures++, t->slices = s->slices;
    memcpy(t->classes, s->classes, n);
    if (s->probability) memcpy(t->p, s->probability, n * sizeof *s->probability);
    assert_true(!s->truth == !s->report);
    uint64_t wrong = 0;
    for (size_t i = 0; s->truth && i < n; i++) wrong += s->truth[i] != s->classes[i];
    if (s->report) assert_true(fabs(limn_report_score(s->report).pixel_error - (double)wrong / (double)n) < 1e-12);
    t->wrong += wrong, t->all += n;
}

static bool stops(void *user, const char *what, int64_t done, int64_t total)
{
    const told *t = user;
    if (strcmp(what, "picture") == 0) assert_true(total == 2 && done == t->pictures);
    return strcmp(what, "picture") != 0 || done < t->stop_at;
}

static limn_segment_files_options of(const char *const *pictures, int n, told *t)
{
    limn_segment_files_options o = limn_segment_files_defaults();
    *t = (told){0};
    o.pictures = pictures, o.n_pictures = n, o.written = written, o.segmented = segmented, o.user = t;
    return o;
}

static size_t slurp(const char *path, unsigned char *bytes, size_t most)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, most, f);
    fclose(f);
    return n;
}

/* ---- tests ------------------------------------------------------------------------------------------------------------ */

static void maps_in_memory_become_numbers(void **state)
{
    (void)state;
    static const char *const names[] = {"ground", "cell"};
    uint8_t truth[64], found[64];
    limn_report *r;
    for (int i = 0; i < 64; i++) truth[i] = i % 8 < 4, found[i] = i % 8 < 5; /* one column too many */
    works(limn_report_new(ctx, 2, names, 1, &r));
    works(limn_report_add(ctx, r, &(limn_label_pair){8, 8, 2, truth, found}, NULL));
    limn_report_scores s = limn_report_score(r);
    limn_class_scores cell = limn_report_class(r, 1);
    assert_true(s.pictures == 1 && s.pixels == 64 && s.pixel_error == 8 / 64.0 && s.rand == 0 && s.warping == 0);
    assert_true(s.foreground_dice == 64 / 72.0 && fabs(s.dice - (64 / 72.0 + 48 / 56.0) / 2) < 1e-15);
    assert_true(cell.truth == 32 && cell.predicted == 40 && cell.both == 32 && cell.dice == 64 / 72.0);
    assert_true(cell.iou == 0.8 && cell.hausdorff95 == 1 && cell.hausdorff95_pictures == 1);
    assert_string_equal(cell.name, "cell");
    char *text = limn_report_text(r), *json = limn_report_json(r);
    assert_non_null(strstr(text, "1 picture, 64 pixels with a class, pixel error 0.1250\n"));
    assert_non_null(strstr(json, "\"iou\": 0.8"));
    limn_free(text), limn_free(json);
    refuses(limn_report_add(ctx, r, &(limn_label_pair){8, 8, 3, truth, found}, NULL), LIMN_BAD_ARGUMENT, "a report of 2");
    limn_report_free(r);
    refuses(limn_report_new(ctx, 2, NULL, 2, &r), LIMN_BAD_ARGUMENT, "cells");
    assert_null(r);
}

/* Bytes in memory, values in memory and a file have the same classes. */
static void a_picture_in_memory_is_its_file(void **state)
{
    (void)state;
    told t;
    uint8_t classes[N];
    float values[N], p[2 * N];
    limn_image picture, mask;
    limn_segment_files_options o = of((const char *const[]){"data/images/0.png"}, 1, &t);
    o.probability_class = "0";
    works(limn_segment_files(one, &o, NULL));
    assert_true(t.pictures == 1 && t.files == 0 && t.slices == 1);
    works(limn_image_read(ctx, "data/images/0.png", 1, &picture));
    works(limn_segment(one, &picture, &mask, NULL));
    for (int i = 0; i < N; i++) values[i] = (float)picture.pixels[i] / 255;
    works(limn_segment_values(one, W, H, 1, values, classes, p));
    assert_memory_equal(classes, mask.pixels, N);
    assert_memory_equal(classes, t.classes, N);
    for (int i = 0; i < N; i++) assert_true(t.p[i] == p[2 * i]);
    assert_true(limn_segmentation_range(one).kind == LIMN_RANGE_BYTES);
    limn_image_free(&picture), limn_image_free(&mask);
}

/* The mask of a volume lies where the volume lies, and its slices are the classes; of a case in two files it is one. */
static void a_mask_takes_the_place_of_its_volume(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 2; channels++) {
        told t;
        unsigned char file[HEADER + S * N + 1];
        limn_segment_files_options o = of((const char *const[]){channels == 1 ? "v.nii" : "c_0000.nii"}, 1, &t);
        o.mask = "found.nii", o.probability = "p.png";
        refuses(limn_segment_files(channels == 1 ? one : two, &o, NULL), LIMN_BAD_ARGUMENT, "has 3 slices, a PNG holds one");
        assert_int_equal(access("found.nii", F_OK), -1);
        o.probability = NULL, o.range = &(limn_range){LIMN_RANGE_GIVEN, 0, 255};
        works(limn_segment_files(channels == 1 ? one : two, &o, NULL));
        assert_true(t.pictures == 1 && t.slices == S && t.files == 1);
        assert_int_equal(slurp("found.nii", file, sizeof file), HEADER + S * N);
        assert_memory_equal(file + 80, place, sizeof place);
        assert_memory_equal(file + HEADER, t.classes, S * N);
        works(remove("found.nii") == 0 ? LIMN_OK : LIMN_IO);
    }
}

/* Numbers of all are those of the pixels of all, and the same from the files that were written. */
static void a_folder_is_compared_with_its_truth(void **state)
{
    (void)state;
    told t;
    limn_report *all, *again;
    limn_segment_files_options o = of((const char *const[]){"data/images/"}, 1, &t);
    o.truth = "data/masks", o.mask = "masks", o.overlay = "looks", o.cell = "1";
    works(limn_segment_files(one, &o, &all));
    assert_true(t.pictures == 2 && t.files == 4 && t.all == 2 * N);
    assert_string_equal(t.name[3], "looks/1.png");
    limn_report_scores s = limn_report_score(all);
    limn_class_scores disc = limn_report_class(all, 1);
    assert_true(s.pictures == 2 && s.pixels == 2 * N && !isnan(s.rand) && !isnan(s.warping));
    assert_true(fabs(s.pixel_error - (double)t.wrong / (double)t.all) < 1e-12);
    works(limn_report_new(ctx, 2, NULL, 1, &again));
    works(limn_report_add_files(ctx, again, "masks/0.png", "data/masks/0.png", NULL));
    works(limn_report_add_files(ctx, again, "masks/1.png", "data/masks/1.png", "0,255"));
    limn_class_scores same = limn_report_class(again, 1);
    assert_true(same.truth == disc.truth && same.predicted == disc.predicted && same.both == disc.both);
    assert_true(disc.predicted > 0 && same.hausdorff95 == disc.hausdorff95 && limn_report_score(again).rand == s.rand);
    limn_report_free(all), limn_report_free(again);
}

static void volumes_are_compared_slice_by_slice(void **state)
{
    (void)state;
    told t;
    limn_report *all, *again;
    limn_segment_files_options o = of((const char *const[]){"v.nii"}, 1, &t);
    o.truth = "v-truth.nii", o.mask = "v-mask.nii", o.range = &(limn_range){LIMN_RANGE_GIVEN, 0, 255};
    works(limn_segment_files(one, &o, &all));
    limn_report_scores s = limn_report_score(all);
    assert_true(s.pictures == S && fabs(s.pixel_error - (double)t.wrong / (S * N)) < 1e-12);
    works(limn_report_new(ctx, 2, NULL, -1, &again));
    works(limn_report_add_files(ctx, again, "v-mask.nii", "v-truth.nii", NULL));
    assert_true(limn_report_score(again).pixel_error == s.pixel_error && limn_report_score(again).pictures == S);
    refuses(limn_report_add_files(ctx, again, "v-mask.nii", "data/masks/0.png", NULL), LIMN_BAD_FILE,
            "data/masks/0.png has 20 x 12 pixels, its mask v-mask.nii has 20 x 12 x 3");
    refuses(limn_report_add_files(ctx, again, "data/images/0.png", "data/masks/0.png", NULL), LIMN_BAD_FILE,
            "data/images/0.png: the value 40");
    refuses(limn_report_add_files(ctx, again, "data/masks/0.png", "data/masks/0.png", "0,1;255"), LIMN_BAD_FILE,
            "expected a class for every pixel");
    refuses(limn_report_add_files(ctx, again, "none.png", "data/masks/0.png", NULL), LIMN_NOT_FOUND, "none.png");
    assert_int_equal(limn_report_score(again).pictures, S);
    limn_report_free(all), limn_report_free(again);
}

static void a_job_is_stopped_between_pictures(void **state)
{
    (void)state;
    told t;
    limn_report *all = (void *)1;
    limn_segment_files_options o = of((const char *const[]){"data/images"}, 1, &t);
    o.truth = "data/masks", o.mask = "stopped";
    t.stop_at = 1;
    limn_ctx_set_progress(ctx, stops, &t);
    assert_int_equal(limn_segment_files(one, &o, &all), LIMN_CANCELLED);
    assert_null(all);
    assert_true(t.pictures == 1 && access("stopped/0.png", F_OK) == 0 && access("stopped/1.png", F_OK) != 0);
    limn_ctx_set_progress(ctx, NULL, NULL);
    limn_ctx_cancel(ctx);
    t.pictures = 0;
    assert_int_equal(limn_segment_files(one, &o, &all), LIMN_CANCELLED);
    assert_int_equal(t.pictures, 0);
    works(limn_segment_files(one, &o, NULL));
    assert_int_equal(t.pictures, 2);
}

static void mistakes_are_said_before_any_work(void **state)
{
    (void)state;
    told t;
    limn_report *all;
    limn_segment_files_options o = of((const char *const[]){"data/images"}, 0, &t), good;
    refuses(limn_segment_files(one, &o, &all), LIMN_BAD_ARGUMENT, "expected a picture");
    o.n_pictures = 1, o.mask = "data/masks", o.truth = "data/masks";
    refuses(limn_segment_files(one, &o, &all), LIMN_BAD_ARGUMENT, "would overwrite the truth");
    o.mask = NULL, good = o, good.truth = NULL, good.cell = "1";
    refuses(limn_segment_files(one, &good, &all), LIMN_BAD_ARGUMENT, "--cell");
    good = o, good.cell = "disc";
    refuses(limn_segment_files(one, &good, &all), LIMN_BAD_ARGUMENT, "--cell: classes are 0 to 1");
    good = o, good.range = &(limn_range){LIMN_RANGE_GIVEN, 1, 1};
    refuses(limn_segment_files(one, &good, &all), LIMN_BAD_ARGUMENT, "--range");
    good = o, good.values = "0,1,2";
    refuses(limn_segment_files(one, &good, &all), LIMN_BAD_ARGUMENT, "2 classes");
    good = o, good.pictures = (const char *const[]){"none.png"};
    refuses(limn_segment_files(one, &good, &all), LIMN_NOT_FOUND, "none.png");
    good = o, good.truth = "cases/imagesTr";
    refuses(limn_segment_files(one, &good, &all), LIMN_NOT_FOUND, "--truth");
    good.pictures = (const char *const[]){"v.nii"};
    good.truth = NULL, good.mask = "v.gif";
    refuses(limn_segment_files(one, &good, &all), LIMN_BAD_ARGUMENT, "--output: the name must end in");
    refuses(limn_segment_files(two, &o, &all), LIMN_BAD_ARGUMENT, "has 1 channel, the network reads 2");
    assert_null(all);
    assert_int_equal(t.files + t.pictures, 0);
}

static void what_is_in_a_file_can_be_asked(void **state)
{
    (void)state;
    char *json;
    works(limn_inspect_json(ctx, "run", &json));
    assert_true(strstr(json, "\"settings\": \"unet size=8 ") && strstr(json, "\"fits\": true"));
    limn_free(json);
    works(limn_inspect_json(ctx, "data/masks/0.png", &json));
    assert_true(strstr(json, "\"kind\": \"png\"") && strstr(json, "\"height\": 12"));
    limn_free(json);
    refuses(limn_inspect_json(ctx, "v.nii", &json), LIMN_BAD_FILE, "v.nii: neither a PNG nor a safetensors file");
    assert_null(json);
    refuses(limn_inspect_json(ctx, "nothing", &json), LIMN_NOT_FOUND, "nothing");
    assert_null(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_in_memory_become_numbers),
        cmocka_unit_test(a_picture_in_memory_is_its_file),
        cmocka_unit_test(a_mask_takes_the_place_of_its_volume),
        cmocka_unit_test(a_folder_is_compared_with_its_truth),
        cmocka_unit_test(volumes_are_compared_slice_by_slice),
        cmocka_unit_test(a_job_is_stopped_between_pictures),
        cmocka_unit_test(mistakes_are_said_before_any_work),
        cmocka_unit_test(what_is_in_a_file_can_be_asked),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
