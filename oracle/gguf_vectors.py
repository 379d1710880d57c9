"""Numbers of ggml's block types and a whole GGUF file, by PyPI's gguf: tests/vectors/gguf.h.

usage: gguf_vectors.py OUT.h        (gguf 0.17 or later, numpy)
"""
import pathlib
import sys
import tempfile

import gguf
import numpy as np

TYPES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "IQ4_NL": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
         "Q6_K": [208]}  # where the f16 scales of a block lie
rng = np.random.default_rng(17)


def blocks(kind, n):
    """Random bytes, but finite scales, of which the last block's are the smallest."""
    size, halves = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]][1], TYPES[kind]
    out = rng.integers(0, 256, (n, size), dtype=np.uint8)
    for i in range(n):
        for at in halves:
            scale = np.float16(2.0 ** -24 if i == n - 1 else rng.normal() * 0.02)
            out[i, at:at + 2] = np.frombuffer(scale.tobytes(), np.uint8)
    return out.reshape(1, -1)


def put(f, name, data, of="unsigned char"):
    items = [str(v) for v in data] if of == "unsigned char" else [f"0x{v:08x}" for v in data]
    lines = [", ".join(items[i:i + 24 if of == "unsigned char" else i + 10]) for i in range(0, len(items), 24)] if of == "unsigned char" else \
        [", ".join(items[i:i + 10]) for i in range(0, len(items), 10)]
    f.write(f"static const {of} {name}[] = {{\n    " + ",\n    ".join(lines) + "};\n")


def file_bytes():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a.gguf"
        w = gguf.GGUFWriter(path, "sd1")
        w.add_string("general.name", "a caf\u00e9")
        w.add_uint32("general.file_type", 7)
        w.add_array("tokenizer.ggml.tokens", ["a", "", "bc"])
        w.add_array("comfy.gguf.orig_shape.conv.weight", [2, 4, 3, 3])
        w.add_bool("general.flag", True)
        w.add_float64("general.real", 0.5)
        linear = rng.normal(size=(3, 64)).astype(np.float32)
        w.add_tensor("linear.weight", gguf.quants.quantize(linear, gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        w.add_tensor("conv.weight", np.arange(72, dtype=np.float16).reshape(1, 72))
        w.add_tensor("norm.bias", np.arange(5, dtype=np.float32))
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()
        read = {t.name: t for t in gguf.GGUFReader(path).tensors}["linear.weight"]
        return np.frombuffer(path.read_bytes(), np.uint8), gguf.quants.dequantize(read.data, read.tensor_type)


def main():
    with open(sys.argv[1], "w") as f:
        f.write("/* Written by oracle/gguf_vectors.py: blocks of random bytes and their numbers, as bits of f32; and a file. */\n")
        for kind in TYPES:
            data = blocks(kind, 2 if kind.endswith("_K") else 4)
            put(f, f"{kind.lower()}_blocks", data.reshape(-1))
            numbers = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind]).astype(np.float32)
            put(f, f"{kind.lower()}_numbers", numbers.reshape(-1).view(np.uint32), "uint32_t")
        whole, linear = file_bytes()
        put(f, "gguf_file", whole)
        put(f, "gguf_linear", np.ascontiguousarray(linear).reshape(-1).view(np.uint32), "uint32_t")


main()
