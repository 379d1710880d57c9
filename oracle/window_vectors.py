"""Writes tests/vectors/window.h: what a Swin block gives, by transformers' SwinLayer in double, with weights and a picture of the formula.

    python oracle/window_vectors.py tests/vectors/window.h
"""
import sys

import torch
from transformers import SwinConfig
from transformers.models.swin.modeling_swin import SwinLayer

from layer_vectors import given
from networks import weight

CASES = [(8, 12, 4, 0), (8, 12, 4, 2), (4, 4, 4, 0), (6, 6, 3, 1)]  # height, width, window, shift
WIDTH, HEADS, HIDDEN = 12, 3, 24


def block(height, width, window, shift):
    config = SwinConfig(window_size=window, mlp_ratio=HIDDEN / WIDTH, qkv_bias=True, hidden_act="gelu", layer_norm_eps=1e-5, _attn_implementation="eager")
    layer = SwinLayer(config, WIDTH, (height, width), HEADS, shift_size=shift).double().eval()
    sd = {}
    for part in ("weight", "bias"):
        three = (3 * WIDTH, WIDTH) if part == "weight" else (3 * WIDTH,)
        for name, w in zip(("q_proj", "k_proj", "v_proj"), weight("attn.qkv." + part, three).chunk(3)):
            sd[f"attention.{name}.{part}"] = w
        for theirs, ours, shape in (("attention.o_proj", "attn.proj", (WIDTH, WIDTH)), ("mlp.fc1", "mlp.fc1", (HIDDEN, WIDTH)),
                                    ("mlp.fc2", "mlp.fc2", (WIDTH, HIDDEN)), ("layernorm_before", "norm1", (WIDTH,)), ("layernorm_after", "norm2", (WIDTH,))):
            sd[f"{theirs}.{part}"] = weight(f"{ours}.{part}", shape if part == "weight" else shape[:1])
    sd["attention.relative_position_bias.relative_position_bias_table"] = weight("attn.relative_position_bias_table", ((2 * window - 1) ** 2, HEADS))
    missing = layer.load_state_dict(sd, strict=False)
    assert not missing.unexpected_keys and all("index" in k for k in missing.missing_keys), missing
    x = given("image", 2, height, width, WIDTH)
    y = layer(x.reshape(2, -1, WIDTH), (height, width))[0]
    return y.reshape(-1)


def main(path):
    torch.set_num_threads(1)
    lines = ["/* window.h: written by oracle/window_vectors.py; do not edit.  Mean, Euclidean norm, and 16 values at i (n - 1) / 15. */",
             f"enum {{ WIDTH = {WIDTH}, HEADS = {HEADS}, HIDDEN = {HIDDEN} }};", "static const struct swin_vectors {",
             "    int height, width, window, shift;", "    double mean, norm, value[16];", "} swin_vectors[] = {"]
    with torch.no_grad():
        for case in CASES:
            f = block(*case)
            n = f.numel()
            values = ", ".join(f"{f[i * (n - 1) // 15].item():.9g}" for i in range(16))
            lines.append(f"    {{{', '.join(map(str, case))}, {f.mean().item():.10g}, {f.norm().item():.10g},\n     {{{values}}}}},")
    open(path, "w").write("\n".join([*lines, "};"]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
