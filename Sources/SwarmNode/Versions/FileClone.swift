import CGuard
import Glibc
import Metainfo

/// Makes a new file of an old one's bytes: shared with it where the file system can, else copied within
/// the kernel, else by hand. Holes stay holes.
struct FileClone {
  /// How bytes come from one file to the other.
  enum Way: CaseIterable, Sendable {
    /// Shared until one of the files is written to: takes no time and no room.
    case reflink
    /// Copied by the kernel.
    case kernel
    /// Read and written.
    case byHand
  }

  /// The ways that may be tried, in the order of `Way`.
  var ways: [Way] = Way.allCases
  /// Asked between parts whether to stop.
  let isCancelled: () -> Bool
  /// Told of bytes that were dealt with.
  let progress: (UInt64) -> Void

  /// Bytes between two looks at whether to stop: less than a second of the slowest disk.
  private static let partBytes: UInt64 = 16 << 20
  /// Bytes that are read and written at once by hand.
  private static let bufferBytes: UInt64 = 1 << 20

  /// Gives `target`, which is empty, `length` bytes: those of `source`, cut or with a hole behind them.
  /// Bytes that vanish from the source meanwhile are a hole. Nil when it was cancelled.
  func make(
    _ target: borrowing OpenFile, length: UInt64, from source: borrowing OpenFile
  ) throws(DiskError) -> Way? {
    let wanted = min(UInt64(max(try source.status().st_size, 0)), length)
    if ways.contains(.reflink), cclone_reflink(source.descriptor, target.descriptor) == 0 {
      try cut(target, to: length)
      progress(wanted)
      return .reflink
    }
    try cut(target, to: length)
    var way = ways.contains(.kernel) ? Way.kernel : .byHand
    var position: UInt64 = 0
    while position < wanted {
      let data = nextData(source, from: position, to: wanted)
      progress(data.lowerBound - position)
      position = data.lowerBound
      while position < data.upperBound {
        if isCancelled() { return nil }
        let count = min(Self.partBytes, data.upperBound - position)
        let copied = try copy(count, at: position, from: source, to: target, &way)
        if copied == 0 {
          progress(wanted - position)
          return way
        }
        progress(copied)
        position += copied
      }
    }
    return way
  }

  private func cut(_ file: borrowing OpenFile, to length: UInt64) throws(DiskError) {
    guard ftruncate(file.descriptor, off_t(length)) == 0 else {
      throw DiskError(.write, file.path, errno)
    }
  }

  /// The next bytes that are no hole, before `end`; all of them where the file system cannot tell.
  private func nextData(
    _ file: borrowing OpenFile, from start: UInt64, to end: UInt64
  ) -> Range<UInt64> {
    let data = cclone_next_data(file.descriptor, Int64(start))
    if data < 0 { return errno == ENXIO ? end..<end : start..<end }
    let first = min(max(UInt64(data), start), end)
    let hole = cclone_next_hole(file.descriptor, Int64(first))
    return first..<(hole > Int64(first) ? min(UInt64(hole), end) : end)
  }

  /// Returns how many bytes were copied, 0 where the source has ended.
  private func copy(
    _ count: UInt64, at offset: UInt64, from source: borrowing OpenFile,
    to target: borrowing OpenFile, _ way: inout Way
  ) throws(DiskError) -> UInt64 {
    if way == .kernel {
      let copied = cclone_copy(
        source.descriptor, target.descriptor, Int64(offset), Int(count))
      if copied >= 0 { return UInt64(copied) }
      // Other reasons than a full disk may be the kernel's alone, as between two file systems.
      if errno == ENOSPC || errno == EDQUOT { throw DiskError(.write, target.path, errno) }
      way = .byHand
    }
    let bytes = try source.readUpTo(Int(min(count, Self.bufferBytes)), at: offset)
    try target.write(bytes, at: offset)
    return UInt64(bytes.count)
  }
}
