"""The hybrids in PyTorch, written from the papers and Limn's parameter names (never from its C): attention in windows of pixels (Liu et al. 2021,
section 3.2: relative positions, windows moved by `shift`, what comes round the edge hidden by -100), and the hierarchical DiT: an hourglass
(Crowson et al. 2024) of adaLN-Zero blocks (Peebles & Xie 2022), windows outside, all tokens inside.   Pictures and tokens are NHWC."""
import math

import torch
import torch.nn.functional as F
from torch import nn

from networks import Final, Label, Mlp, Patches, SelfAttention, Two, modulate, modulation, positions, timestep_sinusoids


def tiles(x, side):
    """[B,H,W,C] -> [B, windows, side side, C]"""
    b, h, w, c = x.shape
    return x.reshape(b, h // side, side, w // side, side, c).transpose(2, 3).reshape(b, -1, side * side, c)


class WindowAttention(nn.Module):
    def __init__(self, dim, heads, side, shift):
        super().__init__()
        self.heads, self.side, self.shift = heads, side, shift
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        place = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"), -1).reshape(-1, 2)
        apart = place[:, None] - place[None] + side - 1  # query - key
        self.index = apart[..., 0] * (2 * side - 1) + apart[..., 1]

    def hidden(self, h, w):
        """-100 between pixels that only the roll brought together.  [1, windows, 1, n, n]"""
        parts = lambda n: sum((torch.arange(n) >= n - k).long() for k in (self.side, self.shift))
        region = (3 * parts(h)[:, None] + parts(w)[None]).reshape(1, h, w, 1)
        region = tiles(region, self.side)[0, :, :, 0]
        return -100.0 * (region[:, :, None] != region[:, None, :]).double()[None, :, None]

    def forward(self, x):
        b, h, w, c = x.shape
        d = c // self.heads
        y = tiles(torch.roll(x, (-self.shift, -self.shift), (1, 2)), self.side)
        n = y.shape[1]
        q, k, v = self.qkv(y).reshape(b, n, -1, 3, self.heads, d).permute(3, 0, 1, 4, 2, 5)
        score = q @ k.transpose(-1, -2) / math.sqrt(d) + self.relative_position_bias_table[self.index].permute(2, 0, 1)
        if self.shift:
            score = score + self.hidden(h, w).to(x.dtype)
        y = self.proj((score.softmax(-1) @ v).transpose(2, 3).reshape(b, n, -1, c))
        y = y.reshape(b, h // self.side, w // self.side, self.side, self.side, c).transpose(2, 3).reshape(x.shape)
        return torch.roll(y, (self.shift, self.shift), (1, 2))


def window_of(s, picture, dim, heads, i, kind=WindowAttention):
    """Block i of a level: every second one moves its windows, unless one window is the whole picture."""
    side = min(s.get("window", 8), picture)
    return kind(dim, heads, side, s.get("shift", s.get("window", 8) // 2) if i % 2 and side < picture else 0)


class Block(nn.Module):
    def __init__(self, s, level, i, windows):
        super().__init__()
        dim, side = s["width"] << level, s["size"] // s["patch"] >> level
        heads = dim // s["head_width"]
        self.side, self.windows = side, windows
        self.attn = window_of(s, side, dim, heads, i) if windows else SelfAttention(dim, heads)
        self.mlp, self.adaLN_modulation = Mlp(dim, s.get("mlp_ratio", 4) * dim), modulation(s["width"] << s["levels"] - 1, 6)
        self.adaLN_modulation[1] = nn.Linear(s["width"] << s["levels"] - 1, 6 * dim)

    def attend(self, x):
        if not self.windows:
            return self.attn(x)
        return self.attn(x.reshape(x.shape[0], self.side, self.side, -1)).reshape(x.shape)

    def forward(self, x, c):
        a_shift, a_scale, a_gate, m_shift, m_scale, m_gate = self.adaLN_modulation(c).chunk(6, -1)
        x = x + a_gate[:, None] * self.attend(modulate(x, a_shift, a_scale))
        return x + m_gate[:, None] * self.mlp(modulate(x, m_shift, m_scale))


class Level(nn.Module):
    def __init__(self, s, level, depth, windows):
        super().__init__()
        self.blocks = nn.ModuleList(Block(s, level, i, windows) for i in range(depth))


class Merge(nn.Module):
    def __init__(self, side, dim):
        super().__init__()
        self.side, self.proj = side, nn.Linear(4 * dim, 2 * dim)

    def forward(self, x):
        x = x.transpose(1, 2).reshape(x.shape[0], -1, self.side, self.side)
        return self.proj(F.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2))


class Split(nn.Module):
    def __init__(self, side, dim):
        super().__init__()
        self.side, self.proj, self.skip_linear = side, nn.Linear(2 * dim, 4 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x, skip):
        x = self.proj(x).transpose(1, 2).reshape(x.shape[0], -1, self.side // 2, self.side // 2)
        x = F.pixel_shuffle(x, 2).flatten(2).transpose(1, 2)
        return self.skip_linear(torch.cat([x, skip], -1))


class Hourglass(nn.Module):
    """hdit"""
    def __init__(self, s):
        super().__init__()
        self.s = s
        inner, w, side = s["levels"] - 1, s["width"], s["size"] // s["patch"]
        self.out, c = s["channels"] * (1 + s.get("learn_sigma", 0)), s["channels"] * (2 if s.get("enlarge") else 1)
        self.x_embedder, self.t_embedder = Patches(c, s["patch"], w), Two(256, w << inner)
        self.register_buffer("pos_embed", positions(w, side))
        if s.get("classes"):
            self.y_embedder = Label(s["classes"], w << inner)
        outer = [str(i) for i in range(inner)]
        self.down, self.up = (nn.ModuleDict({i: Level(s, int(i), s["depth"], True) for i in outer}) for _ in range(2))
        self.mid = nn.ModuleDict({str(inner): Level(s, inner, s["depth_inner"], False)})
        self.merge = nn.ModuleDict({i: Merge(side >> int(i), w << int(i)) for i in outer})
        self.split = nn.ModuleDict({i: Split(side >> int(i), w << int(i)) for i in outer})
        self.final_layer = Final(w, s["patch"] ** 2 * self.out, True)
        self.final_layer.adaLN_modulation[1] = nn.Linear(w << inner, 2 * w)

    def through(self, name, level, x, c):
        for i, block in enumerate(getattr(self, name)[level].blocks):
            x = self.layers[f"{name}.{level}.blocks.{i}"] = block(x, c)
        return x

    def forward(self, image, t, label=None, condition=None, features=None, pooled=None):
        s, self.layers, skips = self.s, {}, []
        image = image if condition is None else torch.cat([image, condition], -1)
        x = self.x_embedder(image.permute(0, 3, 1, 2)) + self.pos_embed
        c = self.t_embedder(timestep_sinusoids(t, 256).to(x.dtype))
        c = c if label is None else c + self.y_embedder(label)
        for i in self.down:
            skips.append(self.through("down", i, x, c))
            x = self.layers[f"merge.{i}"] = self.merge[i](skips[-1])
        x = self.through("mid", str(s["levels"] - 1), x, c)
        for i in reversed(list(self.up)):
            x = self.layers[f"split.{i}"] = self.split[i](x, skips.pop())
            x = self.through("up", i, x, c)
        x = self.final_layer(x, c)
        b, p, g = x.shape[0], s["patch"], s["size"] // s["patch"]
        x = x.reshape(b, g, g, p, p, self.out).permute(0, 1, 3, 2, 4, 5).reshape(b, g * p, g * p, self.out)
        self.layers["final_layer"] = x
        return x
