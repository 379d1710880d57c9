#!/bin/bash
# Two hosts on one machine, to try and to measure training over a network: two network namespaces, each with one end of a wire
# (a veth pair), so that all that ranks send each other goes by TCP over it, at the rate that is asked for.
set -u
here=$(cd "$(dirname "$0")" && pwd)

help() {
    cat <<'HELP'
bench/hosts.sh [flags] -- COMMAND ..

Runs COMMAND under mpirun on two hosts, node1 and node2, that are two network namespaces of this machine, a rank on each.
No shared memory: all that ranks send each other goes by TCP over one wire.  A COMMAND that begins with mpirun runs on node1
as it stands.  At the end it says how many bytes crossed the wire, and leaves nothing behind, also when it is interrupted.
Needs root, iproute2 and Open MPI (`make mpi`).

  --rate RATE    bits a second of the wire, in each direction, as tc has them: 1gbit, 100mbit; without it as fast as memory
  --ranks N      ranks on each host (1)
  -h, --help

Exit code: that of mpirun; 2 for wrong flags; 77 with a line that begins with SKIP where there can be no such hosts.

examples:
  bench/hosts.sh -- build/limn train dit --data shapes --set "size=32 channels=3 patch=4 width=64 depth=2 heads=2" -b 16 -t 1 --steps 200 --out runs/two
  bench/hosts.sh --rate 1gbit -- build/limn train mmdit-emoji --data shapes -b 16 -t 1 --steps 20 --out runs/wire
  bench/hosts.sh --rate 100mbit -- build/limn-bench ranks "unet levels=4" 1 f32 5
  printf 'node1 slots=1\nnode2 slots=1\n' >hosts; bench/hosts.sh -- mpirun --hostfile hosts -n 2 -x LIMN_PATIENCE=3 build/limn train ..
HELP
}

wrong() { echo "bench/hosts.sh: $*; see bench/hosts.sh --help" >&2; exit 2; }
skip() { echo "SKIP two hosts: $*"; exit 77; }

# ---- being mpirun's way to another host, in place of ssh: bench/hosts.sh --go PREFIX HOST COMMAND .. -----------------------

if [ "${1:-}" = --go ]; then
    prefix=$2 host=$3
    shift 3
    exec ip netns exec "$prefix${host#node}" unshare --uts sh -c "hostname $host; $*"
fi

# ---- flags ----------------------------------------------------------------------------------------------------------------

rate='' ranks=1
while [ $# -gt 0 ]; do
    case $1 in
    --rate) [[ ${2:-} =~ ^[1-9][0-9]*[kmg]bit$ ]] || wrong "--rate expects kbit, mbit or gbit a second, as 1gbit, found \"${2:-}\""; rate=$2; shift 2 ;;
    --ranks) [[ ${2:-} =~ ^[1-9][0-9]?$ ]] || wrong "--ranks expects 1 to 99, found \"${2:-}\""; ranks=$2; shift 2 ;;
    -h | --help) help; exit 0 ;;
    --) shift; break ;;
    *) wrong "there is no flag $1 (the command stands behind --)" ;;
    esac
done
[ $# -gt 0 ] || wrong "a command is expected behind --"

# ---- two hosts and a wire -------------------------------------------------------------------------------------------------

prefix=limn$$- wire=10.77.0 hosts='' job=''
close() {
    trap '' INT TERM HUP USR1
    local host pids
    for host in 1 2; do # what mpirun could not end any more
        pids=$(ip netns pids "$prefix$host" 2>/dev/null) && [ -n "$pids" ] && kill -KILL $pids 2>/dev/null
        ip netns del "$prefix$host" 2>/dev/null
    done
    rm -f "$hosts"
}

begin() { # says why not
    local host
    [ "$(id -u)" = 0 ] || skip "network namespaces need root"
    for host in ip mpirun unshare; do command -v $host >/dev/null || skip "there is no $host here"; done
    [ -z "$rate" ] || command -v tc >/dev/null || skip "there is no tc here, which --rate needs"
    trap close EXIT
    hosts=$(mktemp) || exit 1
    for host in 1 2; do ip netns add "$prefix$host" 2>"$hosts" || skip "no network namespace may be made: $(head -1 "$hosts")"; done
    ip -n "${prefix}1" link add wire type veth peer name wire netns "${prefix}2" 2>"$hosts" || skip "no veth pair: $(head -1 "$hosts")"
    ip netns exec "${prefix}1" unshare --uts true 2>"$hosts" || skip "nothing may run in a namespace: $(head -1 "$hosts")"
    for host in 1 2; do
        ip -n "$prefix$host" address add $wire.$host/24 dev wire
        ip -n "$prefix$host" link set lo up
        ip -n "$prefix$host" link set wire up
        limit "$host"
    done
    printf "node%d slots=$ranks\n" 1 2 >"$hosts"
}

# A bucket of 256 kB: what is sent at once at most.  A packet that finds 50 ms of others before it is dropped, as by a switch.
limit() {
    [ -z "$rate" ] && return
    tc -n "$prefix$1" qdisc add dev wire root tbf rate "$rate" burst 256kb latency 50ms 2>"$hosts" || skip "no limit of the rate: $(head -1 "$hosts")"
}

sent() { ip netns exec "$prefix$1" cat /sys/class/net/wire/statistics/tx_bytes; }

begin
for signal in INT TERM HUP USR1; do trap 'kill -'$signal' $job 2>/dev/null' $signal; done
[ "$1" = mpirun ] || set -- mpirun --hostfile "$hosts" -n $((2 * ranks)) --map-by ppr:$ranks:node --bind-to none "$@"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_plm=rsh OMPI_MCA_plm_rsh_agent="$here/hosts.sh --go $prefix" \
    OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=wire OMPI_MCA_oob_tcp_if_include=wire
ip netns exec "${prefix}1" unshare --uts sh -c 'hostname node1; exec "$@"' sh "$@" &
job=$!
while kill -0 $job 2>/dev/null; do wait $job; done # a signal that is handed on ends a wait
wait $job
code=$?
echo "over the wire: $(sent 1) bytes from node1, $(sent 2) from node2" >&2
exit $code
