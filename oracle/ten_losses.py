"""Writes tests/vectors/ten_losses.h: the losses of ten steps of training, in double precision.

The networks are those of oracle/networks.py (layer_vectors.py checks them against diffusers), the text encoder is transformers' CLIPTextModel;
weights and batches come from the formula of networks.py.  AdamW, lr 1e-2, betas 0.9 and 0.99, decay 0.01 on tensors of two and more
dimensions, gradient norm limited to 1; flow loss: x = (1 - s) x0 + s n, the network learns n - x0.  Networks that enlarge are told the clean picture, made small and large again.

Two ranks with inner steps (DiLoCo; Douillard et al. 2023): rank r sees batch 2 step + r; after every third step SGD with Nesterov's
momentum 0.9 and rate 0.7 on the mean of what the ranks have moved, from where they set out; AdamW's moments stay each rank's own.

    python oracle/ten_losses.py tests/vectors/ten_losses.h
"""
import copy
import sys

import torch
import torch.nn.functional as F
from transformers import CLIPTextConfig, CLIPTextModel

from layer_vectors import given
from networks import network as build, settings, weight

TINY = "size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 "
TEXT = "text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 "
UNET = "size=4 channels=3 width=4 multipliers=12 blocks=1 groups=2 attention=2 attention_least=2 "
NETWORKS = [
    "dit " + TINY + "time_width=6",
    "dit " + TINY + "conditioning=modulated norm=pre classes=4",
    "mmdit " + TINY + TEXT + "time_width=6",
    "mmdit " + TINY + TEXT + "conditioning=modulated norm=pre text_encoder=clip",
    "mmdit " + TINY + TEXT + "attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip",
    "mmdit " + TINY + TEXT + "attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip dual=1 places=5",
    "mmdit " + TINY + TEXT + "attention=both conditioning=modulated norm=pre text_encoder=clip",
    "uvit " + TINY + "classes=4",
    "ddpm " + UNET,
    "adm " + UNET + "head_width=2 learn_sigma=0 classes=4",
    "ddpm " + UNET + "attention=window attention_most=2 window=2 scale_shift=1 enlarge=2",
    "ddpm size=8 channels=3 width=4 multipliers=12 blocks=2 groups=2 attention=window attention_most=4 attention_least=4 window=4 head_width=2",
    "adm " + UNET + "attention=window attention_most=2 window=2 head_width=2 learn_sigma=0 enlarge=2",
    "hdit size=8 channels=3 patch=1 width=8 levels=2 depth=2 depth_inner=1 window=4 head_width=4 mlp_ratio=2 enlarge=2",
    "hdit size=8 channels=3 patch=1 width=4 levels=3 depth=2 depth_inner=1 window=2 head_width=4 mlp_ratio=2 classes=4",
    "ldm-unet " + UNET + TEXT + "heads=2",
    "ldm-unet " + UNET + TEXT + "attention=window attention_most=2 window=2 heads=1",
    "ldm-unet " + UNET + TEXT + "heads=2 text_encoder=clip",
    "uvit " + TINY + TEXT + "time_mlp=1 text=1 text_encoder=clip",
    "pixart size=4 channels=3 patch=2 width=12 depth=2 heads=2 mlp=12 interpolation=0.5 sides=1 learn_sigma=0 text_length=4 text_width=8",
]
TIMES = torch.tensor([100.0, 700.0])


class Model(torch.nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s, self.denoiser, self.clip = s, build(s), None
        if s.get("text_encoder") == "clip":
            config = CLIPTextConfig(vocab_size=s["text_vocab"], hidden_size=s["text_width"], intermediate_size=4 * s["text_width"], hidden_act="quick_gelu",
                                    num_hidden_layers=s["text_depth"], num_attention_heads=s["text_heads"], max_position_embeddings=s["text_length"],
                                    attn_implementation="eager")
            self.clip = CLIPTextModel(config)

    def named(self):
        """Parameters by Limn's names."""
        for name, p in self.denoiser.named_parameters():
            yield name, p
        if self.clip is not None:
            for name, p in self.clip.named_parameters():
                yield "text_encoder.text_model." + name.removeprefix("text_model."), p

    def forward(self, x, clean):
        s, d = self.s, {}
        if s.get("enlarge"):
            small = F.avg_pool2d(clean.permute(0, 3, 1, 2), s["enlarge"])
            d["condition"] = F.interpolate(small, scale_factor=s["enlarge"], mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
        if s.get("classes"):
            d["label"] = torch.tensor([1, 3])
        if s["family"] == "pixart":
            d["mask"] = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]]).double()
            d["resolution"] = torch.tensor([[512, 768, 512 / 768], [1024, 640, 1.6]]).double()
        if s["family"] in ("mmdit", "ldm-unet", "pixart") or s.get("text"):
            d["features"] = given("features", 2, s["text_length"], s["text_width"])
        if self.clip is not None:
            ids = (torch.arange(2 * s["text_length"]) * 37 + 11).reshape(2, -1) % s["text_vocab"]
            d["features"] = self.clip(input_ids=ids).last_hidden_state
            d["pooled"] = d["features"].flatten(0, 1)[torch.tensor([2, 7])]
        return self.denoiser(image=x, t=TIMES.double(), **d)


class Learner:
    def __init__(self, model):
        self.model, self.s = model, model.s
        self.groups = [[p for _, p in model.named() if (p.dim() > 1) == decays] for decays in (True, False)]
        self.optimizer = torch.optim.AdamW([dict(params=self.groups[0], weight_decay=0.01), dict(params=self.groups[1], weight_decay=0)],
                                           lr=1e-2, betas=(0.9, 0.99))

    def step(self, batch):
        shape = (2, self.s["size"], self.s["size"], self.s["channels"])
        clean, noise = given(f"clean.{batch}", *shape), given(f"noise.{batch}", *shape)
        sigma = (TIMES.double() / 1000).reshape(2, 1, 1, 1)
        loss = ((self.model((1 - sigma) * clean + sigma * noise, clean) - (noise - clean)) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in self.groups for p in group if p.grad is not None], 1.0)
        self.optimizer.step()
        return loss.item()


def start(network):
    model = Model(settings(network))
    with torch.no_grad():
        for name, p in model.named():
            p.copy_(weight(name, p.shape))
    return model.double()


def ten_losses(network):
    learner = Learner(start(network))
    return [learner.step(step) for step in range(10)]


INNER = 3


def inner_losses(network):
    """[2 ranks][10]"""
    together = start(network)
    ranks = [Learner(copy.deepcopy(together)) for _ in range(2)]
    outer = torch.optim.SGD(together.parameters(), lr=0.7, momentum=0.9, nesterov=True)
    losses = [[], []]
    for step in range(10):
        for r, learner in enumerate(ranks):
            losses[r].append(learner.step(2 * step + r))
        if (step + 1) % INNER:
            continue
        with torch.no_grad():
            for p, *own in zip(together.parameters(), *(learner.model.parameters() for learner in ranks)):
                p.grad = sum(p - w for w in own) / len(own)
            outer.step()
            for learner in ranks:
                for p, w in zip(together.parameters(), learner.model.parameters()):
                    w.copy_(p)
    return losses


def main(path):
    torch.set_num_threads(1)
    lines = ["/* ten_losses.h: written by oracle/ten_losses.py; do not edit. */",
             "static const struct ten_losses {", "    const char *settings;", "    double loss[10];", "} ten_losses[] = {"]
    for network in NETWORKS:
        lines.append(f'    {{"{network}",\n     {{{", ".join(f"{x:.10g}" for x in ten_losses(network))}}}}},')
    lines += ["};", "", f"enum {{ INNER_STEPS = {INNER} }};", "static const struct inner_losses {", "    const char *settings;", "    double loss[2][10];",
              "} inner_losses[] = {"]
    for network in (NETWORKS[1], NETWORKS[3]):
        rows = ",\n      ".join("{" + ", ".join(f"{x:.10g}" for x in row) + "}" for row in inner_losses(network))
        lines.append(f'    {{"{network}",\n     {{{rows}}}}},')
    open(path, "w").write("\n".join([*lines, "};"]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
