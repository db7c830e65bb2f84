#!/bin/bash
# Prints figures of our program beside those of others, all in one run. Asserts nothing.
#
#   Benchmarks/run.sh [--size 1G] [--runs 5] [--folder DIR] [--json FILE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

Scripts/deps.sh --interop
"${SWIFT:-swift}" build -c release --static-swift-stdlib --product swarm-bench
exec /usr/bin/python3 -B Benchmarks/create_bench.py \
  --swarm "${SWARM:-.build/release/swarm}" --limit .build/release/swarm-bench "$@"
