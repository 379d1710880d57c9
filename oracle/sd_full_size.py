"""Stable Diffusion at full size with random weights, as diffusers saves it: the picture of a seed by diffusers and by Limn.

usage: sd_full_size.py build/limn models/tokenizer/clip-49408.txt.gz FOLDER [1.5|2.1|xl]    (4.3, 5.2 or 6.9 GB in FOLDER, which is kept; 9 GB of memory, of xl 17)

xl is kept in 16 bits, and drawn in 32 of the same numbers.  2.1 predicts v, and its last bias is lower, as a network that does is known by (sd2_pipeline.py).
"""
import gzip
import os
import subprocess
import sys
import time

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import text_vectors


BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", set_alpha_to_one=False, steps_offset=1)


def networks(second):
    words = dict(vocab_size=49408, bos_token_id=49406, eos_token_id=49407)
    if second:
        text = CLIPTextModel(CLIPTextConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16, hidden_act="gelu", **words))
        return text, UNet2DConditionModel(sample_size=96, cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20), use_linear_projection=True)
    text = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, **words))
    return text, UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)


def autoencoder(scale):
    return AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, down_block_types=("DownEncoderBlock2D",) * 4,
                         up_block_types=("UpDecoderBlock2D",) * 4, sample_size=512, scaling_factor=scale)


def louder(*networks):
    """As PyTorch starts them, networks say little."""
    with torch.no_grad():
        for t in (t for m in networks for t in m.parameters() if t.dim() > 1):
            t.mul_(1.7)


def pipeline_xl(merges):
    """In 16 bits."""
    words = dict(vocab_size=49408, bos_token_id=49406, eos_token_id=49407)
    both = [text_vectors.tokenizer(gzip.open(merges).read().decode().split("\n")[1:48895]) for _ in range(2)]
    for bpe in both:
        bpe.model_max_length = 77
    both[1].pad_token = "!"
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16)
    first = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, **words))
    second = CLIPTextModelWithProjection(CLIPTextConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, hidden_act="gelu", projection_dim=1280, **words))
    unet = UNet2DConditionModel(sample_size=128, block_out_channels=(320, 640, 1280), cross_attention_dim=2048, attention_head_dim=(5, 10, 20), use_linear_projection=True,
                                transformer_layers_per_block=(1, 2, 10), addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
                                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"))
    vae = autoencoder(0.13025)
    torch.set_default_dtype(torch.float32)
    louder(unet, vae)
    return StableDiffusionXLPipeline(vae=vae.eval(), text_encoder=first.eval(), text_encoder_2=second.eval(), tokenizer=both[0], tokenizer_2=both[1], unet=unet.eval(),
                                     scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"),
                                     add_watermarker=False)


def pipeline(merges, second):
    bpe = text_vectors.tokenizer(gzip.open(merges).read().decode().split("\n")[1:48895])
    bpe.model_max_length = 77
    torch.manual_seed(0)
    text, unet = networks(second)
    vae = autoencoder(0.18215)
    louder(unet, vae)
    if second:
        bpe.pad_token = "!"
        with torch.no_grad():
            unet.conv_out.bias -= 3
    scheduler = DDIMScheduler(clip_sample=False, prediction_type="v_prediction", **BETAS) if second else PNDMScheduler(skip_prk_steps=True, **BETAS)
    return StableDiffusionPipeline(vae=vae.eval(), text_encoder=text.eval(), tokenizer=bpe, unet=unet.eval(), scheduler=scheduler, safety_checker=None, feature_extractor=None,
                                   requires_safety_checker=False)


def main():
    limn, merges, folder, *which = sys.argv[1:]
    pipe = pipeline_xl(merges) if which == ["xl"] else pipeline(merges, which == ["2.1"])
    pipe.save_pretrained(folder)
    pipe.to(torch.float32)
    begin = time.time()
    expected = pipe("a lighthouse at night", negative_prompt="fog", width=320, height=256, num_inference_steps=3, generator=torch.Generator().manual_seed(42), output_type="np").images[0]
    print(f"diffusers {time.time() - begin:.1f} s, the picture's spread {255 * expected.std():.0f}")
    del pipe
    begin = time.time()
    out = os.path.join(folder, "limn.png")
    subprocess.run([limn, "generate", "a lighthouse at night", "-n", "fog", "-m", folder, "-W", "320", "-H", "256", "--steps", "3", "-s", "42", "--precision", "f32", "-o", out], check=True)
    apart = abs(np.array(Image.open(out)).astype(int) - (expected * 255).round().astype(int))
    print(f"limn {time.time() - begin:.1f} s from its start; apart by at most {apart.max()} of 255, {apart.mean():.5f} in the mean")


if __name__ == "__main__":
    main()
