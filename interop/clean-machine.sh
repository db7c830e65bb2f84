#!/bin/bash
# Whether README's "Start" and "Use" hold, command by command, on a Debian 12 that has nothing but a
# Swift toolchain, git, make and sudo; and whether `make deps` says what it should elsewhere.
#
#   interop/clean-machine.sh [--check]      as root; needs debootstrap, the network and 6 GB in TMPDIR
#
# Takes about 20 minutes on two cores, so `make check` leaves it out; with --check it runs what CI runs
# there, too, for half an hour more. What is tested is the last commit. The toolchain is this machine's,
# read-only. MIRROR is a Debian mirror other than debootstrap's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
checks=${1:-}
if [ -n "$checks" ] && [ "$checks" != --check ]; then
  echo "usage: interop/clean-machine.sh [--check]" >&2
  exit 64
fi

# Runs a command whose mounts and processes end with it, so that nothing is mounted below the folder
# when it is removed.
alone() { unshare --mount --pid --fork --kill-child "$@"; }

machine=$(mktemp -d)
# Once more after a while: when this is stopped, what ran inside takes a moment to be gone.
trap 'rm -rf "$machine" 2>/dev/null || { sleep 3 && rm -rf "$machine"; }' EXIT
chmod 755 "$machine"
echo "== Debian 12 in $machine"
alone debootstrap --variant=minbase --include=git,make,sudo bookworm "$machine" \
  ${MIRROR:+"$MIRROR"} >/dev/null ||
  { tail -n 5 "$machine/debootstrap/debootstrap.log" >&2 && exit 1; }
rm -rf "$machine"/var/lib/apt/lists/*

# What this machine's git puts in the place of web addresses, the other does too.
shared=("$(realpath "$(dirname "$(command -v "${SWIFT:-swift}")")/..")")
toolchain=${shared[0]}
while read -r key address; do
  git config --file "$machine/etc/gitconfig" --add "$key" "$address"
  folder=${key#url.}
  if [ -d "${folder%.insteadof}" ]; then shared+=("${folder%.insteadof}"); fi
done < <(git config --get-regexp '^url\..*\.insteadof$' || true)
git config --file "$machine/etc/gitconfig" safe.directory '*'

echo "127.0.0.1 localhost $(hostname)" >"$machine/etc/hosts"
chroot "$machine" useradd --create-home --home-dir /person --shell /bin/bash person
# Not with hard links: the objects get another owner.
git clone --quiet --no-hardlinks . "$machine/person/SwarmNode"
chroot "$machine" chown -R person: /person

cat >"$machine/steps" <<'STEPS'
set -euo pipefail
cd /person/SwarmNode
user() { sudo -u person env PATH="$PATH" bash -euo pipefail -c "$1" </dev/null; }
# The commands of a section of the README, up to the next heading of any rank: those behind it are for two
# machines (cli/documents.py runs them).
readme() { awk -v section="## $1" '/^##+ /{on=($0==section)} /^```/{code=!code; next} on&&code' README.md; }
# That a command fails and names all of the words.
refuses() {
  local words=("${@:2}") said
  if said=$(user "$1" 2>&1); then echo "FAILED: went well: $1"; exit 1; fi
  for word in "${words[@]}"; do
    if [[ $said != *"$word"* ]]; then echo "FAILED: $1: does not name $word: $said"; exit 1; fi
  done
}

echo "== without rights, on an unknown system, without Swift"
refuses "make test" "sudo" "apt-get install" "libuv1-dev"
cp /etc/os-release /tmp && sed -i 's/^ID=.*/ID=other/' /etc/os-release
refuses "make test" "libuv1-dev" "event loop" "binutils" "linker"
refuses "PATH=/usr/bin:/bin make test" "libuv1-dev" "swift.org/install"
cp /tmp/os-release /etc/os-release
echo "person ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/person

echo "== README, Start"
user "$(readme Start)"
if left=$(find /tmp -maxdepth 1 -name "swarm-demo-*" | grep .); then
  echo "FAILED: make demo left $left"
  exit 1
fi
echo "== README, Use"
user "$(readme Use)"

echo "== nothing left to install"
printf '#!/bin/sh\necho called apt-get; exit 1\n' >/usr/local/bin/apt-get
chmod 755 /usr/local/bin/apt-get
user "make deps"
rm /usr/local/bin/apt-get
if [ -n "$2" ]; then
  echo "== what CI runs"
  user ".ci/run"
fi
echo "== the program without Swift"
umount "$1"
user ".build/release/swarm verify /tmp/measurements.torrent /tmp"
STEPS

# shellcheck disable=SC2016  # what follows is for the shell inside
alone bash -euo pipefail -c '
  machine=$1 toolchain=$2 checks=$3
  # Its root is a mount, as everywhere: else unshare fails inside.
  mount --bind "$machine" "$machine"
  mount -t proc proc "$machine/proc"
  mount -t devpts -o ptmxmode=666 devpts "$machine/dev/pts"
  for folder in "${@:4}"; do
    mkdir -p "$machine/$folder"
    mount --bind -o ro "$folder" "$machine/$folder"
  done
  exec env -i PATH="/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$toolchain/bin" \
    chroot "$machine" bash /steps "$toolchain" "$checks"
' clean-machine "$machine" "$toolchain" "$checks" "${shared[@]}"
echo "clean machine: passed"
