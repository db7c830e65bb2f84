#!/bin/bash
# Runs our program against those of others, and on bad input. One folder a foreign program.
#
#   interop/run.sh [SCRIPT…]      all of them, or those named, such as libtorrent/transfer.py
#
# SWARM is our program; without it the release build. Closes with "N passed, N failed".
# Not run here: libtorrent/capture_hash_messages.py and libtorrent/capture_peer_messages.py, which make
# the vectors of Tests/WireTests.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1

../Scripts/deps.sh --interop || exit 1
SWARM=$(realpath "${SWARM:-../.build/release/swarm}")
# libtorrent takes the encoding of paths from LANG alone, and a bare machine has none.
export SWARM PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8 LC_ALL=C.UTF-8
if [ ! -x "$SWARM" ]; then
  echo "interop: no program at $SWARM: run make build" >&2
  exit 1
fi

# The first run one by one; the others, each in a network and processes of its own and waiting most
# of the time, a few at a time.
scripts=(
  cli/bad_input.py
  libtorrent/magnet.py
  cli/program.py
  cli/versions.py
  libtorrent/ours_in_theirs.py
  libtorrent/theirs_in_ours.py
  libtorrent/transfer.py
  mktorrent/same_infohash.py
  transmission/same_infohash.py
)
side_by_side=(
  vm/boot.py
  cli/history.py
  cli/documents.py
  cli/doctor.py
  cli/terminal.py
  cli/kill.py
  daemon/datasets.py
  compression/frames.py
  libtorrent/both_ways.py
  libtorrent/dht.py
  miniupnpd/mapping.py
  cli/disk_faults.py
  cli/discovery_faults.py
  nbd/read.py
  compose/scenarios.py
  packaging/install.py
  packaging/demo.py
  nbd/faults.py
  http/api.py
  private/capture.py
  nbd/trace.py
  private/probes.py
  cli/strangers.py
  mixed/swarm.py
  transmission/both_ways.py
  hosts/nats.py
  tshark/dissect.py
  tshark/discovery.py
  hosts/key_twice.py
  hosts/routed.py
  hosts/local.py
  rtorrent/both_ways.py
  aria2/both_ways.py
  avahi/both_ways.py
  zeroconf/both_ways.py
  libtorrent/local_discovery.py
)
if [ $# -gt 0 ]; then
  scripts=("$@")
  side_by_side=()
fi

passed=0
failed=0
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Adds up what a script said.
count() {
  local script=$1 log=$2 status=$3
  if [[ $(tail -n 1 "$log") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
    if [ "$status" -ne 0 ] && [ "${BASH_REMATCH[2]}" -eq 0 ]; then failed=$((failed + 1)); fi
  else
    echo "FAILED: interop/$script did not come to its end (status $status)"
    failed=$((failed + 1))
  fi
}

for script in "${scripts[@]}"; do
  echo "== interop/$script"
  # Debian's own python3: libtorrent's module is built for no other.
  /usr/bin/python3 -W ignore "$script" | tee "$logs/log"
  count "$script" "$logs/log" "${PIPESTATUS[0]}"
done

# One of these runs away for ever only if it is broken.
for number in "${!side_by_side[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge 3 ]; do wait -n || true; done
  (
    timeout --kill-after 10 900 /usr/bin/python3 -W ignore "${side_by_side[number]}" \
      >"$logs/$number" 2>&1
    echo $? >"$logs/$number.status"
  ) &
done
wait
for number in "${!side_by_side[@]}"; do
  echo "== interop/${side_by_side[number]}"
  cat "$logs/$number"
  count "${side_by_side[number]}" "$logs/$number" "$(cat "$logs/$number.status")"
done
echo "interop: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
