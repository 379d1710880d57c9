"""Trains the U-Net of models/membrane in PyTorch, with the settings of `limn train unet`, so that both can be scored by `limn segment --truth`.

    python oracle/membrane_peer.py isbi-membrane/train first.safetensors --steps 2400 --decay 1200 --lr 2e-3 --ema 0.99
    python oracle/membrane_peer.py isbi-membrane/train peer.safetensors --init first.safetensors --steps 1200 --decay 1 --lr 1e-3 --ema 0.998

The network is that of unet_vectors.py.  Samples, loss, AdamW, learning rate, clipping and EMA (of running statistics as well) follow src/train; only the random
numbers and the order of sums differ.  The file is one that limn opens, written at the end and as peer-N.safetensors every --save-every N steps.
--maps FOLDER: the probability of cell in the pictures held out, found here, 16 bits.
"""
import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from scipy.ndimage import map_coordinates

from networks import settings
from unet_vectors import DEFAULTS, UNet

AUGMENT = {"flip": 0, "mirror": 0, "turn": 0, "rotate": 0, "scale": 0, "elastic": 0, "grid": 64, "brightness": 0, "contrast": 0, "gamma": 0, "noise": 0}


def read(folder, names):
    images = [np.asarray(Image.open(folder / "image" / f"{i}.png").convert("L"), np.float32) / 255 for i in names]
    labels = [(np.asarray(Image.open(folder / "label" / f"{i}.png").convert("L")) > 127).astype(np.int64) for i in names]
    return images, labels


def cubic(t):
    """Catmull & Rom 1974: weights of the four nodes around."""
    return (-t**3 + 2 * t**2 - t) / 2, (3 * t**3 - 5 * t**2 + 2) / 2, (-3 * t**3 + 4 * t**2 + t) / 2, (t**3 - t**2) / 2


def displacement(rng, a, size):
    """Catmull-Rom through normal numbers at every grid-th pixel: [2, size, size]."""
    n = int(size / a["grid"]) + 4
    node = rng.normal(0, a["elastic"], (2, n, n))
    at = np.arange(size) / a["grid"]
    i, w = at.astype(int), cubic(at % 1)
    along = np.zeros((size, n))
    for k in range(4):
        along[np.arange(size), i + k] += w[k]
    return np.einsum("yj,cji,xi->cyx", along, node, along)


def mirrored(i, n):
    i = np.abs(i) % (2 * n - 2)
    return np.where(i < n, i, 2 * n - 2 - i)


def bicubic(image, y, x):
    i, j = np.floor(y).astype(int), np.floor(x).astype(int)
    wy, wx = cubic(y - i), cubic(x - j)
    rows, columns = ([mirrored(at + k - 1, n) for k in range(4)] for at, n in zip((i, j), image.shape))
    return np.clip(sum(wy[r] * wx[c] * image[rows[r], columns[c]] for r in range(4) for c in range(4)), 0, 1)


def light(rng, a, x):
    bright = rng.uniform(-1, 1) * a["brightness"]
    contrast, gamma = (math.exp(rng.uniform(-1, 1) * math.log1p(a[k])) for k in ("contrast", "gamma"))
    x = np.clip((x - x.mean()) * contrast + x.mean() + bright, 0, 1) ** gamma
    noise = rng.uniform(0, 1) * a["noise"]
    return np.clip(x + noise * rng.standard_normal(x.shape), 0, 1) if noise else x


def sample(rng, a, image, label, size):
    """As limn_augment_sample(): pixel -> middle + turned (pixel - centre) + displacement, mirrored at the borders."""
    c = (size - 1) / 2
    top, left = (rng.integers(0, image.shape[k] - size + 1) for k in (0, 1))
    y, x = np.mgrid[:size, :size] - c
    angle = math.radians(rng.uniform(-1, 1) * a["rotate"])
    zoom = math.exp(rng.uniform(-1, 1) * math.log1p(a["scale"]))
    x, y = (math.cos(angle) * x - math.sin(angle) * y) / zoom, (math.sin(angle) * x + math.cos(angle) * y) / zoom
    for _ in range(rng.integers(0, 4) if a["turn"] else 0):
        x, y = -y, x
    if a["flip"] or a["mirror"]:
        x = x * rng.choice((-1, 1))
    if a["flip"]:
        y = y * rng.choice((-1, 1))
    x, y = x + left + c, y + top + c
    if a["elastic"]:
        d = displacement(rng, a, size)
        x, y = x + d[0], y + d[1]
    return light(rng, a, bicubic(image, y, x)), map_coordinates(label, (y, x), order=0, mode="mirror")


def batches(rng, a, images, labels, batch, size):
    order = []
    while True:
        chosen = []
        for _ in range(batch):
            order = order or list(rng.permutation(len(images)))
            chosen.append(order.pop())
        x, y = zip(*(sample(rng, a, images[i], labels[i], size) for i in chosen))
        yield torch.tensor(np.stack(x)[:, None], dtype=torch.float32), torch.tensor(np.stack(y))


def start(model):
    """He et al. 2015 as src/model/unet.c: fan of a transposed convolution is its channels; biases and betas 0, gammas 1."""
    for m in model.modules():
        if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            fan = m.in_channels * (m.kernel_size[0] ** 2 if isinstance(m, torch.nn.Conv2d) else 1)
            torch.nn.init.normal_(m.weight, 0, math.sqrt(2 / fan))
            if m.bias is not None:
                torch.nn.init.zeros_(m.bias)


def rate(o, step):
    if step < o.warmup:
        return o.lr * (step + 1) / o.warmup
    begin = max(o.steps - o.decay, o.warmup) if o.decay else o.warmup
    done = min(max((step - begin) / (o.steps - begin), 0), 1) if o.steps > begin else 0
    return o.lr * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


def save(o, ema, path):
    save_file({k: v.contiguous() for k, v in ema.items()}, path, {"limn.settings": "unet " + o.set, "limn.classes": "0\n255\n"})


def train(o, s, model, images, labels):
    rng = np.random.default_rng(o.seed)
    groups = [{"params": [p for p in model.parameters() if (p.dim() > 1) == decays], "weight_decay": o.weight_decay * decays} for decays in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=o.lr, betas=(0.9, 0.99))
    ema = {k: v.detach().clone() for k, v in model.state_dict().items() if v.is_floating_point()}
    data, seen, begin = batches(rng, o.augment, images, labels, o.batch, s["size"]), [], time.time()
    model.train()
    for step in range(o.steps):
        x, y = next(data)
        for group in optimizer.param_groups:
            group["lr"] = rate(o, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=o.precision == "bf16"):
            logits = model(x.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        keep = min(o.ema, (2 + step) / (11 + step))
        with torch.no_grad():
            now = model.state_dict()
            for k, v in ema.items():
                v.lerp_(now[k], 1 - keep)
        seen.append(loss.item())
        if (step + 1) % 20 == 0:
            print(f"step {step + 1}/{o.steps}  loss {np.mean(seen[-20:]):.4f}  {time.time() - begin:.0f} s", flush=True)
        if o.save_every and (step + 1) % o.save_every == 0:
            save(o, ema, Path(o.out).with_stem(f"{Path(o.out).stem}-{step + 1}"))
    return ema


def write_maps(o, model, images, names):
    Path(o.maps).mkdir(exist_ok=True)
    model.eval()
    for name, image in zip(names, images):
        with torch.inference_mode():
            p = model(torch.tensor(image)[None, None]).softmax(1)[0, 1]
        Image.fromarray((p.numpy() * 65535 + 0.5).astype(np.uint16)).save(Path(o.maps) / f"{name}.png")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out")
    parser.add_argument("--set", default="size=256 channels=1 classes=2 width=24 levels=5 norm=batch")
    parser.add_argument("--augment", default="mirror=1 rotate=10 scale=0.1 elastic=5 grid=48 brightness=0.1 contrast=0.25 gamma=0.25")
    parser.add_argument("--init")
    parser.add_argument("--maps")
    parser.add_argument("--precision", default="bf16")
    for name, value in (("batch", 2), ("steps", 400), ("warmup", 50), ("decay", 0), ("seed", 42), ("threads", 1), ("save-every", 0)):
        parser.add_argument("--" + name, type=int, default=value)
    for name, value in (("lr", 1e-3), ("weight-decay", 0.01), ("ema", 0.99)):
        parser.add_argument("--" + name, type=float, default=value)
    o = parser.parse_args()
    o.augment = AUGMENT | {k: float(v) for k, v in (word.split("=") for word in o.augment.split())}
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    s = DEFAULTS | settings("unet " + o.set)
    model = UNet(s).to(memory_format=torch.channels_last)
    start(model)
    if o.init:
        missing = model.load_state_dict({k: v.float() for k, v in load_file(o.init).items()}, strict=False)
        assert not missing.unexpected_keys and all(k.endswith("num_batches_tracked") for k in missing.missing_keys), missing
    ema = train(o, s, model, *read(o.data, range(24)))
    save(o, ema, o.out)
    if o.maps:
        model.load_state_dict(ema, strict=False)
        write_maps(o, model, read(o.data, range(24, 30))[0], range(24, 30))


if __name__ == "__main__":
    main()
