"""Limn beside PyTorch: the same network, batch and precision, run in turn on this machine; medians over the rounds.

    python compare.py ROUNDS path/to/limn-bench [precision ...]
"""
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
CASES = [("forward", "dit-b/2", 8), ("train", "mmdit-emoji", 64)]


def run(command):
    out = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    return json.loads(out.stdout.strip().splitlines()[-1]) if out.returncode == 0 else {"error": out.stderr.strip()[-300:]}


def main():
    rounds, limn = int(sys.argv[1]), str(pathlib.Path(sys.argv[2]).resolve())
    for precision in sys.argv[3:] or ["f32"]:
        for mode, net, batch in CASES:
            case = [mode, net, str(batch), precision]
            commands = {"limn": [limn, *case]}
            for how in ("eager", "compile"):
                commands["torch " + how] = [sys.executable, "torch_bench.py", *case, how]
            rows = {who: [] for who in commands}
            for _ in range(rounds):
                for who, command in commands.items():
                    rows[who].append(run(command))
            print(f"\n{mode} {net} batch {batch} {precision}, {rounds} rounds")
            medians = {}
            for who, found in rows.items():
                good = [r for r in found if "ms" in r]
                if not good:
                    print(f"  {who:14} failed: {found[0]['error']}")
                    continue
                medians[who] = statistics.median(r["ms"] for r in good)
                memory = statistics.median(r["resident_mb"] for r in good)
                extra = ""
                if who == "limn":
                    share = statistics.median(r["share"] for r in good)
                    extra = f"  {share:.0%} of the best product; planned {good[0]['planned_mb']:.0f} MB + weights {good[0]['weights_mb']:.0f} MB"
                print(f"  {who:14} {medians[who]:9.1f} ms  {batch / medians[who] * 1e3:7.1f} images/s  resident {memory:6.0f} MB{extra}")
            peers = [m for who, m in medians.items() if who != "limn"]
            if "limn" in medians and peers:
                print(f"  limn is {min(peers) / medians['limn']:.2f} times as fast as the better PyTorch")


main()
