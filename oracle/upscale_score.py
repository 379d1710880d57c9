"""How good is a network that enlarges digits: the first MNIST test digits, made four times smaller (means of 4x4 pixels), enlarged by `limn upscale`
and by a bicubic filter, both beside the truth.  Draws a sheet: small, bicubic, limn, truth.

    python oracle/upscale_score.py MNIST build/limn models/upscale 200 sheet.png
"""
import gzip
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio as psnr, structural_similarity as ssim

FACTOR, SHOWN = 4, 16


def digits(folder, n):
    raw = gzip.open(folder + "/t10k-images-idx3-ubyte.gz").read()
    return np.frombuffer(raw, np.uint8, n * 784, 16).reshape(n, 28, 28)


def resized(x, side, how):
    return np.asarray(Image.fromarray(x).resize((side, side), how))


def main(mnist, limn, model, n, sheet):
    scores, columns = [], []
    with tempfile.TemporaryDirectory() as folder:
        for truth in digits(mnist, n):
            small = np.round(truth.reshape(7, FACTOR, 7, FACTOR).mean((1, 3))).astype(np.uint8)
            Image.fromarray(small).save(folder + "/small.png")
            command = [limn, "upscale", "-m", model, folder + "/small.png", "-o", folder + "/large.png", "--precision", "f32", "-t", "1"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            ways = resized(small, 28, Image.BICUBIC), np.asarray(Image.open(folder + "/large.png").convert("L"))
            scores.append([f(truth, way, data_range=255) for f in (psnr, ssim) for way in ways])
            columns.append(np.concatenate([resized(x, 84, Image.NEAREST) for x in (small, *ways, truth)]))
    bicubic, ours, bicubic_ssim, ours_ssim = np.mean(scores, 0)
    print(f"{n} digits: PSNR {ours:.2f} dB, bicubic {bicubic:.2f}; SSIM {ours_ssim:.3f}, bicubic {bicubic_ssim:.3f}; "
          f"nearer to the truth than bicubic in {np.mean([s[1] > s[0] for s in scores]):.0%}")
    Image.fromarray(np.concatenate(columns[:SHOWN], 1)).save(sheet)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
