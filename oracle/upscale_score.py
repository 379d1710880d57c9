"""How good is a network that enlarges drawings: those of split "test" on white, made four times smaller (means of 4x4 pixels), enlarged by `limn upscale`
and by a bicubic filter, both beside the truth.  Draws a sheet of every 19th: small, bicubic, limn, truth.

    python oracle/upscale_score.py EMOJI build/limn models/upscale sheet.png
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio as psnr, structural_similarity as ssim

FACTOR, EVERY, SHOWN = 4, 19, 14


def drawings(folder):
    for line in open(folder / "metadata.jsonl"):
        row = json.loads(line)
        if row["split"] == "test":
            picture = Image.open(folder / row["file_name"]).convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            white.alpha_composite(picture)
            yield np.asarray(white.convert("RGB"))


def resized(x, side, how):
    return np.asarray(Image.fromarray(x).resize((side, side), how))


def main(data, limn, model, sheet):
    scores, columns = [], []
    with tempfile.TemporaryDirectory() as folder:
        for i, truth in enumerate(drawings(pathlib.Path(data))):
            side = truth.shape[0] // FACTOR
            small = np.round(truth.reshape(side, FACTOR, side, FACTOR, 3).mean((1, 3))).astype(np.uint8)
            Image.fromarray(small).save(folder + "/small.png")
            command = [limn, "upscale", "-m", model, folder + "/small.png", "-o", folder + "/large.png"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            ways = resized(small, truth.shape[0], Image.BICUBIC), np.asarray(Image.open(folder + "/large.png").convert("RGB"))
            scores.append([psnr(truth, way, data_range=255) for way in ways] + [ssim(truth, way, data_range=255, channel_axis=2) for way in ways])
            if i % EVERY == 0:
                columns.append(np.concatenate([resized(x, 64, Image.NEAREST) for x in (small, *ways, truth)]))
    bicubic, ours, bicubic_ssim, ours_ssim = np.mean(scores, 0)
    print(f"{len(scores)} drawings: PSNR {ours:.2f} dB, bicubic {bicubic:.2f}; SSIM {ours_ssim:.3f}, bicubic {bicubic_ssim:.3f}; "
          f"nearer to the truth than bicubic in {np.mean([s[1] > s[0] for s in scores]):.0%}")
    Image.fromarray(np.concatenate(columns[:SHOWN], 1)).save(sheet)


if __name__ == "__main__":
    main(*sys.argv[1:5])
