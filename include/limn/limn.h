/* limn.h: run trained networks from C: pictures from words, latents of pictures, a class for every pixel.
 * (train.h: train them; segment.h: volumes, folders, and how good a segmentation is; network.h: which networks there are;
 * graph.h: networks of one's own.)  A picture from words, a whole program:
 * farmer MODEL PROMPT FILE.png
 *
 *     #include <limn/limn.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         if (argc != 4) return fprintf(stderr, "usage: %s MODEL PROMPT FILE.png\n", argv[0]), 2;
 *         limn_ctx *ctx = limn_ctx_new();
 *         if (!ctx) return fprintf(stderr, "out of memory\n"), 1;
 *
 *         limn_pipeline *model = NULL;
 *         limn_image image = {0};
 *         limn_generate_options options = limn_generate_defaults();
 *         options.prompt = argv[2];
 *         limn_status status = limn_pipeline_open(ctx, argv[1], &model);
 *         if (status == LIMN_OK) status = limn_generate(model, &options, &image);
 *         if (status == LIMN_OK) status = limn_png_write(ctx, argv[3], &image, NULL);
 *         if (status != LIMN_OK) fprintf(stderr, "%s\n", limn_error_text(ctx));
 *
 *         limn_image_free(&image);
 *         limn_pipeline_free(model);
 *         limn_ctx_free(ctx);
 *         return status == LIMN_OK ? 0 : 1;
 *     }
 *
 *     cc farmer.c $(pkg-config --cflags --libs limn) -o farmer
 *
 * Everything starts with a context, which holds what other libraries keep in globals: the last error text, the log and
 * progress callbacks, the number of threads.  A context is used by one thread at a time; two contexts share nothing.
 * No function of the library prints, exits or aborts: each returns a limn_status, and limn_error_text() holds a
 * sentence that says what was expected, what was found, and where. */
#ifndef LIMN_LIMN_H
#define LIMN_LIMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the shared library shows of itself; everything else in it is hidden.  Until version 1 its structs may grow from one
 * minor version to the next (0.1, 0.2): compile programs again with the headers of the library that they are to run with. */
#define LIMN_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

typedef enum limn_status {
    LIMN_OK = 0,
    LIMN_BAD_ARGUMENT, /* the caller's value is wrong; nothing changed */
    LIMN_NOT_FOUND,    /* no such file, name or preset */
    LIMN_BAD_FILE,     /* the file exists and is damaged, hostile or of another kind */
    LIMN_NO_MEMORY,    /* more memory is needed than there is, said before it is taken where possible */
    LIMN_IO,           /* the operating system refused a read or a write */
    LIMN_UNSUPPORTED,  /* valid, but not something this build can do */
    LIMN_DIVERGED,     /* training produced NaN or infinity */
    LIMN_CANCELLED,    /* the progress callback asked to stop */
} limn_status;

/* Element types.  F64 serves the checks, I32 holds indices, U8 bytes.  From F8_E4M3 on: of weights in files, which are
 * widened where they are multiplied; floats of 8 bits, and ggml's blocks of 32 and of 256 numbers. */
typedef enum limn_dtype {
    LIMN_F32,
    LIMN_BF16,
    LIMN_F16,
    LIMN_F64,
    LIMN_I32,
    LIMN_I64,
    LIMN_U8,
    LIMN_F8_E4M3,
    LIMN_F8_E5M2,
    LIMN_Q8_0,
    LIMN_Q4_0,
    LIMN_Q4_1,
    LIMN_Q5_0,
    LIMN_Q5_1,
    LIMN_IQ4_NL,
    LIMN_Q2_K,
    LIMN_Q3_K,
    LIMN_Q4_K,
    LIMN_Q5_K,
    LIMN_Q6_K,
    LIMN_N_DTYPES
} limn_dtype;

/* What a plan computes in.  AUTO takes bf16 where the CPU multiplies it natively, else f32.  EXACT is F32 with every
 * convolution as a direct sum: slower, and a little nearer to the real numbers than fewer multiplications allow. */
typedef enum limn_precision {
    LIMN_PRECISION_AUTO,
    LIMN_PRECISION_F32,
    LIMN_PRECISION_BF16,
    LIMN_PRECISION_EXACT,
    LIMN_PRECISION_F64
} limn_precision;

/* Where the noise of pictures comes from; the same seed is another picture in each. */
typedef enum limn_rng {
    LIMN_RNG_AUTO, /* as the model was published with: limn for those of limn train */
    LIMN_RNG_LIMN,
    LIMN_RNG_CPU,  /* PyTorch's generator on the CPU: diffusers with such a generator, the first noise of ComfyUI */
    LIMN_RNG_CUDA, /* PyTorch's on NVIDIA's GPUs, with a thread for each number: A1111 */
} limn_rng;

typedef struct limn_ctx limn_ctx;

typedef enum limn_log_level { LIMN_LOG_DEBUG, LIMN_LOG_INFO, LIMN_LOG_WARN } limn_log_level;

/* One line without a newline; text is valid only during the call. */
typedef void (*limn_log_fn)(void *user, limn_log_level level, const char *text);

/* done of total units of `what`; return false to stop the job, which then returns LIMN_CANCELLED.  What makes pictures tells
 * of "load" (bytes of weights), "text", "encode" (a picture to start from), "step" (calls of the network) or "second pass",
 * and "decode"; where it goes in rounds, before each of "picture" or "tile", how many of which are done. */
typedef bool (*limn_progress_fn)(void *user, const char *what, int64_t done, int64_t total);

/** A new context with a thread for each core that the process may use, and no callbacks.  @return NULL only when memory is
 *  out; free with limn_ctx_free(). */
LIMN_API limn_ctx *limn_ctx_new(void);
LIMN_API void limn_ctx_free(limn_ctx *ctx); /* NULL is allowed */

/** For a signal's handler that is about to end the process, on the thread that uses ctx: remove the partial files of what is
 *  being written. Async-signal-safe.  Files that were there stay as they were; ctx is good for nothing afterwards. */
LIMN_API void limn_ctx_abandon(limn_ctx *ctx);

/** Stop what runs with ctx: from any thread, or a signal's handler.  Reading, encoding, sampling and decoding look at it
 *  between their steps; the first that sees it returns LIMN_CANCELLED, and ctx is as before. */
LIMN_API void limn_ctx_cancel(limn_ctx *ctx);
/* What was done with a context since it was made. */
typedef struct limn_counters {
    size_t bytes_read;   /* of weights, from files */
    size_t bytes_packed; /* of weights, into the layouts of their kernels */
} limn_counters;
LIMN_API limn_counters limn_ctx_counters(const limn_ctx *ctx);

/** Sentence for the last failure of this context, "" if none.  Borrowed; valid until the next call with ctx. */
LIMN_API const char *limn_error_text(const limn_ctx *ctx);
/** Short English name of a status, for logs. */
LIMN_API const char *limn_status_name(limn_status status);

LIMN_API void limn_ctx_set_log(limn_ctx *ctx, limn_log_fn fn, void *user);
LIMN_API void limn_ctx_set_progress(limn_ctx *ctx, limn_progress_fn fn, void *user);
/** @param n_threads 1..1024; 0 means one for each core that the process may use. */
LIMN_API limn_status limn_ctx_set_threads(limn_ctx *ctx, int n_threads);
LIMN_API int limn_ctx_threads(const limn_ctx *ctx);
/** The memory that pictures and latents may take, weights and all: what does not fit is refused before it begins, or done in
 *  parts (an autoencoder in strips of rows, which is slower).  0: what the machine has. */
LIMN_API void limn_ctx_set_memory(limn_ctx *ctx, size_t bytes);
/** Of a weight file with several sets of one network, as checkpoints have "model" and "ema": which to open.  NULL: EMA,
 *  where a file has them, to run a network, and the raw weights to go on training them; "ema"; "raw"; or what the tensors'
 *  names begin with ("net_ema").  Of the autoencoder of a pipeline the choice is always the first.  The log is told which of
 *  which. */
LIMN_API limn_status limn_ctx_set_weights(limn_ctx *ctx, const char *which);

LIMN_API const char *limn_version(void);
/** Free a text that the library made, also where program and library do not share an allocator.  NULL is allowed. */
LIMN_API void limn_free(void *text);

/* ---- pictures ----------------------------------------------------------------------------------------------------- */

typedef struct limn_image {
    int width, height, channels; /* 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA; alpha is not multiplied in */
    uint8_t *pixels;             /* [height, width, channels]; owned, limn_image_free() */
} limn_image;

/**
 * Read a PNG, JPEG (turned as its EXIF says) or WebP; which, its bytes say.  More than 8 bits are rounded to 8.
 *
 * @param channels  1 to 4; 0: as stored.  Of colour, gray is 0.299 R + 0.587 G + 0.114 B; without alpha, white shines
 * through
 * @param out       on LIMN_OK the caller's (limn_image_free()), else empty
 * @return LIMN_OK; LIMN_NOT_FOUND; LIMN_IO; LIMN_BAD_FILE: damaged, cut or too large; LIMN_UNSUPPORTED: an animation;
 * LIMN_NO_MEMORY
 */
LIMN_API limn_status limn_image_read(limn_ctx *ctx, const char *path, int channels, limn_image *out);
/** Free the pixels, not the struct, which becomes empty. */
LIMN_API void limn_image_free(limn_image *image);
/** Write atomically.  parameters: NULL or the text of the chunk "parameters" (UTF-8).  @return LIMN_OK; LIMN_BAD_ARGUMENT:
 *  no pixels, or no such channels; LIMN_IO: an older file at path is untouched */
LIMN_API limn_status limn_png_write(limn_ctx *ctx, const char *path, const limn_image *image, const char *parameters);

/* A picture as an autoencoder's encoder makes it, or a network of latents.  A program may fill one with numbers of its own
 * and read them: files are not needed. */
typedef struct limn_latent {
    int height, width, channels;
    int image_height,
        image_width; /* of the picture; it was padded to multiples of the factor by repeating its last row and column */
    float *values;   /* [height, width, channels], as the encoder makes them, not scaled; owned, limn_latent_free() */
} limn_latent;

/** Values, not set, for a latent of sides up to 16384 and up to 256 channels.
 *  @return LIMN_OK: free *out with limn_latent_free(); LIMN_BAD_ARGUMENT; LIMN_NO_MEMORY */
LIMN_API limn_status limn_latent_new(limn_ctx *ctx, int height, int width, int channels, limn_latent *out);
LIMN_API void limn_latent_free(limn_latent *latent); /* the values, not the struct, which becomes empty */

/* ---- pictures from words or class labels --------------------------------------------------------------------------- */

/* A trained network with its tokenizer, opened from a folder.  Used by one thread at a time, with its context. */
typedef struct limn_pipeline limn_pipeline;

typedef struct limn_pipeline_info {
    const char *network;         /* "mmdit"; borrowed from the pipeline, as sampler is */
    const char *sampler;         /* taken when the options name none */
    limn_rng rng;                /* taken when the options say LIMN_RNG_AUTO */
    int width, height,
        channels; /* of its pictures, or of its latents as long as it lacks the autoencoder that makes pictures of them;
                   * limn_generate_options may name other sides */
    bool makes_latents; /* limn_generate() needs an autoencoder: FOLDER/vae, or limn_pipeline_set_autoencoder() first */
    int enlarges;       /* above 0: its pictures are made of pictures so many times smaller, limn_generate_options.small */
    int classes;                 /* labels it knows; 0: it takes none */
    const char *const *class_name; /* [n_class_names], borrowed: what labels 0, 1 .. were called in training, or as
                                      published, several names parted by commas; "", or fewer than classes: unnamed */
    int n_class_names;
    bool reads_text;
    int text_length, text_width; /* of what limn_encode_text() makes; 0: it reads no text */
    int pooled_width;            /* of the whole text in it */
    bool guides;                 /* it knows what to make when it is told nothing: guidance, a negative text */
    bool told_guidance;          /* it is told the guidance, and one call is guided: there is no negative text (LCM) */
    bool inpaints;               /* it is told what of a picture is masked; without a mask all of it is */
    int told_sizes;              /* numbers about the picture that it is told (limn_size_condition): 6, a refiner 5, or 0 */
    bool edits;                  /* it changes a picture as the prompt says (InstructPix2Pix), and needs one to see */
    double guidance;             /* that is usual: 7.5 for published weights that read text, of XL 5, 8.5 if they are
                                  * told; 4 of published DiT; else 3 */
    int steps, resample;         /* that are usual: 20, told the guidance 4; 5, published text to picture 1 */
} limn_pipeline_info;

/* By what a picture under way is shown. */
typedef enum limn_preview {
    LIMN_PREVIEW_NONE,
    LIMN_PREVIEW_AUTO,       /* TINY where there is one, else PROJECTION where it is known, else FULL */
    LIMN_PREVIEW_PROJECTION, /* latents of Stable Diffusion: their four channels times a matrix are colours, an eighth as
                              * fine, and cost nothing */
    LIMN_PREVIEW_TINY,       /* a tiny autoencoder: limn_pipeline_set_preview()'s, or that of the pipeline where it is one */
    LIMN_PREVIEW_FULL,       /* as the finished picture */
} limn_preview;

/* An autoencoder in tiles, which takes less memory: each is coded alone, so that norms and attention see a tile only, and
 * where tiles overlap they fade into each other. */
typedef struct limn_tiling {
    bool on;
    int width, height; /* of a tile, in pixels of the latent, 4 to 2048; 0: 64 */
    double overlap;    /* 0 to 0.5: the part of its sides that a tile shares with the next one at least */
} limn_tiling;

typedef struct limn_sampling limn_sampling; /* pictures under way: limn_sampling_begin() */
/* Called by limn_generate() and limn_generate_latents() after each step but the last; false: they return LIMN_CANCELLED.  It
 * may call limn_sampling_left(), _preview(), _picture() and _latent(), and nothing else with the pipeline. */
typedef bool (*limn_step_fn)(void *user, limn_sampling *sampling);

/* What a network of Stable Diffusion XL is told beside the text: as what picture of its data its own should look, in pixels.
 * 0 (sides): those of the picture that is made. */
typedef struct limn_size_condition {
    int height, width;               /* before it was enlarged or cut: small ones look blurred */
    int top, left;                   /* where it was cut: 0 is the middle of things, others show parts of them */
    int target_height, target_width;
    double score, negative_score;    /* of beauty, 1 to 10, of the prompt's and the negative prompt's (the refiner) */
} limn_size_condition;

typedef struct limn_generate_options {
    const char *prompt, *negative; /* UTF-8, any bytes are taken; NULL: "" */
    const char *prompt_style; /* what brackets and long texts mean, for models with a text encoder of their own: "plain",
                               * cut at its length; "a1111", "(word:1.2) [word] BREAK" and chunks of 75 tokens; "comfy".
                               * NULL: a1111 for published weights, else plain */
    const char *lora_folder;  /* where the files are that <lora:NAME:WEIGHT> in a prompt names, in styles other than plain;
                               * NULL: such a prompt is refused */
    int clip_skip;            /* 2: without the last layer of that encoder, 3: without the last two; 0, 1: whole.  Those of
                               * Stable Diffusion XL are never read whole: 0 and 1 are 2 */
    int label; /* networks with classes: 0 .. classes - 1, or classes for "none"; others do not look at it */
    int n;                         /* pictures, 1 or more; they run together as far as memory allows */
    int width, height; /* of them, as far as the network can have such sides; 0: limn_pipeline_info's, of networks that edit
                        * those of init, cut down to what latents can have; if one is 0, in proportion to the other */
    int steps;                     /* 1..1000; samplers lcm and tcd end at 50 */
    const char *sampler;           /* NULL: limn_pipeline_info.sampler; see limn_sampler_names() */
    const char *scheduler; /* NULL or "discrete": the sampler's custom; "karras", "exponential", "sgm_uniform", "simple",
                            * "beta", "normal", "ays", "ays_sdxl", "leading", "linspace", "trailing" */
    const char *prediction; /* what the network predicts: "eps", "v", "x0"; NULL: what its files say, else eps; of Stable
                             * Diffusion 2 in a file that says nothing what the network shows before the first step */
    double eta;                    /* ddim, tcd: 0 adds no noise, 1 as much as ddpm, lcm */
    double guidance;               /* Ho & Salimans 2022: 1 none; published text to picture: 0 too, as in diffusers */
    double image_guidance; /* networks that edit (Brooks et al. 2023): how closely to keep to the picture, 1 and more.  As in
                            * diffusers there is no guidance at all unless guidance is above 1 and this is at least 1; a
                            * step is three calls in one batch, two where this is 1 */
    double guidance_rescale;       /* Lin et al. 2024: 0 none, 1 all */
    double slg_scale; /* skip-layer guidance, of Stable Diffusion 3.5 medium: also away from what the network says without
                       * the blocks of skip_layers (bit i: block i; 7, 8, 9), in the steps behind skip_layer_start and
                       * before skip_layer_end (0.01, 0.2) of all of them; 0: none.  diffusers 2.8, Stability AI 2.5 */
    uint64_t skip_layers;
    double skip_layer_start, skip_layer_end;
    uint64_t seed;                 /* picture i is the one that seed + i makes alone */
    limn_rng rng;                  /* AUTO: limn_pipeline_info.rng */
    limn_precision precision;
    const limn_image *init;        /* a picture to start from, brought to width x height; NULL: from noise.  Networks that
                                    * edit start from noise, and need the picture (or init_latent) that they change */
    const limn_latent *init_latent; /* in its place a latent of these sides (of a network that makes pictures: their
                                            * values, -1..1); NULL: none */
    double strength; /* init: 0..1, how much of the way from noise is gone once more: the last steps * strength of the steps,
                      * rounded down (Stable Diffusion 3: up); 1 keeps nothing of it; where that is no step, 0, the picture
                      * itself comes back; no matter where a network edits */
    const limn_image *mask; /* init: of its size, gray, also with alpha; where gray times alpha is white (half and more) the
                             * picture is made anew, the rest is kept.  Latents of networks that limn_train() made: where it
                             * is black the picture's bytes are kept, and gray is a mixture */
    int resample; /* mask: times each step is done, from 1 (Lugmayr et al. 2022: 10); what is made fits better to what is
                     kept.  1: as diffusers' pipelines; no matter where a network inpaints */
    double noise, noise_left; /* init holds noise of this standard deviation, of 255: denoise it, down to noise_left; 0: it
                                 holds none.  Latents: it is measured how far this moves them, and what is left is mixed in
                                 after decoding; not of published networks, nor from init_latent */
    const limn_image *small;  /* what a network that enlarges makes large: its size / limn_pipeline_info.enlarges; NULL for
                                 other networks */
    double hires; /* above 1, up to 8: a second pass at sides so many times larger: the latents (of a network that makes
                   * pictures: their values) are enlarged, linearly, and go hires_strength of the way from noise once more,
                   * with the noise of the same seed; 0: none */
    double hires_strength;         /* as strength; 0 is none, and refused */
    int hires_steps;               /* as steps, of the second pass; 0: steps */
    limn_tiling tiling;            /* of the autoencoder; networks that make pixels have none */
    limn_preview preview;          /* limn_sampling_preview(): by what */
    limn_step_fn stepped;          /* NULL: nothing is called */
    void *stepped_user;
    limn_size_condition size_condition; /* not looked at by networks that are not told */
    bool between;                  /* picture i of n starts from slerp(noise of seed, noise of to_seed, i / (n - 1)) */
    uint64_t to_seed;
    const char *model_hash; /* limn_generate_parameters(): the SHA-256 of the weights in lower case, of which ten digits are
                             * written; NULL: none are */
} limn_generate_options;

/** "": one picture, 20 steps, guidance 3, image_guidance 1.5, skip_layers 7 8 9 from 0.01 to 0.2, seed 42, strength 0.75,
 *  hires_strength 0.6, resample 5, tiling.overlap 0.5, size_condition.score 6 and negative_score 2.5, everything else 0 or
 *  NULL. */
LIMN_API limn_generate_options limn_generate_defaults(void);
/** Samplers by name, separated by spaces. */
LIMN_API const char *limn_sampler_names(void);

/**
 * Open a folder with model.safetensors (and merges.txt.gz), as `limn train` writes it; a folder of diffusers (Stable
 * Diffusion 1, 2: unet, text_encoder, vae, tokenizer, scheduler); or a weight file alone: safetensors, or what torch.save()
 * wrote, of which nothing is executed.  Of a checkpoint with several networks in one file all are taken.  A network of
 * latents takes the autoencoder FOLDER/vae, where there is one.  The file stays open: replace it by renaming another over
 * it, never by writing into it.
 *
 * @param out  on LIMN_OK the caller owns *out and frees it with limn_pipeline_free(); otherwise *out is NULL
 * @return LIMN_OK; LIMN_NOT_FOUND; LIMN_BAD_FILE (the sentence names file, tensor and offset); LIMN_UNSUPPORTED;
 * LIMN_NO_MEMORY
 */
LIMN_API limn_status limn_pipeline_open(limn_ctx *ctx, const char *source, limn_pipeline **out);

/* A model by the files that its networks lie in, each with its network alone or among others.  NULL: the part is model's;
 * where that has none, and what draws is a published network in a file alone, the one file that fits by its tensors, in the
 * folder of that file or beside the folder (../text_encoders, ../clip, ../text_encoder; ../vae); the log is told. */
typedef struct limn_pipeline_parts {
    const char *model;           /* as for limn_pipeline_open(); NULL: diffusion_model */
    const char *diffusion_model; /* what draws, in place of model's */
    const char *clip_l;          /* the text encoder; of Stable Diffusion XL the first one, CLIP's */
    const char *clip_g;          /* its second one, OpenCLIP's */
    const char *t5xxl;           /* T5's encoder; Stable Diffusion 3 reads all three, and draws with one of them */
    const char *vae;             /* as for limn_pipeline_set_autoencoder() */
} limn_pipeline_parts;

/**
 * The same by its parts: limn_pipeline_open(ctx, source, out) has the part .model = source.
 *
 * @param parts  needed, with its paths, during this call only
 * @param out    on LIMN_OK the caller owns *out and frees it with limn_pipeline_free(); otherwise *out is NULL
 * @return as limn_pipeline_open(); LIMN_BAD_ARGUMENT: neither model nor diffusion_model, parts that do not belong together
 *         (the sentence has both numbers), several text encoders that nobody chose from; LIMN_NOT_FOUND: also no text
 *         encoder.  Without an autoencoder, or with several to choose from, it opens: limn_pipeline_set_autoencoder()
 */
LIMN_API limn_status limn_pipeline_open_parts(limn_ctx *ctx, const limn_pipeline_parts *parts, limn_pipeline **out);
LIMN_API void limn_pipeline_free(limn_pipeline *pipeline); /* NULL is allowed */
/** A second pipeline on the same weights, for another thread, which has ctx: the weights are in memory once, each pipeline
 *  has activations of its own.  While this runs, nothing else uses pipeline.
 *  @return LIMN_OK: *out is freed before the pipeline that it shares; LIMN_NO_MEMORY */
LIMN_API limn_status limn_pipeline_share(limn_ctx *ctx, const limn_pipeline *pipeline, limn_pipeline **out);
LIMN_API limn_pipeline_info limn_pipeline_describe(const limn_pipeline *pipeline);

/* A small file that changes a model (LoRA, LoCon, LoHa, LoKr, DoRA; of kohya, diffusers, PEFT, LyCORIS), and how much: 1 as
 * it was trained, 0 not at all, of the denoiser and of what reads the text. */
typedef struct limn_lora_file {
    const char *path;
    double weight, text_weight;
} limn_lora_file;
/** Change a pipeline by n files, in place of those it was changed by before; n = 0: by none.  Weights are changed while they
 *  are read, in f32, and rounded once.  Not of a pipeline that shares another one's weights; those that share this one's are
 *  changed with it, and none may be under way.
 *  @return LIMN_OK, the log has how many modules of each file fit; LIMN_BAD_FILE: none does, or one has another shape;
 *  LIMN_NOT_FOUND, LIMN_NO_MEMORY; LIMN_BAD_ARGUMENT.  On failure by none */
LIMN_API limn_status limn_pipeline_set_loras(limn_pipeline *pipeline, int n, const limn_lora_file *files);
/** Words of prompts that stand for vectors (textual inversion): the files in a folder (.safetensors, .pt, .bin; of A1111,
 *  kohya, diffusers), in place of those of a folder before; NULL: none.  In the style a1111 a word is a file's name without
 *  its ending, where its tokens stand, so capitals are no matter; in comfy "embedding:NAME"; in plain as in a1111, and the
 *  "<token>" in a file.  Where a model has two text encoders a file has vectors for both, as many for each.  Not of
 *  a pipeline that shares another one's weights; those that share this one's have them too.
 *  @return LIMN_OK, the log has how many fit: a prompt that names one that does not is refused; LIMN_NOT_FOUND: no folder,
 *  or none in it; LIMN_BAD_FILE: none fits; LIMN_UNSUPPORTED: the model has no text encoder of its own; LIMN_BAD_ARGUMENT,
 *  LIMN_NO_MEMORY.  On failure there are none */
LIMN_API limn_status limn_pipeline_set_embeddings(limn_pipeline *pipeline, const char *folder);
/** The label of a class by the name that its folder or its field had in training; of published ones by any of its names.
 *  @return 0 .. classes - 1; -1: the model knows no such name, or several classes of it */
LIMN_API int limn_pipeline_class(const limn_pipeline *pipeline, const char *name);
/** The label of a class by its name, else by its number ("@10" is the number 10 where a class has the name "10").  Of a
 *  published model (DiT) names are those in model_index.json, imagenet_classes.txt or classes.txt beside the weights.
 *  @return LIMN_OK, also where the network takes no labels: *label is unchanged; LIMN_BAD_ARGUMENT */
LIMN_API limn_status limn_pipeline_label(const limn_pipeline *pipeline, const char *word, int *label);

/** Give a pipeline whose network makes latents its autoencoder.  source: as for limn_autoencoder_open(); NULL: vae in the
 *  model's folder, else the one that the model's metadata names, which must lie beside the weights or beside the model's
 *  folder: only the name in it counts, never a path; of published weights the one that limn_pipeline_parts speaks of.
 *  @return LIMN_OK, also when source is NULL and the network makes pictures; LIMN_NOT_FOUND; LIMN_BAD_ARGUMENT: it has other
 *  latents, the network was trained on pictures, or several could be meant; what limn_autoencoder_open() says.  On failure
 *  the pipeline is unchanged */
LIMN_API limn_status limn_pipeline_set_autoencoder(limn_pipeline *pipeline, const char *source);

/** Give a pipeline whose network makes latents a (tiny) autoencoder for previews; what is finished is decoded as before.
 *  @return LIMN_OK; as limn_pipeline_set_autoencoder(); on failure the pipeline is unchanged */
LIMN_API limn_status limn_pipeline_set_preview(limn_pipeline *pipeline, const char *source);

/**
 * Make pictures.  Same options, same bytes, on any number of threads.  Weights are kept for the next call, of any size; but
 * a text encoder of 64 MB and more is free once it has read the texts, and read again when they change, and so is the
 * encoder of a picture to start from; activations of that much are free when they are of no use, too.
 *
 * @param images  [options->n]; on LIMN_OK each is the caller's, freed with limn_image_free(); on failure none is left
 * @return LIMN_OK; LIMN_BAD_ARGUMENT or LIMN_NOT_FOUND (the sentence names the option); LIMN_BAD_FILE (weights that do not
 * fit, or whose output at a step
 *         is not finite: which, and the first tensor that holds NaN or infinity);
 *         LIMN_NO_MEMORY, said before it is taken; LIMN_CANCELLED by the progress callback (limn_progress_fn) */
LIMN_API limn_status limn_generate(limn_pipeline *pipeline, const limn_generate_options *options, limn_image *images);

/** The same up to the decoder: latents, as limn_decode() takes them, and no autoencoder is needed.  Of a network that makes
 *  pictures: their values, -1..1.
 *  @param latents  [options->n]; on LIMN_OK each is the caller's, freed with limn_latent_free(); on failure none is left */
LIMN_API limn_status limn_generate_latents(limn_pipeline *pipeline, const limn_generate_options *options,
                                           limn_latent *latents);

typedef struct limn_upscale_options {
    double scale; /* 1 to 8: times the sides become */
    int tile;     /* side of the tiles in pixels; 0: limn_pipeline_info's width and height */
    int overlap;  /* pixels two neighbours share at least; 0: an eighth of a tile */
} limn_upscale_options;

/**
 * Enlarge a picture by a network of latents: between its pixels, then in tiles that overlap, each drawn anew from there
 * options->strength of the way from noise (0.3 keeps what there is), with the seed + its number; where they overlap they
 * fade into each other.  Any picture, in any size that fits into memory.
 *
 * @param options  as for limn_generate(): one picture, and no sides, start or mask of its own
 * @param out      on LIMN_OK the caller's (limn_image_free()), else empty
 * @return as limn_generate(); LIMN_BAD_ARGUMENT also for a network that draws pixels, or enlarges by itself
 */
LIMN_API limn_status limn_upscale(limn_pipeline *pipeline, const limn_image *small, const limn_upscale_options *upscale,
                                  const limn_generate_options *options, limn_image *out);

/**
 * What the network reads of a text, as numbers.
 *
 * @param text      UTF-8; what does not fit into text_length tokens is cut off, and the log is told; NULL: ""
 * @param features  [text_length, text_width] of limn_pipeline_info
 * @param pooled    [pooled_width], of the text's last token (Stable Diffusion XL: projected by its second encoder); or NULL
 * @return LIMN_OK; LIMN_UNSUPPORTED: it reads no text; LIMN_BAD_FILE: weights that do not fit, or whose output is not
 *         finite; LIMN_NO_MEMORY; LIMN_CANCELLED
 */
LIMN_API limn_status limn_encode_text(limn_pipeline *pipeline, const char *text, limn_precision precision, float *features,
                                      float *pooled);

/* Pictures under way: limn_generate() a step at a time.  Until its end the pipeline is used by nothing else.
 *
 *     limn_sampling *s;
 *     limn_status status = limn_sampling_begin(model, &options, &s);
 *     while (status == LIMN_OK && limn_sampling_left(s)) {
 *         status = limn_sampling_step(s);
 *         ... limn_sampling_picture(s, 0, &image): what it will be, as far as can be told ...
 *     }
 *     limn_sampling_end(s);
 */

/** Check the options, plan, read the text and set out from noise, or from the picture or latent of the options.  What they
 *  point to is needed during this call only.
 *  @return LIMN_OK: end *out with limn_sampling_end(), before the pipeline is freed; what limn_generate() says;
 *          LIMN_NO_MEMORY: options->n pictures cannot run together; otherwise *out is NULL */
LIMN_API limn_status limn_sampling_begin(limn_pipeline *pipeline, const limn_generate_options *options, limn_sampling **out);
/** Steps that are still to make: 0 at the end.  A step is a call of the network: heun has two for each of options.steps but
 *  one, and resample repeats them. */
LIMN_API int limn_sampling_left(const limn_sampling *sampling);
/** Make one.  @return LIMN_OK; LIMN_BAD_ARGUMENT: none is left; LIMN_BAD_FILE; LIMN_NO_MEMORY; LIMN_CANCELLED: it may be
 *  made again */
LIMN_API limn_status limn_sampling_step(limn_sampling *sampling);
/** Picture i as it will be, by what the network said last: at the end it is limn_generate()'s, before the first step noise.
 *  @return LIMN_OK: free *out with limn_image_free(); LIMN_BAD_ARGUMENT: i; LIMN_UNSUPPORTED: there is no autoencoder;
 *          LIMN_NO_MEMORY */
LIMN_API limn_status limn_sampling_picture(limn_sampling *sampling, int i, limn_image *out);
/** The same as a latent, before it is decoded.  @return LIMN_OK: free *out with limn_latent_free(); LIMN_BAD_ARGUMENT: i;
 *  LIMN_NO_MEMORY */
LIMN_API limn_status limn_sampling_latent(limn_sampling *sampling, int i, limn_latent *out);
/** The same as limn_sampling_picture(), roughly and fast, by what options.preview said.  @return as it; LIMN_BAD_ARGUMENT:
 *  that was NONE */
LIMN_API limn_status limn_sampling_preview(limn_sampling *sampling, int i, limn_image *out);
LIMN_API void limn_sampling_end(limn_sampling *sampling); /* NULL is allowed */

/** What made picture i, in the form in which picture tools read it from the PNG chunk "parameters" (prompt, negative prompt,
 *  then "Steps: 20, Sampler: Euler, CFG scale: 3, Seed: 42, ...").  @return the caller's, limn_free(); NULL when memory is
 *  out */
LIMN_API char *limn_generate_parameters(const limn_pipeline *pipeline, const limn_generate_options *options, int i);

/* ---- latents --------------------------------------------------------------------------------------------------------- */

/* A trained autoencoder.  Used by one thread at a time, with its context. */
typedef struct limn_autoencoder limn_autoencoder;

typedef struct limn_autoencoder_info {
    const char *network;         /* "vae", "tae"; borrowed, as settings is */
    const char *settings;        /* "vae size=512 channels=3 ..." */
    int channels, latent;        /* of its pictures, of its latents */
    int factor;                  /* a latent's sides are a picture's divided by this */
    double scale, shift; /* published numbers of the latents that diffusion sees: (latent - shift) scale; 1 and 0 where there
                            are none */
} limn_autoencoder_info;


/**
 * Open a weight file, a folder with one (model.safetensors, diffusion_pytorch_model.safetensors, also in vae/), or the
 * encoder of a pair of files whose names differ in "encoder" and "decoder" only; a folder may hold such a pair.
 *
 * @param out  on LIMN_OK the caller owns *out and frees it with limn_autoencoder_free(); otherwise *out is NULL
 * @return LIMN_OK; LIMN_NOT_FOUND; LIMN_BAD_FILE; LIMN_UNSUPPORTED: the weights of
 * another network; LIMN_NO_MEMORY */
LIMN_API limn_status limn_autoencoder_open(limn_ctx *ctx, const char *source, limn_autoencoder **out);
LIMN_API void limn_autoencoder_free(limn_autoencoder *autoencoder); /* NULL is allowed */
LIMN_API limn_autoencoder_info limn_autoencoder_describe(const limn_autoencoder *autoencoder);

/** In tiles, from the next call on.  @return LIMN_BAD_ARGUMENT: a size or an overlap out of range; nothing changed */
LIMN_API limn_status limn_autoencoder_set_tiling(limn_autoencoder *autoencoder, const limn_tiling *tiling);

/** A picture of any size and number of channels to the mean of its latent.  What is planned is said to the log before it is
 *  taken, and kept for the next picture of the size.  @return LIMN_OK: free *out with limn_latent_free(); LIMN_NO_MEMORY;
 *  LIMN_BAD_FILE: no encoder among the weights, they do not fit, or what comes out is not finite; otherwise *out is empty */
LIMN_API limn_status limn_encode(limn_autoencoder *autoencoder, const limn_image *image, limn_precision precision,
                                 limn_latent *out);
/** And back, cut to the picture's size.  @return as limn_encode(); LIMN_BAD_ARGUMENT: another number of channels; free *out
 *  with limn_image_free() */
LIMN_API limn_status limn_decode(limn_autoencoder *autoencoder, const limn_latent *latent, limn_precision precision,
                                 limn_image *out);

/** Write atomically: safetensors with one tensor "latent" [channels, height, width] and metadata limn.picture ("640x427")
 *  and limn.vae.settings (limn_autoencoder_info.settings). */
LIMN_API limn_status limn_latent_write(limn_ctx *ctx, const char *path, const limn_latent *latent, const char *settings);
/** @return LIMN_OK: free *out with limn_latent_free(); LIMN_BAD_FILE names what is wrong (shape, a value that is not finite,
 *  size of the picture);
 *          LIMN_NOT_FOUND; LIMN_IO; LIMN_NO_MEMORY */
LIMN_API limn_status limn_latent_read(limn_ctx *ctx, const char *path, limn_latent *out);

/** Pictures between two latents of one shape: picture i of n is decoded from a + (b - a) i / (n - 1), or on the arc between
 *  them (spherical).
 *  @param images  [n], n at least 2; on LIMN_OK each is the caller's, on failure none is left; progress is told of "picture"
 *  @return as limn_decode(); LIMN_BAD_ARGUMENT: another shape or too few pictures; LIMN_CANCELLED */
LIMN_API limn_status limn_interpolate(limn_autoencoder *autoencoder, const limn_latent *a, const limn_latent *b, int n,
                                      bool spherical, limn_precision precision, limn_image *images);

/* ---- a class for every pixel ------------------------------------------------------------------------------------------ */

/* A trained segmentation network.  Used by one thread at a time, with its context. */
typedef struct limn_segmentation limn_segmentation;

typedef struct limn_segmentation_options {
    int tile; /* pixels a side of a tile; 0: those the network was trained with */
    /* Pixels two neighbours share at least, less than a tile has (padding=valid: than its result); 0: a quarter. */
    int overlap;
    /* The mean of what is found in so many views of each tile: 1 (0 too); 2: also mirrored, left and right; 4: all flips;
     * 8: and quarter turns (4 where tiles are not square).  Better, so many times slower, no more memory. */
    int views;
    limn_precision precision;
} limn_segmentation_options;

typedef struct limn_segmentation_info {
    const char *network;         /* "unet"; borrowed, as class_name is */
    int tile_width, tile_height; /* of a tile */
    int channels, classes;
    const char *const *class_name; /* [classes], or NULL: the file names none */
} limn_segmentation_info;

/**
 * Open a folder with model.safetensors, as `limn train unet` writes it, or a weight file alone.
 *
 * @param options  NULL: all 0
 * @param out      on LIMN_OK the caller owns *out and frees it with limn_segmentation_free(); otherwise *out is NULL
 * @return LIMN_OK; LIMN_NOT_FOUND; LIMN_BAD_FILE; LIMN_BAD_ARGUMENT: a tile that the network cannot halve often enough, an
 * overlap that fills it, other views;
 *         LIMN_UNSUPPORTED: the weights of another network; LIMN_NO_MEMORY
 */
LIMN_API limn_status limn_segmentation_open(limn_ctx *ctx, const char *source, const limn_segmentation_options *options,
                                            limn_segmentation **out);
LIMN_API void limn_segmentation_free(limn_segmentation *segmentation); /* NULL is allowed */
LIMN_API limn_segmentation_info limn_segmentation_describe(const limn_segmentation *segmentation);

/**
 * The classes of a picture of any size, in tiles that overlap; segment.h has files and volumes.  Gray, colour and
 * transparency (white shines through) become what the network reads, 1 or 3 channels; a network of another number takes
 * pictures of that number.
 *
 * @param classes      one channel, 0 .. classes - 1; on LIMN_OK the caller's (limn_image_free()), else empty
 * @param probability  [height, width, classes], or NULL
 * @return LIMN_OK; LIMN_BAD_ARGUMENT (channels); LIMN_BAD_FILE: what comes out is not finite; LIMN_NO_MEMORY, said before it
 * is taken; LIMN_CANCELLED by
 *         the progress callback, which is told of "tile"
 */
LIMN_API limn_status limn_segment(limn_segmentation *segmentation, const limn_image *image, limn_image *classes,
                                  float *probability);

/* ---- what is in a file ------------------------------------------------------------------------------------------------ */

/** A weight file, or the folder that holds it, as JSON: {file, kind, metadata {..}, network {settings, parameters, found,
 *  fits ..} or null, networks [..], latents, tensors [{name, dtype, shape, offset, bytes}]}; of a PNG {file, kind, width,
 *  height, bits, color, text {..}}.  Nothing in the file is executed; text that is not UTF-8 is escaped.
 *  @param out  on LIMN_OK the caller's, limn_free(), else NULL
 *  @return LIMN_OK, also for weights of no network that Limn knows; LIMN_NOT_FOUND; LIMN_BAD_FILE: damaged, or of another
 *          kind; LIMN_IO; LIMN_NO_MEMORY */
LIMN_API limn_status limn_inspect_json(limn_ctx *ctx, const char *path, char **out);

/* ---- weights in other types and under other names --------------------------------------------------------------------- */

typedef struct limn_convert_options {
    const char *type;    /* "f32", "f16", "bf16", "q8_0", "q4_0" .. "q6_k", "iq4_nl"; NULL: each tensor its own */
    const char *dialect; /* "original", "diffusers", "diffusers-old", "transformers-5"; NULL: names stay */
    const char *part;    /* one network alone: "denoiser", "text", "vae"; NULL: all that there is */
    const char *format;  /* "safetensors", "gguf"; NULL: as the name of the result ends */
} limn_convert_options;

/** Write the weights of a file (safetensors, an index of several, torch.save()'s, GGUF) or of a folder of diffusers as one
 *  file, a piece at a time.  Tensors that blocks do not suit (biases, norms, convolutions, embeddings, first and last
 *  layers) stay in 16 bits and more: how many, and why, is told to the log.  Tensors that keep their type keep their bytes.
 *  Without dialect and part all tensors are written, with them those of the networks that are known.  Texts of the metadata
 *  are kept.  Progress: "tensor".
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT: a word, or a type the format lacks; LIMN_BAD_FILE: damaged, or a number the type does
 *          not hold; LIMN_UNSUPPORTED; LIMN_NOT_FOUND; LIMN_IO; LIMN_NO_MEMORY; LIMN_CANCELLED: nothing was written */
LIMN_API limn_status limn_convert_file(limn_ctx *ctx, const char *in, const char *out, const limn_convert_options *options);

/* ---- comparing -------------------------------------------------------------------------------------------------------- */

/** Peak signal-to-noise ratio of two pictures of one size in dB, over all bytes: 10 log10(255^2 / mean squared difference);
 *  infinite when they are equal.  Of pictures with alpha (2 or 4 channels) colours are multiplied by it first.  @return
 *  LIMN_BAD_ARGUMENT when sizes or channels differ */
LIMN_API limn_status limn_psnr(limn_ctx *ctx, const limn_image *a, const limn_image *b, double *out);
/** Structural similarity, Wang et al. 2004: Gaussian windows of 11x11, sigma 1.5, K1 = 0.01, K2 = 0.03, weighted
 *  (population) variances; mean over windows that lie within the picture, then over channels; of pictures with alpha as
 *  limn_psnr().  @return LIMN_BAD_ARGUMENT when sizes or channels differ, or a side is below 11; LIMN_NO_MEMORY */
LIMN_API limn_status limn_ssim(limn_ctx *ctx, const limn_image *a, const limn_image *b, double *out);

#ifdef __cplusplus
}
#endif
#endif
