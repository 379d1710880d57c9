"""What limn convert writes is what diffusers' own functions make of the same checkpoint, and loads into its modules (strict=True).

usage: convert_names.py LIMN CHECKPOINT.safetensors FOLDER        (diffusers, transformers 5, torch, safetensors)

CHECKPOINT: a whole Stable Diffusion 1.x or 2.x under the original names; FOLDER: one of diffusers.  The checkpoint's networks are converted to diffusers' names, the
folder to one file of original ones; every tensor is compared bit for bit.
"""
import json
import subprocess
import sys
import tempfile

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint, convert_open_clip_checkpoint
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

limn, checkpoint, folder = sys.argv[1:4]
TEXT = "cond_stage_model.transformer.text_model."
KINDS = {"denoiser": (UNet2DConditionModel, "unet", convert_ldm_unet_checkpoint), "vae": (AutoencoderKL, "vae", convert_ldm_vae_checkpoint)}


def convert(*words):
    subprocess.run([limn, "convert", *words, "-q"], check=True, stdout=subprocess.DEVNULL)


def same(what, a, b):
    assert a.keys() == b.keys(), (what, sorted(a.keys() ^ b.keys())[:4])
    worse = [k for k in a if a[k].shape != b[k].shape or not torch.equal(a[k], b[k])]
    assert not worse, (what, worse[:4])
    print(f"{what}: {len(a)} tensors, the same bits")


def networks(path, config):
    """What diffusers makes of a whole checkpoint; its text encoder under transformers 5's names."""
    whole = load_file(path)
    out = {part: function(dict(whole), config(name)) for part, (_, name, function) in KINDS.items()}
    text = {k[len(TEXT):]: v for k, v in whole.items() if k.startswith(TEXT) and not k.endswith("position_ids")}
    if not text:  # OpenCLIP's
        model = CLIPTextModel(CLIPTextConfig(**config("text_encoder")))
        text = {k.removeprefix("text_model."): v for k, v in convert_open_clip_checkpoint(model, whole).items()}
    out["text"] = text
    return out


def main():
    config = lambda name: json.load(open(f"{folder}/{name}/config.json"))
    with tempfile.TemporaryDirectory() as work:
        expected = networks(checkpoint, config)
        for part in ("denoiser", "vae", "text"):
            path = f"{work}/{part}.safetensors"
            convert(checkpoint, path, "--part", part, "--dialect", "transformers-5")
            found = load_file(path)
            same(f"{part} of the checkpoint", found, expected[part])
            module = CLIPTextModel(CLIPTextConfig.from_pretrained(f"{folder}/text_encoder")) if part == "text" else KINDS[part][0].from_config(config(KINDS[part][1]))
            module.load_state_dict(found, strict=True)
        path = f"{work}/whole.safetensors"
        convert(folder, path, "--dialect", "original")
        found = networks(path, config)
        for part, name in (("denoiser", "unet/diffusion_pytorch_model"), ("vae", "vae/diffusion_pytorch_model"), ("text", "text_encoder/model")):
            same(f"{part} of the folder", found[part], load_file(f"{folder}/{name}.safetensors"))


main()
