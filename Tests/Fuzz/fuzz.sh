#!/bin/bash
# Runs the fuzzers, each on its committed corpus and on what earlier runs found.
#
#   Tests/Fuzz/fuzz.sh [SECONDS [TARGET…]]     60 seconds each, all targets; 0 seconds only replays
#
# New finds stay in .fuzz/TARGET, crashes in .fuzz/crashes. Exits with 1 if there was a crash.
# A crash that is understood is copied to Tests/Fuzz/Corpora/TARGET, where `make test` replays it,
# and becomes a named test.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

seconds=${1:-60}
shift || true
targets=("$@")
if [ $# -eq 0 ]; then mapfile -t targets < <(ls Tests/Fuzz/Corpora); fi

# Sanitizer coverage in everything, checks in the optimised code stay on.
SWARM_FUZZ=1 ${SWIFT:-swift} build -c release --sanitize=fuzzer --scratch-path .build-fuzz \
  --product Fuzz || exit 1
program=.build-fuzz/release/Fuzz

declare -A longest=([bencode]=2048 [metainfo]=16384 [magnet]=1024 [hashes]=2048 [merkle]=256
  [handshake]=128 [framer]=2048 [extensions]=2048 [heads]=1400 [pcp]=1200 [session]=512
  [krpc]=2048 [dht]=2048 [dns]=1500 [mdns]=1024 [nbd]=2048 [trace]=1024 [http]=512
  [json]=2048)
crashed=()
mkdir -p .fuzz/crashes
for target in "${targets[@]}"; do
  echo "== $target, $seconds s"
  mkdir -p ".fuzz/$target"
  options=(-max_len="${longest[$target]:-4096}" -timeout=10 -rss_limit_mb=1024
    -print_final_stats=1 -verbosity=0 -artifact_prefix=".fuzz/crashes/$target-")
  if [ "$seconds" -eq 0 ]; then options+=(-runs=0); else options+=(-max_total_time="$seconds"); fi
  dictionary=Tests/Fuzz/Dictionaries/$target.dict
  if [ -f "$dictionary" ]; then options+=(-dict="$dictionary"); fi
  # Swift's own crash report would keep libFuzzer from writing the input.
  SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$target $program "${options[@]}" ".fuzz/$target" "Tests/Fuzz/Corpora/$target" 2>&1 |
    grep -v '^Dictionary:\|^INFO:'
  if [ "${PIPESTATUS[0]}" -ne 0 ]; then crashed+=("$target"); fi
done

for target in "${crashed[@]}"; do
  input=$(find .fuzz/crashes -name "$target-*" -printf '%T@ %p\n' | sort -rn | head -n 1)
  echo "fuzz: $target crashed; replay: FUZZ_TARGET=$target $program ${input#* }" >&2
done
[ ${#crashed[@]} -eq 0 ]
