"""Writes tests/vectors/sdxl.h: pictures by diffusers' StableDiffusionXL pipelines with shrunken networks, and the names of their tensors.

usage: sdxl_pipeline.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sdxl.h        (torch, diffusers 0.42, transformers 5)

As sd_pipeline.py: weights and starting latents of the formula; features of prompts with brackets chunk by chunk, of each encoder by itself.  Networks: the base (two text encoders, six
numbers about the picture, transformers of different depth), the refiner (one encoder, five numbers), and one as pruned as SSD-1B (its middle is one residual block).
"""
import gzip
import sys

import numpy as np
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion_xl import pipeline_stable_diffusion_xl_img2img
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

import prompt_vectors
import text_vectors
from networks import formula
from sd_pipeline import LONG, SCHEDULER, STEPS, fill, floats, hexed, shrunken, unet_name

CASES = [  # model, style, prompt, negative (None: none), width, height, guidance, scheduler, strength, sizes: original (height, width), crop (top, left), target (height, width); or score, negative score
    ("base", "plain", "a (lighthouse) at night", None, 64, 64, 5, "euler", 1, None),
    ("base", "plain", "a (lighthouse) at night", "fog", 40, 64, 5, "euler", 1, (48, 100, 8, 16, 90, 30)),
    ("base", "a1111", LONG + "[gulls] BREAK \U0001f600 a (red:0.6) boat", "", 64, 40, 7, "ddim", 1, None),
    ("base", "comfy", LONG + "((gulls)) in a (storm:0.5)", "", 48, 48, 5, "euler", 1, None),
    ("base", "plain", "a lighthouse at night", "", 48, 32, 1, "euler", 1, None),
    ("base", "plain", "a lighthouse at night", "fog", 48, 32, 5, "ddim", 0.5, None),
    ("refiner", "plain", "a lighthouse at night", None, 48, 32, 5, "euler", 0.75, (6, 2.5)),
    ("refiner", "plain", "a lighthouse at night", "fog", 48, 32, 5, "euler", 0.5, (9, 1)),
    ("pruned", "plain", "a lighthouse at night", "fog", 48, 32, 5, "euler", 1, None),
]
L, G, EACH = 64, 128, 8


def unet(kind):
    common = dict(sample_size=8, norm_num_groups=32, use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=EACH)
    if kind == "refiner":
        return fill(UNet2DConditionModel(block_out_channels=(32, 64, 64, 64), layers_per_block=1, cross_attention_dim=G, attention_head_dim=[2, 4, 4, 4], transformer_layers_per_block=2,
                                         projection_class_embeddings_input_dim=G + 5 * EACH,
                                         down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                                         up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), **common))
    more = dict(transformer_layers_per_block=(1, 1, 3)) if kind == "base" else dict(
        transformer_layers_per_block=(1, (1,), (2,)), reverse_transformer_layers_per_block=((1, 3), (2, 1), 1), mid_block_type="UNetMidBlock2D")
    return fill(UNet2DConditionModel(block_out_channels=(32, 64, 64), layers_per_block=1, cross_attention_dim=L + G, attention_head_dim=[2, 4, 4],
                                     projection_class_embeddings_input_dim=G + 6 * EACH, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                                     up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), **more, **common))


def second_encoder(merges):
    bpe = text_vectors.tokenizer(gzip.open(merges).read().decode().split("\n")[1:48895])
    bpe.model_max_length, bpe.pad_token = 77, "!"
    model = CLIPTextModelWithProjection(CLIPTextConfig(vocab_size=49408, hidden_size=G, intermediate_size=4 * G, num_hidden_layers=3, num_attention_heads=2, hidden_act="gelu", projection_dim=G,
                                                       bos_token_id=49406, eos_token_id=49407, pad_token_id=0))
    return bpe, fill(model)


def encode(model, ids):
    """hidden[-2], the whole text"""
    out = model(torch.tensor(ids), output_hidden_states=True)
    return out.hidden_states[-2], out[0] if hasattr(model, "text_projection") else None


def features(encoders, style, prompt, negative):
    """[2][tokens, L + G], [2][G]"""
    if style == "plain":
        both = []
        for text in (prompt, negative or ""):
            z = [encode(model, [bpe(text, truncation=True, max_length=77, padding="max_length")["input_ids"]]) for bpe, model in encoders]
            both.append((torch.cat([h[0] for h, _ in z], -1), z[-1][1][0]))
        return [b[0] for b in both], [b[1] for b in both]
    pieces, chunk = (prompt_vectors.pieces_webui, prompt_vectors.chunks_webui) if style == "a1111" else (prompt_vectors.pieces_comfy, prompt_vectors.chunks_comfy)
    texts, pooled = [[], []], [None, None]
    for bpe, model in encoders:
        fill_up = 0 if bpe.pad_token == "!" else 49407

        def rows(chunks):
            return [[49406] + [t for t, _ in c] + [49407] + [fill_up] * (75 - len(c)) for c in chunks]
        both = [chunk(bpe, pieces(p), 75) for p in (prompt, negative)]
        n = max(map(len, both))
        empty = encode(model, rows([[]]))[0][0]
        for k, chunks in enumerate(both):
            if style == "a1111":
                chunks = chunks + [[]] * (n - len(chunks))
            z = []
            for j, (ids, c) in enumerate(zip(rows(chunks), chunks)):
                w = torch.ones(77, 1)
                for i, (_, x) in enumerate(c):
                    w[i + 1] = x
                h, p = encode(model, [ids])
                h = h[0]
                if j == 0 and p is not None:
                    pooled[k] = p[0]
                z.append(h * w * (h.mean() / (h * w).mean()) if style == "a1111" else (h - empty) * w + empty)
            texts[k].append(torch.cat(z))
    out = [torch.cat([f.repeat(max(len(g) for t in texts for g in t) // len(f), 1) for f in t], -1) for t in texts]
    return out, pooled


def original(kind, model):
    """Names of the U-Net in a checkpoint."""
    attends = [False, True, True] if kind != "refiner" else [False, True, True, False]
    added = {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
    names = []
    for name in model.state_dict():
        for a, b in added.items():
            if name.startswith(a + "."):
                names.append("model.diffusion_model." + b + name[len(a):])
                break
        else:
            names.append("model.diffusion_model." + unet_name(name, 1, len(attends), attends))
    return names


def scheduler(kind):
    return EulerDiscreteScheduler(timestep_spacing="leading", **SCHEDULER) if kind == "euler" else DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SCHEDULER)


def draw(case, encoders, nets, vae):
    kind, style, prompt, negative, width, height, guidance, sampler, strength, sizes = case
    mine = encoders[1:] if kind == "refiner" else encoders
    zero = kind != "refiner" and guidance != 1 and (negative is None or (style == "a1111" and not negative))
    f, pooled = features(mine, style, prompt, negative)
    make = StableDiffusionXLPipeline if strength == 1 else StableDiffusionXLImg2ImgPipeline
    own = {} if strength == 1 else dict(requires_aesthetics_score=kind == "refiner")
    (b1, t1), (b2, t2) = encoders
    pipe = make(vae=vae, text_encoder=t1 if kind != "refiner" else None, tokenizer=b1 if kind != "refiner" else None, text_encoder_2=t2, tokenizer_2=b2, unet=nets[kind],
                scheduler=scheduler(sampler), force_zeros_for_empty_prompt=kind != "refiner", add_watermarker=False, **own)
    pipe.set_progress_bar_config(disable=True)
    if style == "plain":
        theirs = pipe.encode_prompt(prompt, None, "cpu", 1, True, negative)
        assert torch.allclose(theirs[0][0], f[0], atol=1e-6) and torch.allclose(theirs[2][0], pooled[0], atol=1e-5)
        assert not zero or float(theirs[1].abs().max()) == 0
        assert zero or torch.allclose(theirs[1][0], f[1], atol=1e-6)
    if zero:
        f[1], pooled[1] = torch.zeros_like(f[1]), torch.zeros_like(pooled[1])
    noise, start = (torch.from_numpy(formula(name, height * width // 16, 2.0).reshape(1, height // 8, width // 8, 4)).permute(0, 3, 1, 2) for name in ("noise", "start"))
    pipeline_stable_diffusion_xl_img2img.randn_tensor = lambda *_, **__: noise
    begin = dict(latents=noise, width=width, height=height) if strength == 1 else dict(image=start, strength=strength)
    if strength < 1 and kind != "refiner" or strength == 1:
        begin.update(dict(original_size=sizes[:2], crops_coords_top_left=sizes[2:4], target_size=sizes[4:], negative_original_size=sizes[:2], negative_crops_coords_top_left=sizes[2:4],
                          negative_target_size=sizes[4:]) if sizes else {})
    else:
        begin.update(aesthetic_score=sizes[0], negative_aesthetic_score=sizes[1])
    latents = []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}
    picture = pipe(prompt_embeds=f[0][None], negative_prompt_embeds=f[1][None], pooled_prompt_embeds=pooled[0][None], negative_pooled_prompt_embeds=pooled[1][None], **begin,
                   num_inference_steps=STEPS, guidance_scale=guidance, callback_on_step_end=keep, output_type="np").images[0]
    rows = 1 + (guidance != 1)
    return f[:rows], pooled[:rows], latents, picture


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    vae.register_to_config(scaling_factor=0.13025)
    encoders = [(bpe, text), second_encoder(sys.argv[1])]
    nets = {kind: unet(kind) for kind in ("base", "refiner", "pruned")}
    print("/* sdxl.h: written by oracle/sdxl_pipeline.py with diffusers and transformers; do not edit. */")
    print("typedef struct xl_case {\n    const char *model, *style, *prompt, *negative;\n    int width, height;\n    double guidance;\n    const char *scheduler;\n    double strength;\n    int n_sizes;\n"
          "    double sizes[6];\n    int n_features, n_pooled, calls;\n    const float *features, *pooled, *latents; /* every 13th; every 3rd; after each call [h,w,4] */\n"
          "    const char *picture; /* hex of [height,width,3] */\n} xl_case;")
    print("static const sd_tensor xl_tensors[] = {")
    parts = [("text_encoder", text, "text_model.", None), ("text_encoder_2", encoders[1][1], "", None), ("vae", vae, "", None)]
    parts += [("unet" if k == "base" else k, nets[k], "", original(k, nets[k])) for k in nets]
    for part, module, head, names in parts:
        for i, (name, t) in enumerate(module.state_dict().items()):
            one = names[i] if names else head + name
            print(f'    {{"{part}", "{head + name}", "{one}", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')
    print("};\nenum { XL_STEPS = %d, XL_CASES = %d };" % (STEPS, len(CASES)))
    rows = []
    with torch.no_grad():
        for k, case in enumerate(CASES):
            kind, style, prompt, negative, width, height, guidance, sampler, strength, sizes = case
            f, pooled, latents, picture = draw(case, encoders, nets, vae)
            everything, whole = (np.concatenate([x.numpy().ravel() for x in y]) for y in (f, pooled))
            print(f"static const float xl_features_{k}[] = {floats(everything[::13])};")
            print(f"static const float xl_pooled_{k}[] = {floats(whole[::3])};")
            print(f"static const float xl_latents_{k}[] = {floats(np.stack(latents))};")
            said = "NULL" if negative is None else text_vectors.literal(negative)
            rows.append(f'    {{"{kind}", "{style}", {text_vectors.literal(prompt)}, {said}, {width}, {height}, {guidance}, "{sampler}", {strength}, {len(sizes or ())}, '
                        f'{{{", ".join(map(str, sizes or (0,)))}}}, {len(everything)}, {len(whole)}, {len(latents)}, xl_features_{k}, xl_pooled_{k}, xl_latents_{k},\n'
                        + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) + "},")
            print(k, kind, "latents", [float(np.abs(x).max()) for x in latents], "picture", picture.mean(), picture.std(), file=sys.stderr)
        base = draw(CASES[1], encoders, nets, vae)[2][-1]
        for what, change in (("sizes", {9: (48, 100, 8, 60, 90, 30)}), ("prompt", {2: "a cat"}), ("negative", {3: "rain"}), ("guidance", {6: 4})):
            other = draw(tuple(change.get(i, x) for i, x in enumerate(CASES[1])), encoders, nets, vae)[2][-1]
            print(what, "moves the latents by", float(np.abs(other - base).max() / np.abs(base).max()), file=sys.stderr)
    print("static const xl_case xl_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
