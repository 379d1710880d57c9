"""Writes tests/vectors/photos.h: three photographs through TAEF2's published weights in PyTorch: the PSNR of what comes back, and 16 values of
the latent.

    python oracle/taef2_photos.py WEIGHTS tests/photos tests/vectors/photos.h

WEIGHTS: the folder with taef2_encoder.pth and taef2_decoder.pth.
"""
import sys

import numpy as np
import torch
from PIL import Image

from tiny_autoencoder import TinyAutoencoder


def main(weights, photos, path):
    model = TinyAutoencoder(latent=32, pool=True)
    model.encoder.load_state_dict(torch.load(f"{weights}/taef2_encoder.pth", weights_only=True))
    model.decoder.load_state_dict(torch.load(f"{weights}/taef2_decoder.pth", weights_only=True))
    model.float().eval()
    lines = ["/* photos.h: written by oracle/taef2_photos.py; do not edit.  value: of the latent [h,w,C] at i (n - 1) / 15. */",
             "static const struct photo { const char *name; double psnr, value[16]; } photos[] = {"]
    for name in ("astronaut.jpg", "chelsea.jpg", "coffee.jpg"):
        picture = np.asarray(Image.open(f"{photos}/{name}").convert("RGB"))
        with torch.no_grad():
            latent = model.encoder(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255)
            back = model.decoder(latent)[0].clamp(0, 1).permute(1, 2, 0)
        difference = torch.floor(back * 255 + 0.5).double().numpy() - picture
        flat = latent[0].permute(1, 2, 0).reshape(-1)
        values = ", ".join(f"{flat[i * (flat.numel() - 1) // 15].item():.7g}" for i in range(16))
        lines.append(f'    {{"{name}", {10 * np.log10(255**2 / (difference**2).mean()):.4f},\n     {{{values}}}}},')
    lines.append("};")
    open(path, "w").write("\n".join(lines) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
