"""Networks of pictures in PyTorch, for timing: channels last, random weights.

unet(levels)   Ronneberger et al. 2015 with 3x3 convolutions that keep the size, widths 64, 128, ..
ldm-unet, vae  UNet2DConditionModel and AutoencoderKL of diffusers, with the settings of Stable Diffusion 1.5
"""
import torch
import torch.nn.functional as F
from torch import nn


def two(inside, out):
    return nn.Sequential(nn.Conv2d(inside, out, 3, padding=1), nn.ReLU(True), nn.Conv2d(out, out, 3, padding=1), nn.ReLU(True))


class UNet(nn.Module):
    def __init__(self, levels, channels=3, classes=2, width=64, size=512):
        super().__init__()
        self.size, self.channels, self.classes = size, channels, classes
        widths = [width << i for i in range(levels)]
        self.down = nn.ModuleList(two(a, b) for a, b in zip([channels] + widths, widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[-2::-1])
        self.join = nn.ModuleList(two(2 * w, w) for w in widths[-2::-1])
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for up, join, skip in zip(self.up, self.join, skips[-2::-1]):
            x = join(torch.cat([skip, up(x)], 1))
        return self.last(x)

    def loss(self, logits):
        target = (torch.arange(logits.shape[0] * self.size ** 2) * 37 // 11 % self.classes).view(-1, self.size, self.size)
        return F.cross_entropy(logits.float(), target)


class LatentUNet(nn.Module):
    def __init__(self):
        super().__init__()
        from diffusers import UNet2DConditionModel
        self.net = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)

    def forward(self, x, t, text):
        return self.net(x, t, text, return_dict=False)[0]


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        from diffusers import AutoencoderKL
        widths = (128, 256, 512, 512)
        vae = AutoencoderKL(sample_size=512, block_out_channels=widths, layers_per_block=2,
                            down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)
        self.conv, self.decoder = vae.post_quant_conv, vae.decoder

    def forward(self, z):
        return self.decoder(self.conv(z))


def make(mode, name):
    """The network, or None where it is not one of these."""
    if name.split()[0] == "unet":
        net = UNet(5 if "levels=5" in name else 4)
    elif name == "ldm-unet":
        net = LatentUNet()
    elif name == "vae" and mode == "decode":
        net = Decoder()
    else:
        return None
    return net.to(memory_format=torch.channels_last)


def inputs(net, batch):
    def picture(channels, size):
        return torch.randn(batch, channels, size, size).contiguous(memory_format=torch.channels_last)
    if isinstance(net, UNet):
        return (picture(net.channels, net.size),)
    if isinstance(net, Decoder):
        return (picture(4, 64),)
    return picture(4, 64), torch.arange(batch) * 131.0 % 1000, torch.randn(batch, 77, 768)
