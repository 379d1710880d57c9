"""A picture of 512x512 by Stable Diffusion 1.5, or of 1024x1024 by XL, at full size (random weights), the whole command from a cold start: Limn, diffusers, stable-diffusion.cpp.

    python whole_picture.py run FOLDER RESULTS.jsonl limn=build/limn [sd-cli=FOLDER/build/bin/sd-cli] [diffusers] [--rounds 3] [--steps 20] [--checkpoint sd15-q8_0.gguf] [--xl] [--side 1024]
    python whole_picture.py table RESULTS.jsonl

FOLDER holds sd15.safetensors of stable_diffusion_cpp.sh (made by sd15_random.py where it is not there; f16, 2.1 GB) and, for diffusers, the folder that it saved
itself with random weights in f16.  With --xl Limn and diffusers read FOLDER/diffusers, of oracle/sd_full_size.py, and stable-diffusion.cpp FOLDER/xl.safetensors, which limn convert
makes of it where it is not there: transformers' names of the text encoders it does not know.  Each command runs in turn in a process of its own, on two threads, guided (7), euler; all files were read once before, so that they lie in the page cache.
Of each: seconds in all, CPU seconds, resident memory at most (MB of a million bytes); a step (the median of the times between two), when the
first step could begin (when it was done, less a step), and what came after the last step.  Of steps the time is taken when the program shows them.
"""
import argparse
import json
import os
import pathlib
import pty
import re
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
PROMPT = "a lighthouse at night"


def diffusers_folder(folder):
    """Made in a process of its own: what this one takes would be counted as its children's."""
    path = folder / "diffusers"
    if not path.exists():
        subprocess.run([sys.executable, __file__, "make", path], check=True)
    return path


def one_file(folder, limn):
    """XL's networks under the names that Stability AI gave them."""
    path = folder / "xl.safetensors"
    if not path.exists() and not limn:
        sys.exit(f"{path} is not there, and limn=PROGRAM, which makes it, is not named")
    if not path.exists():
        subprocess.run([limn, "convert", folder / "diffusers", path, "--dialect", "original"], check=True)
    return path


def make(path):
    import torch
    sys.path.insert(0, str(HERE.parent.parent / "oracle"))
    import sd_full_size
    sd_full_size.pipeline(str(HERE.parent.parent / "models/tokenizer/clip-49408.txt.gz")).to(torch.float16).save_pretrained(path)


def diffusers(folder, how, steps, side):
    """One picture; runs in a process of its own.  how: f32, bf16, with -last for channels last, which convolutions like."""
    import torch
    from diffusers import DiffusionPipeline, EulerDiscreteScheduler
    torch.set_num_threads(2)
    pipe = DiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32 if "f32" in how.split("-") else torch.bfloat16)
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    if "last" in how:
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)

    def shown(_, step, t, more):
        print(f"{step + 1}/{steps}", flush=True)
        return more
    image = pipe(PROMPT, width=side, height=side, num_inference_steps=steps, guidance_scale=7, generator=torch.Generator().manual_seed(42), callback_on_step_end=shown).images[0]
    image.save(os.path.join(folder, "..", "diffusers.png"))


def measure(command, steps):
    """What a command takes.  It writes to a terminal of its own, as programs show steps there only; k/steps anywhere in it is a step."""
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
            if k:
                at.setdefault(k, time.perf_counter() - begin)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begin
    os.close(ours)
    if child.returncode or steps not in at or len(at) < 2:
        return {"error": text[-400:]}
    between = [(at[b] - at[a]) / (b - a) for a, b in zip(sorted(at), sorted(at)[1:])]
    step, first = statistics.median(between), min(at)
    return {"wall": round(wall, 2), "cpu": round(used.ru_utime + used.ru_stime, 2), "resident_mb": round(used.ru_maxrss * 1024e-6), "step": round(step, 3),
            "load": round(at[first] - first * step, 2), "decode": round(wall - at[steps], 2), "load_average": os.getloadavg()[0]}


def run(o):
    folder = pathlib.Path(o.folder).resolve()
    checkpoint = folder / ("diffusers" if o.xl else o.checkpoint)
    if not checkpoint.exists() and not o.xl and o.checkpoint == "sd15.safetensors":
        subprocess.run([sys.executable, HERE / "sd15_random.py", checkpoint], check=True)
    size = ["-W", str(o.side), "-H", str(o.side), "--cfg-scale", "7", "--sampling-method", "euler", "--steps", str(o.steps), "-s", "42", "-p", PROMPT]
    commands = {}
    limn = next((str(pathlib.Path(what.partition("=")[2]).resolve()) for what in o.programs if re.match("limn[:=]", what)), None)
    for what in o.programs:
        name, _, path = what.partition("=")
        kind, _, how = name.partition(":")
        if kind == "limn":
            commands[name] = [str(pathlib.Path(path).resolve()), "generate", "-m", checkpoint, *size, "-t", "2", "-o", folder / "limn.png", *(["--precision", how] if how else [])]
        elif kind == "sd-cli":
            commands[name] = [str(pathlib.Path(path).resolve()), *(["--type", "bf16"] if o.checkpoint == "sd15.safetensors" else []), "-t", "2", "-m", one_file(folder, limn) if o.xl else checkpoint, *size, "-o", folder / "sd-cli.png"]
        else:
            commands[name] = [sys.executable, __file__, "diffusers", diffusers_folder(folder), how or "bf16-last", str(o.steps), str(o.side)]
    for file in [checkpoint] if o.checkpoint.endswith(".gguf") else folder.rglob("*.safetensors"):
        with open(file, "rb") as f:
            while f.read(1 << 24):
                pass
    for _ in range(o.rounds):
        for name, command in commands.items():
            row = {"who": name if o.checkpoint == "sd15.safetensors" else f"{name} {o.checkpoint}", "steps": o.steps, **measure([str(c) for c in command], o.steps)}
            with open(o.results, "a") as results:
                print(json.dumps(row), file=results)
            print(json.dumps(row), flush=True)


def table(o):
    rows = [json.loads(line) for line in open(o.results)]
    keys = ("wall", "cpu", "load", "step", "decode", "resident_mb")
    print(f"{'':24}" + "".join(f"{k:>12}" for k in keys))
    for who, steps in dict.fromkeys((r["who"], r["steps"]) for r in rows):
        good = [r for r in rows if (r["who"], r["steps"]) == (who, steps) and "wall" in r]
        if good:
            print(f"{who + ', ' + str(steps) + ' steps':24}" + "".join(f"{statistics.median(r[k] for r in good):12.2f}" for k in keys) + f"   {len(good)} rounds")


def main():
    if sys.argv[1] == "diffusers":
        return diffusers(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    if sys.argv[1] == "make":
        return make(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    one = verbs.add_parser("run")
    one.add_argument("folder")
    one.add_argument("results")
    one.add_argument("programs", nargs="+")
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--steps", type=int, default=20)
    one.add_argument("--checkpoint", default="sd15.safetensors", help="a file in FOLDER: sd15-q8_0.gguf of limn convert, say")
    one.add_argument("--xl", action="store_true", help="Stable Diffusion XL, of FOLDER/diffusers")
    one.add_argument("--side", type=int, help="of the picture (512; XL: 1024)")
    one.set_defaults(go=run)
    two = verbs.add_parser("table")
    two.add_argument("results")
    two.set_defaults(go=table)
    o = parser.parse_args()
    if "side" in o and not o.side:
        o.side = 1024 if o.xl else 512
    o.go(o)


main()
