#!/bin/sh
# What a container image needs besides the program (Dockerfile): packages, and a user without rights.
#
#   Scripts/image.sh swarm|scenarios [ROOT]
#
# ROOT is a Debian in a folder, as interop/compose.sh makes it; without it the one that this runs in. What is
# there already is not asked for again, so that no network is needed then.
set -eu

stage=${1:?}
root=${2:-}

packages() {
  case $stage in
    swarm)
      echo "libuv1 libssl3 libsodium23 libzstd1 libmicrohttpd12 libminiupnpc17 libnatpmp1 libstdc++6"
      if [ "$(uname -m)" = x86_64 ]; then echo libipsec-mb1; fi
      ;;
    scenarios) echo "python3 python3-libtorrent qemu-system-x86" ;;
    *)
      sed -n '2,8p' "$0" >&2
      exit 2
      ;;
  esac
}

inside() { if [ -n "$root" ]; then chroot "$root" "$@"; else "$@"; fi; }

missing=$(for each in $(packages); do
  inside dpkg -s "$each" 2>/dev/null | grep -q '^Status: install ok installed$' || echo "$each"
done)
if [ -n "$missing" ]; then
  inside apt-get update -qq
  # shellcheck disable=SC2086  # one word a package
  inside env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
  inside apt-get clean
  rm -rf "$root"/var/lib/apt/lists/*
fi
if ! inside id swarm >/dev/null 2>&1; then
  inside useradd --system --uid 964 --user-group --home-dir /var/lib/swarm --shell /usr/sbin/nologin swarm
fi
# A volume takes over who owns these.
inside install -d -o swarm -g swarm -m 700 /var/lib/swarm /run/swarm
if [ "$stage" = scenarios ]; then inside install -d -o swarm -g swarm -m 755 /shared; fi
