#!/bin/sh
# Brings this machine to where the project builds, or says what is missing.
#
#   Scripts/deps.sh [--lint] [--interop] [--demo] [--compose]
#
# Looks first; where nothing is missing it is done, without network or root. On Debian 12 it
# installs what is missing as root or through sudo; on other systems it names what is missing,
# package by package with what for, and fails. SWIFT names the swift to look for.
set -eu

swift=${SWIFT:-swift}
oldest_swift="6.2"
newer_libtorrent="2.1.1"
zeroconf="0.154.0"
schemathesis="4.32.5"
prometheus_client="0.26.0"
duckdb="2.0.0"

# package (Debian 12's name) | how to see that it is there | what for
# cmd: a program, pc: a pkg-config module, file: a file below an include or library folder,
# full: a folder with something in it, py: a module of the system's python3. What is looked for
# must be true of other systems too, however they cut their packages.
table() {
  cat <<'ROWS'
make|cmd:make|runs the Makefile
git|cmd:git|swift fetches packages with it
ca-certificates|full:/etc/ssl/certs|swift fetches packages over HTTPS
pkg-config|cmd:pkg-config|swift finds C libraries with it
binutils|cmd:ld|linker
libc6-dev|file:stdio.h|C headers
libgcc-12-dev|file:libgcc.a|compiler's run-time library
libstdc++-12-dev|file:libstdc++.so|C++ library, which Swift's run-time links
libcurl4|file:libcurl.so.4|swift build loads it
libxml2|file:libxml2.so.2|swift build and the linker load it
libsqlite3-0|file:libsqlite3.so.0|swift build loads it
libncurses6|file:libncurses.so.6|swift build loads it
libuv1-dev|pc:libuv|event loop, disk and network
libssl-dev|pc:libcrypto|SHA-256 and SHA-1 on every CPU
libsodium-dev|pc:libsodium|signatures of datasets, encryption of private ones
libzstd-dev|pc:libzstd|blocks that travel compressed
libmicrohttpd-dev|pc:libmicrohttpd|HTTP of the control socket
libminiupnpc-dev|file:miniupnpc/miniupnpc.h|opens ports of routers (UPnP)
libnatpmp-dev|file:natpmp.h|opens ports of routers (NAT-PMP)
python3|cmd:python3|make install makes man pages and completions with it
ROWS
  if [ "$(uname -m)" = x86_64 ]; then
    echo 'libipsec-mb-dev|file:intel-ipsec-mb.h|SHA-256 and SHA-1, many messages at a time'
  fi
  if [ "$demo" = yes ] || [ "$interop" = yes ]; then
    echo 'qemu-system-x86|cmd:qemu-system-x86_64|boots from our block devices'
    echo 'debootstrap|cmd:debootstrap|makes the machine that is booted'
    echo 'e2fsprogs|cmd:mke2fs|makes its disk'
    echo 'cpio|cmd:cpio|makes its first root'
    echo 'util-linux|cmd:unshare|closes in what makes it'
  fi
  if [ "$compose" = yes ]; then
    echo 'docker.io|cmd:dockerd|runs containers'
    echo 'docker-compose|cmd:docker-compose|runs several of them'
    echo 'iptables|cmd:iptables|networks for containers'
    echo 'iproute2|cmd:ip|a network for the engine'
  fi
  if [ "$lint" = yes ]; then
    echo 'shellcheck|cmd:shellcheck|make lint reads the scripts with it'
  fi
  if [ "$interop" = yes ]; then
    echo 'python3-libtorrent|py:libtorrent|the BitTorrent v2 program to compare with'
    echo 'mktorrent|cmd:mktorrent|a BitTorrent v1 program to compare with'
    echo 'time|cmd:/usr/bin/time|make bench measures memory with it'
    echo 'transmission-cli|cmd:transmission-create|a BitTorrent v1 program to compare with'
    echo 'aria2|cmd:aria2c|a BitTorrent v1 client to exchange data with'
    echo 'rtorrent|cmd:rtorrent|a BitTorrent v1 client to exchange data with'
    echo 'tshark|cmd:tshark|reads what we send'
    echo 'wireshark-common|cmd:dumpcap|captures what we send'
    echo 'iproute2|cmd:ip|networks for the interop scripts'
    echo 'nftables|cmd:nft|routers for the interop scripts'
    echo 'miniupnpd-nftables|cmd:miniupnpd|a router to map ports in'
    echo 'miniupnpc|cmd:upnpc|asks that router by UPnP'
    echo 'curl|cmd:curl|reads files of our control socket'
    echo 'libnbd-bin|cmd:nbdinfo|reads our block devices'
    echo 'python3-libnbd|py:nbd|reads our block devices, wrongly too'
    echo 'qemu-utils|cmd:qemu-img|reads our block devices'
    echo 'zstd|cmd:zstd|makes and opens frames beside us'
    echo 'strace|cmd:strace|makes calls of the disk slow, or fail'
    echo 'fio|cmd:fio|reads our block devices, many reads at a time'
    echo 'util-linux|cmd:unshare|namespaces for the interop scripts'
    echo 'avahi-daemon|cmd:avahi-daemon|a responder of multicast DNS to find and be found by'
    echo 'avahi-utils|cmd:avahi-browse|asks that responder'
    echo 'dbus|cmd:dbus-daemon|by which it is asked'
    echo 'mandoc|cmd:mandoc|reads our man pages'
    echo 'man-db|cmd:man|shows our man pages'
    echo 'groff-base|cmd:groff|shows our man pages'
    echo 'zsh|cmd:zsh|reads our completions'
    echo 'fish|cmd:fish|reads our completions'
    echo 'systemd|cmd:systemd-analyze|reads our units'
    echo 'libfaketime|file:faketime/libfaketime.so.1|a clock that jumps, for one program'
    echo 'python3-venv|py:ensurepip|a place for the newest libtorrent'
    echo 'gcc|cmd:cc|make bench compiles a plain C pipe to compare with'
    echo 'nbdkit|cmd:nbdkit|make bench compares with its block devices, of files and of torrents'
    echo 'btfs|cmd:btfs|make bench compares with its files of torrents'
  fi
}

# Whether one of the usual folders holds $1.
holds() {
  machine=$(uname -m)
  for folder in /usr/include /usr/lib64 /usr/lib /usr/local/include /usr/local/lib \
    "/usr/include/$machine-linux-gnu" "/usr/lib/$machine-linux-gnu" "/lib/$machine-linux-gnu" \
    "/usr/lib/gcc/$machine"-*linux*/* "/usr/lib64/gcc/$machine"-*linux*/*; do
    if [ -e "$folder/$1" ]; then return 0; fi
  done
  return 1
}

present() {
  case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null 2>&1 ;;
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    file:*) holds "${1#file:}" ;;
    full:*) [ -n "$(ls -A "${1#full:}" 2>/dev/null)" ] ;;
    py:*) /usr/bin/python3 -c "import ${1#py:}" >/dev/null 2>&1 ;;
    *) return 1 ;;
  esac
}

# The rows of the table whose thing is not there.
missing() {
  table | while IFS='|' read -r package probe purpose; do
    if ! present "$probe"; then echo "$package|$probe|$purpose"; fi
  done
}

is_debian_12() {
  # shellcheck source=/dev/null
  [ -r /etc/os-release ] && command -v apt-get >/dev/null 2>&1 &&
    (. /etc/os-release && [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ])
}

# Installs the packages named; as root, or through sudo.
install() {
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
      echo "deps: not root, and there is no sudo. As root: apt-get install $*" >&2
      return 1
    fi
    as_root=sudo
  fi
  echo "deps: installing $*" >&2
  # One shell for both, so that sudo asks once. A package source that is broken need not be ours.
  # shellcheck disable=SC2016  # $@ is for the shell inside
  if ! $as_root sh -c '
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || echo "deps: going on with the lists of packages that are there"
    exec apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
  ' deps "$@" >&2; then
    echo "deps: could not install. As root: apt-get install $*" >&2
    return 1
  fi
}

# A package of PyPI in a folder of its own outside the repository: $1 the package, $2 its version, $3 what
# it is for. Debian's python3 is the one that the wheels are for.
check_pypi() {
  folder=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/swarmnode/$1-$2
  if "$folder/bin/python3" -c "import $1" >/dev/null 2>&1; then return 0; fi
  echo "deps: installing $1 $2 from PyPI in $folder" >&2
  rm -rf "$folder"
  if ! /usr/bin/python3 -m venv "$folder" >&2 ||
    ! "$folder/bin/python3" -m pip install --quiet --only-binary :all: "$1==$2" >&2; then
    rm -rf "$folder"
    echo "deps: could not install $1 $2 from PyPI, $3; it needs the network and a wheel for this" \
      "system's python3" >&2
    return 1
  fi
}

check_swift() {
  if ! path=$(command -v "$swift"); then
    echo "deps: no \"$swift\" in PATH. Swift $oldest_swift or newer is needed:" \
      "https://www.swift.org/install/linux/" >&2
    for folder in /opt/swift/usr/bin /usr/local/swift/usr/bin \
      "${HOME:-}/.local/share/swiftly/bin"; do
      if [ -x "$folder/swift" ]; then
        echo "deps: there is one in $folder: export PATH=$folder:\$PATH" >&2
      fi
    done
    return 1
  fi
  version=$("$path" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p')
  if [ -z "$version" ]; then
    echo "deps: $path does not run: $("$path" --version 2>&1 | head -n 1)" >&2
    return 1
  fi
  if [ "$(printf '%s\n' "$oldest_swift" "$version" | sort -V | head -n 1)" != "$oldest_swift" ]; then
    echo "deps: $path is Swift $version; $oldest_swift or newer is needed" >&2
    return 1
  fi
}

lint=no
interop=no
demo=no
compose=no
for argument in "$@"; do
  case $argument in
    --lint) lint=yes ;;
    --interop) interop=yes ;;
    --demo) demo=yes ;;
    --compose) compose=yes demo=yes ;;
    *)
      echo "usage: Scripts/deps.sh [--lint] [--interop] [--demo] [--compose]" >&2
      exit 2
      ;;
  esac
done

rows=$(missing)
if [ -n "$rows" ] && is_debian_12; then
  # One word a package: names of packages have no spaces.
  # shellcheck disable=SC2046
  install $(echo "$rows" | cut -d '|' -f 1 | sort -u)
  rows=$(missing)
fi
if [ -n "$rows" ]; then
  echo "deps: missing (the names are Debian 12's; the system's own package will do):" >&2
  echo "$rows" | while IFS='|' read -r package probe purpose; do
    echo "deps:   $package: $purpose (looked for ${probe#*:})" >&2
  done
fi
check_swift
[ -z "$rows" ]
if [ "$interop" = yes ]; then
  check_pypi libtorrent "$newer_libtorrent" "which the interop scripts exchange data with"
  check_pypi zeroconf "$zeroconf" "which the interop scripts find and are found by"
  check_pypi schemathesis "$schemathesis" "which tries our control API against its document"
  check_pypi duckdb "$duckdb" "which reads tables in the user guide"
  check_pypi prometheus_client "$prometheus_client" "which reads our figures"
fi
