/* test_volumes.c: segmentation learns from volumes: NIfTI, pages of a TIFF, 16 bits, nnU-Net's channels; folds by volume;
 * from files to a mask. */
#include "file/image.h"
#include "file/nifti.h"
#include "file/nifti_header.h"
#include "file/tiff.h"
#include "limn/train.h"
#include "pipeline/segment.h"
#include "data/mask_parts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "make_folder.h"

/* ---- folders made for a test ------------------------------------------------------------------------------------------ */

static int begin(void **state)
{
    *state = limn_ctx_new();
    return *state && make_folder(*state, "volumes") ? 0 : -1;
}

static int end(void **state)
{
    limn_ctx_free(*state);
    return remove_folder();
}

static void put_text(const char *name, const char *text)
{
    FILE *file = fopen(in(name), "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static limn_raster like(int w, int h, int s)
{
    limn_raster r = {.kind = LIMN_RASTER_NIFTI, .width = w, .height = h, .slices = s, .channels = 1};
    uint32_t size = LIMN_NIFTI_HEADER;
    const int16_t dim[8] = {3, (int16_t)w, (int16_t)h, (int16_t)s, 1, 1, 1, 1};
    memcpy(r.header, &size, 4);
    memcpy(r.header + NIFTI_DIM, dim, sizeof dim);
    memcpy(r.header + NIFTI_MAGIC, "n+1", 4);
    limn_nifti_put_f32(r.header + 80, false, 0.7f); /* pixdim[1] */
    return r;
}

/* Either bytes or reals, [s,h,w]. */
static void put_nifti(limn_ctx *ctx, const char *name, int w, int h, int s, const uint8_t *bytes, const float *reals)
{
    limn_raster r = like(w, h, s);
    if (limn_nifti_write(ctx, in(name), &r, bytes, reals) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
}

static limn_mask_options options(int channels)
{
    return (limn_mask_options){.folder = folder, .channels = channels};
}

static limn_masks *opened(limn_ctx *ctx, limn_mask_options o, limn_masks **held)
{
    limn_masks *m;
    if (limn_masks_open(ctx, &o, &m, held) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return m;
}

static void refused(limn_ctx *ctx, limn_mask_options o, limn_status expected, const char *sentence)
{
    limn_masks *m;
    limn_status status = limn_masks_open(ctx, &o, &m, NULL);
    if (status != expected || !strstr(limn_error_text(ctx), sentence))
        fail_msg("expected \"%s\", found %s, \"%s\"", sentence, limn_status_name(status), limn_error_text(ctx));
    assert_null(m);
}

static void make_folders(const char *images, const char *masks)
{
    assert_int_equal(mkdir(in(images), 0777) | mkdir(in(masks), 0777), 0);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

enum { W = 6, H = 5, S = 4, N = W * H * S };

/* Slice i of m is slice z of values [S,H,W] and of labels. */
static void is_slice(limn_ctx *ctx, const limn_masks *m, int64_t i, int z, const double *values, const uint8_t *labels)
{
    limn_raster picture;
    uint8_t *found;
    if (limn_masks_load(ctx, m, i, &picture, &found) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_true(picture.width == W && picture.height == H && picture.slices == 1);
    for (int k = 0; k < W * H; k++) {
        assert_true(fabs((double)picture.values[k] - values[z * W * H + k]) <=
                    0.51 / 65535); /* kept in 16 bits, made in floats */
        assert_int_equal(found[k], labels[z * W * H + k]);
    }
    limn_raster_free(&picture);
    free(found);
}

static void every_slice_is_learned_with_its_mask(void **state)
{
    limn_ctx *ctx = *state;
    float reals[N];
    uint16_t wide[N];
    uint8_t labels[N];
    double expected[N];
    for (int i = 0; i < N; i++)
        reals[i] = (float)i * 10 - 300, wide[i] = (uint16_t)(i * 300), labels[i] = (uint8_t)(i * 7 / 3 % 3);
    for (int i = 0; i < N; i++)
        expected[i] =
            fmin(fmax((i - 1.0) / (N - 3), 0), 1); /* the percentiles 0.5 and 99.5 of 120 values: the 2nd, the 2nd last */
    make_folders("images", "masks");
    put_nifti(ctx, "images/a.nii.gz", W, H, S, NULL, reals), put_nifti(ctx, "masks/a.nii.gz", W, H, S, labels, NULL);
    assert_int_equal(limn_tiff_write(ctx, in("images/b.tif"), W, H, S, NULL, wide), LIMN_OK);
    assert_int_equal(limn_tiff_write(ctx, in("masks/b.tiff"), W, H, S, labels, NULL), LIMN_OK);
    assert_int_equal(limn_png_write_wide(ctx, in("images/c.png"), W, H, wide), LIMN_OK);
    assert_int_equal(limn_png_write(ctx, in("masks/c.png"), &(limn_image){W, H, 1, labels}, NULL), LIMN_OK);
    for (int kept = 1; kept >= 0; kept--) {
        limn_mask_options o = options(1);
        o.memory = kept ? 0 : 100;
        limn_masks *m = opened(ctx, o, NULL);
        assert_int_equal(m->kept, kept);
        assert_int_equal(limn_masks_cases(m), 3);
        assert_int_equal(limn_masks_count(m), 2 * S + 1);
        assert_int_equal(m->bytes, 3 * (2 * N + W * H));
        assert_string_equal(limn_masks_name(m, S - 1), "a"), assert_string_equal(limn_masks_name(m, S), "b"),
            assert_string_equal(limn_masks_name(m, 2 * S), "c");
        for (int z = 0; z < S; z++) is_slice(ctx, m, z, z, expected, labels), is_slice(ctx, m, S + z, z, expected, labels);
        limn_masks_free(m);
    }
    assert_non_null(strstr(warning, "a whole volume is read for every slice"));
    limn_mask_options o = options(1);
    o.range = (limn_range){LIMN_RANGE_GIVEN, 0, 30000};
    for (int i = 0; i < N; i++) expected[i] = i * 300 / 30000.0 < 1 ? i * 300 / 30000.0 : 1;
    limn_masks *m = opened(ctx, o, NULL);
    is_slice(ctx, m, S + 1, 1, expected, labels);
    limn_masks_free(m);
}

/* The same voxels as bytes and as floats: one rule for both, and the same values to learn from. */
static void types_of_files_do_not_decide(void **state)
{
    limn_ctx *ctx = *state;
    uint8_t bytes[N], labels[N];
    float reals[N];
    double expected[N];
    for (int i = 0; i < N; i++)
        bytes[i] = (uint8_t)(2 + i / 4), reals[i] = bytes[i],
        labels[i] = i % 2; /* 2 to 31, 4 of each: the percentiles are 2 and 31 */
    for (int i = 0; i < N; i++) expected[i] = (reals[i] - 2.0) / 29;
    make_folders("images", "masks");
    put_nifti(ctx, "images/a.nii", W, H, S, bytes, NULL), put_nifti(ctx, "masks/a.nii", W, H, S, labels, NULL);
    limn_masks *m = opened(ctx, options(1), NULL);
    assert_int_equal(limn_masks_range(m).kind, LIMN_RANGE_BYTES);
    assert_int_equal(m->bytes, 2 * N);
    limn_masks_free(m);
    put_nifti(ctx, "images/b.nii", W, H, S, NULL, reals), put_nifti(ctx, "masks/b.nii", W, H, S, labels, NULL);
    for (int kept = 1; kept >= 0; kept--) {
        limn_mask_options o = options(1);
        o.memory = kept ? 0 : 100;
        note[0] = '\0';
        m = opened(ctx, o, NULL);
        assert_int_equal(limn_masks_range(m).kind, LIMN_RANGE_PERCENTILES);
        assert_int_equal(m->bytes, 2 * 3 * N);
        assert_non_null(strstr(note, "values are stored as several types (1 of u8 and 1 of f32): all are read by the "
                                     "percentiles 0.5 and 99.5 of each file"));
        for (int z = 0; z < S; z++) is_slice(ctx, m, z, z, expected, labels), is_slice(ctx, m, S + z, z, expected, labels);
        assert_int_equal(m->pixels[1], N);
        limn_masks_free(m);
    }
    remove(in("images/a.nii")), remove(in("masks/a.nii"));
    m = opened(ctx, options(1), NULL);
    assert_int_equal(limn_masks_range(m).kind, LIMN_RANGE_PERCENTILES);
    limn_masks_free(m);
    limn_mask_options o = options(1);
    o.range = (limn_range){LIMN_RANGE_GIVEN, 100, 200};
    refused(ctx, o, LIMN_BAD_ARGUMENT, "images/b.nii: all 120 values lie below the range 100 to 200, they are 2 to 31");
}

/* Channels of a case may have types of their own. */
static void types_of_channels_do_not_decide(void **state)
{
    limn_ctx *ctx = *state;
    uint8_t bytes[N];
    float reals[N];
    for (int i = 0; i < N; i++) bytes[i] = (uint8_t)(2 + i / 4), reals[i] = bytes[i];
    make_folders("imagesTr", "labelsTr");
    put_text("dataset.json", "{\"labels\": {\"background\": 0, \"lesion\": 1}}");
    put_nifti(ctx, "imagesTr/p_0000.nii", W, H, S, bytes, NULL), put_nifti(ctx, "imagesTr/p_0001.nii", W, H, S, NULL, reals);
    for (int i = 0; i < N; i++) bytes[i] %= 2;
    put_nifti(ctx, "labelsTr/p.nii", W, H, S, bytes, NULL);
    limn_masks *m = opened(ctx, options(2), NULL);
    limn_raster picture;
    uint8_t *labels;
    assert_int_equal(limn_masks_load(ctx, m, 1, &picture, &labels), LIMN_OK);
    for (int i = 0; i < W * H; i++) assert_true(picture.values[2 * i] == picture.values[2 * i + 1]);
    limn_raster_free(&picture), free(labels);
    limn_masks_free(m);
}

static void masks_that_are_nearly_whole_are_told_once(void **state)
{
    limn_ctx *ctx = *state;
    uint8_t bytes[N] = {0};
    float nearly[N] = {0, 1.00000012f, 1, 0.99999994f};
    make_folders("images", "masks");
    put_nifti(ctx, "images/a.nii", W, H, S, bytes, NULL), put_nifti(ctx, "masks/a.nii", W, H, S, NULL, nearly);
    put_nifti(ctx, "images/b.nii", W, H, S, bytes, NULL), put_nifti(ctx, "masks/b.nii", W, H, S, NULL, nearly);
    limn_masks *m = opened(ctx, options(1), NULL);
    assert_int_equal(m->pixels[1], 6);
    assert_non_null(strstr(note, "4 values in 2 of 2 masks are not quite whole numbers, the first 1.00000012 in"));
    limn_masks_free(m);
    nearly[5] = 1.001f, put_nifti(ctx, "masks/b.nii", W, H, S, NULL, nearly);
    refused(ctx, options(1), LIMN_BAD_FILE, "found 1.00100005 at column 5, row 0, slice 0");
}

static void a_mask_of_another_size_is_refused_with_both(void **state)
{
    limn_ctx *ctx = *state;
    uint8_t bytes[N] = {0, 1};
    float half[N] = {0.5f};
    make_folders("images", "masks");
    put_nifti(ctx, "images/a.nii", W, H, S, bytes, NULL), put_nifti(ctx, "masks/a.nii", W, H, S - 1, bytes, NULL);
    refused(ctx, options(1), LIMN_BAD_FILE, "masks/a.nii has 6 x 5 x 3 pixels, its picture");
    refused(ctx, options(1), LIMN_BAD_FILE, "has 6 x 5 x 4: expected the same size");
    put_nifti(ctx, "masks/a.nii", W, H, S, NULL, half);
    refused(ctx, options(1), LIMN_BAD_FILE,
            "masks/a.nii: expected a mask with one whole number 0 to 65535 a pixel, found 0.5 at column 0, row 0, slice 0");
    half[0] = -1, put_nifti(ctx, "masks/a.nii", W, H, S, NULL, half);
    refused(ctx, options(1), LIMN_BAD_FILE, "found -1 at column 0");
    put_text("masks/a.nii", "cut");
    refused(ctx, options(1), LIMN_BAD_FILE, "masks/a.nii");
}

/* A volume whose header says where it lies: voxels of 1 mm from x on, along the first axis or against it. */
static void put_placed(limn_ctx *ctx, const char *name, const uint8_t *bytes, float x, float along)
{
    limn_raster r = like(W, H, S);
    const int16_t code = 1;
    memcpy(r.header + 254, &code, sizeof code);
    limn_nifti_put_f32(r.header + 280, false, along), limn_nifti_put_f32(r.header + 292, false, x);
    limn_nifti_put_f32(r.header + 300, false, 1), limn_nifti_put_f32(r.header + 320, false, 1);
    if (limn_nifti_write(ctx, in(name), &r, bytes, NULL) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
}

static void files_that_lie_elsewhere_are_a_warning(void **state)
{
    limn_ctx *ctx = *state;
    uint8_t bytes[N] = {0, 1};
    make_folders("images", "masks");
    put_placed(ctx, "images/a.nii", bytes, 0, 1), put_placed(ctx, "masks/a.nii", bytes, 0.25f, 1);
    warning[0] = '\0';
    limn_masks_free(opened(ctx, options(1), NULL));
    assert_string_equal(warning, "");
    put_placed(ctx, "masks/a.nii", bytes, W - 1, -1);
    limn_masks_free(opened(ctx, options(1), NULL));
    assert_non_null(strstr(warning, "masks/a.nii lies elsewhere than"));
    assert_non_null(strstr(warning, "up to 5 voxels away"));
    make_folders("imagesTr", "labelsTr");
    put_text("dataset.json", "{\"labels\": {\"background\": 0, \"lesion\": 1}}");
    put_placed(ctx, "imagesTr/p_0000.nii", bytes, 0, 1), put_placed(ctx, "imagesTr/p_0001.nii", bytes, 3, 1),
        put_placed(ctx, "labelsTr/p.nii", bytes, 0, 1);
    limn_masks_free(opened(ctx, options(2), NULL));
    assert_non_null(strstr(warning, "p_0001.nii lies elsewhere than"));
}

/* ---- nnU-Net ---------------------------------------------------------------------------------------------------------- */

static void channels_of_a_case_are_scaled_each_for_itself(void **state)
{
    limn_ctx *ctx = *state;
    float ct[N], pet[N];
    uint8_t labels[N];
    for (int i = 0; i < N; i++) ct[i] = (float)(i * 20 - 1000), pet[i] = (float)(N - i) / 1000, labels[i] = i % 2;
    make_folders("imagesTr", "labelsTr");
    put_text("dataset.json", "{\"channel_names\": {\"0\": \"CT\", \"1\": \"PET\"}, \"labels\": {\"background\": 0, "
                             "\"lesion\": 1}, \"numTraining\": 1, \"file_ending\": \".nii.gz\"}");
    put_nifti(ctx, "imagesTr/p_001_0000.nii.gz", W, H, S, NULL, ct),
        put_nifti(ctx, "imagesTr/p_001_0001.nii.gz", W, H, S, NULL, pet);
    put_nifti(ctx, "labelsTr/p_001.nii.gz", W, H, S, labels, NULL);
    limn_mask_options o = options(2);
    o.range.kind = LIMN_RANGE_MINMAX;
    limn_masks *m = opened(ctx, o, NULL);
    assert_string_equal(limn_masks_name(m, 0), "p_001");
    assert_string_equal(limn_masks_class(m, 1), "lesion");
    limn_raster picture;
    uint8_t *found;
    assert_int_equal(limn_masks_load(ctx, m, S - 1, &picture, &found), LIMN_OK);
    assert_int_equal(picture.channels, 2);
    for (int i = 0; i < W * H; i++) {
        double at = (double)((S - 1) * W * H + i) / (N - 1);
        assert_true(fabs((double)picture.values[2 * i] - at) < 1e-5 &&
                    fabs((double)picture.values[2 * i + 1] - (1 - at)) < 1e-5);
    }
    limn_raster_free(&picture), free(found);
    limn_masks_free(m);
    o.channels = 1;
    refused(ctx, o, LIMN_BAD_ARGUMENT,
            "p_001_0000.nii.gz is the first of 2 channels, and the network reads 1: --set channels=2");
    o.channels = 2;
    put_nifti(ctx, "imagesTr/p_001_0001.nii.gz", W, H, S - 1, NULL, pet);
    refused(ctx, o, LIMN_BAD_FILE, "p_001_0001.nii.gz has 6 x 5 x 3 pixels, channel 0 has 6 x 5 x 4");
    put_nifti(ctx, "imagesTr/p_002_0000.nii.gz", W, H, S, NULL, ct);
    refused(ctx, o, LIMN_BAD_FILE, "p_002_0000.nii.gz has no mask: expected");
}

static void a_fold_is_made_of_volumes(void **state)
{
    limn_ctx *ctx = *state;
    uint8_t bytes[N] = {0, 1};
    char name[64];
    int seen[5] = {0};
    make_folders("images", "masks");
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "images/v%d.nii", i), put_nifti(ctx, name, W, H, S, bytes, NULL);
        snprintf(name, sizeof name, "masks/v%d.nii", i), put_nifti(ctx, name, W, H, S, bytes, NULL);
    }
    for (int fold = 0; fold < 3; fold++) {
        limn_mask_options o = options(1);
        o.fold = fold, o.folds = 3;
        limn_masks *held, *m = opened(ctx, o, &held);
        assert_int_equal(limn_masks_count(m) + limn_masks_count(held), 5 * S);
        assert_int_equal(limn_masks_count(held), S * limn_masks_cases(held));
        for (int64_t i = 0; i < limn_masks_count(held); i++) {
            int v = limn_masks_name(held, i)[1] - '0';
            seen[v]++;
            for (int64_t k = 0; k < limn_masks_count(m); k++) assert_int_not_equal(limn_masks_name(m, k)[1] - '0', v);
        }
        limn_masks_free(held);
        limn_masks_free(m);
    }
    for (int v = 0; v < 5; v++) assert_int_equal(seen[v], S);
    limn_mask_options o = options(1);
    o.folds = 3;
    limn_masks *m = opened(ctx, o, NULL); /* nobody wants what is held out */
    assert_true(limn_masks_count(m) < 5 * S);
    limn_masks_free(m);
}

/* ---- from files to a mask --------------------------------------------------------------------------------------------- */

enum { SIDE = 32, DEPTH = 10, VOXELS = SIDE * SIDE * DEPTH };

/* A sphere, brighter than the noise around it, in units of its own as scanners have them. */
static void make_sphere(int seed, float *ct, float *second, uint8_t *labels)
{
    unsigned state = 77u + (unsigned)seed * 1000u;
    double cx = 11 + seed * 3 % 9, cy = 12 + seed * 5 % 8, cz = 4 + seed % 3, radius = 6 + seed % 3;
    for (int i = 0; i < VOXELS; i++) {
        double x = i % SIDE - cx, y = i / SIDE % SIDE - cy, z = i / (SIDE * SIDE) - cz;
        double noise = (state = state * 1664525u + 1013904223u) / 4294967296.0;
        labels[i] = x * x + y * y + 2 * z * z < radius * radius;
        ct[i] = (float)(-800 + 500 * noise + (labels[i] ? 600 : 0));
        second[i] = (float)(0.01 * noise);
    }
}

static void make_dataset(limn_ctx *ctx, int n)
{
    static float ct[VOXELS], second[VOXELS];
    static uint8_t labels[VOXELS];
    char name[64];
    make_folders("imagesTr", "labelsTr");
    put_text("dataset.json", "{\"channel_names\": {\"0\": \"CT\", \"1\": \"PET\"}, \"labels\": {\"background\": 0, "
                             "\"ball\": 1}, \"numTraining\": 4, \"file_ending\": \".nii.gz\"}");
    for (int i = 0; i < n; i++) {
        make_sphere(i, ct, second, labels);
        snprintf(name, sizeof name, "imagesTr/ball_%d_0000.nii.gz", i), put_nifti(ctx, name, SIDE, SIDE, DEPTH, NULL, ct);
        snprintf(name, sizeof name, "imagesTr/ball_%d_0001.nii.gz", i),
            put_nifti(ctx, name, SIDE, SIDE, DEPTH, NULL, second);
        snprintf(name, sizeof name, "labelsTr/ball_%d.nii.gz", i), put_nifti(ctx, name, SIDE, SIDE, DEPTH, labels, NULL);
    }
}

static limn_raster read_raster(limn_ctx *ctx, const char *name)
{
    limn_raster r;
    if (limn_raster_read(ctx, in(name), &r) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return r;
}

static void a_network_finds_what_it_learned_in_a_volume_it_never_saw(void **state)
{
    limn_ctx *ctx = *state;
    make_dataset(ctx, 5);
    limn_train_options o = limn_train_defaults();
    o.network = "unet size=32 channels=2 classes=2 width=8 levels=3 norm=batch";
    char out[300];
    snprintf(out, sizeof out, "%s/run", folder);
    o.data = folder, o.out = out, o.batch = 8, o.steps = 60, o.warmup = 5, o.lr = 3e-3, o.ema = 0.9,
    o.precision = LIMN_PRECISION_F32, o.sample_every = 60;
    o.hold_out = "ball_4", o.range.kind = LIMN_RANGE_MINMAX, o.augment = limn_augment_none();
    o.segment.kind = LIMN_SEGMENT_DICE_CE;
    if (limn_train(ctx, &o) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(access(in("run/samples/step-000060.png"), F_OK), 0);
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && OMP_WAIT_POLICY=passive " LIMN_BINARY_DIR
             "/limn segment -m run imagesTr/ball_4_0000.nii.gz -o mask.nii.gz --truth labelsTr >out 2>err",
             folder);
    assert_int_equal(system(command), 0);
    limn_raster mask = read_raster(ctx, "mask.nii.gz"), truth = read_raster(ctx, "labelsTr/ball_4.nii.gz");
    double both = 0, sum = 0;
    for (int i = 0; i < VOXELS; i++)
        both += (double)(mask.values[i] * truth.values[i]), sum += (double)(mask.values[i] + truth.values[i]);
    if (2 * both / sum < 0.9) fail_msg("Dice is %g", 2 * both / sum);
    assert_true(limn_nifti_f32(mask.header + 80, false) == 0.7f);
    limn_raster_free(&mask);
    limn_raster_free(&truth);
    snprintf(command, sizeof command,
             "cd %s && " LIMN_BINARY_DIR "/limn describe run --depth 1 | grep -q 'run: segment, loss: dice-ce'", folder);
    assert_int_equal(system(command), 0);
    limn_segmentation *s;
    if (limn_segmentation_open(ctx, out, NULL, &s) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_segmentation_range(s).kind, LIMN_RANGE_MINMAX); /* as trained */
    limn_segmentation_free(s);
    o.resume = true, o.steps = 61, o.range.kind = LIMN_RANGE_AUTO;
    assert_int_equal(limn_train(ctx, &o), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "where --range was \"minmax\", and this command says \"auto\""));
    o.range.kind = LIMN_RANGE_MINMAX, o.mask_values = "1,0";
    assert_int_equal(limn_train(ctx, &o), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "where --mask-values was \"\", and this command says \"1,0\""));
    o.mask_values = NULL, o.segment.weight = (double[]){1, 2.5}, o.segment.n_weights = 2;
    assert_int_equal(limn_train(ctx, &o), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "where --class-weights was \"\", and this command says \"1,2.5\""));
}

/* What auto meant belongs to the model: bytes are read as the floats were that it learned. */
static void a_model_reads_every_type_by_the_rule_it_learned(void **state)
{
    limn_ctx *ctx = *state;
    static float ct[VOXELS], second[VOXELS];
    static uint8_t bytes[VOXELS], labels[VOXELS];
    char command[1024], out[300];
    make_sphere(1, ct, second, labels);
    for (int i = 0; i < VOXELS; i++) bytes[i] = (uint8_t)((ct[i] + 800) / 40), ct[i] = bytes[i]; /* 0 to 27 */
    make_folders("images", "masks");
    put_nifti(ctx, "images/a.nii", SIDE, SIDE, DEPTH, NULL, ct),
        put_nifti(ctx, "masks/a.nii", SIDE, SIDE, DEPTH, labels, NULL);
    put_nifti(ctx, "bytes.nii", SIDE, SIDE, DEPTH, bytes, NULL);
    for (int k = 0; k < 2; k++) {
        limn_train_options o = limn_train_defaults();
        o.network = "unet size=32 channels=1 classes=2 width=4 levels=2";
        snprintf(out, sizeof out, "%s/run%d", folder, k);
        o.data = folder, o.out = out, o.batch = 2, o.steps = 2, o.precision = LIMN_PRECISION_F32;
        if (k) put_nifti(ctx, "images/a.nii", SIDE, SIDE, DEPTH, bytes, NULL);
        if (limn_train(ctx, &o) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
        limn_segmentation *s;
        if (limn_segmentation_open(ctx, out, NULL, &s) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
        assert_int_equal(limn_segmentation_range(s).kind, k ? LIMN_RANGE_BYTES : LIMN_RANGE_PERCENTILES);
        limn_segmentation_free(s);
        put_nifti(ctx, "floats.nii", SIDE, SIDE, DEPTH, NULL, ct);
        snprintf(command, sizeof command,
                 "cd %s && export OMP_WAIT_POLICY=passive && for f in bytes floats; do " LIMN_BINARY_DIR
                 "/limn segment -m run%d $f.nii --probability $f-p.nii 2>err-$f "
                 "|| exit 1; done && tail -c +353 bytes-p.nii >a && tail -c +353 floats-p.nii >b && cmp a b && grep -q '%s' "
                 "err-floats",
                 folder, k,
                 k ? "0 is 0 and 255 is 1 to the network (it learned bytes"
                   : "0 is 0 and 2[0-9] is 1 to the network (percentiles 0.5 and 99.5)");
        assert_int_equal(system(command), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_slice_is_learned_with_its_mask, begin, end),
        cmocka_unit_test_setup_teardown(types_of_files_do_not_decide, begin, end),
        cmocka_unit_test_setup_teardown(types_of_channels_do_not_decide, begin, end),
        cmocka_unit_test_setup_teardown(masks_that_are_nearly_whole_are_told_once, begin, end),
        cmocka_unit_test_setup_teardown(a_mask_of_another_size_is_refused_with_both, begin, end),
        cmocka_unit_test_setup_teardown(files_that_lie_elsewhere_are_a_warning, begin, end),
        cmocka_unit_test_setup_teardown(channels_of_a_case_are_scaled_each_for_itself, begin, end),
        cmocka_unit_test_setup_teardown(a_fold_is_made_of_volumes, begin, end),
        cmocka_unit_test_setup_teardown(a_network_finds_what_it_learned_in_a_volume_it_never_saw, begin, end),
        cmocka_unit_test_setup_teardown(a_model_reads_every_type_by_the_rule_it_learned, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
