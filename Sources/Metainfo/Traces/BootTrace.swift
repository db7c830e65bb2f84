/// Which bytes of a file one boot read, in the order in which it first needed them: what to fetch
/// ahead of the next one. docs/trace.md.
///
/// Invariant: every read has bytes of the file, no byte is in two, times do not fall. So a trace never
/// asks for more than the file, whoever wrote it.
public struct BootTrace: Hashable, Sendable {
  /// A run of bytes.
  public struct Read: Hashable, Sendable {
    /// First byte, from the beginning of the file.
    public var offset: UInt64
    /// Number of bytes, at least 1.
    public var length: UInt64
    /// When its first byte was read, from the start of the boot.
    public var milliseconds: UInt32

    /// A read from its parts.
    public init(offset: UInt64, length: UInt64, milliseconds: UInt32) {
      self.offset = offset
      self.length = length
      self.milliseconds = milliseconds
    }

    /// The bytes. Only of a read of a trace, whose end is no overflow.
    public var range: Range<UInt64> { offset..<(offset + length) }
  }

  /// Bytes in the file.
  public let fileSize: UInt64
  /// What was read, in order.
  public let reads: [Read]

  /// A trace from its parts, which are checked.
  public init(fileSize: UInt64, reads: [Read]) throws(TraceError) {
    guard fileSize <= MetainfoLimits.contentBytes else {
      throw TraceError(.fileSize(fileSize), at: .read(0))
    }
    guard reads.count <= TraceLimits.reads else {
      throw TraceError(.tooManyReads(UInt64(reads.count)), at: .read(TraceLimits.reads))
    }
    var time: UInt32 = 0
    for (index, read) in reads.enumerated() {
      guard read.offset < fileSize, read.length > 0, read.length <= fileSize - read.offset else {
        throw TraceError(.outside, at: .read(index))
      }
      guard (time...TraceLimits.milliseconds).contains(read.milliseconds) else {
        throw TraceError(.time, at: .read(index))
      }
      time = read.milliseconds
    }
    let byPlace = reads.indices.sorted { reads[$0].offset < reads[$1].offset }
    for (index, next) in zip(byPlace, byPlace.dropFirst())
    where reads[index].range.upperBound > reads[next].offset {
      throw TraceError(.overlap, at: .read(max(index, next)))
    }
    self.fileSize = fileSize
    self.reads = reads
  }

  /// What a recorder has, which keeps the invariants as it goes.
  init(recorded reads: [Read], fileSize: UInt64) {
    self.fileSize = fileSize
    self.reads = reads
  }

  /// Bytes in all reads together, at most those of the file.
  public var byteCount: UInt64 { reads.reduce(0) { $0 + $1.length } }

  /// What the trace says of a file that is not the one it was made from, such as another version of
  /// an image: what lies inside of it.
  public func fitted(to fileSize: UInt64) -> [Read] {
    reads.compactMap { read in
      guard read.offset < fileSize else { return nil }
      return Read(
        offset: read.offset, length: min(read.length, fileSize - read.offset),
        milliseconds: read.milliseconds)
    }
  }

  /// For people: a line each read, with its time in milliseconds, its first byte and its length,
  /// below a head of lines that begin with "#".
  public var text: String {
    let last = reads.last?.milliseconds ?? 0
    let head = "# \(reads.count) reads, \(byteCount) of \(fileSize) bytes, \(last) ms\n"
    let lines = reads.map { "\($0.milliseconds) \($0.offset) \($0.length)\n" }
    return head + "# ms offset length\n" + lines.joined()
  }
}
