"""Reads a run's events with TensorBoard's own reader and compares them with log.csv.

usage: tensorboard_check.py RUN
"""
import csv
import io
import pathlib
import sys

from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

COLUMNS = ("loss", "lr", "grad_norm", "images_per_second")


def main():
    run = pathlib.Path(sys.argv[1])
    rows = {int(r["step"]): r for r in csv.DictReader(open(run / "log.csv"))}
    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    assert set(COLUMNS) <= set(tags["scalars"]), tags
    for column in COLUMNS:
        scalars = events.Scalars(column)
        assert {s.step for s in scalars} == set(rows), (column, [s.step for s in scalars])
        for s in scalars:
            written = float(rows[s.step][column])
            assert abs(s.value - written) <= 0.006 * abs(written) + 0.05 * (column == "images_per_second") + 1e-4 * (column == "grad_norm"), (column, s, written)
    n_images = 0
    for tag in tags["images"]:
        for image in events.Images(tag):
            picture = Image.open(io.BytesIO(image.encoded_image_string))
            file = Image.open(run / "samples" / f"step-{image.step:06d}.png")
            assert picture.size == (image.width, image.height) == file.size and picture.tobytes() == file.tobytes()
            n_images += 1
    print(f"{len(rows)} rows, {len(tags['scalars'])} scalars, {n_images} pictures: as log.csv and samples/ say")


main()
