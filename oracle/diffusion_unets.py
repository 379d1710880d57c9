"""Diffusion U-Nets in PyTorch: diffusers' own UNet2DModel (ddpm) and UNet2DConditionModel (ldm-unet), and openai's U-Net (adm) written anew from
the papers and the published parameter names; with attention=window, Swin's (oracle/hybrids.py) takes the place of their attention on levels larger than
attention_most.  Sinusoids are taken in double."""
import math

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel, UNet2DModel
from torch import nn

from hybrids import WindowAttention, window_of


class Sinusoids(nn.Module):
    def __init__(self, dim, cos_first):
        super().__init__()
        self.dim, self.cos_first = dim, cos_first

    def forward(self, t):
        half = self.dim // 2
        f = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float64) / (half if self.cos_first else half - 1))
        a = t.double()[:, None] * f
        parts = [torch.cos(a), torch.sin(a)]
        return torch.cat(parts if self.cos_first else parts[::-1], -1)


def attention_of(s):
    """Per level: "" none, "full", "window"."""
    most = s["attention_most"] if "attention_most" in s else s["attention"]
    kind = lambda side: "window" * (s["attention"] == "window") if side > most else "full" * (side >= s["attention_least"])
    return [kind(s["size"] >> i) for i in range(len(str(s["multipliers"])))]


def heads_of(s, dim):
    return dim // s["head_width"] if s.get("head_width") else s.get("heads", 1)


class Windows(nn.Module):
    """Behind residual block j of a level: x + attention in windows of its norm.   x NCHW"""
    def __init__(self, s, level, j, norm, eps):
        super().__init__()
        dim = s["width"] * int(str(s["multipliers"])[level])
        setattr(self, norm, nn.GroupNorm(s["groups"], dim, eps))
        self.norm_name, self.attn = norm, window_of(s, s["size"] >> level, dim, heads_of(s, dim), j)

    def forward(self, x, *_, **__):
        return x + self.attn(getattr(self, self.norm_name)(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class WindowsOfTokens(WindowAttention):
    """Instead of a transformer's first attention.   x [B,T,C]"""
    def forward(self, x, *_, **__):
        side = math.isqrt(x.shape[1])
        return super().forward(x.reshape(x.shape[0], side, side, -1)).reshape(x.shape)


class Published(nn.Module):
    """A model of diffusers, with what each block gave in .layers; pictures are NHWC outside."""
    def __init__(self, s):
        super().__init__()
        widths = [s["width"] * int(c) for c in str(s["multipliers"])]
        attention = attention_of(s)
        attends = [kind != "" for kind in attention]
        common = dict(sample_size=s["size"], in_channels=s["channels"] * (2 if s.get("enlarge") else 1), out_channels=s["channels"] * (1 + s.get("learn_sigma", 0)),
                      block_out_channels=widths, layers_per_block=s["blocks"], norm_num_groups=s["groups"])
        if s["family"] == "ldm-unet":
            down, up = ("CrossAttnDownBlock2D", "DownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")
            common.update(cross_attention_dim=s["text_width"], attention_head_dim=s["heads"], transformer_layers_per_block=s.get("depth", 1),
                          use_linear_projection=s.get("projection") == "linear")
            kind, cos_first = UNet2DConditionModel, True
        else:
            down, up = ("AttnDownBlock2D", "DownBlock2D"), ("AttnUpBlock2D", "UpBlock2D")
            cos_first = s.get("time") == "cos"
            common.update(attention_head_dim=s.get("head_width"), downsample_padding=int(s.get("padding") == "around"), flip_sin_to_cos=cos_first,
                          freq_shift=int(not cos_first), norm_eps=float(s.get("norm_eps", "1e-6")), act_fn="silu",
                          resnet_time_scale_shift="scale_shift" if s.get("scale_shift") else "default", attn_norm_num_groups=s["groups"],
                          num_class_embeds=s["classes"] + 1 if s.get("classes") else None)
            kind = UNet2DModel
        net = kind(down_block_types=[down[not a] for a in attends], up_block_types=[up[not a] for a in attends[::-1]], **common)
        net.time_proj = Sinusoids(widths[0], cos_first)
        for i, kind_of_level in enumerate(attention):
            for block in (net.down_blocks[i], net.up_blocks[-1 - i]) if kind_of_level == "window" else ():
                for j in range(len(block.attentions)):
                    if kind is UNet2DModel:
                        block.attentions[j] = Windows(s, i, j, "group_norm", float(s.get("norm_eps", "1e-6")))
                    else:
                        for k, transformer in enumerate(block.attentions[j].transformer_blocks):
                            transformer.attn1 = window_of(s, s["size"] >> i, widths[i], heads_of(s, widths[i]), j * s.get("depth", 1) + k, WindowsOfTokens)
        self.text = kind is UNet2DConditionModel
        self._net, self.layers = [net], {}
        for name, part in net.named_children():
            setattr(self, name, part)
        blocks = [(f"{side}_blocks.{i}", b) for side in ("down", "up") for i, b in enumerate(getattr(net, side + "_blocks"))] + [("mid_block", net.mid_block)]
        for name, block in blocks:
            block.register_forward_hook(lambda _, __, y, name=name: self.layers.__setitem__(name, (y[0] if isinstance(y, tuple) else y).permute(0, 2, 3, 1)))

    def forward(self, image, t, label=None, features=None, pooled=None, condition=None):
        image = image if condition is None else torch.cat([image, condition], -1)
        x, net = image.permute(0, 3, 1, 2), self._net[0]
        y = net(x, t, features).sample if self.text else net(x, t, class_labels=label).sample
        self.layers["output"] = y.permute(0, 2, 3, 1)
        return self.layers["output"]


class Res(nn.Module):
    """Dhariwal & Nichol 2021, section 3; resample: 1 halves, 2 doubles."""
    def __init__(self, c, n, e, groups, scale_shift, resample=0):
        super().__init__()
        self.scale_shift, self.resample = scale_shift, resample
        self.in_layers = nn.Sequential(nn.GroupNorm(groups, c), nn.SiLU(), nn.Conv2d(c, n, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(e, 2 * n if scale_shift else n))
        self.out_layers = nn.Sequential(nn.GroupNorm(groups, n), nn.SiLU(), nn.Identity(), nn.Conv2d(n, n, 3, padding=1))
        if c != n:
            self.skip_connection = nn.Conv2d(c, n, 1)

    def resize(self, x):
        return x if not self.resample else F.avg_pool2d(x, 2) if self.resample == 1 else F.interpolate(x, scale_factor=2)

    def forward(self, x, e):
        h = self.in_layers[2](self.resize(self.in_layers[1](self.in_layers[0](x))))
        e = self.emb_layers(e)[:, :, None, None]
        if self.scale_shift:
            scale, shift = e.chunk(2, 1)
            h = self.out_layers[3](F.silu(self.out_layers[0](h) * (1 + scale) + shift))
        else:
            h = self.out_layers(h + e)
        x = self.resize(x)
        return h + (self.skip_connection(x) if hasattr(self, "skip_connection") else x)


class Attention(nn.Module):
    def __init__(self, c, heads, groups):
        super().__init__()
        self.heads, self.norm, self.qkv, self.proj_out = heads, nn.GroupNorm(groups, c), nn.Conv1d(c, 3 * c, 1), nn.Conv1d(c, c, 1)

    def forward(self, x, e):
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x.reshape(b, c, h * w))).reshape(b * self.heads, 3 * c // self.heads, h * w).chunk(3, 1)
        a = torch.einsum("bct,bcs->bts", q, k) / math.sqrt(c // self.heads)
        return x + self.proj_out(torch.einsum("bts,bcs->bct", a.softmax(-1), v).reshape(b, c, h * w)).reshape(x.shape)


class Resize(nn.Module):
    def __init__(self, c, down):
        super().__init__()
        if down:
            self.op = nn.Conv2d(c, c, 3, stride=2, padding=1)
        else:
            self.conv = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x, e):
        return self.op(x) if hasattr(self, "op") else self.conv(F.interpolate(x, scale_factor=2))


class Conv(nn.Conv2d):
    def forward(self, x, e):
        return super().forward(x)


class Adm(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s, w, g, scale_shift = s, s["width"], s["groups"], s.get("scale_shift", 1)
        widths, e = [w * int(c) for c in str(s["multipliers"])], 4 * w
        attention = attention_of(s)

        def after(i, j):
            return {"": [], "full": [Attention(widths[i], heads_of(s, widths[i]), g)], "window": [Windows(s, i, j, "norm", 1e-5)]}[attention[i]]
        inside = s.get("resize", "block") == "block"
        self.time_embed = nn.Sequential(nn.Linear(w, e), nn.SiLU(), nn.Linear(e, e))
        if s.get("classes"):
            self.label_emb = nn.Embedding(s["classes"] + (not s.get("always_labelled")), e)
        c, skips = widths[0], [widths[0]]
        self.input_blocks = nn.ModuleList([nn.ModuleList([Conv(s["channels"] * (2 if s.get("enlarge") else 1), c, 3, padding=1)])])
        for i, n in enumerate(widths):
            for j in range(s["blocks"]):
                self.input_blocks.append(nn.ModuleList([Res(c, n, e, g, scale_shift)] + after(i, j)))
                c = n
                skips.append(c)
            if i < len(widths) - 1:
                self.input_blocks.append(nn.ModuleList([Res(c, c, e, g, scale_shift, 1) if inside else Resize(c, True)]))
                skips.append(c)
        self.middle_block = nn.ModuleList([Res(c, c, e, g, scale_shift), Attention(c, heads_of(s, c), g), Res(c, c, e, g, scale_shift)])
        self.output_blocks = nn.ModuleList()
        for i, n in reversed(list(enumerate(widths))):
            for j in range(s["blocks"] + 1):
                parts = [Res(c + skips.pop(), n, e, g, scale_shift)] + after(i, j)
                c = n
                if i and j == s["blocks"]:
                    parts.append(Res(c, c, e, g, scale_shift, 2) if inside else Resize(c, False))
                self.output_blocks.append(nn.ModuleList(parts))
        self.out = nn.Sequential(nn.GroupNorm(g, c), nn.SiLU(), nn.Conv2d(c, s["channels"] * (1 + s.get("learn_sigma", 1)), 3, padding=1))

    def forward(self, image, t, label=None, features=None, pooled=None, condition=None):
        image = image if condition is None else torch.cat([image, condition], -1)
        self.layers, skips = {}, []
        e = self.time_embed(Sinusoids(self.s["width"], True)(t).to(image.dtype))
        if label is not None:
            e = e + self.label_emb(label)
        x = image.permute(0, 3, 1, 2)

        def through(name, parts, x):
            for part in parts:
                x = part(x, e)
            self.layers[name] = x.permute(0, 2, 3, 1)
            return x
        for i, parts in enumerate(self.input_blocks):
            x = through(f"input_blocks.{i}", parts, x)
            skips.append(x)
        x = through("middle_block", self.middle_block, x)
        for i, parts in enumerate(self.output_blocks):
            x = through(f"output_blocks.{i}", parts, torch.cat([x, skips.pop()], 1))
        self.layers["output"] = self.out(x).permute(0, 2, 3, 1)
        return self.layers["output"]


def unet(s):
    return Adm(s) if s["family"] == "adm" else Published(s)
