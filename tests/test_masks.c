/* test_masks.c: folders of pictures with masks, the mistakes people make in them, parts held out, augmentation. */
#include "data/mask_parts.h"

#include "file/bytes.h"
#include "file/image.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "make_folder.h"
#include "make_image.h"

/* ---- folders made for a test ------------------------------------------------------------------------------------------ */

static limn_ctx *begin(void)
{
    limn_ctx *ctx = limn_ctx_new();
    assert_true(make_folder(ctx, "masks"));
    return ctx;
}

static void end(limn_ctx *ctx)
{
    assert_int_equal(remove_folder(), 0);
    limn_ctx_free(ctx);
}

static void put(limn_ctx *ctx, const char *name, int w, int h, int c, int modulus, int factor)
{
    limn_image image;
    assert_int_equal(limn_image_new(ctx, name, (uint32_t)w, (uint32_t)h, c, &image), LIMN_OK);
    for (int i = 0; i < w * h; i++)
        for (int k = 0; k < c; k++)
            image.pixels[i * c + k] = (uint8_t)(i * 5 / 3 % modulus * factor + (c > 1 && modulus > 9 ? k : 0));
    if (limn_png_write(ctx, in(name), &image, NULL) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    limn_image_free(&image);
}

static void put_text(limn_ctx *ctx, const char *name, const char *text)
{
    limn_writer w;
    assert_int_equal(limn_file_create(ctx, in(name), &w), LIMN_OK);
    limn_file_write(&w, text, strlen(text));
    assert_int_equal(limn_file_commit(&w), LIMN_OK);
}

static void two_folders(const char *images, const char *masks)
{
    assert_int_equal(mkdir(in(images), 0777) | mkdir(in(masks), 0777), 0);
}

static limn_mask_options options(void)
{
    return (limn_mask_options){.folder = folder, .channels = 1};
}

static void refused(limn_ctx *ctx, limn_mask_options o, limn_status expected, const char *sentence)
{
    limn_masks *m;
    limn_status status = limn_masks_open(ctx, &o, &m, NULL);
    if (status != expected || !strstr(limn_error_text(ctx), sentence))
        fail_msg("expected \"%s\", found %s, \"%s\"", sentence, limn_status_name(status), limn_error_text(ctx));
    assert_null(m);
}

static limn_masks *opened(limn_ctx *ctx, limn_mask_options o)
{
    limn_masks *m;
    if (limn_masks_open(ctx, &o, &m, NULL) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return m;
}

/* The part that is held out, which borrows from *rest. */
static limn_masks *held_out(limn_ctx *ctx, limn_mask_options o, limn_masks **rest)
{
    limn_masks *held;
    if (limn_masks_open(ctx, &o, rest, &held) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return held;
}

/* Of a small one; valid until the next call. */
static const uint8_t *labels_of(limn_ctx *ctx, const limn_masks *m, int64_t i)
{
    static uint8_t out[256];
    limn_raster picture;
    uint8_t *labels;
    if (limn_masks_load(ctx, m, i, &picture, &labels) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    size_t n = (size_t)picture.width * (size_t)picture.height;
    assert_int_equal(picture.channels, 1);
    assert_true(n <= sizeof out);
    memcpy(out, labels, n);
    limn_raster_free(&picture);
    free(labels);
    return out;
}

static const int swapped[3] = {1, LIMN_IGNORED, 0}, third_ignored[3] = {0, 1, LIMN_IGNORED};

/* ---- layouts ---------------------------------------------------------------------------------------------------------- */

static void pictures_find_their_masks_by_name(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    put(ctx, "images/10.png", 8, 6, 3, 255, 1), put(ctx, "masks/10.png", 8, 6, 1, 2, 255);
    put(ctx, "images/9.png", 5, 4, 1, 255, 1), put(ctx, "masks/9.png", 5, 4, 3, 2, 255);
    put(ctx, "masks/alone.png", 5, 4, 1, 2, 255);
    limn_masks *m = opened(ctx, options());
    assert_int_equal(limn_masks_count(m), 2);
    assert_string_equal(limn_masks_name(m, 0), "9"); /* digits by value */
    assert_int_equal(limn_masks_classes(m), 2);
    assert_string_equal(limn_masks_class(m, 1), "255");
    assert_int_equal(m->pixels[0] + m->pixels[1], 20 + 48);
    for (int i = 0; i < 20; i++) assert_int_equal(labels_of(ctx, m, 0)[i], i * 5 / 3 % 2);
    assert_non_null(strstr(warning, "1 of 3 masks have no picture"));
    limn_masks_free(m);
    end(ctx);
}

static void values_are_classes_as_they_are_or_as_told(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    two_folders("image", "label");
    put(ctx, "image/a.png", 6, 6, 1, 255, 1), put(ctx, "label/a.png", 6, 6, 1, 3, 1);
    limn_masks *m = opened(ctx, options());
    assert_int_equal(limn_masks_classes(m), 3);
    limn_masks_free(m);
    limn_mask_options o = options();
    o.values = "2,0;1";
    m = opened(ctx, o);
    for (int i = 0; i < 36; i++) assert_int_equal(labels_of(ctx, m, 0)[i], swapped[i * 5 / 3 % 3]);
    limn_masks_free(m);
    o.values = "0,1,2,7", warning[0] = '\0';
    m = opened(ctx, o);
    assert_string_equal(warning, "class 3 (7) has no pixel in any of 1 masks: nothing can be learned about it");
    limn_masks_free(m);
    end(ctx);
}

static void nnunet_folders_are_read(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    two_folders("imagesTr", "labelsTr");
    put_text(ctx, "dataset.json",
             "{\"channel_names\": {\"0\": \"a\", \"1\": \"b\"}, \"labels\": {\"background\": 0, \"cell\": 1, \"ignore\": "
             "2}, \"numTraining\": 1, \"file_ending\": \".png\"}");
    put(ctx, "imagesTr/c_1_0000.png", 6, 5, 1, 255, 1), put(ctx, "imagesTr/c_1_0001.png", 6, 5, 1, 7, 30),
        put(ctx, "labelsTr/c_1.png", 6, 5, 1, 3, 1);
    limn_mask_options o = options();
    o.channels = 2;
    limn_masks *m = opened(ctx, o);
    assert_int_equal(limn_masks_classes(m), 2);
    assert_string_equal(limn_masks_class(m, 1), "cell");
    assert_string_equal(limn_masks_name(m, 0), "c_1");
    limn_raster picture;
    uint8_t *labels;
    assert_int_equal(limn_masks_load(ctx, m, 0, &picture, &labels), LIMN_OK);
    for (int i = 0; i < 30; i++) {
        assert_true(picture.values[2 * i] == (float)(i * 5 / 3) / 255);
        assert_true(picture.values[2 * i + 1] == (float)(i * 5 / 3 % 7 * 30) / 255);
        assert_int_equal(labels[i], third_ignored[i * 5 / 3 % 3]);
    }
    limn_raster_free(&picture), free(labels);
    limn_masks_free(m);
    const struct { const char *json, *sentence; } wrong[] = {
        {"{\"labels\": {\"background\": 0, \"cell\": 2}}", "without a gap"},
        {"{\"labels\": {\"background\": 0, \"cell\": [1, 2]}}", "regions of several labels"},
        {"{\"labels\": {\"background\": 0, \"cell\": 0}}", "two labels have the value 0"},
        {"{\"labels\": {\"background\": 0, \"\": 1}}", "the label of 1 has an empty name"},
        {"{\"labels\": [1]}", "expected \"labels\""},
        {"{\"labels\": ", "dataset.json line 1"},
        {"\xff\xfe{", "dataset.json begins with the byte order mark of UTF-16"},
        {"\xef\xbb\xbf{\"labels\": 1}\r\n", "expected \"labels\": {"}, /* read behind its mark */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        put_text(ctx, "dataset.json", wrong[i].json), refused(ctx, o, LIMN_BAD_FILE, wrong[i].sentence);
    put_text(ctx, "dataset.json", "{\"labels\": {\"background\": 0, \"cell\": 1}}");
    refused(ctx, o, LIMN_BAD_FILE, "have the value 2, which is no class: expected 0, 1");
    put(ctx, "imagesTr/c_1_0001.png", 6, 4, 1, 7, 30);
    refused(ctx, o, LIMN_BAD_FILE, "has 6 x 4 pixels, channel 0 has 6 x 5");
    put(ctx, "imagesTr/c_1_0001.png", 6, 5, 1, 7, 30), put(ctx, "labelsTr/c_1.png", 6, 5, 1, 2, 1);
    put(ctx, "imagesTr/c_2_0000.png", 6, 5, 1, 7, 30),
        put(ctx, "labelsTr/c_2.png", 6, 5, 1, 2, 1); /* a second channel is missing */
    refused(ctx, o, LIMN_BAD_FILE, "c_2_0000.png is the first of 1 file, ");
    end(ctx);
}

static char *lines_told; /* 1024 bytes */

static void keep_line(void *user, limn_log_level level, const char *text)
{
    (void)user, (void)level;
    size_t n = strlen(lines_told);
    snprintf(lines_told + n, 1024 - n, "%s\n", text);
}

/* The forms of "labels" that are read: nnU-Net 2's, version 1's and the Decathlon's (turned round), numbers in quotes or
 * with a fraction of 0. */
static void labels_of_nnunet_1_are_turned_round(void **state)
{
    (void)state;
    static const struct { const char *labels, *name[3];
    } rows[] =
        {
            {"{\"0\": \"background\", \"2\": \"edge\", \"1\": \"ball\"}", {"background", "ball", "edge"}},
            {"{\"background\": 0, \"ball\": 1.0, \"edge\": 2}", {"background", "ball", "edge"}},
            {"{\"background\": \"0\", \"ball\": \"1\", \"edge\": \"2\"}", {"background", "ball", "edge"}},
            {"{\"10\": 0, \"1\": 2, \"30\": 1}", {"10", "30", "1"}},
            {"{\"0\": \"10\", \"1\": \"b\", \"2\": \"30\"}", {"10", "b", "30"}},
            {"{\"0\": \"0\", \"1\": \"1\", \"2\": \"2\"}", {"0", "1", "2"}},
            {"{\"a,\\\"b\\\"\": 0, \"two\\nlines\": 1, \"-1\": 2}", {"a,\"b\"", "two\nlines", "-1"}},
        },
      wrong[] = {
          {"{\"0\": \"background\", \"ball\": 1, \"edge\": 2}",
           {"1 of 3 labels are names: expected {\"background\": 0, \"cell\": 1}, or all of them turned round"}},
          {"{\"0\": \"background\", \"1\": \"ball\", \"2\": 2}", {"2 of 3 labels are names"}},
          {"{\"0\": \"1\", \"1\": \"0\"}", {"numbers in quotes on both sides"}},
          {"{\"0\": \"a\", \"1\": \"a\"}", {"labels 0 and 1 have one name, \"a\""}},
          {"{\"0\": \"a\", \"00\": \"b\"}", {"two labels have the value 0"}},
          {"{\"0\": \"a\", \"2\": \"b\"}", {"without a gap"}},
          {"{\"-1\": \"a\", \"0\": \"b\"}", {"2 of 2 labels are names"}},
          {"{\"a\": -1, \"b\": 0}", {"expected a whole number from 0"}},
          {"{\"a\": 0, \"b\": 1.5}", {"label \"b\": expected a whole number"}},
          {"{\"a\": 0, \"b\": 1e30}", {"label \"b\": expected a whole number"}},
          {"{\"a\": 0, \"b\": true}", {"label \"b\""}},
          {"{\"0\": \"a\", \"1\": \"\"}", {"the label of 1 has an empty name"}},
          {"{}", {"without a gap"}},
          {"{\"0\": \"a\", \"1\": [1, 2]}", {"1 of 2 labels are names"}},
      };
    limn_ctx *ctx = begin();
    limn_mask_options o = options();
    char json[512], line[1024] = "";
    two_folders("imagesTr", "labelsTr");
    put(ctx, "imagesTr/c_1_0000.png", 6, 5, 1, 255, 1), put(ctx, "labelsTr/c_1.png", 6, 5, 1, 3, 1);
    lines_told = line;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(json, sizeof json, "{\"labels\": %s, \"modality\": {\"0\": \"MRI\"}}", rows[i].labels);
        put_text(ctx, "dataset.json", json);
        limn_ctx_set_log(ctx, keep_line, NULL);
        line[0] = '\0';
        limn_masks *m = opened(ctx, o);
        assert_int_equal(limn_masks_classes(m), 3);
        for (int k = 0; k < 3; k++) assert_string_equal(limn_masks_class(m, k), rows[i].name[k]);
        assert_int_equal(strstr(line, "from number to name") != NULL, i == 0 || i == 4);
        limn_masks_free(m);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(json, sizeof json, "{\"labels\": %s}", wrong[i].labels);
        put_text(ctx, "dataset.json", json), refused(ctx, o, LIMN_BAD_FILE, wrong[i].name[0]);
    }
    end(ctx);
}

/* The Decathlon's pictures have no _0000; version 1 names its modalities and lists what is trained on. */
static void lists_and_names_of_nnunet_1_are_read(void **state)
{
    (void)state;
    static const char *const start = "{\"labels\": {\"0\": \"background\", \"1\": \"ball\", \"2\": \"edge\"}, ";
    static const struct { const char *rest, *sentence;
    } wrong[] = {
        {"\"training\": 3}", "expected \"training\": [{"},
        {"\"training\": [{\"image\": \"a\"}]}", "training: entry 0 has no \"label\""},
        {"\"training\": [\"./labelsTr/h_001.png\"]}", "training: entry 0 has no \"label\""},
        {"\"training\": [{\"label\": \"./labelsTr/h_009.png\"}]}",
         "training lists the mask \"./labelsTr/h_009.png\", and there is no picture with it"},
        {"\"training\": [{\"label\": \"./labelsTr/h_001.png\"}, {\"label\": \"h_001.png\"}]}", "h_001.png\" twice"},
    };
    limn_ctx *ctx = begin();
    limn_mask_options o = options();
    char json[1024];
    two_folders("imagesTr", "labelsTr");
    for (int i = 1; i <= 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "imagesTr/h_%03d.png", i), put(ctx, name, 6, 5, 1, 255, 1);
        snprintf(name, sizeof name, "labelsTr/h_%03d.png", i), put(ctx, name, 6, 5, 1, 3, 1);
    }
    snprintf(json, sizeof json,
             "%s\"modality\": {\"0\": \"CT\", \"1\": \"PET\"}, \"training\": [{\"image\": \"./imagesTr/h_003.png\", "
             "\"label\": \"./labelsTr/h_003.png\"}, "
             "{\"image\": \"./imagesTr/h_001.png\", \"label\": \"./labelsTr/h_001.png\"}]}",
             start);
    put_text(ctx, "dataset.json", json);
    limn_masks *m = opened(ctx, o);
    assert_int_equal(limn_masks_cases(m), 2);
    assert_string_equal(limn_masks_name(m, 0), "h_001");
    assert_string_equal(limn_masks_name(m, 1), "h_003");
    assert_non_null(strstr(warning, "1 of 3 pictures are not in its list \"training\" and are left out"));
    limn_masks_free(m);
    snprintf(json, sizeof json, "%s\"modality\": [\"CT\", \"PET\"]}", start), put_text(ctx, "dataset.json", json);
    m = opened(ctx, o);
    assert_int_equal(limn_masks_cases(m), 3);
    assert_non_null(strstr(warning, "modality names 2 channels, the network reads 1"));
    limn_masks_free(m);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        snprintf(json, sizeof json, "%s%s", start, wrong[i].rest), put_text(ctx, "dataset.json", json),
            refused(ctx, o, LIMN_BAD_FILE, wrong[i].sentence);
    end(ctx);
}

/* ---- mistakes --------------------------------------------------------------------------------------------------------- */

static void every_mistake_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    limn_mask_options o = options();
    refused(ctx, o, LIMN_NOT_FOUND, "expected the folders images and masks");
    refused(ctx, (limn_mask_options){.folder = in("nowhere"), .channels = 1}, LIMN_NOT_FOUND,
            "nowhere: there is no such folder");
    two_folders("images", "masks");
    refused(ctx, o, LIMN_BAD_ARGUMENT, "holds no picture");
    put(ctx, "images/a.png", 8, 6, 1, 255, 1);
    refused(ctx, o, LIMN_BAD_FILE, "images/a.png has no mask: expected");
    put(ctx, "masks/a.png", 8, 5, 1, 2, 255);
    refused(ctx, o, LIMN_BAD_FILE, "has 8 x 5 pixels, its picture");
    put(ctx, "masks/a.png", 8, 6, 3, 40, 1);
    refused(ctx, o, LIMN_BAD_FILE, "found the colour 0,1,2 at column 0, row 0");
    put(ctx, "masks/a.png", 8, 6, 1, 1, 0);
    refused(ctx, o, LIMN_BAD_FILE, "hold the value 0 only");
    put(ctx, "masks/a.png", 8, 6, 1, 3, 100);
    refused(ctx, o, LIMN_BAD_FILE, "have 3 different values up to 200: say which are classes");
    put(ctx, "masks/a.png", 8, 6, 1, 2, 254);
    o.values = "0,255";
    refused(ctx, o, LIMN_BAD_FILE, "masks/a.png: 24 of 48 pixels have the value 254, which is no class: expected 0, 255");
    o.values = "0;3;4", refused(ctx, o, LIMN_BAD_ARGUMENT, "expected values of masks like");
    o.values = "0,0", refused(ctx, o, LIMN_BAD_ARGUMENT, "the value 0 stands for two classes");
    o.values = "0,65536", refused(ctx, o, LIMN_BAD_ARGUMENT, "values of masks are 0 to 65535, found 65536");
    o.values = "0,", refused(ctx, o, LIMN_BAD_ARGUMENT, "expected values of masks like");
    o.values = "5", refused(ctx, o, LIMN_BAD_ARGUMENT, "two values of masks or more");
    o.values = "0,254", o.classes = 3, refused(ctx, o, LIMN_BAD_ARGUMENT, "the network tells 3 classes apart, the masks 2");
    o.classes = 0, o.folds = 3, o.fold = 3, refused(ctx, o, LIMN_BAD_ARGUMENT, "expected a fold from 0 to 2");
    o.folds = 0, o.hold_out = "b..c",
    refused(ctx, o, LIMN_BAD_ARGUMENT, "no picture to hold out is named \"b..c\"; there are 1, a to a");
    o.hold_out = "", refused(ctx, o, LIMN_BAD_ARGUMENT, "no picture to hold out is named \"\"");
    o.hold_out = "a,b", refused(ctx, o, LIMN_BAD_ARGUMENT, "no picture to hold out is named \"b\"");
    o.hold_out = "a", refused(ctx, o, LIMN_BAD_ARGUMENT, "a holds out all of 1 pictures");
    o = options(), o.values = "1,2;0", put(ctx, "masks/a.png", 8, 6, 1, 1, 0);
    refused(ctx, o, LIMN_BAD_FILE, "every pixel of the 1 mask to train on has a value that is ignored");
    put(ctx, "images/a.jpg", 8, 6, 1, 255, 1);
    refused(ctx, o, LIMN_BAD_FILE, "images/a.jpg and ");
    refused(ctx, o, LIMN_BAD_FILE, "are pictures for one mask, ");
    unlink(in("images/a.jpg"));
    put_text(ctx, "masks/a.png", "no picture");
    refused(ctx, o, LIMN_BAD_FILE, "masks/a.png");
    end(ctx);
}

static void put_made(limn_ctx *ctx, const char *name, made m)
{
    limn_writer w;
    assert_int_equal(limn_file_create(ctx, in(name), &w), LIMN_OK);
    limn_file_write(&w, m.bytes, m.n);
    assert_int_equal(limn_file_commit(&w), LIMN_OK);
    free(m.bytes);
}

/* Decoded as pictures are, 16-bit classes 0 1 2 would all be 0, 4-bit ones 0 17 34, and those of a palette colours. */
static void masks_keep_the_values_they_were_stored_with(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    put(ctx, "images/a.png", 2, 2, 1, 4, 60);
    static const uint8_t deep[] = {0, 1, 0, 2, 0, 0, 0, 1}, half[] = {0x12, 0x01}, quarter[] = {0x60, 0x10},
                         indices[] = {0, 1, 1, 255}, bits[] = {0x40, 0x80};
    static const uint8_t tall[] = {0, 0, 3, 232, 7, 208, 0, 0}, white[] = {0, 0, 255, 255, 255, 255, 0, 0};
    static png_color palette[256] = {{0, 0, 0}, {128, 0, 0}};
    static const uint8_t classes[][4] = {{1, 2, 0, 1}, {1, 2, 0, 1}, {1, 2, 0, 1}, {0, 1, 1, LIMN_IGNORED},
                                         {0, 1, 1, 0}, {0, 1, 1, 0}};
    const made masks[] = {
        make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY, .depth = 16}, 2, 2, deep, 4),
        make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY, .depth = 4}, 2, 2, half, 1),
        make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY, .depth = 2}, 2, 2, quarter, 1),
        make_png((png_kind){.type = PNG_COLOR_TYPE_PALETTE, .depth = 8, .palette = palette, .n_palette = 256}, 2, 2, indices,
                 2),                                                                  /* PASCAL VOC */
        make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY, .depth = 1}, 2, 2, bits, 1), /* black and white: 0 and 255 */
        make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY, .depth = 16}, 2, 2, white, 4),
    };
    for (int i = 0; i < 6; i++) {
        put_made(ctx, "masks/a.png", masks[i]);
        limn_masks *m = opened(ctx, options());
        assert_memory_equal(labels_of(ctx, m, 0), classes[i], 4);
        limn_masks_free(m);
    }
    put_made(ctx, "masks/a.png", make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY, .depth = 16}, 2, 2, tall, 4));
    refused(ctx, options(), LIMN_BAD_FILE, "have 3 different values up to 2000: say which are classes");
    limn_mask_options o = options();
    o.values = "0,2000,1000";
    limn_masks *m = opened(ctx, o);
    assert_memory_equal(labels_of(ctx, m, 0), ((uint8_t[]){0, 2, 1, 0}), 4);
    assert_string_equal(limn_masks_class(m, 1), "2000");
    limn_masks_free(m);
    end(ctx);
}

static void more_values_than_classes_can_be_are_things_not_classes(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    uint8_t rows[2 * 300];
    for (int i = 0; i < 300; i++) rows[2 * i] = (uint8_t)(i >> 8), rows[2 * i + 1] = (uint8_t)i;
    put(ctx, "images/a.png", 20, 15, 1, 4, 60);
    put_made(ctx, "masks/a.png", make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY, .depth = 16}, 20, 15, rows, 40));
    refused(ctx, options(), LIMN_BAD_FILE, "masks/a.png: its value 256 is the 257th that masks have");
    end(ctx);
}

/* Every line, of whatever level. */
static void note_anything(void *user, limn_log_level level, const char *text)
{
    size_t n = strlen(warning);
    (void)user, (void)level;
    snprintf(warning + n, sizeof warning - n, "%s\n", text);
}

static void told(const char *words)
{
    if (!strstr(warning, words)) fail_msg("expected \"%s\", found \"%s\"", words, warning);
}

static void a_value_of_255_behind_the_classes_is_ignored(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    static const uint8_t values[] = {0, 1, 2, 255}, gap[] = {0, 2, 3, 255};
    put(ctx, "images/a.png", 2, 2, 1, 4, 60);
    put_made(ctx, "masks/a.png", make_plain_png(2, 2, 1, values));
    limn_masks *m = opened(ctx, options());
    assert_int_equal(limn_masks_classes(m), 3);
    assert_memory_equal(labels_of(ctx, m, 0), values, 4);
    limn_masks_free(m);
    limn_ctx_set_log(ctx, note_anything, NULL);
    limn_masks_free(opened(ctx, options()));
    told("pixels of value 255 in 1 of 1 masks are ignored, 25 % of all, the first in /tmp/");
    told("pixels of the classes: 0 (0) 25 %, 1 (1) 25 %, 2 (2) 25 %, ignored 25 %\n");
    limn_ctx_set_log(ctx, note_warning, NULL);
    put_made(ctx, "masks/a.png", make_plain_png(2, 2, 1, gap));
    refused(ctx, options(), LIMN_BAD_FILE, "have 4 different values up to 255: say which are classes");
    limn_mask_options o = options();
    o.classes = 4; /* the network says how many: a class without a pixel is a warning */
    m = opened(ctx, o);
    assert_memory_equal(labels_of(ctx, m, 0), gap, 4);
    assert_non_null(strstr(warning, "class 1 (1) has no pixel in any of 1 masks"));
    limn_masks_free(m);
    end(ctx);
}

/* ---- conventions ------------------------------------------------------------------------------------------------------ */

/* Mask `name` and a picture for it, 4 x 4: the values, which are repeated. */
static void put_values(limn_ctx *ctx, const char *name, int n, const uint8_t *values)
{
    char path[64];
    uint8_t pixels[16];
    for (int i = 0; i < 16; i++) pixels[i] = values[i % n];
    snprintf(path, sizeof path, "images/%s.png", name), put(ctx, path, 4, 4, 1, 16, 9);
    snprintf(path, sizeof path, "masks/%s.png", name), put_made(ctx, path, make_plain_png(4, 4, 1, pixels));
}

static void masks_that_call_a_class_differently_are_told_or_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    limn_mask_options o = options();
    two_folders("images", "masks");
    put_values(ctx, "a", 2, (uint8_t[]){0, 255}), put_values(ctx, "b", 4, (uint8_t[]){0, 1, 0, 0}), put_values(ctx, "c", 2,
            (uint8_t[]){1, 0}), put_values(ctx, "d", 1, (uint8_t[]){0});
    o.classes = 2;
    limn_masks *m = opened(ctx, o);
    assert_int_equal(m->pixels[1], 8 + 4 + 8);
    assert_int_equal(labels_of(ctx, m, 0)[1], 1), assert_int_equal(labels_of(ctx, m, 2)[0], 1);
    told("class 1 is called differently in these 4 masks, and is taken as one: 1 in 2 (the first "), told("masks/b.png), "
            "255 in 1 (the first "), told("masks/a.png); if a value");
    limn_masks_free(m);
    o.classes = 3; /* 0 and 255 beside 0 1 2: nothing tells what 255 is */
    put_values(ctx, "c", 3, (uint8_t[]){0, 1, 2});
    refused(ctx, o, LIMN_BAD_FILE, "1 of 4 masks hold 0 and 255 only (the first ");
    refused(ctx, o, LIMN_BAD_FILE, "masks/a.png), 2 classes above 0 (the first ");
    put_values(ctx, "b", 4, (uint8_t[]){0, 1, 2, 255}); /* now it does */
    limn_ctx_set_log(ctx, note_anything, NULL), warning[0] = '\0';
    m = opened(ctx, o);
    assert_int_equal(labels_of(ctx, m, 0)[1], LIMN_IGNORED);
    told("pixels of value 255 in 2 of 4 masks are ignored, 19 % of all"), told("also in 1 masks that hold no class but 0 "
            "beside it, the first ");
    told("; 2 of 4 masks hold class 0 only");
    limn_masks_free(m);
    put_values(ctx, "c", 2, (uint8_t[]){0, 255});
    refused(ctx, o, LIMN_BAD_FILE, "2 of 4 masks hold 0 and 255 only");
    o.values = "0,1,2;255", warning[0] = '\0';
    limn_masks_free(opened(ctx, o));
    end(ctx);
}

static void soft_edges_are_refused_or_halved(void **state)
{
    (void)state;
    static const uint8_t soft[] = {0, 3, 127, 128, 252, 255, 255, 0}, hard[] = {0, 0, 0, 1, 1, 1, 1, 0};
    limn_ctx *ctx = begin();
    limn_mask_options o = options();
    two_folders("images", "masks");
    put_values(ctx, "a", 8, soft), put_values(ctx, "b", 2, (uint8_t[]){0, 255}), o.classes = 2;
    refused(ctx, o, LIMN_BAD_FILE, "masks/a.png: 2 of 16 pixels have the value 3, which is no class: expected 0, 1 (in all "
            "1 of 2 masks hold 4 such values, 3 to 252); if they are edges");
    put_made(ctx, "masks/b.jpg", make_jpeg(4, 4, 1, soft, false, NULL, 0)), unlink(in("masks/b.png"));
    refused(ctx, o, LIMN_BAD_FILE, "\"half\" for the values makes more than half of white class 1");
    put_values(ctx, "b", 2, (uint8_t[]){0, 255}), unlink(in("masks/b.jpg"));
    put_values(ctx, "c", 2, (uint8_t[]){0, 1});
    o.values = "half";
    limn_ctx_set_log(ctx, note_anything, NULL), warning[0] = '\0';
    for (o.memory = 0; o.memory < 2; o.memory++) { /* kept, and read anew */
        limn_masks *m = opened(ctx, o);
        assert_memory_equal(labels_of(ctx, m, 0), hard, 8);
        assert_int_equal(m->pixels[1], 16);
        limn_masks_free(m);
    }
    told("16 of 48 pixels in 2 of 3 masks lie between black and white (the first in "), told("in 1 of 3 masks nothing is "
            "more than half of white, and all becomes class 0, the first ");
    static const uint8_t deep[] = {0, 0, 0x7f, 0xff, 0x80, 0, 0xff, 0xff};
    put(ctx, "images/a.png", 2, 2, 1, 4, 60), put_made(ctx, "masks/a.png", make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY,
            .depth = 16}, 2, 2, deep, 4));
    limn_masks *m = opened(ctx, o);
    assert_memory_equal(labels_of(ctx, m, 0), ((uint8_t[]){0, 0, 1, 1}), 4);
    limn_masks_free(m);
    o.classes = 3, refused(ctx, o, LIMN_BAD_ARGUMENT, "the network tells 3 classes apart, the masks 2");
    end(ctx);
}

static void nothing_to_learn_and_classes_beyond_the_network_are_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    limn_mask_options o = options();
    two_folders("images", "masks");
    put_values(ctx, "a", 1, (uint8_t[]){0}), put_values(ctx, "b", 1, (uint8_t[]){0}), o.classes = 2;
    refused(ctx, o, LIMN_BAD_FILE, "every pixel of the 2 masks to train on is class 0 (0): there is nothing to learn");
    put_values(ctx, "a", 1, (uint8_t[]){255}), put_values(ctx, "b", 1, (uint8_t[]){255});
    refused(ctx, o, LIMN_BAD_FILE, "every pixel of the 2 masks to train on is class 1 (255)");
    put_values(ctx, "b", 4, (uint8_t[]){0, 1, 2, 3}), put_values(ctx, "a", 2, (uint8_t[]){0, 3}), o.classes = 3;
    refused(ctx, o, LIMN_BAD_FILE, "masks/a.png: 8 of 16 pixels have the value 3, which is no class: expected 0, 1, 2 (in "
            "all 2 of 2 masks hold 1 such values, 3 to 3); a network of 4 classes "
                                   "knows it: --set classes=4");
    put_values(ctx, "a", 3, (uint8_t[]){0, 127, 255});
    refused(ctx, o, LIMN_BAD_FILE, "the value 127, which is no class: expected 0, 1, 2");
    end(ctx);
}

static void masks_that_mean_the_opposite_of_the_others_are_told(void **state)
{
    (void)state;
    static const uint8_t few[] = {255, 0, 0, 0, 0, 0, 0, 0}, many[] = {0, 255, 255, 255, 255, 255, 255, 255}, half[] = {0,
            255};
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    put_values(ctx, "a", 8, few), put_values(ctx, "b", 8, few), put_values(ctx, "c", 8, many), put_values(ctx, "d", 8, few);
    limn_masks_free(opened(ctx, options()));
    told("class 1 is 12 % of 3 masks and 88 % of 1 (the first "), told("masks/c.png), nothing lies between: are those "
            "inverted?");
    put_values(ctx, "d", 2, half), warning[0] = '\0';
    limn_masks_free(opened(ctx, options()));
    assert_string_equal(warning, "");
    end(ctx);
}

static void alpha_of_a_mask_is_opaque_or_a_sentence(void **state)
{
    (void)state;
    static const uint8_t opaque[] = {0, 255, 255, 255, 255, 255, 0, 255}, layer[] = {0, 0, 255, 255, 255, 255, 0, 0};
    static const uint8_t rgba[] = {0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 255};
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    put(ctx, "images/a.png", 2, 2, 1, 4, 60);
    for (int i = 0; i < 2; i++) {
        put_made(ctx, "masks/a.png", make_plain_png(2, 2, i ? 4 : 2, i ? rgba : opaque));
        limn_masks *m = opened(ctx, options());
        assert_memory_equal(labels_of(ctx, m, 0), ((uint8_t[]){0, 1, 1, 0}), 4);
        limn_masks_free(m);
    }
    put_made(ctx, "masks/a.png", make_plain_png(2, 2, 2, layer));
    refused(ctx, options(), LIMN_BAD_FILE, "found transparency at column 0, row 0");
    end(ctx);
}

/* ---- two for one ------------------------------------------------------------------------------------------------------ */

static void two_masks_or_pictures_for_one_are_named(void **state)
{
    (void)state;
    static const char *const rows[] = {"masks/a.jpg", "masks/a.TIF", "masks/a.nii.gz", "masks/a.NII"};
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    put(ctx, "images/a.png", 8, 6, 1, 255, 1), put(ctx, "masks/a.png", 8, 6, 1, 2, 255);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put(ctx, rows[i], 8, 6, 1, 2, 255);
        refused(ctx, options(), LIMN_BAD_FILE, "are masks for one picture, ");
        refused(ctx, options(), LIMN_BAD_FILE, rows[i]), refused(ctx, options(), LIMN_BAD_FILE, "masks/a.png");
        unlink(in(rows[i]));
    }
    put(ctx, "masks/b.png", 8, 6, 1, 2, 255), put(ctx, "masks/b.tif", 8, 6, 1, 2, 255); /* two of no picture */
    limn_masks_free(opened(ctx, options()));
    told("2 of 3 masks have no picture");
    put(ctx, "images/a.nii", 8, 6, 1, 255, 1);
    refused(ctx, options(), LIMN_BAD_FILE, "are pictures for one mask, ");
    unlink(in("images/a.nii"));
    put(ctx, "images/1.png", 8, 6, 1, 255, 1), put(ctx, "images/01.png", 8, 6, 1, 255, 1), put(ctx, "images/01.jpg", 8, 6, 1,
            255, 1); /* alike as numbers */
    put(ctx, "masks/1.png", 8, 6, 1, 2, 255), put(ctx, "masks/01.png", 8, 6, 1, 2, 255);
    refused(ctx, options(), LIMN_BAD_FILE, "images/01.jpg and ");
    end(ctx);
}

/* "é" in one code point and in two: U+00E9, U+0065 U+0301. */
static void names_pair_composed_or_decomposed(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    limn_mask_options o = options();
    two_folders("images", "masks");
    put(ctx, "images/e\xcc\x81t.png", 8, 6, 1, 255, 1), put(ctx, "masks/\xc3\xa9t.png", 8, 6, 1, 2, 255);
    put(ctx, "images/x.PNG", 8, 6, 1, 255, 1), put(ctx, "masks/x.Tif", 8, 6, 1, 2, 255);
    limn_masks *m = opened(ctx, o);
    assert_int_equal(limn_masks_count(m), 2);
    assert_string_equal(limn_masks_name(m, 1), "\xc3\xa9t");
    assert_string_equal(warning, "");
    limn_masks_free(m);
    for (int i = 0; i < 2; i++) {
        o.hold_out = i ? "e\xcc\x81t" : "\xc3\xa9t";
        limn_masks *held = held_out(ctx, o, &m);
        assert_int_equal(limn_masks_count(held), 1);
        limn_masks_free(held), limn_masks_free(m);
    }
    o = options();
    put(ctx, "masks/e\xcc\x81t.png", 8, 6, 1, 2, 255);
    refused(ctx, o, LIMN_BAD_FILE, "are masks for one picture, ");
    unlink(in("masks/e\xcc\x81t.png"));
    put(ctx, "images/\xc3\xa9t.png", 8, 6, 1, 2, 255);
    refused(ctx, o, LIMN_BAD_FILE, "are pictures for one mask, ");
    end(ctx);
}

static void a_channel_that_no_case_reads_is_named(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    limn_mask_options o = options();
    o.channels = 2;
    two_folders("imagesTr", "labelsTr");
    put_text(ctx, "dataset.json", "{\"labels\": {\"background\": 0, \"cell\": 1}}");
    put(ctx, "imagesTr/c_0000.png", 6, 5, 1, 255, 1), put(ctx, "imagesTr/c_0001.png", 6, 5, 1, 7, 30), put(ctx,
            "labelsTr/c.png", 6, 5, 1, 2, 1);
    limn_masks_free(opened(ctx, o));
    static const char *const lost[] = {"imagesTr/c_0001.tif", "imagesTr/c_0003.png", "imagesTr/d_0001.png"};
    for (int i = 0; i < 3; i++) {
        put(ctx, lost[i], 6, 5, 1, 7, 30);
        refused(ctx, o, LIMN_BAD_FILE, lost[i]), refused(ctx, o, LIMN_BAD_FILE, ": no case reads this channel: expected ");
        unlink(in(lost[i]));
    }
    put(ctx, "labelsTr/c.tif", 6, 5, 1, 2, 1);
    refused(ctx, o, LIMN_BAD_FILE, "are masks for one picture, ");
    end(ctx);
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

enum { CROP = 12, BATCH = 5, CROPS = BATCH * CROP * CROP };

static limn_loader *loader(limn_ctx *ctx, limn_mask_crops *crops, uint64_t first, int threads)
{
    limn_loader *l;
    limn_samples_of samples = limn_masks_samples(crops);
    limn_loader_options o = {.seed = 3, .first = first, .batch = BATCH, .n_threads = threads};
    assert_int_equal(limn_loader_new(ctx, &samples, &o, &l), LIMN_OK);
    return l;
}

static void batch_of(limn_ctx *ctx, limn_mask_options o, int threads, float *images, uint8_t *targets)
{
    limn_masks *m = opened(ctx, o);
    limn_augment a = limn_augment_defaults();
    a.elastic = 2;
    assert_int_equal(m->kept, o.memory == 0);
    assert_int_equal(m->bytes, 4 * 2 * (20 * 16 + 17 * 13));
    limn_loader *l = loader(ctx, &(limn_mask_crops){m, &a, CROP, CROP}, 35, threads);
    if (limn_loader_next(l, (void *const[]){images, targets}) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    limn_loader_free(l);
    limn_raster picture;
    uint8_t *labels;
    assert_int_equal(limn_masks_load(ctx, m, 1, &picture, &labels), LIMN_OK);
    assert_int_equal(picture.height, 13), assert_int_equal(picture.width, 17);
    for (int i = 0; i < 13 * 17; i++)
        assert_true(labels[i] == i * 5 / 3 % 2 && picture.values[i] == (float)(i * 5 / 3 % 200) / 255);
    limn_raster_free(&picture), free(labels);
    limn_masks_free(m);
}

static void samples_are_the_same_kept_or_read_and_on_any_threads(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    char name[32];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "images/%d.png", i), put(ctx, name, i % 2 ? 17 : 20, i % 2 ? 13 : 16, 1, 200, 1);
        snprintf(name, sizeof name, "masks/%d.png", i), put(ctx, name, i % 2 ? 17 : 20, i % 2 ? 13 : 16, 1, 2, 255);
    }
    enum { RUNS = 6 };
    static float images[RUNS][CROPS];
    static uint8_t targets[RUNS][CROPS];
    limn_mask_options o = options();
    limn_ctx_set_threads(ctx, 1);
    for (int k = 0; k < RUNS; k++) { /* kept, read for every sample; when asked for, ahead */
        if (k == 1) limn_ctx_set_threads(ctx, 3);
        o.memory = k < RUNS / 2 ? 0 : 1000;
        batch_of(ctx, o, k % 3, images[k], targets[k]);
    }
    for (int k = 1; k < RUNS; k++)
        assert_memory_equal(images[0], images[k], sizeof images[0]),
            assert_memory_equal(targets[0], targets[k], sizeof targets[0]);
    limn_masks *m = opened(ctx, o);
    limn_augment none = limn_augment_none();
    for (int i = 0; i < 8; i++)
        snprintf(name, sizeof name, "masks/%d.png", i), put(ctx, name, i % 2 ? 17 : 20, i % 2 ? 13 : 16, 1, 2, 254);
    limn_mask_crops crops = {m, &none, CROP, CROP};
    for (int threads = 0; threads < 3; threads++) { /* and a caller that leaves while others are made */
        limn_loader *l = loader(ctx, &crops, 0, threads);
        for (int again = 0; again < 2; again++)
            assert_int_equal(limn_loader_next(l, (void *const[]){images[0], targets[0]}), LIMN_BAD_FILE);
        assert_non_null(strstr(limn_error_text(ctx), "the value 254 is no class; the file has changed"));
        limn_loader_free(l);
        limn_loader_free(loader(ctx, &crops, 7, threads));
    }
    limn_masks_free(m);
    end(ctx);
}

/* ---- parts ------------------------------------------------------------------------------------------------------------ */

static void folds_and_ranges_part_the_pictures(void **state)
{
    (void)state;
    limn_ctx *ctx = begin();
    two_folders("images", "masks");
    char name[32];
    for (int i = 0; i < 11; i++) {
        snprintf(name, sizeof name, "images/%d.png", i), put(ctx, name, 3, 3, 1, 9, 1);
        snprintf(name, sizeof name, "masks/%d.png", i), put(ctx, name, 3, 3, 1, 2, 1);
    }
    int seen[11] = {0};
    limn_masks *m, *held;
    for (int fold = 0; fold < 4; fold++) {
        limn_mask_options o = options();
        o.fold = fold, o.folds = 4;
        held = held_out(ctx, o, &m);
        assert_int_equal(limn_masks_count(held), fold < 3 ? 3 : 2);
        assert_int_equal(limn_masks_count(m), fold < 3 ? 8 : 9);
        for (int64_t i = 0; i < limn_masks_count(held); i++) seen[atoi(limn_masks_name(held, i))]++;
        for (int64_t i = 0; i < limn_masks_count(m); i++) seen[atoi(limn_masks_name(m, i))] += 100;
        limn_masks_free(held), limn_masks_free(m);
    }
    for (int i = 0; i < 11; i++) assert_int_equal(seen[i], 301);
    limn_mask_options o = options();
    o.hold_out = "2,8..10";
    held = held_out(ctx, o, &m);
    assert_int_equal(limn_masks_count(held), 4);
    assert_string_equal(limn_masks_name(held, 3), "10");
    limn_masks_free(held), limn_masks_free(m);
    end(ctx);
}

/* ---- augmentation ----------------------------------------------------------------------------------------------------- */

enum { SIDE = 64 };

static limn_pixels pixels(const limn_image *image)
{
    return (limn_pixels){image->width, image->height, image->channels, image->pixels, NULL};
}

static limn_image chequered(limn_ctx *ctx, int w, int h, uint8_t *mask)
{
    limn_image image;
    assert_int_equal(limn_image_new(ctx, "test", (uint32_t)w, (uint32_t)h, 1, &image), LIMN_OK);
    for (int i = 0; i < w * h; i++)
        mask[i] = (uint8_t)((i % w / 8 + i / w / 8) % 3), image.pixels[i] = (uint8_t)(mask[i] * 100 + i % 11);
    return image;
}

static void turns_flips_and_crops_move_pixels_exactly(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t mask[50 * 40], labels[32 * 32];
    float out[32 * 32];
    limn_image image = chequered(ctx, 50, 40, mask);
    limn_pixels from = pixels(&image);
    limn_augment a = limn_augment_none();
    a.flip_x = a.flip_y = a.turn = true;
    int kinds[8] = {0}, n = 0;
    for (uint64_t p = 0; p < 64; p++) {
        assert_int_equal(limn_augment_sample(ctx, &a, 1, p, &from, mask, 32, 32, out, labels), LIMN_OK);
        int found = -1;
        for (int kind = 0; kind < 8 && found < 0; kind++)
            for (int at = 0; at < 19 * 9 && found < 0; at++) {
                bool same = true;
                for (int i = 0; i < 32 * 32 && same; i++) {
                    int x = i % 32, y = i / 32, u = kind & 4 ? y : x, v = kind & 4 ? x : y;
                    int source = (at / 19 + (kind & 2 ? 31 - v : v)) * 50 + at % 19 + (kind & 1 ? 31 - u : u);
                    same = out[i] == (float)(image.pixels[source] / 255.0) && labels[i] == mask[source];
                }
                if (same) found = kind;
            }
        if (found < 0) fail_msg("sample %d is no crop of the picture", (int)p);
        n += !kinds[found]++;
    }
    assert_int_equal(n, 8); /* all ways to lay a square */
    limn_image_free(&image);
    limn_ctx_free(ctx);
}

static void samples_depend_on_seed_and_position_alone(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t mask[SIDE * SIDE], labels[3][SIDE * SIDE];
    float out[3][SIDE * SIDE];
    limn_image image = chequered(ctx, SIDE, SIDE, mask);
    limn_pixels from = pixels(&image);
    limn_augment a = limn_augment_defaults();
    assert_int_equal(limn_augment_check(ctx, &a), LIMN_OK);
    const uint64_t positions[3] = {7, 8, 7};
    for (int k = 0; k < 3; k++) limn_augment_sample(ctx, &a, 3, positions[k], &from, mask, SIDE, SIDE, out[k], labels[k]);
    assert_memory_equal(out[0], out[2], sizeof out[0]);
    assert_memory_equal(labels[0], labels[2], sizeof labels[0]);
    assert_true(memcmp(out[0], out[1], sizeof out[0]) != 0);
    for (int i = 0; i < SIDE * SIDE; i++) assert_true(out[0][i] >= 0 && out[0][i] <= 1 && labels[0][i] < 3);
    a.scale = NAN;
    assert_int_equal(limn_augment_check(ctx, &a), LIMN_BAD_ARGUMENT);
    limn_image_free(&image);
    limn_ctx_free(ctx);
}

/* The picture is its mask: wherever it is bent and turned, values away from edges stay those of their class. */
static void picture_and_mask_are_bent_together(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t mask[SIDE * SIDE], labels[SIDE * SIDE];
    float out[SIDE * SIDE];
    limn_image image = chequered(ctx, SIDE, SIDE, mask);
    limn_pixels from = pixels(&image);
    for (int i = 0; i < SIDE * SIDE; i++) image.pixels[i] = (uint8_t)(mask[i] * 100);
    limn_augment a = {.flip_x = true, .turn = true, .rotate = 40, .scale = 0.3, .elastic = 4, .elastic_grid = 24};
    int sharp = 0, moved = 0;
    for (uint64_t p = 0; p < 20; p++) {
        limn_augment_sample(ctx, &a, 2, p, &from, mask, SIDE, SIDE, out, labels);
        for (int i = 0; i < SIDE * SIDE; i++) {
            double value = (double)out[i] * 255 / 100;
            moved += labels[i] != mask[i];
            if (fabs(value - round(value)) < 1e-3) sharp += (int)round(value) == labels[i];
            else if (fabs(value - labels[i]) > 1 + 1e-3 && labels[i] == 1) fail_msg("pixel %d: class 1, value %g", i, value);
        }
    }
    assert_true(sharp > 20 * SIDE * SIDE / 2);
    assert_true(moved > 20 * SIDE * SIDE / 4);
    limn_image_free(&image);
    limn_ctx_free(ctx);
}

static void larger_samples_mirror_the_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t mask[4 * 3] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, labels[8 * 7];
    float out[8 * 7];
    static const int across[8] = {2, 1, 0, 1, 2, 3, 2, 1}, down[7] = {8, 4, 0, 4, 8, 4, 0};
    limn_pixels from = {.width = 4, .height = 3, .channels = 1, .bytes = mask};
    limn_augment a = limn_augment_none();
    limn_augment_sample(ctx, &a, 0, 0, &from, mask, 8, 7, out, labels);
    for (int i = 0; i < 8; i++) assert_int_equal(labels[2 * 8 + i], across[i]);
    for (int i = 0; i < 7; i++) assert_int_equal(labels[i * 8 + 2], down[i]);
    limn_ctx_free(ctx);
}

static void the_membranes_open(void **state)
{
    (void)state;
    const char *real = LIMN_SOURCE_DIR "/../shared/data/isbi-membrane/train";
    if (access(real, F_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_mask_options o = {.folder = real, .channels = 1, .hold_out = "24..29"};
    limn_masks *rest, *m = held_out(ctx, o, &rest);
    assert_int_equal(limn_masks_count(m), 6);
    assert_int_equal(limn_masks_classes(m), 2);
    assert_int_equal(m->pixels[0] + m->pixels[1], 6 * 512 * 512);
    limn_masks_free(m), limn_masks_free(rest);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_find_their_masks_by_name),
        cmocka_unit_test(values_are_classes_as_they_are_or_as_told),
        cmocka_unit_test(nnunet_folders_are_read),
        cmocka_unit_test(labels_of_nnunet_1_are_turned_round),
        cmocka_unit_test(lists_and_names_of_nnunet_1_are_read),
        cmocka_unit_test(every_mistake_is_a_sentence),
        cmocka_unit_test(masks_keep_the_values_they_were_stored_with),
        cmocka_unit_test(more_values_than_classes_can_be_are_things_not_classes),
        cmocka_unit_test(a_value_of_255_behind_the_classes_is_ignored),
        cmocka_unit_test(masks_that_call_a_class_differently_are_told_or_refused),
        cmocka_unit_test(soft_edges_are_refused_or_halved),
        cmocka_unit_test(nothing_to_learn_and_classes_beyond_the_network_are_refused),
        cmocka_unit_test(masks_that_mean_the_opposite_of_the_others_are_told),
        cmocka_unit_test(alpha_of_a_mask_is_opaque_or_a_sentence),
        cmocka_unit_test(two_masks_or_pictures_for_one_are_named),
        cmocka_unit_test(names_pair_composed_or_decomposed),
        cmocka_unit_test(a_channel_that_no_case_reads_is_named),
        cmocka_unit_test(samples_are_the_same_kept_or_read_and_on_any_threads),
        cmocka_unit_test(folds_and_ranges_part_the_pictures),
        cmocka_unit_test(turns_flips_and_crops_move_pixels_exactly),
        cmocka_unit_test(samples_depend_on_seed_and_position_alone),
        cmocka_unit_test(picture_and_mask_are_bent_together),
        cmocka_unit_test(larger_samples_mirror_the_picture),
        cmocka_unit_test(the_membranes_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
