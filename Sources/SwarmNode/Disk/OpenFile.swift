import Glibc
import Store

/// An open file that closes itself.
public struct OpenFile: ~Copyable, Sendable {
  /// -1 once it is closed.
  private(set) var descriptor: Int32
  let path: [UInt8]

  /// Takes over an open descriptor; `path` is for errors.
  init(owning descriptor: Int32, path: [UInt8]) {
    self.descriptor = descriptor
    self.path = path
  }

  /// Opens a file of ours to be read. A symlink is an error (ELOOP).
  init(at path: [UInt8]) throws(DiskError) {
    let opened = path.withCPath { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) }
    guard opened >= 0 else { throw DiskError(.open, path, errno) }
    self.init(owning: opened, path: path)
  }

  deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

  /// Closes the file, and says if the system could not keep what was written.
  public consuming func close() throws(DiskError) {
    let closing = descriptor
    descriptor = -1
    // After EINTR the descriptor is gone on Linux; closing again could hit another thread's.
    if Glibc.close(closing) != 0, errno != EINTR { throw DiskError(.close, path, errno) }
  }

  /// Fills all buffers from `offset` on. A file that ends early is an error (ENODATA).
  func read(into buffers: TransferBuffers, at offset: UInt64) throws(DiskError) {
    try transfer(.read, buffers, offset) { preadv(descriptor, $0, $1, $2) }
  }

  /// Writes all buffers from `offset` on.
  func write(from buffers: TransferBuffers, at offset: UInt64) throws(DiskError) {
    try transfer(.write, buffers, offset) { pwritev(descriptor, $0, $1, $2) }
  }

  /// Writes bytes from `offset` on.
  func write(_ bytes: [UInt8], at offset: UInt64) throws(DiskError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { bytes in
        pwrite(
          descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done,
          off_t(offset) + off_t(done))
      }
      if count < 0 {
        guard errno == EINTR else { throw DiskError(.write, path, errno) }
      } else {
        done += count
      }
    }
  }

  /// Up to `count` bytes from `offset` on, fewer where the file ends.
  func readUpTo(_ count: Int, at offset: UInt64) throws(DiskError) -> [UInt8] {
    var failed: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
      while done < count {
        let result = pread(
          descriptor, buffer.baseAddress.map { $0 + done }, count - done,
          off_t(offset) + off_t(done))
        if result == 0 { return }
        if result > 0 {
          done += result
        } else if errno != EINTR {
          failed = errno
          return
        }
      }
    }
    if failed != 0 { throw DiskError(.read, path, failed) }
    return bytes
  }

  /// What the system knows of the file.
  func status() throws(DiskError) -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw DiskError(.read, path, errno) }
    return status
  }

  /// What the file's content can be recognised by. An error (EMEDIUMTYPE) unless it is a regular
  /// file.
  func evidence() throws(DiskError) -> FileEvidence {
    let status = try status()
    guard status.st_mode & S_IFMT == S_IFREG else { throw DiskError(.open, path, EMEDIUMTYPE) }
    func nanoseconds(_ time: timespec) -> Int64 {
      Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
    return FileEvidence(
      size: UInt64(status.st_size), modified: nanoseconds(status.st_mtim),
      changed: nanoseconds(status.st_ctim), inode: UInt64(status.st_ino))
  }

  /// Puts the file's bytes on the medium; with `metadata` also everything else about it. For a
  /// folder: the names in it.
  func sync(metadata: Bool) throws(DiskError) {
    while (metadata ? fsync(descriptor) : fdatasync(descriptor)) != 0 {
      guard errno == EINTR else { throw DiskError(.sync, path, errno) }
    }
  }

  /// Calls `move` until all bytes of all buffers have gone.
  private func transfer(
    _ operation: DiskError.Operation, _ buffers: TransferBuffers, _ offset: UInt64,
    _ move: (UnsafePointer<iovec>?, Int32, off_t) -> Int
  ) throws(DiskError) {
    var buffers = buffers
    var position = off_t(offset)
    while !buffers.vectors.isEmpty {
      let moved = buffers.vectors.withUnsafeBufferPointer {
        move($0.baseAddress, Int32($0.count), position)
      }
      if moved < 0 {
        guard errno == EINTR else { throw DiskError(operation, path, errno) }
        continue
      }
      guard moved > 0 else { throw DiskError(operation, path, ENODATA) }
      position += off_t(moved)
      buffers.drop(moved)
    }
  }
}

/// Memory that one system call fills or empties, in order. At most as many parts as the system takes
/// in one call (1,024): a transfer of the store has far fewer.
struct TransferBuffers {
  /// Invariant: none is empty.
  private(set) var vectors: ArraySlice<iovec> = []
  private(set) var byteCount = 0

  mutating func append(_ memory: UnsafeMutableRawBufferPointer) {
    guard !memory.isEmpty else { return }
    vectors.append(iovec(iov_base: memory.baseAddress, iov_len: memory.count))
    byteCount += memory.count
  }

  /// Takes bytes that have gone off the front.
  mutating func drop(_ count: Int) {
    var rest = count
    byteCount -= count
    while rest > 0, let first = vectors.first {
      let part = min(rest, first.iov_len)
      rest -= part
      if part == first.iov_len {
        vectors.removeFirst()
      } else {
        vectors[vectors.startIndex] = iovec(
          iov_base: first.iov_base.map { $0 + part }, iov_len: first.iov_len - part)
      }
    }
  }
}
