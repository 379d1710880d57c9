/* make_sdxl.h: shrunken networks of Stable Diffusion XL in folders of diffusers (oracle/sdxl_pipeline.py). */
#ifndef LIMN_MAKE_SDXL_H
#define LIMN_MAKE_SDXL_H

#include "make_published.h"
#include "vectors/sdxl.h"

#include <sys/stat.h>

enum { XL_TENSORS = sizeof xl_tensors / sizeof *xl_tensors };
#define XL_UNET(heads)                                                                                                      \
    "{\"sample_size\": 8, \"attention_head_dim\": " heads ", \"norm_num_groups\": 32, \"addition_time_embed_dim\": 8}"

static inline void xl_write_part(limn_ctx *ctx, const char *path, const char *part)
{
    static const sd_tensor *tensors[SD_MOST];
    sd_write(ctx, path, sd_take(xl_tensors, XL_TENSORS, part, NULL, 0, tensors), tensors, "");
}

static inline void xl_put(const char *folder, const char *inside, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, inside);
    write_text(path, text);
}

/* model: "base", "refiner", "pruned". */
static inline void xl_write_folder(limn_ctx *ctx, const char *folder, const char *model)
{
    static const char *const parts[] = {"", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae",
                                        "scheduler"};
    bool refiner = !strcmp(model, "refiner");
    char path[200];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, parts[i]);
        if (!refiner || (i != 1 && i != 3)) mkdir(path, 0777);
    }
    xl_put(folder, "model_index.json", refiner ? "{\"force_zeros_for_empty_prompt\": false}"
                                               : "{\"force_zeros_for_empty_prompt\": true}");
    xl_put(folder, "unet/config.json", refiner ? XL_UNET("[2, 4, 4, 4]") : XL_UNET("[2, 4, 4]"));
    xl_put(folder, "vae/config.json", "{\"scaling_factor\": 0.13025, \"norm_num_groups\": 32}");
    xl_put(folder, "scheduler/scheduler_config.json", SD_EULER);
    xl_put(folder, "tokenizer_2/special_tokens_map.json", "{\"pad_token\": \"!\"}");
    xl_put(folder, "text_encoder_2/config.json", "{\"hidden_act\": \"gelu\", \"num_attention_heads\": 2}");
    if (!refiner) xl_put(folder, "text_encoder/config.json", SD_TEXT);
    for (size_t i = 1; i < 7; i++) {
        bool unet = !strcmp(parts[i], "unet");
        snprintf(path, sizeof path, "%s/%s/%s.safetensors", folder, parts[i],
                 strncmp(parts[i], "text", 4) ? "diffusion_pytorch_model" : "model");
        if (i != 3 && i != 4 && !(refiner && i == 1))
            xl_write_part(ctx, path, unet && strcmp(model, "base") ? model : parts[i]);
    }
}

#endif
