"""Writes tests/vectors/ops.h: inputs, outputs and gradients of ops, computed by PyTorch in double.

usage: op_vectors.py > tests/vectors/ops.h

Inputs are multiples of 1/16 below 2.5, which every float type holds exactly.  A vector has the sources of one node of the graph, its
attributes as C initialisers, the result y, a gradient dy that comes back, and what PyTorch makes of it for each source.
Timestep embeddings come from diffusers, which computes them in float32.
"""
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import get_timestep_embedding

random = torch.Generator().manual_seed(20)


def values(*shape):
    return (torch.randint(-40, 41, shape, generator=random).double() / 16).requires_grad_()


def positive(*shape):
    return (torch.randint(4, 41, shape, generator=random).double() / 16).requires_grad_()


def ids(n, *shape):
    return torch.randint(0, n, shape, generator=random)


def heads(x, n):
    return x.unflatten(-1, (n, -1)).transpose(1, 2)


def attention(q, k, v, n, causal=False, bias=None):
    """bias [m, n or 1, Tq or 1, Tk]: sample i has bias i mod m."""
    mask = None if bias is None else bias.repeat(q.shape[0] // bias.shape[0], 1, 1, 1)
    y = F.scaled_dot_product_attention(heads(q, n), heads(k, n), heads(v, n), attn_mask=mask, is_causal=causal)
    return y.transpose(1, 2).flatten(2)


def number(x):
    return "%.13g" % x


def array(tensor):
    return "(const double[]){" + ",".join(number(x) for x in tensor.detach().flatten().double().tolist()) + "}"


def shape(tensor):
    return "{" + f"{tensor.dim()}, {{{', '.join(map(str, tensor.shape)) or '0'}}}" + "}"


def of_channels(x):
    """Mean and variance of each channel, over pixels and samples."""
    return torch.stack((x.mean((0, 1, 2)), x.var((0, 1, 2), correction=0)))


def of_groups(x):
    """Of two groups of channels in each sample."""
    x = x.unflatten(-1, (2, -1))
    return torch.stack((x.mean((1, 2, 4)), x.var((1, 2, 4), correction=0))).flatten(1)


def norm(name, function, sources, attr, moments):
    """GROUP_NORM is handed x's moments; its gradient counts what x does through them, as PyTorch's does."""
    x, *weights = sources
    vector("GROUP_NORM", name, lambda x, _, *w: function(x, *w), [x, moments(x).detach(), *weights], attr)


def vector(op, name, function, sources, attr="", with_grad=True, single=False):
    y = function(*sources)
    lines = [f"    {{.k = {{.op = LIMN_OP_{op}, .proves = \"PyTorch: {name}\", .n_src = {len(sources)},",
             f"           .src = {{{', '.join(shape(s) for s in sources)}}}{f', .attr = {{{attr}}}' if attr else ''}}},"]
    lines += [f"     .src = {{{', '.join(array(s) for s in sources)}}}", f"     .y = {array(y)}"]
    floats = [s for s in sources if s.requires_grad]
    if with_grad and floats:
        dy = values(*y.shape).detach()
        grads = iter(torch.autograd.grad(y, floats, dy))
        d = [array(next(grads)) if s.requires_grad else "NULL" for s in sources]
        lines += [f"     .dy = {array(dy)}", f"     .dsrc = {{{', '.join(d)}}}"]
    if single:
        lines.append("     .single = true")
    print(lines[0] + "\n" + ",\n".join(lines[1:]).replace("},,", "},") + "},")


def shapes():
    vector("VIEW", "reshape", lambda x: x.reshape(2, 6), [values(3, 4)], ".shape = {2, {2, 6}}")
    vector("PERMUTE", "permute", lambda x: x.permute(2, 0, 1), [values(2, 3, 4)], ".order = {2, 0, 1}")
    vector("SLICE", "narrow", lambda x: x.narrow(1, 2, 3), [values(2, 6, 2)], ".axis = 1, .begin = 2, .shape = {1, {3}}")
    vector("PAD", "pad of the last axis", lambda x: F.pad(x, (1, 2)), [values(3, 4)], ".axis = 1, .begin = 1, .shape = {1, {2}}")
    vector("PAD", "pad of an outer axis", lambda x: F.pad(x, (0, 0, 2, 1)), [values(3, 4)], ".axis = 0, .begin = 2, .shape = {1, {1}}")
    vector("CONCAT", "cat of three parts", lambda *x: torch.cat(x, 1), [values(2, 1, 3), values(2, 4, 3), values(2, 2, 3)], ".axis = 1")
    vector("EXPAND", "expand", lambda x: x.expand(2, 3, 4), [values(3, 1)], ".shape = {3, {2, 3, 4}}")
    vector("SUM_TO", "sum of rows", lambda x: x.sum(0), [values(5, 4)], ".shape = {1, {4}}")
    vector("SUM_TO", "sum of columns", lambda x: x.sum(2, keepdim=True), [values(2, 3, 4)], ".shape = {3, {2, 3, 1}}")
    vector("SUM_TO", "sum of everything", lambda x: x.sum(), [values(3, 4)], ".shape = {0}")


def elementwise():
    vector("ADD", "add, broadcast on both sides", torch.add, [values(3, 1), values(1, 4)])
    vector("SUB", "sub, broadcast right", torch.sub, [values(2, 3, 4), values(4)])
    vector("MUL", "mul, broadcast left", torch.mul, [values(2, 1, 4), values(2, 3, 4)])
    vector("DIV", "div", torch.div, [values(3, 4), positive(3, 4)])
    vector("DIV", "div, broadcast right", torch.div, [values(3, 4), positive(3, 1)])
    vector("AFFINE", "scale and shift", lambda x: 1.5 * x - 0.25, [values(12)], ".scale = 1.5, .shift = -0.25")
    for kind, name, f in (("RELU", "relu", F.relu), ("SILU", "silu", F.silu), ("GELU_TANH", "gelu(tanh)", lambda x: F.gelu(x, approximate="tanh")),
                          ("GELU_ERF", "gelu", F.gelu), ("GELU_QUICK", "x sigmoid(1.702 x)", lambda x: x * torch.sigmoid(1.702 * x)), ("TANH", "tanh", torch.tanh)):
        vector("ACTIVATE", name, f, [values(24)], f".activation = LIMN_{kind}")
    vector("EXP", "exp", torch.exp, [values(12)])
    vector("LOG", "log", torch.log, [positive(12)])
    vector("SQRT", "sqrt", torch.sqrt, [positive(12)])
    vector("SQUARE", "square", torch.square, [values(12)])
    vector("CLAMP", "clamp", lambda x: x.clamp(-0.53, 0.78), [values(24)], ".scale = -0.53, .shift = 0.78")


def layers():
    vector("LINEAR", "linear", F.linear, [values(2, 3, 5), values(4, 5), values(4)], ".flags = LIMN_HAS_BIAS")
    vector("LINEAR", "linear without bias", F.linear, [values(3, 5), values(4, 5)])
    for kind, f in (("RELU", F.relu), ("SILU", F.silu), ("GELU_TANH", lambda x: F.gelu(x, approximate="tanh")), ("GELU_ERF", F.gelu), ("TANH", torch.tanh)):
        vector("LINEAR", f"linear, then {kind.lower()}", lambda x, w, b: f(F.linear(x, w, b)), [values(3, 5), values(4, 5), values(4)],
               f".flags = LIMN_HAS_BIAS, .activation = LIMN_{kind}", with_grad=False)
    vector("LINEAR", "residual + gate linear", lambda x, w, b, g, r: r + g * F.linear(x, w, b),
           [values(2, 3, 5), values(4, 5), values(4), values(2, 1, 4), values(2, 3, 4)], ".flags = LIMN_HAS_BIAS | LIMN_HAS_GATE | LIMN_HAS_RESIDUAL", with_grad=False)
    vector("LAYER_NORM", "layer_norm without weights", lambda x: F.layer_norm(x, (6,), eps=1e-5), [values(3, 6)], ".eps = 1e-5")
    vector("LAYER_NORM", "layer_norm", lambda x, w, b: F.layer_norm(x, (6,), w, b, 1e-6), [values(2, 3, 6), values(6), values(6)], ".eps = 1e-6, .flags = LIMN_HAS_WEIGHT")
    vector("LAYER_NORM", "layer_norm (1 + scale) + shift", lambda x, w, b: F.layer_norm(x, (6,), eps=1e-6) * (1 + w) + b,
           [values(2, 3, 6), values(2, 1, 6), values(2, 1, 6)], ".eps = 1e-6, .flags = LIMN_HAS_WEIGHT, .shift = 1")
    vector("RMS_NORM", "rms_norm without weights", lambda x: F.rms_norm(x, (6,), eps=1e-5), [values(3, 6)], ".eps = 1e-5")
    vector("RMS_NORM", "rms_norm", lambda x, w: F.rms_norm(x, (6,), w, 1e-6), [values(2, 3, 6), values(6)], ".eps = 1e-6, .flags = LIMN_HAS_WEIGHT")
    vector("SOFTMAX", "softmax", lambda x: x.softmax(-1), [values(3, 5)])
    vector("CROSS_ENTROPY", "cross_entropy per row", lambda x, t: F.cross_entropy(x, t, reduction="none"), [values(4, 5), ids(5, 4)])
    vector("GATHER", "embedding with repeated ids", lambda w, i: F.embedding(i, w), [values(4, 3), torch.tensor([[1, 3, 1], [0, 1, 3]])])
    vector("GATHER", "one row", lambda w, i: w[i], [values(4, 3, 2), torch.tensor(2)])
    for name, first in (("cos first", True), ("sin first", False)):
        vector("TIMESTEP_EMBEDDING", f"diffusers, {name}", lambda t: get_timestep_embedding(t, 8, flip_sin_to_cos=first, downscale_freq_shift=0),
               [torch.tensor([0.0, 1.0, 2.5, 7.0])], ".scale = 10000, .shape = {1, {8}}" + (", .flags = LIMN_COS_FIRST" if first else ""), single=True)


def attentions():
    vector("ATTENTION", "scaled_dot_product_attention, more keys than queries", lambda q, k, v: attention(q, k, v, 2),
           [values(2, 3, 6), values(2, 5, 6), values(2, 5, 6)], ".heads = 2")
    vector("ATTENTION", "the same, causal", lambda q, k, v: attention(q, k, v, 1, True), [values(1, 5, 4), values(1, 5, 4), values(1, 5, 4)], ".heads = 1, .causal = true")
    vector("ATTENTION", "q, k, v packed", lambda x: attention(*x.chunk(3, -1), 2), [values(2, 4, 18)], ".heads = 2, .packed = LIMN_PACKED_QKV")
    vector("ATTENTION", "q, k, v packed, causal", lambda x: attention(*x.chunk(3, -1), 2, True), [values(1, 4, 12)], ".heads = 2, .packed = LIMN_PACKED_QKV, .causal = true")
    vector("ATTENTION", "k, v packed", lambda q, x: attention(q, *x.chunk(2, -1), 3), [values(2, 4, 6), values(2, 3, 12)], ".heads = 3, .packed = LIMN_PACKED_KV")


def biased_attentions():
    """Last, so that the values of the others stay."""
    vector("ATTENTION", "attn_mask, one for each of two windows", lambda x, b: attention(*x.chunk(3, -1), 2, bias=b), [values(4, 3, 12), values(2, 2, 3, 3)],
           ".heads = 2, .packed = LIMN_PACKED_QKV, .flags = LIMN_HAS_BIAS")
    vector("ATTENTION", "attn_mask for all samples", lambda q, k, v, b: attention(q, k, v, 1, bias=b), [values(2, 2, 4), values(2, 5, 4), values(2, 5, 4), values(1, 1, 2, 5)],
           ".heads = 1, .flags = LIMN_HAS_BIAS")


def rotations():
    """As Flux multiplies queries and keys by their positions: pairs of channels as complex numbers.  Last, as above."""
    def rotate(x, turns):
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, turns.shape[-1] // 2, 2)))
        return torch.view_as_real(pairs * torch.view_as_complex(turns.unflatten(-1, (-1, 2)))[:, None]).flatten(2)

    vector("ROTATE", "complex product, two heads", rotate, [values(2, 3, 8), values(3, 4).detach()], ".scale = 1")
    vector("ROTATE", "complex product, one pair", rotate, [values(1, 4, 2), values(4, 2).detach()], ".scale = 1")


def shared_biases():
    """Last, as above."""
    vector("ATTENTION", "attn_mask for all heads, of each sample", lambda q, k, v, b: attention(q, k, v, 2, bias=b), [values(2, 2, 4), values(2, 3, 4), values(2, 3, 4), values(2, 1, 2, 3)],
           ".heads = 2, .flags = LIMN_HAS_BIAS")
    vector("ATTENTION", "attn_mask of keys", lambda q, x, b: attention(q, *x.chunk(2, -1), 2, bias=b), [values(4, 3, 4), values(4, 5, 8), values(2, 1, 1, 5)],
           ".heads = 2, .packed = LIMN_PACKED_KV, .flags = LIMN_HAS_BIAS")


def nhwc(f):
    """f of pictures [B,C,H,W], for pictures [B,H,W,C]."""
    return lambda x, *rest: f(x.movedim(-1, 1), *rest).movedim(1, -1)


def pictures():
    pad = ".stride = {0}, .pad = {{{1}, {2}, {3}, {4}}}"
    same, bias = pad.format(1, 1, 1, 1, 1), ", .flags = LIMN_HAS_BIAS"
    vector("CONV", "conv2d 3 x 3", nhwc(lambda x, w, b: F.conv2d(x, w, b, padding=1)), [values(2, 4, 3, 3), values(2, 3, 3, 3), values(2)], same + bias)
    vector("CONV", "conv2d, stride 2, padded below and right", nhwc(lambda x, w: F.conv2d(F.pad(x, (0, 1, 0, 1)), w, stride=2)),
           [values(1, 4, 6, 2), values(3, 2, 3, 3)], pad.format(2, 0, 0, 1, 1))
    vector("CONV", "relu(conv2d + residual)", lambda x, w, b, r: F.relu(nhwc(lambda x, w, b: F.conv2d(x, w, b, padding=1))(x, w, b) + r),
           [values(1, 3, 4, 2), values(2, 2, 3, 3), values(2), values(1, 3, 4, 2)], same + ", .flags = LIMN_HAS_BIAS | LIMN_HAS_RESIDUAL, .activation = LIMN_RELU", with_grad=False)
    vector("CONV", "conv2d of nearest x 2", nhwc(lambda x, w: F.conv2d(F.interpolate(x, scale_factor=2), w, padding=1)), [values(1, 2, 3, 2), values(2, 2, 3, 3)],
           same + ", .flags = LIMN_UPSAMPLED", with_grad=False)
    vector("CONV_TRANSPOSE", "conv_transpose2d 2 x 2", nhwc(lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2)), [values(2, 2, 3, 3), values(3, 2, 2, 2), values(2)],
           pad.format(2, 0, 0, 0, 0) + ", .flags = LIMN_HAS_BIAS, .shape = {2, {4, 6}}")
    vector("CONV_TRANSPOSE", "conv_transpose2d 4 x 4, padding 1", nhwc(lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1)), [values(1, 2, 3, 2), values(2, 2, 4, 4)],
           pad.format(2, 1, 1, 1, 1) + ", .shape = {2, {4, 6}}")
    distinct = torch.randperm(48, generator=random).double().reshape(1, 4, 6, 2).requires_grad_()
    vector("MAX_POOL", "max_pool2d", nhwc(lambda x: F.max_pool2d(x, 2)), [distinct], ".stride = 2")
    vector("AVERAGE_POOL", "avg_pool2d", nhwc(lambda x: F.avg_pool2d(x, 2)), [values(1, 4, 6, 2)], ".stride = 2")
    for mode, name, options in (("NEAREST", "nearest", {"mode": "nearest"}), ("BILINEAR", "bilinear", {"mode": "bilinear", "align_corners": False}),
                                ("BILINEAR_ALIGNED", "bilinear, align_corners", {"mode": "bilinear", "align_corners": True})):
        for size in ((6, 8), (2, 5)):
            vector("RESIZE", f"interpolate {name} to {size[0]} x {size[1]}", nhwc(lambda x: F.interpolate(x, size=size, **options)), [values(1, 3, 4, 2)],
                   f".shape = {{2, {{{size[0]}, {size[1]}}}}}, .resize = LIMN_{mode}")
    groups = ".groups = 2, .eps = 1e-5"
    norm("group_norm without weights", nhwc(lambda x: F.group_norm(x, 2)), [values(2, 2, 3, 4)], groups, of_groups)
    norm("group_norm", nhwc(lambda x, w, b: F.group_norm(x, 2, w, b)), [values(2, 2, 3, 4), values(4), values(4)], groups + ", .flags = LIMN_HAS_WEIGHT", of_groups)
    norm("silu(group_norm w + b), per sample", lambda x, w, b: F.silu(nhwc(lambda x: F.group_norm(x, 2))(x) * w[:, None, None] + b[:, None, None]),
         [values(2, 2, 3, 4), values(2, 4), values(2, 4)], groups + ", .flags = LIMN_HAS_WEIGHT, .activation = LIMN_SILU", of_groups)
    norm("batch_norm, training", nhwc(lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True)), [values(2, 2, 3, 4), values(4), values(4)],
         ".groups = 4, .eps = 1e-5, .flags = LIMN_HAS_WEIGHT | LIMN_OVER_BATCH", of_channels)
    vector("MOMENTS", "var_mean", of_channels, [values(2, 2, 3, 4)], ".groups = 4, .flags = LIMN_OVER_BATCH", with_grad=False)
    vector("MOMENTS", "var_mean of groups", of_groups, [values(2, 2, 3, 4)], groups, with_grad=False)


def ranks():
    """Of a process alone; of several: tests/test_ranks.c."""
    vector("MEAN_OF_RANKS", "mean over one rank", lambda x: torch.stack([x]).mean(0), [values(2, 5)])


print(f"/* Written by oracle/op_vectors.py with PyTorch {torch.__version__.split('+')[0]}; do not edit. */")
print("static const op_vector vectors[] = {")
shapes()
elementwise()
layers()
attentions()
pictures()
biased_attentions()
rotations()
shared_biases()
ranks()
print("};")
