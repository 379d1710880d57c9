"""How far ggml's block types are from the numbers they were made of: limn convert beside stable-diffusion.cpp's converter and PyPI's gguf.

usage: convert_blocks.py LIMN SD_CLI MODEL.safetensors...        (gguf, numpy, safetensors, torch)

The same tensors (random ones of several kinds, and the matrices of the models that are named) are converted by each program to GGUF; PyPI's gguf decodes
both.  A line for each type: the root of the mean squared error relative to that of stable-diffusion.cpp, the mean over the tensors and the largest; beside
gguf's own quantiser, where it has one, how many blocks are the same bytes.
"""
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

TYPES = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K"]
MOST = 40  # matrices of one model
rng = np.random.default_rng(3)


def tensors(models):
    shape = (256, 1024)
    out = {"normal": rng.standard_normal(shape) * 0.02, "heavy": rng.standard_t(3, shape) * 0.02, "uniform": rng.uniform(-1, 1, shape),
           "positive": np.abs(rng.standard_normal(shape)), "shifted": 0.3 + rng.standard_normal(shape) * 0.1, "tiny": rng.standard_normal(shape) * 1e-6,
           "sparse": rng.standard_normal(shape) * (rng.random(shape) < 0.05), "few": rng.integers(-3, 4, shape) * 0.1}
    rows = rng.standard_normal(shape) * np.exp(rng.standard_normal((256, 1)))
    rows[:, 7] *= 30
    out["rows"] = rows
    for path in models:
        with safe_open(path, "pt") as f:
            names = [n for n in f.keys() if len(f.get_slice(n).get_shape()) == 2 and f.get_slice(n).get_shape()[1] % 256 == 0]
            out |= {f"{pathlib.Path(path).parent.name}.{n}": f.get_tensor(n).float().numpy() for n in names[:MOST]}
    banned = ("embed", "final_layer", "_in.")
    return {f"m.{i}.{'x' if any(b in n for b in banned) else n.replace('.', '_')}.weight": np.ascontiguousarray(t, np.float32) for i, (n, t) in enumerate(out.items())}


def converted(command, path):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {t.name: t for t in gguf.GGUFReader(path).tensors}


def rms(t, x):
    return float(np.sqrt(np.mean((gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64) - x) ** 2)))


def main():
    limn, sd, models = sys.argv[1], sys.argv[2], sys.argv[3:]
    with tempfile.TemporaryDirectory() as folder:
        source, ours, theirs = (f"{folder}/{n}" for n in ("in.safetensors", "limn.gguf", "sd.gguf"))
        x = tensors(models)
        save_file(x, source)
        print(f"{len(x)} tensors, {sum(t.size for t in x.values()) / 1e6:.1f} M numbers; RMS error, Limn / stable-diffusion.cpp: mean, largest; / gguf; same blocks")
        for kind in TYPES:
            a = converted([limn, "convert", source, ours, "--type", kind, "-q"], ours)
            b = converted([sd, "-M", "convert", "-m", source, "-o", theirs, "--type", kind], theirs)
            wanted = gguf.GGMLQuantizationType[kind.upper()]
            assert all(t.tensor_type == wanted for t in (*a.values(), *b.values())) and a.keys() == b.keys() == x.keys()
            ratio = {n: rms(a[n], x[n]) / max(rms(b[n], x[n]), 1e-30) for n in x}
            worst = max(ratio, key=ratio.get)
            line = f"{kind:7} {np.mean(list(ratio.values())):.4f} {ratio[worst]:.4f} ({worst})"
            try:
                c = {n: gguf.quants.quantize(x[n], wanted) for n in x}
            except NotImplementedError:
                print(line)
                continue
            size = gguf.GGML_QUANT_SIZES[wanted][1]
            same = np.concatenate([(np.asarray(a[n].data).reshape(-1, size) == c[n].reshape(-1, size)).all(1) for n in x])
            plain = [rms(a[n], x[n]) / max(float(np.sqrt(np.mean((gguf.quants.dequantize(c[n], wanted) - x[n].astype(np.float64)) ** 2))), 1e-30) for n in x]
            print(f"{line}; {np.mean(plain):.4f} {max(plain):.4f}; {100 * same.mean():.1f} %", flush=True)


main()
