"""Writes tests/vectors/pixart_pipeline.h: pictures by diffusers' PixArt pipelines with shrunken networks, and the names of their tensors.

usage: pixart_pipeline.py tests/vectors/unigram > tests/vectors/pixart_pipeline.h        (torch, diffusers 0.42, transformers 5, sentencepiece)

As sd3_pipeline.py.  Networks: "sigma" (300 tokens, its autoencoder's scale is XL's), "alpha" (120 tokens, at a size of 128 tokens a side, where the sides of the picture are told).
Without size bins, which are 32 pixels apart and change sides of other pictures: what is asked for is drawn.
"""
import sys

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, PixArtAlphaPipeline, PixArtSigmaPipeline, PixArtTransformer2DModel
from transformers import T5Config, T5EncoderModel, T5TokenizerFast

import text_vectors
from networks import formula
from sd3_pipeline import fill
from sd_pipeline import STEPS, floats, hexed, shrunken_vae

T5 = 64
CASES = [  # model, prompt, negative, width, height, guidance
    ("sigma", "  A Lighthouse at NIGHT, Caf\u00e9 \U0001f600 ", "", 64, 64, 4.5),
    ("sigma", "a lighthouse at night", "fog, Rain and a very long row of other words that nobody wants to see in a picture", 48, 80, 4.5),
    ("sigma", "a lighthouse at night", "", 48, 32, 1),
    ("alpha", "a lighthouse at night", "fog", 64, 48, 4.5),
]


def transformer(kind):
    more = dict(sample_size=8, use_additional_conditions=False, interpolation_scale=1) if kind == "sigma" else dict(sample_size=128, use_additional_conditions=True, interpolation_scale=2)
    return fill(PixArtTransformer2DModel(num_attention_heads=2, attention_head_dim=24, in_channels=4, out_channels=8, num_layers=2, cross_attention_dim=48, attention_bias=True, patch_size=2,
                                         activation_fn="gelu-approximate", num_embeds_ada_norm=1000, norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6,
                                         caption_channels=T5, **more))


def draw(case, tokenizer, t5, nets, vae):
    kind, prompt, negative, width, height, guidance = case
    make = PixArtSigmaPipeline if kind == "sigma" else PixArtAlphaPipeline
    vae.register_to_config(scaling_factor=0.13025 if kind == "sigma" else 0.18215)
    scheduler = DPMSolverMultistepScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule="linear")
    pipe = make(tokenizer=tokenizer, text_encoder=t5, vae=vae, transformer=nets[kind], scheduler=scheduler)
    pipe.set_progress_bar_config(disable=True)
    noise = torch.from_numpy(formula("noise", height * width // 16, 2.0).reshape(1, height // 8, width // 8, 4)).permute(0, 3, 1, 2)
    latents, step = [], scheduler.step

    def keep(*args, **kwargs):
        out = step(*args, **kwargs)
        latents.append(out[0][0].permute(1, 2, 0).numpy().copy())
        return out
    pipe.scheduler.step = keep
    if kind == "alpha":  # whose sides are told only of networks for 1024 pixels
        assert pipe.transformer.config.sample_size == 128
    f = pipe.encode_prompt(prompt, True, negative, device="cpu", clean_caption=False)
    picture = pipe(prompt, negative_prompt=negative, latents=noise, width=width, height=height, num_inference_steps=STEPS, guidance_scale=guidance, clean_caption=False,
                   use_resolution_binning=False, output_type="np").images[0]
    return [f[0][0], f[2][0]][:1 + (guidance != 1)], latents, picture


def main():
    torch.set_num_threads(1)
    vae = shrunken_vae()
    tokenizer = T5TokenizerFast.from_pretrained(sys.argv[1], model_max_length=512)
    t5 = fill(T5EncoderModel(T5Config(vocab_size=512, d_model=T5, d_kv=16, d_ff=64, num_layers=2, num_heads=3, feed_forward_proj="gated-gelu", dropout_rate=0.0)))
    nets = {kind: transformer(kind) for kind in ("sigma", "alpha")}
    print("/* pixart_pipeline.h: written by oracle/pixart_pipeline.py with diffusers and transformers; do not edit. */")
    print("typedef struct pixart_case {\n    const char *model, *prompt, *negative;\n    int width, height;\n    double guidance;\n    int n_features, calls;\n"
          "    const float *features, *latents; /* every 31st; after each call [h,w,4] */\n    const char *picture; /* hex of [height,width,3] */\n} pixart_case;")
    print("static const sd_tensor pixart_tensors[] = {")
    for part, module in [("text_encoder", t5)] + [(k, nets[k]) for k in nets]:
        for name, t in module.state_dict().items():
            if name != "encoder.embed_tokens.weight":
                print(f'    {{"{part}", "{name}", "", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')
    print("};\nenum { PIXART_STEPS = %d, PIXART_CASES = %d };" % (STEPS, len(CASES)))
    rows = []
    with torch.no_grad():
        for k, case in enumerate(CASES):
            kind, prompt, negative, width, height, guidance = case
            f, latents, picture = draw(case, tokenizer, t5, nets, vae)
            everything = np.concatenate([x.numpy().ravel() for x in f])
            print(f"static const float pixart_features_{k}[] = {floats(everything[::31])};")
            print(f"static const float pixart_latents_{k}[] = {floats(np.stack(latents))};")
            rows.append(f'    {{"{kind}", {text_vectors.literal(prompt)}, {text_vectors.literal(negative)}, {width}, {height}, {guidance}, {len(everything)}, {len(latents)}, '
                        f"pixart_features_{k}, pixart_latents_{k},\n" + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) + "},")
            print(k, kind, "latents", [float(np.abs(x).max()) for x in latents], "picture", picture.mean(), picture.std(), file=sys.stderr)
        base = draw(CASES[3], tokenizer, t5, nets, vae)[1][-1]
        for what, change in (("prompt", {1: "a cat"}), ("negative", {2: "rain"}), ("guidance", {5: 4})):
            other = draw(tuple(change.get(i, x) for i, x in enumerate(CASES[3])), tokenizer, t5, nets, vae)[1][-1]
            print(what, "moves the latents by", float(np.abs(other - base).max() / np.abs(base).max()), file=sys.stderr)
    print("static const pixart_case pixart_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
