import Glibc
import Metainfo

/// A file that one process at a time holds; let go when this value is gone, however the process ends.
struct FileLock: ~Copyable, Sendable {
  private let descriptor: CInt

  /// Takes the lock in a file, which is made when it is not there.
  ///
  /// - Parameter waits: whether to wait until it is free, rather than say who has it.
  init(_ file: [UInt8], waits: Bool) throws(StateError) {
    descriptor = try Self.take(file, waits: waits)
  }

  private static func take(_ file: [UInt8], waits: Bool) throws(StateError) -> CInt {
    let descriptor = file.withCPath { Glibc.open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
    guard descriptor >= 0 else { throw .system(SystemError("open", file)) }
    while flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      let number = errno
      close(descriptor)
      guard number == EWOULDBLOCK else { throw .system(SystemError("lock", file, number)) }
      let text = try? WholeFile.read(file, limit: StateLimits.lockBytes)
      let process = text.flatMap { Int(String(decoding: $0.dropLast(), as: UTF8.self)) }
      throw .inUse(process: process, lock: file)
    }
    // For people, and for the message of the next process: the lock itself is the kernel's.
    let text = Array("\(getpid())\n".utf8)
    if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
    return descriptor
  }

  deinit { close(descriptor) }
}
