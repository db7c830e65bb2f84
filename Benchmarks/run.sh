#!/bin/bash
# Prints figures of our program beside those of others, each bench all in one run. Asserts nothing.
#
#   Benchmarks/run.sh [create|transfer|fanout|idle] [OPTION…]
#
# All of them without a name; then the options are those that each knows: --runs, --size, --json.
# All but create make a network of their own, and so need root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

Scripts/deps.sh --interop
"${SWIFT:-swift}" build -c release --static-swift-stdlib --product swarm-bench
SWARM=$(realpath "${SWARM:-.build/release/swarm}")
# libtorrent takes the encoding of paths from LANG alone, and a bare machine has none.
export SWARM LANG=C.UTF-8 LC_ALL=C.UTF-8
python=(/usr/bin/python3 -B -W ignore)

create() {
  "${python[@]}" Benchmarks/create_bench.py \
    --swarm "$SWARM" --limit .build/release/swarm-bench "$@"
}
transfer() { "${python[@]}" Benchmarks/transfer_bench.py "$@"; }
fanout() { "${python[@]}" Benchmarks/fanout_bench.py "$@"; }
idle() { "${python[@]}" Benchmarks/idle_bench.py "$@"; }

case ${1:-} in
  create | transfer | fanout | idle) "$@" ;;
  *)
    create "$@"
    transfer "$@"
    fanout "$@"
    idle "$@"
    ;;
esac
