"""Writes tests/vectors/pixart.h: what small PixArts give, layer by layer, in double precision, and the tensors of diffusers' files.

Computed by the module of oracle/pixart.py and by diffusers' PixArtTransformer2DModel from the same weights; the script stops where they are
further apart than the places that diffusers computes in f32 (its timesteps are made f64), or where the mask, the text, the time or the sides move nothing.
The picture is 6 x 10 pixels, rows of the batch have captions of 5 and 2 tokens of 7.

    python oracle/pixart_vectors.py tests/vectors/pixart.h
"""
import sys

import torch

from layer_vectors import Sinusoids, given
from networks import fill, settings
from pixart import PixArt, diffusers_model, diffusers_names

SMALL = "size=8 channels=4 patch=2 width=24 depth=2 heads=2 mlp=96 text_length=7 text_width=16 "
NETWORKS = [("sigma", "pixart " + SMALL + "interpolation=0.5"), ("alpha", "pixart " + SMALL + "interpolation=2 sides=1")]
HEIGHT, WIDTH = 6, 10


def inputs(s):
    d = {"image": given("image", 2, HEIGHT, WIDTH, s["channels"]), "t": torch.tensor([100.0, 725.0]).double(),
         "features": given("features", 2, s["text_length"], s["text_width"]), "mask": torch.tensor([[1.0] * 5 + [0] * 2, [1.0] * 2 + [0] * 5]).double()}
    if s.get("sides"):
        d["resolution"] = torch.tensor([[512, 768, 512 / 768], [1024, 640, 1024 / 640]]).double()
    return d


def of_diffusers(model, d):
    more = {"resolution": d["resolution"][:, :2], "aspect_ratio": d["resolution"][:, 2:]} if "resolution" in d else {"resolution": None, "aspect_ratio": None}
    y = model(d["image"].permute(0, 3, 1, 2), encoder_hidden_states=d["features"], encoder_attention_mask=d["mask"], timestep=d["t"],
              added_cond_kwargs=more).sample
    return y.permute(0, 2, 3, 1)


def apart(a, b):
    return (a - b).abs().max().item() / b.abs().max().item()


def check(s, model, d, y):
    peer = diffusers_model(s).double().eval()
    peer.load_state_dict(diffusers_names(model.state_dict(), s), strict=True)
    emb = peer.adaln_single.emb
    emb.time_proj = Sinusoids()
    if s.get("sides"):
        emb.additional_condition_proj = Sinusoids()
    print("diffusers is", apart(of_diffusers(peer, d), y), "away")
    assert apart(of_diffusers(peer, d), y) < 2e-6
    others = {"mask": torch.ones_like(d["mask"]), "t": d["t"].flip(0), "features": d["features"].flip(0)}
    if "resolution" in d:
        others["resolution"] = d["resolution"].flip(0)
    for name, value in others.items():
        moved = apart(model(**{**d, name: value}), y)
        print(f"  another {name} moves {moved:.3f}")
        assert moved > 0.02
    return peer


def main(path):
    torch.set_num_threads(1)
    lines = ["/* pixart.h: written by oracle/pixart_vectors.py; do not edit.  Layers as in layers.h; names of diffusers as in dialects.h. */",
             "static const network_vectors pixarts[] = {"]
    tables = []
    with torch.no_grad():
        for title, network in NETWORKS:
            s = settings(network)
            model, d = fill(PixArt(s)).double().eval(), inputs(s)
            y = model(**d)
            layers = dict(model.layers)
            peer = check(s, model, d, y)
            lines.append(f'    {{"{network}", {len(layers)}, {{')
            for scope, y in layers.items():
                f = y.reshape(-1)
                n = f.numel()
                values = ", ".join(f"{f[i * (n - 1) // 15].item():.9g}" for i in range(16))
                lines.append(f'        {{"{scope}", {f.mean().item():.10g}, {f.norm().item():.10g},\n         {{{values}}}}},')
            lines.append("    }},")
            tables += table(title, s, model.state_dict(), peer.state_dict())
    open(path, "w").write("\n".join([*lines, "};", *tables]) + "\n")


def table(title, s, native, state):
    """Which rows of which of our tensors each of diffusers' holds."""
    numbered, names, at = {}, [], 0
    for name, t in native.items():
        numbered[name] = torch.arange(at, at + t.shape[0]).double().reshape(-1, *[1] * (t.dim() - 1)).expand(t.shape)
        names += [(name, i) for i in range(t.shape[0])]
        at += t.shape[0]
    mapped = diffusers_names(numbered, s)
    assert set(state) == set(mapped), set(state) ^ set(mapped)
    lines = ["", f"static const dialect_tensor pixart_{title}[] = {{"]
    for name, t in state.items():
        first, begin = names[int(mapped[name].flatten()[0])]
        dim = list(t.shape) + [0] * (4 - t.dim())
        lines.append(f'    {{"{name}", "{first}", {t.dim()}, {{{", ".join(map(str, dim))}}}, 1, {{{begin}, 0}}, {t.shape[0]}}},')
    return [*lines, "};"]


if __name__ == "__main__":
    main(sys.argv[1])
