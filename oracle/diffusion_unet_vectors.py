"""Writes tests/vectors/diffusion_unets.h: what the blocks of tiny diffusion U-Nets give (oracle/diffusion_unets.py), in the form of layers.h.

    python oracle/diffusion_unet_vectors.py tests/vectors/diffusion_unets.h
"""
import sys

import torch

from layer_vectors import given
from networks import fill, network as build, settings

SIZE = "size=8 channels=3 width=8 multipliers=12 blocks=1 groups=4 attention=4 attention_least=4 "
NETWORKS = [
    "ddpm size=8 channels=3 width=8 multipliers=122 blocks=1 groups=4 attention=4 attention_least=4",
    "ddpm " + SIZE + "head_width=4 padding=around time=cos norm_eps=1e-5 classes=5 learn_sigma=1",
    "adm " + SIZE + "head_width=4 classes=5",
    "adm " + SIZE + "head_width=0 heads=2 resize=conv scale_shift=0 learn_sigma=0",
    "ddpm " + SIZE + "attention=window attention_most=4 window=4 head_width=4 scale_shift=1 enlarge=2",
    "ddpm size=16 channels=1 width=4 multipliers=112 blocks=2 groups=2 attention=window attention_most=4 attention_least=4 window=4 shift=1",
    "adm " + SIZE + "attention=window attention_most=4 window=4 head_width=4 enlarge=4",
    "ldm-unet " + SIZE + "heads=2 text_length=6 text_width=12",
    "ldm-unet " + SIZE + "heads=4 depth=2 projection=linear text_length=6 text_width=12",
    "ldm-unet " + SIZE + "attention=window attention_most=4 window=2 heads=2 depth=2 text_length=6 text_width=12",
]


def main(path):
    torch.set_num_threads(1)
    lines = ["/* diffusion_unets.h: written by oracle/diffusion_unet_vectors.py; do not edit.  As layers.h. */", "static const network_vectors unets[] = {"]
    with torch.no_grad():
        for network in NETWORKS:
            s = settings(network)
            model = fill(build(s)).double().eval()
            d = dict(image=given("image", 2, s["size"], s["size"], s["channels"]), t=torch.tensor([100.0, 725.0], dtype=torch.float64))
            if s.get("classes"):
                d["label"] = torch.tensor([3, s["classes"]])
            if s.get("enlarge"):
                d["condition"] = given("condition", 2, s["size"], s["size"], s["channels"])
            if s["family"] == "ldm-unet":
                d["features"] = given("features", 2, s["text_length"], s["text_width"])
            model(**d)
            lines.append(f'    {{"{network}", {len(model.layers)}, {{')
            for scope, y in model.layers.items():
                f = y.reshape(-1)
                n = f.numel()
                values = ", ".join(f"{f[i * (n - 1) // 15].item():.9g}" for i in range(16))
                lines.append(f'        {{"{scope}", {f.mean().item():.10g}, {f.norm().item():.10g},\n         {{{values}}}}},')
            lines.append("    }},")
    open(path, "w").write("\n".join([*lines, "};"]) + "\n")


main(sys.argv[1])
