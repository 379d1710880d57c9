"""Writes a file with the names, shapes and size of Stable Diffusion 1.5's checkpoint (CompVis) and random weights: what speed is measured
with where the published weights are not at hand.  Of its pictures nothing can be said.

    python sd15_random.py OUT.safetensors [--tiny]

--tiny divides every width by 16 (and has one transformer layer of text): a few MB, for tests of names.
"""
import sys

import numpy
from safetensors.numpy import save_file

TINY = "--tiny" in sys.argv
CUT = 10 if TINY else 1
WIDTHS = [320 // CUT, 640 // CUT, 1280 // CUT, 1280 // CUT]
TEXT, TEXT_LAYERS, VOCABULARY = (64, 1, 600) if TINY else (768, 12, 49408)
VAE = [32, 64, 128, 128] if TINY else [128, 256, 512, 512]
tensors, random = {}, numpy.random.default_rng(0)


def put(name, *shape, scale=None):
    scale = scale or float(numpy.prod(shape[1:])) ** -0.5
    tensors[name] = (random.standard_normal(shape, dtype=numpy.float32) * scale).astype(numpy.float16)


def norm(name, n):
    tensors[name + ".weight"], tensors[name + ".bias"] = numpy.ones(n, numpy.float16), numpy.zeros(n, numpy.float16)


def layer(name, out, inside, kernel=0, bias=True):
    put(name + ".weight", out, inside, *[kernel] * (2 if kernel else 0))
    if bias:
        put(name + ".bias", out, scale=0.01)


def residual(name, inside, out):
    norm(name + ".in_layers.0", inside)
    layer(name + ".in_layers.2", out, inside, 3)
    layer(name + ".emb_layers.1", out, 4 * WIDTHS[0])
    norm(name + ".out_layers.0", out)
    layer(name + ".out_layers.3", out, out, 3)
    if inside != out:
        layer(name + ".skip_connection", out, inside, 1)


def transformer(name, c):
    norm(name + ".norm", c)
    layer(name + ".proj_in", c, c, 1)
    block = name + ".transformer_blocks.0."
    for attention, width in (("attn1", c), ("attn2", TEXT)):
        layer(block + attention + ".to_q", c, c, bias=False)
        layer(block + attention + ".to_k", c, width, bias=False)
        layer(block + attention + ".to_v", c, width, bias=False)
        layer(block + attention + ".to_out.0", c, c)
    layer(block + "ff.net.0.proj", 8 * c, c)
    layer(block + "ff.net.2", c, 4 * c)
    for i in "123":
        norm(block + "norm" + i, c)
    layer(name + ".proj_out", c, c, 1)


def unet(p):
    layer(p + "time_embed.0", 4 * WIDTHS[0], WIDTHS[0])
    layer(p + "time_embed.2", 4 * WIDTHS[0], 4 * WIDTHS[0])
    layer(p + "input_blocks.0.0", WIDTHS[0], 4, 3)
    c, skips, n = WIDTHS[0], [WIDTHS[0]], 1
    for level, width in enumerate(WIDTHS):
        for _ in range(2):
            residual(f"{p}input_blocks.{n}.0", c, width)
            if level < 3:
                transformer(f"{p}input_blocks.{n}.1", width)
            c, n = width, n + 1
            skips.append(c)
        if level < 3:
            layer(f"{p}input_blocks.{n}.0.op", c, c, 3)
            skips.append(c)
            n += 1
    residual(p + "middle_block.0", c, c)
    transformer(p + "middle_block.1", c)
    residual(p + "middle_block.2", c, c)
    n = 0
    for level in (3, 2, 1, 0):
        for i in range(3):
            residual(f"{p}output_blocks.{n}.0", c + skips.pop(), WIDTHS[level])
            c = WIDTHS[level]
            if level < 3:
                transformer(f"{p}output_blocks.{n}.1", c)
            if level and i == 2:
                layer(f"{p}output_blocks.{n}.{2 if level < 3 else 1}.conv", c, c, 3)
            n += 1
    norm(p + "out.0", c)
    layer(p + "out.2", 4, c, 3)


def vae_block(name, inside, out):
    norm(name + ".norm1", inside)
    layer(name + ".conv1", out, inside, 3)
    norm(name + ".norm2", out)
    layer(name + ".conv2", out, out, 3)
    if inside != out:
        layer(name + ".nin_shortcut", out, inside, 1)


def vae_middle(p, c):
    vae_block(p + "mid.block_1", c, c)
    norm(p + "mid.attn_1.norm", c)
    for part in ("q", "k", "v", "proj_out"):
        layer(p + "mid.attn_1." + part, c, c, 1)
    vae_block(p + "mid.block_2", c, c)


def vae(p):
    c = VAE[0]
    layer(p + "encoder.conv_in", c, 3, 3)
    for level, width in enumerate(VAE):
        for i in range(2):
            vae_block(f"{p}encoder.down.{level}.block.{i}", c, width)
            c = width
        if level < 3:
            layer(f"{p}encoder.down.{level}.downsample.conv", c, c, 3)
    vae_middle(p + "encoder.", c)
    norm(p + "encoder.norm_out", c)
    layer(p + "encoder.conv_out", 8, c, 3)
    layer(p + "decoder.conv_in", c, 4, 3)
    vae_middle(p + "decoder.", c)
    for level in (3, 2, 1, 0):
        for i in range(3):
            vae_block(f"{p}decoder.up.{level}.block.{i}", c, VAE[level])
            c = VAE[level]
        if level:
            layer(f"{p}decoder.up.{level}.upsample.conv", c, c, 3)
    norm(p + "decoder.norm_out", c)
    layer(p + "decoder.conv_out", 3, c, 3)
    layer(p + "quant_conv", 8, 8, 1)
    layer(p + "post_quant_conv", 4, 4, 1)


def text(p):
    put(p + "embeddings.token_embedding.weight", VOCABULARY, TEXT, scale=0.02)
    put(p + "embeddings.position_embedding.weight", 77, TEXT, scale=0.02)
    for i in range(TEXT_LAYERS):
        block = f"{p}encoder.layers.{i}."
        for part in "qkv":
            layer(f"{block}self_attn.{part}_proj", TEXT, TEXT)
        layer(block + "self_attn.out_proj", TEXT, TEXT)
        norm(block + "layer_norm1", TEXT)
        norm(block + "layer_norm2", TEXT)
        layer(block + "mlp.fc1", 4 * TEXT, TEXT)
        layer(block + "mlp.fc2", TEXT, 4 * TEXT)
    norm(p + "final_layer_norm", TEXT)


unet("model.diffusion_model.")
vae("first_stage_model.")
text("cond_stage_model.transformer.text_model.")
tensors["alphas_cumprod"] = numpy.cumprod(1 - numpy.linspace(0.00085 ** 0.5, 0.012 ** 0.5, 1000) ** 2).astype(numpy.float32)
save_file(tensors, sys.argv[1])
print(f"{len(tensors)} tensors, {sum(t.size for t in tensors.values()) / 1e6:.1f} M parameters")
