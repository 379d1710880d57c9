"""Writes tests/vectors/lora.h: weights changed by modules of every kind, by LyCORIS' own functions (locon, loha, lokr, DoRA per
input) and PEFT's merge (LoRA, DoRA per output), operands of the formula; the weight of the file is 0.7.

    python oracle/lora_vectors.py tests/vectors/lora.h       (lycoris-lora, peft, torch)
"""
import sys

import lycoris.functional as F
import torch
from peft import LoraConfig, get_peft_model

from networks import formula

M = 0.7
HEAD = "lora_unet_"


def given(name, *shape):
    return torch.as_tensor(formula(name, torch.Size(shape).numel(), 1.0)).reshape(shape)


def kohya(module, **parts):
    """Tensors of a module, in the file's names."""
    return {key: given(f"{HEAD}{module}.{key}", *shape) for key, shape in parts.items()}


def locon(module, w, r, mid=None):
    down, up = given(f"{HEAD}{module}.lora_down.weight", r, *w[1:]) if mid is None else given(f"{HEAD}{module}.lora_down.weight", r, w[1], 1, 1), \
        given(f"{HEAD}{module}.lora_up.weight", w[0], r, *[1] * (len(w) - 2))
    t = None if mid is None else given(f"{HEAD}{module}.lora_mid.weight", r, r, *w[2:])
    return down, up, t


def changed(module, shape, delta):
    w = given(f"{module}.weight", *shape)
    return w + M * delta.reshape(shape)


def cases():
    alpha = 1.5
    for name, shape, r in [("linear", (6, 5), 2), ("conv", (4, 3, 3, 3), 3), ("point", (4, 6, 1, 1), 2)]:
        yield name, shape, changed(name, shape, F.locon.diff_weight(*locon(name, shape, r), gamma=alpha / r, backend="torch")), [r]
    shape, r = (4, 3, 3, 3), 2
    yield "tucker", shape, changed("tucker", shape, F.locon.diff_weight(*locon("tucker", shape, r, True), gamma=alpha / r, backend="torch")), [r]
    shape = (6, 5)
    h = lambda m, k, *s: given(f"{HEAD}{m}.{k}", *s)  # noqa: E731
    a = [h("loha", k, *s) for k, s in [("hada_w1_b", (r, 5)), ("hada_w1_a", (6, r)), ("hada_w2_b", (r, 5)), ("hada_w2_a", (6, r))]]
    yield "loha", shape, changed("loha", shape, F.loha.diff_weight(*a, None, None, gamma=alpha / r, backend="torch")), [r]
    shape = (4, 3, 3, 3)
    a = [h("loha_conv", k, *s) for k, s in [("hada_w1_b", (r, 3)), ("hada_w1_a", (r, 4)), ("hada_w2_b", (r, 3)), ("hada_w2_a", (r, 4)), ("hada_t1", (r, r, 3, 3)),
                                          ("hada_t2", (r, r, 3, 3))]]
    yield "loha_conv", shape, changed("loha_conv", shape, F.loha.diff_weight(*a, gamma=alpha / r, backend="torch")), [r]
    shape = (6, 4)
    a = [h("lokr", "lokr_w1", 2, 2), None, None, h("lokr", "lokr_w2", 3, 2), None, None, None]
    yield "lokr", shape, changed("lokr", shape, F.lokr.diff_weight(*a, gamma=1.0, backend="torch")), [0]
    a = [h("lokr_split", "lokr_w1", 2, 2), None, None, None, h("lokr_split", "lokr_w2_a", 3, r), h("lokr_split", "lokr_w2_b", r, 2), None]
    yield "lokr_split", shape, changed("lokr_split", shape, F.lokr.diff_weight(*a, gamma=alpha, backend="torch")), [r]
    shape = (6, 4, 3, 3)
    a = [h("lokr_conv", "lokr_w1", 2, 2), None, None, None, h("lokr_conv", "lokr_w2_a", r, 3), h("lokr_conv", "lokr_w2_b", r, 2), h("lokr_conv", "lokr_t2", r, r, 3, 3)]
    scale = alpha / r * 3  # this function divides by the wrong side of a turned factor, 3; LyCORIS' own layer by r
    yield "lokr_conv", shape, changed("lokr_conv", shape, F.lokr.diff_weight(*a, gamma=scale, backend="torch")), [r]
    shape = (6, 5)
    delta = F.locon.diff_weight(*locon("dora_in", shape, r), gamma=alpha / r, backend="torch")
    yield "dora_in", shape, F.apply_dora_scale(given("dora_in.weight", *shape), delta, h("dora_in", "dora_scale", 1, 5), M), [r]
    yield "dora_out", shape, dora_of_peft("dora_out", shape, r, alpha), [r]
    yield "whole", shape, given("whole.weight", *shape) + M * h("whole", "diff", *shape), [0]
    yield "norm", (5,), given("norm.weight", 5) + M * h("norm", "w_norm", 5), [0]


def dora_of_peft(module, shape, r, alpha):
    """As if at weight 1; then W + M (W' - W)."""
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(shape[1], shape[0], bias=False)
    net = Net()
    w = given(f"{module}.weight", *shape)
    net.layer.weight.data = w.clone()
    net = get_peft_model(net, LoraConfig(r=r, lora_alpha=alpha, target_modules=["layer"], use_dora=True))
    layer = net.base_model.model.layer
    layer.lora_A["default"].weight.data = given(f"{HEAD}{module}.lora_down.weight", r, shape[1])
    layer.lora_B["default"].weight.data = given(f"{HEAD}{module}.lora_up.weight", shape[0], r)
    layer.lora_magnitude_vector["default"].weight.data = given(f"{HEAD}{module}.dora_scale", shape[0], 1).reshape(-1)
    merged = net.merge_and_unload().layer.weight.data
    return w + M * (merged - w)


def main(path):
    lines = ["/* lora.h: written by oracle/lora_vectors.py; do not edit.  Weights changed by modules of formula numbers. */",
             "static const struct lora_vectors {", "    const char *module;", "    int rank;", "    long shape[4];", "    int r;", "    double value[256];", "} lora_vectors[] = {"]
    for name, shape, expected, (r,) in cases():
        values = [f"{v:.9g}" for v in expected.reshape(-1).tolist()]
        rows = [", ".join(values[i:i + 10]) for i in range(0, len(values), 10)]
        lines.append(f'    {{"{name}", {len(shape)}, {{{", ".join(str(d) for d in shape)}}}, {r}, {{' + ",\n      ".join(rows) + "}},")
    open(path, "w").write("\n".join(lines) + "\n};\n")


main(sys.argv[1])
