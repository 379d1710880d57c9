"""Writes tests/vectors/autoencoders.h: what tiny autoencoders give, block by block, in double precision, from weights of the formula.

vae   diffusers' AutoencoderKL itself, whose parameter names Limn has, too
tae   TAESD's sequences, written anew from their published layout (oracle/tiny_autoencoder.py)

    python oracle/autoencoder_vectors.py tests/vectors/autoencoders.h
"""
import sys

import torch
from diffusers import AutoencoderKL

from layer_vectors import given
from networks import fill, settings
from tiny_autoencoder import TinyAutoencoder

NETWORKS = [
    "vae size=16 latent=3 base=8 levels=3 mult3=3 layers=2 groups=4",
    "vae size=12 channels=1 latent=2 base=6 levels=2 layers=1 groups=3 attention=0 quant=0",
    "tae size=16 width=8",
    "tae size=16 channels=4 latent=6 width=8 levels=2 blocks=1 pool=1",
]
BATCH = 2


def diffusers_vae(s):
    n = s["levels"]
    kind = {"down_block_types": ["DownEncoderBlock2D"] * n, "up_block_types": ["UpDecoderBlock2D"] * n}
    mult = [s.get(f"mult{i + 1}", d) for i, d in enumerate((1, 2, 4, 4))]
    quant = s.get("quant", 1) == 1
    c = s.get("channels", 3)
    return AutoencoderKL(in_channels=c, out_channels=c, latent_channels=s["latent"], block_out_channels=[s["base"] * m for m in mult[:n]],
                         layers_per_block=s["layers"], norm_num_groups=s["groups"], mid_block_add_attention=s.get("attention", 1) == 1,
                         use_quant_conv=quant, use_post_quant_conv=quant, **kind)


def vae_layers(s, layers):
    model = fill(diffusers_vae(s)).double().eval()
    factor = 2 ** (s["levels"] - 1)
    for name, part in list(model.named_modules()):
        if name in ("encoder.mid_block", "decoder.mid_block") or name.startswith(("encoder.down_blocks.", "decoder.up_blocks.")) and name.count(".") == 2:
            part.register_forward_hook(lambda _, __, y, name=name: layers.__setitem__(name, y))
    image = given("image", BATCH, s["size"], s["size"], s.get("channels", 3)).permute(0, 3, 1, 2)
    noise = given("noise", BATCH, s["size"] // factor, s["size"] // factor, s["latent"]).permute(0, 3, 1, 2)
    model.encoder.register_forward_hook(lambda _, __, y: layers.__setitem__("encoder", y))
    distribution = model.encode(image).latent_dist
    layers["sample"] = distribution.mean + distribution.std * noise
    layers["decoder"] = model.decode(layers["sample"]).sample


def tae_layers(s, layers):
    model = fill(TinyAutoencoder(s.get("channels", 3), s.get("latent", 4), s["width"], s.get("levels", 3), s.get("blocks", 3), s.get("pool", 0) == 1)).double()
    image = given("image", BATCH, s["size"], s["size"], s.get("channels", 3)).permute(0, 3, 1, 2)
    layers["encoder"] = model.encoder(image * 0.5 + 0.5)
    layers["decoder"] = model.decoder(layers["encoder"]) * 2 - 1


def main(path):
    torch.set_num_threads(1)
    lines = ["/* autoencoders.h: written by oracle/autoencoder_vectors.py; do not edit.  As layers.h, which comes before it. */",
             "static const network_vectors autoencoders[] = {"]
    with torch.no_grad():
        for network in NETWORKS:
            layers, s = {}, settings(network)
            (vae_layers if s["family"] == "vae" else tae_layers)(s, layers)
            lines.append(f'    {{"{network}", {len(layers)}, {{')
            for scope, y in layers.items():
                f = y.permute(0, 2, 3, 1).reshape(-1)
                n = f.numel()
                values = ", ".join(f"{f[i * (n - 1) // 15].item():.9g}" for i in range(16))
                lines.append(f'        {{"{scope}", {f.mean().item():.10g}, {f.norm().item():.10g},\n         {{{values}}}}},')
            lines.append("    }},")
    lines.append("};")
    open(path, "w").write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
