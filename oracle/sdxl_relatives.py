"""Writes tests/vectors/sdxl_relatives.h: relatives of Stable Diffusion XL and what starts from a picture, by diffusers' own pipelines.

usage: sdxl_relatives.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sdxl_relatives.h        (torch, diffusers 0.42, transformers 5)

As sd_relatives.py, whose picture, mask and seed these are, with the networks of sdxl_pipeline.py.  U-Nets of nine channels (inpainting), told the guidance (LCM) and pruned: SSD-1B
and KOALA with the keys of their config.json files and fewer channels.  Of the first two only what the base lacks is written.  "turbo" and "lightning"
are the schedulers of SDXL-Turbo and SDXL-Lightning, guidance as their cards say.
"""
import json
import sys

import numpy as np
import torch
from diffusers import (DDIMScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, LCMScheduler, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLInpaintPipeline,
                       StableDiffusionXLPipeline, UNet2DConditionModel)
from PIL import Image

from sd_pipeline import SCHEDULER, fill, floats, shrunken, unet_name
from sd_relatives import HEIGHT, PROMPT, SEED, WIDTH, mask, picture
from sdxl_pipeline import EACH, G, L, second_encoder

SCHEDULERS = {
    "euler": lambda: EulerDiscreteScheduler(timestep_spacing="leading", **SCHEDULER), "euler_a": lambda: EulerAncestralDiscreteScheduler(timestep_spacing="leading", **SCHEDULER),
    "ddim": lambda: DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SCHEDULER), "lcm": lambda: LCMScheduler(original_inference_steps=50, **SCHEDULER),
    "turbo": lambda: EulerAncestralDiscreteScheduler(timestep_spacing="trailing", **SCHEDULER), "lightning": lambda: EulerDiscreteScheduler(timestep_spacing="trailing", **SCHEDULER)}
DOWN, UP = ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D")
XL = dict(sample_size=8, block_out_channels=(32, 64, 64), layers_per_block=1, cross_attention_dim=L + G, attention_head_dim=[2, 4, 4], norm_num_groups=32, use_linear_projection=True,
          addition_embed_type="text_time", addition_time_embed_dim=EACH, projection_class_embeddings_input_dim=G + 6 * EACH, down_block_types=DOWN, up_block_types=UP,
          transformer_layers_per_block=(1, 1, 3))
NETS = {
    "base": dict(XL), "inpaint": dict(XL, in_channels=9), "lcm": dict(XL, time_cond_proj_dim=256),
    "ssd": dict(XL, layers_per_block=2, mid_block_type="UNetMidBlock2D", transformer_layers_per_block=[[1], [2, 2], [4, 4]], reverse_transformer_layers_per_block=[[4, 4, 10], [2, 1, 1], 1]),
    "koala": dict(XL, mid_block_type=None, transformer_layers_per_block=[1, 2, 5])}
CASES = [  # network, pipeline, scheduler, steps, guidance, strength, negative
    ("base", "picture", "euler", 4, 5, 0.5, "fog"), ("base", "picture", "euler_a", 4, 5, 0.75, ""), ("base", "picture", "ddim", 4, 5, 0.75, "fog"), ("base", "mask", "euler", 4, 5, 1, "fog"),
    ("base", "mask", "ddim", 4, 5, 0.75, ""), ("base", "mask", "euler_a", 4, 5, 0.75, ""), ("inpaint", "mask", "euler", 4, 5, 1, "fog"), ("inpaint", "mask", "ddim", 4, 5, 0.5, ""),
    ("inpaint", "mask", "euler_a", 4, 1, 1, ""), ("inpaint", "white", "euler", 3, 5, 1, ""), ("lcm", "words", "lcm", 4, 8, 1, ""), ("lcm", "words", "lcm", 2, 1.5, 1, ""),
    ("lcm", "picture", "lcm", 4, 8, 0.5, ""), ("base", "words", "turbo", 1, 0, 1, ""), ("base", "words", "turbo", 4, 0, 1, ""), ("base", "picture", "turbo", 2, 0, 0.5, ""),
    ("base", "words", "lightning", 2, 0, 1, ""), ("base", "words", "lightning", 4, 0, 1, ""), ("ssd", "words", "euler", 3, 5, 1, "fog"),
    ("koala", "words", "euler", 2, 5, 1, "fog"), ("ssd", "mask", "ddim", 4, 5, 0.5, "")]


def draw(net, model, kind, scheduler, steps, guidance, strength, negative, parts):
    make = {"words": StableDiffusionXLPipeline, "picture": StableDiffusionXLImg2ImgPipeline}.get(kind, StableDiffusionXLInpaintPipeline)
    pipe = make(unet=model, scheduler=SCHEDULERS[scheduler](), add_watermarker=False, **parts)
    pipe.set_progress_bar_config(disable=True)
    latents = []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}

    o = dict(prompt=PROMPT, negative_prompt=negative, num_inference_steps=steps, guidance_scale=guidance, generator=torch.Generator().manual_seed(SEED), callback_on_step_end=keep,
             output_type="latent")
    o.update(dict(width=WIDTH, height=HEIGHT) if kind == "words" else dict(image=Image.fromarray(picture()), strength=strength))
    if kind in ("mask", "white"):
        o.update(mask_image=Image.fromarray(mask(kind)), width=WIDTH, height=HEIGHT)
    pipe(**o)
    return np.stack(latents)


def second_pass(model, parts):
    """Latents of a first pass, enlarged, through the pipeline that starts from them, with the same generator begun anew."""
    o = dict(prompt=PROMPT, negative_prompt="fog", num_inference_steps=4, guidance_scale=5, output_type="latent")
    small, large = (make(unet=model, scheduler=SCHEDULERS["euler"](), add_watermarker=False, **parts) for make in (StableDiffusionXLPipeline, StableDiffusionXLImg2ImgPipeline))
    x = small(width=WIDTH, height=HEIGHT, generator=torch.Generator().manual_seed(SEED), **o).images
    x = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return large(image=x, strength=0.5, generator=torch.Generator().manual_seed(SEED), **o).images[0].permute(1, 2, 0).numpy()


def names(model):
    """Names of the U-Net in a checkpoint."""
    whole = {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2", "time_embedding.cond_proj": "time_embed.cond_proj"}
    out = []
    for name in model.state_dict():
        one = next((b + name[len(a):] for a, b in whole.items() if name.startswith(a + ".")), None)
        out.append("model.diffusion_model." + (one or unet_name(name, model.config.layers_per_block, 3, [False, True, True])))
    return out


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    vae.register_to_config(scaling_factor=0.13025)
    encode = vae.encode
    vae.encode = lambda x, *a, **k: encode(x.contiguous(), *a, **k)
    bpe2, text2 = second_encoder(sys.argv[1])
    parts = dict(vae=vae, text_encoder=text, tokenizer=bpe, text_encoder_2=text2, tokenizer_2=bpe2)
    nets = {k: fill(UNet2DConditionModel(**c)) for k, c in NETS.items()}
    print("/* sdxl_relatives.h: written by oracle/sdxl_relatives.py with diffusers and transformers; do not edit.  rel_case: sd_relatives.h. */")
    print("static const sd_tensor xlr_tensors[] = {")
    base = nets["base"].state_dict()
    for net, model in nets.items():
        for (name, t), one in zip(model.state_dict().items(), names(model)):
            if net != "base" and not (net in ("inpaint", "lcm") and name in base and base[name].shape == t.shape):
                print(f'    {{"{net}", "{name}", "{one}", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')
    print("};\nstatic const char *const xlr_configs[][2] = {")
    for net, model in nets.items():
        config = {k: v for k, v in model.config.items() if k != "_use_default_values"}
        print(f'    {{"{net}", {json.dumps(json.dumps(config))}}},')
    print(f"}};\nenum {{ XLR_CASES = {len(CASES)} }};")
    rows = []
    with torch.no_grad():
        for k, (net, kind, scheduler, steps, guidance, strength, negative) in enumerate(CASES):
            latents = draw(net, nets[net], kind, scheduler, steps, guidance, strength, negative, parts)
            print(f"static const float xlr_latents_{k}[] = {floats(latents)};")
            rows.append(f'    {{"{net}", "{kind}", "{scheduler}", "{negative}", {steps}, {guidance}, {strength}, {len(latents)}, xlr_latents_{k}}},')
            print(k, net, kind, scheduler, [float(np.abs(x).max()) for x in latents], file=sys.stderr)
    with torch.no_grad():
        print(f"static const float xlr_second_pass[] = {floats(second_pass(nets['base'], parts))}; /* [2 h,2 w,4] */")
    print("static const rel_case xlr_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
