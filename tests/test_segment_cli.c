/* test_segment_cli.c: limn segment as a person meets it: files of every kind in and out, numbers, and one sentence for every
 * mistake. */
#include "make_network.h"

#include "file/image.h"
#include "file/nifti.h"
#include "file/nifti_header.h"
#include "file/tiff.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { W = 20, H = 12, S = 3 };
static char folder[] = "/tmp/limn-segment-XXXXXX";

typedef struct result {
    int code;
    char out[8192], err[8192];
} result;

static void slurp(const char *name, char text[8192])
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, 8191, file)] = '\0';
    fclose(file);
}

/* In the test's folder: limn segment ARGUMENTS */
static result bare_segment(const char *arguments)
{
    char command[1024];
    result r;
    snprintf(command, sizeof command, "cd %s && OMP_WAIT_POLICY=passive " LIMN_BINARY_DIR "/limn segment %s >out 2>err",
             folder, arguments);
    int status = system(command);
    assert_true(WIFEXITED(status));
    r.code = WEXITSTATUS(status);
    slurp("out", r.out);
    slurp("err", r.err);
    return r;
}

static result segment(const char *arguments)
{
    char all[512];
    snprintf(all, sizeof all, "-m m.safetensors %s", arguments);
    return bare_segment(all);
}

static void works(const char *arguments, const char *out)
{
    result r = segment(arguments);
    if (r.code != 0 || !strstr(r.out, out))
        fail_msg("limn segment %s: code %d, expected \"%s\", found \"%s\" and \"%s\"", arguments, r.code, out, r.err, r.out);
}

static bool exists(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* Code 2, one sentence with words, and no file. */
static void refuses(const char *arguments, const char *words)
{
    result r = segment(arguments);
    char *end = strchr(r.err, '\n');
    if (r.code != 2 || r.out[0] || strncmp(r.err, "limn", 4) || !strstr(r.err, words) || !end || end[1])
        fail_msg("limn segment %s: code %d, expected \"%s\", found \"%s\" and \"%s\"", arguments, r.code, words, r.err,
                 r.out);
    if (exists("no.png") || exists("no.nii")) fail_msg("limn segment %s: left a file", arguments);
}

static limn_raster read_raster(limn_ctx *ctx, const char *name)
{
    char path[128];
    limn_raster r;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (limn_raster_read(ctx, path, &r) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return r;
}

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- what lies in the folder ------------------------------------------------------------------------------------------ */

static void make_volume(limn_ctx *ctx, const uint8_t *bytes)
{
    limn_raster like = {.kind = LIMN_RASTER_NIFTI, .width = W, .height = H, .slices = S, .channels = 1};
    uint32_t size = LIMN_NIFTI_HEADER;
    const int16_t dim[4] = {3, W, H, S};
    memcpy(like.header, &size, 4);
    memcpy(like.header + NIFTI_DIM, dim, sizeof dim);
    memcpy(like.header + NIFTI_MAGIC, "n+1", 4);
    limn_nifti_put_f32(like.header + 80, false, 0.25f); /* pixdim[1] */
    assert_int_equal(limn_nifti_write(ctx, in_folder("v.nii.gz"), &like, bytes, NULL), LIMN_OK);
}

static int begin(void **state)
{
    limn_ctx *ctx = *state = limn_ctx_new();
    uint8_t bytes[W * H * S], truth[W * H], other[W * H];
    uint16_t wide[W * H];
    if (!ctx || !mkdtemp(folder)) return -1;
    for (int i = 0; i < W * H * S; i++) bytes[i] = (uint8_t)(i * 167 >> 2);
    for (int i = 0; i < W * H; i++)
        wide[i] = (uint16_t)(bytes[i] * 16), truth[i] = i % 2 ? 255 : 0, other[i] = i == 25 ? 3 : 0;
    bool made = make_network(ctx, in_folder("m.safetensors"), "unet size=16 channels=1 classes=2 width=4 levels=2",
                             "membrane\ncell\n");
    made =
        made && make_network(ctx, in_folder("m2.safetensors"), "unet size=16 channels=2 classes=2 width=4 levels=2", NULL);
    made = made && make_network(ctx, in_folder("m3.safetensors"), "unet size=16 channels=1 classes=3 width=4 levels=2",
                                NULL);
    made = made && make_network(ctx, in_folder("tae.safetensors"), "tae size=16 width=8 levels=2", NULL);
    make_volume(ctx, bytes);
    made = made && limn_tiff_write(ctx, in_folder("t.tif"), W, H, S, bytes, NULL) == LIMN_OK;
    made = made && limn_png_write(ctx, in_folder("a.png"), &(limn_image){W, H, 1, bytes}, NULL) == LIMN_OK;
    made = made && limn_png_write(ctx, in_folder("b.png"), &(limn_image){W, H, 1, bytes + 50}, NULL) == LIMN_OK;
    made = made && limn_png_write_wide(ctx, in_folder("wide.png"), W, H, wide) == LIMN_OK;
    made = made && mkdir(in_folder("truth"), 0777) == 0;
    made = made && limn_png_write(ctx, in_folder("truth/a.png"), &(limn_image){W, H, 1, truth}, NULL) == LIMN_OK;
    made = made && limn_png_write(ctx, in_folder("truth/b.png"), &(limn_image){W, H, 1, truth}, NULL) == LIMN_OK;
    made = made && mkdir(in_folder("empty"), 0777) == 0 && mkdir(in_folder("cases"), 0777) == 0;
    made = made && limn_png_write(ctx, in_folder("cases/c_0000.png"), &(limn_image){W, H, 1, bytes}, NULL) == LIMN_OK;
    made = made && limn_png_write(ctx, in_folder("cases/c_0001.png"), &(limn_image){W, H, 1, bytes + 9}, NULL) == LIMN_OK;
    made = made && limn_png_write(ctx, in_folder("small.png"), &(limn_image){W, H - 1, 1, truth}, NULL) == LIMN_OK;
    made = made && limn_png_write(ctx, in_folder("other.png"), &(limn_image){W, H, 1, other}, NULL) == LIMN_OK;
    return made ? 0 : -1;
}

static int end(void **state)
{
    char command[64];
    limn_ctx_free(*state);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

static void one_picture_has_mask_probability_and_overlay(void **state)
{
    works("a.png -o mask.png --probability p.png --bits 16 --overlay look.png", "mask.png\np.png\nlook.png\n");
    limn_raster mask = read_raster(*state, "mask.png"), p = read_raster(*state, "p.png"),
                look = read_raster(*state, "look.png");
    assert_true(mask.width == W && mask.height == H && mask.channels == 1 && p.limit == 65535);
    int n_cell = 0;
    for (int i = 0; i < W * H; i++) {
        n_cell += mask.values[i] == 255;
        if (p.values[i] < 32767 || p.values[i] > 32768) assert_true(mask.values[i] == (p.values[i] > 32768 ? 255 : 0));
    }
    assert_true(n_cell > 0 && n_cell < W * H);
    assert_true(look.width == 2 * W + 4 && look.channels == 3);
    limn_raster_free(&look);
    works("a.png --overlay look.png --truth truth/a.png", "look.png\n\n1 picture, 240 pixels");
    look = read_raster(*state, "look.png");
    assert_int_equal(look.width, 3 * W + 8);
    limn_raster_free(&look);
    works("a.png -o other-mask.png --values 3,9", "other-mask.png");
    limn_raster other = read_raster(*state, "other-mask.png");
    for (int i = 0; i < W * H; i++) assert_true(other.values[i] == (mask.values[i] > 0 ? 9 : 3));
    works("a.png --probability named.png --bits 16 --class membrane", "named.png");
    limn_raster named = read_raster(*state, "named.png"); /* the other one of two: they sum to 1 */
    for (int i = 0; i < W * H; i++)
        assert_true(named.values[i] + p.values[i] >= 65534 && named.values[i] + p.values[i] <= 65536);
    limn_raster_free(&named);
    works("a.png --probability turns.png --bits 16 --views 8", "turns.png");
    limn_raster turns = read_raster(*state, "turns.png");
    int n_moved = 0;
    for (int i = 0; i < W * H; i++) n_moved += turns.values[i] != p.values[i];
    assert_true(n_moved > W * H / 2);
    limn_raster_free(&turns);
    limn_raster_free(&mask);
    limn_raster_free(&p);
    limn_raster_free(&other);
}

static void several_pictures_go_to_folders_with_one_report(void **state)
{
    (void)state;
    json_error_t error;
    works("a.png b.png -o masks --truth truth --cell 1", "masks/a.png\nmasks/b.png\n\n2 pictures, 480 pixels");
    assert_true(exists("masks/a.png") && exists("masks/b.png"));
    result r = segment("a.png b.png --truth truth --json");
    assert_int_equal(r.code, 0);
    json_t *json = json_loads(r.out, 0, &error);
    assert_int_equal(json_integer_value(json_object_get(json, "pictures")), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(json, "classes"), 1), "name")),
                        "cell");
    json_t *each = json_object_get(json, "each"), *b = json_array_get(each, 1),
           *of_b = json_array_get(json_object_get(b, "classes"), 0);
    assert_int_equal(json_array_size(each), 2);
    assert_string_equal(json_string_value(json_object_get(b, "picture")), "b.png");
    assert_int_equal(json_integer_value(json_object_get(b, "pictures")), 1);
    assert_int_equal(json_integer_value(json_object_get(of_b, "truth")), W * H / 2);
    double errors = json_real_value(json_object_get(json_array_get(each, 0), "pixel_error")) +
                    json_real_value(json_object_get(b, "pixel_error"));
    assert_true(errors > 0 && fabs(errors / 2 - json_real_value(json_object_get(json, "pixel_error"))) < 1e-12);
    json_decref(json);
}

static void what_a_later_picture_lacks_is_said_before_any_work(void **state)
{
    (void)state;
    refuses("a.png none.png -o lacks", "none.png: No such file or directory");
    refuses("a.png small.png -o lacks --truth truth", "truth holds no mask named small.png for small.png");
    assert_false(exists("lacks"));
}

static void a_folder_is_its_pictures(void **state)
{
    (void)state;
    works("cases/ -o one", "one/c_0000.png\none/c_0001.png\n");
    works("a.png cases -o mixed --overlay looks", "mixed/a.png\nlooks/a.png\nmixed/c_0000.png");
    refuses("empty -o no.png", "empty: this folder holds no picture");
}

static void of_a_case_in_a_folder_the_first_file_stands_for_all(void **state)
{
    (void)state;
    works("-m m2.safetensors cases -o two", "two/c.png\n");
    assert_false(exists("two/c_0001.png"));
    works("-m m2.safetensors cases/c_0000.png cases/c_0001.png -o three", "three/c.png\n");
    assert_false(exists("three/c_0001.png"));
    refuses("-m m2.safetensors cases/c_0001.png cases/c_0001.png -o four",
            "cases/c_0001.png: a case is named by its first file, CASE_0000.png");
    refuses("-m m2.safetensors v.nii.gz -o v2.nii.gz",
            "has 1 channel, the network reads 2: one file with all, or CASE_0000.nii.gz with CASE_0001.nii.gz .. beside it");
}

static void values_of_16_bits_are_brought_to_the_range_that_was_asked_for(void **state)
{
    works("a.png -o bytes.png --probability bytes-p.png", "bytes.png");
    works("wide.png -o wide-mask.png --probability wide-p.png --range 0,4080", "wide-mask.png");
    limn_raster a = read_raster(*state, "bytes-p.png"), b = read_raster(*state, "wide-p.png");
    assert_memory_equal(a.values, b.values, W * H * sizeof(float));
    limn_raster_free(&a);
    limn_raster_free(&b);
    result r = segment("wide.png -o wide-mask.png");
    assert_non_null(strstr(r.err, "percentiles 0.5 and 99.5"));
}

/* ---- what results go over --------------------------------------------------------------------------------------------- */

static int shell(const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "cd %s && %s", folder, command);
    return system(line);
}

static void a_truth_is_never_written_over_and_no_file_of_a_folder_job_before_all_are_checked(void **state)
{
    (void)state;
    assert_int_equal(shell("cp -r truth drawn && ln -s drawn way && ln drawn/b.png hard.png && mkdir mixed-up && ln -s "
                           "../drawn/b.png mixed-up/b.png && md5sum drawn/* >sums"),
                     0);
    refuses("a.png b.png -o drawn --truth drawn", "drawn/a.png: the result would overwrite the truth\n");
    refuses("a.png b.png -o ./drawn --truth drawn", "./drawn/a.png: the result would overwrite the truth, drawn/a.png\n");
    refuses("a.png b.png --overlay way --truth drawn", "way/a.png: the result would overwrite the truth, drawn/a.png\n");
    refuses("a.png b.png --probability truth/../drawn --truth way", "overwrite the truth, way/a.png\n");
    refuses("a.png b.png -o mixed-up --truth drawn", "mixed-up/b.png: the result would overwrite the truth, drawn/b.png\n");
    assert_false(exists("mixed-up/a.png"));
    refuses("b.png -o drawn/b.png --truth drawn/b.png", "would overwrite the truth");
    refuses("b.png -o drawn/b.png --truth drawn", "would overwrite the truth");
    refuses("b.png --overlay hard.png --truth drawn/b.png", "hard.png: the result would overwrite the truth, drawn/b.png\n");
    assert_int_equal(shell("md5sum --quiet -c sums"), 0);
}

static void no_picture_of_the_job_and_no_weights_are_written_over(void **state)
{
    (void)state;
    assert_int_equal(shell("mkdir in && cp a.png in/a.png && cp b.png in/b.png && ln -s in there && mkdir linked && ln -s "
                           "../in/a.png linked/b.png && cp m.safetensors w.png && "
                           "md5sum in/* cases/* w.png >sums-in"),
                     0);
    refuses("in -o in", "in/a.png: the result would overwrite the picture\n");
    refuses("in -o there", "there/a.png: the result would overwrite the picture, in/a.png\n");
    refuses("in --overlay in/../in/.", "would overwrite the picture, in/a.png\n");
    refuses("in -o linked",
            "linked/b.png: the result would overwrite the picture, in/a.png\n"); /* of another picture than its own */
    assert_false(exists("linked/a.png"));
    refuses("-m m2.safetensors cases/c_0000.png -o cases/c_0001.png",
            "cases/c_0001.png: the result would overwrite the picture\n");
    refuses("-m w.png a.png -o ./w.png", "./w.png: the result would overwrite the model, w.png\n");
    assert_int_equal(shell("md5sum --quiet -c sums-in"), 0);
}

static void two_results_are_never_one_file(void **state)
{
    (void)state;
    assert_int_equal(shell("mkdir x && ln -s x y && ln -s to-be.png x/soft.png"), 0);
    refuses("a.png -o x/m.png --overlay x/m.png", "x/m.png is named for two results\n");
    refuses("a.png -o x/m.png --overlay x/./m.png", "x/./m.png is named for two results, here and as x/m.png\n");
    refuses("a.png -o x/m.png --probability x//../x/m.png", "is named for two results");
    refuses("a.png -o x/m.png --overlay y/m.png", "is named for two results");
    refuses("a.png --probability x/to-be.png --overlay y/soft.png", "is named for two results");
    refuses("a.png b.png -o both --overlay ./both", "./both/a.png is named for two results, here and as both/a.png\n");
    refuses("a.png -o - --overlay -", "is named for two results");
    assert_false(exists("both") || exists("x/m.png") || exists("x/to-be.png"));
    works("v.nii.gz t.tif -o sorts --probability maps --overlay sorts2", "sorts/v.nii.gz");
    refuses("a.png t.tif -o sorts3 --overlay sorts3", "sorts3/a.png is named for two results");
}

/* Of one page a mask is a PNG, of several a TIFF: known before the first is written. */
static void the_pages_of_a_tiff_say_where_its_result_goes(void **state)
{
    limn_ctx *ctx = *state;
    uint8_t bytes[W * H] = {0};
    assert_int_equal(shell("mkdir tiffs && cp t.tif tiffs/t.tif && cp a.png tiffs/a.png"), 0);
    assert_int_equal(limn_tiff_write(ctx, in_folder("tiffs/one.tif"), W, H, 1, bytes, NULL), LIMN_OK);
    refuses("tiffs/a.png tiffs/t.tif -o tiffs", "tiffs/a.png: the result would overwrite the picture");
    refuses("b.png tiffs/t.tif -o tiffs", "tiffs/t.tif: the result would overwrite the picture");
    assert_false(exists("tiffs/b.png"));
    works("b.png tiffs/one.tif -o tiffs", "tiffs/b.png\ntiffs/one.png\n");
}

static void one_result_goes_to_stdout_as_it_would_go_to_a_file(void **state)
{
    (void)state;
    works("a.png -o as-file.png --overlay as-overlay.png", "as-overlay.png");
    result r = segment("a.png -q -o - | cmp - as-file.png");
    assert_true(r.code == 0 && !r.err[0] && !r.out[0]);
    assert_int_equal(segment("a.png --overlay - -o beside.png | cmp - as-overlay.png").code, 0);
    assert_true(exists("beside.png"));
    refuses("a.png b.png -o -", "of several pictures it is one");
    refuses("a.png -o - --truth truth/a.png", "where the numbers of --truth go");
    refuses("v.nii.gz -o -", "has 3 slices, a PNG holds one");
}

/* ---- truths ----------------------------------------------------------------------------------------------------------- */

/* A mask [H,W]: the values, which are repeated. */
static void put_truth(limn_ctx *ctx, const char *name, int n, const uint8_t *values)
{
    uint8_t mask[W * H];
    for (int i = 0; i < W * H; i++) mask[i] = values[i % n];
    assert_int_equal(limn_png_write(ctx, in_folder(name), &(limn_image){W, H, 1, mask}, NULL), LIMN_OK);
}

static void warns(const char *arguments, const char *words)
{
    result r = segment(arguments);
    if (r.code != 0 || !strstr(r.err, words)) fail_msg("limn segment %s: code %d, expected \"%s\", found \"%s\"", arguments,
                                                       r.code, words, r.err);
}

/* The same truth as 0 and 255, as 0 and 1, and soft: the numbers of all are the same. */
static void truths_of_any_convention_are_right_or_said(void **state)
{
    limn_ctx *ctx = *state;
    assert_int_equal(mkdir(in_folder("ways"), 0777) | mkdir(in_folder("unlike"), 0777), 0);
    put_truth(ctx, "ways/a.png", 4, (uint8_t[]){0, 1, 0, 1}), put_truth(ctx, "ways/b.png", 2, (uint8_t[]){0, 255});
    result white = segment("a.png --truth truth/a.png"), one = segment("a.png --truth ways/a.png");
    assert_int_equal(one.code, 0);
    assert_string_equal(white.out, one.out);
    assert_string_equal(one.err, "");
    warns("a.png b.png --truth ways", "truth: class 1 is 255 in 1 of 2 masks (the first ways/b.png) and 1 in 1 (the first "
          "ways/a.png): taken as one");
    put_truth(ctx, "soft.png", 4, (uint8_t[]){20, 200, 0, 128});
    refuses("a.png -o no.png --truth soft.png", "soft.png: the value 20 at column 0, row 0 is none of the 2 classes");
    result half = segment("a.png --truth soft.png --values half");
    assert_string_equal(white.out, half.out);
    assert_non_null(strstr(half.err, "truth: 180 of 240 pixels in 1 of 1 masks lie between black and white (the first in "
                           "soft.png): more than half is class 1"));
    put_truth(ctx, "unlike/a.png", 4, (uint8_t[]){0, 1, 255, 0}), put_truth(ctx, "unlike/b.png", 2, (uint8_t[]){0, 1});
    warns("a.png b.png --truth unlike", "truth: pixels of value 255 in 1 of 2 masks are ignored, 12 % of all, the first in "
          "unlike/a.png");
    put_truth(ctx, "unlike/b.png", 2, (uint8_t[]){0, 255}); /* a class there, ignored in the other? */
    refuses("a.png b.png -o no --truth unlike", "unlike/b.png holds 0 and 255 only, and in other masks 255 stands beside "
            "classes, the first unlike/a.png: say with --values");
    assert_false(exists("no"));
    refuses("-m m3.safetensors a.png -o no.png --truth truth/a.png",
            "truth/a.png holds 0 and 255 only: say with --values which values are the 3 classes");
    put_truth(ctx, "unlike/b.png", 2, (uint8_t[]){0, 9});
    refuses("a.png b.png -o no --truth unlike", "unlike/b.png: the value 9 at column 1, row "
            "0"); /* of the last truth, before the first picture */
    assert_false(exists("no"));
}

static void two_truths_or_pictures_for_one_are_named(void **state)
{
    limn_ctx *ctx = *state;
    static const uint8_t values[] = {0, 255};
    assert_int_equal(mkdir(in_folder("twice"), 0777), 0);
    put_truth(ctx, "twice/a.PNG", 2, values);
    works("a.png --truth twice", "1 picture");
    put_truth(ctx, "twice/a.tif", 2, values);
    refuses("a.png -o no.png --truth twice", "--truth: twice/a.PNG and twice/a.tif are masks for one picture, a.png: "
            "expected one of them");
    put_truth(ctx, "twice/c.png", 2, values);
    works("cases/c_0000.png --truth twice", "1 picture");
    put_truth(ctx, "c.png", 2, values);
    refuses("c.png cases/c_0000.png -o no --truth twice",
            "--truth: c.png and cases/c_0000.png are pictures for one mask, twice/c.png: expected one of them");
    put_truth(ctx, "twice/c_0000.png", 2, values);
    refuses("cases/c_0000.png -o no.png --truth twice",
            "twice/c_0000.png and twice/c.png are masks for one picture, cases/c_0000.png");
    put_truth(ctx, "twice/e\xcc\x81.png", 2, values), put_truth(ctx, "\xc3\xa9.png", 2, values), put_truth(ctx,
            "e\xcc\x81.png", 2, values);
    works("\xc3\xa9.png --truth twice", "1 picture");
    refuses("\xc3\xa9.png e\xcc\x81.png -o no", "have the same name: their results would be one file");
    assert_false(exists("no"));
}

static void without_a_model_it_takes_the_one_that_ships(void **state)
{
    limn_ctx *ctx = *state;
    result r = bare_segment("a.png -o no.png");
    assert_int_equal(r.code, 2);
    int parent = (int)(strrchr(LIMN_BINARY_DIR, '/') - LIMN_BINARY_DIR); /* of the folder with the program */
    char expected[512];
    snprintf(expected, sizeof expected, "limn: models/membrane, the model without -m, is neither in this folder nor in "
             "%.*s/share/limn: give -m with a model, or go to where Limn was built\n", parent, LIMN_BINARY_DIR);
    assert_string_equal(r.err, expected);
    assert_false(exists("no.png"));
    assert_int_equal(mkdir(in_folder("models"), 0777) | mkdir(in_folder("models/membrane"), 0777), 0);
    assert_true(make_network(ctx, in_folder("models/membrane/model.safetensors"),
                             "unet size=16 channels=1 classes=2 width=4 levels=2", "membrane\ncell\n"));
    r = bare_segment("a.png -o shipped.png");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.out, "shipped.png\n");
}

/* ---- volumes ---------------------------------------------------------------------------------------------------------- */

static void slices_of_a_volume_are_pictures_and_its_place_is_kept(void **state)
{
    works("v.nii.gz -o v-mask.nii.gz --probability v-p.nii --overlay v-look.png", "v-mask.nii.gz\nv-p.nii\nv-look.png\n");
    works("t.tif -o t-mask.tif", "t-mask.tif");
    works("a.png -o a-mask.png", "a-mask.png");
    limn_raster v = read_raster(*state, "v-mask.nii.gz"), t = read_raster(*state, "t-mask.tif"),
                a = read_raster(*state, "a-mask.png"), p = read_raster(*state, "v-p.nii");
    assert_true(v.slices == S && t.slices == S && p.slices == S);
    for (int i = 0; i < W * H * S; i++) assert_true(t.values[i] == 255 * v.values[i] && v.values[i] == (p.values[i] > 0.5f));
    assert_memory_equal(a.values, t.values, W * H * sizeof(float));
    assert_true(limn_nifti_f32(v.header + 80, false) == 0.25f);
    limn_raster_free(&v);
    limn_raster_free(&t);
    limn_raster_free(&a);
    limn_raster_free(&p);
    works("v.nii.gz --truth v-mask.nii.gz", "pixel error 0.0000"); /* three slices are three pictures */
    works("v.nii.gz --truth v-mask.nii.gz", "3 pictures, 720 pixels");
    works("v.nii.gz t.tif -o volumes", "volumes/v.nii.gz\nvolumes/t.tif\n");
}

/* ---- mistakes --------------------------------------------------------------------------------------------------------- */

static void every_mistake_is_one_sentence_and_no_file(void **state)
{
    (void)state;
    static const struct { const char *arguments, *words;
    } rows[] = {
        {"", "expected a picture"},
        {"a.png", "expected -o"},
        {"none.png -o no.png", "none.png"},
        {"m.safetensors -o no.png", "expected a PNG"},
        {"a.png -o no.gif", "--output: the name must end in"},
        {"a.png -o nowhere/no.png", "no folder nowhere"},
        {"a.png -o truth", "truth is a folder"},
        {"a.png -o a.png", "would overwrite the picture"},
        {"a.png -o no.png --overlay no.png", "no.png is named for two results"},
        {"a.png truth/a.png -o no.png", "have the same name"},
        {"a.png b.png -o other.png", "other.png"},
        {"a.png b.png --truth other.png", "other.png is no folder"},
        {"a.png -o no.png --truth small.png", "small.png has 20 x 11 pixels, its picture a.png has 20 x 12"},
        {"a.png -o no.png --truth other.png", "other.png: the value 3 at column 5, row 1"},
        {"small.png -o no.png --truth truth", "holds no mask named small.png"},
        {"v.nii.gz -o no.png", "has 3 slices, a PNG holds one"},
        {"t.tif -o no.nii", "t.tif is none: expected .tif\n"},
        {"a.png -o no.nii", "a.png is none: expected .png or .tif\n"},
        {"v.nii.gz --truth empty", "no mask named v.nii.gz for v.nii.gz"},
        {"t.tif --truth empty", "no mask named t.tif for t.tif"},
        {"a.png --truth empty", "no mask named a.png for a.png"},
        {"a.png -o no.nii", "only of a NIfTI volume"},
        {"v.nii.gz -o no.nii --truth truth/a.png", "has 20 x 12 pixels, its picture v.nii.gz has 20 x 12 x 3"},
        {"a.png -o no.png --tile 15", "a tile of 15 pixels"},
        {"a.png -o no.png --tile 0", "--tile"},
        {"a.png -o no.png --overlap x", "--overlap"},
        {"a.png -o no.png --overlap 16", "neighbours cannot share 16 of a tile's 16 pixels"},
        {"a.png --probability no.png --class 2", "--class: classes are 0 to 1, or their names in training, found 2"},
        {"a.png --probability no.png --class cel", "found cel"},
        {"a.png -o no.png --class 1", "--class is for --probability"},
        {"a.png -o no.png --bits 16", "--bits is for --probability"},
        {"a.png --overlay no.png --values 0,1", "--values is for the mask"},
        {"a.png -o no.png --cell 1", "give --truth"},
        {"a.png -o no.png --json", "give --truth"},
        {"a.png --truth truth --cell 2", "--cell: classes are 0 to 1"},
        {"a.png -o no.png --values 0,1,2", "2 classes"},
        {"a.png -o no.png --values 0,x", "0,x"},
        {"a.png -o no.png --range 5,5", "--range"},
        {"a.png -o no.png --range 5", "--range"},
        {"a.png -o no.png --bits 12", "--bits"},
        {"a.png -o no.png --views 3", "--views is 1, 2, 4 or 8"},
        {"a.png -o no.png --precision f16", "--precision"},
        {"a.png -o no.png -m tae.safetensors", "holds a tae"},
        {"a.png -o no.png -m none", "none"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) refuses(rows[i].arguments, rows[i].words);
}

static void a_picture_that_is_cut_is_a_sentence(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command,
             "cd %s && for f in a.png t.tif v.nii.gz; do head -c $(($(wc -c <$f) / 2)) $f >cut-$f; done", folder);
    assert_int_equal(system(command), 0);
    refuses("cut-a.png -o no.png", "cut-a.png");
    refuses("cut-t.tif -o no.png", "cut-t.tif");
    refuses("cut-v.nii.gz -o no.nii", "cut-v.nii.gz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_picture_has_mask_probability_and_overlay),
        cmocka_unit_test(several_pictures_go_to_folders_with_one_report),
        cmocka_unit_test(what_a_later_picture_lacks_is_said_before_any_work),
        cmocka_unit_test(a_folder_is_its_pictures),
        cmocka_unit_test(of_a_case_in_a_folder_the_first_file_stands_for_all),
        cmocka_unit_test(values_of_16_bits_are_brought_to_the_range_that_was_asked_for),
        cmocka_unit_test(truths_of_any_convention_are_right_or_said),
        cmocka_unit_test(two_truths_or_pictures_for_one_are_named),
        cmocka_unit_test(without_a_model_it_takes_the_one_that_ships),
        cmocka_unit_test(slices_of_a_volume_are_pictures_and_its_place_is_kept),
        cmocka_unit_test(every_mistake_is_one_sentence_and_no_file),
        cmocka_unit_test(a_picture_that_is_cut_is_a_sentence),
        cmocka_unit_test(a_truth_is_never_written_over_and_no_file_of_a_folder_job_before_all_are_checked),
        cmocka_unit_test(no_picture_of_the_job_and_no_weights_are_written_over),
        cmocka_unit_test(two_results_are_never_one_file),
        cmocka_unit_test(the_pages_of_a_tiff_say_where_its_result_goes),
        cmocka_unit_test(one_result_goes_to_stdout_as_it_would_go_to_a_file),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
