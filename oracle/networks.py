"""The networks once more, in PyTorch, written from the papers and the published layouts (never from Limn's C), with weights from a formula.

DiT       Peebles & Xie 2022, names of their repository
MMDiT     Esser et al. 2024, names of SD3's repository (joint_blocks)
cross     DiT's block with cross-attention between its halves (PixArt: Chen et al. 2023); the query is not normalised
U-ViT     Bao et al. 2023, names of their repository
added     timestep projected and added to the tokens in every block
CLIP      transformers' own CLIPTextModel

formula(name, n, scale): element i of a tensor is  scale (2 u - 1),  u = (mix(fnv1a32(name) + i * 0x9E3779B9) >> 8) / 2^24, with mix the
finaliser of MurmurHash3; every step is exact in f32.  Weights of norms get 1 + that, rounded to f32.  A mirror lies in tests/formula.h.
"""
import math

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F


def formula(name, n, scale=0.25):
    h = 2166136261
    for c in name.encode():
        h = ((h ^ c) * 16777619) & 0xFFFFFFFF
    x = (np.uint64(h) + np.arange(n, dtype=np.uint64) * np.uint64(0x9E3779B9)) & np.uint64(0xFFFFFFFF)
    m = np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    x = x * np.uint64(0x85EBCA6B) & m
    x ^= x >> np.uint64(13)
    x = x * np.uint64(0xC2B2AE35) & m
    x ^= x >> np.uint64(16)
    u = (x >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
    return (u * np.float32(2) - np.float32(1)) * np.float32(scale)


def is_norm(name):
    part = name.split(".")[-2] if "." in name else ""
    return name.endswith(".weight") and ("norm" in part or part in ("ln_q", "ln_k"))


def weight(name, shape):
    x = formula(name, int(np.prod(shape)))
    if is_norm(name):
        x = np.float32(1) + x
    return torch.from_numpy(x.reshape(tuple(shape)))


def fill(module):
    """Formula weights for every entry of the state dict but fixed tables, which are buffers."""
    fixed = dict(module.named_buffers())
    with torch.no_grad():
        for name, t in module.state_dict().items():
            if name not in fixed:
                t.copy_(weight(name, t.shape))
    return module


def sincos(dim, omega_t):
    return torch.cat([torch.sin(omega_t), torch.cos(omega_t)], -1)


def positions(dim, grid, base=None):
    """Half of the width tells the column, half the row; base: so many places are spread over the grid."""
    quarter = dim // 4
    omega = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    place = torch.arange(grid, dtype=torch.float64) * (base or grid) / grid
    row, column = torch.meshgrid(place, place, indexing="ij")
    parts = [sincos(dim, axis.reshape(-1, 1) * omega) for axis in (column, row)]
    return torch.cat(parts, -1)[None].float()


def middle(table, h, w):
    """The middle h x w of a square of places [1, n n, D]."""
    n = math.isqrt(table.shape[1])
    top, left = (n - h) // 2, (n - w) // 2
    return table.reshape(1, n, n, -1)[:, top:top + h, left:left + w].flatten(1, 2)


def timestep_sinusoids(t, dim):
    half = dim // 2
    f = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float64) / half)
    a = t.double()[:, None] * f
    return torch.cat([torch.cos(a), torch.sin(a)], -1)


class Patches(nn.Module):
    def __init__(self, c, patch, dim):
        super().__init__()
        self.proj = nn.Conv2d(c, dim, patch, patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Two(nn.Module):
    """mlp.0, SiLU, mlp.2"""
    def __init__(self, k, n):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(k, n), nn.SiLU(), nn.Linear(n, n))

    def forward(self, x):
        return self.mlp(x)


class Label(nn.Module):
    def __init__(self, classes, dim):
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, dim)

    def forward(self, y):
        return self.embedding_table(y)


def attend(q, k, v, heads, causal=False):
    b, n, d = q.shape
    q, k, v = (x.reshape(b, -1, heads, d // heads).transpose(1, 2) for x in (q, k, v))
    s = q @ k.transpose(-1, -2) / math.sqrt(d // heads)
    return (s.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d)


class HeadNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        b, n, w = x.shape
        d = self.weight.shape[0]
        y = x.reshape(b, n, w // d, d)
        return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight).reshape(b, n, w)


class SelfAttention(nn.Module):
    def __init__(self, dim, heads, qk_norm=False, proj=True):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        if proj:
            self.proj = nn.Linear(dim, dim)
        if qk_norm:
            self.ln_q, self.ln_k = HeadNorm(dim // heads), HeadNorm(dim // heads)

    def split(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return (self.ln_q(q), self.ln_k(k), v) if hasattr(self, "ln_q") else (q, k, v)

    def forward(self, x):
        return self.proj(attend(*self.split(x), self.heads))


class CrossAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q_linear, self.kv_linear, self.proj = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)

    def forward(self, x, text):
        k, v = self.kv_linear(text).chunk(2, -1)
        return self.proj(attend(self.q_linear(x), k, v, self.heads))


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


def modulation(dim, n):
    return nn.Sequential(nn.SiLU(), nn.Linear(dim, n * dim))


def norm(x):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def modulate(x, shift, scale):
    return norm(x) * (1 + scale[:, None]) + shift[:, None]


class ModulatedBlock(nn.Module):
    def __init__(self, dim, heads, hidden, cross):
        super().__init__()
        self.attn, self.mlp, self.adaLN_modulation = SelfAttention(dim, heads), Mlp(dim, hidden), modulation(dim, 6)
        if cross:
            self.cross_attn = CrossAttention(dim, heads)

    def forward(self, x, c, text=None):
        a_shift, a_scale, a_gate, m_shift, m_scale, m_gate = self.adaLN_modulation(c).chunk(6, -1)
        x = x + a_gate[:, None] * self.attn(modulate(x, a_shift, a_scale))
        if text is not None:
            x = x + self.cross_attn(x, text)
        return x + m_gate[:, None] * self.mlp(modulate(x, m_shift, m_scale))


class AddedBlock(nn.Module):
    def __init__(self, dim, heads, hidden, cross, time, pre):
        super().__init__()
        self.pre = pre
        self.time_proj, self.attn, self.mlp = nn.Linear(time, dim), SelfAttention(dim, heads), Mlp(dim, hidden)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        if cross:
            self.cross_attn, self.norm_cross = CrossAttention(dim, heads), nn.LayerNorm(dim)

    def part(self, x, norm, f):
        return x + f(norm(x)) if self.pre else norm(x + f(x))

    def forward(self, x, t, text=None):
        x = x + self.time_proj(t)[:, None]
        x = self.part(x, self.norm1, self.attn)
        if text is not None:
            x = self.part(x, self.norm_cross, lambda h: self.cross_attn(h, text))
        return self.part(x, self.norm2, self.mlp)


class Stream(nn.Module):
    def __init__(self, dim, heads, hidden, qk_norm, pre_only, cross, dual=False):
        super().__init__()
        self.attn = SelfAttention(dim, heads, qk_norm, not pre_only)
        self.chunks = 2 if pre_only else 9 if dual else 6
        self.adaLN_modulation = modulation(dim, self.chunks)
        if dual:
            self.attn2 = SelfAttention(dim, heads, qk_norm)
        if not pre_only:
            self.mlp = Mlp(dim, hidden)
        if cross:
            self.cross_attn = CrossAttention(dim, heads)

    def begin(self, x, c):
        m = self.adaLN_modulation(c).chunk(self.chunks, -1)
        return m, self.attn.split(modulate(x, m[0], m[1]))

    def finish(self, x, m, y, text=None):
        second = m[8][:, None] * self.attn2(modulate(x, m[6], m[7])) if self.chunks == 9 else 0
        x = x + m[2][:, None] * self.attn.proj(y) + second
        if text is not None:
            x = x + self.cross_attn(x, text)
        return x + m[5][:, None] * self.mlp(modulate(x, m[3], m[4]))


class JointBlock(nn.Module):
    def __init__(self, dim, heads, hidden, qk_norm, last, both, dual=False):
        super().__init__()
        self.heads = heads
        self.context_block = Stream(dim, heads, hidden, qk_norm, last, False)
        self.x_block = Stream(dim, heads, hidden, qk_norm, False, both, dual)

    def forward(self, context, x, c, text=None):
        mc, a = self.context_block.begin(context, c)
        mx, b = self.x_block.begin(x, c)
        y = attend(*(torch.cat(p, 1) for p in zip(a, b)), self.heads)
        n = context.shape[1]
        context = self.context_block.finish(context, mc, y[:, :n]) if hasattr(self.context_block, "mlp") else None
        return context, self.x_block.finish(x, mx, y[:, n:], text)


class Final(nn.Module):
    def __init__(self, dim, out, modulated):
        super().__init__()
        self.linear = nn.Linear(dim, out)
        if modulated:
            self.adaLN_modulation = modulation(dim, 2)

    def forward(self, x, c):
        if hasattr(self, "adaLN_modulation"):
            x = modulate(x, *self.adaLN_modulation(c).chunk(2, -1))
        return self.linear(x)


class Denoiser(nn.Module):
    """All of dit and mmdit; s: settings as Limn writes them.  Returns NHWC; self.layers holds what every block gave."""
    def __init__(self, s):
        super().__init__()
        self.s = s
        dim, modulated = s["width"], s.get("conditioning") == "modulated"
        attention = s.get("attention", "cross") if s["family"] == "mmdit" else None
        self.kind = attention
        out = s["channels"] * (1 + s.get("learn_sigma", 0))
        time = dim if modulated else s["time_width"]
        self.frequencies = 256 if modulated else time
        self.x_embedder, self.t_embedder = Patches(s["channels"], s["patch"], dim), Two(self.frequencies, time)
        grid = s["size"] // s["patch"]
        self.register_buffer("pos_embed", positions(dim, s["places"], grid) if s.get("places") else positions(dim, grid))
        if s.get("classes"):
            self.y_embedder = Label(s["classes"], time)
        if attention:
            self.context_embedder = nn.Linear(s["text_width"], dim)
            if modulated:
                self.y_embedder = Two(s.get("pooled_width") or s["text_width"], dim)
        blocks = nn.ModuleList(self.block(i, dim, modulated) for i in range(s["depth"]))
        self.name = "joint_blocks" if attention in ("joint", "both") else "blocks"
        setattr(self, self.name, blocks)
        self.final_layer = Final(dim, s["patch"] ** 2 * out, modulated)
        self.out = out

    def block(self, i, dim, modulated):
        s = self.s
        if self.kind in ("joint", "both"):
            return JointBlock(dim, s["heads"], s["mlp"], s.get("qk_norm", 0), i == s["depth"] - 1, self.kind == "both", i < s.get("dual", 0))
        if modulated:
            return ModulatedBlock(dim, s["heads"], s["mlp"], self.kind == "cross")
        return AddedBlock(dim, s["heads"], s["mlp"], self.kind == "cross", s["time_width"], s.get("norm") == "pre")

    def forward(self, image, t, label=None, features=None, pooled=None):
        self.layers = {}
        x = self.x_embedder(image.permute(0, 3, 1, 2)) + middle(self.pos_embed, image.shape[1] // self.s["patch"], image.shape[2] // self.s["patch"])
        c = self.t_embedder(timestep_sinusoids(t, self.frequencies).to(x.dtype))
        self.layers["t_embedder"] = c
        if label is not None:
            c = c + self.y_embedder(label)
        if pooled is not None:
            c = c + self.y_embedder(pooled)
        text = context = self.context_embedder(features) if features is not None else None
        for i, block in enumerate(getattr(self, self.name)):
            if self.name == "joint_blocks":
                context, x = block(context, x, c, text if self.kind == "both" else None)
                if context is not None:
                    self.layers[f"joint_blocks.{i}.context_block"] = context
            else:
                x = block(x, c, text)
            self.layers[f"{self.name}.{i}"] = x
        x = self.final_layer(x, c)
        b, p, g = x.shape[0], self.s["patch"], self.s["size"] // self.s["patch"]
        x = x.reshape(b, g, g, p, p, self.out).permute(0, 1, 3, 2, 4, 5).reshape(b, g * p, g * p, self.out)
        self.layers["final_layer"] = x
        return x


class UVitBlock(nn.Module):
    def __init__(self, dim, heads, hidden, skip):
        super().__init__()
        self.norm1, self.attn, self.norm2, self.mlp = nn.LayerNorm(dim), SelfAttention(dim, heads), nn.LayerNorm(dim), Mlp(dim, hidden)
        self.attn.qkv = nn.Linear(dim, 3 * dim, bias=False)
        if skip:
            self.skip_linear = nn.Linear(2 * dim, dim)

    def forward(self, x, skip=None):
        if skip is not None:
            x = self.skip_linear(torch.cat([x, skip], -1))
        x = x + self.attn(self.norm1(x))
        return x + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x))))


class UVit(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s = s
        dim, c, half, extra = s["width"], s["channels"], s["depth"] // 2, 1
        block = lambda skip: UVitBlock(dim, s["heads"], s["mlp"], skip)
        self.patch_embed = Patches(c, s["patch"], dim)
        if s.get("time_mlp"):
            self.time_embed = nn.Sequential(nn.Linear(dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim))
        if s.get("classes"):
            self.label_emb, extra = nn.Embedding(s["classes"] + 1, dim), 2
        if s.get("text"):
            self.context_embed, extra = nn.Linear(s["text_width"], dim), 1 + s["text_length"]
        self.extra = extra
        self.pos_embed = nn.Parameter(torch.zeros(1, extra + (s["size"] // s["patch"]) ** 2, dim))
        self.in_blocks = nn.ModuleList(block(False) for _ in range(half))
        self.mid_block = block(False)
        self.out_blocks = nn.ModuleList(block(True) for _ in range(half))
        self.norm, self.decoder_pred = nn.LayerNorm(dim), nn.Linear(dim, s["patch"] ** 2 * c)
        if s.get("final_conv", 1):
            self.final_layer = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, image, t, label=None, features=None, pooled=None):
        s, self.layers, skips = self.s, {}, []
        x = self.patch_embed(image.permute(0, 3, 1, 2))
        time = timestep_sinusoids(t, s["width"]).to(x.dtype)
        time = self.time_embed(time) if s.get("time_mlp") else time
        parts = [] if label is None else [self.label_emb(label)[:, None]]
        parts += [time[:, None]] + ([] if features is None else [self.context_embed(features)]) + [x]
        x = torch.cat(parts, 1) + self.pos_embed
        for i, block in enumerate(self.in_blocks):
            x = self.layers[f"in_blocks.{i}"] = block(x)
            skips.append(x)
        x = self.layers["mid_block"] = self.mid_block(x)
        for i, block in enumerate(self.out_blocks):
            x = self.layers[f"out_blocks.{i}"] = block(x, skips.pop())
        x = self.decoder_pred(self.norm(x))[:, self.extra:]
        b, p, g, c = x.shape[0], s["patch"], s["size"] // s["patch"], s["channels"]
        x = x.reshape(b, g, g, p, p, c).permute(0, 5, 1, 3, 2, 4).reshape(b, c, g * p, g * p)
        x = self.final_layer(x) if s.get("final_conv", 1) else x
        self.layers["final_layer"] = x = x.permute(0, 2, 3, 1)
        return x


def network(s):
    if s["family"] in ("ddpm", "adm", "ldm-unet"):
        from diffusion_unets import unet
        return unet(s)
    if s["family"] == "hdit":
        from hybrids import Hourglass
        return Hourglass(s)
    if s["family"] == "pixart":
        from pixart import PixArt
        return PixArt(s)
    return UVit(s) if s["family"] == "uvit" else Denoiser(s)


def settings(text):
    words = text.split()
    s = {"family": words[0]}
    for w in words[1:]:
        k, v = w.split("=")
        s[k] = int(v) if v.isdigit() else v
    return s
