"""Limn's networks run once over numbers in a folder, for scripts that compare them at full width: forward.c, linked as a build's tests are."""
import os
import subprocess

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def program(build):
    """BUILD: a folder of `make`."""
    command = None
    rules = subprocess.run(["ninja", "-C", build, "-t", "commands", "test_sd3"], capture_output=True, text=True, check=True).stdout
    for line in rules.splitlines():
        if " -o test_sd3 " in line:
            command = line.split(" -o test_sd3 ")[1].split(" && ")[0]
    root = os.path.dirname(HERE)
    subprocess.run(f"cc -O2 -fopenmp -D_GNU_SOURCE -I{root}/src -I{root}/include {HERE}/forward.c -o oracle-forward {command}", shell=True, cwd=build, check=True)
    return os.path.join(build, "oracle-forward")


def write(folder, **inputs):
    """Tensors by the names of ports."""
    for name, x in inputs.items():
        x.detach().float().contiguous().numpy().tofile(os.path.join(folder, name + ".f32"))


def run(forward, weights, precision, folder, batch=1, height=0, width=0, tokens=0, time=0):
    """The numbers of its output."""
    subprocess.run([forward, weights, precision, *map(str, (batch, height, width, tokens, time)), folder], check=True)
    return np.fromfile(os.path.join(folder, "output.f32"), np.float32)
