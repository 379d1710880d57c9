"""DiT-XL/2 at full size with random weights, as diffusers saves it: the picture of a class and a seed by diffusers and by Limn.

usage: dit_full_size.py build/limn FOLDER [256|512]    (3.3 GB in FOLDER, which is kept; 7 GB of memory)
"""
import os
import subprocess
import sys
import time

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel
from PIL import Image

from dit_pipeline import BETAS


def pipeline(side):
    torch.manual_seed(0)
    transformer = DiTTransformer2DModel(sample_size=side // 8, out_channels=8, num_embeds_ada_norm=1000)
    vae = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, down_block_types=("DownEncoderBlock2D",) * 4,
                        up_block_types=("UpDecoderBlock2D",) * 4, sample_size=side)
    with torch.no_grad():
        for t in (t for m in (transformer, vae) for t in m.parameters() if t.dim() > 1):
            t.mul_(1.7)
        first = transformer.transformer_blocks[0].norm1.emb.state_dict()
        for block in transformer.transformer_blocks:  # copies, as in the published file
            block.norm1.emb.load_state_dict(first)
    scheduler = DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **BETAS)
    return DiTPipeline(transformer=transformer.eval(), vae=vae.eval(), scheduler=scheduler)


def main():
    limn, folder, *side = sys.argv[1:]
    pipe = pipeline(int(side[0]) if side else 256)
    pipe.save_pretrained(folder)
    begin = time.time()
    expected = pipe([207], guidance_scale=4, num_inference_steps=3, generator=torch.Generator().manual_seed(42), output_type="np").images[0]
    print(f"diffusers {time.time() - begin:.1f} s, the picture's spread {255 * expected.std():.0f}")
    del pipe
    begin = time.time()
    out = os.path.join(folder, "limn.png")
    subprocess.run([limn, "generate", "--class", "207", "-m", folder, "--steps", "3", "-s", "42", "--precision", "f32", "-o", out], check=True)
    apart = abs(np.array(Image.open(out)).astype(int) - (expected * 255).round().astype(int))
    print(f"limn {time.time() - begin:.1f} s from its start; apart by at most {apart.max()} of 255, {apart.mean():.5f} in the mean")


if __name__ == "__main__":
    main()
