"""Writes tests/vectors/sd_embeddings.h: textual inversion in diffusers' StableDiffusionPipeline, shrunken as in sd_pipeline.py.

usage: sd_embeddings.py models/tokenizer/clip-49408.txt.gz > tests/vectors/sd_embeddings.h        (torch, diffusers 0.42, transformers 5)

Vectors are numbers of the formula by the file's stem; the files are those of safetensors and torch.save().  Style plain is load_textual_inversion(); a1111 and comfy are
prompt_vectors.py's chunks, with the vectors as rows of the encoder's table, and the weights that A1111 and ComfyUI put into the features.
"""
import gzip
import io
import sys

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save as save_safetensors

import prompt_vectors
import text_vectors
from networks import formula
from sd_pipeline import SCHEDULER, STEPS, floats, hexed, shrunken, shrunken_unet

WIDTH, HEIGHT, D = 48, 32, 64
CASES = [
    ("plain", "a glim house, <cat-toy>, bad-hands-5", "fog, glim"),
    ("a1111", "a (Glim:1.3) house, bad-hands-5 [toy], " + "word " * 66 + "bad-hands-5 end", "fog, (bad-hands-5:0.8), oldform xlform"),
    ("comfy", "a (embedding:glim:1.3) house, embedding:bad-hands-5, " + "word " * 66 + "embedding:bad-hands-5.pt end", "fog (embedding:xlform:0.8)"),
]


def vectors(stem, n, width=D):
    return torch.from_numpy(formula(stem, n * width, 0.5).reshape(n, width))


def saved(what):
    out = io.BytesIO()
    torch.save(what, out)
    return out.getvalue()


def a1111(vec):
    return {"string_to_token": {"*": 265}, "string_to_param": {"*": vec}, "name": "another", "step": 500, "sd_checkpoint": None, "sd_checkpoint_name": None}


def checksum(vec):
    """As modules/textual_inversion has it."""
    r = 0
    for v in (vec.reshape(-1) * 100).tolist():
        r = (r * 281 ^ int(v) * 997) & 0xFFFFFFFF
    return f"{r & 0xffff:04x}"


def main():
    torch.set_num_threads(1)
    bpe, text, vae = shrunken(sys.argv[1])
    plain = len(bpe)
    rows = {"glim": vectors("glim", 2), "toy": vectors("toy", 1), "bad-hands-5": vectors("bad-hands-5", 4), "oldform": vectors("oldform", 1), "xlform": vectors("xlform", 3)}
    files = {
        "glim.safetensors": save_safetensors({"emb_params": rows["glim"]}),
        "toy.bin": saved({"<cat-toy>": rows["toy"][0]}),
        "bad-hands-5.pt": saved(a1111(torch.nn.Parameter(rows["bad-hands-5"]))),
        "oldform.pt": saved({"string_to_token": {"*": 265}, "string_to_param": torch.nn.ParameterDict({"*": rows["oldform"]})}),
        "xlform.safetensors": save_safetensors({"clip_l": rows["xlform"].half().float(), "clip_g": vectors("g", 3, 160)}),
        "wide.safetensors": save_safetensors({"emb_params": vectors("wide", 2, 96)}),
    }
    pipe = StableDiffusionPipeline(vae=vae, text_encoder=text, tokenizer=bpe, unet=shrunken_unet(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
                                   scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **SCHEDULER))
    pipe.set_progress_bar_config(disable=True)
    rows["xlform"] = rows["xlform"].half().float()
    prompt_vectors.WORDS = {}
    for stem, vec in rows.items():
        prompt_vectors.WORDS[stem] = (len(vec), len(bpe))
        pipe.load_textual_inversion({"<cat-toy>" if stem == "toy" else stem: vec}, token="<cat-toy>" if stem == "toy" else stem)
    bare = text_vectors.tokenizer(gzip.open(sys.argv[1]).read().decode().split("\n")[1:48895])  # without the words
    print("/* sd_embeddings.h: written by oracle/sd_embeddings.py with diffusers and numpy; do not edit. */")
    print("typedef struct sd_embedding_file { const char *name, *hex; } sd_embedding_file;")
    print("typedef struct sd_embedding_case { const char *style, *prompt, *negative; int n_features; const float *features; /* every 13th of the prompt's, then of the negative's */ } sd_embedding_case;")
    print("static const sd_embedding_file sd_embedding_files[] = {")
    for name, data in files.items():
        print(f'  {{"{name}",\n{hexed(data)}}},')
    print("};")
    print("static const char *const sd_embedding_checksums[][2] = {" + ", ".join(f'{{"{s}", "{checksum(v)}"}}' for s, v in rows.items()) + "};")
    latents = []

    def keep(pipe, i, t, kwargs):
        latents.append(kwargs["latents"][0].permute(1, 2, 0).numpy().copy())
        return {}
    made = []
    with torch.no_grad():
        for style, prompt, negative in CASES:
            if style == "plain":
                f = [x[0] for x in pipe.encode_prompt(prompt, "cpu", 1, True, negative)]
                noise = torch.from_numpy(formula("noise", HEIGHT * WIDTH // 16, 2.0).reshape(1, HEIGHT // 8, WIDTH // 8, 4)).permute(0, 3, 1, 2)
                pipe(prompt, negative_prompt=negative, latents=noise, width=WIDTH, height=HEIGHT, num_inference_steps=STEPS, guidance_scale=7.5, callback_on_step_end=keep, output_type="np")
            else:
                f = features(text, bare, style, prompt, negative)
            made.append((style, prompt, negative, np.concatenate([x.numpy().ravel() for x in f])))
    for i, (_, _, _, f) in enumerate(made):
        print(f"static const float sd_embedding_features_{i}[] = {floats(f[::13])};")
    print("static const sd_embedding_case sd_embedding_cases[] = {")
    for i, (style, prompt, negative, f) in enumerate(made):
        print(f'    {{"{style}", "{prompt}", "{negative}", {len(f)}, sd_embedding_features_{i}}},')
    print("};")
    print(f"static const float sd_embedding_latents[] = {floats(np.stack(latents))};")
    print(plain, len(bpe), [len(f) for _, _, _, f in made], [float(np.abs(x).max()) for x in latents], file=sys.stderr)


def features(text, bpe, style, prompt, negative):
    """[2][tokens, width]"""
    pieces, chunk = (prompt_vectors.pieces_webui, prompt_vectors.chunks_webui) if style == "a1111" else (prompt_vectors.pieces_comfy, prompt_vectors.chunks_comfy)
    both = [chunk(bpe, pieces(p), 75, True) for p in (prompt, negative)]
    n = max(map(len, both))

    def encode(c):
        return text(torch.tensor([[49406] + [t for t, _ in c] + [49407] * (76 - len(c))])).last_hidden_state[0]
    empty, out = encode([]), []
    for chunks in both:
        z = []
        for c in chunks + [[]] * (n - len(chunks)) if style == "a1111" else chunks * (n // len(chunks)):
            w = torch.ones(77, 1)
            for i, (_, x) in enumerate(c):
                w[i + 1] = x
            h = encode(c)
            z.append(h * w * (h.mean() / (h * w).mean()) if style == "a1111" else (h - empty) * w + empty)
        out.append(torch.cat(z))
    return out


if __name__ == "__main__":
    main()
