"""The networks of `limn describe` in PyTorch, for timing: same layers, same shapes, random weights.

dit(...)   DiT of Peebles & Xie 2022 with adaLN-Zero
mmdit(...) Limn's mmdit with attention=cross conditioning=modulated text_encoder=clip
"""
import math
import torch
import torch.nn.functional as F
from torch import nn


def sinusoids(t, dim):
    f = torch.exp(-math.log(10000) * torch.arange(dim // 2, dtype=torch.float32) / (dim // 2))
    a = t[:, None] * f
    return torch.cat([a.cos(), a.sin()], 1)


def attend(q, k, v, heads, causal=False):
    def split(x):
        return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)
    y = F.scaled_dot_product_attention(split(q), split(k), split(v), is_causal=causal)
    return y.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(d, 3 * d), nn.Linear(d, d)

    def forward(self, x):
        return self.proj(attend(*self.qkv(x).chunk(3, 2), self.heads))


class CrossAttention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.q, self.kv, self.proj = heads, nn.Linear(d, d), nn.Linear(d, 2 * d), nn.Linear(d, d)

    def forward(self, x, text):
        return self.proj(attend(self.q(x), *self.kv(text).chunk(2, 2), self.heads))


class Block(nn.Module):
    def __init__(self, d, heads, mlp, cross):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d, 1e-6, False), nn.LayerNorm(d, 1e-6, False)
        self.attn, self.cross = SelfAttention(d, heads), CrossAttention(d, heads) if cross else None
        self.fc1, self.fc2, self.ada = nn.Linear(d, mlp), nn.Linear(mlp, d), nn.Linear(d, 6 * d)

    def forward(self, x, c, text):
        s1, m1, g1, s2, m2, g2 = self.ada(F.silu(c))[:, None].chunk(6, 2)
        x = x + g1 * self.attn(self.norm1(x) * (1 + m1) + s1)
        if self.cross is not None:
            x = x + self.cross(x, text)
        return x + g2 * self.fc2(F.gelu(self.fc1(self.norm2(x) * (1 + m2) + s2), approximate="tanh"))


class ClipLayer(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.norm1, self.norm2 = heads, nn.LayerNorm(d), nn.LayerNorm(d)
        self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.out(attend(self.q(h), self.k(h), self.v(h), self.heads, True))
        h = self.fc1(self.norm2(x))
        return x + self.fc2(h * torch.sigmoid(1.702 * h))


class Clip(nn.Module):
    def __init__(self, vocab, length, d, depth, heads):
        super().__init__()
        self.token, self.position = nn.Embedding(vocab, d), nn.Parameter(torch.randn(length, d) * 0.01)
        self.layers, self.norm = nn.ModuleList(ClipLayer(d, heads) for _ in range(depth)), nn.LayerNorm(d)

    def forward(self, ids, end):
        x = self.token(ids) + self.position
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return x, x.flatten(0, 1)[end]


class Transformer(nn.Module):
    """size, channels, patch, width, depth, heads, mlp as in limn; classes (0: none); text: None or the settings of Clip"""

    def __init__(self, size, channels, patch, width, depth, heads, mlp, classes=0, out=None, text=None):
        super().__init__()
        self.size, self.patch, self.out_channels = size, patch, out or channels
        self.embed = nn.Linear(channels * patch * patch, width)
        self.register_buffer("pos", torch.randn(1, (size // patch) ** 2, width))
        self.time1, self.time2 = nn.Linear(256, width), nn.Linear(width, width)
        self.label = nn.Embedding(classes + 1, width) if classes else None
        self.text = Clip(**text) if text else None
        if text:
            self.pool1, self.pool2, self.context = nn.Linear(text["d"], width), nn.Linear(width, width), nn.Linear(text["d"], width)
        self.blocks = nn.ModuleList(Block(width, heads, mlp, bool(text)) for _ in range(depth))
        self.norm, self.ada = nn.LayerNorm(width, 1e-6, False), nn.Linear(width, 2 * width)
        self.linear = nn.Linear(width, patch * patch * self.out_channels)

    def forward(self, image, t, label=None, ids=None, end=None):
        b, s, p = image.shape[0], self.size, self.patch
        n = s // p
        x = image.view(b, n, p, n, p, -1).permute(0, 1, 3, 5, 2, 4).reshape(b, n * n, -1)
        x = self.embed(x) + self.pos
        c = self.time2(F.silu(self.time1(sinusoids(t, 256).to(self.time1.weight.dtype))))
        text = None
        if self.label is not None:
            c = c + self.label(label)
        if self.text is not None:
            text, pooled = self.text(ids, end)
            c = c + self.pool2(F.silu(self.pool1(pooled)))
            text = self.context(text)
        for block in self.blocks:
            x = block(x, c, text)
        shift, scale = self.ada(F.silu(c))[:, None].chunk(2, 2)
        x = self.linear(self.norm(x) * (1 + scale) + shift)
        return x.view(b, n, n, p, p, -1).permute(0, 1, 3, 2, 4, 5).reshape(b, s, s, -1)


def make(name):
    if name == "dit-b/2":
        return Transformer(32, 4, 2, 768, 12, 12, 3072, classes=1000, out=8)
    if name == "dit-s/2":
        return Transformer(32, 4, 2, 384, 12, 6, 1536, classes=1000, out=8)
    if name == "mmdit-emoji":
        return Transformer(64, 4, 16, 256, 6, 4, 1024, text=dict(vocab=8192, length=24, d=192, depth=2, heads=4))
    raise SystemExit(f"no network {name}")


def inputs(net, batch):
    image, t = torch.randn(batch, net.size, net.size, net.embed.in_features // net.patch ** 2), torch.arange(batch) * 131.0 % 1000
    label = torch.arange(batch) % 1000 if net.label is not None else None
    ids = end = None
    if net.text is not None:
        length = net.text.position.shape[0]
        ids, end = torch.arange(batch * length).view(batch, length) * 37 % 500, torch.arange(batch) * length + length - 1
    return image, t, label, ids, end
