#!/bin/sh
# Puts the program, its man pages, shell completions, documents and systemd units where a system looks for them, or
# takes them away.
#
#   Scripts/install.sh install|uninstall
#
# PREFIX (/usr/local) is where they belong; DESTDIR is put before it by those who make packages. PROGRAM is
# what is installed, .build/release/swarm. Needs python3, which make build makes sure of. uninstall removes what
# install put there, by name, and folders that are empty then; neither touches state folders.
set -eu
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/usr/local}
program=${PROGRAM:-.build/release/swarm}
case $prefix in
  /*) ;;
  *)
    echo "install: PREFIX is no absolute path: $prefix" >&2
    exit 2
    ;;
esac
root=${DESTDIR:-}$prefix

case ${1:-} in
  install)
    if [ ! -x "$program" ]; then
      echo "install: no program at $program: run make build first, not as root" >&2
      exit 1
    fi
    if ! command -v python3 >/dev/null 2>&1; then
      echo "install: no python3, which makes the man pages: run make deps, or install it" >&2
      exit 1
    fi
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    python3 -B Scripts/manual.py "$program" "$made"
    install -d "$root/bin" "$root/lib/systemd/system" "$root/lib/systemd/user"
    # Beside its place, then into it: a program that runs is not written to.
    install -m 755 "$program" "$root/bin/.swarm.new"
    mv -f "$root/bin/.swarm.new" "$root/bin/swarm"
    (cd "$made" && find . -type f) | while read -r path; do
      install -D -m 644 "$made/$path" "$root/share/$path"
    done
    install -d "$root/share/doc/swarm"
    install -m 644 docs/*.md "$root/share/doc/swarm/"
    sed "s|@bindir@|$prefix/bin|" Packaging/swarm.service >"$made/swarm.service"
    install -m 644 "$made/swarm.service" "$root/lib/systemd/system/swarm.service"
    sed "s|@bindir@|$prefix/bin|" Packaging/swarm-user.service >"$made/swarm.service"
    install -m 644 "$made/swarm.service" "$root/lib/systemd/user/swarm.service"
    install -D -m 644 Packaging/sysusers.conf "$root/lib/sysusers.d/swarm.conf"
    echo "installed below $root; for the system's service, as root: systemd-sysusers && systemctl daemon-reload"
    ;;
  uninstall)
    rm -f "$root/bin/swarm" "$root/lib/systemd/system/swarm.service" \
      "$root/lib/systemd/user/swarm.service" "$root/lib/sysusers.d/swarm.conf" "$root/share/bash-completion/completions/swarm" \
      "$root/share/zsh/site-functions/_swarm" "$root/share/fish/vendor_completions.d/swarm.fish" \
      "$root/share/man/man1/swarm.1" "$root"/share/man/man1/swarm-*.1
    for path in docs/*.md; do rm -f "$root/share/doc/swarm/${path#docs/}"; done
    for folder in bin lib/systemd/system lib/systemd/user lib/systemd lib/sysusers.d lib \
      share/bash-completion/completions share/bash-completion share/zsh/site-functions share/zsh \
      share/fish/vendor_completions.d share/fish share/man/man1 share/man share/doc/swarm share/doc share ""; do
      # Not where other programs have something.
      rmdir "$root/$folder" 2>/dev/null || true
    done
    echo "removed from $root"
    ;;
  *)
    sed -n '2,10p' "$0" >&2
    exit 2
    ;;
esac
