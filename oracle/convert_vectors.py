"""Errors of ggml's block types as others make them, for tests/test_convert.c: tests/vectors/convert.h.

usage: convert_vectors.py SD_CLI OUT.h        (gguf, numpy, safetensors)

The tensor is formula("a") * formula("b") * 2^(row % 5 - 2), [16, 1024] in f32.  Of each type: the sum of squared errors by stable-diffusion.cpp's converter and
by PyPI's gguf (0: it has no such quantiser), and the FNV-1a of gguf's bytes of Q8_0.
"""
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from safetensors.numpy import save_file

from networks import formula

TYPES = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K"]


def error(data, kind, x):
    return float(((gguf.quants.dequantize(data, kind).astype(np.float64) - x) ** 2).sum())


def fnv(data):
    h = 2166136261
    for byte in np.asarray(data, np.uint8).reshape(-1).tolist():
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return h


def main():
    sd, out = sys.argv[1:3]
    a, b = (np.asarray(formula(name, 16 * 1024, 1.0), np.float32).reshape(16, 1024) for name in "ab")
    x = a * b * np.float32(2) ** (np.arange(16, dtype=np.float32)[:, None] % 5 - 2)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        save_file({"m.weight": x}, f"{folder}/in.safetensors")
        for name in TYPES:
            kind = gguf.GGMLQuantizationType[name.upper()]
            subprocess.run([sd, "-M", "convert", "-m", f"{folder}/in.safetensors", "-o", f"{folder}/out.gguf", "--type", name], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            t, = gguf.GGUFReader(f"{folder}/out.gguf").tensors
            assert t.tensor_type == kind
            try:
                own = gguf.quants.quantize(x, kind)
            except NotImplementedError:
                own = None
            lines.append(f'    {{"{name.lower()}", {error(t.data, kind, x):.9g}, {0 if own is None else error(own, kind, x):.9g}}},')
            if name == "q8_0":
                hashed = fnv(own)
    with open(out, "w") as f:
        f.write("/* Written by oracle/convert_vectors.py: sums of squared errors, by stable-diffusion.cpp's converter and by PyPI's gguf. */\n"
                "static const struct { const char *type; double ggml, gguf; } block_errors[] = {\n" + "\n".join(lines) +
                f"\n}};\nenum {{ BLOCK_ROWS = 16, BLOCK_COLS = 1024 }};\nstatic const uint32_t q8_0_hash = 0x{hashed:08x};\n")


main()
