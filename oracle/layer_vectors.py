"""Writes tests/vectors/layers.h: what tiny networks give, layer by layer, in double precision.

Every network is computed by the module of oracle/networks.py; DiT, SD3 and CLIP also by diffusers and transformers from the same weights
through the published name maps, and the script stops when the two differ by more than 1e-12 (1e-7 with qk_norm: diffusers takes that mean of squares in f32).
Two facts of diffusers that are no property of the weights are set to the original's: DiT's timestep frequencies (diffusers divides by
half - 1, the authors by half) and the epsilon of DiT's second norm (1e-5 by default, the authors' is 1e-6).

    python oracle/layer_vectors.py tests/vectors/layers.h
"""
import sys

import torch
from diffusers import DiTTransformer2DModel, SD3Transformer2DModel
from transformers import CLIPTextConfig, CLIPTextModel

from networks import fill, formula, network as build, settings, timestep_sinusoids, weight

TINY = "size=8 channels=4 patch=2 width=32 depth=3 heads=4 mlp=128 "
TEXT = "text_length=6 text_width=24 text_heads=4 "
NETWORKS = [
    "dit " + TINY + "time_width=24",
    "dit " + TINY + "time_width=24 norm=pre classes=5",
    "dit " + TINY + "conditioning=modulated norm=pre classes=10 learn_sigma=1",
    "mmdit " + TINY + TEXT + "time_width=24",
    "mmdit " + TINY + TEXT + "time_width=24 norm=pre",
    "mmdit " + TINY + TEXT + "conditioning=modulated norm=pre",
    "mmdit " + TINY + TEXT + "attention=joint conditioning=modulated norm=pre pooled_width=20",
    "mmdit " + TINY + TEXT + "attention=joint conditioning=modulated norm=pre pooled_width=20 qk_norm=1",
    "mmdit " + TINY + TEXT + "attention=joint conditioning=modulated norm=pre pooled_width=20 qk_norm=1 dual=2 places=7",
    "mmdit " + TINY + TEXT + "attention=both conditioning=modulated norm=pre qk_norm=1",
    "mmdit " + TINY + TEXT + "attention=both conditioning=modulated norm=pre dual=3 places=4",
    "uvit " + TINY.replace("depth=3", "depth=4") + "classes=10",
    "uvit " + TINY.replace("depth=3", "depth=2") + TEXT + "text=1 time_mlp=1 final_conv=0",
    "hdit size=16 channels=3 patch=2 width=16 levels=2 depth=2 depth_inner=1 window=4 head_width=8 mlp_ratio=2 enlarge=4",
    "hdit size=16 channels=1 patch=1 width=8 levels=3 depth=2 depth_inner=1 window=4 head_width=4 mlp_ratio=1 classes=10 learn_sigma=1",
    "clip-text text_length=7 text_width=32 text_depth=3 text_heads=4 text_vocab=600",
    "clip-text text_length=7 text_width=32 text_depth=3 text_heads=4 text_vocab=600 text_activation=gelu",
]
BATCH, TIMES = 2, [100.0, 725.0]


class Sinusoids(torch.nn.Module):
    def forward(self, t):
        return timestep_sinusoids(t, 256)


def given(name, *shape):
    n = 1
    for k in shape:
        n *= k
    return torch.from_numpy(formula("input." + name, n, 1.0)).double().reshape(shape)


def inputs(s):
    d = {"image": given("image", BATCH, s["size"], s["size"], s["channels"]), "t": torch.tensor(TIMES).double()}
    if s.get("classes"):
        d["label"] = torch.tensor([3, s["classes"]])
    if s.get("enlarge"):
        d["condition"] = given("condition", BATCH, s["size"], s["size"], s["channels"])
    if s["family"] == "mmdit" or s.get("text"):
        d["features"] = given("features", BATCH, s["text_length"], s["text_width"])
        if s.get("conditioning") == "modulated":
            d["pooled"] = given("pooled", BATCH, s.get("pooled_width") or s["text_width"])
    return d


def thirds(w, names):
    return dict(zip(names, w.chunk(3, 0)))


def diffusers_dit(sd, s):
    """Our names -> diffusers' (their scripts/convert_dit_to_diffusers.py)."""
    o = {"pos_embed.proj." + k: sd["x_embedder.proj." + k] for k in ("weight", "bias")}
    for k in ("weight", "bias"):
        o["proj_out_1." + k] = sd["final_layer.adaLN_modulation.1." + k]
        o["proj_out_2." + k] = sd["final_layer.linear." + k]
        for i in range(s["depth"]):
            p, q = f"transformer_blocks.{i}.", f"blocks.{i}."
            o[p + "norm1.linear." + k] = sd[q + "adaLN_modulation.1." + k]
            o[p + "norm1.emb.timestep_embedder.linear_1." + k] = sd["t_embedder.mlp.0." + k]
            o[p + "norm1.emb.timestep_embedder.linear_2." + k] = sd["t_embedder.mlp.2." + k]
            o.update(thirds(sd[q + "attn.qkv." + k], [p + f"attn1.to_{x}." + k for x in "qkv"]))
            o[p + "attn1.to_out.0." + k] = sd[q + "attn.proj." + k]
            o[p + "ff.net.0.proj." + k], o[p + "ff.net.2." + k] = sd[q + "mlp.fc1." + k], sd[q + "mlp.fc2." + k]
            o[p + "norm1.emb.class_embedder.embedding_table.weight"] = sd["y_embedder.embedding_table.weight"]
    return o


def swap(w):
    a, b = w.chunk(2, 0)
    return torch.cat([b, a], 0)


def diffusers_sd3(sd, s):
    """scripts/convert_sd3_to_diffusers.py; modulations that become AdaLayerNormContinuous are (scale, shift) there."""
    o = {"pos_embed.pos_embed": sd["pos_embed"]}
    for k in ("weight", "bias"):
        o["pos_embed.proj." + k], o["context_embedder." + k] = sd["x_embedder.proj." + k], sd["context_embedder." + k]
        for i in (1, 2):
            o[f"time_text_embed.timestep_embedder.linear_{i}." + k] = sd[f"t_embedder.mlp.{2 * i - 2}." + k]
            o[f"time_text_embed.text_embedder.linear_{i}." + k] = sd[f"y_embedder.mlp.{2 * i - 2}." + k]
        o["norm_out.linear." + k], o["proj_out." + k] = swap(sd["final_layer.adaLN_modulation.1." + k]), sd["final_layer.linear." + k]
        for i in range(s["depth"]):
            last = i == s["depth"] - 1
            p, x, c = f"transformer_blocks.{i}.", f"joint_blocks.{i}.x_block.", f"joint_blocks.{i}.context_block."
            m = sd[c + "adaLN_modulation.1." + k]
            o[p + "norm1.linear." + k], o[p + "norm1_context.linear." + k] = sd[x + "adaLN_modulation.1." + k], swap(m) if last else m
            o.update(thirds(sd[x + "attn.qkv." + k], [p + f"attn.to_{a}." + k for a in "qkv"]))
            o.update(thirds(sd[c + "attn.qkv." + k], [p + f"attn.add_{a}_proj." + k for a in "qkv"]))
            o[p + "attn.to_out.0." + k] = sd[x + "attn.proj." + k]
            o[p + "ff.net.0.proj." + k], o[p + "ff.net.2." + k] = sd[x + "mlp.fc1." + k], sd[x + "mlp.fc2." + k]
            if not last:
                o[p + "attn.to_add_out." + k] = sd[c + "attn.proj." + k]
                o[p + "ff_context.net.0.proj." + k], o[p + "ff_context.net.2." + k] = sd[c + "mlp.fc1." + k], sd[c + "mlp.fc2." + k]
            if i < s.get("dual", 0):
                o.update(thirds(sd[x + "attn2.qkv." + k], [p + f"attn2.to_{a}." + k for a in "qkv"]))
                o[p + "attn2.to_out.0." + k] = sd[x + "attn2.proj." + k]
                if s.get("qk_norm"):
                    o[p + "attn2.norm_q.weight"], o[p + "attn2.norm_k.weight"] = sd[x + "attn2.ln_q.weight"], sd[x + "attn2.ln_k.weight"]
            if s.get("qk_norm"):
                o[p + "attn.norm_q.weight"], o[p + "attn.norm_k.weight"] = sd[x + "attn.ln_q.weight"], sd[x + "attn.ln_k.weight"]
                o[p + "attn.norm_added_q.weight"], o[p + "attn.norm_added_k.weight"] = sd[c + "attn.ln_q.weight"], sd[c + "attn.ln_k.weight"]
    return o


def check_diffusers(s, sd, d, y):
    common = dict(num_attention_heads=s["heads"], attention_head_dim=s["width"] // s["heads"], in_channels=s["channels"], num_layers=s["depth"],
                  sample_size=s["size"], patch_size=s["patch"], out_channels=y.shape[-1])
    x = d["image"].permute(0, 3, 1, 2)
    if s["family"] == "dit":
        m = DiTTransformer2DModel(num_embeds_ada_norm=s["classes"], norm_eps=1e-6, **common).double().eval()
        m.load_state_dict(diffusers_dit(sd, s), strict=True)
        for b in m.transformer_blocks:
            b.norm1.emb.time_proj = Sinusoids()
        z = m(x, d["t"], d["label"]).sample
    else:
        m = SD3Transformer2DModel(joint_attention_dim=s["text_width"], caption_projection_dim=s["width"], pooled_projection_dim=s["pooled_width"],
                                  pos_embed_max_size=s.get("places") or s["size"] // s["patch"], qk_norm="rms_norm" if s.get("qk_norm") else None,
                                  dual_attention_layers=tuple(range(s.get("dual", 0))), **common).double().eval()
        m.load_state_dict(diffusers_sd3(sd, s), strict=True)
        m.time_text_embed.time_proj = Sinusoids()
        z = m(x, d["features"], d["pooled"], d["t"]).sample
    apart = (z.permute(0, 2, 3, 1) - y).abs().max().item() / y.abs().max().item()
    print("diffusers", type(m).__name__, "is", apart, "away")
    assert apart < (1e-7 if s.get("qk_norm") else 1e-12)


def clip_layers(s):
    config = CLIPTextConfig(vocab_size=s["text_vocab"], hidden_size=s["text_width"], intermediate_size=4 * s["text_width"],
                            num_hidden_layers=s["text_depth"], num_attention_heads=s["text_heads"], max_position_embeddings=s["text_length"],
                            hidden_act=s.get("text_activation", "quick_gelu"), eos_token_id=s["text_vocab"] - 1, bos_token_id=s["text_vocab"] - 2,
                            pad_token_id=s["text_vocab"] - 1, attn_implementation="eager")
    m = CLIPTextModel(config).eval()
    with torch.no_grad():
        for name, t in m.state_dict().items():
            if "position_ids" not in name:
                published = name if name.startswith("text_model.") else "text_model." + name
                t.copy_(weight(published, t.shape))
    m = m.double()
    v = s["text_vocab"]
    ids = torch.tensor([[v - 2, 5, 77, 301, v - 1, v - 1, v - 1], [v - 2, 9, v - 1, v - 1, v - 1, v - 1, v - 1]])
    got = {}
    body = getattr(m, "text_model", m)
    for i, layer in enumerate(body.encoder.layers):
        layer.register_forward_hook(lambda _, __, y, i=i: got.__setitem__(f"text_model.encoder.layers.{i}", y[0] if isinstance(y, tuple) else y))
    out = m(input_ids=ids)
    got["text_model.final_layer_norm"], got["pooled"] = out.last_hidden_state, out.pooler_output
    return got


def rows(network):
    s = settings(network)
    if s["family"] == "clip-text":
        return clip_layers(s)
    model, d = fill(build(s)).double().eval(), inputs(s)
    y = model(**d)
    if s.get("conditioning") == "modulated" and (s["family"] == "dit" or s.get("attention") == "joint"):
        check_diffusers(s, model.state_dict(), d, y)
    return model.layers


def main(path):
    torch.set_num_threads(1)
    lines = ["/* layers.h: written by oracle/layer_vectors.py; do not edit.  Per layer: mean, Euclidean norm, and 16 values at i (n - 1) / 15. */",
             "typedef struct network_layer {", "    const char *scope;", "    double mean, norm, value[16];", "} network_layer;", "",
             "typedef struct network_vectors {", "    const char *settings;", "    int n;", "    network_layer layer[16];", "} network_vectors;", "",
             "static const network_vectors published[] = {"]
    with torch.no_grad():
        for network in NETWORKS:
            layers = rows(network)
            lines.append(f'    {{"{network}", {len(layers)}, {{')
            for scope, y in layers.items():
                f = y.reshape(-1)
                n = f.numel()
                values = ", ".join(f"{f[i * (n - 1) // 15].item():.9g}" for i in range(16))
                lines.append(f'        {{"{scope}", {f.mean().item():.10g}, {f.norm().item():.10g},\n         {{{values}}}}},')
            lines.append("    }},")
    lines.append("};")
    open(path, "w").write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
