#!/bin/bash
# Runs docker-compose.test.yml and ends with the status of its scenarios.
#
#   interop/compose.sh [--own]     needs root where it starts an engine; `make compose` builds the program first
#
# Uses the container engine that runs, or with --own, or where none does, one of its own from Debian's packages
# (docker.io, docker-compose), in a network of its own and with its own folders, which ends with this script.
# Images are made of debootstrap's tarballs (kept in .build/compose), since a registry may be out of reach; what
# needs none is the Dockerfile's stage "given". MIRROR is a Debian mirror other than apt's. `make check` runs the
# same scenarios without containers (compose/scenarios.py).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

own=no
if [ "${1:-}" = --own ]; then own=yes; fi
Scripts/deps.sh --compose
if [ ! -x .build/release/swarm ]; then
  echo "compose: no program at .build/release/swarm: run make build" >&2
  exit 1
fi
# Debian's, where others are in the way: client and engine are of one version.
export PATH=/usr/bin:/usr/sbin:/bin:/sbin:$PATH
work=$(mktemp -d /tmp/swarm-compose-XXXXXX)
engine=''
project=swarmtest$$
compose() { docker-compose --project-name "$project" -f docker-compose.test.yml "$@"; }
clean_up() {
  trap '' INT TERM
  # What fails here must not keep the rest from being cleaned up.
  set +e
  compose down --volumes --timeout 2 >/dev/null 2>&1 || true
  if [ -n "$engine" ]; then
    kill "$engine" 2>/dev/null || true
    for _ in $(seq 100); do
      kill -0 "$engine" 2>/dev/null || break
      sleep 0.1
    done
    ip netns delete "$project" 2>/dev/null || true
    # What containers had mounted is gone with the engine; what hangs is let go of.
    grep -o " $work/[^ ]*" /proc/mounts | sort -r | while read -r place; do umount -l "$place" 2>/dev/null || true; done
  fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [ "$own" = yes ] || ! docker info >/dev/null 2>&1; then
  echo "== an engine of our own"
  export DOCKER_HOST=unix://$work/docker.sock
  # No network but its own: what it changes in tables of packets is seen by nobody else.
  ip netns add "$project"
  ip -n "$project" link set lo up
  mkdir "$work/data" "$work/exec"
  nsenter --net="/run/netns/$project" dockerd --data-root "$work/data" --exec-root "$work/exec" \
    -H "$DOCKER_HOST" --pidfile "$work/pid" >"$work/log" 2>&1 &
  engine=$!
  for _ in $(seq 300); do
    if docker info >/dev/null 2>&1; then break; fi
    if ! kill -0 "$engine" 2>/dev/null; then break; fi
    sleep 0.1
  done
  docker info >/dev/null 2>&1 || {
    tail -n 20 "$work/log" >&2
    exit 1
  }
fi

# The base of each stage, made once for each version of what is in it.
kept=.build/compose/$(sha256sum Scripts/image.sh | cut -c 1-16)
if [ ! -f "$kept/scenarios.tar" ]; then
  echo "== Debian for the images"
  rm -rf .build/compose
  mkdir -p "$kept"
  # shellcheck disable=SC2016  # apt fills it in
  mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' 2>/dev/null |
    head -n 1)}
  root=$work/root
  unshare --mount --pid --fork --kill-child debootstrap --variant=minbase bookworm "$root" \
    "${mirror:-http://deb.debian.org/debian}" >"$work/log" 2>&1 || {
    tail -n 5 "$work/log" >&2
    exit 1
  }
  # Where apt gets its packages here, it does there.
  cp -r /etc/apt/. "$root/etc/apt/"
  for stage in swarm scenarios; do
    unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" Scripts/image.sh "$stage" "$root" \
      >"$work/log" 2>&1 || {
      tail -n 5 "$work/log" >&2
      exit 1
    }
    tar -C "$root" --one-file-system --exclude ./proc/\* --exclude ./sys/\* --exclude ./dev/\* \
      --exclude ./var/cache/apt/\* --exclude ./etc/apt/auth.conf.d --exclude ./usr/share/doc/\* \
      --exclude ./usr/share/man/\* --exclude ./usr/share/locale/\* -cf "$kept/$stage.new" .
    mv "$kept/$stage.new" "$kept/$stage.tar"
  done
  rm -rf "$root"
fi

echo "== images"
for stage in swarm scenarios; do docker import "$kept/$stage.tar" "$project-base-$stage" >/dev/null; done
mkdir -p "$work/context/Scripts"
cp Dockerfile .dockerignore "$work/context/"
cp Scripts/image.sh "$work/context/Scripts/"
strip -o "$work/context/swarm" .build/release/swarm
# The stage "built" is left out, which only BuildKit does.
build() {
  DOCKER_BUILDKIT=1 docker build --network none --build-arg PROGRAM=given "$@" "$work/context" >"$work/built" 2>&1 || {
    tail -n 20 "$work/built" >&2
    exit 1
  }
}
build --target swarm --build-arg "BASE=$project-base-swarm" -t swarmnode
build --target scenarios --build-arg "BASE=$project-base-scenarios" -t swarmnode-scenarios
docker image inspect --format 'swarmnode: {{.Size}} bytes, user {{.Config.User}}, healthcheck {{.Config.Healthcheck.Test}}' swarmnode

# The machine that is booted, as interop/lib/machine.py keeps it.
COMPOSE_IMAGE=$(/usr/bin/python3 -B -c 'import sys; sys.path.insert(0, "interop/lib"); import machine; print(machine.image())')
export COMPOSE_IMAGE
echo "== scenarios"
compose up --no-build --no-color --exit-code-from scenarios >"$work/said" 2>&1 && status=0 || status=$?
sed -n 's/^scenarios[^|]*| //p' "$work/said"
if [ "$status" -ne 0 ]; then
  compose ps >&2 || true
  tail -n 40 "$work/said" >&2
fi
(exit "$status")
