"""Writes tests/vectors/sd.h: pictures by diffusers' StableDiffusionPipeline with shrunken networks, and the names of their tensors.

usage: sd_pipeline.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sd.h        (torch, diffusers 0.42, transformers 5)

Weights and starting latents are the formula of networks.py; a matrix is scaled by the power of two next to its fan-in, what reads text twice as
much, so that words and guidance matter.  Features of prompts with brackets are encoded chunk by chunk and weighed as prompt_vectors.py states the
rules.  The names of a checkpoint in one file are made here and read back by diffusers' own conversion.
"""
import gzip
import re
import sys

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_img2img
from transformers import CLIPTextConfig, CLIPTextModel

import prompt_vectors
import text_vectors
from networks import formula, is_norm

SCHEDULER = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
LONG = "caf\u00e9 by the (stormy:1.3) sea at night, " * 8
CASES = [  # style, prompt, negative, width, height, guidance, clip skip, scheduler, strength (1: from noise alone, else from a latent of the formula)
    ("plain", "a (lighthouse) at night", "", 64, 64, 7.5, 1, "pndm", 1),
    ("plain", "a (lighthouse) at night", "fog", 40, 64, 1, 1, "euler", 1),
    ("a1111", LONG + "[gulls] BREAK \U0001f600 a (red:0.6) boat", "blurry, (grain:1.2)", 64, 40, 7.5, 2, "pndm", 1),
    ("comfy", LONG + "((gulls)) in a (storm:0.5)", "blurry, (grain:1.2)", 48, 48, 5, 1, "euler", 1),
    ("plain", "a lighthouse at night", "fog", 48, 32, 7.5, 1, "ddim", 0.5),
    ("plain", "a lighthouse at night", "fog", 48, 32, 7.5, 1, "euler", 0.75),
]
STEPS = 4


def weight(name, shape):
    fan = int(np.prod(shape[1:]))
    k = 0
    while 3 * 4**k < fan:
        k += 1
    x = formula(name, int(np.prod(shape)), 0.25 if len(shape) == 1 else 2.0 ** (("attn2" in name) - k))
    return torch.from_numpy((np.float32(1) + x if is_norm(name) else x).reshape(tuple(shape)))


def fill(module, head=""):
    with torch.no_grad():
        for name, t in module.state_dict().items():
            t.copy_(weight(head + name, t.shape))
    return module.eval()


RES = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
VAE = {"conv_shortcut": "nin_shortcut", "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def swap(rest, words):
    for a, b in words.items():
        if rest.startswith(a + "."):
            return b + rest[len(a):]
    return rest


def unet_name(name, n, levels, attends):
    whole = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_norm_out": "out.0", "conv_out": "out.2"}
    if swap(name, whole) != name:
        return swap(name, whole)
    m = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name)
    if m:
        return f"middle_block.{2 * int(m[2]) if m[1] == 'resnets' else 1}." + swap(m[3], RES if m[1] == "resnets" else {})
    m = re.fullmatch(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name)
    level, j = int(m[2]), int(m[4])
    if m[3] == "downsamplers":
        return f"input_blocks.{(level + 1) * (n + 1)}.0.op" + m[5][len("conv"):]
    if m[3] == "upsamplers":
        return f"output_blocks.{level * (n + 1) + n}.{2 if attends[levels - 1 - level] else 1}." + m[5]
    block = f"input_blocks.{level * (n + 1) + 1 + j}" if m[1] == "down" else f"output_blocks.{level * (n + 1) + j}"
    return f"{block}.{int(m[3] == 'attentions')}." + swap(m[5], RES if m[3] == "resnets" else {})


def vae_name(name, levels):
    m = re.fullmatch(r"(\w+)\.mid_block\.(\w+)\.(\d)\.(.*)", name)
    if m:
        return f"{m[1]}.mid." + (f"block_{int(m[3]) + 1}." if m[2] == "resnets" else "attn_1.") + swap(m[4], VAE)
    m = re.fullmatch(r"(\w+)\.(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name)
    if m:
        level = int(m[3]) if m[2] == "down" else levels - 1 - int(m[3])
        return f"{m[1]}.{m[2]}.{level}." + (f"block.{m[5]}." + swap(m[6], VAE) if m[4] == "resnets" else f"{m[2]}sample." + m[6])
    return name.replace("conv_norm_out", "norm_out")


def original(unet, vae):
    u = {"model.diffusion_model." + unet_name(k, 1, 3, [True, True, False]): v for k, v in unet.state_dict().items()}
    v = {"first_stage_model." + vae_name(k, 4): t[:, :, None, None] if re.search(r"attentions.*(to_[qkv]|to_out\.0)\.weight", k) else t for k, t in vae.state_dict().items()}
    back = convert_ldm_unet_checkpoint(dict(u), dict(unet.config))
    assert all(torch.equal(back[k], t) for k, t in unet.state_dict().items()) and len(back) == len(u)
    back = convert_ldm_vae_checkpoint(dict(v), dict(vae.config))
    assert all(torch.equal(back[k].reshape(t.shape), t) for k, t in vae.state_dict().items()) and len(back) == len(v)
    return list(u), list(v)


def encode(text, ids, skip):
    """hidden[-skip], counted from 1, through the final norm"""
    hidden = text(torch.tensor(ids), output_hidden_states=True).hidden_states[-skip]
    return text.final_layer_norm(hidden) if hasattr(text, "final_layer_norm") else text.text_model.final_layer_norm(hidden)


def features(text, bpe, style, prompt, negative, skip, pad=49407):
    """[2][tokens, width]; pad: id behind the end of a text"""
    begin, end = 49406, 49407

    def rows(chunks):
        return [[begin] + [t for t, _ in c] + [end] + [pad] * (75 - len(c)) for c in chunks]

    if style == "plain":
        return [encode(text, [bpe(p, truncation=True, max_length=77, padding="max_length")["input_ids"]], skip)[0] for p in (prompt, negative)]
    pieces, chunk = (prompt_vectors.pieces_webui, prompt_vectors.chunks_webui) if style == "a1111" else (prompt_vectors.pieces_comfy, prompt_vectors.chunks_comfy)
    both = [chunk(bpe, pieces(p), 75) for p in (prompt, negative)]
    n = max(map(len, both))
    empty = encode(text, rows([[]]), skip)[0]
    out = []
    for chunks in both:
        if style == "a1111":
            chunks = chunks + [[]] * (n - len(chunks))
        z = []
        for ids, c in zip(rows(chunks), chunks):
            w = torch.ones(77, 1)
            for i, (_, x) in enumerate(c):
                w[i + 1] = x
            h = encode(text, [ids], skip)[0]
            z.append(h * w * (h.mean() / (h * w).mean()) if style == "a1111" else (h - empty) * w + empty)
        out.append(torch.cat(z))
    assert max(map(len, out)) % min(map(len, out)) == 0
    return [torch.cat([f] * (max(map(len, out)) // len(f))) for f in out]


def hexed(values):
    text = bytes(values).hex()
    return "\n".join(f'    "{text[i:i + 140]}"' for i in range(0, len(text), 140))


def floats(x):
    return "{" + ",".join(f"{v:.7g}f" if "." in f"{v:.7g}" or "e" in f"{v:.7g}" else f"{v:.7g}" for v in np.asarray(x, np.float64).ravel()) + "}"


def shrunken(merges):
    """Tokenizer, text encoder and autoencoder of Stable Diffusion, shrunken."""
    bpe = text_vectors.tokenizer(gzip.open(merges).read().decode().split("\n")[1:48895])
    bpe.model_max_length = 77
    text = fill(CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_size=64, intermediate_size=256, num_hidden_layers=3, num_attention_heads=1, hidden_act="quick_gelu",
                                             bos_token_id=49406, eos_token_id=49407)), "text_model.")
    return bpe, text, shrunken_vae()


def shrunken_vae():
    return fill(AutoencoderKL(block_out_channels=(32,) * 4, layers_per_block=1, latent_channels=4, norm_num_groups=32, scaling_factor=0.18215,
                              down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4))


def shrunken_unet():
    return fill(UNet2DConditionModel(sample_size=8, block_out_channels=(32, 64, 64), layers_per_block=1, cross_attention_dim=64, attention_head_dim=8, norm_num_groups=32,
                                     down_block_types=("CrossAttnDownBlock2D",) * 2 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 2))


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    unet = shrunken_unet()
    print("/* sd.h: written by oracle/sd_pipeline.py with diffusers and transformers; do not edit. */")
    print("typedef struct sd_tensor { const char *part, *name, *original; int rank, dim[4]; } sd_tensor;")
    print("typedef struct sd_case {\n    const char *style, *prompt, *negative;\n    int width, height;\n    double guidance;\n    int skip;\n    const char *scheduler;\n    double strength;\n"
          "    int n_features, calls;\n    const float *features, *latents; /* every 13th; after each call [h,w,4] */\n    const char *picture; /* hex of [height,width,3] */\n} sd_case;")
    u_names, v_names = original(unet, vae)
    print("static const sd_tensor sd_tensors[] = {")
    for part, module, head, names in (("text_encoder", text, "text_model.", None), ("unet", unet, "", u_names), ("vae", vae, "", v_names)):
        for i, (name, t) in enumerate(module.state_dict().items()):
            one = names[i] if names else "cond_stage_model.transformer." + head + name
            print(f'    {{"{part}", "{head + name}", "{one}", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')
    print("};\nenum { SD_STEPS = %d, SD_CASES = %d };" % (STEPS, len(CASES)))
    rows = []
    with torch.no_grad():
        for k, (style, prompt, negative, width, height, guidance, skip, kind, strength) in enumerate(CASES):
            scheduler = {"pndm": lambda: PNDMScheduler(skip_prk_steps=True, **SCHEDULER), "euler": lambda: EulerDiscreteScheduler(timestep_spacing="leading", **SCHEDULER),
                         "ddim": lambda: DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SCHEDULER)}[kind]()
            make = StableDiffusionPipeline if strength == 1 else StableDiffusionImg2ImgPipeline
            pipe = make(vae=vae, text_encoder=text, tokenizer=bpe, unet=unet, scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
            pipe.set_progress_bar_config(disable=True)
            f = features(text, bpe, style, prompt, negative, skip)
            if style == "plain" and skip == 1:
                own = pipe.encode_prompt(prompt, "cpu", 1, True, negative)
                assert all(torch.allclose(a[0], b, atol=1e-6) for a, b in zip(own, f))
            noise, start = (torch.from_numpy(formula(name, height * width // 16, 2.0).reshape(1, height // 8, width // 8, 4)).permute(0, 3, 1, 2) for name in ("noise", "start"))
            pipeline_stable_diffusion_img2img.randn_tensor = lambda *_, **__: noise
            begin = dict(latents=noise, width=width, height=height) if strength == 1 else dict(image=start, strength=strength)
            latents = []

            def keep(pipe, i, t, kwargs):
                latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
                return {}

            picture = pipe(prompt_embeds=f[0][None], negative_prompt_embeds=f[1][None], **begin, num_inference_steps=STEPS,
                           guidance_scale=guidance, callback_on_step_end=keep, output_type="np").images[0]
            everything = np.concatenate([x.numpy().ravel() for x in f[:1 + (guidance != 1)]])
            print(f"static const float sd_features_{k}[] = {floats(everything[::13])};")
            print(f"static const float sd_latents_{k}[] = {floats(np.stack(latents))};")
            rows.append(f'    {{"{style}", {text_vectors.literal(prompt)}, {text_vectors.literal(negative)}, {width}, {height}, {guidance}, {skip}, "{kind}", {strength}, {len(everything)}, {len(latents)}, '
                        f"sd_features_{k}, sd_latents_{k},\n" + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) + "},")
            print(k, kind, "latents", [float(np.abs(x).max()) for x in latents], "picture", picture.mean(), picture.std(), file=sys.stderr)
    print("static const sd_case sd_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
