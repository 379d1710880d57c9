"""Writes tests/vectors/winograd.h: 3 x 3 convolutions and their gradients by PyTorch in double, operands of the formula.

    python oracle/winograd_vectors.py tests/vectors/winograd.h
"""
import sys

import torch
import torch.nn.functional as F

from networks import formula

CASES = [(2, 13, 18, 32, 48, 1, 1), (1, 12, 12, 160, 40, 1, 1), (1, 18, 11, 64, 64, 0, 1), (1, 17, 16, 64, 64, 1, 2)]
VALUES = 24


def given(name, *shape):
    n = torch.Size(shape).numel()
    return torch.as_tensor(formula(name, n, 1.0)).double().reshape(shape)


def convolution(batch, height, width, channels, columns, pad, times):
    x = given("x", batch, height, width, channels).requires_grad_()
    w = given("w", columns, channels, 3, 3).requires_grad_()
    enlarged = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=times)
    y = F.conv2d(enlarged, w, given("b", columns), padding=pad).permute(0, 2, 3, 1)
    y.backward(given("dy", *y.shape))
    return y.detach(), x.grad, w.grad


def main(path):
    lines = ["/* winograd.h: written by oracle/winograd_vectors.py; do not edit.  Euclidean norm, and values at i (n - 1) / "
             f"{VALUES - 1}. */", f"enum {{ VALUES = {VALUES} }};", "static const struct convolution_vectors {",
             "    int batch, height, width, channels, columns, pad, times;", "    struct {",
             "        double norm, value[VALUES];", "    } y, dx, dw;", "} convolution_vectors[] = {"]
    for case in CASES:
        parts = []
        for result in convolution(*case):
            f = result.reshape(-1)
            rows = [", ".join(f"{f[i * (f.numel() - 1) // (VALUES - 1)].item():.10g}" for i in range(k, k + 8)) for k in range(0, VALUES, 8)]
            parts.append(f"     {{{f.norm().item():.10g}, {{" + ",\n       ".join(rows) + "}}")
        lines.append(f"    {{{', '.join(map(str, case))},\n" + ",\n".join(parts) + "},")
    open(path, "w").write("\n".join([*lines, "};"]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
