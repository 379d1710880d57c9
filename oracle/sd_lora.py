"""Writes tests/vectors/sd_lora.h: a picture by diffusers' StableDiffusionPipeline, shrunken as in sd_pipeline.py, with a LoRA in kohya's names at 0.8.

usage: sd_lora.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sd_lora.h        (torch, diffusers 0.42, transformers 5, peft)

Rank 2, alpha 1, numbers of the formula by the tensor's name: down as small as its fan-in asks for, up 0.5.

And four steps with one in the layout of those that make a model draw in few (LCM's, TCD's, Hyper-SD's: the modules that train_lcm_distill_lora names, of the U-Net alone), with
the schedulers that their cards ask for, noise by PyTorch's generator.
"""
import sys
import tempfile

import numpy as np
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, LCMScheduler, StableDiffusionPipeline, TCDScheduler
from safetensors.torch import save_file

from networks import formula
from sd_pipeline import SCHEDULER, STEPS, floats, hexed, shrunken, shrunken_unet

RANK, ALPHA, WEIGHT, PROMPT, WIDTH, HEIGHT = 2, 1.0, 0.8, "a lighthouse at night", 48, 32


FEW = (".to_q.", ".to_k.", ".to_v.", ".to_out.0.", "proj_in.", "proj_out.", "ff.net.0.proj.", "ff.net.2.", ".conv1.", ".conv2.", "conv_shortcut.", "downsamplers.0.conv.",
       "upsamplers.0.conv.", "time_emb_proj.")
SEED = 7
CONFIG = dict(SCHEDULER, skip_prk_steps=True, set_alpha_to_one=False, clip_sample=False, _class_name="PNDMScheduler")
SCHEDULERS = {"lcm": (lambda: LCMScheduler.from_config(CONFIG), {}), "tcd": (lambda: TCDScheduler.from_config(CONFIG), {"eta": 0.3}),
              "ddim": (lambda: DDIMScheduler.from_config(CONFIG, timestep_spacing="trailing"), {}),
              "euler": (lambda: EulerDiscreteScheduler.from_config(CONFIG, timestep_spacing="trailing"), {})}


def is_changed(part, name):
    if part == "few":
        return name.endswith(".weight") and any(p in name for p in FEW)
    parts = ("self_attn.", "mlp.") if part == "te" else (".attn1.", ".attn2.", ".ff.net", "proj_in.", ".conv1.")
    return name.endswith(".weight") and any(p in name for p in parts)


def tensors(part, module, head):
    out = {}
    for name, t in module.state_dict().items():
        if not is_changed(part, head + name):
            continue
        stem, fan, k = f"lora_{'unet' if part == 'few' else part}_" + (head + name)[:-len(".weight")].replace(".", "_"), int(np.prod(t.shape[1:])), 0
        while 3 * 4**k < fan:
            k += 1
        shapes = {"lora_down": (RANK, *t.shape[1:]), "lora_up": (t.shape[0], RANK, *[1] * (t.dim() - 2))}
        for key, shape in shapes.items():
            x = formula(f"{stem}.{key}.weight", int(np.prod(shape)), 2.0 ** -k if key == "lora_down" else 0.5)
            out[f"{stem}.{key}.weight"] = torch.from_numpy(x.reshape(shape))
        out[f"{stem}.alpha"] = torch.tensor(ALPHA)
    return out


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    unet = shrunken_unet()
    lora = {**tensors("unet", unet, ""), **tensors("te", text, "text_model.")}
    pipe = StableDiffusionPipeline(vae=vae, text_encoder=text, tokenizer=bpe, unet=unet, scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SCHEDULER),
                                   safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        save_file(lora, file.name)
        pipe.load_lora_weights(file.name, adapter_name="a")
    pipe.set_adapters(["a"], [WEIGHT])
    noise = torch.from_numpy(formula("noise", HEIGHT * WIDTH // 16, 2.0).reshape(1, HEIGHT // 8, WIDTH // 8, 4)).permute(0, 3, 1, 2)
    latents = []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}
    with torch.no_grad():
        picture = pipe(PROMPT, negative_prompt="fog", latents=noise, width=WIDTH, height=HEIGHT, num_inference_steps=STEPS, guidance_scale=7.5, callback_on_step_end=keep,
                       output_type="np").images[0]
    print("/* sd_lora.h: written by oracle/sd_lora.py with diffusers and PEFT; do not edit. */")
    print(f"enum {{ SD_LORA_MODULES = {len(lora) // 3} }};")
    print(f"static const float sd_lora_latents[] = {floats(np.stack(latents))};")
    print("static const char sd_lora_picture[] =\n" + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) + ";")
    few_steps(pipe, unet)
    print(len(lora) // 3, "modules", [float(np.abs(x).max()) for x in latents], picture.mean(), picture.std(), file=sys.stderr)


def few_steps(pipe, unet):
    pipe.unload_lora_weights()
    lora = tensors("few", unet, "")
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        save_file(lora, file.name)
        pipe.load_lora_weights(file.name)
    print(f"enum {{ SD_FEW_MODULES = {len(lora) // 3}, SD_FEW_SEED = {SEED} }};")
    print("typedef struct sd_few { const char *sampler, *scheduler; double eta; const float *latents; } sd_few; /* after each of 4 calls */")
    rows = []
    for name, (make, more) in SCHEDULERS.items():
        pipe.scheduler, latents = make(), []

        def keep(pipe, i, t, kwargs):
            latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
            return {}
        with torch.no_grad():
            pipe(PROMPT, width=WIDTH, height=HEIGHT, num_inference_steps=4, guidance_scale=1.0, generator=torch.Generator().manual_seed(SEED), callback_on_step_end=keep,
                 output_type="np", **more)
        print(f"static const float sd_few_{name}[] = {floats(np.stack(latents))};")
        rows.append(f'    {{"{name}", {"NULL" if name in ("lcm", "tcd") else chr(34) + "trailing" + chr(34)}, {more.get("eta", 0)}, sd_few_{name}}},')
        print(name, len(latents), [float(np.abs(x).max()) for x in latents], file=sys.stderr)
    print("static const sd_few sd_few_steps[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
