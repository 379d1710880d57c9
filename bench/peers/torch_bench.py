"""One case in PyTorch: forward|train NET BATCH f32|bf16 eager|compile.  Prints one line of JSON like limn-bench."""
import json
import resource
import sys
import time
import torch
from networks import inputs, make

RUNS = 7


def main():
    mode, name, batch, precision, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
    torch.set_num_threads(int(sys.argv[6]) if len(sys.argv) > 6 else 2)
    torch.manual_seed(0)
    net = make(name)
    x = inputs(net, batch)
    target = None
    if mode == "train":
        target = torch.randn(batch, net.size, net.size, net.out_channels)
        optimizer = torch.optim.AdamW(net.parameters(), 1e-3, (0.9, 0.99), fused=True)
        parameters = list(net.parameters())
        ema = [p.detach().clone() for p in parameters]
    run = torch.compile(net) if how == "compile" else net

    def forward():
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return run(*x)

    def step():
        if mode == "forward":
            with torch.inference_mode():
                return forward()
        loss = ((forward().float() - target) ** 2).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(ema, parameters, 0.001)

    for _ in range(3):
        step()
    seconds = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    median = sorted(seconds)[RUNS // 2]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6
    print(json.dumps({"who": "torch " + how, "mode": mode, "net": name, "batch": batch, "precision": precision, "ms": round(median * 1e3, 3),
                      "images_per_s": round(batch / median, 2), "resident_mb": round(peak, 1)}))


main()
