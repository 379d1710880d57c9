/* test_model_hash.c: the SHA-256 of a model is in its pictures, as web UIs write it; sha256sum is the witness. */
#include "file/image.h"
#include "file/png_text.h"
#include "file/weight_file.h"
#include "make_published.h"
#include "run_program.h"

#include <ctype.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE "hash-cache/limn/model-hashes"
#define ALONE "env -u HOME XDG_CACHE_HOME=$PWD/hash-cache "
#define LIMN LIMN_BINARY_DIR "/limn "
#define DRAW LIMN "generate lighthouse -m hash-sd.safetensors -W 32 -H 32 --steps 2 --sampling-method euler -q "

/* What a command prints, both ways; it exits with 0. */
static char *run(const char *command)
{
    char line[1100];
    int status;
    snprintf(line, sizeof line, "(export OMP_WAIT_POLICY=passive; %s) >&2", command);
    char *text = run_program(line, "hash-said.txt", &status);
    if (status != 0) fail_msg("%s: %s", command, text);
    return text;
}

/* sha256sum's ten digits of what a command prints. */
static const char *digits_of(const char *command)
{
    static char digits[11];
    char line[600];
    snprintf(line, sizeof line, "%s | sha256sum", command);
    snprintf(digits, sizeof digits, "%s", run(line));
    return digits;
}

static void draws_with(const char *environment, const char *more, const char *digits)
{
    char command[900], expected[80];
    snprintf(command, sizeof command, "%s " DRAW "%s -o hash.png", environment, more);
    char *said = run(command);
    if (strcmp(said, "hash.png\n")) fail_msg("%s: %s", command, said);
    snprintf(expected, sizeof expected, "grep -aq 'Model hash: %s, Model: hash-sd, RNG' hash.png", digits);
    if (system(expected) != 0) fail_msg("%s: no %s", command, digits);
}

static void write_model(limn_ctx *ctx, const char *without)
{
    const sd_tensor *tensors[SD_MOST];
    size_t n = sd_take(sd_tensors, SD_TENSORS, NULL, without, 0, tensors);
    sd_write(ctx, "hash-sd.safetensors", n, tensors, NULL);
}

static int begin(void **state)
{
    limn_ctx *ctx = *state = limn_ctx_new();
    write_model(ctx, NULL);
    return system("rm -rf hash-cache hash-victim.txt");
}

static int end(void **state)
{
    limn_ctx_free(*state);
    return 0;
}

static void pictures_say_the_hash_of_their_model(void **state)
{
    (void)state;
    const char *digits = digits_of("cat hash-sd.safetensors");
    draws_with(ALONE, "", digits);
    draws_with(ALONE, "", digits); /* kept */
    assert_int_equal(system("test $(wc -l <" CACHE ") = 1"), 0);
    assert_int_equal(system("grep -qx \"$(sha256sum hash-sd.safetensors | cut -c 1-64) $(stat -c %s hash-sd.safetensors) "
                            "[0-9]* $PWD/hash-sd.safetensors\" " CACHE), 0);
    assert_int_equal(system("test $(stat -c %a hash-cache/limn) = 700"), 0);
    run(DRAW "--disable-image-metadata -o hash-bare.png");
    assert_int_not_equal(system("grep -aq 'Model hash' hash-bare.png"), 0);
    run(ALONE DRAW "-b 2 --grid -o hash-grid.png && grep -aq 'Model hash: ' hash-grid.png");
}

static void what_is_kept_is_taken_for_the_same_file_only(void **state)
{
    (void)state;
    char digits[11];
    snprintf(digits, sizeof digits, "%s", digits_of("cat hash-sd.safetensors"));
    draws_with(ALONE, "", digits);
    run("sed -i 's/^........../0123456789/' " CACHE);
    draws_with(ALONE, "", "0123456789"); /* it is what is taken */
    run("touch hash-sd.safetensors");
    draws_with(ALONE, "", digits);
    run("sed -i 's/^........../0123456789/' " CACHE " && cp hash-sd.safetensors hash-other.safetensors && "
        "touch -r hash-sd.safetensors hash-other.safetensors");
    run(ALONE LIMN "generate x -m hash-other.safetensors -W 32 -H 32 --steps 1 -q -o hash.png");
    char expected[80];
    snprintf(expected, sizeof expected, "grep -aq 'Model hash: %s, Model: hash-other' hash.png", digits);
    assert_int_equal(system(expected), 0);
    assert_int_equal(system("test $(wc -l <" CACHE ") = 2"), 0);
}

static void a_cache_that_is_damaged_hostile_or_nowhere_is_no_matter(void **state)
{
    (void)state;
    static const char *const damage[] = {
        "head -c 3000 /dev/urandom >" CACHE, "head -c 2000000 /dev/zero | tr '\\0' a >" CACHE, ": >" CACHE,
        "echo ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff >" CACHE,
        "for i in 1 2 3; do echo \"$(sha256sum hash-sd.safetensors | tr a-f A-F) 1 2 3 $PWD/hash-sd.safetensors\"; done "
        ">" CACHE,
        "printf 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff %s %s/hash-sd.safetensors\\n' "
        "$(stat -c %s hash-sd.safetensors) $PWD >" CACHE,
        "rm " CACHE " && mkdir " CACHE, "rmdir " CACHE " && mkfifo " CACHE,
        "rm " CACHE " && echo mine >hash-victim.txt && ln -s $PWD/hash-victim.txt " CACHE,
        "rm -r hash-cache && echo >hash-cache", "rm hash-cache"};
    char digits[11];
    run("mkdir -p hash-cache/limn");
    snprintf(digits, sizeof digits, "%s", digits_of("cat hash-sd.safetensors"));
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        run(damage[i]);
        draws_with(ALONE, "", digits);
    }
    assert_string_equal(run("cat hash-victim.txt"), "mine\n");
    run("rm -rf hash-cache");
    draws_with("env -u HOME -u XDG_CACHE_HOME", "", digits); /* no home: nothing is kept */
    draws_with("env -u HOME XDG_CACHE_HOME=hash-cache", "", digits);
    assert_int_not_equal(access("hash-cache", F_OK), 0);
    draws_with("env -u XDG_CACHE_HOME HOME=/proc", "", digits);
    run("mkdir -p hash-home");
    draws_with("env -u XDG_CACHE_HOME HOME=$PWD/hash-home", "", digits);
    assert_int_equal(system("grep -q hash-sd hash-home/.cache/limn/model-hashes && rm -r hash-home"), 0);
}

static void making_it_changes_no_picture(void **state)
{
    limn_ctx *ctx = *state;
    limn_image a, b;
    run("rm -rf hash-cache");
    run(ALONE DRAW "--steps 30 -o hash-a.png");
    run(ALONE DRAW "--steps 30 --disable-image-metadata -o hash-b.png");
    OK(limn_image_read(ctx, "hash-a.png", 0, &a));
    OK(limn_image_read(ctx, "hash-b.png", 0, &b));
    assert_memory_equal(a.pixels, b.pixels, (size_t)(32 * 32 * 3));
    limn_image_free(&a);
    limn_image_free(&b);
}

/* Two files and an index: their bytes one after the other. */
static void of_shards_all_bytes_count(void **state)
{
    limn_ctx *ctx = *state;
    enum { MOST = 200 };
    limn_weight_file *st;
    static limn_named_view view[2][MOST];
    size_t n[2] = {0};
    const char *settings[1][2] = {{"limn.settings", NULL}};
    run(LIMN "train dit --data shapes --set 'size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16' -b 2 --steps 1 "
             "--out hash-train >/dev/null 2>&1");
    OK(limn_weight_file_open(ctx, "hash-train/model.safetensors", &st));
    settings[0][1] = limn_weight_file_metadata(st, "limn.settings");
    FILE *index = fopen("hash-shards.index.json", "w");
    assert_non_null(index);
    fprintf(index, "{\"weight_map\": {");
    for (size_t i = 0; i < limn_weight_file_count(st); i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        limn_shape shape = {.rank = e->rank};
        assert_true(i < 2 * MOST);
        memcpy(shape.dim, e->dim, (size_t)e->rank * sizeof *shape.dim);
        void *values = malloc(limn_entry_count(e) * sizeof(float));
        OK(limn_weight_file_load(ctx, st, e, values, LIMN_F32));
        view[i % 2][n[i % 2]++] = (limn_named_view){e->name, {LIMN_F32, shape, values}};
        fprintf(index, "%s\"%s\": \"hash-shard-%zu.safetensors\"", i ? ", " : "", e->name, i % 2);
    }
    fprintf(index, "}}");
    fclose(index);
    OK(limn_safetensors_write(ctx, "hash-shard-0.safetensors", n[0], view[0], 1, settings));
    OK(limn_safetensors_write(ctx, "hash-shard-1.safetensors", n[1], view[1], 0, NULL));
    for (int k = 0; k < 2; k++) sd_free(n[k], view[k]);
    limn_weight_file_close(st);
    char command[400];
    snprintf(command, sizeof command, ALONE LIMN "generate -m hash-shards.index.json --steps 1 -q -o hash.png && grep -aq "
             "'Model hash: %s, ' hash.png", digits_of("cat hash-shard-0.safetensors hash-shard-1.safetensors"));
    run(command);
}

static void another_model_than_that_of_the_picture_is_a_warning(void **state)
{
    limn_ctx *ctx = *state;
    static const char again[] = ALONE LIMN "generate --again hash-first.png -m hash-sd.safetensors -q -o hash-second.png";
    char digits[11], expected[300];
    run(ALONE DRAW "-o hash-first.png");
    snprintf(digits, sizeof digits, "%s", digits_of("cat hash-sd.safetensors"));
    assert_string_equal(run(again), "hash-second.png\n");
    limn_image image; /* a hash in capitals, and one of before, of eight digits */
    OK(limn_image_read(ctx, "hash-first.png", 0, &image));
    char text[300];
    snprintf(text, sizeof text, "x\nSteps: 1, Sampler: Euler, Seed: 1, Size: 32x32, Model hash: %s, Model: hash-sd", digits);
    char *value = strstr(text, "hash: ") + 6;
    for (int i = 0; i < 10; i++) value[i] = (char)toupper((unsigned char)value[i]);
    OK(limn_png_write(ctx, "hash-first.png", &image, text));
    assert_string_equal(run(again), "hash-second.png\n");
    OK(limn_png_write(ctx, "hash-first.png", &image,
                      "x\nSteps: 1, Sampler: Euler, Seed: 1, Size: 32x32, Model hash: 7460a6fa"));
    assert_string_equal(run(again), "hash-second.png\n");
    limn_image_free(&image);
    run(ALONE DRAW "-o hash-first.png");
    FILE *file = fopen("hash-sd.safetensors", "r+b"); /* another last weight */
    assert_true(file && fseek(file, -1, SEEK_END) == 0 && fputc(0x3f, file) == 0x3f && fclose(file) == 0);
    char now[11];
    snprintf(now, sizeof now, "%s", digits_of("cat hash-sd.safetensors"));
    snprintf(expected, sizeof expected,
             "warning: hash-first.png was drawn by other weights: its model has the hash %s, this one %s\n"
             "hash-second.png\n", digits, now);
    assert_string_equal(run(again), expected);  /* it was not known before */
    assert_string_equal(run(again), expected);  /* and now it was */
}

static void programs_give_the_hash_themselves(void **state)
{
    limn_ctx *ctx = *state;
    limn_pipeline *p;
    OK(limn_pipeline_open(ctx, "hash-sd.safetensors", &p));
    static const struct { const char *hash, *words; } rows[] = {
        {NULL, "Size: 256x256, Model: hash-sd, RNG"}, {"", "Size: 256x256, Model: hash-sd, RNG"},
        {"abc, Model: x", "Size: 256x256, Model: hash-sd, RNG"},
        {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
         "Size: 256x256, Model hash: ba7816bf8f, Model: hash-sd, RNG"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_generate_options o = limn_generate_defaults();
        o.model_hash = rows[i].hash, o.width = o.height = 256;
        char *text = limn_generate_parameters(p, &o, 0);
        if (!text || !strstr(text, rows[i].words)) fail_msg("%s: no %s", text, rows[i].words);
        limn_free(text);
    }
    limn_pipeline_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_say_the_hash_of_their_model),
        cmocka_unit_test(what_is_kept_is_taken_for_the_same_file_only),
        cmocka_unit_test(a_cache_that_is_damaged_hostile_or_nowhere_is_no_matter),
        cmocka_unit_test(making_it_changes_no_picture),
        cmocka_unit_test(of_shards_all_bytes_count),
        cmocka_unit_test(another_model_than_that_of_the_picture_is_a_warning),
        cmocka_unit_test(programs_give_the_hash_themselves),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
