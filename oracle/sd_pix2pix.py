"""Writes tests/vectors/sd_pix2pix.h: networks that change a picture as a text says, by diffusers' InstructPix2Pix pipelines of Stable Diffusion 1 and XL.

usage: sd_pix2pix.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sd_pix2pix.h        (torch, diffusers 0.42, transformers 5)

The shrunken U-Nets of sd_pipeline.py and sdxl_pipeline.py (the base), with eight channels and the same weights by the same formula.  Noise comes from a generator on the CPU; the picture is an integer formula.  What
each of the picture, the prompt and both scales does to the last latent is written to stderr, so that nobody trusts vectors that do not hang on them.
"""
import sys

import numpy as np
import torch
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionInstructPix2PixPipeline, StableDiffusionXLInstructPix2PixPipeline, UNet2DConditionModel
from PIL import Image

import sd_relatives
import sdxl_pipeline
from sd_pipeline import SCHEDULER, fill, floats, hexed, shrunken, shrunken_unet

SCHEDULERS = {**sd_relatives.SCHEDULERS, "euler_a": lambda: EulerAncestralDiscreteScheduler(**SCHEDULER)}  # as timbrooks/instruct-pix2pix has it
CASES = [  # network, scheduler, steps, guidance, image guidance, negative prompt (None: none), width, height
    ("sd", "euler_a", 4, 7.5, 1.5, "", 48, 32), ("sd", "euler_a", 3, 7.5, 1, "fog", 40, 56), ("sd", "ddim", 4, 7.5, 1.5, "fog", 48, 32), ("sd", "ddim", 3, 3, 4, "", 40, 56),
    ("sd", "pndm", 4, 7.5, 2.5, "fog", 48, 32), ("sd", "dpm", 5, 5, 1.5, "", 48, 32), ("sd", "ddim", 3, 1, 1.5, "fog", 48, 32), ("sd", "ddim", 3, 7.5, 0.5, "fog", 48, 32),
    ("xl", "euler_a", 3, 5, 1.5, None, 48, 32), ("xl", "ddim", 3, 5, 2, "fog", 40, 56), ("xl", "ddim", 2, 5, 1, None, 48, 32)]
SEED, PROMPT = 7, "make it winter"


def picture(width, height):
    y, x, c = np.mgrid[:height, :width, :3]
    return ((5 * x + 3 * y * (c + 1) + x * y // 4) % 256).astype(np.uint8)


def seeing(model):
    """The same network with a first convolution of eight channels."""
    return fill(UNet2DConditionModel(**{**model.config, "in_channels": 8}))


def draw(nets, net, scheduler, steps, guidance, image_guidance, negative, width, height, prompt=PROMPT, flip=False):
    more = dict(safety_checker=None, feature_extractor=None, requires_safety_checker=False) if net == "sd" else dict(force_zeros_for_empty_prompt=True, add_watermarker=False)
    pipe = {"sd": StableDiffusionInstructPix2PixPipeline, "xl": StableDiffusionXLInstructPix2PixPipeline}[net](scheduler=SCHEDULERS[scheduler](), **nets[net], **more)
    pipe.set_progress_bar_config(disable=True)
    latents = []

    def keep(x):
        latents.append(x[0].permute(1, 2, 0).numpy().copy())
        return {}

    seen = picture(width, height)  # XL's pipeline has other sides than the picture's by default, and the older callback
    own = dict(callback_on_step_end=lambda pipe, i, t, kwargs: keep(kwargs["latents"])) if net == "sd" else dict(callback=lambda i, t, x: keep(x), width=width, height=height)
    image = pipe(prompt, image=Image.fromarray(255 - seen if flip else seen), num_inference_steps=steps, guidance_scale=guidance, image_guidance_scale=image_guidance,
                 negative_prompt=negative, generator=torch.Generator().manual_seed(SEED), output_type="np", **own).images[0]
    return np.stack(latents), (image * 255).round().astype(np.uint8)


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    bpe_2, text_2 = sdxl_pipeline.second_encoder(sys.argv[1])
    vae_xl = shrunken(sys.argv[1])[2]
    vae_xl.register_to_config(scaling_factor=0.13025)
    nets = {"sd": dict(vae=vae, text_encoder=text, tokenizer=bpe, unet=seeing(shrunken_unet())),
            "xl": dict(vae=vae_xl, text_encoder=text, tokenizer=bpe, text_encoder_2=text_2, tokenizer_2=bpe_2, unet=seeing(sdxl_pipeline.unet("base")))}
    print("/* sd_pix2pix.h: written by oracle/sd_pix2pix.py with diffusers and transformers; do not edit. */")
    print("typedef struct pix_case {\n    const char *net, *scheduler, *negative;\n    int steps;\n    double guidance, image_guidance;\n    int width, height, calls;\n"
          "    const float *latents; /* after each call [h,w,4] */\n    const char *picture;  /* hex of [height,width,3] */\n} pix_case;")
    print(f'enum {{ PIX_SEED = {SEED}, PIX_CASES = {len(CASES)} }};\nstatic const char pix_prompt[] = "{PROMPT}";')
    rows, printed = [], {}

    def once(kind, name, values):
        """The array of these values: of two cases without guidance it is one."""
        if values not in printed:
            print(f"static const {kind} {name}[] = {values};")
        return printed.setdefault(values, name)

    with torch.no_grad():
        for k, case in enumerate(CASES):
            latents, image = draw(nets, *case)
            net, scheduler, steps, guidance, image_guidance, negative, width, height = case
            said = "NULL" if negative is None else f'"{negative}"'
            values, pixels = once("float", f"pix_latents_{k}", floats(latents)), once("char", f"pix_picture_{k}", "\n" + hexed(image.ravel().tolist()))
            rows.append(f'    {{"{net}", "{scheduler}", {said}, {steps}, {guidance}, {image_guidance}, {width}, {height}, {len(latents)}, {values}, {pixels}}},')
            others = {"picture": draw(nets, *case, flip=True), "prompt": draw(nets, *case, prompt="x"), "guidance": draw(nets, *case[:3], guidance + 1, *case[4:]),
                      "image guidance": draw(nets, *case[:4], image_guidance + 1, *case[5:]), "negative": draw(nets, *case[:5], "a red boat", width, height)}
            print(k, net, scheduler, [round(float(np.abs(x).max()), 3) for x in latents], "picture", image.mean(), image.std(),
                  {what: (float(np.abs(a[-1] - latents[-1]).max()), float(np.abs(b.astype(int) - image).max())) for what, (a, b) in others.items()}, file=sys.stderr)
    print("static const pix_case pix_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
