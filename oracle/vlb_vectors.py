"""Writes tests/vectors/vlb.h: the hybrid loss of a learned variance and its gradient, from PyTorch in double.

usage: vlb_vectors.py > tests/vectors/vlb.h

The variational bound is written out as improved-diffusion states it (posterior and model as two Gaussians in x, the
discretised Gaussian at timestep 0), not in the shortened form that Limn uses.
"""
import math

import torch

torch.manual_seed(5)
T, SHAPE = 1000, (5, 2, 3, 2)  # pictures [B, H, W, C]
TIMES = [0, 0, 1, 500, 999]


def schedule():
    beta = torch.linspace(1e-4, 0.02, T, dtype=torch.float64)
    bar = torch.cumprod(1 - beta, 0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), bar[:-1]])
    variance = beta * (1 - before) / (1 - bar)
    log_variance = torch.log(torch.cat([variance[1:2], variance[1:]]))
    return beta, bar, before, log_variance


def normal_cdf(x):
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def log_likelihood(x, mean, log_scale):
    centered, inv = x - mean, torch.exp(-log_scale)
    cdf_plus, cdf_min = normal_cdf(inv * (centered + 1 / 255)), normal_cdf(inv * (centered - 1 / 255))
    log_plus = torch.log(cdf_plus.clamp(min=1e-12))
    log_minus = torch.log((1 - cdf_min).clamp(min=1e-12))
    log_delta = torch.log((cdf_plus - cdf_min).clamp(min=1e-12))
    return torch.where(x < -0.999, log_plus, torch.where(x > 0.999, log_minus, log_delta))


def kl(mean1, logvar1, mean2, logvar2):
    return 0.5 * (-1 + logvar2 - logvar1 + torch.exp(logvar1 - logvar2) + (mean1 - mean2) ** 2 * torch.exp(-logvar2))


def main():
    beta, bar, before, small = (v[TIMES].view(-1, 1, 1, 1) for v in schedule())
    x0 = (torch.rand(SHAPE, dtype=torch.float64) * 2 - 1)
    x0[:, 0, 0, 0], x0[:, 1, 2, 1] = 1, -1
    noise = torch.randn(SHAPE, dtype=torch.float64)
    xt = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    eps = noise + 0.3 * torch.randn(SHAPE, dtype=torch.float64)
    v = 1.2 * torch.randn(SHAPE, dtype=torch.float64)
    x0, noise, eps, v = (a.float().double() for a in (x0, noise, eps, v))
    xt = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    output = torch.cat([eps, v], -1).requires_grad_()
    eps, v = output.split(SHAPE[-1], -1)

    def posterior_mean(x_start):
        return beta * before.sqrt() / (1 - bar) * x_start + (1 - before) * (1 - beta).sqrt() / (1 - bar) * xt

    frozen = eps.detach()
    mean = posterior_mean((1 / bar).sqrt() * xt - (1 / bar - 1).sqrt() * frozen)
    share = (v + 1) / 2
    log_variance = share * torch.log(beta) + (1 - share) * small
    bound_kl = kl(posterior_mean(x0), small, mean, log_variance)
    bound_nll = -log_likelihood(x0, mean, 0.5 * log_variance)
    first = torch.tensor(TIMES).view(-1, 1, 1, 1) == 0
    bound = torch.where(first, bound_nll, bound_kl).mean((1, 2, 3)) / math.log(2)
    loss = ((eps - noise) ** 2).mean() + bound.mean()
    loss.backward()
    print("/* Written by oracle/vlb_vectors.py: do not edit. */")
    print(f"enum {{ VLB_B = {SHAPE[0]}, VLB_H = {SHAPE[1]}, VLB_W = {SHAPE[2]}, VLB_C = {SHAPE[3]} }};")
    print(f"static const int vlb_times[VLB_B] = {{{', '.join(map(str, TIMES))}}};")
    for name, value in (("x0", x0), ("noise", noise), ("output", output.detach()), ("bound", bound.detach()), ("gradient", output.grad)):
        flat = value.flatten().tolist()
        print(f"static const double vlb_{name}[{len(flat)}] = {{")
        for i in range(0, len(flat), 6):
            print("    " + " ".join(f"{x!r}," for x in flat[i:i + 6]))
        print("};")
    print(f"static const double vlb_loss = {loss.item()!r};")


main()
