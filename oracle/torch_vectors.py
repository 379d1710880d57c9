"""Writes tests/vectors/torch.h: small files of torch.save() with the values of their tensors, and a few values of published files.

usage: torch_vectors.py SHARED_WEIGHTS > tests/vectors/torch.h
"""
import argparse
import io
import os
import sys

import torch

SHARED = sys.argv[1]
PUBLISHED = ["ddpm-mnist/ddpm_mnist.pt", "ddpm-mnist/ddpm_fashion.pt", "taef2/taef2_decoder.pth", "taef2/taef2_encoder.pth"]


def views():
    a = torch.arange(24.0).reshape(4, 6)
    return {"t": a.t(), "slice": a[1:3, 2:5], "whole": a, "step": a[:, ::2], "expanded": torch.tensor([[2.0, 3.0, 5.0]]).expand(4, 3),
            "scalar": torch.tensor(7.0), "empty": torch.empty(0, 3), "turned": torch.arange(24, dtype=torch.int64).reshape(2, 3, 4).permute(2, 0, 1)}


def types():
    names = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128 uint16 float8_e4m3fn"
    return {name: torch.tensor([0, 1, 2, 1]).to(getattr(torch, name)) for name in names.split()}


def checkpoint():
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    weight = torch.nn.Parameter(torch.ones(3))
    weight.tag = 1  # a parameter with a state of its own
    return {"state_dict": net.state_dict(), "epoch": 3, "lr": 1e-3, "name": "x", "args": argparse.Namespace(a=1), "large": 2**63, "less": -5,
            "device": torch.device("cuda:0"), "dtype": torch.float16, "size": torch.Size([1, 2]), "set": {1, 2}, "bytes": b"abc",
            "list": [torch.ones(1), {7: weight, (1, 2): torch.zeros(5)}]}


def saved(what, **options):
    file = io.BytesIO()
    torch.save(what, file, **options)
    return file.getvalue()


def flat(what, prefix=""):
    """(name, tensor) as Limn names them; keys that are neither text nor number are not looked at."""
    pairs = what.items() if isinstance(what, dict) else enumerate(what) if isinstance(what, (list, tuple)) else []
    for key, value in pairs:
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(key, (str, int)):
            yield from [(name, value)] if torch.is_tensor(value) else flat(value, name)


def numbers(values):
    return ", ".join(repr(float(v)) for v in values)


def print_file(name, bytes):
    print(f"static const unsigned char {name}[{len(bytes)}] = {{")
    for i in range(0, len(bytes), 40):
        print("    " + ",".join(str(b) for b in bytes[i : i + 40]) + ",")
    print("};")


def print_tensors(name, what):
    print(f"static const torch_tensor {name}_tensors[] = {{")
    for key, t in flat(what):
        dims = ", ".join(str(d) for d in t.shape) or "0"
        values = numbers(t.detach().reshape(-1).double().tolist()) if not t.is_complex() else "0"
        print(f'    {{"{key}", {t.dim()}, {{{dims}}}, {t.numel()}, {{{values or 0}}}}},')
    print("};")


def print_published(path):
    state = torch.load(os.path.join(SHARED, path), map_location="cpu", weights_only=True)
    names = list(state)
    print(f'    {{"{path}", {len(names)}, {{')
    for name in [names[0], names[len(names) // 2], names[-1]]:
        t = state[name].reshape(-1).double()
        picks = [0, t.numel() // 3, t.numel() - 1]
        print(f'        {{"{name}", {t.numel()}, {{{", ".join(map(str, picks))}}}, {{{numbers(t[picks].tolist())}}}, {float(t.sum())!r}}},')
    print("    }},")


print("/* Written by oracle/torch_vectors.py with torch %s: do not edit. */" % torch.__version__.split("+")[0])
print("typedef struct torch_tensor {\n    const char *name;\n    int rank, dim[4];\n    size_t n;\n    double values[32];\n} torch_tensor;")
print("typedef struct torch_published {\n    const char *path;\n    size_t n;\n    struct { const char *name; size_t n, at[3]; double values[3], sum; } tensors[3];\n} torch_published;\n")
for make in [views, types, checkpoint]:
    print_file("torch_" + make.__name__, saved(make()))
    print_file("torch_old_" + make.__name__, saved(make(), _use_new_zipfile_serialization=False))  # as before torch 1.6
    print_tensors("torch_" + make.__name__, make())
print_file("torch_protocol_4", saved({"a": torch.ones(2)}, pickle_protocol=4))
print_file("torch_module", saved(torch.nn.Linear(1, 1)))
print("static const torch_published published[] = {")
for path in PUBLISHED:
    print_published(path)
print("};")
