"""Writes tests/vectors/segment.h: losses of segmentation and their gradients, from PyTorch in double.

usage: segment_vectors.py > tests/vectors/segment.h

Cross entropies come from torch.nn.functional; Dice and focal loss are written out from their papers.
"""
import torch
import torch.nn.functional as F

torch.manual_seed(21)
B, H, W, K = 2, 3, 4, 3
IGNORED = 255
WEIGHT = [0.5, 2.0, 1.25]


def numbers(*shape):
    return torch.randn(*shape, dtype=torch.float64).float().double()


LOGITS = {K: 1.5 * numbers(B, H, W, K), 1: 1.5 * numbers(B, H, W, 1)}
LABELS = {K: torch.randint(0, K, (B, H, W)), 1: torch.randint(0, 2, (B, H, W))}
for labels in LABELS.values():
    labels[0, 1, 2] = labels[1, 0, 0] = IGNORED


def two(x, k):  # one logit: the classes "not" and "yes"
    return torch.cat([torch.zeros_like(x), x], -1) if k == 1 else x


def weights(k):
    return torch.tensor(WEIGHT[:max(k, 2)], dtype=torch.float64)


def ce(x, y, k, w=None, reduction="mean"):
    return F.cross_entropy(two(x, k).reshape(-1, max(k, 2)), y.reshape(-1), weight=w, ignore_index=IGNORED, reduction=reduction)


def bce(x, y, k):
    valid = (y != IGNORED)
    targets = (y[..., None] == torch.arange(k)) if k > 1 else y[..., None] == 1
    return F.binary_cross_entropy_with_logits(x[valid], targets[valid].double())


def dice(x, y, k, background, per_sample, smooth=1.0):
    n = max(k, 2)
    valid = (y != IGNORED)[..., None].double()
    p = two(x, k).softmax(-1) * valid
    t = F.one_hot(y.clamp(max=n - 1), n).double() * valid
    axes = (1, 2) if per_sample else (0, 1, 2)
    score = (2 * (p * t).sum(axes) + smooth) / (p.sum(axes) + t.sum(axes) + smooth)
    return 1 - score[..., 0 if background else 1:].mean()


def focal(x, y, k, gamma, w):
    log_p = two(x, k).log_softmax(-1)
    valid = y != IGNORED
    lp = log_p[valid].gather(1, y[valid][:, None])[:, 0]
    a = w[y[valid]]
    return (a * -((1 - lp.exp()) ** gamma) * lp).sum() / a.sum()


# name, kind, K, weighted, gamma, background, per_sample, dice, entropy, function
CASES = [
    ("plain cross entropy", "ce", 3, 0, 2, 0, 0, 1, 1, lambda x, y: ce(x, y, 3)),
    ("weighted cross entropy", "ce", 3, 1, 2, 0, 0, 1, 1, lambda x, y: ce(x, y, 3, weights(3))),
    ("cross entropy of one logit", "ce", 1, 1, 2, 0, 0, 1, 1, lambda x, y: ce(x, y, 1, weights(1))),
    ("binary cross entropy of one logit", "bce", 1, 0, 2, 0, 0, 1, 1, lambda x, y: bce(x, y, 1)),
    ("binary cross entropy of each class", "bce", 3, 0, 2, 0, 0, 1, 1, lambda x, y: bce(x, y, 3)),
    ("Dice of the batch without background", "dice", 3, 0, 2, 0, 0, 1, 1, lambda x, y: dice(x, y, 3, False, False)),
    ("Dice of each picture with background", "dice", 3, 0, 2, 1, 1, 1, 1, lambda x, y: dice(x, y, 3, True, True)),
    ("Dice of one logit", "dice", 1, 0, 2, 0, 0, 1, 1, lambda x, y: dice(x, y, 1, False, False)),
    ("Dice and cross entropy", "dice-ce", 3, 1, 2, 0, 1, 0.75, 0.5, lambda x, y: 0.75 * dice(x, y, 3, False, True) + 0.5 * ce(x, y, 3, weights(3))),
    ("focal loss", "focal", 3, 1, 2, 0, 0, 1, 1, lambda x, y: focal(x, y, 3, 2, weights(3))),
    ("focal loss, gamma 1.5", "focal", 3, 0, 1.5, 0, 0, 1, 1, lambda x, y: focal(x, y, 3, 1.5, torch.ones(3, dtype=torch.float64))),
    ("focal loss of one logit", "focal", 1, 1, 1, 0, 0, 1, 1, lambda x, y: focal(x, y, 1, 1, weights(1))),
]


def array(kind, name, values, text=repr):
    print(f"static const {kind} {name}[{len(values)}] = {{")
    for i in range(0, len(values), 6):
        print("    " + " ".join(f"{text(v)}," for v in values[i:i + 6]))
    print("};")


def main():
    print("/* Written by oracle/segment_vectors.py: do not edit. */")
    print(f"enum {{ SEGMENT_B = {B}, SEGMENT_H = {H}, SEGMENT_W = {W}, SEGMENT_K = {K}, SEGMENT_CASES = {len(CASES)} }};")
    array("double", "segment_weight", WEIGHT)
    for k in (K, 1):
        array("double", f"segment_logits_{k}", LOGITS[k].flatten().tolist())
        array("unsigned char", f"segment_labels_{k}", LABELS[k].flatten().tolist())
    print("static const struct segment_case {")
    print("    const char *name, *kind;\n    int classes, weighted, background, per_sample;\n    double gamma, dice, entropy, loss, gradient[SEGMENT_B * SEGMENT_H * SEGMENT_W * SEGMENT_K];")
    print("} segment_cases[SEGMENT_CASES] = {")
    for name, kind, k, weighted, gamma, background, per_sample, d, e, loss_of in CASES:
        x = LOGITS[k].clone().requires_grad_()
        loss = loss_of(x, LABELS[k])
        loss.backward()
        print(f'    {{"{name}", "{kind}", {k}, {weighted}, {background}, {per_sample}, {gamma}, {d}, {e}, {loss.item()!r}, {{')
        g = x.grad.flatten().tolist()
        for i in range(0, len(g), 6):
            print("        " + " ".join(f"{v!r}," for v in g[i:i + 6]))
        print("    }},")
    print("};")


main()
