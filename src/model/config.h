/* config.h: the settings of the networks as fields, and the rows that name them in texts.  Here are the structs of networks
 * whose published weights can be opened (model/map/numbers*.c fills them); another family's may stand in its own file. */
#ifndef LIMN_CONFIG_H
#define LIMN_CONFIG_H

#include "model/model.h"

#include <stddef.h>

/* ---- rows of limn_family.settings ------------------------------------------------------------------------------------- */

/* A field of another type than its row's does not compile.  The name is the field's, or (..._AS) another. */
#define LIMN_FIELD(config, field, ...)                                                                                      \
    .offset = offsetof(config, field), .kind = _Generic(((config *)0)->field, __VA_ARGS__)
#define LIMN_NUMBER_AS(label, config, field, value_, min_, max_, help_)                                                     \
    {.name = label, .value = value_, .min = min_, .max = max_, .help = help_,                                               \
     LIMN_FIELD(config, field, int: LIMN_SETTING_INT, double: LIMN_SETTING_REAL)}
#define LIMN_CHOICE_AS(label, config, field, value_, choices_, help_)                                                       \
    {.name = label, .value = value_, .choices = choices_, .help = help_,                                                    \
     LIMN_FIELD(config, field, unsigned: LIMN_SETTING_CHOICE)}
#define LIMN_FLAG_AS(label, config, field, value_, help_)                                                                   \
    {.name = label, .value = value_, .max = 1, .help = help_, LIMN_FIELD(config, field, bool: LIMN_SETTING_FLAG)}
/* A real that is written as a whole number of 1/per_, under another name, where it is one. */
#define LIMN_REAL_AS(label, fixed_, per_, config, field, value_, min_, max_, help_)                                         \
    {.name = label, .fixed = fixed_, .per = per_, .value = value_, .min = min_, .max = max_, .help = help_,                 \
     LIMN_FIELD(config, field, double: LIMN_SETTING_REAL)}
#define LIMN_NUMBER(config, field, ...) LIMN_NUMBER_AS(#field, config, field, __VA_ARGS__)
#define LIMN_CHOICE(config, field, ...) LIMN_CHOICE_AS(#field, config, field, __VA_ARGS__)
#define LIMN_FLAG(config, field, ...) LIMN_FLAG_AS(#field, config, field, __VA_ARGS__)
/* n: the field that says how many there are; the default values come last. */
#define LIMN_LIST_AS(label, config, field, n, form_, min_, max_, help_, ...)                                                \
    {.name = label, .form = form_, .min = min_, .max = max_, .help = help_, .count = offsetof(config, n),               \
     .values = (const int[]){__VA_ARGS__}, .n_values = sizeof((const int[]){__VA_ARGS__}) / sizeof(int),                    \
     .most = sizeof((config *)0)->field / sizeof(int), LIMN_FIELD(config, field, int *: LIMN_SETTING_LIST)}
#define LIMN_CONFIG_FITS(config)                                                                                            \
    _Static_assert(sizeof(config) <= LIMN_CONFIG_BYTES && _Alignof(config) <= _Alignof(double),                             \
                   "limn_settings holds " #config)

/* ---- what several families have --------------------------------------------------------------------------------------- */

typedef enum limn_text_encoder { LIMN_TEXT_FEATURES, LIMN_TEXT_CLIP } limn_text_encoder;

typedef struct limn_text_config {
    limn_text_encoder encoder; /* features are an input, or made of ids by a CLIP encoder */
    int length, width, depth, heads, vocab;
} limn_text_config;

#define LIMN_TEXT_SIZES(config, width_)                                                                                     \
    LIMN_NUMBER_AS("text_length", config, text.length, 77, 2, 4096, "text tokens"),                                         \
        LIMN_NUMBER_AS("text_width", config, text.width, width_, 8, 8192, "width of the text features")
#define LIMN_TEXT_ENCODER(config)                                                                                           \
    LIMN_CHOICE_AS("text_encoder", config, text.encoder, LIMN_TEXT_FEATURES, "none|clip",                                   \
                   "none: text features are an input; clip: ids are, and the encoder is trained along")
#define LIMN_TEXT_LAYERS(config, depth_, heads_, vocab_)                                                                    \
    LIMN_NUMBER_AS("text_depth", config, text.depth, depth_, 1, 128, "layers of the text encoder"),                         \
        LIMN_NUMBER_AS("text_heads", config, text.heads, heads_, 1, 128, "attention heads of the text encoder"),            \
        LIMN_NUMBER_AS("text_vocab", config, text.vocab, vocab_, 514, 49408, "tokens known: 512 bytes + merges + 2")

/* How the timestep reaches a block, and where its LayerNorm stands. */
typedef enum limn_conditioning { LIMN_TIME_ADDED, LIMN_TIME_MODULATES } limn_conditioning;
typedef enum limn_norm_place { LIMN_NORM_POST, LIMN_NORM_PRE } limn_norm_place;

#define LIMN_CONDITIONING(config)                                                                                           \
    LIMN_CHOICE(config, conditioning, LIMN_TIME_ADDED, "added|modulated", "how the timestep reaches a block"),              \
        LIMN_CHOICE(config, norm, LIMN_NORM_POST, "post|pre", "LayerNorm after or before each part of a block")

#define LIMN_ENLARGE(config, field)                                                                                         \
    LIMN_NUMBER_AS("enlarge", config, field, 0, 0, 16,                                                                      \
                   "a picture so many times smaller is the condition (super-resolution); 0: none")
#define LIMN_CLASSES(config) LIMN_NUMBER(config, classes, 0, 0, 1000000, "class labels; 0: none")
#define LIMN_LEARN_SIGMA(config, value)                                                                                     \
    LIMN_FLAG(config, learn_sigma, value, "1: the network also predicts the variance")

/* ---- transformers ----------------------------------------------------------------------------------------------------- */

typedef struct dit_config {
    int size, channels, patch, width, depth, heads, mlp, time_width, classes;
    limn_conditioning conditioning;
    limn_norm_place norm;
    bool learn_sigma, as_diffusers;
} dit_config;
LIMN_CONFIG_FITS(dit_config);

typedef enum mmdit_attention { MMDIT_CROSS, MMDIT_JOINT, MMDIT_BOTH } mmdit_attention;

typedef struct mmdit_config {
    int size, channels, patch, width, depth, heads, mlp, time_width, pooled_width, places, dual;
    mmdit_attention attention;
    limn_conditioning conditioning;
    limn_norm_place norm;
    bool qk_norm;
    limn_text_config text;
} mmdit_config;
LIMN_CONFIG_FITS(mmdit_config);

typedef struct pixart_config {
    int size, channels, patch, width, depth, heads, mlp;
    double interpolation;
    bool sides, learn_sigma;
    limn_text_config text; /* features are an input */
} pixart_config;
LIMN_CONFIG_FITS(pixart_config);

typedef struct uvit_config {
    int size, channels, patch, width, depth, heads, mlp, classes;
    bool time_mlp, final_conv, has_text;
    limn_text_config text;
} uvit_config;
LIMN_CONFIG_FITS(uvit_config);

typedef enum clip_activation { CLIP_QUICK_GELU, CLIP_GELU } clip_activation;

typedef struct clip_config {
    limn_text_config text;
    clip_activation activation;
    int projection;
} clip_config;
LIMN_CONFIG_FITS(clip_config);

typedef struct t5_config {
    limn_text_config text;
    int head_width, mlp, distances, far;
} t5_config;
LIMN_CONFIG_FITS(t5_config);

/* ---- segmentation ----------------------------------------------------------------------------------------------------- */

typedef enum unet_padding { UNET_SAME, UNET_VALID } unet_padding;
typedef enum unet_norm { UNET_NORM_NONE, UNET_NORM_BATCH, UNET_NORM_GROUP } unet_norm;
typedef enum unet_up { UNET_TRANSPOSED, UNET_BILINEAR } unet_up;

typedef struct unet_config {
    int size, height, channels, classes, width, levels, convs, groups;
    unet_padding padding;
    unet_norm norm;
    unet_up up;
} unet_config;
LIMN_CONFIG_FITS(unet_config);

/* ---- autoencoders ----------------------------------------------------------------------------------------------------- */

enum { VAE_LEVELS = 5 };

typedef struct vae_config {
    int size, channels, latent, patch, base, levels, mult[VAE_LEVELS], layers, groups;
    bool attention, quant;
    double scaling_factor, shift_factor;
} vae_config;
LIMN_CONFIG_FITS(vae_config);

typedef struct tae_config {
    int size, channels, latent, width, levels, blocks;
    bool pool;
} tae_config;
LIMN_CONFIG_FITS(tae_config);

/* ---- diffusion U-Nets: model/unet_blocks.h has the rows they share ---------------------------------------------------- */

enum { LIMN_UNET_LEVELS = 9 };

typedef enum limn_unet_attention { LIMN_UNET_FULL, LIMN_UNET_WINDOWS } limn_unet_attention;

typedef struct limn_unet_config {
    int size, channels, width, n_levels, multipliers[LIMN_UNET_LEVELS], blocks, groups, heads, head_width, enlarge;
    limn_unet_attention attention;
    int attention_most, attention_least, window, shift;
    bool scale_shift;
} limn_unet_config;

typedef enum ddpm_padding { DDPM_PAD_AFTER, DDPM_PAD_AROUND } ddpm_padding;
typedef enum ddpm_time { DDPM_SIN_FIRST, DDPM_COS_FIRST } ddpm_time;

typedef struct ddpm_config {
    limn_unet_config unet;
    ddpm_padding padding;
    ddpm_time time;
    double norm_eps;
    int classes;
    bool learn_sigma;
} ddpm_config;
LIMN_CONFIG_FITS(ddpm_config);

typedef enum adm_resize { ADM_RESIZE_CONV, ADM_RESIZE_BLOCK } adm_resize;

typedef struct adm_config {
    limn_unet_config unet;
    adm_resize resize;
    int classes;
    bool always_labelled, learn_sigma;
} adm_config;
LIMN_CONFIG_FITS(adm_config);

typedef enum ldm_projection { LDM_CONV, LDM_LINEAR } ldm_projection;

typedef struct ldm_unet_config {
    limn_unet_config unet; /* neither scale_shift nor enlarge */
    int n_depths, depth[LIMN_SETTING_MOST];
    ldm_projection projection;
    bool middle, middle_attends, inpaint, edit;
    int guidance_width, pooled_width, sizes, size_width;
    limn_text_config text;
} ldm_unet_config;
LIMN_CONFIG_FITS(ldm_unet_config);

typedef struct ddpm_mnist_config {
    int size, channels, width, time_width;
} ddpm_mnist_config;
LIMN_CONFIG_FITS(ddpm_mnist_config);

#endif
