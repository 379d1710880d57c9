"""Loads a weight file that Limn wrote into the PyTorch modules of networks.py (published layout) and transformers' CLIP with strict=True.

    python oracle/strict_load.py models/emoji/model.safetensors
"""
import sys

from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel

from networks import Denoiser, settings

with safe_open(sys.argv[1], "pt") as f:
    s = settings(f.metadata()["limn.settings"])
    tensors = {k: f.get_tensor(k).float() for k in f.keys()}
text = {k.removeprefix("text_encoder."): v for k, v in tensors.items() if k.startswith("text_encoder.")}
print(Denoiser(s).load_state_dict({k: v for k, v in tensors.items() if not k.startswith("text_encoder.")}, strict=True), "denoiser")
if text:
    model = CLIPTextModel(CLIPTextConfig(vocab_size=s["text_vocab"], hidden_size=s["text_width"], intermediate_size=4 * s["text_width"],
                                         num_hidden_layers=s["text_depth"], num_attention_heads=s["text_heads"], max_position_embeddings=s["text_length"]))
    bare = not any(k.startswith("text_model.") for k in model.state_dict())
    print(model.load_state_dict({k.removeprefix("text_model.") if bare else k: v for k, v in text.items()}, strict=True), "text encoder")
