"""Writes tests/vectors/sd2.h: pictures of shrunken networks of Stable Diffusion 2 by diffusers' own pipelines, and the names of their tensors.

usage: sd2_pipeline.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sd2.h        (torch, diffusers 0.42, transformers 5)

Weights as in sd_pipeline.py, whose autoencoder is taken, and whose text encoder has the same names and shapes.  Of a U-Net that predicts v the last bias is lower by DROP: asked once, as stable-diffusion.cpp
and A1111's web UI do (is_using_v_parameterization_for_sd2), it shows that, and the one that predicts noise does not.  The text encoder is OpenCLIP's: exact
GELU, texts padded with 0 ("!").  Its names and its layout in one file are made here, a block more than are used, and read back by diffusers' own conversion.
Noise comes from a generator on the CPU, in the order of the pipelines.
"""
import copy
import sys

import numpy as np
import torch
from diffusers import DDIMScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline, StableDiffusionPipeline
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_open_clip_checkpoint
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

import sd_relatives
import text_vectors
from sd_pipeline import LONG, SCHEDULER, features, fill, floats, hexed, shrunken, unet_name, weight

V = dict(prediction_type="v_prediction", **SCHEDULER)
TRAILING = dict(timestep_spacing="trailing")
SCHEDULERS = {
    "pndm": lambda: PNDMScheduler(skip_prk_steps=True, **SCHEDULER), "pndm_v": lambda: PNDMScheduler(skip_prk_steps=True, **V),
    "ddim": lambda: DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SCHEDULER), "ddim_v": lambda: DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **V),
    "euler": lambda: EulerDiscreteScheduler(timestep_spacing="leading", **SCHEDULER), "euler_v": lambda: EulerDiscreteScheduler(timestep_spacing="leading", **V),
    "zero_snr": lambda: DDIMScheduler(clip_sample=False, set_alpha_to_one=False, rescale_betas_zero_snr=True, **TRAILING, **V),
    "turbo": lambda: EulerAncestralDiscreteScheduler(**TRAILING, **SCHEDULER), "turbo_euler": lambda: EulerDiscreteScheduler(**TRAILING, **SCHEDULER)}
PROMPT = "a (lighthouse) at night"
CASES = [  # network, kind, style, prompt, negative, width, height, guidance, rescale, clip skip, scheduler, steps, strength
    ("v", "words", "plain", PROMPT, "", 64, 64, 7.5, 0, 1, "pndm_v", 4, 1),
    ("eps", "words", "plain", PROMPT, "fog", 40, 64, 1, 0, 1, "euler", 4, 1),
    ("v", "words", "a1111", LONG + "[gulls] BREAK \U0001f600 a (red:0.6) boat", "blurry, (grain:1.2)", 64, 40, 7.5, 0, 2, "ddim_v", 4, 1),
    ("v", "words", "comfy", LONG + "((gulls)) in a (storm:0.5)", "blurry, (grain:1.2)", 48, 48, 5, 0, 1, "euler_v", 4, 1),
    ("eps", "words", "plain", PROMPT, "fog", 48, 32, 7.5, 0, 1, "pndm", 4, 1),
    ("eps", "words", "plain", PROMPT, "fog", 48, 32, 7.5, 0, 1, "ddim", 3, 1),
    ("v", "words", "plain", PROMPT, "fog", 48, 32, 7.5, 0.7, 1, "zero_snr", 4, 1),
    ("v", "picture", "plain", PROMPT, "fog", 48, 32, 7.5, 0, 1, "ddim_v", 4, 0.75),
    ("v", "mask", "plain", PROMPT, "", 48, 32, 7.5, 0, 1, "ddim_v", 4, 0.75),
    ("inpaint", "mask", "plain", PROMPT, "fog", 48, 32, 7.5, 0, 1, "ddim", 4, 1),
    ("eps", "words", "plain", PROMPT, "", 64, 64, 0, 0, 1, "turbo", 1, 1),
    ("eps", "words", "plain", PROMPT, "", 64, 48, 0, 0, 1, "turbo", 4, 1),
    ("eps", "words", "plain", PROMPT, "", 48, 64, 0, 0, 1, "turbo_euler", 2, 1),
    ("eps", "picture", "plain", PROMPT, "", 48, 32, 0, 0, 1, "turbo", 2, 0.5),
]
SEED, DROP, LAYERS, HEAD = 7, 3, 3, "text_model."


def networks(merges):
    """Tokenizer, text encoder, autoencoder, and the U-Nets by name."""
    bpe, _, vae = shrunken(merges)
    bpe.pad_token = "!"
    text = fill(CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_size=64, intermediate_size=256, num_hidden_layers=LAYERS, num_attention_heads=1, hidden_act="gelu", bos_token_id=49406,
                                             eos_token_id=49407)), HEAD)
    kinds = (sd_relatives.CROSS, sd_relatives.CROSS, sd_relatives.PLAIN)
    more = dict(attention_head_dim=(1, 2, 2), use_linear_projection=True, upcast_attention=True)
    eps, inpaint = (fill(sd_relatives.unet((32, 64, 64), kinds, in_channels=n, **more)) for n in (4, 9))
    v = copy.deepcopy(eps)
    with torch.no_grad():
        v.conv_out.bias -= DROP
    return bpe, text, vae, {"eps": eps, "v": v, "inpaint": inpaint}


def unet_names(unet):
    names = ["model.diffusion_model." + unet_name(k, 1, 3, [True, True, False]) for k in unet.state_dict()]
    back = convert_ldm_unet_checkpoint(dict(zip(names, unet.state_dict().values())), dict(unet.config))
    assert all(torch.equal(back[k], t) for k, t in unet.state_dict().items()) and len(back) == len(names)
    return names


def open_clip(text):
    """[(a name of ours whose numbers are there, name in one file, tensor)]; of q, k and v in one tensor that of q."""
    state = {HEAD + k: t for k, t in text.state_dict().items()}
    other = {"token_embedding.weight": "embeddings.token_embedding.weight", "positional_embedding": "embeddings.position_embedding.weight",
             "ln_final.weight": "final_layer_norm.weight", "ln_final.bias": "final_layer_norm.bias"}
    rows = [(HEAD + ours, theirs, state[HEAD + ours]) for theirs, ours in other.items()]
    parts = {"attn.out_proj": "self_attn.out_proj", "ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    for i in range(LAYERS + 1):
        first = f"{HEAD}encoder.layers.0."
        for k in [k for k in state if k.startswith(first)]:
            name = k.replace("layers.0.", f"layers.{i}.")
            if i == LAYERS:
                state[name] = weight(name, state[k].shape)  # of a block that is not used
        for ending in ("weight", "bias"):
            q, k, v = (f"{HEAD}encoder.layers.{i}.self_attn.{x}_proj.{ending}" for x in "qkv")
            rows.append((q, f"transformer.resblocks.{i}.attn.in_proj_{ending}", torch.cat([state[q], state[k], state[v]])))
            for theirs, ours in parts.items():
                name = f"{HEAD}encoder.layers.{i}.{ours}.{ending}"
                rows.append((name, f"transformer.resblocks.{i}.{theirs}.{ending}", state[name]))
    prefix = "cond_stage_model.model."
    rows = [(ours, prefix + theirs, t) for ours, theirs, t in rows]
    back = convert_open_clip_checkpoint(text, {theirs: t for _, theirs, t in rows}, prefix)
    assert all(torch.equal(back[HEAD + k], t) for k, t in text.state_dict().items())
    assert sorted(set(back) - {HEAD + k for k in text.state_dict()}) == sorted(k for k in state if f"layers.{LAYERS}." in k)
    return rows


def probe(unet):
    """mean(output - x) of gray at the noisiest timestep: below -1 it is v"""
    x = torch.full((1, unet.config.in_channels, 8, 8), 0.5)
    return float((unet(x, 999, torch.full((1, 2, 64), 0.5)).sample - x[:, :4]).mean())


def draw(model, kind, style, prompt, negative, width, height, guidance, rescale, skip, scheduler, steps, strength, bpe, text, vae):
    """features of the texts, latents after each call, picture"""
    make = {"words": StableDiffusionPipeline, "picture": StableDiffusionImg2ImgPipeline, "mask": StableDiffusionInpaintPipeline}[kind]
    pipe = make(vae=vae, text_encoder=text, tokenizer=bpe, unet=model, scheduler=SCHEDULERS[scheduler](), safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    f = features(text, bpe, style, prompt, negative, skip, 0)
    if style == "plain" and skip == 1:
        own = pipe.encode_prompt(prompt, "cpu", 1, True, negative)
        assert all(torch.allclose(a[0], b, atol=1e-6) for a, b in zip(own, f))
    latents = []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}

    o = dict(width=width, height=height, guidance_rescale=rescale) if kind == "words" else dict(image=Image.fromarray(sd_relatives.picture()), strength=strength)
    if kind == "mask":
        o.update(mask_image=Image.fromarray(sd_relatives.mask(kind)), width=width, height=height)
    picture = pipe(prompt_embeds=f[0][None], negative_prompt_embeds=f[1][None], num_inference_steps=steps, guidance_scale=guidance, generator=torch.Generator().manual_seed(SEED),
                   callback_on_step_end=keep, output_type="np", **o).images[0]
    return np.concatenate([x.numpy().ravel() for x in f[:1 + (guidance > 1)]]), np.stack(latents), picture


def main():
    torch.set_num_threads(1)
    bpe, text, vae, nets = networks(sys.argv[1])
    print("/* sd2.h: written by oracle/sd2_pipeline.py with diffusers and transformers; do not edit. */")
    print("static const sd_tensor sd2_tensors[] = {")

    def row(part, name, one, t):
        print(f'    {{"{part}", "{name}", "{one}", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')

    for name, one, t in open_clip(text):
        row("open_clip", name, one, t)
    for net in ("eps", "inpaint"):
        for (name, t), one in zip(nets[net].state_dict().items(), unet_names(nets[net])):
            row(net, name, one, t)
    print("};\ntypedef struct sd2_case {\n    const char *net, *kind, *style, *prompt, *negative;\n    int width, height;\n    double guidance, rescale;\n    int skip;\n    const char *scheduler;\n    int steps;\n"
          "    double strength;\n    int n_features, calls;\n    const float *features, *latents; /* every 13th; after each call [h,w,4] */\n    const char *picture; /* hex of [height,width,3] */\n} sd2_case;")
    print(f"enum {{ SD2_CASES = {len(CASES)}, SD2_SEED = {SEED}, SD2_DROP = {DROP}, SD2_LAYERS = {LAYERS} }};")
    rows = []
    with torch.no_grad():
        means = {k: probe(nets[k]) for k in ("eps", "v")}
        assert means["v"] < -1.5 and means["eps"] > -0.8, means
        for k, case in enumerate(CASES):
            f, latents, picture = draw(nets[case[0]], *case[1:], bpe, text, vae)
            print(f"static const float sd2_features_{k}[] = {floats(f[::13])};")
            print(f"static const float sd2_latents_{k}[] = {floats(latents)};")
            net, kind, style, prompt, negative, *numbers, scheduler, steps, strength = case
            rows.append(f'    {{"{net}", "{kind}", "{style}", {text_vectors.literal(prompt)}, {text_vectors.literal(negative)}, {", ".join(map(str, numbers))}, "{scheduler}", {steps}, {strength}, {len(f)}, '
                        f"{len(latents)}, sd2_features_{k}, sd2_latents_{k},\n" + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) + "},")
            print(k, net, kind, scheduler, "latents", [float(np.abs(x).max()) for x in latents], "picture", picture.mean(), picture.std(), file=sys.stderr)
        print("mean(output - x)", means, file=sys.stderr)
    print("static const sd2_case sd2_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
