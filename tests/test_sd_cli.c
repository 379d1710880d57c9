/* test_sd_cli.c: command lines of stable-diffusion.cpp's sd-cli: what is taken, what changes nothing, and what a sentence
 * refuses; docs/sd-cli.md has the same flags. */
#include "make_published.h"
#include "run_program.h"

#include <unistd.h>

#define LIMN "OMP_WAIT_POLICY=passive " LIMN_BINARY_DIR "/limn "
#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *const refused[] = {
    "--canny", "--convert-name", "--preview-noisy", "--high-noise-diffusion-model", "--control-net", "--tensor-type-rules",
    "--photo-maker", "--upscale-model", "--chroma-t5-mask-pad", "--force-sdxl-vae-conv-scale", "--circular", "--circularx",
    "--circulary", "--chroma-disable-dit-mask", "--chroma-enable-t5-mask", "--type", "--lora-apply-mode",
    "--vae-relative-tile-size", "--end-img", "--control-image", "--control-video", "--pm-id-images-dir",
    "--pm-id-embed-path", "--high-noise-steps", "--video-frames", "--fps", "--timestep-shift", "--upscale-repeats",
    "--upscale-tile-size", "--guidance",
    "--flow-shift", "--high-noise-cfg-scale", "--high-noise-img-cfg-scale", "--high-noise-guidance",
    "--high-noise-slg-scale", "--high-noise-skip-layer-start", "--high-noise-skip-layer-end", "--high-noise-eta",
    "--pm-style-strength", "--control-strength", "--moe-boundary", "--vace-strength", "--increase-ref-index",
    "--disable-auto-resize-ref-image", "--high-noise-sampling-method", "--sigmas",
    "--high-noise-skip-layers", "-r", "--ref-image", "--cache-mode", "--cache-option", "--scm-mask",
    "--scm-policy", "--image", "--metadata-format", "--metadata-raw", "--metadata-brief", "--metadata-all",
    "--hires-upscalers-dir", "--hires-width", "--hires-height", "--hires-upscale-tile-size", "--qwen-image-zero-cond-t"};
static const char *const no_matter[] = {"-v", "--verbose", "--color", "--offload-to-cpu", "--mmap", "--clip-on-cpu",
                                        "--vae-on-cpu", "--control-net-cpu", "--fa", "--diffusion-fa",
                                        "--diffusion-conv-direct", "--vae-conv-direct", "--max-vram=4"};

static char *run(const char *command, int *code) { return run_program(command, "sd-cli-said.txt", code); }

static void refuses(const char *arguments, const char *words)
{
    char command[600];
    int code;
    snprintf(command, sizeof command, LIMN "generate x %s", arguments);
    char *text = run(command, &code), *end = strchr(text, '\n');
    if (code != 2 << 8 || !strstr(text, words) || !end || end[1])
        fail_msg("%s: code %d, and \"%s\" does not say \"%s\"", command, code, text, words);
}

static void what_is_not_there_is_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        char line[100], words[100];
        snprintf(line, sizeof line, "%s 1", refused[i]);
        snprintf(words, sizeof words, "limn generate: there is no flag %s: ", refused[i]);
        refuses(line, words);
        snprintf(line, sizeof line, "%s=1", refused[i]);
        if (refused[i][1] == '-') refuses(line, words);
    }
    refuses("--type f16", "weights stay as their file has them; --precision says");
    refuses("-M upscale", "--mode is img_gen, found \"upscale\"; limn upscale enlarges");
    refuses("--mode convert", "limn convert IN OUT");
    refuses("--mode vid_gen", "videos");
    refuses("--mode x", "--mode is img_gen, found \"x\"\n");
    refuses("--sampler-rng cpu --rng cuda", "found \"cpu\" and \"cuda\"");
    refuses("--sampler-rng cpu", "found \"cpu\" and \"none\"");
    refuses("--mode metadata", "limn inspect shows");
    refuses("--hires-scale 2", "expect --hires too");
    refuses("--hires 2 --hires-scale 2", "expected one");
    refuses("--hires --hires-upscaler Lanczos", "--hires-upscaler is Latent, found \"Lanczos\"");
    refuses("--hires 9", "--hires expects a number from 1 to 8");
    refuses("--hires=x", "--hires expects a number from 1 to 8");
    refuses("--rng std_default", "--rng is one of");
    refuses("--output-begin-idx -1", "--output-begin-idx expects a whole number from 0");
    refuses("--cache-", "there is no flag --cache-; see"); /* no flag of theirs either */
    refuses("--typo", "there is no flag --typo");
}

static void what_changes_nothing_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(no_matter); i++) {
        char line[100];
        snprintf(line, sizeof line, "%s -m sd-cli-nowhere", no_matter[i]);
        refuses(line, "limn: sd-cli-nowhere: expected a model folder");
    }
    refuses("--mmap=1", "--mmap takes no value");
}

/* And so does the documentation. */
static void the_table_lists_them(void **state)
{
    (void)state;
    static char text[1 << 15];
    FILE *file = fopen(LIMN_SOURCE_DIR "/docs/sd-cli.md", "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    for (size_t i = 0; i < COUNT(refused) + COUNT(no_matter); i++) {
        const char *name = i < COUNT(refused) ? refused[i] : no_matter[i - COUNT(refused)];
        bool video = !strncmp(name, "--high-noise-", 13), value = strchr(name, '=') != NULL;
        if (!video && !value && !strstr(text, name)) fail_msg("docs/sd-cli.md lacks %s", name);
    }
}

static void a_command_line_of_theirs_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const sd_tensor *tensors[SD_MOST];
    size_t n = sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, tensors);
    sd_write(ctx, "sd-cli.safetensors", n, tensors, NULL);
    int code;
    unlink("sd-cli_03.png"), unlink("sd-cli_04.png"), unlink("sd-cli-preview.png");
    char *text = run(LIMN "generate -M img_gen -m sd-cli.safetensors -p lighthouse -n fog -W 32 -H 32 --steps 3 "
                     "--cfg-scale 5 --sampling-method euler_a --scheduler karras --rng cuda --sampler-rng cuda -s 1 -b 2 "
                     "-o sd-cli_%02d.png --output-begin-idx 3 --clip-skip -1 -t -1 --preview proj --preview-path "
                     "sd-cli-preview.png --preview-interval 1 -v --color --mmap --fa --clip-on-cpu --vae-on-cpu "
                     "--diffusion-fa", &code);
    if (code) fail_msg("%s", text);
    assert_true(!access("sd-cli_03.png", F_OK) && !access("sd-cli_04.png", F_OK) && !access("sd-cli-preview.png", F_OK));
    run(LIMN "generate -m sd-cli.safetensors -p x -W 32 -H 32 --steps 4 --hires --hires-denoising-strength 0.5 "
        "--hires-scale 1.5 --hires-upscaler Latent --hires-steps 0 -o sd-cli-a.png && "
        LIMN "generate x -m sd-cli.safetensors -W 32 -H 32 --steps 4 --hires 1.5 --hires-strength 0.5 -o sd-cli-b.png && "
        "cmp sd-cli-a.png sd-cli-b.png && "
        LIMN "generate --hires '2 cats' -m sd-cli.safetensors -W 16 -H 16 --steps 2 -o sd-cli-b.png", &code);
    assert_int_equal(code, 0);
    run(LIMN "generate x -m sd-cli.safetensors -W 32 -H 32 --steps 4 --sampling-method ddim_trailing -o sd-cli-a.png && "
        LIMN "generate x -m sd-cli.safetensors -W 32 -H 32 --steps 4 --sampling-method ddim --scheduler trailing "
        "-o sd-cli-b.png && cmp sd-cli-a.png sd-cli-b.png", &code);
    assert_int_equal(code, 0);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_a_sentence),
        cmocka_unit_test(what_changes_nothing_is_taken),
        cmocka_unit_test(the_table_lists_them),
        cmocka_unit_test(a_command_line_of_theirs_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
