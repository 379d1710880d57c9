"""T5 XXL's encoder at its full width with two blocks beside transformers: random weights, 256 tokens of which 40 are text, hidden padding.

usage: t5_full_width.py BUILD FOLDER        (2.1 GB in FOLDER, which is kept; 5 GB of memory)        BUILD: a folder of `make` (forward.py)
"""
import os
import sys

import numpy as np
import torch
from transformers import T5Config, T5EncoderModel

import forward

TOKENS, TEXT = 256, 40


def main():
    build, folder = sys.argv[1:]
    program = forward.program(build)
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    m = T5EncoderModel(T5Config(vocab_size=32128, d_model=4096, d_kv=64, d_ff=10240, num_layers=2, num_heads=64, feed_forward_proj="gated-gelu", dropout_rate=0.0)).eval()
    m.save_pretrained(folder, max_shard_size="20GB")
    ids = torch.randint(3, 32100, (1, TOKENS))
    mask = torch.zeros(1, TOKENS)
    mask[:, :TEXT] = 1
    forward.write(folder, ids=ids, mask=mask)
    with torch.no_grad():
        y = m(ids, attention_mask=mask)[0].numpy()
    print(f"{sum(t.numel() for t in m.parameters()) / 1e6:.0f} M parameters, output's spread {y.std():.3f}")
    del m
    for precision in ("f32", "bf16"):
        z = forward.run(program, os.path.join(folder, "model.safetensors"), precision, folder, tokens=TOKENS).reshape(y.shape)
        print(f"limn {precision}: apart by at most {abs(z - y).max() / abs(y).max():.2e} of the largest, {np.linalg.norm(z - y) / np.linalg.norm(y):.2e} in the norm")


if __name__ == "__main__":
    main()
