"""A picture by a published network at full size (random weights), the whole command from a cold start: Limn, diffusers and, of Stable Diffusion 1.5 and XL, stable-diffusion.cpp.

    python whole_picture.py run FOLDER RESULTS.jsonl limn=build/limn [sd-cli=FOLDER/build/bin/sd-cli] [diffusers] [--family sd1.5] [--rounds 3] [--steps 20] [--until 1] [--checkpoint sd15-q8_0.gguf] [--side 1024]
    python whole_picture.py make FAMILY FOLDER
    python whole_picture.py table RESULTS.jsonl

Families and the sides of their pictures: sd1.5 512; xl, sd3, sd3.5-medium, pixart (Sigma) 1024; dit (XL/2) 256.  Limn and diffusers read FOLDER/diffusers, which is made where it is not there: saved by diffusers
in f16, text encoders of sd3 and pixart two layers deep, as a step is what is timed there (oracle/sd3_full_size.py; 3.5 large is 16 GB and left out).  Of sd1.5 Limn reads FOLDER/sd15.safetensors
of stable_diffusion_cpp.sh (made by sd15_random.py where it is not there; f16, 2.1 GB), as stable-diffusion.cpp does; of xl that reads FOLDER/xl.safetensors, which limn convert makes where it is not there: transformers' names of
the text encoders it does not know.  It knows no text encoders of two layers.

Each command runs in turn in a process of its own, on two threads, guided, Stable Diffusion 1.5 and XL by euler, others by the scheduler that they are published with; all files were read once before, so that they lie in the page cache.
Of each: seconds in all, CPU seconds, resident memory at most (MB of a million bytes); a step (the median of the times between two; of --until 1, which ends a program after its first step, from where that began), when the
first step could begin (when it was done, less a step), and what came after the last step.  Of steps the time is taken when the program shows them.
"""
import argparse
import json
import math
import os
import pathlib
import pty
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
ROOT = HERE.resolve().parent.parent
PROMPT = "a lighthouse at night"
FAMILIES = {  # side of a picture, guidance, what diffusers' pipeline is told
    "sd1.5": (512, 7, {"prompt": PROMPT}),
    "xl": (1024, 7, {"prompt": PROMPT}),
    "sd3": (1024, 7, {"prompt": PROMPT}),
    "sd3.5-medium": (1024, 7, {"prompt": PROMPT}),
    "pixart": (1024, 4.5, {"prompt": PROMPT, "clean_caption": False, "use_resolution_binning": False}),
    "dit": (256, 4, {"class_labels": [207]}),
}
EULER = ("sd1.5", "xl")


def diffusers_folder(family, folder):
    """Made in a process of its own: what this one takes would be counted as its children's."""
    path = folder / "diffusers"
    if not path.exists():
        subprocess.run([sys.executable, __file__, "make", family, folder], check=True)
    return path


def one_file(folder, limn):
    """XL's networks under the names that Stability AI gave them."""
    path = folder / "xl.safetensors"
    if not path.exists() and not limn:
        sys.exit(f"{path} is not there, and limn=PROGRAM, which makes it, is not named")
    if not path.exists():
        subprocess.run([limn, "convert", folder / "diffusers", path, "--dialect", "original"], check=True)
    return path


def make(family, folder):
    import torch
    sys.path.insert(0, str(ROOT / "oracle"))
    import dit_full_size
    import sd3_full_size
    import sd_full_size
    merges, pieces = str(ROOT / "models/tokenizer/clip-49408.txt.gz"), str(ROOT / "tests/vectors/unigram")
    own = {"sd1.5": lambda: sd_full_size.pipeline(merges, False), "xl": lambda: sd_full_size.pipeline_xl(merges), "dit": lambda: dit_full_size.pipeline(256)}
    pipe = own[family]() if family in own else sd3_full_size.pipeline(family, merges, pieces)
    pipe.to(torch.float16).save_pretrained(os.path.join(folder, "diffusers"))


def diffusers(folder, how, family, steps, side):
    """One picture; runs in a process of its own.  how: f32, bf16, with -last for channels last, which convolutions like."""
    import torch
    import transformers
    from diffusers import DiffusionPipeline, EulerDiscreteScheduler
    from diffusers.utils import logging
    _, guidance, told = FAMILIES[family]
    torch.set_num_threads(2)
    logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    pipe = DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32 if "f32" in how.split("-") else torch.bfloat16)
    if family in EULER:
        pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    denoiser = pipe.unet if hasattr(pipe, "unet") else pipe.transformer
    if "last" in how:
        denoiser.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
    step, done = pipe.scheduler.step, []

    def shown(*args, **kwargs):
        out = step(*args, **kwargs)
        done.append(out)
        print(f"{len(done)}/{steps}", flush=True)
        return out
    pipe.scheduler.step = shown
    denoiser.register_forward_pre_hook(lambda *_: print(f"{len(done)}/{steps}", flush=True))
    sides = {"width": side, "height": side} if "prompt" in told else {}
    image = pipe(**told, **sides, num_inference_steps=steps, guidance_scale=guidance, generator=torch.Generator().manual_seed(42)).images[0]
    image.save(os.path.join(folder, "..", "diffusers.png"))


def measure(command, steps, until):
    """What a command takes, which is ended after step `until`.  It writes to a terminal of its own, as programs show steps there only; k/steps anywhere in it is a step."""
    ours, theirs = pty.openpty()
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env={**os.environ, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "2", "COLUMNS": "200"})
    os.close(theirs)
    text, at = "", {}
    while True:
        try:
            piece = os.read(ours, 65536).decode(errors="replace")
        except OSError:
            break
        if not piece:
            break
        text += piece
        for k in (int(k) for k in re.findall(r"(?<!\d)(\d+)/%d(?!\d)" % steps, piece)):
            at.setdefault(k, time.perf_counter() - begin)
        if until in at and until < steps:
            child.terminate()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begin
    os.close(ours)
    done = sorted(k for k in at if k)
    if until not in at or (child.returncode and until == steps) or len(done) + (0 in at) < 2:
        return {"error": text[-400:]}
    shown = done if len(done) > 1 else [0] + done
    step, first = statistics.median((at[b] - at[a]) / (b - a) for a, b in zip(shown, shown[1:])), done[0]
    row = {"step": round(step, 3), "load": round(at[first] - first * step, 2), "cpu": round(used.ru_utime + used.ru_stime, 2), "resident_mb": round(used.ru_maxrss * 1024e-6)}
    if until == steps:
        row |= {"wall": round(wall, 2), "decode": round(wall - at[steps], 2)}
    return {**row, "load_average": os.getloadavg()[0]}


def run(o):
    folder = pathlib.Path(o.folder).resolve()
    side, guidance, told = FAMILIES[o.family]
    side = o.side or side
    if side != 256 and o.family == "dit":
        sys.exit("--side: DiT's network draws 256x256")
    if o.family == "sd1.5":
        checkpoint = folder / o.checkpoint
        if not checkpoint.exists() and o.checkpoint == "sd15.safetensors":
            subprocess.run([sys.executable, HERE / "sd15_random.py", checkpoint], check=True)
    else:
        checkpoint = diffusers_folder(o.family, folder)
    what = ["-p", PROMPT] if "prompt" in told else ["--class", str(*told["class_labels"])]
    size = ["-W", str(side), "-H", str(side), "--cfg-scale", str(guidance), *(["--sampling-method", "euler"] if o.family in EULER else []), "--steps", str(o.steps), "-s", "42", *what]
    commands = {}
    limn = next((str(pathlib.Path(what.partition("=")[2]).resolve()) for what in o.programs if re.match("limn[:=]", what)), None)
    for what in o.programs:
        name, _, path = what.partition("=")
        kind, _, how = name.partition(":")
        if kind == "limn":
            commands[name] = [str(pathlib.Path(path).resolve()), "generate", "-m", checkpoint, *size, "-t", "2", "-o", folder / "limn.png", *(["--precision", how] if how else [])]
        elif kind == "sd-cli" and o.family in EULER:
            file = one_file(folder, limn) if o.family == "xl" else checkpoint
            commands[name] = [str(pathlib.Path(path).resolve()), *(["--type", "bf16"] if o.checkpoint == "sd15.safetensors" else []), "-t", "2", "-m", file, *size, "-o", folder / "sd-cli.png"]
        elif kind == "diffusers":
            commands[name] = [sys.executable, __file__, "diffusers", diffusers_folder(o.family, folder), how or "bf16-last", o.family, str(o.steps), str(side)]
        else:
            sys.exit(f"{name}: expected limn=PROGRAM, diffusers or, of {' and '.join(EULER)}, sd-cli=PROGRAM")
    for file in [checkpoint] if o.checkpoint.endswith(".gguf") else folder.rglob("*.safetensors"):
        with open(file, "rb") as f:
            while f.read(1 << 24):
                pass
    where = ([o.checkpoint] if o.checkpoint != "sd15.safetensors" else []) if o.family == "sd1.5" else [o.family, str(side)]
    for _ in range(o.rounds):
        for name, command in commands.items():
            row = {"who": " ".join([name, *where]), "steps": o.steps, **measure([str(c) for c in command], o.steps, o.until or o.steps)}
            with open(o.results, "a") as results:
                print(json.dumps(row), file=results)
            print(json.dumps(row), flush=True)


def table(o):
    rows = [json.loads(line) for line in open(o.results)]
    keys = ("wall", "cpu", "load", "step", "decode", "resident_mb")
    print(f"{'':36}" + "".join(f"{k:>12}" for k in keys))
    for who, steps in dict.fromkeys((r["who"], r["steps"]) for r in rows):
        good = [r for r in rows if (r["who"], r["steps"]) == (who, steps) and "step" in r]
        if good:
            print(f"{who + ', ' + str(steps) + ' steps':36}" + "".join(f"{statistics.median(r.get(k, math.nan) for r in good):12.2f}" for k in keys) + f"   {len(good)} rounds")


def main():
    if sys.argv[1] == "diffusers":
        return diffusers(*sys.argv[2:5], *map(int, sys.argv[5:7]))
    if sys.argv[1] == "make":
        return make(*sys.argv[2:4])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    one = verbs.add_parser("run")
    one.add_argument("folder")
    one.add_argument("results")
    one.add_argument("programs", nargs="+")
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--steps", type=int, default=20)
    one.add_argument("--checkpoint", default="sd15.safetensors", help="a file in FOLDER: sd15-q8_0.gguf of limn convert, say")
    one.add_argument("--family", choices=FAMILIES, default="sd1.5")
    one.add_argument("--side", type=int, help="of the picture (the family's)")
    one.add_argument("--until", type=int, help="a step after which a program is ended")
    one.set_defaults(go=run)
    two = verbs.add_parser("table")
    two.add_argument("results")
    two.set_defaults(go=table)
    o = parser.parse_args()
    o.go(o)


main()
