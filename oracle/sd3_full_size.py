"""Stable Diffusion 3 and PixArt-Sigma with denoisers and autoencoders of full size and random weights, as diffusers saves them: the picture of a seed by diffusers and by Limn.

usage: sd3_full_size.py build/limn models/tokenizer/clip-49408.txt.gz tests/vectors/unigram FOLDER [sd3|sd3.5-medium|pixart [SIDE]]    (4.7, 5.6 or 1.5 GB in FOLDER, which is kept; 13, 15 or 5 GB of memory; 512 pixels)

Text encoders are as wide as they are published, two layers deep; T5 knows 512 tokens, as T5-XXL is 9.5 GB.  All is kept in 16 bits, and drawn in 32 of the same numbers.
"""
import gzip
import os
import subprocess
import sys
import time

import numpy as np
import torch
from diffusers import (AutoencoderKL, DiffusionPipeline, DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, PixArtSigmaPipeline, PixArtTransformer2DModel, SD3Transformer2DModel,
                       StableDiffusion3Pipeline)
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel, T5TokenizerFast

import text_vectors
from sd3_full_width import FORMS
from sd_full_size import autoencoder, louder


def clip(merges, width, act):
    bpe = text_vectors.tokenizer(gzip.open(merges).read().decode().split("\n")[1:48895])
    bpe.model_max_length = 77
    return bpe, CLIPTextModelWithProjection(CLIPTextConfig(vocab_size=49408, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=2, num_attention_heads=width // 64, hidden_act=act,
                                                           projection_dim=width, bos_token_id=49406, eos_token_id=49407, pad_token_id=0)).eval()


def t5(pieces):
    return (T5TokenizerFast.from_pretrained(pieces, model_max_length=512),
            T5EncoderModel(T5Config(vocab_size=512, d_model=4096, d_kv=64, d_ff=2048, num_layers=2, num_heads=8, feed_forward_proj="gated-gelu", dropout_rate=0.0)).eval())


def stable_diffusion_3(form, merges, pieces):
    dual = {"dual_attention_layers": tuple(range(13))} if "dual_attention_layers" in FORMS[form] else {}
    transformer = SD3Transformer2DModel(**{**FORMS[form], "num_layers": 24, **dual}, sample_size=128, in_channels=16, out_channels=16, patch_size=2, attention_head_dim=64, joint_attention_dim=4096,
                                        caption_projection_dim=1536, pooled_projection_dim=2048)
    vae = AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=16, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
                        sample_size=1024, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False)
    louder(transformer, vae)
    (b1, t1), (b2, t2), (b3, t3) = clip(merges, 768, "quick_gelu"), clip(merges, 1280, "gelu"), t5(pieces)
    b2.pad_token = "!"
    return StableDiffusion3Pipeline(transformer=transformer.eval(), scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae.eval(), text_encoder=t1, tokenizer=b1, text_encoder_2=t2,
                                    tokenizer_2=b2, text_encoder_3=t3, tokenizer_3=b3)


def pixart(pieces):
    transformer = PixArtTransformer2DModel(sample_size=128, caption_channels=4096, interpolation_scale=2, use_additional_conditions=False)
    vae = autoencoder(0.13025)
    louder(transformer, vae)
    bpe, text = t5(pieces)
    scheduler = DPMSolverMultistepScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule="linear")
    return PixArtSigmaPipeline(tokenizer=bpe, text_encoder=text, vae=vae.eval(), transformer=transformer.eval(), scheduler=scheduler)


def pipeline(which, merges, pieces):
    """In 16 bits."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16)
    pipe = pixart(pieces) if which == "pixart" else stable_diffusion_3("3.5-medium" if which == "sd3.5-medium" else "medium", merges, pieces)
    torch.set_default_dtype(torch.float32)
    return pipe


def main():
    limn, merges, pieces, folder, *which = sys.argv[1:]
    which, side = (which + ["sd3", "512"][len(which):])[:2]
    if not os.path.exists(folder):
        pipeline(which, merges, pieces).save_pretrained(folder)
    pipe = DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    begin = time.time()
    own = dict(clean_caption=False, use_resolution_binning=False) if which == "pixart" else {}
    expected = pipe("a lighthouse at night", negative_prompt="fog", width=int(side), height=int(side), num_inference_steps=4, guidance_scale=5, generator=torch.Generator().manual_seed(42), output_type="np",
                    **own).images[0]
    print(f"diffusers {time.time() - begin:.1f} s, the picture's spread {255 * expected.std():.0f}", flush=True)
    del pipe
    begin = time.time()
    out = os.path.join(folder, "limn.png")
    subprocess.run([limn, "generate", "a lighthouse at night", "-n", "fog", "-m", folder, "-W", side, "-H", side, "--steps", "4", "--cfg-scale", "5", "-s", "42", "--precision", "f32", "-o", out],
                   check=True)
    apart = abs(np.array(Image.open(out)).astype(int) - (expected * 255).round().astype(int))
    print(f"limn {time.time() - begin:.1f} s from its start; apart by at most {apart.max()} of 255, {apart.mean():.5f} in the mean")


if __name__ == "__main__":
    main()
