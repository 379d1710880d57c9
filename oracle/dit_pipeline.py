"""Writes tests/vectors/dit.h: pictures of classes by a shrunken DiT, as diffusers' DiTPipeline draws them and as the authors' sample.py does.

usage: dit_pipeline.py > tests/vectors/dit.h        (torch, diffusers 0.42)
       dit_pipeline.py FOLDER                       the pipeline as diffusers saves it, and beside it DiT.pt as the authors' training saves it

Weights are the formula of networks.py; a matrix is scaled by the power of two next to its fan-in, so that class, guidance and time matter.  The
authors' network is diffusers' with two facts set right that are no property of the weights (layer_vectors.py): frequencies of the timesteps and the
epsilon of the second norm.  Their guidance is of three channels, and their sampler is stated here once more, after improved diffusion's
respace.py and gaussian_diffusion.py: the steps of a respaced process, whose variance the network learned.
"""
import sys

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DiTPipeline, DiTTransformer2DModel, DPMSolverMultistepScheduler
from diffusers.schedulers import scheduling_ddpm

from layer_vectors import Sinusoids
from networks import formula
from sd_pipeline import floats, hexed, shrunken_vae

SIZE, WIDTH, DEPTH, HEADS, CLASSES = 8, 384, 2, 6, 1000
BETAS = dict(num_train_timesteps=1000, beta_start=0.0001, beta_end=0.02, beta_schedule="linear")
LABELS = {0: "tench, Tinca tinca", 134: "crane", 207: "golden retriever", 264: "Cardigan, Cardigan Welsh corgi", 474: "cardigan", 517: "crane"}
FIRST = "transformer_blocks.0.norm1.emb."
CASES = [  # whose, sampler, label, guidance, steps, seed, side of the latent
    ("diffusers", "ddim", 207, 4, 4, 7, SIZE),
    ("diffusers", "dpm", 3, 1, 4, 8, SIZE),
    ("diffusers", "ddpm", 980, 2.5, 3, 9, SIZE),
    ("diffusers", "ddim", 999, 4, 2, 10, 12),
    ("authors", "ddpm", 207, 4, 5, 11, SIZE),
    ("authors", "ddpm", 3, 1, 3, 12, SIZE),
    ("authors", "dpm", 207, 4, 4, 13, SIZE),
]


def value_name(name):
    """The embedders of time and class are copied into each block."""
    return FIRST + name.split(".emb.")[1] if ".emb." in name else name


def weight(name, shape):
    name, fan, k = value_name(name), int(np.prod(shape[1:])), 0
    while 3 * 4**k < fan:
        k += 1
    more = 1 if "timestep_embedder" in name or "norm1.linear" in name or "proj_out_1" in name else -3 if "proj_out_2" in name else 0
    scale = 0.5 if "embedding_table" in name else 0.25 if len(shape) == 1 else 2.0 ** (more - k)
    return torch.from_numpy(formula(name, int(np.prod(shape)), scale).reshape(tuple(shape)))


def transformer(**more):
    net = DiTTransformer2DModel(sample_size=SIZE, num_layers=DEPTH, num_attention_heads=HEADS, attention_head_dim=WIDTH // HEADS, in_channels=4,
                                out_channels=8, patch_size=2, num_embeds_ada_norm=CLASSES, **more)
    with torch.no_grad():
        for name, t in net.state_dict().items():
            t.copy_(weight(name, t.shape))
    return net.eval()


def authors_network():
    net = transformer(norm_eps=1e-6)
    for block in net.transformer_blocks:
        block.norm1.emb.time_proj = Sinusoids()
    return net


def original(name):
    """"": it is a copy; q, k and v are one."""
    words = {"pos_embed.proj": "x_embedder.proj", "proj_out_1": "final_layer.adaLN_modulation.1", "proj_out_2": "final_layer.linear",
             FIRST + "timestep_embedder.linear_1": "t_embedder.mlp.0", FIRST + "timestep_embedder.linear_2": "t_embedder.mlp.2",
             FIRST + "class_embedder.embedding_table": "y_embedder.embedding_table"}
    inside = {"norm1.linear": "adaLN_modulation.1", "attn1.to_q": "attn.qkv", "attn1.to_k": "attn.qkv", "attn1.to_v": "attn.qkv", "attn1.to_out.0": "attn.proj",
              "ff.net.0.proj": "mlp.fc1", "ff.net.2": "mlp.fc2"}
    layer, kind = name.rsplit(".", 1)
    if layer in words:
        return f"{words[layer]}.{kind}"
    _, block, rest = layer.split(".", 2)
    return f"blocks.{block}.{inside[rest]}.{kind}" if rest in inside else ""


# ---- diffusers


def scheduler_of(kind):
    ddim = DDIMScheduler(clip_sample=False, set_alpha_to_one=True, **BETAS)
    return {"ddim": ddim, "dpm": DPMSolverMultistepScheduler.from_config(ddim.config), "ddpm": DDPMScheduler(clip_sample=False, **BETAS)}[kind]


def by_diffusers(net, vae, kind, label, guidance, steps, seed, side):
    pipe = DiTPipeline(transformer=net, vae=vae, scheduler=scheduler_of(kind), id2label=LABELS)
    pipe.set_progress_bar_config(disable=True)
    net.register_to_config(sample_size=side)
    generator, latents, step = torch.Generator().manual_seed(seed), [], pipe.scheduler.step
    scheduling_ddpm.randn_tensor = lambda shape, **_: torch.randn((1, *shape[1:]), generator=generator).expand(shape)  # of the pipeline, which hands none on

    def keep(*args, **kwargs):
        out = step(*args, **kwargs)
        latents.append(out.prev_sample[0].permute(1, 2, 0).numpy().copy())
        return out

    pipe.scheduler.step = keep
    picture = pipe(class_labels=[label], guidance_scale=guidance, num_inference_steps=steps, generator=generator, output_type="np").images[0]
    net.register_to_config(sample_size=SIZE)
    return latents, picture


# ---- the authors


def space_timesteps(total, count):
    """respace.py, of one section"""
    stride, at, taken = (total - 1) / (count - 1), 0.0, []
    for _ in range(count):
        taken.append(round(at))
        at += stride
    return taken


def guided(net, x, t, label, scale):
    """models.py, forward_with_cfg(): eps of three channels; what is left is the first half's."""
    if scale == 1:
        return net(x, timestep=torch.tensor([t]), class_labels=torch.tensor([label])).sample[0].double()
    out = net(torch.cat([x, x]), timestep=torch.tensor([t, t]), class_labels=torch.tensor([label, CLASSES])).sample.double()
    cond, uncond = out[:, :3].chunk(2)
    return torch.cat([(uncond + scale * (cond - uncond))[0], out[0, 3:]])


def p_sample_loop(net, label, scale, steps, seed):
    """gaussian_diffusion.py: p_mean_variance() with ModelVarType.LEARNED_RANGE, p_sample()"""
    generator = torch.Generator().manual_seed(seed)
    x, kept = torch.randn(1, 4, SIZE, SIZE, generator=generator), []
    bars = np.cumprod(1 - np.linspace(0.0001, 0.02, 1000))
    times = space_timesteps(1000, steps)
    last, betas = 1.0, []
    for t in times:
        betas.append(1 - bars[t] / last)
        last = bars[t]
    betas = np.array(betas)
    bars = np.cumprod(1 - betas)
    before = np.append(1.0, bars[:-1])
    variance = betas * (1 - before) / (1 - bars)
    log_small = np.log(np.append(variance[1], variance[1:]))
    for i in range(steps)[::-1]:
        out = guided(net, x, times[i], label, scale)
        eps, v = out[:4], out[4:]
        share = (v + 1) / 2
        log_variance = share * np.log(betas[i]) + (1 - share) * log_small[i]
        start = np.sqrt(1 / bars[i]) * x[0].double() - np.sqrt(1 / bars[i] - 1) * eps
        mean = betas[i] * np.sqrt(before[i]) / (1 - bars[i]) * start + (1 - before[i]) * np.sqrt(1 - betas[i]) / (1 - bars[i]) * x[0].double()
        noise = torch.randn(1, 4, SIZE, SIZE, generator=generator)[0].double()
        x = (mean + (i != 0) * torch.exp(0.5 * log_variance) * noise).float()[None]
        kept.append(x[0].permute(1, 2, 0).numpy().copy())
    return kept, x


def by_authors(net, vae, kind, label, guidance, steps, seed):
    if kind == "ddpm":
        latents, x = p_sample_loop(net, label, guidance, steps, seed)
    else:
        scheduler, latents = scheduler_of(kind), []
        scheduler.set_timesteps(steps)
        x = torch.randn(1, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
        for t in scheduler.timesteps:
            x = scheduler.step(guided(net, x, int(t), label, guidance)[None, :4].float(), t, x).prev_sample
            latents.append(x[0].permute(1, 2, 0).numpy().copy())
    picture = vae.decode(x / 0.18215).sample[0]
    return latents, (picture / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()


def save(folder):
    """{"model", "ema", "opt", "args"}, as train.py saves them"""
    import argparse

    from diffusers.models.embeddings import get_2d_sincos_pos_embed

    net = transformer()
    DiTPipeline(transformer=net, vae=shrunken_vae(), scheduler=scheduler_of("ddim"), id2label=LABELS).save_pretrained(folder)
    state = {"pos_embed": get_2d_sincos_pos_embed(WIDTH, SIZE // 2, base_size=SIZE // 2).float()[None]}
    for name, t in net.state_dict().items():
        if original(name):
            state.setdefault(original(name), []).append(t)
    state = {k: torch.cat(v) if isinstance(v, list) else v for k, v in state.items()}
    raw = {k: v + 0.5 for k, v in state.items() if k != "pos_embed"} | {"pos_embed": state["pos_embed"]}
    opt = torch.optim.AdamW([torch.nn.Parameter(torch.ones(3))], lr=1e-4)
    torch.save({"model": raw, "ema": state, "opt": opt.state_dict(), "args": argparse.Namespace(model="DiT-XL/2", image_size=256)}, f"{folder}/DiT.pt")
    torch.save(state, f"{folder}/DiT-bare.pt")


def main():
    torch.set_num_threads(1)
    vae, nets = shrunken_vae(), {"diffusers": transformer(), "authors": authors_network()}
    print("/* dit.h: written by oracle/dit_pipeline.py with diffusers; do not edit. */")
    print("typedef struct dit_case {\n    const char *whose, *sampler;\n    int label;\n    double guidance;\n    int steps, seed, side;\n"
          "    const float *latents; /* after each call [side,side,4] */\n    const char *picture; /* hex of [8 side, 8 side, 3]; NULL: not kept */\n} dit_case;")
    print("/* original \"\": a copy */")
    print("static const sd_tensor dit_tensors[] = {")
    for name, t in nets["diffusers"].state_dict().items():
        print(f'    {{"transformer", "{name}", "{original(name)}", {t.dim()}, {{{", ".join(map(str, list(t.shape) + [0] * (4 - t.dim())))}}}}},')
    print("};\nenum { DIT_CASES = %d };" % len(CASES))
    rows = []
    with torch.no_grad():
        for k, (whose, kind, label, guidance, steps, seed, side) in enumerate(CASES):
            made = by_diffusers(nets[whose], vae, kind, label, guidance, steps, seed, side) if whose == "diffusers" else by_authors(nets[whose], vae, kind, label, guidance, steps, seed)
            latents, picture = made
            keeps = k in (0, 4)
            print(f"static const float dit_latents_{k}[] = {floats(np.stack(latents))};")
            shown = "\n" + hexed((picture * 255).round().astype(np.uint8).ravel().tolist()) if keeps else " NULL"
            rows.append(f'    {{"{whose}", "{kind}", {label}, {guidance}, {steps}, {seed}, {side}, dit_latents_{k},{shown}}},')
            print(k, whose, kind, "latents", [float(np.abs(x).max()) for x in latents], "picture", picture.mean(), picture.std(), file=sys.stderr)
        for whose, net in nets.items():  # what each word changes, in the first output
            x = torch.randn(1, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
            a, b, c, d = (guided(net, x, t, label, s) for t, label, s in ((500, 207, 4), (600, 207, 4), (500, 3, 4), (500, 207, 1)))
            print(whose, "output", float(a[:4].std()), float(a[4:].std()), "time", float((a - b).std() / a.std()), "class", float((a - c).std() / a.std()), "guidance", float((a - d).std() / a.std()), file=sys.stderr)
    print("static const dit_case dit_cases[] = {\n" + "\n".join(rows) + "\n};")


if __name__ == "__main__":
    save(sys.argv[1]) if len(sys.argv) > 1 else main()
