"""Writes tests/vectors/sdxl_lora.h: a picture by diffusers' StableDiffusionXLPipeline, shrunken as in sdxl_pipeline.py, with a LoRA in PEFT's names at 0.8.

usage: sdxl_lora.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sdxl_lora.h        (torch, diffusers 0.42, transformers 5, peft)

As sd_lora.py: rank 2, alpha 1 (folded into B, which halves it), numbers of the formula by kohya's name in diffusers' words.  It changes the U-Net's transformers, convolutions and
what it is told of the whole text and the sides, and both text encoders.  And four steps with one of the U-Net alone, with the schedulers that LCM's, TCD's, Turbo's and Lightning's
cards ask for.
"""
import sys

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline

from networks import formula
from sd_lora import ALPHA, FEW, HEIGHT, PROMPT, RANK, SCHEDULERS, SEED, WEIGHT, WIDTH
from sd_pipeline import STEPS, floats, hexed, shrunken
from sdxl_pipeline import scheduler, second_encoder, unet

UNET = (".attn1.", ".attn2.", ".ff.net", "proj_in.", "proj_out.", ".conv1.", "downsamplers.0.conv.", "upsamplers.0.conv.", "add_embedding.")


def is_changed(part, name):
    parts = FEW if part == "few" else UNET if part == "unet" else ("self_attn.", "mlp.", "text_projection.")
    return name.endswith(".weight") and any(p in name for p in parts)


def tensors(part, module, head, to):
    """head: what kohya writes before a name of this module; to: diffusers'"""
    out = {}
    for name, t in module.state_dict().items():
        if not is_changed(part, name):
            continue
        name, fan, k = name[:-len(".weight")], int(np.prod(t.shape[1:])), 0
        while 3 * 4**k < fan:
            k += 1
        stem = head + ("" if part in ("unet", "few") or name.startswith(("text_model", "text_projection")) else "text_model_") + name.replace(".", "_")
        down = formula(f"{stem}.lora_down.weight", RANK * fan, 2.0 ** -k).reshape(RANK, *t.shape[1:])
        up = formula(f"{stem}.lora_up.weight", RANK * t.shape[0], 0.5).reshape(t.shape[0], RANK, *[1] * (t.dim() - 2))
        out[f"{to}{name}.lora_A.weight"], out[f"{to}{name}.lora_B.weight"] = torch.from_numpy(down), torch.from_numpy(up * ALPHA / RANK)
    return out


def kept(latents):
    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}
    return keep


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    vae.register_to_config(scaling_factor=0.13025)
    bpe2, text2 = second_encoder(sys.argv[1])
    net = unet("base")
    lora = {**tensors("unet", net, "lora_unet_", "unet."), **tensors("te", text, "lora_te1_", "text_encoder."), **tensors("te", text2, "lora_te2_", "text_encoder_2.")}
    pipe = StableDiffusionXLPipeline(vae=vae, text_encoder=text, tokenizer=bpe, text_encoder_2=text2, tokenizer_2=bpe2, unet=net, scheduler=scheduler("euler"), add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)

    def draw(**more):
        latents = []
        with torch.no_grad():
            picture = pipe(PROMPT, width=WIDTH, height=HEIGHT, callback_on_step_end=kept(latents), output_type="np", **more).images[0]
        return np.stack(latents), picture
    noise = torch.from_numpy(formula("noise", HEIGHT * WIDTH // 16, 2.0).reshape(1, HEIGHT // 8, WIDTH // 8, 4)).permute(0, 3, 1, 2)
    whole = dict(negative_prompt="fog", latents=noise, num_inference_steps=STEPS, guidance_scale=5)
    plain = draw(**whole)[0][-1]
    pipe.load_lora_weights(dict(lora), adapter_name="a")
    pipe.set_adapters(["a"], [WEIGHT])
    loaded = sum(hasattr(m, "lora_A") for part in (net, text, text2) for m in part.modules())
    assert loaded == len(lora) // 2, (loaded, len(lora) // 2)
    latents, picture = draw(**whole)
    print("/* sdxl_lora.h: written by oracle/sdxl_lora.py with diffusers and PEFT; do not edit. */")
    print(f"enum {{ XL_LORA_MODULES = {len(lora) // 2} }};")
    print(f"static const float xl_lora_latents[] = {floats(latents)};")
    print("static const char xl_lora_picture[] =\n" + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) + ";")
    print(len(lora) // 2, "modules move the latents by", float(np.abs(latents[-1] - plain).max() / np.abs(plain).max()), picture.mean(), picture.std(), file=sys.stderr)
    for part in ("unet.", "text_encoder.", "text_encoder_2."):
        pipe.unload_lora_weights()
        pipe.load_lora_weights({k: v for k, v in lora.items() if not k.startswith(part)}, adapter_name="a")
        pipe.set_adapters(["a"], [WEIGHT])
        print("without", part, "by", float(np.abs(latents[-1] - draw(**whole)[0][-1]).max() / np.abs(plain).max()), file=sys.stderr)
    pipe.unload_lora_weights()
    few = tensors("few", net, "lora_unet_", "unet.")
    pipe.load_lora_weights(dict(few))
    print(f"enum {{ XL_FEW_MODULES = {len(few) // 2}, XL_FEW_SEED = {SEED} }};")
    print("typedef struct xl_few { const char *sampler, *scheduler; double eta; const float *latents; } xl_few; /* after each of 4 calls */")
    rows = []
    for name, (make, more) in SCHEDULERS.items():
        pipe.scheduler = make()
        latents = draw(num_inference_steps=4, guidance_scale=1.0, generator=torch.Generator().manual_seed(SEED), **more)[0]
        print(f"static const float xl_few_{name}[] = {floats(latents)};")
        rows.append(f'    {{"{name}", {"NULL" if name in ("lcm", "tcd") else chr(34) + "trailing" + chr(34)}, {more.get("eta", 0)}, xl_few_{name}}},')
        print(name, len(latents), [float(np.abs(x).max()) for x in latents], file=sys.stderr)
    print("static const xl_few xl_few_steps[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
