"""Writes tests/vectors/sd3_pipeline.h: pictures by diffusers' StableDiffusion3Pipeline with shrunken networks, features of T5 alone, and the names of their tensors.

usage: sd3_pipeline.py models/tokenizer/clip-49408.txt.gz tests/vectors/unigram > tests/vectors/sd3_pipeline.h        (torch, diffusers 0.42, transformers 5, sentencepiece)

As sd_pipeline.py: weights and starting latents of the formula; features of prompts with brackets chunk by chunk, of each encoder by itself; T5's tokens in one row, each stretch of one
weight parted for itself.  Networks: "plain" (as 3 medium), "norms" (q and k normed, as 3.5 large), "dual" (a second attention in the first blocks too, as 3.5 medium).  T5 stands in front of
CLIP here, whose order along tokens no block sees.
"""
import gzip
import sys

import numpy as np
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Img2ImgPipeline, StableDiffusion3Pipeline
from diffusers.pipelines.stable_diffusion_3 import pipeline_stable_diffusion_3_img2img
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel, T5TokenizerFast

import prompt_vectors
import text_vectors
from networks import formula
from sd_pipeline import LONG, STEPS, floats, hexed, vae_name, weight

L, G, T5, TOKENS = 96, 160, 288, 256
CASES = [  # model, style, prompt, negative, width, height, guidance, strength, encoders that are there, layers left out
    ("plain", "plain", "a (lighthouse) at night", "", 64, 64, 5, 1, "lgt", None),
    ("norms", "plain", "a (lighthouse) at night, caf\u00e9 \U0001f600", "fog", 48, 80, 5, 1, "lgt", None),
    ("plain", "a1111", LONG + "[gulls] BREAK \U0001f600 a (red:0.6) boat", "blurry, (grain:1.2)", 64, 48, 4, 1, "lgt", None),
    ("plain", "plain", "a lighthouse at night", "fog", 48, 32, 1, 1, "lg", None),
    ("plain", "plain", "a lighthouse at night", "fog", 48, 32, 5, 1, "t", None),
    ("norms", "plain", "a lighthouse at night", "fog", 48, 32, 5, 1, "gt", None),
    ("norms", "plain", "a lighthouse at night", "fog", 48, 48, 5, 0.5, "lgt", None),
    ("dual", "plain", "a lighthouse at night", "fog", 64, 48, 5, 1, "lgt", None),
    ("dual", "plain", "a lighthouse at night", "fog", 64, 48, 4, 1, "lgt", [1]),
]


def fill(module):
    """Also the table of places, which a file holds; T5's words are two entries of one memory."""
    with torch.no_grad():
        for name, t in module.state_dict().items():
            if name == "encoder.embed_tokens.weight":
                continue
            t.copy_(torch.from_numpy(formula(name, t.numel(), 0.5)).reshape(t.shape) if name == "pos_embed.pos_embed" else weight(name, t.shape))
    return module.eval()


def clip(width, heads, act):
    return CLIPTextModelWithProjection(CLIPTextConfig(vocab_size=49408, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=3, num_attention_heads=heads, hidden_act=act,
                                                      projection_dim=width, bos_token_id=49406, eos_token_id=49407, pad_token_id=0))


def encoders(merges, folder):
    out = []
    for k, (width, act) in enumerate(((L, "quick_gelu"), (G, "gelu"))):
        bpe = text_vectors.tokenizer(gzip.open(merges).read().decode().split("\n")[1:48895])
        bpe.model_max_length = 77
        if k:
            bpe.pad_token = "!"
        out.append((bpe, fill(clip(width, 2, act))))
    t5 = T5EncoderModel(T5Config(vocab_size=512, d_model=T5, d_kv=16, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu", dropout_rate=0.0))
    out.append((T5TokenizerFast.from_pretrained(folder, model_max_length=TOKENS), fill(t5)))
    return out


def transformer(kind):
    more = {"plain": {}, "norms": dict(qk_norm="rms_norm"), "dual": dict(qk_norm="rms_norm", dual_attention_layers=(0, 1))}[kind]
    return fill(SD3Transformer2DModel(sample_size=8, patch_size=2, in_channels=16, out_channels=16, num_layers=3, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=T5,
                                      caption_projection_dim=32, pooled_projection_dim=L + G, pos_embed_max_size=12, **more))


def autoencoder():
    return fill(AutoencoderKL(block_out_channels=(32,) * 4, layers_per_block=1, latent_channels=16, norm_num_groups=32, scaling_factor=1.5305, shift_factor=0.0609, use_quant_conv=False,
                              use_post_quant_conv=False, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4))


def encode(model, ids):
    """hidden[-2], the whole text; of T5 its features"""
    out = model(torch.tensor(ids), output_hidden_states=True)
    return (out[0], None) if isinstance(model, T5EncoderModel) else (out.hidden_states[-2], out[0])


def clip_rows(enc, style, prompt, negative):
    """[2][chunks 77, width], [2][width] of one of CLIP's encoders"""
    bpe, model = enc
    if style == "plain":
        z = [encode(model, [bpe(text, truncation=True, max_length=77, padding="max_length")["input_ids"]]) for text in (prompt, negative)]
        return [h[0] for h, _ in z], [p[0] for _, p in z]
    pad = 0 if bpe.pad_token == "!" else 49407
    both = [prompt_vectors.chunks_webui(bpe, prompt_vectors.pieces_webui(p), 75) for p in (prompt, negative)]
    n, texts, pooled = max(map(len, both)), [], []
    for chunks in both:
        z = []
        for j, c in enumerate(chunks + [[]] * (n - len(chunks))):
            w = torch.ones(77, 1)
            for i, (_, x) in enumerate(c):
                w[i + 1] = x
            h, p = encode(model, [[49406] + [t for t, _ in c] + [49407] + [pad] * (75 - len(c))])
            if not j:
                pooled.append(p[0])
            z.append(h[0] * w * (h[0].mean() / (h[0] * w).mean()))
        texts.append(torch.cat(z))
    return texts, pooled


def t5_rows(enc, style, prompt, negative):
    bpe, model = enc
    out = []
    for text in (prompt, negative):
        pieces = [(text, 1.0)] if style == "plain" else [p for p in prompt_vectors.pieces_webui(text) if p[0] != "BREAK" or p[1] != -1]
        ids, w = [], []
        for piece, x in pieces:
            one = bpe(piece, add_special_tokens=False)["input_ids"]
            ids, w = ids + one, w + [x] * len(one)
        ids, w = ids[:TOKENS - 1] + [1], w[:TOKENS - 1] + [1]
        ids, w = ids + [0] * (TOKENS - len(ids)), torch.tensor(w + [1] * (TOKENS - len(w)))[:, None]
        h = encode(model, [ids])[0][0]
        out.append(h * w * (h.mean() / (h * w).mean()))
        if style == "plain":
            assert ids == bpe(text, padding="max_length", max_length=TOKENS, truncation=True)["input_ids"]
    return out


def features(encs, there, style, prompt, negative):
    """[2][tokens, T5], T5's first; [2][L + G]"""
    l, g, t = encs
    (fl, pl), (fg, pg), ft = clip_rows(l, style, prompt, negative), clip_rows(g, style, prompt, negative), t5_rows(t, style, prompt, negative)
    both, pooled = [], []
    for k in range(2):
        for name, z in (("l", (fl, pl)), ("g", (fg, pg)), ("t", (ft,))):
            for x in z if name not in there else ():
                x[k] = torch.zeros_like(x[k])
        c = torch.nn.functional.pad(torch.cat([fl[k], fg[k]], -1), (0, T5 - L - G))
        both.append(torch.cat([ft[k], c]) if "l" in there or "g" in there else ft[k])
        pooled.append(torch.cat([pl[k], pg[k]]))
    return both, pooled


def draw(case, encs, nets, vae):
    kind, style, prompt, negative, width, height, guidance, strength, there, skip = case
    f, pooled = features(encs, there, style, prompt, negative)
    make = StableDiffusion3Pipeline if strength == 1 else StableDiffusion3Img2ImgPipeline
    (b1, t1), (b2, t2), (b3, t3) = encs
    pipe = make(transformer=nets[kind], scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), vae=vae, text_encoder=t1, tokenizer=b1, text_encoder_2=t2, tokenizer_2=b2,
                text_encoder_3=t3 if "t" in there else None, tokenizer_3=b3)
    pipe.set_progress_bar_config(disable=True)
    if style == "plain" and "l" in there and "g" in there:
        theirs = pipe.encode_prompt(prompt, None, None, device="cpu", negative_prompt=negative)
        for k in range(2):
            assert torch.allclose(torch.cat([theirs[k][0][77:], theirs[k][0][:77]]), f[k], atol=1e-5) and torch.allclose(theirs[2 + k][0], pooled[k], atol=1e-5)
    noise, start = (torch.from_numpy(formula(name, height * width // 4, 2.0).reshape(1, height // 8, width // 8, 16)).permute(0, 3, 1, 2) for name in ("noise", "start"))
    pipeline_stable_diffusion_3_img2img.randn_tensor = lambda *_, **__: noise
    begin = dict(latents=noise) if strength == 1 else dict(image=start, strength=strength)
    if skip:
        begin.update(skip_guidance_layers=skip, skip_layer_guidance_scale=2.5, skip_layer_guidance_start=0.01, skip_layer_guidance_stop=0.6)
    latents = []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}
    picture = pipe(prompt_embeds=f[0][None], negative_prompt_embeds=f[1][None], pooled_prompt_embeds=pooled[0][None], negative_pooled_prompt_embeds=pooled[1][None], width=width, height=height,
                   **begin, num_inference_steps=STEPS, guidance_scale=guidance, callback_on_step_end=keep, output_type="np").images[0]
    rows = 1 + (guidance != 1)
    return f[:rows], pooled[:rows], latents, picture


def original(name):
    """Names of the transformer in Stability AI's files; "": a part of another tensor."""
    words = {"pos_embed.proj": "x_embedder.proj", "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0", "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
             "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0", "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2", "context_embedder": "context_embedder",
             "norm_out.linear": "final_layer.adaLN_modulation.1", "proj_out": "final_layer.linear"}
    x, c = "x_block.", "context_block."
    inside = {"norm1.linear": x + "adaLN_modulation.1", "norm1_context.linear": c + "adaLN_modulation.1", "attn.to_q": x + "attn.qkv", "attn.add_q_proj": c + "attn.qkv",
              "attn.to_out.0": x + "attn.proj", "attn.to_add_out": c + "attn.proj", "attn.norm_q": x + "attn.ln_q", "attn.norm_k": x + "attn.ln_k", "attn.norm_added_q": c + "attn.ln_q",
              "attn.norm_added_k": c + "attn.ln_k", "attn2.to_q": x + "attn2.qkv", "attn2.to_out.0": x + "attn2.proj", "attn2.norm_q": x + "attn2.ln_q", "attn2.norm_k": x + "attn2.ln_k",
              "ff.net.0.proj": x + "mlp.fc1", "ff.net.2": x + "mlp.fc2", "ff_context.net.0.proj": c + "mlp.fc1", "ff_context.net.2": c + "mlp.fc2"}
    if name == "pos_embed.pos_embed":
        return "model.diffusion_model.pos_embed"
    layer, kind = name.rsplit(".", 1)
    if layer in words:
        return f"model.diffusion_model.{words[layer]}.{kind}"
    _, block, rest = layer.split(".", 2)
    return f"model.diffusion_model.joint_blocks.{block}.{inside[rest]}.{kind}" if rest in inside else ""


def main():
    torch.set_num_threads(1)
    vae = autoencoder()
    encs = encoders(*sys.argv[1:3])
    nets = {kind: transformer(kind) for kind in ("plain", "norms", "dual")}
    print("/* sd3_pipeline.h: written by oracle/sd3_pipeline.py with diffusers and transformers; do not edit. */")
    print("typedef struct sd3_case {\n    const char *model, *style, *prompt, *negative;\n    int width, height;\n    double guidance, strength;\n    const char *there; /* encoders: l, g, t */\n    int skipped; /* a block that guidance leaves out; -1: none */\n"
          "    int n_features, n_pooled, calls;\n    const float *features, *pooled, *latents; /* every 97th; every 3rd; after each call [h,w,16] */\n    const char *picture; /* hex of [height,width,3] */\n} sd3_case;")
    print("static const sd_tensor sd3_tensors[] = {")
    parts = [("text_encoder", encs[0][1], "text_encoders.clip_l.transformer."), ("text_encoder_2", encs[1][1], "text_encoders.clip_g.transformer."),
             ("text_encoder_3", encs[2][1], "text_encoders.t5xxl.transformer."), ("vae", vae, None)] + [(k, nets[k], "") for k in nets]
    for part, module, head in parts:
        for name, t in module.state_dict().items():
            full = ("" if not name.startswith(("embeddings.", "encoder.", "final_layer_norm.")) or part not in ("text_encoder", "text_encoder_2") else "text_model.") + name
            if part == "text_encoder_3" and name == "encoder.embed_tokens.weight":
                continue
            one = head + full if head else original(name) if head == "" else "first_stage_model." + vae_name(name, 4)
            print(f'    {{"{part}", "{name}", "{one}", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')
    print("};\nenum { SD3_STEPS = %d, SD3_CASES = %d };" % (STEPS, len(CASES)))
    with torch.no_grad():
        bpe, t5 = encs[2]
        ids = bpe(["a lighthouse", ""], padding="max_length", max_length=40, return_tensors="pt")
        out = t5(**ids)
        print("static const int32_t sd3_t5_ids[] = {" + ",".join(map(str, ids["input_ids"].flatten().tolist())) + "};")
        print("static const float sd3_t5_mask[] = {" + ",".join(map(str, ids["attention_mask"].flatten().tolist())) + "};")
        print(f"static const float sd3_t5_features[] = {floats(out[0].flatten()[::31])}; /* every 31st */")
        rows = []
        for k, case in enumerate(CASES):
            kind, style, prompt, negative, width, height, guidance, strength, there, skip = case
            f, pooled, latents, picture = draw(case, encs, nets, vae)
            everything, whole = (np.concatenate([x.numpy().ravel() for x in y]) for y in (f, pooled))
            print(f"static const float sd3_features_{k}[] = {floats(everything[::97])};")
            print(f"static const float sd3_pooled_{k}[] = {floats(whole[::3])};")
            print(f"static const float sd3_latents_{k}[] = {floats(np.stack(latents))};")
            rows.append(f'    {{"{kind}", "{style}", {text_vectors.literal(prompt)}, {text_vectors.literal(negative)}, {width}, {height}, {guidance}, {strength}, "{there}", {skip[0] if skip else -1}, '
                        f'{len(everything)}, {len(whole)}, {len(latents)}, sd3_features_{k}, sd3_pooled_{k}, sd3_latents_{k},\n'
                        + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) + "},")
            print(k, kind, "latents", [float(np.abs(x).max()) for x in latents], "picture", picture.mean(), picture.std(), file=sys.stderr)
        base = draw(CASES[1], encs, nets, vae)[2][-1]
        for what, change in (("prompt", {2: "a cat"}), ("negative", {3: "rain"}), ("guidance", {6: 4}), ("without L", {8: "gt"}), ("without G", {8: "lt"}), ("without T5", {8: "lg"})):
            other = draw(tuple(change.get(i, x) for i, x in enumerate(CASES[1])), encs, nets, vae)[2][-1]
            print(what, "moves the latents by", float(np.abs(other - base).max() / np.abs(base).max()), file=sys.stderr)
    print("static const sd3_case sd3_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    main()
