"""Writes tests/vectors/networks.h: what small networks put out, block by block, and the losses of ten steps of training.

The networks stand here a second time, in PyTorch, from the papers and the published layer facts; where a published implementation is
installed (diffusers' DiT and SD3, transformers' CLIP), this script first checks that it gives the same numbers with the same weights.

Weights and inputs are no files: number i of a tensor is normal number i of the Philox stream (seed 7, stream 0, sub), where sub is the FNV-1a
hash of a parameter's name (times 0.2), or a small number for an input.  The C test draws the same numbers with limn_random_normal().

    python oracle/network_vectors.py > tests/vectors/networks.h
"""
import math
import sys
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


# ---- numbers ----------------------------------------------------------------------------------------------------------

def philox(counter, key):
    m0, m1, mask = 0xD2511F53, 0xCD9E8D57, 0xFFFFFFFF
    c = [x.astype(np.uint64) for x in counter]
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(m0), c[2] * np.uint64(m1)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0), p1 & np.uint64(mask), (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1), p0 & np.uint64(mask)]
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return c


def normal(sub, n, scale=1.0):
    i = np.arange((n + 3) // 4, dtype=np.uint64)
    zero = np.zeros_like(i)
    w = philox([i & np.uint64(0xFFFFFFFF), zero, zero + np.uint64(sub & 0xFFFFFFFF), zero + np.uint64(sub >> 32)], (7, 0))
    out = np.empty((len(i), 4), np.float32)
    for k in (0, 2):
        r, a = np.sqrt(-2 * np.log((w[k].astype(np.float64) + 1) * 2.0 ** -32)), 2 * math.pi * w[k + 1].astype(np.float64) * 2.0 ** -32
        out[:, k], out[:, k + 1] = r * np.cos(a), r * np.sin(a)
    return torch.from_numpy((out.reshape(-1)[:n] * np.float32(scale)).astype(np.float64))


def name_hash(name):
    h = 14695981039346656037
    for b in name.encode():
        h = ((h ^ b) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return h


class Weights:
    """Parameters by their published names, made when first asked for."""

    def __init__(self):
        self.of = {}

    def __call__(self, name, *shape):
        if name not in self.of:
            self.of[name] = normal(name_hash(name), math.prod(shape), 0.2).reshape(shape).requires_grad_(name != "pos_embed")
        assert self.of[name].shape == shape, name
        return self.of[name]


# ---- layers -----------------------------------------------------------------------------------------------------------

def linear(w, name, x, n):
    return x @ w(name + ".weight", n, x.shape[-1]).T + w(name + ".bias", n)


def layer_norm(w, name, x, eps):
    d = x.shape[-1]
    y = (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, unbiased=False, keepdim=True) + eps)
    return y * w(name + ".weight", d) + w(name + ".bias", d) if name else y


def attention(q, k, v, heads, causal=False):
    b, t, d = q.shape
    q, k, v = (x.reshape(b, x.shape[1], heads, d // heads).transpose(1, 2) for x in (q, k, v))
    s = q @ k.transpose(2, 3) / math.sqrt(d // heads)
    if causal:
        s = s.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), -math.inf)
    return (s.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d)


def self_attention(w, name, x, heads):
    d = x.shape[-1]
    return linear(w, name + ".proj", attention(*linear(w, name + ".qkv", x, 3 * d).chunk(3, 2), heads), d)


def cross_attention(w, name, x, text, heads):
    d = x.shape[-1]
    q, kv = linear(w, name + ".q_linear", x, d), linear(w, name + ".kv_linear", text, 2 * d)
    return linear(w, name + ".proj", attention(q, *kv.chunk(2, 2), heads), d)


def mlp(w, name, x, hidden):
    return linear(w, name + ".fc2", F.gelu(linear(w, name + ".fc1", x, hidden), approximate="tanh"), x.shape[-1])


def modulate(x, shift, scale):
    return layer_norm(None, None, x, 1e-6) * (1 + scale[:, None]) + shift[:, None]


def time_embed(w, t, frequencies, width):
    f = torch.exp(-math.log(10000) * torch.arange(frequencies // 2) / (frequencies // 2))
    a = t[:, None] * f
    h = linear(w, "t_embedder.mlp.0", torch.cat([a.cos(), a.sin()], 1), width)
    return linear(w, "t_embedder.mlp.2", F.silu(h), width)


def clip_text(w, prefix, ids, end, s):
    d, heads = s["text_width"], s["text_heads"]
    p = prefix + "text_model."
    x = w(p + "embeddings.token_embedding.weight", s["text_vocab"], d)[ids] + w(p + "embeddings.position_embedding.weight", s["text_length"], d)
    for i in range(s["text_depth"]):
        n = f"{p}encoder.layers.{i}."
        h = layer_norm(w, n + "layer_norm1", x, 1e-5)
        q, k, v = (linear(w, f"{n}self_attn.{a}_proj", h, d) for a in "qkv")
        x = x + linear(w, n + "self_attn.out_proj", attention(q, k, v, heads, True), d)
        h = linear(w, n + "mlp.fc1", layer_norm(w, n + "layer_norm2", x, 1e-5), 4 * d)
        x = x + linear(w, n + "mlp.fc2", h * torch.sigmoid(1.702 * h), d)
    x = layer_norm(w, p + "final_layer_norm", x, 1e-5)
    return x, x.reshape(-1, d)[end]


# ---- blocks -----------------------------------------------------------------------------------------------------------

def added_block(w, n, s, x, text, t):
    d, heads = s["width"], s["heads"]
    x = x + linear(w, n + "time_proj", t, d)[:, None]
    parts = [("norm1", lambda h: self_attention(w, n + "attn", h, heads)), ("norm2", lambda h: mlp(w, n + "mlp", h, s["mlp"]))]
    if text is not None:
        parts.insert(1, ("norm_cross", lambda h: cross_attention(w, n + "cross_attn", h, text, heads)))
    for norm, f in parts:
        x = layer_norm(w, n + norm, x + f(x), 1e-5) if s["norm"] == "post" else x + f(layer_norm(w, n + norm, x, 1e-5))
    return x


def modulated_block(w, n, s, x, text, c):
    d, heads = s["width"], s["heads"]
    m = linear(w, n + "adaLN_modulation.1", F.silu(c), 6 * d).chunk(6, 1)
    x = x + m[2][:, None] * self_attention(w, n + "attn", modulate(x, m[0], m[1]), heads)
    if text is not None:
        x = x + cross_attention(w, n + "cross_attn", x, text, heads)
    return x + m[5][:, None] * mlp(w, n + "mlp", modulate(x, m[3], m[4]), s["mlp"])


def joint_block(w, n, s, x, context, text, c, last):
    d, heads, both = s["width"], s["heads"], []
    for name, y in (("context_block.", context), ("x_block.", x)):
        k = 2 if last and name == "context_block." else 6
        m = linear(w, n + name + "adaLN_modulation.1", F.silu(c), k * d).chunk(k, 1)
        qkv = list(linear(w, n + name + "attn.qkv", modulate(y, m[0], m[1]), 3 * d).chunk(3, 2))
        for i, norm in enumerate(("ln_q", "ln_k")):
            if s["qk_norm"]:
                h = qkv[i].reshape(*y.shape[:2], heads, d // heads)
                h = h / torch.sqrt((h * h).mean(-1, keepdim=True) + 1e-6) * w(f"{n}{name}attn.{norm}.weight", d // heads)
                qkv[i] = h.reshape(y.shape)
        both.append((m, qkv))
    out = attention(*(torch.cat([both[0][1][i], both[1][1][i]], 1) for i in range(3)), heads)
    parts = out.split([context.shape[1], x.shape[1]], 1)
    result = []
    for (m, _), y, h, name in zip((both[0], both[1]), (context, x), parts, ("context_block.", "x_block.")):
        if len(m) == 2:
            result.append(y)
            continue
        y = y + m[2][:, None] * linear(w, n + name + "attn.proj", h, d)
        if text is not None and name == "x_block.":
            y = y + cross_attention(w, n + name + "cross_attn", y, text, heads)
        result.append(y + m[5][:, None] * mlp(w, n + name + "mlp", modulate(y, m[3], m[4]), s["mlp"]))
    return result[1], result[0]


def network(w, s, image, t, ids, end, label, features, pooled):
    """Output, and the image tokens after every block."""
    b, size, _, channels = image.shape
    p, d, n, modulated = s["patch"], s["width"], size // s["patch"], s["conditioning"] == "modulated"
    weight = w("x_embedder.proj.weight", d, channels, p, p)
    x = F.conv2d(image.permute(0, 3, 1, 2), weight, w("x_embedder.proj.bias", d), stride=p).flatten(2).transpose(1, 2) + w("pos_embed", 1, n * n, d)
    c = time_embed(w, t, 256 if modulated else s["time_width"], d if modulated else s["time_width"])
    text = None
    if s["classes"]:
        c = c + w("y_embedder.embedding_table.weight", s["classes"] + 1, c.shape[1])[label]
    if s["family"] == "mmdit":
        text = features
        if s["text_encoder"] == "clip":
            text, pooled = clip_text(w, "text_encoder.", ids, end, s)
        if modulated:
            c = c + linear(w, "y_embedder.mlp.2", F.silu(linear(w, "y_embedder.mlp.0", pooled, d)), d)
        text = linear(w, "context_embedder", text, d)
    inner, context = [], text
    for i in range(s["depth"]):
        if s["attention"] != "cross":
            x, context = joint_block(w, f"joint_blocks.{i}.", s, x, context, text if s["attention"] == "both" else None, c, i == s["depth"] - 1)
        else:
            x = (modulated_block if modulated else added_block)(w, f"blocks.{i}.", s, x, text, c)
        inner.append(x)
    if modulated:
        x = modulate(x, *linear(w, "final_layer.adaLN_modulation.1", F.silu(c), 2 * d).chunk(2, 1))
    out = channels * (1 + s["learn_sigma"])
    x = linear(w, "final_layer.linear", x, p * p * out)
    return x.reshape(b, n, n, p, p, out).permute(0, 1, 3, 2, 4, 5).reshape(b, size, size, out), inner


# ---- the published implementations ------------------------------------------------------------------------------------

def check(what, ours, theirs, limit=1e-9):
    worst = (ours - theirs).abs().max().item()
    print(f"{what}: largest difference {worst:.2g}", file=sys.stderr)
    assert worst < limit, what


def load(model, weights):
    state = {k: v for k, v in model.state_dict().items()}
    for k, v in weights.items():
        assert state[k].numel() == v.numel(), (k, state[k].shape, v.shape)
        state[k] = v.detach().reshape(state[k].shape).clone()
    model.load_state_dict(state)
    return model.double().eval()


def check_clip():
    from transformers import CLIPTextConfig, CLIPTextModel
    s = settings("mmdit " + SMALL + TEXT + "text_depth=2")
    w, ids, end = Weights(), batch(s)["ids"], batch(s)["end"]
    ours, pooled = clip_text(w, "", ids, end, s)
    config = CLIPTextConfig(vocab_size=514, hidden_size=8, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=4,
                            hidden_act="quick_gelu", attn_implementation="eager", eos_token_id=513, bos_token_id=512, pad_token_id=0)
    model = CLIPTextModel(config)
    names = model.state_dict().keys()
    strip = not any(k.startswith("text_model.") for k in names)
    model = load(model, {(k[len("text_model."):] if strip else k): v for k, v in w.of.items()})
    check("CLIP beside transformers", ours, model(input_ids=ids).last_hidden_state, 1e-7)  # its softmax is in f32


def split_qkv(source, target, prefix, parts):
    for kind in ("weight", "bias"):
        for part, value in zip(parts, source.pop(f"{prefix}.{kind}").detach().chunk(3, 0)):
            target[f"{part}.{kind}"] = value


def check_dit():
    from diffusers import DiTTransformer2DModel
    s = settings("dit " + SMALL.replace("mlp=12", "mlp=32") + "conditioning=modulated norm=pre classes=4 learn_sigma=1")
    w, x = Weights(), batch(s)
    ours, _ = network(w, s, **x)
    model = DiTTransformer2DModel(num_attention_heads=2, attention_head_dim=4, in_channels=3, out_channels=6, num_layers=2, sample_size=4, patch_size=2,
                                  num_embeds_ada_norm=4, norm_type="ada_norm_zero", activation_fn="gelu-approximate", norm_eps=1e-6)
    of, to = dict(w.of), {}
    for i in range(2):
        b, t = f"blocks.{i}.", f"transformer_blocks.{i}."
        split_qkv(of, to, b + "attn.qkv", [f"{t}attn1.to_{a}" for a in "qkv"])
        for kind in ("weight", "bias"):
            for a, c in (("attn.proj", "attn1.to_out.0"), ("mlp.fc1", "ff.net.0.proj"), ("mlp.fc2", "ff.net.2"), ("adaLN_modulation.1", "norm1.linear")):
                to[f"{t}{c}.{kind}"] = of.pop(f"{b}{a}.{kind}")
            for a, c in (("mlp.0", "linear_1"), ("mlp.2", "linear_2")):
                to[f"{t}norm1.emb.timestep_embedder.{c}.{kind}"] = of[f"t_embedder.{a}.{kind}"]
        to[f"{t}norm1.emb.class_embedder.embedding_table.weight"] = of["y_embedder.embedding_table.weight"]
    for kind in ("weight", "bias"):
        for a, c in (("x_embedder.proj", "pos_embed.proj"), ("final_layer.adaLN_modulation.1", "proj_out_1"), ("final_layer.linear", "proj_out_2")):
            to[f"{c}.{kind}"] = of[f"{a}.{kind}"]
    model = load(model, to)
    model.pos_embed.pos_embed = of["pos_embed"]
    for block in model.transformer_blocks:  # diffusers divides by half - 1 here, DiT's own repository by half
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    theirs = model(x["image"].permute(0, 3, 1, 2), timestep=x["t"], class_labels=x["label"]).sample
    check("DiT beside diffusers", ours, theirs.permute(0, 2, 3, 1), 2e-5)  # diffusers takes the sinusoids in f32


def check_sd3(qk_norm):
    from diffusers import SD3Transformer2DModel
    s = settings("mmdit " + SMALL.replace("mlp=12", "mlp=32") + TEXT + f"attention=joint conditioning=modulated norm=pre qk_norm={int(qk_norm)}")
    w, x = Weights(), batch(s)
    ours, _ = network(w, s, **x)
    model = SD3Transformer2DModel(sample_size=4, patch_size=2, in_channels=3, out_channels=3, num_layers=2, attention_head_dim=4, num_attention_heads=2,
                                  joint_attention_dim=8, caption_projection_dim=8, pooled_projection_dim=8, pos_embed_max_size=2,
                                  qk_norm="rms_norm" if qk_norm else None)
    of, to = dict(w.of), {}
    for i in range(2):
        b, t = f"joint_blocks.{i}.", f"transformer_blocks.{i}."
        rows = [("x_block", ["to_q", "to_k", "to_v"], "to_out.0", "ff", "norm1", ("norm_q", "norm_k")),
                ("context_block", ["add_q_proj", "add_k_proj", "add_v_proj"], "to_add_out", "ff_context", "norm1_context", ("norm_added_q", "norm_added_k"))]
        for side, qkv, out, ff, norm, qk in rows:
            split_qkv(of, to, f"{b}{side}.attn.qkv", [f"{t}attn.{a}" for a in qkv])
            if qk_norm:
                for a, c in zip(("ln_q", "ln_k"), qk):
                    to[f"{t}attn.{c}.weight"] = of[f"{b}{side}.attn.{a}.weight"]
            for kind in ("weight", "bias"):
                ada = of[f"{b}{side}.adaLN_modulation.1.{kind}"]
                if side == "context_block" and i == 1:  # AdaLayerNormContinuous: scale before shift
                    to[f"{t}{norm}.linear.{kind}"] = torch.cat(ada.chunk(2, 0)[::-1], 0)
                    continue
                to[f"{t}{norm}.linear.{kind}"] = ada
                to[f"{t}attn.{out}.{kind}"] = of[f"{b}{side}.attn.proj.{kind}"]
                to[f"{t}{ff}.net.0.proj.{kind}"] = of[f"{b}{side}.mlp.fc1.{kind}"]
                to[f"{t}{ff}.net.2.{kind}"] = of[f"{b}{side}.mlp.fc2.{kind}"]
    for kind in ("weight", "bias"):
        for a, c in (("x_embedder.proj", "pos_embed.proj"), ("context_embedder", "context_embedder"), ("final_layer.linear", "proj_out"),
                     ("t_embedder.mlp.0", "time_text_embed.timestep_embedder.linear_1"), ("t_embedder.mlp.2", "time_text_embed.timestep_embedder.linear_2"),
                     ("y_embedder.mlp.0", "time_text_embed.text_embedder.linear_1"), ("y_embedder.mlp.2", "time_text_embed.text_embedder.linear_2")):
            to[f"{c}.{kind}"] = of[f"{a}.{kind}"]
        to[f"norm_out.linear.{kind}"] = torch.cat(of[f"final_layer.adaLN_modulation.1.{kind}"].chunk(2, 0)[::-1], 0)
    model = load(model, to)
    model.pos_embed.pos_embed = of["pos_embed"].detach()
    theirs = model(x["image"].permute(0, 3, 1, 2), encoder_hidden_states=x["features"], pooled_projections=x["pooled"], timestep=x["t"]).sample
    check(f"joint MMDiT beside diffusers' SD3, qk_norm {qk_norm}", ours, theirs.permute(0, 2, 3, 1), 2e-5)


# ---- vectors ----------------------------------------------------------------------------------------------------------

SMALL = "size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 "
TEXT = "text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 "
NETWORKS = [
    "dit " + SMALL + "time_width=6",
    "dit " + SMALL + "time_width=6 norm=pre",
    "dit " + SMALL + "conditioning=modulated norm=pre classes=4 learn_sigma=1",
    "mmdit " + SMALL + TEXT + "time_width=6",
    "mmdit " + SMALL + TEXT + "time_width=6 norm=pre",
    "mmdit " + SMALL + TEXT + "conditioning=modulated norm=pre text_encoder=clip",
    "mmdit " + SMALL + TEXT + "attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip",
    "mmdit " + SMALL + TEXT + "attention=joint conditioning=modulated norm=pre",
    "mmdit " + SMALL + TEXT + "attention=both conditioning=modulated norm=pre text_encoder=clip",
]


def settings(text):
    s = dict(family=text.split()[0], norm="post", conditioning="added", attention="cross", classes=0, learn_sigma=0, qk_norm=0, text_encoder="none")
    for one in text.split()[1:]:
        k, v = one.split("=")
        s[k] = int(v) if v.isdigit() else v
    return s


def batch(s, step=0):
    n = 2 * s["size"] ** 2 * s["channels"]
    text = s.get("text_length", 4), s.get("text_width", 8)
    return dict(image=normal(1000 + step, n).reshape(2, s["size"], s["size"], s["channels"]), t=torch.tensor([100.0, 700.0]),
                ids=(torch.arange(2 * text[0]) * 37 + 11).reshape(2, -1) % 514, end=torch.tensor([2, 7]), label=torch.tensor([1, 3]),
                features=normal(3, 2 * text[0] * text[1]).reshape(2, *text), pooled=normal(4, 2 * text[1]).reshape(2, -1))


def ten_losses(s):
    w = Weights()
    network(w, s, **batch(s))
    parameters = {k: v for k, v in w.of.items() if v.requires_grad}
    decayed = [v for k, v in parameters.items() if v.dim() > 1]
    optimizer = torch.optim.AdamW([dict(params=decayed, weight_decay=0.01), dict(params=[v for v in parameters.values() if v.dim() == 1], weight_decay=0)],
                                  lr=1e-2, betas=(0.9, 0.99), eps=1e-8)
    losses = []
    for step in range(10):
        out, _ = network(w, s, **batch(s, step))
        loss = ((out - normal(2000 + step, out.numel()).reshape(out.shape)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([v for v in parameters.values() if v.grad is not None], 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def numbers(x):
    return "{" + ", ".join(f"{v:.12g}" for v in x) + "}"


def main():
    check_clip()
    check_dit()
    check_sd3(True)
    check_sd3(False)
    print("/* networks.h: written by oracle/network_vectors.py; see there how weights and inputs are made. */")
    print("static const struct network_vector {\n    const char *settings;\n    double block[2][10]; /* after each block: mean, root mean square, the first 8 numbers */")
    print("    double output[10];   /* likewise */\n    double loss[10];     /* of ten steps of AdamW */\n} network_vectors[] = {")
    for text in NETWORKS:
        s = settings(text)
        with torch.no_grad():
            out, inner = network(Weights(), s, **batch(s))
        rows = [[x.mean(), (x * x).mean().sqrt(), *x.flatten()[:8]] for x in (*inner, out)]
        print(f'    {{"{text}",\n     {{{numbers(rows[0])},\n      {numbers(rows[1])}}},\n     {numbers(rows[2])},\n     {numbers(ten_losses(s))}}},')
    print("};")


main()
