"""Writes tests/vectors/sd3.h: what Stable Diffusion 3's network gives, block by block, as diffusers computes it in double precision.

SD3Transformer2DModel in three forms, small: plain (SD3 medium), with norms of queries and keys (3.5 large), with a second attention in the
first blocks too (3.5 medium).  Weights come from the formula of networks.py by diffusers' names, its table of places as well, so that only
what is read from the file can be right.  The same weights by the names of Stability's files are listed as sums of diffusers' tensors, as
scripts/convert_sd3_to_diffusers.py has them, by hand.  The script stops where prompt, pooled text, timestep, places, size, second attention or a
block do not matter.

    python oracle/sd3_network.py tests/vectors/sd3.h
"""
import sys

import numpy as np
import torch
from diffusers import SD3Transformer2DModel

from layer_vectors import Sinusoids
from networks import formula, is_norm

DEPTH, HEADS, CHANNELS, TEXT, POOLED, TOKENS, PLACES, DUAL = 3, 3, 4, 24, 20, 5, 9, 2
WIDTH = 64 * HEADS
COMMON = dict(sample_size=16, patch_size=2, in_channels=CHANNELS, num_layers=DEPTH, attention_head_dim=64, num_attention_heads=HEADS,
              joint_attention_dim=TEXT, caption_projection_dim=WIDTH, pooled_projection_dim=POOLED, out_channels=CHANNELS, pos_embed_max_size=PLACES)
FORMS = [dict(), dict(qk_norm="rms_norm"), dict(qk_norm="rms_norm", dual_attention_layers=tuple(range(DUAL)))]
# form, height, width, timestep, blocks left out
CASES = [(0, 8, 12, 725.0, []), (0, 18, 4, 100.0, []), (1, 10, 6, 725.0, []), (2, 8, 12, 725.0, []), (2, 6, 18, 300.0, []),
         (2, 8, 12, 725.0, [1]), (2, 8, 12, 725.0, [0, 2])]


def weight(name, shape):
    n = int(np.prod(shape))
    scale = 0.5 if name == "pos_embed.pos_embed" or name.startswith("context_embedder") or ".text_embedder" in name else 0.1
    x = 1 + formula(name, n) if is_norm(name) else formula(name, n, scale)
    return torch.from_numpy(np.asarray(x, np.float32).reshape(tuple(shape))).double()


def network(form, spoiled=None):
    """spoiled: tensors with this in their names begin at their second row."""
    m = SD3Transformer2DModel(**COMMON, **FORMS[form]).double().eval()
    state = {name: weight(name, t.shape) for name, t in m.state_dict().items()}
    for name in state:
        if spoiled and spoiled in name:
            x = state[name]
            state[name] = x.flatten().roll(-x.shape[-1]).reshape(x.shape)
    m.load_state_dict(state, strict=True)
    m.time_text_embed.time_proj = Sinusoids()
    return m


def inputs(h, w):
    take = lambda name, *shape: torch.from_numpy(formula("input." + name, int(np.prod(shape)), 1.0)).double().reshape(shape)
    return {"image": take("image", 2, h, w, CHANNELS), "features": take("features", 2, TOKENS, TEXT), "pooled": take("pooled", 2, POOLED)}


def run(m, d, t, skipped=(), layers=None):
    hooks = []
    for i, block in enumerate(m.transformer_blocks):
        def keep(_, __, y, i=i):
            if layers is not None:
                if y[0] is not None:
                    layers[f"joint_blocks.{i}.context_block"] = y[0]
                layers[f"joint_blocks.{i}"] = y[1]
        hooks.append(block.register_forward_hook(keep))
    y = m(d["image"].permute(0, 3, 1, 2), d["features"], d["pooled"], torch.tensor([t, t]).double(), skip_layers=list(skipped) or None)
    for hook in hooks:
        hook.remove()
    y = y.sample.permute(0, 2, 3, 1)
    if layers is not None:
        layers["final_layer"] = y
    return y


def must_matter(form, h, w, t):
    d = inputs(h, w)
    m = network(form)
    y = run(m, d, t)
    others = {k: run(m, {**d, k: 0.5 * d[k]}, t) for k in ("features", "pooled")}
    others["timestep"] = run(m, d, t - 50)
    others |= {name: run(network(form, name), d, t) for name in ("pos_embed.pos_embed", "attn2.to_out") if form == 2 or name != "attn2.to_out"}
    others |= {f"block {i}": run(m, d, t, [i]) for i in range(DEPTH)}
    away = {k: ((o - y).norm() / y.norm()).item() for k, o in others.items()}
    print(form, {k: round(v, 3) for k, v in away.items()})
    assert all(v > 0.02 for v in away.values())


def original(form):
    """Stability's name -> the diffusers tensors under each other that it is, and whether the halves change places."""
    o = {"pos_embed": (["pos_embed.pos_embed"], False)}
    for k in ("weight", "bias"):
        one = {"x_embedder.proj": "pos_embed.proj", "context_embedder": "context_embedder", "final_layer.linear": "proj_out"}
        one |= {f"t_embedder.mlp.{2 * i}": f"time_text_embed.timestep_embedder.linear_{i + 1}" for i in (0, 1)}
        one |= {f"y_embedder.mlp.{2 * i}": f"time_text_embed.text_embedder.linear_{i + 1}" for i in (0, 1)}
        o |= {f"{a}.{k}": ([f"{b}.{k}"], False) for a, b in one.items()}
        o[f"final_layer.adaLN_modulation.1.{k}"] = ([f"norm_out.linear.{k}"], True)
        for i in range(DEPTH):
            last, x, c, b = i == DEPTH - 1, f"joint_blocks.{i}.x_block.", f"joint_blocks.{i}.context_block.", f"transformer_blocks.{i}."
            o[f"{x}adaLN_modulation.1.{k}"] = ([f"{b}norm1.linear.{k}"], False)
            o[f"{c}adaLN_modulation.1.{k}"] = ([f"{b}norm1_context.linear.{k}"], last)
            o[f"{x}attn.qkv.{k}"] = ([f"{b}attn.to_{a}.{k}" for a in "qkv"], False)
            o[f"{c}attn.qkv.{k}"] = ([f"{b}attn.add_{a}_proj.{k}" for a in "qkv"], False)
            o[f"{x}attn.proj.{k}"] = ([f"{b}attn.to_out.0.{k}"], False)
            o[f"{x}mlp.fc1.{k}"], o[f"{x}mlp.fc2.{k}"] = ([f"{b}ff.net.0.proj.{k}"], False), ([f"{b}ff.net.2.{k}"], False)
            if not last:
                o[f"{c}attn.proj.{k}"] = ([f"{b}attn.to_add_out.{k}"], False)
                o[f"{c}mlp.fc1.{k}"], o[f"{c}mlp.fc2.{k}"] = ([f"{b}ff_context.net.0.proj.{k}"], False), ([f"{b}ff_context.net.2.{k}"], False)
            if form == 2 and i < DUAL:
                o[f"{x}attn2.qkv.{k}"] = ([f"{b}attn2.to_{a}.{k}" for a in "qkv"], False)
                o[f"{x}attn2.proj.{k}"] = ([f"{b}attn2.to_out.0.{k}"], False)
    for i in range(DEPTH if form else 0):
        x, c, b = f"joint_blocks.{i}.x_block.", f"joint_blocks.{i}.context_block.", f"transformer_blocks.{i}."
        for a in "qk":
            o[f"{x}attn.ln_{a}.weight"], o[f"{c}attn.ln_{a}.weight"] = ([f"{b}attn.norm_{a}.weight"], False), ([f"{b}attn.norm_added_{a}.weight"], False)
            if form == 2 and i < DUAL:
                o[f"{x}attn2.ln_{a}.weight"] = ([f"{b}attn2.norm_{a}.weight"], False)
    return o


def tables():
    """What the forms have in common once: bit f of `forms` says that form f has the row."""
    theirs, ours = {}, {}
    for form in range(len(FORMS)):
        shapes = {name: tuple(t.shape) for name, t in network(form).state_dict().items()}
        named = original(form)
        assert sorted(sum((parts for parts, _ in named.values()), [])) == sorted(shapes)
        for name, shape in shapes.items():
            theirs[name, shape] = theirs.get((name, shape), 0) | 1 << form
        for name, (parts, swap) in named.items():
            row = name, tuple(parts), swap
            ours[row] = ours.get(row, 0) | 1 << form
    lines = ["typedef struct sd3_theirs {", "    const char *name;", "    int forms, rank, dim[4];", "} sd3_theirs;", "static const sd3_theirs sd3_diffusers[] = {"]
    lines += [f'    {{"{name}", {forms}, {len(shape)}, {{{", ".join(map(str, shape))}}}}},' for (name, shape), forms in theirs.items()]
    lines += ["};", "typedef struct sd3_ours {", "    const char *name;", "    int forms, swap;", "    const char *part[3];", "} sd3_ours;",
              "static const sd3_ours sd3_original[] = {"]
    lines += [f'    {{"{name}", {forms}, {int(swap)}, {{{", ".join(chr(34) + p + chr(34) for p in parts)}}}}},' for (name, parts, swap), forms in ours.items()]
    return lines + ["};"]


def main(path):
    torch.set_num_threads(1)
    lines = ["/* sd3.h: written by oracle/sd3_network.py; do not edit.  Per layer: mean, Euclidean norm, and 16 values at i (n - 1) / 15. */", *tables(),
             "typedef struct sd3_layer {", "    const char *scope;", "    double mean, norm, value[16];", "} sd3_layer;",
             "typedef struct sd3_case {", "    int form, height, width;", "    float time;", "    unsigned left_out;", "    int n;", "    sd3_layer layer[8];", "} sd3_case;",
             f"enum {{ SD3_TOKENS = {TOKENS}, SD3_PLACES = {PLACES} }};", "static const sd3_case sd3_cases[] = {"]
    with torch.no_grad():
        must_matter(0, 8, 12, 725.0)
        must_matter(2, 8, 12, 725.0)
        for form, h, w, t, skipped in CASES:
            layers = {}
            run(network(form), inputs(h, w), t, skipped, layers)
            lines.append(f"    {{{form}, {h}, {w}, {t}f, {sum(1 << i for i in skipped)}, {len(layers)}, {{")
            for scope, y in layers.items():
                f = y.reshape(-1)
                values = ", ".join(f"{f[i * (f.numel() - 1) // 15].item():.9g}" for i in range(16))
                lines.append(f'        {{"{scope}", {f.mean().item():.10g}, {f.norm().item():.10g},\n         {{{values}}}}},')
            lines.append("    }},")
    open(path, "w").write("\n".join([*lines, "};"]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
