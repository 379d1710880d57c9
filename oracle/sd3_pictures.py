"""Writes tests/vectors/sd3_pictures.h: pictures by diffusers' StableDiffusion3Img2ImgPipeline and StableDiffusion3InpaintPipeline with the shrunken networks of sd3_pipeline.py, and a second
pass at twice the sides by hand: StableDiffusion3Pipeline, its latents enlarged, then Img2Img with the generator begun anew.

usage: sd3_pictures.py models/tokenizer/clip-49408.txt.gz tests/vectors/unigram > tests/vectors/sd3_pictures.h        (torch, diffusers 0.42, transformers 5, sentencepiece)

The picture and the mask are those of sd_relatives.py; latents of pictures are drawn from what the encoder says, by the generator that the noise comes from.  The inpainting pipeline of 0.42
forgets the shift of the latents when it decodes: its last latents are decoded here as all others of SD3 are.
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import FlowMatchEulerDiscreteScheduler, StableDiffusion3Img2ImgPipeline, StableDiffusion3InpaintPipeline, StableDiffusion3Pipeline
from PIL import Image

import sd_relatives
from sd3_pipeline import autoencoder, encoders, transformer
from sd_pipeline import floats, hexed

PROMPT, NEGATIVE, WIDTH, HEIGHT, SEED = "a lighthouse at night", "fog", 48, 32, 42
CASES = [  # model, kind, guidance, steps, strength
    ("plain", "picture", 5, 5, 0.6),
    ("norms", "picture", 1, 4, 0.6),
    ("plain", "mask", 5, 4, 1),
    ("dual", "mask", 5, 4, 0.5),
    ("norms", "mask", 1, 4, 0.6),
    ("plain", "picture", 5, 4, 0.2),
    ("plain", "hires", 5, 4, 0.6),
    ("norms", "hires", 1, 4, 0.5),
]


def draw(kind, guidance, steps, strength, net, vae, encs):
    """latents after each call, of a second pass its own; the picture"""
    (b1, t1), (b2, t2), (b3, t3) = encs
    latents = []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}

    def run(make, steps=steps, **o):
        pipe = make(transformer=net, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae, text_encoder=t1, tokenizer=b1, text_encoder_2=t2, tokenizer_2=b2, text_encoder_3=t3,
                    tokenizer_3=b3)
        pipe.set_progress_bar_config(disable=True)
        return pipe(PROMPT, negative_prompt=NEGATIVE, num_inference_steps=steps, guidance_scale=guidance, generator=torch.Generator().manual_seed(SEED), callback_on_step_end=keep, **o).images

    if kind == "hires":
        small = run(StableDiffusion3Pipeline, width=WIDTH, height=HEIGHT, output_type="latent")
        latents.clear()
        large = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
        return latents, run(StableDiffusion3Img2ImgPipeline, steps + 1, image=large, strength=strength, width=2 * WIDTH, height=2 * HEIGHT, output_type="np")[0]
    o = dict(image=Image.fromarray(sd_relatives.picture()), strength=strength, width=WIDTH, height=HEIGHT)
    if kind == "picture":
        return latents, run(StableDiffusion3Img2ImgPipeline, output_type="np", **o)[0]
    last = run(StableDiffusion3InpaintPipeline, output_type="latent", mask_image=Image.fromarray(sd_relatives.mask(kind)), **o)
    picture = vae.decode(last / vae.config.scaling_factor + vae.config.shift_factor).sample[0]
    return latents, (picture / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()


def main():
    torch.set_num_threads(1)
    vae, encs = autoencoder(), encoders(*sys.argv[1:3])
    print("/* sd3_pictures.h: written by oracle/sd3_pictures.py with diffusers and transformers; do not edit. */")
    print("typedef struct sd3_picture {\n    const char *model, *kind;\n    double guidance;\n    int steps; /* of a second pass one more */\n    double strength;\n    int calls;\n"
          "    const float *latents; /* after each call [h,w,16] */\n    const char *picture; /* hex of [height,width,3] */\n} sd3_picture;")
    print(f"enum {{ SD3_PICTURES = {len(CASES)}, SD3_SEED = {SEED} }};")
    rows = []
    with torch.no_grad():
        for k, (model, kind, guidance, steps, strength) in enumerate(CASES):
            latents, picture = draw(kind, guidance, steps, strength, transformer(model), vae, encs)
            print(f"static const float sd3_picture_latents_{k}[] = {floats(np.stack(latents if kind != 'hires' else latents[-1:]))};")
            rows.append(f'    {{"{model}", "{kind}", {guidance}, {steps}, {strength}, {len(latents)}, sd3_picture_latents_{k},\n'
                        + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) + "},")
            print(k, model, kind, len(latents), "latents", [float(np.abs(x).max()) for x in latents], "picture", picture.mean(), picture.std(), file=sys.stderr)
    print("static const sd3_picture sd3_picture_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
