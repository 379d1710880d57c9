"""Writes tests/vectors/contrastive.h: InfoNCE between pooled tokens and text, from PyTorch in double.

usage: contrastive_vectors.py > tests/vectors/contrastive.h

Pair 2 is left out (its caption was dropped); pairs 0 and 3 carry the same caption, so neither is the other's negative.
"""
import math

import torch
import torch.nn.functional as F

torch.manual_seed(11)
B, T, D, E = 5, 3, 6, 4
LEFT_OUT, SAME = 2, (0, 3)


def main():
    tokens, text, w_image, w_text = (torch.randn(s, dtype=torch.float64).float().double().requires_grad_() for s in ((B, T, D), (B, E), (E, D), (E, E)))
    log_scale = torch.tensor([0.25], dtype=torch.float64, requires_grad=True)  # beside ln(1/0.07)
    a = F.normalize(F.linear(tokens.mean(1), w_image), dim=-1)
    b = F.normalize(F.linear(text, w_text), dim=-1)
    logits = torch.exp(log_scale + math.log(1 / 0.07)) * a @ b.T
    hidden = torch.zeros(B, B, dtype=torch.bool)
    hidden[LEFT_OUT, :] = hidden[:, LEFT_OUT] = True
    hidden[SAME[0], SAME[1]] = hidden[SAME[1], SAME[0]] = True
    logits = logits.masked_fill(hidden, -math.inf)
    kept = [i for i in range(B) if i != LEFT_OUT]
    target = torch.tensor(kept)
    loss = (F.cross_entropy(logits[kept], target) + F.cross_entropy(logits.T[kept], target)) / 2
    loss.backward()
    print("/* Written by oracle/contrastive_vectors.py: do not edit. */")
    print(f"enum {{ CONTRASTIVE_B = {B}, CONTRASTIVE_T = {T}, CONTRASTIVE_D = {D}, CONTRASTIVE_E = {E} }};")
    arrays = [("tokens", tokens), ("text", text), ("image_projection", w_image), ("text_projection", w_text), ("log_scale", log_scale)]
    arrays = [(n, v.detach()) for n, v in arrays] + [(n + "_gradient", v.grad) for n, v in arrays]
    for name, value in arrays:
        flat = value.flatten().tolist()
        print(f"static const double contrastive_{name}[{len(flat)}] = {{")
        for i in range(0, len(flat), 6):
            print("    " + " ".join(f"{x!r}," for x in flat[i:i + 6]))
        print("};")
    print(f"static const double contrastive_loss = {loss.item()!r};")


main()
