#!/bin/bash
# How much of two cores' speed two processes of one core each keep, by shared memory and by wires of several speeds, beside what
# the model of docs/scaling.md expects: the tables of that page.
set -u
cd "$(dirname "$0")/.." || exit 1

help() {
    cat <<'HELP'
bench/ranks.sh [flags]

Prints a table for each network: one process on one core, two that know nothing of each other on a core each (what memory and
clock leave of twice the speed: the ceiling), and one training by two, a core each, over shared memory, then, as root, between
two hosts (bench/hosts.sh) over wires of several rates.  Nothing else should run.  About three minutes on two cores.

  --steps N      timed steps of each row (mmdit 12, unet 3)
  --net NAME     only this one: mmdit (that of models/emoji), unet (512x512, 5 levels)
  --rates LIST   of the wires (10gbit 1gbit)
  --delay US     rows with such a delay in every call, too (1000)
  -h, --help

examples:
  make mpi && bench/ranks.sh
  bench/ranks.sh --net mmdit --steps 3 --rates 1gbit
HELP
}

steps='' only='' rates='10gbit 1gbit' delay=1000
while [ $# -gt 0 ]; do
    case $1 in
    --steps) steps=${2:-} ;;
    --net) only=${2:-} ;;
    --rates) rates=${2:-} ;;
    --delay) delay=${2:-} ;;
    -h | --help) help; exit 0 ;;
    *) echo "bench/ranks.sh: there is no flag $1; see bench/ranks.sh --help" >&2; exit 2 ;;
    esac
    shift 2 || { echo "bench/ranks.sh: a flag without a value" >&2; exit 2; }
done
for need in build/limn-ranks build/limn-mpi.so; do [ -e $need ] || { echo "bench/ranks.sh: there is no $need: make mpi" >&2; exit 2; }; done
export OMP_WAIT_POLICY=passive OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

field() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p"; }
reckon() { awk "BEGIN { printf \"%.$2f\", $1 }"; }
said=$(mktemp) && trap 'rm -f "$said"' EXIT

one() { taskset -c "$1" build/limn-ranks "$net" "$batch" --steps "$n"; }

two() { # name, delay, Gbit/s (0: any), mpirun or what takes its place: each rank on a core of its own
    local name=$1 delay=$2 link=$3 line ms expected
    shift 3
    line=$("$@" sh -c 'exec taskset -c $OMPI_COMM_WORLD_RANK "$@"' sh "$PWD/build/limn-ranks" "$net" "$batch" --steps "$n" --delay "$delay" --alone "$beside" --link "$link" 2>"$said")
    ms=$(field ms <<<"$line")
    if [ -z "$ms" ]; then echo "| $name | $(grep -hE '^(SKIP|limn)' "$said" - <<<"$line" | head -1) |"; return; fi
    expected=$(field expected_ms <<<"$line")
    echo "| $name | $ms | $(field least_comm_ms <<<"$line") | $(field expected_comm_ms <<<"$line") | $(reckon "100 * $alone / $ms" 1) % | $(reckon "100 * $alone / $expected" 1) % |"
}

gbits() { case $1 in *mbit) reckon "${1%mbit} / 1000" 3 ;; *gbit) echo "${1%gbit}" ;; esac; }

table() { # title, network, batch, steps
    local title=$1 other
    net=$2 batch=$3 n=${steps:-$4}
    alone=$(one 0 | field ms)
    other=$(mktemp)
    one 1 >"$other" & beside=$(one 0 | field ms)
    wait $!
    beside=$(reckon "($beside + $(field ms <"$other")) / 2" 3)
    rm -f "$other"
    echo
    echo "$title, batch $batch a process, $n steps: $alone ms a step on one core; $beside ms where two run beside each other: the ceiling is $(reckon "100 * $alone / $beside" 1) %."
    echo
    echo "| two processes | step, ms | of it calls, ms | expected | efficiency | expected |"
    echo "|---|---|---|---|---|---|"
    local at_once=(mpirun -n 2 --bind-to none)
    two "shared memory" 0 0 "${at_once[@]}"
    two "shared memory, $delay us a call" "$delay" 0 "${at_once[@]}"
    for rate in $rates; do two "$rate" 0 "$(gbits "$rate")" bench/hosts.sh --rate "$rate" --; done
    two "${rate}, $delay us a call" "$delay" "$(gbits "$rate")" bench/hosts.sh --rate "$rate" --
}

# The emoji network with as many tokens of as many numbers, of pictures in place of latents.
mmdit="mmdit size=32 channels=4 patch=8 attention=cross conditioning=modulated norm=pre time_width=256 width=384 heads=6 depth=8 mlp=1152 text_encoder=clip text_length=20 text_width=192 text_depth=2 text_heads=4"
echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, f32; load before: $(cut -d' ' -f1 /proc/loadavg)"
[ "${only:-mmdit}" != mmdit ] || table "\`mmdit\` of models/emoji, 27.2 million weights" "$mmdit" 32 12
[ "${only:-unet}" != unet ] || table "\`unet levels=5\`, 512x512, 31.0 million weights" "unet levels=5" 1 3
