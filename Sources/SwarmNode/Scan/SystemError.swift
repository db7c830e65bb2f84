import Glibc
import Metainfo

/// A system call on a file that failed: what was tried, on which path, and why.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was tried, as in "cannot read".
  public let action: String
  /// The path, bytes as the system has them.
  public let path: [UInt8]
  /// `errno`.
  public let number: CInt
  /// What is wrong, where `errno` has no words for it.
  public let detail: String?

  init(_ action: String, _ path: [UInt8], _ number: CInt = errno, detail: String? = nil) {
    self.action = action
    self.path = path
    self.number = number
    self.detail = detail
  }

  /// Whether a file is there and can be read, and does not hold what it should.
  var isDamage: Bool { number == EINVAL && detail != nil || number == EFBIG }

  /// Whether a new file was not made since there is one already.
  public var isAlreadyThere: Bool { number == EEXIST }

  /// "cannot read data/a.csv: Permission denied".
  public var description: String {
    "cannot \(action) \(path.isEmpty ? "\"\"" : printable(path)): "
      + (detail ?? String(cString: strerror(number)))
  }
}

extension Array where Element == UInt8 {
  /// Calls `body` with the bytes as a C string.
  ///
  /// Precondition: no NUL among them, as in every path that came from the system or was checked.
  func withCPath<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
    try (self + [0]).withUnsafeBufferPointer { bytes in
      try bytes.withMemoryRebound(to: CChar.self) { try body($0.baseAddress!) }
    }
  }

  /// This path with `name` below it.
  func appending(path name: [UInt8]) -> [UInt8] {
    if isEmpty { return name }
    return last == UInt8(ascii: "/") ? self + name : self + [UInt8(ascii: "/")] + name
  }
}
