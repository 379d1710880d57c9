"""Limn beside PyTorch, OpenVINO and ncnn: the same network, batch and precision, run in turn on this machine, each in a process of its own.

    python compare.py run path/to/limn-bench RESULTS.jsonl [--rounds 3] [--precision bf16] [--only "unet levels"] [--how eager,compile,openvino,ncnn]
    python compare.py table RESULTS.jsonl

run appends one line for each run, so that cases and rounds may be run apart; table prints medians over the rounds.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
CASES = [("forward", "dit-b/2", 8), ("train", "mmdit-emoji", 64), ("forward", "unet", 1), ("train", "unet levels=5", 2),
         ("forward", "ldm-unet", 2), ("decode", "vae", 1)]


def ways(mode, precision):
    half = ["half-eager", "half-compile"] if precision == "bf16" and mode != "train" else []
    return ["eager", "compile"] + half


def result(command, **about):
    out = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    found = json.loads(out.stdout.strip().splitlines()[-1]) if out.returncode == 0 else {"error": out.stderr.strip()[-300:]}
    return {**about, **found}


def run(o):
    limn = str(pathlib.Path(o.limn).resolve())
    with open(o.results, "a") as results:
        for _ in range(o.rounds):
            for mode, net, batch in CASES:
                if o.only not in f"{mode} {net}":
                    continue
                case = [mode, net, str(batch), o.precision]
                commands = {"limn": [limn, *case]}
                for how in ways(mode, o.precision) if o.how is None else o.how.split(",") if o.how else []:
                    engine = how in ("openvino", "ncnn")
                    script = "engine_bench.py" if engine else "torch_bench.py"
                    commands[how if engine else "torch " + how] = [sys.executable, script, *case, how]
                for who, command in commands.items():
                    row = result(command, who=who, mode=mode, net=net, batch=batch, precision=o.precision)
                    print(json.dumps(row), file=results, flush=True)
                    print(f"{who:19} {' '.join(case):28} {row.get('ms', row.get('error'))}")


def print_case(rows):
    first = rows[0]
    print(f"\n{first['mode']} {first['net']} batch {first['batch']} {first['precision']}")
    medians = {}
    for who in dict.fromkeys(r["who"] for r in rows):
        good = [r for r in rows if r["who"] == who and "ms" in r]
        if not good:
            print(f"  {who:18} failed: {next(r['error'] for r in rows if r['who'] == who)}")
            continue
        middle = {key: statistics.median(r[key] for r in good) for key in ("ms", "resident_mb")}
        medians[who] = middle["ms"]
        print(f"  {who:18} {middle['ms']:9.1f} ms  {first['batch'] / middle['ms'] * 1e3:7.2f} images/s  resident {middle['resident_mb']:6.0f} MB  "
              f"{len(good)} rounds", end="")
        if who == "limn":
            print(f"  {statistics.median(r['share'] for r in good):.0%} of the best product; planned {good[-1]['planned_mb']:.0f} MB "
                  f"+ weights {good[-1]['weights_mb']:.0f} MB", end="")
        print()
    peers = [m for who, m in medians.items() if who != "limn"]
    if "limn" in medians and peers:
        print(f"  limn is {min(peers) / medians['limn']:.2f} times as fast as the best of them")


def table(o):
    cases = {}
    for line in open(o.results):
        row = json.loads(line)
        cases.setdefault((row["mode"], row["net"], row["batch"], row["precision"]), []).append(row)
    for rows in cases.values():
        print_case(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("run")
    verb.add_argument("limn")
    verb.add_argument("results")
    verb.add_argument("--rounds", type=int, default=1)
    verb.add_argument("--precision", default="f32")
    verb.add_argument("--only", default="", help="cases whose \"mode network\" contains this")
    verb.add_argument("--how", help="instead of all ways of PyTorch; empty: none")
    verb.set_defaults(do=run)
    verb = verbs.add_parser("table")
    verb.add_argument("results")
    verb.set_defaults(do=table)
    options = parser.parse_args()
    options.do(options)


main()
