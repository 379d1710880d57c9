/* generate.c: limn generate "words" -o picture.png */
#include "cli.h"
#include "generate_output.h"
#include "generate_preview.h"
#include "generate_layers.h"
#include "generate_sizes.h"
#include "generate_verb.h"
#include "pipeline/again.h"
#include "sd_cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char help[] =
    "limn generate PROMPT [flags]\n"
    "\n"
    "examples:\n"
    "  limn generate \"man farmer, dark skin tone\" -o farmer.png\n"
    "  limn generate \"astronaut, medium skin tone\" -b 16 --grid -s 7 --show\n"
    "  limn generate \"woman mechanic, medium skin tone\" -i farmer.png --strength 0.7 -o mechanic.png\n"
    "  limn generate \"man farmer, light skin tone\" -i farmer.png --mask docs/pictures/mask.png -o face.png\n"
    "  limn generate \"make it winter\" -m instruct-pix2pix -i photo.jpg -o winter.png\n"
    "  limn generate -m models/digits --class 3 --cfg-scale 2 -o three.png\n"
    "\n"
    "what:\n"
    "  -p, --prompt TEXT           the prompt, if not given as a word\n"
    "  -n, --negative-prompt TEXT  what the picture should not be; \"-n 16\", a whole number, is \"-b 16\"\n"
    "      --class K               a label, for networks that were trained on labels: its name in training, else its "
    "number; @K: the number.\n"
    "                              Of published ones (DiT): a name in model_index.json of the folder, or a line of\n"
    "                              imagenet_classes.txt or classes.txt beside the file\n"
    "  -m, --model FOLDER          model.safetensors (and merges.txt.gz), as limn train writes them (models/emoji);\n"
    "                              a folder of diffusers (Stable Diffusion, PixArt, DiT); or a weight file alone, also a\n"
    "                              whole checkpoint: .safetensors, or .pt, .pth, .ckpt of torch.save()\n"
    "      --diffusion-model FILE  what draws, in place of -m or of that in it: a U-Net alone, or a file with one\n"
    "      --clip_l FILE           the text encoder, in place of the model's.  Of a U-Net in a file alone (Stable\n"
    "                              Diffusion 1, 2) what no flag names is looked for in its folder and in ../text_encoders,\n"
    "                              ../clip, ../text_encoder, ../vae: the one file that fits is taken, and said\n"
    "      --clip_g FILE           the second text encoder of Stable Diffusion XL, OpenCLIP's; else looked for in the same\n"
    "                              way, in ../text_encoder_2 too\n"
    "      --t5xxl FILE            the third one of Stable Diffusion 3, T5 (its spiece.model beside it, or as published); "
    "all three\n"
    "                              are looked for in the same way, and it draws with those that there are\n"
    "      --weights ema|raw|NAME  of a checkpoint with several sets of weights: which (EMA where it has them); NAME is "
    "what\n"
    "                              their tensors begin with\n"
    "      --vae VAE               the autoencoder, for networks that make latents; default: vae in the model's folder, "
    "else the one\n"
    "                              limn train --latents noted, where it lies beside the model\n"
    "      --taesd VAE             a tiny autoencoder in its place, or with --taesd-preview-only for --preview only\n"
    "      --lora FILE[:WEIGHT]    a small file that changes the model (LoRA, LoCon, LoHa, LoKr, DoRA; of kohya, "
    "diffusers,\n"
    "                              PEFT, LyCORIS), so much (1); may be given several times\n"
    "      --lora-model-dir DIR    where the files are that <lora:NAME:WEIGHT> in the prompt names\n"
    "      --embd-dir DIR          embeddings (textual inversion: .safetensors, .pt, .bin): in a prompt the name of a file "
    "in it,\n"
    "                              without its ending, stands for its vectors (style comfy: embedding:NAME)\n"
    "  -b, --batch-count N         pictures (1); number i, from 0, is the one that seed + i makes alone\n"
    "  -s, --seed N                (42); negative: another one each time\n"
    "      --rng NAME              where noise comes from: limn; cpu: PyTorch's generator on the CPU, as diffusers\n"
    "                              and, for the first noise, ComfyUI draw; cuda: that of NVIDIA's GPUs, as A1111\n"
    "                              (the model's own: limn for those of limn train).  What samplers add comes from the\n"
    "                              same generator, also for dpm++sde, where others draw from a Brownian tree\n"
    "  -W, --width N  -H, --height N  sides of the pictures, as far as the network can have them (its own); it draws best\n"
    "                              near those it was trained with\n"
    "      --again PNG             what the text in this picture says (of Limn, A1111, stable-diffusion.cpp), wherever no\n"
    "                              flag says otherwise: prompts, sampler, seed, sides ...; the model is -m's, by that name\n"
    "from a picture:\n"
    "  -i, --init-img FILE         start from this picture, brought to the size of what is made\n"
    "      --strength X            0 to 1 (0.75): how much of the way from noise is gone once more: --steps times X of the\n"
    "                              steps, rounded down (Stable Diffusion 3: up); 1 keeps nothing of it, and where no\n"
    "                              step is left the picture comes back\n"
    "      --mask FILE             of the same size: white is made anew, what is black or transparent is kept (half counts "
    "as\n"
    "                              white; by a model of latents that Limn trained gray is a mixture of both); then\n"
    "                              --strength is 1 unless given\n"
    "                              Models for inpainting are shown both, and without a mask make all of it anew\n"
    "                              Models that change a picture as the prompt says (InstructPix2Pix) need one (-i), see it\n"
    "                              at every step and start from noise: no --strength, no --mask; its sides are those of\n"
    "                              the picture, down to multiples of 8, and with -W or -H alone in proportion\n"
    "      --resample N            with --mask: each step N times (5; published text to picture: 1), so that what is\n"
    "                              made fits to what is kept\n"
    "words, for models with a text encoder of their own:\n"
    "      --prompt-style NAME     a1111: (word) (word:1.3) [word], BREAK, chunks of 75 tokens; comfy: (word) (word:1.3);\n"
    "                              plain: brackets are text, and what is too long is cut (a1111 for published weights)\n"
    "      --clip-skip N           2: without the last layer of the text encoder, 3: without two (1; XL: 2)\n"
    "the picture as Stable Diffusion XL is told of it:\n"
    "      --original-size WxH     as if it had been so large before it was enlarged or cut (its own sides)\n"
    "      --crop-at LEFT,TOP      as if it had been cut there (0,0: things in the middle)\n"
    "      --target-size WxH       as if it were so large (its own sides)\n"
    "      --aesthetic-score X, --negative-aesthetic-score X\n"
    "                              of refiners in place of --target-size: beauty, 1 to 10 (6 and 2.5)\n"
    "larger:\n"
    "      --hires F               (2) a second pass at F times the sides, up to 8: latents are enlarged (linearly) and go\n"
    "                              once more the part of the way from noise that --hires-strength says\n"
    "      --hires-strength X      0 to 1 (0.6)\n"
    "      --hires-steps N         of which it is a part (--steps)\n"
    "how:\n"
    "      --steps N               (20; 4 for LCM)\n"
    "      --cfg-scale X           guidance (3; 7.5 for published weights that read text, 5 of XL, 4 of DiT, 8.5 for LCM,\n"
    "                              which is told it); 1 is none and half the work; of all these but the first 0, too\n"
    "      --image-cfg-scale X     models that change a picture: how closely to keep to it, 1 and more (1.5); also\n"
    "                              --img-cfg-scale.  As in diffusers it takes a --cfg-scale above 1 and an X of at least 1\n"
    "                              to guide at all; a step is then three calls (1: two), with the prompt and the picture,\n"
    "                              without the prompt, without both\n"
    "      --guidance-rescale X    0 to 1 (0): tames the contrast of strong guidance\n"
    "      --slg-scale X           (0) Stable Diffusion 3.5 medium: also away from what it draws without --skip-layers "
    "(7,8,9),\n"
    "                              in the steps from --skip-layer-start (0.01) to --skip-layer-end (0.2); it was made "
    "for 2.5\n"
    "      --sampling-method NAME  euler heun dpm2 dpm++2m dpm++2m_sde unipc deis lms lcm; not for rectified\n"
    "                              flow: euler_a dpm2_a dpm++2s_a dpm++sde plms pndm tcd ddim ddpm; other\n"
    "                              spellings are known: \"DPM++ 2M Karras\", dpmpp_2m, k_euler_a\n"
    "                              (what the folder's scheduler_config.json says, else euler for rectified flow and\n"
    "                              dpm++2m; limn inspect tells what a model is)\n"
    "      --scheduler NAME        discrete karras exponential sgm_uniform simple beta normal ays ays_sdxl\n"
    "                              leading linspace trailing (discrete); rectified flow: not karras,\n"
    "                              exponential, ays, leading\n"
    "      --karras                the same as --scheduler karras\n"
    "      --prediction NAME       eps v x0: what the network predicts (what its files say, else eps; of Stable\n"
    "                              Diffusion 2 in one file that says nothing what the network itself shows)\n"
    "      --eta X                 noise that ddim and tcd add, 0 to 1 (0)\n"
    "      --precision NAME        auto f32 bf16 exact (auto); exact: f32, every convolution a direct sum\n"
    "      --vae-tiling            the autoencoder in tiles, which takes less memory: each is coded alone, and where they\n"
    "                              overlap they fade into each other\n"
    "      --vae-tile-size WxH     of a tile, or one number, in pixels of the latent (64; of Stable Diffusion 512 x 512\n"
    "                              pixels): the larger, the nearer to what the whole becomes\n"
    "      --vae-tile-overlap X    0 to 0.5 (0.5): the part of its sides that a tile shares with the next one at least\n"
    "      --max-memory SIZE       1500M, 2G (what the machine has): weights and all.  Where encoding or decoding the\n"
    "                              whole does not fit it goes in strips, slower, and comes out the same to 1 of 255\n"
    "  -t, --threads N             0: one for each core that it may use (0)\n"
    "output:\n"
    "  -o, --output FILE           PNG (output.png); %d or %03d is the number of the picture, else several get -0, -1 ...;\n"
    "                              - is stdout\n"
    "      --output-begin-idx N    number of the first of several pictures (0)\n"
    "      --grid                  all pictures in one file\n"
    "      --show                  draw them in the terminal, too; and what they will be, while they are made, where that\n"
    "                              needs no large decoder\n"
    "      --preview FILE          PNG of what the picture will be, written anew while it is drawn (of several the first):\n"
    "                              by a tiny autoencoder where there is one, else for Stable Diffusion by a projection\n"
    "                              of its latents, else by the decoder; or --preview proj|tae|vae, by which of these,\n"
    "                              into --preview-path FILE (preview.png)\n"
    "      --preview-interval N    after every N steps (1)\n"
    "      --disable-image-metadata  leave prompt and settings out of the PNG, and the model's hash (SHA-256), which\n"
    "                              is made once and kept in $XDG_CACHE_HOME/limn or ~/.cache/limn\n"
    "  -q, --quiet                 no progress: warnings only\n"
    "\n"
    "Flags of stable-diffusion.cpp's sd-cli go by its names.  These change nothing here, where all runs on the CPU: -v\n"
    "--verbose --color --offload-to-cpu --mmap --clip-on-cpu --vae-on-cpu --control-net-cpu --fa --diffusion-fa\n"
    "--diffusion-conv-direct --vae-conv-direct --max-vram; -M, --mode is img_gen, --sampler-rng what --rng is,\n"
    "--hires-scale F the number of --hires, --hires-denoising-strength is --hires-strength.\n"
    "File names go to stdout, everything else to stderr.  A prompt that begins with a dash goes behind --.\n"
    "Exit code 2: a wrong flag, file or size.\n";

/* The model without -m. */
static const char *own_model(const generate_verb *verb)
{
    return verb->enlarges ? "models/upscale" : "models/emoji";
}

/* Text encoders that no network here reads, by the flags of sd-cli. */
enum { MOST_OTHERS = 4 };
static const char *const others[MOST_OTHERS] = {"--llm", "--qwen2vl", "--clip_vision", "--llm_vision"};

/* Flags as they were typed. */
typedef struct generate_words {
    const char *prompt, *minus_n, *negative, *model, *output, *count, *width, *height, *steps, *guidance, *image_guidance;
    const char *rescale, *seed, *precision, *threads;
    const char *sampler, *scheduler, *eta, *label, *init, *strength, *mask, *resample, *noise, *left, *seeds, *small;
    const char *prediction;
    const char *embeddings;
    const char *lora, *lora_folder; /* lora: the last one; all of them are in loras */
    limn_lora_file loras[CLI_MOST_LORAS];
    int n_loras;
    const char *vae, *weights, *rng, *style, *skip, *again;
    const char *diffusion_model, *clip_l, *clip_g, *t5xxl, *others[MOST_OTHERS];
    generate_size_words sizes;
    generate_layer_words layers;
    const char *hires, *hires_strength, *hires_steps, *memory, *begin;
    size_t bytes;
    sd_cli_words theirs;
    generate_preview_words preview;
    cli_tiling_words tiling;
    upscale_words upscale;
    bool grid, help, quiet, karras, show, bare;
    int first; /* number of the first picture */
} generate_words;

typedef struct generate_numbers {
    long count, width, height, steps, threads, resample, skip, hires_steps, begin;
} generate_numbers;

static bool wrong(const char *sentence, const char *found)
{
    fprintf(stderr, "limn: %s, found \"%.100s\"\n", sentence, found);
    return false;
}

static uint64_t seed_of_the_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000000007 + (uint64_t)now.tv_nsec) & 0xffffffff;
}

/* Below 0: one of the clock. */
static bool read_seed(const char *text, uint64_t *out)
{
    if (!text) return true;
    errno = 0;
    unsigned long long seed = strtoull(text + (*text == '-'), NULL, 10);
    if (!limn_is_whole(text + (*text == '-')) || (errno && *text != '-'))
        return wrong("--seed expects a whole number, 18446744073709551615 at most", text);
    *out = *text == '-' && seed > 0 ? seed_of_the_clock() : seed;
    return true;
}

static bool read_rng(const char *text, limn_rng *out)
{
    int i = *out;
    bool known = cli_choice("--rng", "auto, limn, cpu, cuda", text, &i);
    *out = (limn_rng)i;
    return known;
}

/* "1,2": seed and to_seed */
static bool read_seeds(const char *text, limn_generate_options *o)
{
    char *comma, *end;
    errno = 0;
    unsigned long long a = strtoull(text, &comma, 10), b = *comma == ',' ? strtoull(comma + 1, &end, 10) : 0;
    if (!isdigit((unsigned char)text[0]) || *comma != ',' || !isdigit((unsigned char)comma[1]) || *end || errno)
        return wrong("--seeds expects two whole numbers, as in --seeds 1,2", text);
    o->between = true, o->seed = a, o->to_seed = b;
    return true;
}

/* What starts from a picture or from two seeds. */
static bool read_start(const generate_verb *verb, generate_words *w, generate_numbers *n, limn_generate_options *o)
{
    if (verb->enlarges && !w->small) return cli_lacks("expected a picture, as in: limn upscale small.png -o large.png");
    if (verb->reads_picture && !verb->enlarges && !w->init)
        return cli_lacks("expected a picture, as in: limn denoise noisy.png --noise 40 -o clean.png");
    if (verb->denoises && !w->noise)
        return cli_lacks("expected --noise, the standard deviation of the noise in the picture, of 255");
    if (verb->between && !w->seeds) return cli_lacks("expected --seeds, as in --seeds 1,2");
    if (!w->init && w->mask) return cli_lacks("--mask expects --init-img too, the picture of which a part is kept");
    if (!w->init && !verb->enlarges && w->strength)
        return cli_lacks("--strength expects --init-img too, the picture to start from");
    if (verb->denoises && w->strength)
        return cli_lacks("--strength is for limn generate: limn denoise sets out from --noise");
    if (verb->denoises && w->rng)
        return cli_lacks("--rng is for pictures that start from noise: limn denoise finds its noise in the picture");
    if (verb->between && w->seed) return cli_lacks("--seed is for one seed: --seeds gives both");
    if (verb->between && w->grid) return cli_lacks("--grid is for limn generate: limn interpolate makes one strip");
    if (!w->mask && w->resample) return cli_lacks("--resample expects --mask too");
    if (!w->hires && (w->hires_strength || w->hires_steps))
        return cli_lacks("--hires-strength and --hires-steps expect --hires too");
    if (w->mask) o->strength = 1;
    if (verb->enlarges) o->strength = 0.3;
    if (!cli_real("--strength", w->strength, 0, 1, &o->strength) ||
        !cli_integer("--resample", w->resample, 1, 100, &n->resample) ||
        !cli_real("--noise", w->noise, 0.001, 10000, &o->noise) ||
        !cli_real("--noise-left", w->left, 0, 10000, &o->noise_left))
        return false;
    o->resample = (int)n->resample;
    return !w->seeds || read_seeds(w->seeds, o);
}

/* What no flag says is as the text in a picture says.  A negative prompt without guidance changes nothing there. */
static limn_status take_again(limn_ctx *ctx, generate_words *w, limn_again *a)
{
    limn_status status = limn_again_read(ctx, w->again, a);
    if (status != LIMN_OK) return status;
    const struct { const char **word, *said; } rows[] = {
        {&w->prompt, a->prompt}, {&w->steps, a->steps}, {&w->sampler, a->sampler}, {&w->guidance, a->guidance},
        {&w->image_guidance, a->image_guidance}, {&w->rescale, a->rescale}, {&w->eta, a->eta}, {&w->skip, a->skip},
        {&w->style, a->style}, {&w->seed, a->seed},
        {&w->width, a->width}, {&w->height, a->height}, {&w->rng, a->rng}, {&w->label, a->label},
        {&w->precision, a->precision}, {&w->prediction, a->prediction}, {&w->hires, a->hires},
        {&w->hires_steps, a->hires_steps}, {&w->sizes.original, a->original_size}, {&w->sizes.crop, a->crop},
        {&w->layers.scale, a->slg_scale}, {&w->layers.layers, a->skip_layers},
        {&w->layers.start, a->skip_layer_start}, {&w->layers.end, a->skip_layer_end},
        {&w->sizes.target, a->target_size}, {&w->sizes.score, a->score}, {&w->sizes.negative_score, a->negative_score},
        {&w->hires_strength, a->hires_strength}, {&w->strength, w->init ? a->strength : NULL}};
    if (w->sampler || w->scheduler || w->karras) a->own_sampler = NULL;
    if (w->prompt || w->negative) a->embeddings = NULL; /* other texts may name others */
    if (!w->karras && !w->scheduler) w->scheduler = a->scheduler;
    w->sizes.from_picture = a->original_size || a->crop || a->target_size || a->score || a->negative_score;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!*rows[i].word) *rows[i].word = rows[i].said;
    bool negates = w->negative || (w->minus_n && !limn_is_whole(w->minus_n));
    if (!negates && !(w->guidance && limn_number_parse(w->guidance, NULL) == 1)) w->negative = a->negative;
    if (!w->init && (a->strength || a->image_guidance))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s began with another picture (%s: %s), which is not in it: give that one "
                         "(-i)", a->file, a->strength ? "Denoising strength" : "Image CFG scale",
                         a->strength ? a->strength : a->image_guidance);
    return LIMN_OK;
}

/* -1 is how sd-cli says that nothing is said. */
static const char *said(const char *text)
{
    return text && strcmp(text, "-1") ? text : NULL;
}

/* Words of sd-cli that have others here. */
static void translate(generate_words *w)
{
    w->threads = said(w->threads), w->skip = said(w->skip);
    if (!w->sampler || strcmp(w->sampler, "ddim_trailing")) return;
    w->sampler = "ddim";
    if (!w->scheduler) w->scheduler = "trailing";
}

static bool check_others(const generate_words *w)
{
    for (int i = 0; i < MOST_OTHERS; i++)
        if (w->others[i]) {
            fprintf(stderr, "limn: %s names an encoder that no network here reads: leave it out (Stable Diffusion reads "
                    "that of --clip_l, XL also that of --clip_g, 3 also that of --t5xxl)\n", others[i]);
            return false;
        }
    return true;
}

/* Everything that can be said without the model. */
static bool read_options(generate_words *w, generate_numbers *n, limn_generate_options *o)
{
    translate(w);
    if (!check_others(w) || !sd_cli_take(&w->theirs, w->rng, &w->hires)) return false;
    if (w->minus_n && limn_is_whole(w->minus_n)) {
        if (w->count) return wrong("-n with a whole number and -b both say how many pictures", w->minus_n);
        w->count = w->minus_n;
    } else if (w->minus_n) w->negative = w->minus_n;
    if (w->karras && w->scheduler && strcmp(w->scheduler, "karras"))
        return wrong("--karras and --scheduler say different things", w->scheduler);
    if (w->karras) w->scheduler = "karras";
    if (!cli_integer("--batch-count", w->count, 1, 65536, &n->count) ||
        !cli_integer("--width", w->width, 1, LIMN_MAX_SIDE, &n->width) ||
        !cli_integer("--height", w->height, 1, LIMN_MAX_SIDE, &n->height) ||
        !cli_integer("--steps", w->steps, 1, 1000, &n->steps) || !read_seed(w->seed, &o->seed) ||
        !cli_integer("--threads", w->threads, 0, 1024, &n->threads) ||
        !cli_integer("--clip-skip", w->skip, 1, 128, &n->skip) ||
        !cli_real("--cfg-scale", w->guidance, 0, 1000, &o->guidance) ||
        !cli_real("--image-cfg-scale", w->image_guidance, 0, 1000, &o->image_guidance) ||
        !cli_real("--guidance-rescale", w->rescale, 0, 1, &o->guidance_rescale) ||
        !cli_real("--hires", w->hires, 1, 8, &o->hires) ||
        !cli_real("--hires-strength", w->hires_strength, 0, 1, &o->hires_strength) ||
        !cli_integer("--hires-steps", w->hires_steps, 0, 1000, &n->hires_steps) ||
        !cli_integer("--output-begin-idx", w->begin, 0, 100000000, &n->begin) ||
        !cli_real("--eta", w->eta, 0, 1, &o->eta) || !cli_precision(w->precision, &o->precision) ||
        !read_rng(w->rng, &o->rng) || !cli_tiling(&w->tiling, &o->tiling) ||
        !cli_memory("--max-memory", w->memory, &w->bytes) || !generate_sizes_read(&w->sizes, &o->size_condition) ||
        !generate_layers_read(&w->layers, o))
        return false;
    o->lora_folder = w->lora_folder;
    o->prompt = w->prompt, o->negative = w->negative, o->sampler = w->sampler, o->scheduler = w->scheduler;
    o->prediction = w->prediction;
    w->first = (int)n->begin;
    o->prompt_style = w->style, o->clip_skip = (int)n->skip, o->hires_steps = (int)n->hires_steps;
    o->n = (int)n->count, o->steps = (int)n->steps, o->width = (int)n->width, o->height = (int)n->height;
    return true;
}

/* Flags of guidance where there is none. */
static limn_status check_guidance(limn_ctx *ctx, const limn_pipeline_info *info, const generate_words *w,
                                  const limn_generate_options *o)
{
    const char *flag = w->rescale ? "--guidance-rescale" : w->negative ? "--negative-prompt" : NULL;
    if (!info->guides && ((w->guidance && o->guidance != 1) || flag))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "%s is for networks that read text or a class and know what to make without: this model (%s) is "
                         "none, leave it out",
                         flag ? flag : "--cfg-scale", info->network);
    if (flag && o->guidance == 1)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s changes guidance, and a --cfg-scale of 1 is none", flag);
    return LIMN_OK;
}

static limn_status lacks_class(limn_ctx *ctx, const limn_pipeline_info *info)
{
    char none[48] = "";
    if (info->guides) snprintf(none, sizeof none, ", or %d for none", info->classes);
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "this model makes pictures of a label: add --class K, K from 0 to %d%s",
                     info->classes - 1, none);
}

/* Flags of a picture that is seen at every step, or only where it starts from. */
static limn_status check_edit(limn_ctx *ctx, const limn_pipeline_info *info, const generate_words *w)
{
    if (info->edits && w->strength)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--strength is for models that start from the picture, and this one starts "
                         "from noise and sees it at every step: --image-cfg-scale says how closely to keep to it");
    return info->edits || !w->image_guidance
               ? LIMN_OK
               : limn_fail(ctx, LIMN_BAD_ARGUMENT, "--image-cfg-scale is for models that change a picture as a text says "
                           "(InstructPix2Pix), and this one (%s) is none: leave it out", info->network);
}

/* What the flags ask for and this model cannot do. */
static limn_status check_model(limn_ctx *ctx, const limn_pipeline *p, const generate_verb *verb, const generate_words *w,
                               const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    limn_status status = verb->enlarges ? upscale_check(ctx, &info, &w->upscale) : LIMN_OK;
    if (status != LIMN_OK) return status;
    if (info.reads_text && !w->prompt && !verb->reads_picture)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a prompt, as in: limn generate \"man farmer\" -o farmer.png");
    if (!info.reads_text && (w->prompt || w->negative))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "this model (%s) reads no text: leave the prompt out", info.network);
    if (!info.classes && w->label)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "this model (%s) knows no labels: leave --class out", info.network);
    if (info.classes && !w->label) return lacks_class(ctx, &info);
    status = generate_sizes_check(ctx, &info, &w->sizes);
    if (status == LIMN_OK) status = check_edit(ctx, &info, w);
    return status == LIMN_OK ? check_guidance(ctx, &info, w, o) : status;
}

/* Before the first picture: none goes over what is read, nor over another. */
static limn_status check_files(limn_ctx *ctx, const limn_pipeline *p, const generate_words *w, const generate_output *out,
                               const generate_preview *preview, int n)
{
    limn_job_files files = {0};
    limn_job_reads(&files, "the picture", w->init);
    limn_job_reads(&files, "the mask", w->mask);
    limn_job_reads(&files, "the picture to draw again", w->again);
    limn_job_reads(&files, "the picture", w->small);
    limn_pipeline_reads(p, &files);
    generate_output_writes(out, n, &files);
    generate_preview_writes(preview, &files);
    return limn_job_files_check(ctx, &files);
}

/* By a model of latents, in tiles; what the file says of it is of the whole. */
static limn_status enlarge(limn_ctx *ctx, limn_pipeline *p, const generate_output *out, const limn_upscale_options *upscale,
                           limn_generate_options o)
{
    limn_image image = {0};
    const limn_image *small = o.small;
    o.small = NULL;
    limn_status status = limn_upscale(p, small, upscale, &o, &image);
    o.init = small, o.width = image.width, o.height = image.height;
    if (status == LIMN_OK) status = generate_output_write(ctx, out, p, &o, &image);
    limn_image_free(&image);
    return status;
}

static limn_status make(limn_ctx *ctx, limn_pipeline *p, const generate_output *out, const limn_generate_options *o)
{
    limn_image *images = calloc((size_t)o->n, sizeof *images);
    limn_status status =
        images ? limn_generate(p, o, images) : limn_fail_memory(ctx, (size_t)o->n * sizeof *images, "pictures");
    if (status == LIMN_OK) status = generate_output_write(ctx, out, p, o, images);
    for (int i = 0; images && i < o->n; i++) limn_image_free(&images[i]);
    free(images);
    return status;
}

/* What no flag says is as it is usual for the model. */
static void take_usual(const limn_pipeline *p, const generate_verb *verb, const generate_words *w, limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (!w->guidance && !verb->denoises) o->guidance = info.guidance;
    if (!w->resample) o->resample = info.resample;
    if (!w->steps) o->steps = info.steps;
}

/* The networks that the flags name, the verb's own model where they name none that draws. */
static limn_status open_model(limn_ctx *ctx, const generate_verb *verb, const generate_words *w, const limn_again *again,
                              limn_pipeline **out)
{
    char installed[LIMN_PATH_BYTES];
    limn_pipeline_parts parts = {.model = w->model, .diffusion_model = w->diffusion_model, .clip_l = w->clip_l,
                                 .clip_g = w->clip_g,
                                 .t5xxl = w->t5xxl,
                                 .vae = generate_preview_decoder(&w->preview, w->vae)};
    const char *draws = w->diffusion_model ? w->diffusion_model : w->model;
    limn_status status = LIMN_OK;
    if (w->again) status = limn_again_check_source(ctx, again, draws ? draws : own_model(verb), draws != NULL);
    if (status == LIMN_OK && !draws) status = cli_model(ctx, NULL, own_model(verb), installed, &parts.model);
    if (status == LIMN_OK) status = limn_pipeline_open_parts(ctx, &parts, out);
    if (status == LIMN_OK) status = generate_preview_coders(*out, &w->preview);
    if (status == LIMN_OK && w->n_loras) status = limn_pipeline_set_loras(*out, w->n_loras, w->loras);
    if (status == LIMN_OK && w->embeddings) status = limn_pipeline_set_embeddings(*out, w->embeddings);
    return status == LIMN_OK && w->again ? limn_again_check_model(*out, again) : status;
}

/* Where it is of use: to the file, or to tell whether a picture is drawn again by the same. */
static model_hash *begin_hash(limn_ctx *ctx, const limn_pipeline *p, const generate_output *out)
{
    model_hash *hash = out->bare && !out->again->hash ? NULL : model_hash_begin(ctx, p);
    if (model_hash_known(hash)) limn_again_check_hash(ctx, out->again, model_hash_known(hash));
    return hash;
}

static limn_status run(limn_ctx *ctx, const generate_verb *verb, const generate_words *w, const limn_again *again,
                       generate_preview *preview, const limn_upscale_options *upscale, limn_generate_options *o)
{
    limn_pipeline *p = NULL;
    limn_image init = {0}, mask = {0}, small = {0};
    generate_output out = {.pattern = w->output ? cli_output(w->output) : "output.png", .grid = w->grid, .again = again,
                           .strip = verb->between, .show = w->show, .bare = w->bare, .preview = preview,
                           .begin = w->first};
    limn_status status = generate_output_check(ctx, &out, o->n);
    if (status == LIMN_OK) status = generate_preview_check(ctx, preview);
    if (status == LIMN_OK && w->init) status = limn_image_read(ctx, w->init, 0, &init);
    if (status == LIMN_OK && w->mask) status = limn_image_read(ctx, w->mask, 0, &mask);
    if (status == LIMN_OK && w->small) status = limn_image_read(ctx, w->small, 0, &small);
    if (w->init) o->init = &init;
    if (w->mask) o->mask = &mask;
    if (w->small) o->small = &small;
    if (status == LIMN_OK) status = open_model(ctx, verb, w, again, &p);
    if (status == LIMN_OK) status = limn_generate_check_sides(p, o);
    if (status == LIMN_OK) take_usual(p, verb, w, o);
    if (status == LIMN_OK) status = check_model(ctx, p, verb, w, o);
    if (status == LIMN_OK && w->label) status = limn_pipeline_label(p, w->label, &o->label);
    if (status == LIMN_OK) status = check_files(ctx, p, w, &out, preview, o->n);
    if (status == LIMN_OK && (w->grid || verb->between)) status = generate_output_check_grid(ctx, p, &out, o);
    if (status == LIMN_OK && w->show) generate_preview_go_live(preview, p, o);
    if (status == LIMN_OK) out.hash = begin_hash(ctx, p, &out);
    bool tiles = status == LIMN_OK && verb->enlarges && !limn_pipeline_describe(p).enlarges;
    if (status == LIMN_OK) status = tiles ? enlarge(ctx, p, &out, upscale, *o) : make(ctx, p, &out, o);
    model_hash_free(out.hash);
    limn_image_free(&init);
    limn_image_free(&mask);
    limn_image_free(&small);
    limn_pipeline_free(p);
    return status;
}

int cli_generate(int argc, char **argv)
{
    return generate_run(argc, argv, &(generate_verb){.name = "generate", .help = help});
}

enum { MOST_FLAGS = 96 };

static void list_flags(const generate_verb *verb, generate_words *w, cli_flag out[MOST_FLAGS])
{
    const cli_flag flags[] = {
        {"-p", "--prompt", &w->prompt, NULL},
        {"-n", "-n", &w->minus_n, NULL},
        {NULL, "--negative-prompt", &w->negative, NULL},
        {"-m", "--model", &w->model, NULL},
        {NULL, "--diffusion-model", &w->diffusion_model, NULL},
        {NULL, "--clip_l", &w->clip_l, NULL},
        {NULL, "--clip_g", &w->clip_g, NULL},
        {NULL, "--t5xxl", &w->t5xxl, NULL},
        GENERATE_SIZE_FLAGS(w->sizes),
        GENERATE_LAYER_FLAGS(w->layers),
        {NULL, "--vae", &w->vae, NULL},
        {NULL, "--lora", &w->lora, NULL},
        {NULL, "--lora-model-dir", &w->lora_folder, NULL},
        {NULL, "--embd-dir", &w->embeddings, NULL},
        {NULL, "--taesd", &w->preview.tiny, NULL},
        {NULL, "--tae", &w->preview.tiny, NULL},
        {NULL, "--taesd-preview-only", NULL, &w->preview.tiny_only},
        {NULL, "--preview", &w->preview.preview, NULL},
        {NULL, "--preview-path", &w->preview.path, NULL},
        {NULL, "--preview-interval", &w->preview.interval, NULL},
        CLI_TILING_FLAGS(w->tiling),
        {NULL, "--max-memory", &w->memory, NULL},
        {NULL, "--hires", &w->hires, &w->theirs.hires},
        {NULL, "--hires-strength", &w->hires_strength, NULL},
        {NULL, "--hires-steps", &w->hires_steps, NULL},
        {NULL, "--weights", &w->weights, NULL},
        {NULL, "--prompt-style", &w->style, NULL},
        {NULL, "--clip-skip", &w->skip, NULL},
        {"-o", "--output", &w->output, NULL},
        {"-b", "--batch-count", &w->count, NULL},
        {NULL, "--grid", NULL, &w->grid},
        {"-W", "--width", &w->width, NULL},
        {"-H", "--height", &w->height, NULL},
        {NULL, "--steps", &w->steps, NULL},
        {NULL, "--cfg-scale", &w->guidance, NULL},
        {NULL, "--image-cfg-scale", &w->image_guidance, NULL},
        {NULL, "--img-cfg-scale", &w->image_guidance, NULL},
        {NULL, "--guidance-rescale", &w->rescale, NULL},
        {NULL, "--sampling-method", &w->sampler, NULL},
        {NULL, "--scheduler", &w->scheduler, NULL},
        {NULL, "--karras", NULL, &w->karras},
        {NULL, "--prediction", &w->prediction, NULL},
        {NULL, "--eta", &w->eta, NULL},
        {NULL, "--class", &w->label, NULL},
        {"-s", "--seed", &w->seed, NULL},
        {NULL, "--rng", &w->rng, NULL},
        {NULL, "--precision", &w->precision, NULL},
        {"-t", "--threads", &w->threads, NULL},
        {NULL, "--show", NULL, &w->show},
        {NULL, "--output-begin-idx", &w->begin, NULL},
        {"-M", "--mode", &w->theirs.mode, NULL},
        {NULL, "--sampler-rng", &w->theirs.sampler_rng, NULL},
        {NULL, "--hires-scale", &w->theirs.hires_scale, NULL},
        {NULL, "--hires-upscaler", &w->theirs.hires_upscaler, NULL},
        {NULL, "--hires-denoising-strength", &w->hires_strength, NULL},
        {NULL, "--disable-image-metadata", NULL, &w->bare},
        {"-q", "--quiet", NULL, &w->quiet},
        {"-h", "--help", NULL, &w->help},
        {"-i", "--init-img", &w->init, NULL},
        {NULL, "--strength", &w->strength, NULL},
        {NULL, "--mask", &w->mask, NULL},
        {NULL, "--resample", &w->resample, NULL},
        verb->denoises   ? (cli_flag){NULL, "--noise", &w->noise, NULL}
        : verb->enlarges ? (cli_flag){NULL, "--scale", &w->upscale.scale, NULL}
        : verb->between  ? (cli_flag){NULL, "--seeds", &w->seeds, NULL}
                         : (cli_flag){NULL, "--again", &w->again, NULL},
        verb->enlarges ? (cli_flag){NULL, "--tile", &w->upscale.tile, NULL}
                       : (cli_flag){NULL, verb->denoises ? "--noise-left" : NULL, &w->left, NULL},
        {NULL, verb->enlarges ? "--overlap" : NULL, &w->upscale.overlap, NULL},
        {NULL, NULL, NULL, NULL},
    };
    enum { KNOWN = sizeof flags / sizeof *flags, OTHERS = SD_CLI_NO_MATTER + MOST_OTHERS };
    _Static_assert(KNOWN + OTHERS <= MOST_FLAGS, "room");
    sd_cli_no_matter(&w->theirs, out);
    for (int i = 0; i < MOST_OTHERS; i++)
        out[SD_CLI_NO_MATTER + i] = (cli_flag){NULL, others[i], &w->others[i], NULL};
    memcpy(out + OTHERS, flags, sizeof flags);
}

/* The words of the command line, the one without a flag where this verb has it.  @return false after a message, or when help
 * was asked for */
static bool read_line(int argc, char **argv, const generate_verb *verb, generate_words *w)
{
    cli_flag flags[MOST_FLAGS];
    const char *word = NULL;
    list_flags(verb, w, flags);
    int words = cli_parse_with(argc, argv, flags, &word, 1, sd_cli_instead);
    if (words < 0 || w->help) return false;
    w->n_loras = cli_loras(argc, argv, w->loras);
    if (w->n_loras < 0) return false;
    const char **of_word = verb->enlarges ? &w->small : verb->reads_picture ? &w->init : &w->prompt;
    if (*of_word && word)
        return wrong(verb->reads_picture ? "-i gives the picture, and there is a word too"
                                         : "-p gives the prompt, and there is a word too",
                     word);
    if (!*of_word) *of_word = word;
    return true;
}

/* Words to pictures.  @return the exit code */
static int draw(limn_ctx *ctx, const generate_verb *verb, generate_words *w, limn_again *again)
{
    limn_generate_options o = limn_generate_defaults();
    if (verb->denoises) o.guidance = 1;
    generate_numbers n = {.count = verb->between ? 8 : 1, .steps = o.steps, .resample = o.resample};
    cli_progress progress = cli_progress_begin(w->quiet, true);
    generate_preview preview;
    limn_upscale_options upscale;
    limn_status status = w->again ? take_again(ctx, w, again) : LIMN_OK;
    if (status != LIMN_OK) return cli_fail(ctx, status);
    w->upscale.strength = w->strength, w->upscale.width = w->width, w->upscale.height = w->height;
    w->upscale.count = w->count ? w->count : w->minus_n && limn_is_whole(w->minus_n) ? w->minus_n : NULL;
    if (!upscale_read(&w->upscale, &upscale)) return 2;
    if (!read_options(w, &n, &o) || !read_start(verb, w, &n, &o)) return 2;
    if (!generate_preview_read(&w->preview, w->vae, &preview, &o)) return 2;
    preview.progress = &progress;
    limn_ctx_set_progress(ctx, cli_progress_show, &progress);
    limn_ctx_set_log(ctx, cli_progress_tell, &progress);
    limn_ctx_set_memory(ctx, w->bytes);
    status = limn_ctx_set_threads(ctx, (int)n.threads);
    if (status == LIMN_OK) status = limn_ctx_set_weights(ctx, w->weights);
    if (status == LIMN_OK) status = run(ctx, verb, w, again, &preview, &upscale, &o);
    cli_progress_clear(&progress);
    return status == LIMN_OK ? 0 : cli_fail(ctx, status);
}

int generate_run(int argc, char **argv, const generate_verb *verb)
{
    generate_words w = {0};
    limn_again again = {0};
    if (!read_line(argc, argv, verb, &w)) return w.help ? fputs(verb->help, stdout), 0 : 2;
    limn_ctx *ctx = cli_ctx_new();
    if (!ctx) return 1;
    int code = draw(ctx, verb, &w, &again);
    limn_again_free(&again);
    cli_ctx_free(ctx);
    return code;
}
