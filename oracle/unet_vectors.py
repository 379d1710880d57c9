"""Writes tests/vectors/unet.h: U-Nets block by block, ten losses of their training, and what they say afterwards, in double precision.

The U-Net is written here as Ronneberger et al. 2015, fig. 1, with the names of milesial/Pytorch-UNet; weights and pictures come from the
formula of networks.py.  AdamW, lr 1e-2, betas 0.9 and 0.99, decay 0.01 on tensors of two and more dimensions, gradient norm limited to 1;
cross-entropy against class (7 i + step) mod K of pixel i.

    python oracle/unet_vectors.py tests/vectors/unet.h
"""
import sys

import torch
import torch.nn.functional as F
from torch import nn

from layer_vectors import given
from networks import settings, weight

NETWORKS = [
    "unet size=8 channels=2 classes=3 width=4 levels=3",
    "unet size=8 channels=1 classes=2 width=4 levels=3 norm=batch",
    "unet size=8 channels=3 classes=2 width=8 levels=2 norm=group groups=4 convs=1",
    "unet size=8 channels=3 classes=4 width=4 levels=3 norm=batch up=bilinear",
    "unet size=20 channels=1 classes=2 width=4 levels=2 padding=valid",
]
DEFAULTS = {"convs": 2, "norm": "none", "padding": "same", "up": "transposed", "groups": 8}


def convolutions(s, inside, mid, out):
    parts = []
    for i in range(s["convs"]):
        n = out if i == s["convs"] - 1 else mid
        parts.append(nn.Conv2d(inside, n, 3, padding=0 if s["padding"] == "valid" else 1, bias=s["norm"] == "none"))
        if s["norm"] == "batch":
            parts.append(nn.BatchNorm2d(n))
        if s["norm"] == "group":
            parts.append(nn.GroupNorm(s["groups"], n))
        parts.append(nn.ReLU())
        inside = n
    return nn.Sequential(*parts)


class Block(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.double_conv = parts

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, s, inside, out):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), Block(convolutions(s, inside, out, out)))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, s, inside, skip, mid, out):
        super().__init__()
        bilinear = s["up"] == "bilinear"
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True) if bilinear else nn.ConvTranspose2d(inside, inside // 2, 2, stride=2)
        self.conv = Block(convolutions(s, (inside if bilinear else inside // 2) + skip, mid, out))

    def forward(self, x, skip):
        x = self.up(x)
        y, z = ((skip.shape[i] - x.shape[i]) // 2 for i in (2, 3))
        return self.conv(torch.cat([skip[:, :, y:y + x.shape[2], z:z + x.shape[3]], x], 1))


class Out(nn.Module):
    def __init__(self, inside, classes):
        super().__init__()
        self.conv = nn.Conv2d(inside, classes, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, s):
        super().__init__()
        width, self.levels, bilinear = s["width"], s["levels"], s["up"] == "bilinear"
        self.inc = Block(convolutions(s, s["channels"], width, width))
        wide = [width]
        for i in range(1, self.levels):
            out = (width << i) // (2 if bilinear and i == self.levels - 1 else 1)
            setattr(self, f"down{i}", Down(s, wide[-1], out))
            wide.append(out)
        inside = wide[-1]
        for k, i in enumerate(range(self.levels - 2, -1, -1)):
            out, both = width << i, inside + wide[i] if bilinear else wide[i] + inside // 2
            mid = both // 2 if bilinear else out
            out = out // 2 if bilinear and i > 0 else out
            setattr(self, f"up{k + 1}", Up(s, inside, wide[i], mid, out))
            inside = out
        self.outc = Out(inside, s["classes"])

    def forward(self, x):
        self.seen, skips = {}, []

        def say(name, y):
            self.seen[name] = y.movedim(1, -1)
            return y
        x = say("inc", self.inc(x))
        for i in range(1, self.levels):
            skips.append(x)
            x = say(f"down{i}", getattr(self, f"down{i}")(x))
        for k in range(1, self.levels):
            x = say(f"up{k}", getattr(self, f"up{k}")(x, skips.pop()))
        return say("outc", self.outc(x))


def sixteen(y):
    f = y.detach().reshape(-1)
    n = f.numel()
    return "{" + ", ".join(f"{f[i * (n - 1) // 15].item():.9g}" for i in range(16)) + "}"


def train(model, s, lines):
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0}], lr=1e-2, betas=(0.9, 0.99))
    model.train()
    losses = []
    for step in range(10):
        x = given(f"image.{step}", 2, s["size"], s["size"], s["channels"]).movedim(-1, 1)
        logits = model(x).movedim(1, -1).reshape(-1, s["classes"])
        loss = F.cross_entropy(logits, (7 * torch.arange(len(logits)) + step) % s["classes"])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
    lines.append("     {" + ", ".join(f"{x:.10g}" for x in losses) + "},")


def main(path):
    torch.set_num_threads(1)
    lines = ["/* unet.h: written by oracle/unet_vectors.py; do not edit.  Of each block 16 values at i (n - 1) / 15. */",
             "typedef struct unet_vectors {", "    const char *settings;", "    int n;", "    struct {", "        const char *scope;", "        double value[16];",
             "    } block[8];", "    double loss[10], after[16]; /* of training; logits that running statistics give afterwards */", "} unet_vectors;", "",
             "static const unet_vectors unets[] = {"]
    for network in NETWORKS:
        s = DEFAULTS | settings(network)
        model = UNet(s)
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(weight(name, p.shape))
        model = model.double()
        x = given("image", 2, s["size"], s["size"], s["channels"]).movedim(-1, 1)
        with torch.no_grad():
            model.eval()(x)
        lines.append(f'    {{"{network}", {len(model.seen)}, {{')
        lines += [f'        {{"{name}", {sixteen(y)}}},' for name, y in model.seen.items()]
        lines.append("     },")
        train(model, s, lines)
        with torch.no_grad():
            model.eval()(x)
        lines.append(f"     {sixteen(model.seen['outc'])}}},")
    lines.append("};")
    open(path, "w").write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
