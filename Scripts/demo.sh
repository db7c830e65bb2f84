#!/bin/bash
# SwarmNode in a few minutes, on this machine: a dataset that is shared, joined by its key, changed and
# followed; then a virtual machine that boots from an image that is not there yet.
#
#   Scripts/demo.sh [FOLDER]      `make demo` builds the program first
#
# Everything is made in a folder of its own, on loopback addresses only, and removed at the end, however that
# comes. FOLDER is a machine that interop/vm/machine.sh made; without it one is made (root or sudo, a minute,
# Debian's packages). SWARM is the program, .build/release/swarm. DEMO_ACCEL is what runs the guest (swarm boot
# --accel): auto.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

swarm=$(realpath "${SWARM:-.build/release/swarm}")
machine=${1:-}
patience=120
if [ ! -x "$swarm" ]; then
  echo "demo: no program at $swarm: run make build" >&2
  exit 1
fi
for tool in qemu-system-x86_64 ${machine:-debootstrap}; do
  if [ -z "$machine" ] && ! PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null; then
    echo "demo: no $tool: run Scripts/deps.sh --demo" >&2
    exit 1
  fi
done

folder=$(mktemp -d "${TMPDIR:-/tmp}/swarm-demo-XXXXXX")
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
running=()
guest='' maker=''
# Ends what runs and removes what was made; also when the demo is stopped.
clean_up() {
  trap '' INT TERM HUP
  # With all that it started.
  if [ -n "$maker" ]; then "${as_root[@]}" kill -KILL -- "-$maker" 2>/dev/null || true; fi
  for each in "${running[@]}" $guest; do kill "$each" 2>/dev/null || true; done
  wait
  # The machine's files may be root's, and what was killed takes a moment to be gone.
  rm -rf "$folder" 2>/dev/null || { sleep 1 && "${as_root[@]}" rm -rf "$folder"; }
}
trap clean_up EXIT
trap 'echo; echo "demo: stopped"; exit 130' INT
trap 'exit 143' TERM HUP

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi
started=$SECONDS
step() { printf '\n%s[%d s] %s%s\n' "$bold" $((SECONDS - started)) "$1" "$plain"; }
tell() { printf '  %s\n' "$@"; }
# A command as a person would type it.
typed() { printf '  $ swarm %s\n' "$*"; }

# Runs a program in the background, with its output in a file: $1 the file.
behind() {
  "${@:2}" >"$1.log" 2>"$1.err" </dev/null &
  running+=($!)
}
# Waits until a command is true; $1 says for what. Gives up when a program that should run has ended.
await() {
  local deadline=$((SECONDS + patience)) each
  until "${@:2}"; do
    for each in "${running[@]}"; do
      if ! kill -0 "$each" 2>/dev/null; then give_up "a node ended while waiting for $1"; fi
    done
    if [ "$SECONDS" -gt "$deadline" ]; then give_up "$1 did not come in $patience seconds"; fi
    sleep 0.1
  done
}
# Says what went wrong, and the end of what programs have said: of all, or of the files that are named.
give_up() {
  local files=("${@:2}")
  if [ ${#files[@]} -eq 0 ]; then files=("$folder"/*.err "$folder"/*.log); fi
  echo "demo: $1" >&2
  for each in "${files[@]}"; do
    if [ -s "$each" ]; then
      echo "-- ${each##*/}" >&2
      tail -n 5 "$each" >&2
    fi
  done
  exit 1
}
# The newest value of a key in the JSON lines of a node: $1 its file, $2 the key.
value() { sed -n "s/.*\"$2\": *\"\{0,1\}\([^\",}]*\).*/\1/p" "$1.log" | tail -n 1; }
mebibytes() { awk -v bytes="${1:-0}" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'; }
has_link() { [ -n "$(value "$1" magnet)" ]; }
same() { diff -rq "$1" "$2" >/dev/null 2>&1; }

next_port=47101
free_port() {
  while (exec 3<>"/dev/tcp/127.0.0.1/$next_port") 2>/dev/null; do next_port=$((next_port + 1)); done
  port=$next_port
  next_port=$((next_port + 1))
}
free_port && publisher=127.0.0.1:$port
free_port && follower=127.0.0.1:$port
free_port && image_seed=127.0.0.1:$port
free_port && booter=127.0.0.1:$port
# Nothing of a demo belongs in the world's DHT or on the local network. Without these words nodes find
# each other by themselves; here they are told where the other one is.
private=(--no-dht --no-lan --no-mapping)

step "A dataset: this machine's packages and files, two tables."
data=$folder/inventory
mkdir "$data"
(
  echo "package,version,kilobytes"
  awk -F ': ' '/^Package:/ { name = $2 } /^Installed-Size:/ { size = $2 } /^Version:/ { version = $2 }
    /^$/ { if (name != "") print name "," version "," size; name = "" }' /var/lib/dpkg/status
) >"$data/packages.csv"
find /usr/bin /usr/sbin /usr/share /etc -xdev -type f -printf '%s\t%TY-%Tm-%Td\t%p\n' 2>/dev/null | LC_ALL=C sort -k 3 >"$data/files.tsv" || true
tell "$(wc -l <"$data/packages.csv") packages, $(wc -l <"$data/files.tsv") files, $(mebibytes "$(du -sb "$data" | cut -f 1)")"

step "One machine shares it. It gets a key the first time; the link is made of the key."
typed "seed inventory"
behind "$folder/publisher" "$swarm" seed "$data" --state "$folder/publisher.state" --listen "$publisher" \
  "${private[@]}" --json
await "the link" has_link "$folder/publisher"
link=$(value "$folder/publisher" magnet)
tell "$link"

step "Another one, with nothing but the link, fetches it; every block checked."
mkdir "$folder/copies"
cp -r "$data" "$folder/first"
typed "join '${link:0:40}…' copies --peer $publisher"
behind "$folder/follower" "$swarm" join "$link" "$folder/copies" --state "$folder/follower.state" \
  --listen "$follower" --peer "$publisher" "${private[@]}" --json
await "version 1" same "$folder/first" "$folder/copies/inventory@1"
tell "version 1 is in copies/inventory@1, the same byte for byte"

step "The dataset changes: a row more, a new table. The publisher says so; who joined has it soon."
printf '0\t%s\t(the moment of version 2)\n' "$(date -u +%F)" >>"$data/files.tsv"
awk -F '\t' '{ n = split($3, part, "/"); sum["/" part[2] "/" part[3]] += $1 }
  END { for (each in sum) print sum[each] "\t" each }' "$data/files.tsv" | sort -rn >"$data/by-folder.tsv"
before=$SECONDS
typed "publish inventory --message 'by folder'"
"$swarm" publish "$data" --state "$folder/publisher.state" --message "by folder" --no-spread \
  "${private[@]:0:2}" >"$folder/publish.log" 2>"$folder/publish.err" || give_up "publish failed" "$folder/publish.err"
await "version 2" same "$data" "$folder/copies/inventory@2"
tell "version 2 is in copies/inventory@2 after $((SECONDS - before)) s, by itself"
same "$folder/first" "$folder/copies/inventory@1" || give_up "version 1 has changed"
tell "version 1 is still in copies/inventory@1; copies/inventory leads to $(readlink "$folder/copies/inventory")"
typed "diff KEY 1 2"
"$swarm" diff "$(value "$folder/follower" dataset_key)" 1 2 --offline --state "$folder/follower.state" \
  2>"$folder/diff.err" | sed 's/^/  /' || give_up "diff failed" "$folder/diff.err"

if [ -z "$machine" ]; then
  step "A machine image: a small Debian, made of packages. This takes a minute."
  machine=$folder/machine
  # Asks for the password where one is needed, since what runs behind cannot.
  "${as_root[@]}" true
  setsid "${as_root[@]}" env PATH="$PATH:/usr/sbin:/sbin" TMPDIR="$folder" interop/vm/machine.sh "$machine" \
    >"$folder/make.log" 2>&1 </dev/null &
  maker=$!
  wait "$maker" || give_up "no machine could be made" "$folder/make.log"
  maker=
else
  step "A machine image: $machine."
fi
disk=$(stat -c %s "$machine/root.ext4")
tell "a disk of $(mebibytes "$disk"), a kernel, an initrd"

step "One machine shares it as it is, like any folder."
typed "seed image/"
behind "$folder/image" "$swarm" seed "$machine" --name image --state "$folder/image.state" --listen "$image_seed" \
  "${private[@]}" --json
await "the link" has_link "$folder/image"
tell "$(value "$folder/image" magnet | cut -c 1-80)"

step "Another one boots it by the link. Nothing of the disk is there; what the guest reads is fetched."
typed "boot '$(value "$folder/image" magnet | cut -c 1-40)…' --peer $image_seed"
# The kernel's word tells the guest to run a program and to end (interop/vm/machine.sh).
behind "$folder/boot" "$swarm" boot "$(value "$folder/image" magnet)" --state "$folder/boot.state" \
  --listen "$booter" --peer "$image_seed" "${private[@]}" --accel "${DEMO_ACCEL:-auto}" --append swarm.do=python \
  --status "$folder/booted.log"
# It ends by itself.
guest=${running[-1]}
unset 'running[-1]'
has_ended() { ! kill -0 "$guest" 2>/dev/null; }
await "the guest's end" has_ended
wait "$guest" || give_up "the guest ended badly"
guest=
grep -aE '^(PROMPT|PYTHON) at' "$folder/boot.log" | tr -d '\r' | sed 's/^/  guest: /' || give_up "no prompt"
fetched=$(value "$folder/booted" downloaded)
tell "fetched $(mebibytes "$fetched") in all, kernel included, of a disk of $(mebibytes "$disk")"

step "That is all. Everything that was made is removed."
tell "Next: README.md, \"Use\"."
