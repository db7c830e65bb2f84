#!/bin/bash
# Prints figures of our program beside those of others, each bench all in one run. Asserts nothing.
#
#   Benchmarks/run.sh [BENCH] [OPTION…]
#
#   create     a torrent of a large file: libtorrent, mktorrent, transmission; --size --runs --folder
#   transfer   one seed to one leech: libtorrent, aria2, a C pipe; --size --runs --folders --only
#   private    a private dataset from one seed to one leech: a public one, libtorrent with RC4; --size --runs --only
#   fanout     one seed to several leeches; --size --runs --leeches
#   compression  text, a machine image and random data with compression and without; --size --rate --runs --only
#   idle       1000 torrents that nobody asks for, and 100 in a DHT; --torrents --datasets --minutes
#   discovery  a magnet, a put and a get in a private DHT of 30 libtorrents, also when ten of them have
#              just left; --runs --only --parts joins,items,joins-left,items-left
#   update     bytes and time from swarm publish to all followers; --size --runs --folders
#   nbd        reads of a block device that is all here: nbdkit file, qemu-nbd; --size --runs --seconds
#   randread   reads of a disk of which nothing is here: nbdkit torrent, btfs; --rtt --rate --reads --only
#   boot       Debian boots from a disk elsewhere: a local file, nbdkit torrent, btfs, full download;
#              --rtt --rate --runs --only
#   crowd      ten nodes at once read what a boot reads, beside one; --rtt --rate --nodes --seeds
#   first      until a node has its first verified bytes; --rtt --runs
#   huge       a sparse image of 1 TiB: time and memory; --runs --reads --piece
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
benches=(create_bench.py transfer_bench.py private_bench.py fanout_bench.py idle_bench.py discovery_bench.py update_bench.py
  nbd_bench.py randread_bench.py boot_bench.py crowd_bench.py first_bench.py huge_bench.py compression_bench.py)
bench() {
  local script=$1
  shift
  if [ "$script" = create_bench.py ]; then create "$@"; else "${python[@]}" "Benchmarks/$script" "$@"; fi
}

for each in "${benches[@]}"; do
  if [ "${1:-}" = "${each%_bench.py}" ]; then
    shift
    bench "$each" "$@"
    exit
  fi
done
for each in "${benches[@]}"; do bench "$each" "$@"; done
