"""One case in PyTorch: forward|decode|train NET BATCH f32|bf16 HOW.  Prints one line of JSON like limn-bench.

HOW is eager or compile; with bf16 and no training also half-eager and half-compile, where the weights are bf16 as well and not only
what is computed (autocast).  planar-eager and planar-compile: channels first, faster for gradients on AVX2 (channels last is else).
"""
import json
import resource
import sys
import time

import torch

import networks
import pictures

RUNS, LEAST_RUNS, ENOUGH = 7, 3, 10  # as limn-bench: at most, at least, seconds after which it is enough


def squared_error(net, batch):
    target = torch.randn(batch, net.size, net.size, net.out_channels)
    return lambda y: ((y.float() - target) ** 2).mean()


def main():
    mode, name, batch, precision, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
    torch.set_num_threads(int(sys.argv[6]) if len(sys.argv) > 6 else 2)
    torch.manual_seed(0)
    net = pictures.make(mode, name)
    made_by = pictures if net is not None else networks
    if net is None:
        net = networks.make(name)
    x = made_by.inputs(net, batch)
    if how.startswith("planar-"):
        net = net.to(memory_format=torch.contiguous_format)
        x = tuple(v.contiguous() if isinstance(v, torch.Tensor) else v for v in x)
    if mode == "train":
        loss_of = net.loss if hasattr(net, "loss") else squared_error(net, batch)
        optimizer = torch.optim.AdamW(net.parameters(), 1e-4, (0.9, 0.99), fused=True)
        parameters = list(net.parameters())
        ema = [p.detach().clone() for p in parameters]
    else:
        net.eval().requires_grad_(False)
    half = how.startswith("half-")
    if half:
        net = net.to(torch.bfloat16)
        x = tuple(v.to(torch.bfloat16) if isinstance(v, torch.Tensor) and v.is_floating_point() and v.dim() > 1 else v for v in x)
    run = torch.compile(net) if how.endswith("compile") else net

    def forward():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16" and not half):
            return run(*x)

    def step():
        if mode != "train":
            with torch.inference_mode():
                return forward()
        loss = loss_of(forward())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(ema, parameters, 0.001)

    for _ in range(1 if how.endswith("eager") else 2):
        step()
    seconds = []
    while len(seconds) < RUNS and (len(seconds) < LEAST_RUNS or sum(seconds) < ENOUGH):
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    seconds.sort()
    median = (seconds[len(seconds) // 2] + seconds[(len(seconds) - 1) // 2]) / 2
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6
    print(json.dumps({"who": "torch " + how, "mode": mode, "net": name, "batch": batch, "precision": precision, "ms": round(median * 1e3, 3),
                      "images_per_s": round(batch / median, 2), "resident_mb": round(peak, 1)}))


main()
