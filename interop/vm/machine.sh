#!/bin/bash
# A small Debian that boots from the swarm: a dataset with root.ext4, vmlinuz, initrd and cmdline.
#
#   interop/vm/machine.sh FOLDER      needs root, Debian's packages and 1.5 GB in TMPDIR
#
# Debian 12 (minbase) with python3, in an ext4 of 400 MiB, and Debian's kernel for virtual machines.
# The initrd has busybox and what a virtio disk needs. The same packages give the same bytes.
# What the machine does when it is up is said by the kernel's command line:
#   (nothing)             a login prompt on the serial console: root, no password; poweroff ends it
#   swarm.do=python       prints PROMPT, runs a python3 program, prints PYTHON and its answer, and ends
#   swarm.do=checksum     the same, then prints CHECKSUM and the MD5 of its whole disk, and ends
# MIRROR is a Debian mirror other than apt's.
set -euo pipefail

size=400M
identity=5ea57a2e-0000-4000-8000-000000000001
clock=1700000000

if [ $# -ne 1 ]; then
  sed -n '2,14p' "$0" >&2
  exit 2
fi
mkdir -p "$1"
target=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# Where apt gets its packages, so do we.
# shellcheck disable=SC2016  # apt fills it in
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' 2>/dev/null |
  head -n 1)}
root=$work/root
# Its mounts and processes end with it.
unshare --mount --pid --fork --kill-child debootstrap --variant=minbase \
  --include=python3-minimal,libpython3-stdlib bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$work/log" 2>&1 || {
  tail -n 5 "$work/log" >&2
  exit 1
}
umount --recursive "$root/proc" "$root/sys" 2>/dev/null || true

# A machine that never fetched its lists of packages.
if [ -z "$(apt-cache search --names-only '^linux-image-cloud-amd64$')" ]; then apt-get update -qq; fi

# Packages that need not be installed here: unpacked they are enough.
unpack() {
  mkdir -p "$work/debs" "$2"
  (cd "$work/debs" && apt-get download -q "$1") >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
  }
  dpkg-deb -x "$work/debs/$1"_*.deb "$2"
}
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
unpack "$kernel" "$work/kernel"
unpack busybox-static "$work/busybox"
release=${kernel#linux-image-}

rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* \
  "$root"/usr/share/{doc,man,locale}/* "$root"/var/cache/ldconfig "$root"/etc/machine-id
find "$root" -name __pycache__ -prune -exec rm -rf {} +
chroot "$root" passwd --delete root >/dev/null
echo debian >"$root/etc/hostname"
cat >"$root/sbin/begin" <<'BEGIN'
#!/bin/bash
# Process 1 of the machine.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
hostname -F /etc/hostname
read -r words </proc/cmdline
# Who reads the whole disk wants it as it came.
case " $words " in
*" swarm.do=checksum "*) ;;
*) mount -o remount,rw / 2>/run/remount ;;
esac
say() { echo "$1 at $(cut -d ' ' -f 1 /proc/uptime): $2"; }
case " $words " in
*" swarm.do="*)
  say PROMPT "Debian $(cat /etc/debian_version), $(find /usr/bin | wc -l) programs"
  say PYTHON "$(python3 -c 'import json, socket; print(json.dumps({"answer": 6 * 7}))')"
  ;;
esac
case " $words " in
*" swarm.do=checksum "*)
  if sum=$(dd if=/dev/vda bs=1M 2>/run/dd | md5sum); then say CHECKSUM "${sum%% *}"; else say FAILED "$(cat /run/dd)"; fi
  ;;
esac
case " $words " in
*" swarm.do="*) poweroff ;;
esac
while true; do setsid --wait /sbin/agetty --noclear ttyS0 linux; done
BEGIN
cat >"$root/sbin/poweroff" <<'POWEROFF'
#!/bin/sh
echo o >/proc/sysrq-trigger
sleep 60
POWEROFF
chmod 755 "$root/sbin/begin" "$root/sbin/poweroff"

# Times of files decide neither a boot nor what the image's bytes are.
find "$root" -newermt "@$clock" -print0 | xargs -0 -r touch --no-dereference --date "@$clock"
export E2FSPROGS_FAKE_TIME=$clock
rm -f "$target/root.ext4"
truncate -s "$size" "$target/root.ext4"
mke2fs -q -F -t ext4 -O ^has_journal -U "$identity" -E "hash_seed=$identity" -d "$root" "$target/root.ext4"

initrd=$work/initrd
mkdir -p "$initrd"/{bin,modules,proc,sys,dev,disk}
cp "$work/busybox/bin/busybox" "$initrd/bin/busybox"
for name in sh mount insmod sleep cat switch_root; do ln -s busybox "$initrd/bin/$name"; done
for module in virtio/virtio_ring virtio/virtio virtio/virtio_pci_modern_dev \
  virtio/virtio_pci_legacy_dev virtio/virtio_pci block/virtio_blk; do
  cp "$work/kernel/lib/modules/$release/kernel/drivers/$module.ko" "$initrd/modules/"
  echo "${module##*/}.ko" >>"$initrd/modules/order"
done
cat >"$initrd/init" <<'INIT'
#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod "/modules/$module"; done
while [ ! -b /dev/vda ]; do sleep 0.05; done
mount -t ext4 -o ro,noload /dev/vda /disk
mount --move /dev /disk/dev
exec switch_root /disk /sbin/begin
INIT
chmod 755 "$initrd/init"
find "$initrd" -print0 | xargs -0 touch --no-dereference --date "@$clock"
(cd "$initrd" && find . -print0 | LC_ALL=C sort -z | cpio --null --create --format newc --quiet --reproducible | gzip -9n) >"$target/initrd"
cp "$work/kernel/boot/vmlinuz-$release" "$target/vmlinuz"
echo "console=ttyS0 quiet panic=-1 tsc=reliable" >"$target/cmdline"
