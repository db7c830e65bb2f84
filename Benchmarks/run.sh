#!/bin/bash
# Prints figures of our program beside those of others, each bench all in one run. Asserts nothing.
#
#   Benchmarks/run.sh [create|transfer|fanout|idle|discovery|update] [OPTION…]
#
#   create     a torrent of a large file: libtorrent, mktorrent, transmission; --size --runs --folder
#   transfer   one seed to one leech: libtorrent, aria2, a C pipe; --size --runs --folders --only
#   fanout     one seed to several leeches; --size --runs --leeches
#   idle       1000 torrents that nobody asks for, and 100 in a DHT; --torrents --datasets --minutes
#   discovery  a magnet, a put and a get in a private DHT of 30 libtorrents, also when ten of them have
#              just left; --runs --only --parts joins,items,joins-left,items-left
#   update     bytes and time from swarm publish to all followers; --size --runs --folders
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
discovery() { "${python[@]}" Benchmarks/discovery_bench.py "$@"; }
update() { "${python[@]}" Benchmarks/update_bench.py "$@"; }

case ${1:-} in
  create | transfer | fanout | idle | discovery | update) "$@" ;;
  *)
    create "$@"
    transfer "$@"
    fanout "$@"
    idle "$@"
    discovery "$@"
    update "$@"
    ;;
esac
