"""Writes tests/vectors/hires.h: what diffusers makes beside a plain picture with the shrunken Stable Diffusion of sd_pipeline.py.

usage: hires_vectors.py models/tokenizer/clip-49408.txt.gz > tests/vectors/hires.h        (torch, diffusers 0.42, transformers 5)

AutoencoderTiny with formula weights under both spellings of its names: latents, pictures, and as the autoencoder of the pipeline.
A second pass: latents of the first, enlarged by F.interpolate, through the img2img pipeline with the same generator begun anew.
A picture enlarged, cut into tiles that overlap, each through img2img with a seed of its own, laid over each other with ramps.
"""
import re
import sys

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

from networks import formula
from sd_pipeline import SCHEDULER, floats, hexed, shrunken, shrunken_unet, weight

PROMPT, NEGATIVE, GUIDANCE, SEED = "a lighthouse at night", "fog", 7.5, 42


def original(name):
    """TAESD's own name: a clamp stands before the decoder's first layer"""
    m = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(.*)", name)
    return f"{m[1]}.{int(m[2]) + (m[1] == 'decoder')}.{m[3]}"


def tiny():
    net = AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4, num_encoder_blocks=(1, 2, 2, 2), num_decoder_blocks=(2, 2, 2, 1))
    with torch.no_grad():
        for name, t in net.state_dict().items():
            last = t.shape[0] == 3  # not beyond black and white
            t.copy_(weight(original(name), t.shape) * (1 if t.dim() == 1 else 0.5 if last else 2) + (0.5 if last and t.dim() == 1 else 0))
    return net.eval()


def image(name, width, height):
    """[1,3,h,w] in -1..1, of whole bytes"""
    x = torch.from_numpy(formula(name, width * height * 3, 1.0).reshape(1, height, width, 3)).permute(0, 3, 1, 2)
    x = F.avg_pool2d(x, 5, 1, 2, count_include_pad=False) * 2.5
    return ((x.clamp(-1, 1) * 127.5 + 127.5).round() / 127.5) - 1


def to_bytes(x):
    """[h,w,3] in 0..1"""
    return np.floor(np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def generator(seed=SEED):
    return torch.Generator().manual_seed(seed)


def places(side, tile, overlap):
    n = 1 if side <= tile else -(-(side - tile) // (tile - overlap)) + 1
    return [i * (side - tile) // (n - 1) for i in range(n)] if n > 1 else [0]


def ramp(tile, overlap):
    i = np.arange(tile)
    return np.minimum(1, (np.minimum(i, tile - 1 - i) + 1) / (overlap + 1))


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    unet = shrunken_unet()
    def pipe(kind, autoencoder):
        p = kind(vae=autoencoder, text_encoder=text, tokenizer=bpe, unet=unet, scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SCHEDULER),
                 safety_checker=None, feature_extractor=None, requires_safety_checker=False)
        p.set_progress_bar_config(disable=True)
        return lambda **more: p(prompt=PROMPT, negative_prompt=NEGATIVE, guidance_scale=GUIDANCE, **more).images

    net = tiny()
    print("/* hires.h: written by oracle/hires_vectors.py with diffusers; do not edit. */")
    print("typedef struct tiny_tensor { const char *name, *original; int rank, dim[4]; } tiny_tensor;")
    print("static const tiny_tensor tiny_tensors[] = {")
    for name, t in net.state_dict().items():
        print(f'    {{"{name}", "{original(name)}", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')
    print("};")

    def show(name, x):
        print(name, x.shape, x.mean(), x.std(), file=sys.stderr)
        print(f"static const char {name}[] =\n{hexed(to_bytes(x).ravel().tolist())};")

    with torch.no_grad():
        latent = net.encode(image("picture", 40, 24)).latents
        print(f"static const float tiny_latent[] = {floats(latent[0].permute(1, 2, 0))}; /* of image(\"picture\", 40, 24) */")
        back = net.decode(latent).sample
        print(f"static const float tiny_back[] = {floats(back[0].permute(1, 2, 0).reshape(-1)[::7])}; /* every 7th */")
        print("latent", latent.std(), "back", back.mean(), back.std(), file=sys.stderr)
        show("tiny_drawn", pipe(StableDiffusionPipeline, net)(width=40, height=48, num_inference_steps=4, generator=generator(), output_type="np")[0])
        show("tiny_started", pipe(StableDiffusionImg2ImgPipeline, net)(image=image("start", 40, 48), strength=0.5, num_inference_steps=4, generator=generator(), output_type="np")[0])

        small = pipe(StableDiffusionPipeline, vae)(width=48, height=32, num_inference_steps=4, generator=generator(), output_type="latent")
        for name, size in (("hires_2", (8, 12)), ("hires_1_5", (6, 9))):
            large = F.interpolate(small, size=size, mode="bilinear", align_corners=False)
            show(name, pipe(StableDiffusionImg2ImgPipeline, vae)(image=large, strength=0.6, num_inference_steps=5, generator=generator(), output_type="np")[0])

        tile, overlap = 64, 16
        x = to_bytes(F.interpolate(image("small", 61, 36) * 0.5 + 0.5, scale_factor=2, mode="bilinear", align_corners=False)[0].permute(1, 2, 0).numpy()).astype(np.float32) / 127.5 - 1
        height, width = x.shape[:2]
        total, weights, i = np.zeros_like(x, np.float64), np.zeros((height, width, 1)), 0
        weight_of = ramp(tile, overlap)[:, None, None] * ramp(tile, overlap)[None, :, None]
        for top in places(height, tile, overlap):
            for left in places(width, tile, overlap):
                part = torch.from_numpy(x[top:top + tile, left:left + tile]).permute(2, 0, 1)[None]
                y = to_bytes(pipe(StableDiffusionImg2ImgPipeline, vae)(image=part, strength=0.5, num_inference_steps=4, generator=generator(SEED + i), output_type="np")[0])
                total[top:top + tile, left:left + tile] += y / 255 * weight_of
                weights[top:top + tile, left:left + tile] += weight_of
                i += 1
        print("tiles", i, "enlarged", x.std(), file=sys.stderr)
        show("upscaled", total / weights)


if __name__ == "__main__":
    main()
