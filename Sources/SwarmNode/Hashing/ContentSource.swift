import Glibc
import Metainfo
import Store

/// Files on disk that are hashed: where they are, and how each looked when it was scanned.
final class ContentSource: Sendable {
  /// One file of the content.
  struct File: Sendable {
    /// Its path, for opening and for messages.
    let path: [UInt8]
    /// How it looked; nil when it was not there, and its bytes are taken as zeros.
    let stamp: FileStamp?
  }

  let files: [File]
  /// Whether a final symlink in a path may be followed: only for the path that the user named.
  let followsLinks: Bool

  init(files: [File], followsLinks: Bool) {
    self.files = files
    self.followsLinks = followsLinks
  }

  /// Opens a file and checks that it is still what it was.
  func open(_ index: Int) throws(HashFailure) -> Descriptor {
    let flags = O_RDONLY | (followsLinks ? 0 : O_NOFOLLOW)
    guard let descriptor = Descriptor(path: files[index].path, flags: flags) else {
      // Gone or replaced by a link since the scan.
      if errno == ENOENT || errno == ELOOP { throw HashFailure(file: index, reason: .changed) }
      throw unreadable(index)
    }
    try check(index, descriptor)
    return descriptor
  }

  /// Fails if the file is no longer what it was.
  func check(_ index: Int, _ descriptor: borrowing Descriptor) throws(HashFailure) {
    guard let status = descriptor.status() else { throw unreadable(index) }
    let length = fileType(status) == S_IFBLK ? blockDeviceLength(descriptor.number) : nil
    guard FileStamp(status, deviceLength: length) == files[index].stamp else {
      throw HashFailure(file: index, reason: .changed)
    }
  }

  func unreadable(_ index: Int) -> HashFailure {
    HashFailure(
      file: index, reason: .unreadable(SystemError("read", files[index].path).description))
  }
}
