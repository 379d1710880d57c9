/* sd_cli.c: see sd_cli.h.  Flags as in the program of stable-diffusion-cpp-python 0.4.7. */
#include "sd_cli.h"

#include <string.h>

#define CONTROL "ControlNet is not there yet"
#define PHOTO_MAKER "PhotoMaker is not there"
#define VIDEO "videos, and networks for them, are not there"
#define TYPES "weights stay as their file has them; --precision says in what is computed"
#define CHROMA "Chroma is not there"
#define REFERENCE                                                                                                           \
    "networks that see any pictures (Kontext, Qwen Image Edit) are not there; -i gives one to start from or change"
#define METADATA "limn inspect shows what is in a picture"
#define STEPS "every step is computed; fewer --steps, or a model for few (LCM), are what there is"
#define ESRGAN "ESRGAN is not there; limn upscale draws a picture larger, in tiles: --scale, --tile"
#define SEAMLESS "pictures that repeat without a seam are not there"

/* In front of a name: of all that begin so. */
static const struct { const char *name, *instead; } table[] = {
    {"--canny", CONTROL},
    {"--control-image", CONTROL},
    {"--control-net", CONTROL},
    {"--control-strength", CONTROL},
    {"--control-video", CONTROL},
    {"--image", METADATA},
    {"--metadata-*", METADATA},
    {"--convert-name", "files are read under any of the published names; limn convert --dialect original writes them so"},
    {"--preview-noisy", "previews show what the picture will be; the noise in it is not shown"},
    {"--high-noise-*", VIDEO},
    {"--video-frames", VIDEO},
    {"--fps", VIDEO},
    {"--end-img", VIDEO},
    {"--moe-boundary", VIDEO},
    {"--vace-strength", VIDEO},
    {"--type", TYPES},
    {"--tensor-type-rules", TYPES},
    {"--photo-maker", PHOTO_MAKER},
    {"--pm-*", PHOTO_MAKER},
    {"--upscale-model", ESRGAN},
    {"--hires-upscalers-dir", ESRGAN},
    {"--hires-upscale-tile-size", ESRGAN},
    {"--hires-width", "--hires says how many times the sides become"},
    {"--hires-height", "--hires says how many times the sides become"},
    {"--upscale-repeats", ESRGAN},
    {"--upscale-tile-size", ESRGAN},
    {"--chroma-*", CHROMA},
    {"--qwen-image-zero-cond-t", "Qwen Image is not there"},
    {"--force-sdxl-vae-conv-scale", "XL's autoencoder is computed in f32 or bf16, where it does not overflow"},
    {"--vae-relative-tile-size", "--vae-tile-size says it in latents"},
    {"--circular", SEAMLESS},
    {"--circularx", SEAMLESS},
    {"--circulary", SEAMLESS},
    {"--flow-shift", "the shift of a network its scheduler_config.json or its metadata (limn.shift) says"},
    {"--lora-apply-mode", "LoRA changes weights once, while they are read"},
    {"--timestep-shift", "NitroFusion is not there"},
    {"--guidance", "networks that are told the guidance (LCM) are told --cfg-scale"},
    {"--increase-ref-index", REFERENCE},
    {"--disable-auto-resize-ref-image", REFERENCE},
    {"--ref-image", REFERENCE},
    {"-r", REFERENCE},
    {"--sigmas", "levels of noise of one's own are not taken; --scheduler names those that there are"},
    {"--cache-*", STEPS},
    {"--scm-*", STEPS},
};

void sd_cli_no_matter(sd_cli_words *w, cli_flag out[SD_CLI_NO_MATTER])
{
    enum { N_SWITCHES = SD_CLI_NO_MATTER - 1 };
    static const char *const names[N_SWITCHES] = {
        "--verbose", "--color", "--offload-to-cpu", "--mmap", "--clip-on-cpu", "--vae-on-cpu", "--control-net-cpu", "--fa",
        "--diffusion-fa", "--diffusion-conv-direct", "--vae-conv-direct"};
    for (int i = 0; i < N_SWITCHES; i++) out[i] = (cli_flag){i ? NULL : "-v", names[i], NULL, &w->nothing};
    out[N_SWITCHES] = (cli_flag){NULL, "--max-vram", &w->no_matter, NULL};
}

const char *sd_cli_instead(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t k = strlen(table[i].name);
        bool begins = table[i].name[k - 1] == '*';
        if (begins ? n >= k && memcmp(name, table[i].name, k - 1) == 0 : n == k && memcmp(name, table[i].name, n) == 0)
            return table[i].instead;
    }
    return NULL;
}

static bool check_mode(const char *mode)
{
    static const struct { const char *mode, *instead; } others[] = {
        {"upscale", "limn upscale enlarges"}, {"convert", "limn convert IN OUT --type q8_0"},
        {"metadata", METADATA}, {"vid_gen", VIDEO}};
    if (!mode || !strcmp(mode, "img_gen") || !strcmp(mode, "txt2img") || !strcmp(mode, "img2img")) return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(mode, others[i].mode))
            return fprintf(stderr, "limn: --mode is img_gen, found \"%s\"; %s\n", mode, others[i].instead), false;
    return fprintf(stderr, "limn: --mode is img_gen, found \"%.100s\"\n", mode), false;
}

static bool check_rng(const char *rng, const char *sampler_rng)
{
    if (!sampler_rng || (rng && !strcmp(rng, sampler_rng))) return true;
    fprintf(stderr, "limn: --sampler-rng: what samplers add comes from the generator of --rng: give that, found \"%.100s\" "
            "and \"%.100s\"\n", sampler_rng, rng ? rng : "none");
    return false;
}

static bool take_hires(const sd_cli_words *w, const char **hires)
{
    if (w->hires_upscaler && strcmp(w->hires_upscaler, "Latent"))
        return fprintf(stderr, "limn: --hires-upscaler is Latent, found \"%.100s\": latents are enlarged, linearly\n",
                       w->hires_upscaler), false;
    if ((w->hires_scale || w->hires_upscaler) && !w->hires)
        return cli_lacks("--hires-scale and --hires-upscaler expect --hires too");
    if (w->hires_scale && *hires)
        return cli_lacks("--hires with a number and --hires-scale both say how much larger: expected one");
    if (w->hires && !*hires) *hires = w->hires_scale ? w->hires_scale : "2";
    return true;
}

bool sd_cli_take(const sd_cli_words *w, const char *rng, const char **hires)
{
    return check_mode(w->mode) && check_rng(rng, w->sampler_rng) && take_hires(w, hires);
}
