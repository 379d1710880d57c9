"""Writes tests/vectors/autoencoders.h: what tiny autoencoders give, block by block, and autoencoder_losses.h: what ten steps of training lose;
in double precision, from weights of the formula.

vae   diffusers' AutoencoderKL itself, whose parameter names Limn has, too
tae   TAESD's sequences, written anew from their published layout (oracle/tiny_autoencoder.py)

Training: mean |x - x'| + differences (mean |rows of x - x', subtracted| + the same of columns) + kl KL / values, and with a discriminator the adaptive weight of Esser et al. 2021, eq. 7, and the hinge loss; AdamW as in
ten_losses.py, one limit for the norm of all gradients.

    python oracle/autoencoder_vectors.py tests/vectors
"""
import sys

import torch
from diffusers import AutoencoderKL
from torch import nn
import torch.nn.functional as F

from layer_vectors import given
from networks import fill, settings, weight
from tiny_autoencoder import TinyAutoencoder

NETWORKS = [
    "vae size=16 latent=3 base=8 levels=3 mult3=3 layers=2 groups=4",
    "vae size=12 channels=1 latent=2 base=6 levels=2 layers=1 groups=3 attention=0 quant=0",
    "tae size=16 width=8",
    "tae size=16 channels=4 latent=6 width=8 levels=2 blocks=1 pool=1",
]
# network, weights of KL, of differences and of the discriminator, step from which that counts; what does not learn
LOSSES = [
    ("vae size=8 latent=2 base=4 levels=2 layers=1 groups=2", 0.1, 0.0, 0.0, 0, ""),
    ("tae size=8 latent=2 width=4 levels=2 blocks=1 pool=1", 0.0, 0.0, 0.0, 0, ""),
    ("vae size=8 latent=2 base=4 levels=2 layers=1 groups=2", 0.1, 0.7, 0.0, 0, ""),
    ("vae size=8 latent=2 base=4 levels=2 layers=1 groups=2", 0.1, 0.7, 0.0, 0, "encoder."),
    ("vae size=24 latent=2 base=4 levels=2 layers=1 groups=2", 0.1, 0.0, 0.5, 3, ""),
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
    model = fill(tiny(s)).double()
    image = given("image", BATCH, s["size"], s["size"], s.get("channels", 3)).permute(0, 3, 1, 2)
    layers["encoder"] = model.encoder(image * 0.5 + 0.5)
    layers["decoder"] = model.decoder(layers["encoder"]) * 2 - 1


def tiny(s):
    return TinyAutoencoder(s.get("channels", 3), s.get("latent", 4), s["width"], s.get("levels", 3), s.get("blocks", 3), s.get("pool", 0) == 1)


class Patches(nn.Module):
    """Isola et al. 2017, three strided layers, group norm; places as in taming-transformers' NLayerDiscriminator."""

    def __init__(self):
        super().__init__()
        layers, n = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2)], 64
        for i, m in enumerate((128, 256, 512)):
            layers += [nn.Conv2d(n, m, 4, 2 if i < 2 else 1, 1, bias=False), nn.GroupNorm(32, m), nn.LeakyReLU(0.2)]
            n = m
        self.main = nn.Sequential(*layers, nn.Conv2d(n, 1, 4, 1, 1))

    def forward(self, x):
        return self.main(x)


def losses(network, kl_weight, differences, judge_weight, judge_start, freeze):
    s = settings(network)
    vae = s["family"] == "vae"
    model = fill(diffusers_vae(s) if vae else tiny(s)).double()
    for name, p in model.named_parameters():
        p.requires_grad_(not (freeze and name.startswith(freeze)))
    judge = Patches() if judge_weight else None
    if judge:
        with torch.no_grad():
            for name, p in judge.named_parameters():
                p.copy_(weight("discriminator." + name, p.shape))
        judge.double()
    parameters = [p for p in model.parameters() if p.requires_grad] + (list(judge.parameters()) if judge else [])
    last = model.decoder.conv_out.weight if vae else model.decoder[-1].weight
    groups = [[p for p in parameters if (p.dim() > 1) == decays] for decays in (True, False)]
    optimizer = torch.optim.AdamW([dict(params=groups[0], weight_decay=0.01), dict(params=groups[1], weight_decay=0)], lr=1e-2, betas=(0.9, 0.99))
    found, small = [], s["size"] // 2 ** (s["levels"] - (1 if vae else 0))
    for step in range(10):
        x = given(f"clean.{step}", BATCH, s["size"], s["size"], 3).permute(0, 3, 1, 2)
        loss = 0
        if vae:
            latent = model.encode(x).latent_dist
            y = model.decode(latent.mean + latent.std * given(f"noise.{step}", BATCH, small, small, s["latent"]).permute(0, 3, 1, 2)).sample
            loss = kl_weight * latent.kl().sum() / x.numel()
        else:
            y = model.decoder(model.encoder(x * 0.5 + 0.5)) * 2 - 1
        loss = loss + (x - y).abs().mean()
        if differences:
            loss = loss + differences * sum(torch.diff(x - y, dim=d).abs().mean() for d in (2, 3))
        on = 1.0 if judge and step >= judge_start else 0.0
        optimizer.zero_grad()
        if judge:
            score = -judge(y).mean()
            fit, fool = (torch.autograd.grad(part, last, retain_graph=True)[0].norm() for part in (loss, score))
            loss = loss + judge_weight * on * (fit / (fool + 1e-4)).clamp(0, 1e4).detach() * score
            gradients = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
            verdict = on * 0.5 * (F.relu(1 - judge(x)).mean() + F.relu(1 + judge(y.detach())).mean())
            verdict.backward()
            for p, g in zip(model.parameters(), gradients):
                p.grad = g
        else:
            loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        found.append(loss.item())
    return found


def write_layers(folder):
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
    open(folder + "/autoencoders.h", "w").write("\n".join(lines) + "\n")


def write_losses(folder):
    lines = ["/* autoencoder_losses.h: written by oracle/autoencoder_vectors.py; do not edit. */", "typedef struct autoencoder_losses {",
             "    const char *settings;", "    double kl, differences, adversary;", "    int start;", "    const char *freeze;", "    double loss[10];", "} autoencoder_losses;", "",
             "static const autoencoder_losses autoencoder_training[] = {"]
    for network, kl, differences, judge, start, freeze in LOSSES:
        values = ", ".join(f"{x:.10g}" for x in losses(network, kl, differences, judge, start, freeze))
        lines.append(f'    {{"{network}", {kl}, {differences}, {judge}, {start}, "{freeze}",\n     {{{values}}}}},')
    lines.append("};")
    open(folder + "/autoencoder_losses.h", "w").write("\n".join(lines) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_layers(sys.argv[1])
    write_losses(sys.argv[1])
