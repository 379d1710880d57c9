"""Writes tests/vectors/sd_relatives.h: relatives of Stable Diffusion 1 and what starts from a picture, by diffusers' own pipelines.

usage: sd_relatives.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sd_relatives.h        (torch, diffusers 0.42, transformers 5)

Shrunken networks with the weights of sd_pipeline.py.  U-Nets of nine channels (inpainting), told the guidance (LCM) and pruned: as the config.json
files of BK-SDM small and tiny and of SDXS have them, fewer channels.  Noise comes from a generator on the CPU, so that what a pipeline draws, and in
which order, is a part of what is compared.  The picture and the mask are integer formulas.
"""
import re
import sys

import numpy as np
import torch
from diffusers import (DDIMScheduler, DEISMultistepScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, KDPM2AncestralDiscreteScheduler,
                       KDPM2DiscreteScheduler, LatentConsistencyModelImg2ImgPipeline, LatentConsistencyModelPipeline, LCMScheduler, LMSDiscreteScheduler, PNDMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline,
                       StableDiffusionPipeline, TCDScheduler, UniPCMultistepScheduler, UNet2DConditionModel)
from PIL import Image

from sd_pipeline import RES, SCHEDULER, fill, floats, shrunken, swap, unet_name

FLOW = dict(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
SCHEDULERS = {
    "pndm": lambda: PNDMScheduler(skip_prk_steps=True, **SCHEDULER), "ddim": lambda: DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SCHEDULER),
    "euler": lambda: EulerDiscreteScheduler(timestep_spacing="leading", **SCHEDULER), "euler_a": lambda: EulerAncestralDiscreteScheduler(timestep_spacing="leading", **SCHEDULER),
    "dpm": lambda: DPMSolverMultistepScheduler(**SCHEDULER), "unipc": lambda: UniPCMultistepScheduler(**SCHEDULER), "lcm": lambda: LCMScheduler(original_inference_steps=50, **SCHEDULER),
    "heun": lambda: HeunDiscreteScheduler(**SCHEDULER), "dpm2_a": lambda: KDPM2AncestralDiscreteScheduler(**SCHEDULER), "tcd": lambda: TCDScheduler(**SCHEDULER),
    "dpm2": lambda: KDPM2DiscreteScheduler(**SCHEDULER), "lms": lambda: LMSDiscreteScheduler(**SCHEDULER),
    "unipc_flow": lambda: UniPCMultistepScheduler(**FLOW), "dpm_flow": lambda: DPMSolverMultistepScheduler(**FLOW), "deis_flow": lambda: DEISMultistepScheduler(**FLOW)}
CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"


def unet(widths, kinds, **more):
    types = dict(down_block_types=[k.format("Down") for k in kinds], up_block_types=[k.format("Up") for k in reversed(kinds)])
    return UNet2DConditionModel(**{**dict(sample_size=8, block_out_channels=widths, layers_per_block=1, cross_attention_dim=64, attention_head_dim=8, norm_num_groups=32), **types, **more})


NETS = {
    "sd": lambda: unet((32, 64, 64), (CROSS, CROSS, PLAIN)), "inpaint": lambda: unet((32, 64, 64), (CROSS, CROSS, PLAIN), in_channels=9),
    "lcm": lambda: unet((32, 64, 64), (CROSS, CROSS, PLAIN), time_cond_proj_dim=256), "small": lambda: unet((32, 64, 64, 64), (CROSS, CROSS, CROSS, PLAIN), mid_block_type=None),
    "tiny": lambda: unet((32, 64, 64), (CROSS,) * 3, mid_block_type=None),
    "sdxs": lambda: unet((64, 64, 128), (PLAIN, CROSS, CROSS), mid_block_type=None, use_linear_projection=True, attention_head_dim=(1, 1, 2))}
CASES = [  # network, pipeline, scheduler, steps, guidance, strength, negative
    ("sd", "picture", "ddim", 4, 7.5, 0.5, "fog"), ("sd", "picture", "pndm", 4, 7.5, 0.5, "fog"), ("sd", "picture", "pndm", 4, 7.5, 0.75, ""), ("sd", "picture", "pndm", 4, 7.5, 0.25, ""),
    ("sd", "picture", "euler_a", 4, 7.5, 0.75, ""), ("sd", "picture", "dpm", 5, 7.5, 0.8, ""), ("sd", "picture", "unipc", 5, 7.5, 0.8, ""), ("sd", "picture", "euler", 4, 1, 1, ""),
    ("sd", "mask", "ddim", 4, 7.5, 1, "fog"), ("sd", "mask", "pndm", 4, 7.5, 0.75, ""), ("sd", "mask", "euler", 4, 7.5, 1, ""), ("sd", "mask", "euler_a", 4, 7.5, 0.75, ""),
    ("inpaint", "mask", "pndm", 4, 7.5, 1, "fog"), ("inpaint", "mask", "ddim", 4, 7.5, 0.5, ""), ("inpaint", "mask", "euler_a", 4, 1, 1, ""), ("inpaint", "white", "euler", 3, 7.5, 1, ""),
    ("inpaint", "white", "pndm", 4, 7.5, 0.5, "fog"), ("lcm", "words", "lcm", 4, 8.5, 1, ""), ("lcm", "words", "lcm", 2, 1.5, 1, ""), ("lcm", "picture", "lcm", 4, 8.5, 0.5, ""),
    ("small", "words", "pndm", 3, 7.5, 1, ""), ("tiny", "words", "euler", 3, 7.5, 1, "fog"), ("sdxs", "words", "euler", 1, 1, 1, ""), ("sdxs", "picture", "dpm", 2, 7.5, 1, ""),
    ("sd", "mask", "heun", 5, 7.5, 0.8, ""), ("sd", "mask", "dpm2_a", 4, 7.5, 0.75, ""), ("sd", "picture", "tcd", 5, 7.5, 0.6, ""),
    ("sd", "mask", "dpm2", 5, 7.5, 0.8, ""), ("sd", "picture", "dpm2", 4, 7.5, 0.75, ""), ("sd", "picture", "dpm2_a", 4, 7.5, 0.75, ""),
    ("sd", "picture", "lms", 8, 7.5, 0.8, ""), ("sd", "mask", "lms", 6, 7.5, 0.5, ""), ("sd", "picture", "lms", 5, 7.5, 1, ""),
    ("sd", "words", "unipc_flow", 4, 7.5, 1, "fog"), ("sd", "picture", "dpm_flow", 5, 7.5, 0.8, ""), ("sd", "mask", "deis_flow", 4, 7.5, 0.75, "")]
WIDTH, HEIGHT, SEED, PROMPT = 48, 32, 7, "a lighthouse at night"


def by_script(name):
    """Names of diffusers' convert_diffusers_to_original_stable_diffusion.py, which knows one network: what it does not rename keeps its name."""
    whole = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_norm_out": "out.0", "conv_out": "out.2"}
    if swap(name, whole) != name:
        return swap(name, whole)
    m = re.fullmatch(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name)
    i, j = int(m[2]), int(m[4])
    if m[3] == "downsamplers" and i < 3:
        return f"input_blocks.{3 * (i + 1)}.0.op" + m[5][len("conv"):]
    if m[3] == "upsamplers" and i < 3:
        return f"output_blocks.{3 * i + 2}.{1 if i == 0 else 2}." + m[5]
    if m[3] == "resnets":
        return (f"input_blocks.{3 * i + j + 1}.0." if m[1] == "down" else f"output_blocks.{3 * i + j}.0.") + swap(m[5], RES)
    if m[3] == "attentions" and (i < 3 if m[1] == "down" else i > 0):
        return (f"input_blocks.{3 * i + j + 1}.1." if m[1] == "down" else f"output_blocks.{3 * i + j}.1.") + m[5]
    return name


def original(net, model):
    attends = [k.startswith("Cross") for k in model.config.down_block_types]

    def name(k):
        if net in ("small", "tiny"):
            return by_script(k)
        return "time_embed.cond_proj.weight" if "cond_proj" in k else unet_name(k, 1, len(attends), attends)

    names = ["model.diffusion_model." + name(k) for k in model.state_dict()]
    assert len(set(names)) == len(names)
    return names


def picture():
    y, x, c = np.mgrid[:HEIGHT, :WIDTH, :3]
    return ((5 * x + 3 * y * (c + 1) + x * y // 4) % 256).astype(np.uint8)


def mask(kind):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.where((x + 2 * y < 60) | (kind == "white"), 255, 0).astype(np.uint8)


def draw(net, model, kind, scheduler, steps, guidance, strength, negative, parts):
    make = {"words": StableDiffusionPipeline, "picture": StableDiffusionImg2ImgPipeline}.get(kind, StableDiffusionInpaintPipeline)
    if net == "lcm":
        make = LatentConsistencyModelPipeline if kind == "words" else LatentConsistencyModelImg2ImgPipeline
    pipe = make(unet=model, scheduler=SCHEDULERS[scheduler](), safety_checker=None, feature_extractor=None, requires_safety_checker=False, **parts)
    pipe.set_progress_bar_config(disable=True)
    latents = []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}

    o = dict(prompt=PROMPT, num_inference_steps=steps, guidance_scale=guidance, generator=torch.Generator().manual_seed(SEED), callback_on_step_end=keep, output_type="latent")
    if net != "lcm":
        o.update(negative_prompt=negative)
    o.update(dict(width=WIDTH, height=HEIGHT) if kind == "words" else dict(image=Image.fromarray(picture()), strength=strength))
    if kind in ("mask", "white"):
        o.update(mask_image=Image.fromarray(mask(kind)), width=WIDTH, height=HEIGHT)
    pipe(**o)
    return np.stack(latents)


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    encode = vae.encode  # a gray picture is the same in every pixel: on pictures in another memory order torch's norms lose three digits of it
    vae.encode = lambda x, *a, **k: encode(x.contiguous(), *a, **k)
    nets = {k: fill(make()) for k, make in NETS.items()}
    print("/* sd_relatives.h: written by oracle/sd_relatives.py with diffusers and transformers; do not edit. */")
    print("static const sd_tensor rel_tensors[] = {")
    for net, model in nets.items():
        for (name, t), one in zip(model.state_dict().items(), original(net, model)):
            if net != "sd":
                print(f'    {{"{net}", "{name}", "{one}", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')
    print("};\ntypedef struct rel_case {\n    const char *net, *kind, *scheduler, *negative;\n    int steps;\n    double guidance, strength;\n    int calls;\n"
          "    const float *latents; /* after each call [h,w,4] */\n} rel_case;")
    print(f'enum {{ REL_WIDTH = {WIDTH}, REL_HEIGHT = {HEIGHT}, REL_SEED = {SEED}, REL_CASES = {len(CASES)} }};\nstatic const char rel_prompt[] = "{PROMPT}";')
    rows = []
    with torch.no_grad():
        for k, (net, kind, scheduler, steps, guidance, strength, negative) in enumerate(CASES):
            latents = draw(net, nets[net], kind, scheduler, steps, guidance, strength, negative, dict(vae=vae, text_encoder=text, tokenizer=bpe))
            print(f"static const float rel_latents_{k}[] = {floats(latents)};")
            rows.append(f'    {{"{net}", "{kind}", "{scheduler}", "{negative}", {steps}, {guidance}, {strength}, {len(latents)}, rel_latents_{k}}},')
            print(k, net, kind, scheduler, [float(np.abs(x).max()) for x in latents], file=sys.stderr)
    print("static const rel_case rel_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
