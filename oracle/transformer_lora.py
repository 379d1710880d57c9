"""Writes tests/vectors/transformer_lora.h: latents of a shrunken PixArt-alpha and DiT (pixart_pipeline.py, dit_pipeline.py) that PEFT's LoRA changes, by diffusers' pipelines, at 0.8.

usage: transformer_lora.py tests/vectors/unigram > tests/vectors/transformer_lora.h        (torch, diffusers 0.42, transformers 5, peft, sentencepiece)

Rank 2, alpha 1, numbers of the formula by "PART.MODULE.lora_down.weight": down as small as its fan-in asks for, up 0.5.  PixArt's modules are those of its published training script
(train_pixart_lora_hf.py), and T5's matrices.  DiT's embedders are left out: diffusers has them once for each block, and trains each for itself.
"""
import sys
import tempfile

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file

import dit_pipeline
import pixart_pipeline
from networks import formula
from sd_pipeline import floats, shrunken_vae

WEIGHT = 0.8
PIXART = ["to_k", "to_q", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "proj", "linear", "linear_1", "linear_2"]
T5 = ["q", "k", "v", "o", "wi_0", "wi_1", "wo"]
DIT = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "norm1.linear", "proj_out_1", "proj_out_2", "pos_embed.proj"]


def values(name, shape, up):
    fan, k = int(np.prod(shape[1:])), 0
    while 3 * 4**k < fan:
        k += 1
    return torch.from_numpy(formula(name, int(np.prod(shape)), 0.5 if up else 2.0**-k).reshape(tuple(shape)))


def config(targets):
    return LoraConfig(r=2, lora_alpha=1, target_modules=targets)


def change(part, net, targets):
    inject_adapter_in_model(config(targets), net)
    n = 0
    with torch.no_grad():
        for name, module in net.named_modules():
            if isinstance(module, BaseTunerLayer):
                for key, side in (("lora_down", module.lora_A), ("lora_up", module.lora_B)):
                    w = side["default"].weight
                    w.copy_(values(f"{part}.{name}.{key}.weight", w.shape, key == "lora_up"))
                module.scale_layer(WEIGHT)
                n += 1
    return n


def names_of_peft(net, targets):
    """What save_pretrained() calls them."""
    with tempfile.TemporaryDirectory() as folder:
        get_peft_model(net, config(targets)).save_pretrained(folder)
        names = sorted(load_file(f"{folder}/adapter_model.safetensors"))
    assert all(n.startswith("base_model.model.") and n.endswith((".lora_A.weight", ".lora_B.weight")) for n in names)
    return names


def main():
    torch.set_num_threads(1)
    vae = shrunken_vae()
    print("/* transformer_lora.h: written by oracle/transformer_lora.py with diffusers and PEFT; do not edit. */")
    print("/* of pixart_cases[3] and dit_cases[0] */")
    with torch.no_grad():
        names = names_of_peft(pixart_pipeline.transformer("alpha"), PIXART)
        net = pixart_pipeline.transformer("alpha")
        t5 = pixart_pipeline.fill(pixart_pipeline.T5EncoderModel(pixart_pipeline.T5Config(vocab_size=512, d_model=pixart_pipeline.T5, d_kv=16, d_ff=64, num_layers=2, num_heads=3,
                                                                                      feed_forward_proj="gated-gelu", dropout_rate=0.0)))
        tokenizer = pixart_pipeline.T5TokenizerFast.from_pretrained(sys.argv[1], model_max_length=512)
        n, n_t5 = change("transformer", net, PIXART), change("text_encoder", t5, T5)
        assert len(names) == 2 * n
        _, latents, _ = pixart_pipeline.draw(pixart_pipeline.CASES[3], tokenizer, t5.eval(), {"alpha": net.eval()}, vae)
        print(f"enum {{ PIXART_LORA_MODULES = {n}, PIXART_LORA_T5_MODULES = {n_t5} }};")
        print(f"static const float pixart_lora_latents[] = {floats(np.stack(latents))};")
        print("pixart", n, n_t5, [float(np.abs(x).max()) for x in latents], file=sys.stderr)
        vae.register_to_config(scaling_factor=0.18215)
        names, net = names_of_peft(dit_pipeline.transformer(), DIT), dit_pipeline.transformer()
        n = change("transformer", net, DIT)
        assert len(names) == 2 * n
        whose, *case = dit_pipeline.CASES[0]
        latents, _ = dit_pipeline.by_diffusers(net.eval(), vae, *case)
        print(f"enum {{ DIT_LORA_MODULES = {n} }};")
        print(f"static const float dit_lora_latents[] = {floats(np.stack(latents))};")
        print("dit", n, [float(np.abs(x).max()) for x in latents], file=sys.stderr)


if __name__ == "__main__":
    main()
