/* registry.c: every network there is. */
#include "model/blocks.h"

const limn_family *const limn_families[] = {
    &limn_family_dit,
    &limn_family_mmdit,
    &limn_family_uvit,
    &limn_family_hdit,
    &limn_family_unet,
    &limn_family_clip_text,
    &limn_family_vae,
    &limn_family_tae,
    &limn_family_ddpm,
    &limn_family_ddpm_mnist,
    &limn_family_adm,
    &limn_family_ldm_unet,
    &limn_family_t5_text,
    &limn_family_pixart,
    NULL,
};

#define DIT "size=32 conditioning=modulated norm=pre classes=1000 learn_sigma=1 "
#define DIT_S DIT "width=384 depth=12 heads=6 mlp=1536 "
#define DIT_B DIT "width=768 depth=12 heads=12 mlp=3072 "
#define DIT_L DIT "width=1024 depth=24 heads=16 mlp=4096 "
#define DIT_XL DIT "width=1152 depth=28 heads=16 mlp=4608 "
#define UVIT_S "width=512 depth=12 heads=8 mlp=2048 "
#define UVIT_M "width=768 depth=16 heads=12 mlp=3072 "
#define UVIT_L "width=1024 depth=20 heads=16 mlp=4096 "
#define UVIT_H "width=1152 depth=28 heads=16 mlp=4608 final_conv=0 "
#define SD3 "size=128 channels=16 patch=2 attention=joint text_length=333 text_width=4096 pooled_width=2048 "
#define LATENT "size=32 channels=4 classes=1000 "

const limn_preset limn_presets[] = {
    {"dit-s/2", "dit", DIT_S "patch=2"},
    {"dit-s/4", "dit", DIT_S "patch=4"},
    {"dit-s/8", "dit", DIT_S "patch=8"},
    {"dit-b/2", "dit", DIT_B "patch=2"},
    {"dit-b/4", "dit", DIT_B "patch=4"},
    {"dit-b/8", "dit", DIT_B "patch=8"},
    {"dit-l/2", "dit", DIT_L "patch=2"},
    {"dit-l/4", "dit", DIT_L "patch=4"},
    {"dit-l/8", "dit", DIT_L "patch=8"},
    {"dit-xl/2", "dit", DIT_XL "patch=2"},
    {"dit-xl/4", "dit", DIT_XL "patch=4"},
    {"dit-xl/8", "dit", DIT_XL "patch=8"},
    {"uvit-s/2", "uvit", UVIT_S "size=32 patch=2"},
    {"uvit-s/4", "uvit", UVIT_S "size=64 patch=4"},
    {"uvit-m/4", "uvit", UVIT_M "size=64 patch=4 classes=1000"},
    {"uvit-l/4", "uvit", UVIT_L "size=64 patch=4 classes=1000"},
    {"uvit-l/2", "uvit", UVIT_L LATENT "patch=2"},
    {"uvit-h/2", "uvit", UVIT_H LATENT "patch=2"},
    {"hdit-sr", "hdit", "size=64 channels=3 patch=2 width=64 levels=3 depth=2 depth_inner=4 head_width=32 enlarge=4"},
    {"mmdit-emoji", "mmdit",
     "size=64 channels=4 patch=16 width=256 depth=6 heads=4 mlp=1024 attention=cross conditioning=modulated norm=pre "
     "text_encoder=clip text_length=24 text_width=192 text_depth=2 text_heads=4 text_vocab=8192"},
    {"sd3-medium", "mmdit", SD3 "width=1536 depth=24 heads=24 mlp=6144 places=192"},
    {"sd3.5-medium", "mmdit", SD3 "width=1536 depth=24 heads=24 mlp=6144 places=384 qk_norm=1 dual=13"},
    {"sd3.5-large", "mmdit", SD3 "width=2432 depth=38 heads=38 mlp=9728 places=192 qk_norm=1"},
    {"unet-2015", "unet", "size=572 channels=1 levels=5 padding=valid"},
    {"unet-milesial", "unet", "levels=5 norm=batch"},
    {"sd-vae", "vae", ""},
    {"taesd", "tae", ""},
    {"taef2", "tae", "latent=32 pool=1"},
    {"ddpm-cifar10", "ddpm", "size=32 channels=3 width=128 multipliers=1222 attention=16 attention_least=16"},
    {"ddpm-digits", "ddpm",
     "size=28 channels=1 width=32 multipliers=122 blocks=1 groups=8 attention=7 attention_least=7 classes=10"},
    {"ddpm-sr", "ddpm",
     "size=64 channels=3 width=32 multipliers=124 blocks=1 groups=8 attention=window attention_most=16 head_width=32 "
     "scale_shift=1 enlarge=4"},
    {"adm-64", "adm", "classes=1000 always_labelled=1"},
    {"adm-128", "adm", "size=128 width=256 multipliers=11234 blocks=2 heads=4 head_width=0 classes=1000 always_labelled=1"},
    {"adm-256-unlabelled", "adm", "size=256 width=256 multipliers=112244 blocks=2"},
    {"adm-256", "adm", "size=256 width=256 multipliers=112244 blocks=2 classes=1000 always_labelled=1"},
    {"pixart-alpha-256", "pixart", "size=32 interpolation=0.5 text_length=120"},
    {"pixart-alpha-512", "pixart", "text_length=120"},
    {"pixart-alpha-1024", "pixart", "size=128 interpolation=2 sides=1 text_length=120"},
    {"pixart-sigma", "pixart", "size=128 interpolation=2"},
    {"pixart-sigma-512", "pixart", ""},
    {"sd15-unet", "ldm-unet", "size=64 channels=4 width=320 multipliers=1244 blocks=2 heads=8 text_width=768"},
    {"sdxl-unet", "ldm-unet",
     "size=128 channels=4 width=320 multipliers=124 blocks=2 attention_most=64 attention_least=32 head_width=64 "
     "depth=2,2,10,10,10,10,10,10,2,2,2 projection=linear sizes=6 pooled_width=1280 text_width=2048"},
    {"ldm-unet-small", "ldm-unet",
     "size=32 channels=4 width=64 multipliers=124 blocks=1 groups=16 attention=16 attention_least=8 heads=4 "
     "text_encoder=clip text_length=24 text_width=192 text_depth=2 text_heads=4 text_vocab=8192"},
    {"t5-xxl", "t5-text", "text_width=4096 text_depth=24 text_heads=64 mlp=10240"},
    {NULL, NULL, NULL},
};
