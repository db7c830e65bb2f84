import Glibc
import Metainfo
import Store

/// Why the system did not do what it was asked to with a file.
public struct DiskError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was being done.
  public enum Operation: String, Sendable {
    /// Opening a file or folder.
    case open
    /// Making a file, folder or symlink.
    case create
    /// Reading bytes, or what the file looks like.
    case read
    /// Writing bytes or attributes.
    case write
    /// Putting bytes or names on the medium.
    case sync
    /// Putting a new file in an old one's place.
    case replace
    /// Removing a file or symlink.
    case remove
    /// Closing a file.
    case close
  }

  /// What was being done.
  public let operation: Operation
  /// The file or folder, as far below its base folder as is known.
  public let path: [UInt8]
  /// The system's number for the reason.
  public let errno: Int32

  init(_ operation: Operation, _ path: [UInt8], _ errno: Int32) {
    self.operation = operation
    self.path = path
    self.errno = errno
  }

  /// A sentence without its full stop: "cannot write a/b: No space left on device".
  public var description: String {
    "cannot \(operation.rawValue) \(printable(path)): \(reason)"
  }

  /// What the store does about it.
  var failure: DiskFailure {
    DiskFailure(
      reason: errno == ENOSPC || errno == EDQUOT ? .noSpace : .other, description: description)
  }

  private var reason: String {
    switch errno {
    case ELOOP, EXDEV: "a symlink or another file system's magic is in the way"
    case EBUSY: "another program is writing to it"
    case ENODATA: "the file is shorter than it should be"
    case EFBIG: "the file there is longer than it should be"
    case EMEDIUMTYPE: "it is not a regular file"
    default:
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
        guard let start = text.baseAddress, strerror_r(errno, start, text.count) == 0 else {
          return "error \(errno)"
        }
        return String(cString: start)
      }
    }
  }
}
