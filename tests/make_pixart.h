/* make_pixart.h: shrunken networks of PixArt as folders of diffusers (oracle/pixart_pipeline.py). */
#ifndef LIMN_MAKE_PIXART_H
#define LIMN_MAKE_PIXART_H

#include "make_sd3.h"
#include "vectors/pixart_pipeline.h"

enum { PIXART_TENSORS = sizeof pixart_tensors / sizeof *pixart_tensors };
#define PIXART_DPM                                                                                                          \
    "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"beta_start\": 0.0001, \"beta_end\": 0.02, " \
    "\"beta_schedule\": \"linear\"}"

static inline void pixart_write_part(limn_ctx *ctx, const char *path, const char *part)
{
    static limn_named_view view[SD_MOST];
    size_t n = 0;
    for (size_t i = 0; i < PIXART_TENSORS; i++) {
        const sd_tensor *t = &pixart_tensors[i];
        if (strcmp(t->part, part)) continue;
        view[n].name = t->name, view[n].view.dtype = LIMN_F32, view[n].view.data = sd3_values(t, &view[n].view.shape);
        n++;
    }
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

/* model: "sigma", "alpha" */
static inline void pixart_write_folder(limn_ctx *ctx, const char *folder, const char *model)
{
    static const char *const parts[] = {"", "transformer", "vae", "scheduler", "text_encoder", "tokenizer"};
    static const sd_tensor *tensors[SD_MOST];
    bool sigma = !strcmp(model, "sigma");
    char path[200];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, parts[i]);
        mkdir(path, 0777);
    }
    sd3_put(folder, "model_index.json", sigma ? "{\"_class_name\": \"PixArtSigmaPipeline\"}"
                                              : "{\"_class_name\": \"PixArtAlphaPipeline\"}");
    sd3_put(folder, "transformer/config.json", sigma ? "{\"sample_size\": 8, \"interpolation_scale\": 1, "
                                                       "\"num_attention_heads\": 2}"
                                                     : "{\"sample_size\": 128, \"interpolation_scale\": 2, "
                                                       "\"num_attention_heads\": 2, \"use_additional_conditions\": true}");
    sd3_put(folder, "vae/config.json", sigma ? "{\"scaling_factor\": 0.13025, \"norm_num_groups\": 32}" : SD_VAE);
    sd3_put(folder, "scheduler/scheduler_config.json", PIXART_DPM);
    snprintf(path, sizeof path, "%s/tokenizer/spiece.model", folder);
    sd3_copy(SD3_PIECES, path);
    snprintf(path, sizeof path, "%s/transformer/diffusion_pytorch_model.safetensors", folder);
    pixart_write_part(ctx, path, model);
    snprintf(path, sizeof path, "%s/text_encoder/model.safetensors", folder);
    pixart_write_part(ctx, path, "text_encoder");
    snprintf(path, sizeof path, "%s/vae/diffusion_pytorch_model.safetensors", folder);
    sd_write(ctx, path, sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "");
}

#endif
