/// What `swarm boot --image-help` prints.
enum ImageHelp {
  static let text = """
    A dataset that boots is a folder with a disk in it:

      root.ext4   the disk: byte for byte (*.ext4, *.img, *.raw), *.qcow2, or *.iso
      vmlinuz     a Linux kernel, if the disk does not start itself
      initrd      its first root, where the kernel needs modules to find the disk
      cmdline     the kernel's command line, such as "console=ttyS0 root=/dev/vda quiet"

    The disk is the file that is named after the link; else the largest whose name ends as above and
    does not begin with initrd, initramfs or vmlinuz; else the only file. vmlinuz, initrd and cmdline
    are looked for beside it, then in the dataset's top folder. Without vmlinuz the disk must have a
    boot loader. Without cmdline the kernel gets "console=ttyS0 root=/dev/vda".

    The machine has the disk as its first virtio disk (/dev/vda) and its first serial line (ttyS0) as
    console. What it writes is lost when it ends. A qcow2 image must not need other files.

    A small Debian, as root (packages debootstrap, e2fsprogs, busybox-static, cpio): the script
    interop/vm/machine.sh of the sources makes one. In short:

      debootstrap --variant=minbase bookworm root
      chroot root passwd --delete root
      truncate -s 400M image/root.ext4
      mke2fs -t ext4 -O ^has_journal -d root image/root.ext4
      cp root/boot/vmlinuz-* image/vmlinuz       (package linux-image-cloud-amd64)
      cp root/boot/initrd.img-* image/initrd
      echo "console=ttyS0 root=/dev/vda quiet" > image/cmdline
      swarm seed image/

    The machine is at its prompt soon if little of the disk is read until then: no journal to replay,
    few services, no check of the file system. Pieces of 64 KiB (the default for disks up to 16 GiB)
    let machines that boot at the same time help each other.
    """
}
