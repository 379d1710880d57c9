"""digits_score.py: are generated digits the digits that were asked for, and how far are they from real ones?

    limn generate -m models/digits --class K -b 100 -s SEED -o made/K-%03d.png      for each K of 0..9
    python oracle/digits_score.py MNIST made [more folders]

A small CNN learns MNIST for two epochs (its weights are kept beside the first folder and used again).  For every folder: the share
of pictures named K-*.png that it takes for K, and the classifier feature distance: the Frechet distance of the 64 numbers in front
of its last layer to those of the 10,000 test digits.  Beside it stands what as many real training digits get.
"""
import gzip, os, sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

torch.set_num_threads(1)
torch.manual_seed(0)


def idx(path, head):
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=head)


def load(folder, part):
    x = idx(f"{folder}/{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    return torch.from_numpy(x.astype(np.float32) / 255), torch.from_numpy(idx(f"{folder}/{part}-labels-idx1-ubyte.gz", 8).astype(np.int64))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 16, 5, 2, 2), nn.Conv2d(16, 32, 3, 2, 1)
        self.c, self.d = nn.Linear(32 * 49, 64), nn.Linear(64, 10)

    def features(self, x):
        return F.relu(self.c(F.relu(self.b(F.relu(self.a(x)))).flatten(1)))

    def forward(self, x):
        return self.d(self.features(x))


def learn(net, x, y, epochs=2, batch=64):
    steps = epochs * (len(x) // batch)
    opt = torch.optim.Adam(net.parameters(), 2e-3)
    rate = torch.optim.lr_scheduler.LambdaLR(opt, lambda i: 1 - i / steps)
    for _ in range(epochs):
        for ids in torch.randperm(len(x)).split(batch)[:len(x) // batch]:
            opt.zero_grad()
            F.cross_entropy(net(x[ids]), y[ids]).backward()
            opt.step()
            rate.step()


@torch.no_grad()
def features(net, x):
    return torch.cat([net.features(p) for p in x.split(500)])


def frechet(f, g):
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2); the last trace is the sum of roots of eigenvalues of C1^1/2 C2 C1^1/2."""
    f, g = f.double(), g.double()
    c, d = torch.cov(f.T), torch.cov(g.T)
    values, vectors = torch.linalg.eigh(c)
    root = vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ d @ root).clamp(min=0).sqrt().sum()
    return float(((f.mean(0) - g.mean(0)) ** 2).sum() + c.trace() + d.trace() - 2 * cross)


def pictures(folder):
    names = sorted(n for n in os.listdir(folder) if n.endswith(".png"))
    x = np.stack([np.asarray(Image.open(f"{folder}/{n}").convert("L"), np.float32) / 255 for n in names])
    labels = [int(n.split("-")[0]) if n.split("-")[0].isdigit() else -1 for n in names]
    return torch.from_numpy(x)[:, None], torch.tensor(labels)


def main(mnist, folders):
    net, kept = Net(), folders[0].rstrip("/") + ".classifier.pt"
    test_x, test_y = load(mnist, "t10k")
    train_x, train_y = load(mnist, "train")
    if os.path.exists(kept):
        net.load_state_dict(torch.load(kept))
    else:
        learn(net, train_x, train_y)
        torch.save(net.state_dict(), kept)
    with torch.no_grad():
        print(f"classifier: {100 * (net(test_x).argmax(1) == test_y).double().mean():.2f} % of the test set")
    real = features(net, test_x)
    for folder in folders:
        if not os.path.isdir(folder):
            continue
        x, y = pictures(folder)
        f = features(net, x)
        with torch.no_grad():
            right = net.d(f).argmax(1) == y
        n, known = len(x), bool((y >= 0).all())
        share = f"{100 * right.double().mean():.2f} % are the digit asked for, " if known else ""
        print(f"{folder}: {n} pictures, {share}classifier feature distance {frechet(f, real):.2f} ({n} real digits: {frechet(features(net, train_x[:n]), real):.2f})")
        if known:
            print("  by digit: " + " ".join(f"{k}:{100 * right[y == k].double().mean():.0f}" for k in range(10) if (y == k).any()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
