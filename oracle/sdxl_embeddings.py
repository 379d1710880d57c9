"""Writes tests/vectors/sdxl_embeddings.h: textual inversion in diffusers' StableDiffusionXLPipeline, shrunken as in sdxl_pipeline.py.

usage: sdxl_embeddings.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sdxl_embeddings.h        (torch, diffusers 0.42, transformers 5)

As sd_embeddings.py, with vectors for both encoders: files as kohya, A1111 and OneTrainer have them, and as diffusers' script for two encoders writes them, one for each.  Style plain is
load_textual_inversion() on both tokenizers; a1111 and comfy are prompt_vectors.py's chunks of each encoder.
"""
import gzip
import sys

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save as save_safetensors

import prompt_vectors
import text_vectors
from networks import formula
from sd_embeddings import saved, vectors
from sd_pipeline import STEPS, floats, hexed, shrunken
from sdxl_pipeline import features, scheduler, second_encoder, unet

WIDTH, HEIGHT, L, G = 48, 32, 64, 128
CASES = [
    ("plain", "a glim house, <cat-toy>, bad-hands", "fog, glim"),
    ("a1111", "a (Glim:1.3) house, bad-hands [toy], " + "word " * 67 + "bad-hands end", "fog, (bad-hands:0.8)"),
    ("comfy", "a (embedding:glim:1.3) house, embedding:bad-hands, " + "word " * 67 + "embedding:bad-hands.pt end", "fog (embedding:toy:0.8)"),
]


def pair(stem, n):
    return vectors(stem + "/l", n, L), vectors(stem + "/g", n, G)


class Bpe:
    """A tokenizer without the words, which are looked for in its tokens."""
    def __init__(self, bare, pad):
        self.bare, self.pad_token = bare, pad

    def __call__(self, *a, **k):
        return self.bare(*a, **k)

    def __getattr__(self, name):
        return getattr(self.bare, name)


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    vae.register_to_config(scaling_factor=0.13025)
    bpe2, text2 = second_encoder(sys.argv[1])
    rows = {"glim": pair("glim", 2), "toy": pair("toy", 1), "bad-hands": pair("bad-hands", 4)}
    (gl, gg), (tl, tg), (bl, bg) = rows.values()
    files = {
        "glim.safetensors": save_safetensors({"clip_l": gl, "clip_g": gg}),
        "toy.safetensors": save_safetensors({"<cat-toy>": tl}), "toy_2.safetensors": save_safetensors({"<cat-toy>": tg}),
        "bad-hands.pt": saved({"clip_g": torch.nn.Parameter(bg), "clip_l": torch.nn.Parameter(bl)}),
        "first.safetensors": save_safetensors({"emb_params": vectors("first", 2, L)}),
        "second.safetensors": save_safetensors({"clip_g": vectors("second", 2, G)}),
        "uneven.safetensors": save_safetensors({"clip_l": vectors("uneven", 2, L), "clip_g": vectors("uneven/g", 3, G)}),
        "out.safetensors": save_safetensors({"clip_l": gl, "clip_g": gg, "clip_l_out": gl.clone(), "clip_g_out": gg.clone()}),
    }
    pipe = StableDiffusionXLPipeline(vae=vae, text_encoder=text, tokenizer=bpe, text_encoder_2=text2, tokenizer_2=bpe2, unet=unet("base"), scheduler=scheduler("euler"), add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    prompt_vectors.WORDS = {}
    for stem, both in rows.items():
        prompt_vectors.WORDS[stem] = (len(both[0]), len(bpe))
        for vec, tokenizer, encoder in zip(both, (bpe, bpe2), (text, text2)):
            token = "<cat-toy>" if stem == "toy" else stem
            pipe.load_textual_inversion({token: vec}, token=token, tokenizer=tokenizer, text_encoder=encoder)
    bare = text_vectors.tokenizer(gzip.open(sys.argv[1]).read().decode().split("\n")[1:48895])
    print("/* sdxl_embeddings.h: written by oracle/sdxl_embeddings.py with diffusers; do not edit. */")
    print("typedef struct xl_embedding_file { const char *name, *hex; } xl_embedding_file;")
    print("typedef struct xl_embedding_case {\n    const char *style, *prompt, *negative;\n    int n_features, n_pooled;\n"
          "    const float *features, *pooled; /* of prompt and negative: every 13th; every 3rd */\n} xl_embedding_case;")
    print("static const xl_embedding_file xl_embedding_files[] = {")
    for name, data in files.items():
        print(f'  {{"{name}",\n{hexed(data)}}},')
    print("};")
    latents, made = [], []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}
    with torch.no_grad():
        for style, prompt, negative in CASES:
            if style == "plain":
                theirs = pipe.encode_prompt(prompt, None, "cpu", 1, True, negative)
                f, pooled = [theirs[0][0], theirs[1][0]], [theirs[2][0], theirs[3][0]]
                noise = torch.from_numpy(formula("noise", HEIGHT * WIDTH // 16, 2.0).reshape(1, HEIGHT // 8, WIDTH // 8, 4)).permute(0, 3, 1, 2)
                pipe(prompt, negative_prompt=negative, latents=noise, width=WIDTH, height=HEIGHT, num_inference_steps=STEPS, guidance_scale=5, callback_on_step_end=keep, output_type="latent")
            else:
                chunks = {k: getattr(prompt_vectors, k) for k in ("chunks_webui", "chunks_comfy")}
                for k, chunk in chunks.items():
                    setattr(prompt_vectors, k, lambda b, p, n, chunk=chunk: chunk(b, p, n, True))
                f, pooled = features([(Bpe(bare, None), text), (Bpe(bare, "!"), text2)], style, prompt, negative)
                for k, chunk in chunks.items():
                    setattr(prompt_vectors, k, chunk)
            made.append((style, prompt, negative, *(np.concatenate([x.numpy().ravel() for x in y]) for y in (f, pooled))))
    for i, (_, _, _, f, pooled) in enumerate(made):
        print(f"static const float xl_embedding_features_{i}[] = {floats(f[::13])};\nstatic const float xl_embedding_pooled_{i}[] = {floats(pooled[::3])};")
    print("static const xl_embedding_case xl_embedding_cases[] = {")
    for i, (style, prompt, negative, f, pooled) in enumerate(made):
        print(f'    {{"{style}", "{prompt}", "{negative}", {len(f)}, {len(pooled)}, xl_embedding_features_{i}, xl_embedding_pooled_{i}}},')
    print("};")
    print(f"static const float xl_embedding_latents[] = {floats(np.stack(latents))};")
    print([(len(f), len(p)) for _, _, _, f, p in made], [float(np.abs(x).max()) for x in latents], file=sys.stderr)


if __name__ == "__main__":
    main()
