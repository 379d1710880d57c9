"""Writes tests/vectors/dialects.h: the tensors of diffusers' DiT and SD3 files, and which rows of the original layout each holds.

The names and shapes are those of diffusers' own state dicts; the rows follow from carrying row numbers through the maps of
layer_vectors.py, which that script proved by equal outputs.

    python oracle/dialect_vectors.py tests/vectors/dialects.h
"""
import sys

import torch
from diffusers import DiTTransformer2DModel, SD3Transformer2DModel

from layer_vectors import diffusers_dit, diffusers_sd3
from networks import Denoiser, settings

SMALL = "size=8 channels=4 patch=2 width=32 depth=2 heads=4 mlp=128 conditioning=modulated norm=pre "
DIALECTS = [
    ("dit_diffusers", "dit " + SMALL + "classes=10 learn_sigma=1 as_diffusers=1"),
    ("sd3_diffusers", "mmdit " + SMALL + "attention=joint text_length=333 text_width=24 pooled_width=20 qk_norm=1 dual=1 places=5"),
]


def published(s):
    common = dict(num_attention_heads=4, attention_head_dim=8, in_channels=4, num_layers=2, sample_size=8, patch_size=2)
    if s["family"] == "dit":
        return DiTTransformer2DModel(num_embeds_ada_norm=10, out_channels=8, **common)
    return SD3Transformer2DModel(joint_attention_dim=24, caption_projection_dim=32, pooled_projection_dim=20, out_channels=4, pos_embed_max_size=5,
                                 qk_norm="rms_norm", dual_attention_layers=(0,), **common)


def main(path):
    lines = ["/* dialects.h: written by oracle/dialect_vectors.py; do not edit.  Each tensor is made of n runs of `rows` rows of `from`. */",
             "typedef struct dialect_tensor {", "    const char *name, *from;", "    int rank, dim[4], n, begin[2], rows;", "} dialect_tensor;"]
    for title, text in DIALECTS:
        s = settings(text)
        native = Denoiser(s).state_dict()
        names, numbered, at = [], {}, 0
        for name, t in native.items():
            rows = torch.arange(at, at + t.shape[0]).double().reshape(-1, *[1] * (t.dim() - 1))
            numbered[name] = rows.expand(t.shape)
            names += [(name, i) for i in range(t.shape[0])]
            at += t.shape[0]
        mapped = (diffusers_dit if s["family"] == "dit" else diffusers_sd3)(numbered, s)
        state = published(s).state_dict()
        assert set(state) == set(mapped), set(state) ^ set(mapped)
        lines += ["", f'static const char {title}_settings[] = "{text}";', f"static const dialect_tensor {title}[] = {{"]
        for name, t in state.items():
            assert t.shape == mapped[name].shape
            ids = mapped[name].reshape(t.shape[0], -1)[:, 0].long().tolist()
            breaks = [0] + [i for i in range(1, len(ids)) if ids[i] != ids[i - 1] + 1]
            assert len(breaks) <= 2 and len({names[i][0] for i in ids}) == 1
            begin = [names[ids[i]][1] for i in breaks] + [0] * (2 - len(breaks))
            dim = list(t.shape) + [0] * (4 - t.dim())
            lines.append(f'    {{"{name}", "{names[ids[0]][0]}", {t.dim()}, {{{", ".join(map(str, dim))}}}, {len(breaks)}, '
                         f'{{{begin[0]}, {begin[1]}}}, {len(ids) // len(breaks)}}},')
        lines.append("};")
    open(path, "w").write("\n".join(lines) + "\n")


main(sys.argv[1])
