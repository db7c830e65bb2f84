import Glibc

/// What tells a file from its changed self: where it is, how long, and when it last changed.
/// Times have the grain of the kernel's clock tick; two changes within one tick look the same.
struct FileStamp: Hashable, Sendable {
  let device: UInt64
  let inode: UInt64
  let length: UInt64
  let modified: Timestamp
  let changed: Timestamp
  /// Whether the file system holds less data than the length says.
  let isSparse: Bool

  struct Timestamp: Hashable, Sendable {
    let seconds: Int
    let nanoseconds: Int
  }

  /// A block device has no times of its own: its length is all that is compared.
  init(_ status: stat, deviceLength: UInt64? = nil) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    length = deviceLength ?? UInt64(max(status.st_size, 0))
    if deviceLength == nil {
      modified = Timestamp(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
      changed = Timestamp(seconds: status.st_ctim.tv_sec, nanoseconds: status.st_ctim.tv_nsec)
      isSparse = UInt64(max(status.st_blocks, 0)) * 512 < length
    } else {
      modified = Timestamp(seconds: 0, nanoseconds: 0)
      changed = modified
      isSparse = false
    }
  }
}

/// The sort of file, without its permissions.
func fileType(_ status: stat) -> mode_t { status.st_mode & S_IFMT }

/// The length of a block device, by seeking to its end.
func blockDeviceLength(_ descriptor: CInt) -> UInt64? {
  let end = lseek(descriptor, 0, SEEK_END)
  return end < 0 ? nil : UInt64(end)
}
