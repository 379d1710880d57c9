"""TAESD and TAEF2 in PyTorch, from their published layout: sequences of 3x3 convolutions, residual blocks and nearest upsampling, whose
places are the parameters' names.  Pictures are in 0..1."""
import torch
from torch import nn
import torch.nn.functional as F


def conv(n_in, n_out, **options):
    return nn.Conv2d(n_in, n_out, 3, padding=1, **options)


class Block(nn.Module):
    def __init__(self, n, pool):
        super().__init__()
        self.conv = nn.Sequential(conv(n, n), nn.ReLU(), conv(n, n), nn.ReLU(), conv(n, n))
        self.pool = None
        if pool:
            self.pool = nn.Sequential(nn.Conv2d(n, 4 * n, 1, bias=False), nn.GroupNorm(4, 4 * n), nn.ReLU(), nn.Conv2d(4 * n, n, 1, bias=False))

    def forward(self, x):
        if self.pool is not None:
            x = x + self.pool(x)
        return F.relu(self.conv(x) + x)


class Clamp(nn.Module):
    def forward(self, x):
        return torch.tanh(x / 3) * 3


class TinyAutoencoder(nn.Module):
    def __init__(self, channels=3, latent=4, width=64, levels=3, blocks=3, pool=False):
        super().__init__()
        down = [conv(channels, width), Block(width, False)]
        up = [Clamp(), conv(latent, width), nn.ReLU()]
        for level in range(levels):
            down += [conv(width, width, stride=2, bias=False)] + [Block(width, pool and level == levels - 1) for _ in range(blocks)]
            up += [Block(width, pool and level == 0) for _ in range(blocks)] + [nn.Upsample(scale_factor=2), conv(width, width, bias=False)]
        self.encoder = nn.Sequential(*down, conv(width, latent))
        self.decoder = nn.Sequential(*up, Block(width, False), conv(width, channels))
