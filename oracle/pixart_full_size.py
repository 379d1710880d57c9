"""PixArt at full size with random weights, as diffusers saves it: one forward pass by diffusers and by Limn, at 512 and at
sides that differ.

usage: pixart_full_size.py build FOLDER    (build: where Limn was built; 2.4 GB in FOLDER, which is kept; 9 GB of memory)
"""
import os
import sys
import time

import torch
from diffusers import PixArtTransformer2DModel

import forward

SIDES = [(64, 64), (32, 56)]


def model(told):
    torch.manual_seed(0)
    m = PixArtTransformer2DModel(sample_size=128 if told else 64, caption_channels=4096, interpolation_scale=2 if told else 1, use_additional_conditions=told)
    with torch.no_grad():
        for name, t in m.named_parameters():
            if t.dim() > 1 and "table" not in name:
                t.mul_(1.7)  # so that text, time and sides matter
    return m.eval()


def main():
    build, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    program = forward.program(build)
    for told in (True, False):
        m = model(told)
        m.save_pretrained(os.path.join(folder, "transformer"))
        for height, width in SIDES if told else SIDES[1:]:
            g = torch.Generator().manual_seed(1)
            image, features = torch.randn(2, 4, height, width, generator=g), torch.randn(2, 120, 4096, generator=g)
            mask = torch.zeros(2, 120)
            mask[0, :17] = mask[1, :3] = 1
            sides = torch.tensor([[8.0 * height, 8.0 * width]] * 2)
            ratio = sides[:, :1] / sides[:, 1:]
            more = {"resolution": sides, "aspect_ratio": ratio} if told else {"resolution": None, "aspect_ratio": None}
            call = dict(timestep=torch.tensor([500, 500]), added_cond_kwargs=more)
            with torch.no_grad():
                begin = time.time()
                y = m(image, encoder_hidden_states=features, encoder_attention_mask=mask, **call).sample
                took = time.time() - begin
                unmasked = m(image, encoder_hidden_states=features, encoder_attention_mask=torch.ones(2, 120), **call).sample if height == width else y
            print(f"alpha at 1024, {8 * height} x {8 * width}" if told else "sigma or alpha at 512", f"diffusers {took:.1f} s, the mask moves "
                  f"{((unmasked - y).norm() / y.norm()).item():.3f}", flush=True)
            forward.write(folder, image=image.permute(0, 2, 3, 1), features=features, mask=mask, resolution=torch.cat([sides, ratio], 1))
            for precision in ("f32", "bf16"):
                z = forward.run(program, os.path.join(folder, "transformer"), precision, folder, batch=2, height=height, width=width, tokens=120, time=500)
                z = torch.from_numpy(z).reshape(2, height, width, 8).permute(0, 3, 1, 2)
                apart = ((z - y).norm() / y.norm()).item()
                print(f"  {precision}: {apart:.2e} away, at most {((z - y).abs().max() / y.abs().max()).item():.2e}", flush=True)
                assert apart < (1e-4 if precision == "f32" else 2e-2)


if __name__ == "__main__":
    main()
