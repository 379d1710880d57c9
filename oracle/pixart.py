"""PixArt in PyTorch once more, written from the authors' layout (never from Limn's C), names of their repositories, and diffusers' names for the
same tensors (scripts/convert_pixart_alpha_to_diffusers.py).  Weights: networks.fill().
"""
import math

import torch
from torch import nn
import torch.nn.functional as F
from diffusers import PixArtTransformer2DModel

from networks import Mlp, Patches, SelfAttention, Two, modulate, sincos, timestep_sinusoids


def places(dim, grid, base, interpolation):
    """Coordinate i / (n / base) / interpolation; half of the width tells the column, half the row."""
    omega = 10000.0 ** (-torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))
    row, column = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) / (n / base) / interpolation for n in grid), indexing="ij")
    return torch.cat([sincos(dim, axis.reshape(-1, 1) * omega) for axis in (column, row)], -1)[None].float()


class CrossAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q_linear, self.kv_linear, self.proj = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)

    def forward(self, x, text, mask):
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in (self.q_linear(x), *self.kv_linear(text).chunk(2, -1)))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) - 10000 * (1 - mask)[:, None, None]
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.attn, self.cross_attn, self.mlp = SelfAttention(dim, heads), CrossAttention(dim, heads), Mlp(dim, hidden)
        self.scale_shift_table = nn.Parameter(torch.zeros(6, dim))

    def forward(self, x, text, mask, t):
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = (t.unflatten(1, (6, -1)) + self.scale_shift_table).unbind(1)
        x = x + gate[:, None] * self.attn(modulate(x, shift, scale))
        x = x + self.cross_attn(x, text, mask)
        return x + mlp_gate[:, None] * self.mlp(modulate(x, mlp_shift, mlp_scale))


class Final(nn.Module):
    def __init__(self, dim, out):
        super().__init__()
        self.linear, self.scale_shift_table = nn.Linear(dim, out), nn.Parameter(torch.zeros(2, dim))

    def forward(self, x, time):
        return self.linear(modulate(x, *(time[:, None] + self.scale_shift_table).unbind(1)))


class Captions(nn.Module):
    def __init__(self, text, dim):
        super().__init__()
        self.y_proj = nn.ModuleDict({"fc1": nn.Linear(text, dim), "fc2": nn.Linear(dim, dim)})

    def forward(self, x):
        return self.y_proj["fc2"](F.gelu(self.y_proj["fc1"](x), approximate="tanh"))


class PixArt(nn.Module):
    """s: settings as Limn writes them.  Returns NHWC; self.layers holds what every block gave."""
    def __init__(self, s):
        super().__init__()
        self.s, dim = s, s["width"]
        self.out = s["channels"] * (1 + s.get("learn_sigma", 1))
        self.x_embedder, self.t_embedder, self.y_embedder = Patches(s["channels"], s["patch"], dim), Two(256, dim), Captions(s["text_width"], dim)
        if s.get("sides"):
            self.csize_embedder, self.ar_embedder = Two(256, dim // 3), Two(256, dim // 3)
        self.t_block = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(dim, s["heads"], s["mlp"]) for _ in range(s["depth"]))
        self.final_layer = Final(dim, s["patch"] ** 2 * self.out)

    def forward(self, image, t, features, mask, resolution=None):
        s, self.layers = self.s, {}
        b, h, w = image.shape[0], image.shape[1] // s["patch"], image.shape[2] // s["patch"]
        x = self.x_embedder(image.permute(0, 3, 1, 2)) + places(s["width"], (h, w), s["size"] // s["patch"], float(s.get("interpolation", 1)))
        time = self.t_embedder(timestep_sinusoids(t, 256).to(x.dtype))
        if s.get("sides"):
            told = timestep_sinusoids(resolution.flatten(), 256).to(x.dtype).unflatten(0, (b, 3))
            time = time + torch.cat([self.csize_embedder(told[:, :2]).flatten(1), self.ar_embedder(told[:, 2])], 1)
        modulation, text = self.t_block(time), self.y_embedder(features)
        self.layers["y_embedder"], self.layers["t_block"] = text, modulation
        for i, block in enumerate(self.blocks):
            x = self.layers[f"blocks.{i}"] = block(x, text, mask, modulation)
        x = self.final_layer(x, time).reshape(b, h, w, s["patch"], s["patch"], self.out).permute(0, 1, 3, 2, 4, 5)
        self.layers["final_layer"] = x = x.reshape(*image.shape[:3], self.out)
        return x


def diffusers_names(sd, s):
    """Tensors by the authors' names -> by diffusers'."""
    o = {"scale_shift_table": sd["final_layer.scale_shift_table"]}
    pairs = [("pos_embed.proj", "x_embedder.proj"), ("proj_out", "final_layer.linear"), ("adaln_single.linear", "t_block.1")]
    for i in (1, 2):
        pairs.append((f"caption_projection.linear_{i}", f"y_embedder.y_proj.fc{i}"))
        pairs.append((f"adaln_single.emb.timestep_embedder.linear_{i}", f"t_embedder.mlp.{2 * i - 2}"))
        if s.get("sides"):
            pairs.append((f"adaln_single.emb.resolution_embedder.linear_{i}", f"csize_embedder.mlp.{2 * i - 2}"))
            pairs.append((f"adaln_single.emb.aspect_ratio_embedder.linear_{i}", f"ar_embedder.mlp.{2 * i - 2}"))
    for i in range(s["depth"]):
        p, q = f"transformer_blocks.{i}.", f"blocks.{i}."
        o[p + "scale_shift_table"] = sd[q + "scale_shift_table"]
        pairs += [(p + "attn1.to_out.0", q + "attn.proj"), (p + "attn2.to_q", q + "cross_attn.q_linear"), (p + "attn2.to_out.0", q + "cross_attn.proj"),
                  (p + "ff.net.0.proj", q + "mlp.fc1"), (p + "ff.net.2", q + "mlp.fc2")]
        for k in ("weight", "bias"):
            for x, part in zip("qkv", sd[q + "attn.qkv." + k].chunk(3, 0)):
                o[p + f"attn1.to_{x}." + k] = part
            for x, part in zip("kv", sd[q + "cross_attn.kv_linear." + k].chunk(2, 0)):
                o[p + f"attn2.to_{x}." + k] = part
    for theirs, ours in pairs:
        for k in ("weight", "bias"):
            o[theirs + "." + k] = sd[ours + "." + k]
    return o


def diffusers_model(s, **more):
    return PixArtTransformer2DModel(num_attention_heads=s["heads"], attention_head_dim=s["width"] // s["heads"], in_channels=s["channels"],
                                    out_channels=s["channels"] * (1 + s.get("learn_sigma", 1)), num_layers=s["depth"], cross_attention_dim=s["width"],
                                    sample_size=s["size"], patch_size=s["patch"], caption_channels=s["text_width"],
                                    interpolation_scale=float(s.get("interpolation", 1)), use_additional_conditions=bool(s.get("sides")), **more)
