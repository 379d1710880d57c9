"""ddpm_digits.py: the published DDPM for digits in PyTorch, beside Limn on the same weights.

    python oracle/ddpm_digits.py noise  ddpm_mnist.pt MNIST                     the errors that tests/test_ddpm_mnist.c expects, and what they do to x0
    python oracle/ddpm_digits.py sample ddpm_mnist.pt OUT N [SCHEDULER STEPS]   N pictures OUT/00000.png .. by a scheduler of diffusers
    python oracle/ddpm_digits.py ground FOLDER [BLACK]                          how gray the ground of each picture is; those on black go to BLACK

SCHEDULER: large, small (ddpm by diffusers, clipped x0, variance beta or its posterior), unclipped (ddpm as its authors have it: no
clipping, beta), ddim.  Pictures are -1..1 for 0..255, as in training.  Ground: the median gray of a picture's outermost two rows and
columns, which is 0 on every digit of MNIST.
"""
import gzip, os, shutil, sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image


class Net:
    """The network from its state dict alone: a block is LayerNorm over (C,H,W), then twice conv 3x3 and SiLU."""

    def __init__(self, path):
        self.w = {k.removeprefix("network."): v.float() for k, v in torch.load(path, map_location="cpu", weights_only=True).items()}

    def conv(self, name, x, stride=1, pad=1):
        return F.conv2d(x, self.w[name + ".weight"], self.w[name + ".bias"], stride, pad)

    def grow(self, name, x, stride=2, pad=1):
        return F.conv_transpose2d(x, self.w[name + ".weight"], self.w[name + ".bias"], stride, pad)

    def stage(self, name, x, row):
        t = F.silu(F.linear(row, self.w[f"te{name}.0.weight"], self.w[f"te{name}.0.bias"]))
        x = x + F.linear(t, self.w[f"te{name}.2.weight"], self.w[f"te{name}.2.bias"])[:, :, None, None]
        for i in range(3):
            b = f"b{name}.{i}"
            if not (name == "_out" and i == 2):
                x = F.layer_norm(x, x.shape[1:], self.w[b + ".ln.weight"], self.w[b + ".ln.bias"])
            x = F.silu(self.conv(b + ".conv2", F.silu(self.conv(b + ".conv1", x))))
        return x

    @torch.no_grad()
    def __call__(self, x, t):
        row = self.w["time_embed.weight"][t].expand(len(x), -1)
        x1 = self.stage("1", x, row)
        x2 = self.stage("2", self.conv("down1", x1, 2), row)
        x3 = self.stage("3", self.conv("down2", x2, 2), row)
        h = self.conv("down3.2", F.silu(self.conv("down3.0", x3, 1, 0)), 2)
        h = self.grow("up1.2", F.silu(self.grow("up1.0", self.stage("_mid", h, row))), 1, 0)
        h = self.stage("4", torch.cat((x3, h), 1), row)
        h = self.stage("5", torch.cat((x2, self.grow("up2", h)), 1), row)
        return self.conv("conv_out", self.stage("_out", torch.cat((x1, self.grow("up3", h)), 1), row))


def scheduler(name, steps):
    from diffusers import DDIMScheduler, DDPMScheduler
    betas = dict(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=name != "unclipped")
    s = DDIMScheduler(**betas) if name == "ddim" else DDPMScheduler(**betas, variance_type="fixed_small" if name == "small" else "fixed_large")
    s.set_timesteps(steps)
    return s


def sample(weights, out, n, name="large", steps="1000"):
    net, s, random = Net(weights), scheduler(name, int(steps)), torch.Generator().manual_seed(7)
    x = torch.randn(int(n), 1, 28, 28, generator=random)
    for t in s.timesteps:
        x = s.step(net(x, t.reshape(1)), t, x, generator=random).prev_sample
    os.makedirs(out, exist_ok=True)
    for i, p in enumerate(((x.clamp(-1, 1) + 1) * 127.5 + 0.5).byte().numpy()):
        Image.fromarray(p[0]).save(f"{out}/{i:05}.png")
    ground(out)


def ground(folder, black=None):
    names = sorted(f for f in os.listdir(folder) if f.endswith(".png"))
    x = np.stack([np.asarray(Image.open(f"{folder}/{f}").convert("L")) for f in names])
    edge = np.ones((28, 28), bool)
    edge[2:-2, 2:-2] = False
    gray = np.median(x[:, edge], 1).astype(int)
    if black:
        os.makedirs(black, exist_ok=True)
        for name in (n for n, g in zip(names, gray) if g < 16):
            shutil.copy(f"{folder}/{name}", black)
    gray.sort()
    print(f"{folder}: {len(x)} pictures; ground lighter than 16 of 255 in {100 * (gray >= 16).mean():.0f} %, than 64 in {100 * (gray >= 64).mean():.0f} %; "
          f"quartiles {gray[len(x) // 4]} {gray[len(x) // 2]} {gray[3 * len(x) // 4]}")


def noise(weights, mnist):
    net, random = Net(weights), torch.Generator().manual_seed(7)
    x = np.frombuffer(gzip.open(f"{mnist}/t10k-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:100]
    clean, kept = torch.from_numpy(x.astype(np.float32)) / 127.5 - 1, torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)
    for t in (10, 50, 100, 300, 600, 900):
        n = torch.randn(clean.shape, generator=random)
        error = net(kept[t].sqrt() * clean + (1 - kept[t]).sqrt() * n, torch.tensor([t])) - n
        shift, gray = error.mean((2, 3)).square().mean(), error.mean() * (1 / kept[t] - 1).sqrt() * -127.5
        print(f"t = {t:3}: {error.square().mean():.4f}; {100 * shift / error.square().mean():2.0f} % of it shifts a whole picture; on average by {gray:.0f} of 255 in x0")


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"noise": noise, "sample": sample, "ground": ground}[sys.argv[1]](*sys.argv[2:])
