import Glibc

/// An open file that closes itself.
struct Descriptor: ~Copyable {
  let number: CInt

  /// Opens `path`; nil with `errno` set when that fails. Never waits for the other end of a FIFO.
  init?(path: [UInt8], flags: CInt) {
    let opened = path.withCPath { open($0, flags | O_CLOEXEC | O_NONBLOCK) }
    guard opened >= 0 else { return nil }
    number = opened
  }

  /// Opens `name` below an open folder; nil with `errno` set when that fails.
  init?(name: [UInt8], below folder: CInt, flags: CInt) {
    let opened = name.withCPath { openat(folder, $0, flags | O_CLOEXEC | O_NONBLOCK) }
    guard opened >= 0 else { return nil }
    number = opened
  }

  deinit { close(number) }

  /// What the system knows of it; nil with `errno` set when it does not answer.
  func status() -> stat? {
    var status = stat()
    return fstat(number, &status) == 0 ? status : nil
  }

  /// Reads `bytes.count` bytes from `offset` on, or fewer at the end of the file; nil with `errno`
  /// set on failure.
  func read(into bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int? {
    var done = 0
    while done < bytes.count {
      let count = pread(
        number, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
      if count == 0 { break }
      if count < 0 {
        if errno == EINTR { continue }
        return nil
      }
      done += count
    }
    return done
  }
}
