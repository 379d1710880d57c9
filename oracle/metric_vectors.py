"""Writes tests/vectors/metrics.h: metrics of small maps and pictures, from scipy and scikit-image.

usage: metric_vectors.py > tests/vectors/metrics.h

Dice and IoU are counted with numpy; Hausdorff distances come from scipy's erosion and distance transform and numpy's percentile; Rand errors from
scikit-image, whose "precision" divides by the pairs of the truth (its table has the truth in rows): they are exchanged here. The warping of
Jain et al. 2010 is written out from the definition of a simple point, components of the 3x3 neighbourhood counted by scipy. Thin lines are
Zhang & Suen 1984 written out for whole pictures at once (scikit-image's skeletonize() removes stairs as well, and is another set of lines).
"""
from collections import deque

import numpy as np
from scipy import ndimage
from skimage.metrics import adapted_rand_error, peak_signal_noise_ratio, structural_similarity

rng = np.random.default_rng(7)
IGNORED = 255
EDGES, ALL = ndimage.generate_binary_structure(2, 1), ndimage.generate_binary_structure(2, 2)

# ---- classes: 4 of 5 appear; class 3 is predicted only, class 4 nowhere


def blobs(h, w, n_classes, sigma):
    return np.stack([ndimage.gaussian_filter(rng.standard_normal((h, w)), sigma) for _ in range(n_classes)]).argmax(0).astype(np.uint8)


H, W, K = 19, 26, 5
truth = blobs(H, W, 3, 2.5)
predicted = np.roll(truth, (1, 2), (0, 1))
predicted[2:5, 20:24] = 1
predicted[15:18, 3:5] = 3
truth[8:11, 10:13] = IGNORED


def boundary(mask):
    return mask & ~ndimage.binary_erosion(mask, EDGES, border_value=0)


def hausdorff95(k):
    known = truth != IGNORED
    a, b = boundary((truth == k) & known), boundary((predicted == k) & known)
    if not a.any() or not b.any():
        return None
    to = ndimage.distance_transform_edt
    return max(np.percentile(to(~b)[a], 95), np.percentile(to(~a)[b], 95))


def classes():
    known = truth != IGNORED
    for k in range(K):
        t, p = (truth == k) & known, (predicted == k) & known
        both = (t & p).sum()
        dice = 2 * both / (t.sum() + p.sum()) if t.any() or p.any() else None
        iou = both / (t | p).sum() if t.any() or p.any() else None
        yield t.sum(), p.sum(), both, dice, iou, hausdorff95(k)


# ---- membranes: borders of a Voronoi diagram; the prediction is moved, has a gap, a false wall and a hole

MH, MW = 30, 37


def membranes():
    y, x = np.mgrid[:MH, :MW]
    points = rng.uniform(0, 1, (9, 2)) * (MH, MW)
    d = np.sort(np.hypot(y[..., None] - points[:, 0], x[..., None] - points[:, 1]), -1)
    p = 1 / (1 + np.exp(-1.5 * (d[..., 1] - d[..., 0] - 1.7)))
    return p


p_true = membranes()
cell_true = (p_true > 0.5).astype(np.uint8)
p_cell = np.roll(p_true, (1, -1), (0, 1)) + 0.12 * rng.standard_normal((MH, MW))
p_cell[12:15] = np.maximum(p_cell[12:15], 0.77)
p_cell[:, 9] = np.minimum(p_cell[:, 9], 0.31)
p_cell[21:24, 27:30] = 0.2
p_cell = p_cell.clip(0, 1).astype(np.float32)
cell_true_ignored = cell_true.copy()
cell_true_ignored[3:6, 3:8] = IGNORED


def segments(cells):
    return ndimage.label(cells, EDGES)[0]


def rand(t, cells):
    a, b = segments(t == 1), segments(cells)
    error, recall, precision = adapted_rand_error(a, b)
    return error, precision, recall, a.max(), b.max()


def simple(cells, y, x):
    n = np.pad(cells, 1)[y:y + 3, x:x + 3].copy()

    def touching(mask, structure, around):
        mask = mask.copy()
        mask[1, 1] = False
        labels, _ = ndimage.label(mask, structure)
        found = set(labels[around & mask])
        return len(found)

    return touching(n == 1, EDGES, EDGES) == 1 and touching(n == 0, ALL, ALL) == 1


def warping(t, goal):
    now, goal = (t == 1).astype(np.uint8), goal.astype(np.uint8).copy()
    known = t != IGNORED
    goal[~known] = now[~known]
    h, w = now.shape
    queue = deque((y, x) for y in range(h) for x in range(w) if now[y, x] != goal[y, x])
    waits = set(queue)
    while queue:
        y, x = queue.popleft()
        waits.discard((y, x))
        if not simple(now, y, x):
            continue
        now[y, x] = goal[y, x]
        for dy, dx in ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)):
            at = y + dy, x + dx
            if 0 <= at[0] < h and 0 <= at[1] < w and now[at] != goal[at] and at not in waits:
                queue.append(at)
                waits.add(at)
    return (now != goal).sum() / known.sum()


def thin(lines):
    """What lies beyond the picture is line and stays."""
    now = np.pad(lines.astype(bool), 1, constant_values=True)
    inside = np.pad(np.ones_like(lines, bool), 1)
    while True:
        before = now.copy()
        for a, b in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            p = [np.roll(now, (-dy, -dx), (0, 1)) for dy, dx in ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))]
            count = sum(q.astype(int) for q in p)
            rises = sum((~p[k] & p[(k + 1) % 8]).astype(int) for k in range(8))
            stays = p[a[0]] & p[a[1]] & p[a[2]] | p[b[0]] & p[b[1]] & p[b[2]]
            now = now & ~(inside & (count >= 2) & (count <= 6) & (rises == 1) & ~stays)
        if (now == before).all():
            return now[1:-1, 1:-1]


def thinned(t, p, threshold):
    """Sums of V^Rand, Arganda-Carreras et al. 2015: (both, truth, predicted), pixels of remaining lines one by one."""
    a, b = segments(t == 1), segments(~thin(p <= np.float32(threshold)))
    b[b == 0] = b.max() + 1 + np.arange((b == 0).sum())
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    table = table[1:]
    return (table ** 2).sum(), (table.sum(1) ** 2).sum(), (table.sum(0) ** 2).sum()


# ---- pictures

PH, PW = 14, 17
picture = rng.integers(0, 256, (PH, PW, 3)).astype(np.uint8)
picture = ndimage.gaussian_filter(picture.astype(float), (1.2, 1.2, 0)).round().astype(np.uint8)
noisy = (picture + 6 * rng.standard_normal(picture.shape)).round().clip(0, 255).astype(np.uint8)


def number(v):
    return "NAN" if v is None or v != v else repr(float(v))


def array(kind, name, values, text=str):
    values = np.asarray(values).flatten()
    print(f"static const {kind} {name}[{len(values)}] = {{")
    for i in range(0, len(values), 30):
        print("    " + " ".join(f"{text(v)}," for v in values[i:i + 30]))
    print("};")


def main():
    print("/* Written by oracle/metric_vectors.py: do not edit. */\n#include <math.h>")
    print(f"enum {{ METRIC_H = {H}, METRIC_W = {W}, METRIC_K = {K}, MEMBRANE_H = {MH}, MEMBRANE_W = {MW}, PICTURE_H = {PH}, PICTURE_W = {PW} }};")
    array("unsigned char", "metric_truth", truth)
    array("unsigned char", "metric_predicted", predicted)
    print("static const struct metric_class {\n    unsigned truth, predicted, both;\n    double dice, iou, hausdorff95;\n} metric_classes[METRIC_K] = {")
    for t, p, both, dice, iou, hd in classes():
        print(f"    {{{t}, {p}, {both}, {number(dice)}, {number(iou)}, {number(hd)}}},")
    print("};")
    known = truth != IGNORED
    print(f"static const double metric_pixel_error = {number((truth != predicted)[known].mean())};")
    array("unsigned", "metric_squared", (ndimage.distance_transform_edt(predicted != 3) ** 2).round().astype(int))
    array("unsigned char", "membrane_truth", cell_true)
    array("unsigned char", "membrane_truth_ignored", cell_true_ignored)
    array("float", "membrane_p", p_cell, lambda v: f"{v:.9g}f" if v not in (0, 1) else str(int(v)))
    array("unsigned", "membrane_segments", segments(p_cell > 0.5))
    print("static const struct membrane_rand {\n    double error, precision, recall;\n    unsigned n_truth, n_predicted;\n} membrane_scan[19] = {")
    for step in range(1, 20):
        print("    {%s, %s, %s, %d, %d}," % (*map(number, rand(cell_true, p_cell > step / 20)[:3]), *rand(cell_true, p_cell > step / 20)[3:]))
    print("};")
    print("static const struct membrane_rand membrane_rand_ignored = {%s, %s, %s, %d, %d};" % (
        *map(number, rand(cell_true_ignored, p_cell > 0.5)[:3]), *rand(cell_true_ignored, p_cell > 0.5)[3:]))
    for name, t in (("membrane_warping", cell_true), ("membrane_warping_ignored", cell_true_ignored)):
        print(f"static const double {name} = {number(warping(t, p_cell > 0.5))};")
    print("static const struct membrane_sums {\n    double both, truth, predicted;\n} membrane_thinned[19] = {")
    for step in range(1, 20):
        print("    {%s, %s, %s}," % tuple(map(number, thinned(cell_true, p_cell, step / 20))))
    print("};")
    lines = p_true < 0.55
    lines |= ndimage.binary_dilation(np.random.default_rng(8).uniform(0, 1, lines.shape) < 0.03, ALL)
    array("unsigned char", "lines_thick", lines.astype(int))
    array("unsigned char", "lines_thin", thin(lines).astype(int))
    array("unsigned char", "picture_clean", picture)
    array("unsigned char", "picture_noisy", noisy)
    print(f"static const double picture_psnr = {number(peak_signal_noise_ratio(picture, noisy))};")
    ssim = structural_similarity(picture, noisy, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2)
    print(f"static const double picture_ssim = {number(ssim)};")


main()
