"""Stable Diffusion 3's networks at their full width beside diffusers, with two blocks of each kind and the last: random weights, a latent of
64 x 48, 333 text tokens.

usage: sd3_full_width.py BUILD FOLDER [medium|3.5-medium|3.5-large]    (1.4 to 2.7 GB in FOLDER, which is kept; 6 GB of memory)

BUILD: a folder of `make` (forward.py).
"""
import os
import resource
import sys
import time

import numpy as np
import torch
from diffusers import SD3Transformer2DModel

import forward

HEIGHT, WIDTH, TOKENS, TIME = 64, 48, 333, 700.0
FORMS = {
    "medium": dict(num_layers=3, num_attention_heads=24, pos_embed_max_size=192),
    "3.5-medium": dict(num_layers=5, num_attention_heads=24, pos_embed_max_size=384, qk_norm="rms_norm", dual_attention_layers=(0, 1)),
    "3.5-large": dict(num_layers=3, num_attention_heads=38, pos_embed_max_size=192, qk_norm="rms_norm"),
}


def main():
    build, folder, *form = sys.argv[1:]
    form = form[0] if form else "3.5-medium"
    program = forward.program(build)
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    settings = dict(sample_size=128, in_channels=16, out_channels=16, patch_size=2, attention_head_dim=64, joint_attention_dim=4096, pooled_projection_dim=2048)
    m = SD3Transformer2DModel(caption_projection_dim=64 * FORMS[form]["num_attention_heads"], **settings, **FORMS[form]).eval()
    with torch.no_grad():
        for t in m.parameters():
            if t.dim() > 1:
                t.mul_(1.7)
    m.save_pretrained(os.path.join(folder, "transformer"), max_shard_size="20GB")
    d = {"image": torch.randn(1, HEIGHT, WIDTH, 16), "features": torch.randn(1, TOKENS, 4096), "pooled": torch.randn(1, 2048)}
    forward.write(folder, **d)
    begin = time.time()
    with torch.no_grad():
        y = m(d["image"].permute(0, 3, 1, 2), d["features"], d["pooled"], torch.tensor([TIME])).sample.permute(0, 2, 3, 1).numpy()
    print(f"diffusers {time.time() - begin:.1f} s, {sum(t.numel() for t in m.parameters()) / 1e6:.0f} M parameters, output's spread {y.std():.3f}")
    del m
    file = os.path.join(folder, "transformer", "diffusion_pytorch_model.safetensors")
    for precision in ("f32", "bf16"):
        z = forward.run(program, file, precision, folder, height=HEIGHT, width=WIDTH, tokens=TOKENS, time=TIME).reshape(y.shape)
        print(f"limn {precision}: apart by at most {abs(z - y).max() / abs(y).max():.2e} of the largest, {np.linalg.norm(z - y) / np.linalg.norm(y):.2e} in the norm; "
              f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6:.2f} GB at most")


if __name__ == "__main__":
    main()
