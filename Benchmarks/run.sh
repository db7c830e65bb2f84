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
# All of them without a name; then the options are those that each knows: --runs, --size, --json. At the end
# comes one table with every figure that README quotes (figures.py; also of files that --json wrote before).
#
#   Benchmarks/run.sh --quick      all of them, small: whether they run. Its figures tell little.
#
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

# What each does when it need not tell much.
quick() {
  case $1 in
    create | private) echo --size 64M --runs 1 ;;
    transfer) echo --size 64M --runs 1 --folders /dev/shm ;;
    fanout) echo --size 32M --runs 1 ;;
    compression) echo --size 32M --image-size 32M --runs 1 ;;
    idle) echo --torrents 100 --seconds 2 --minutes 0 --runs 1 ;;
    discovery) echo --parts joins,items --runs 1 ;;
    update) echo --size 64M --folders /dev/shm --runs 1 ;;
    nbd) echo --size 64M --seconds 1 --runs 1 ;;
    randread) echo --size 64M --reads 30 --seconds 5 --rtt 40 --runs 1 ;;
    boot) echo --only local,swarm --runs 1 ;;
    first) echo --size 64M --runs 2 ;;
    huge) echo --reads 500 --runs 1 ;;
    *) echo --runs 1 ;;
  esac
}

recorded=$(mktemp)
trap 'rm -f "$recorded"' EXIT
is_quick=""
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --quick) is_quick=yes ;;
    --json)
      trap - EXIT
      rm -f "$recorded"
      recorded=$2
      shift
      ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
failed=()
for each in "${benches[@]}"; do
  name=${each%_bench.py}
  echo "== $name"
  small=()
  if [ "$is_quick" ]; then read -ra small < <(quick "$name"); fi
  # One that fails takes nothing from the others' figures.
  bench "$each" "${small[@]}" "${arguments[@]}" --json "$recorded" || failed+=("$name")
done
echo "== every figure that README quotes"
"${python[@]}" Benchmarks/figures.py "$recorded"
if [ -n "$is_quick" ]; then echo "All of it was small (--quick): nothing to be quoted."; fi
if [ ${#failed[@]} -gt 0 ]; then
  echo "not to their end: ${failed[*]}" >&2
  exit 1
fi
