/// A trace in bytes. docs/trace.md has the layout. There is one way to write a trace: what can be
/// read is written again with the same bytes.
extension BootTrace {
  private static let magic = Array("swarmtrc".utf8)
  private static let formatVersion: UInt8 = 1

  /// The bytes.
  public var encoded: [UInt8] {
    var bytes = Self.magic
    bytes.append(Self.formatVersion)
    Self.append(fileSize, to: &bytes)
    Self.append(UInt64(reads.count), to: &bytes)
    var end: UInt64 = 0
    var time: UInt32 = 0
    for read in reads {
      Self.append(UInt64(read.milliseconds - time), to: &bytes)
      let step = Int64(read.offset) - Int64(end)
      Self.append(UInt64(bitPattern: step << 1 ^ step >> 63), to: &bytes)
      Self.append(read.length, to: &bytes)
      end = read.range.upperBound
      time = read.milliseconds
    }
    return bytes + SHA256Digest(hashing: bytes).bytes
  }

  /// The trace that was written so. The bytes may come from anywhere.
  public init(encoded bytes: [UInt8]) throws(TraceError) {
    guard bytes.count <= TraceLimits.bytes else {
      throw TraceError(.tooLong(bytes.count), at: .byte(TraceLimits.bytes))
    }
    guard bytes.starts(with: Self.magic) else { throw TraceError(.noTrace, at: .byte(0)) }
    let end = bytes.count - SHA256Digest.byteCount
    guard end > Self.magic.count else { throw TraceError(.truncated, at: .byte(bytes.count)) }
    let version = bytes[Self.magic.count]
    guard version == Self.formatVersion else {
      throw TraceError(.version(version), at: .byte(Self.magic.count))
    }
    guard SHA256Digest(bytes[end...]) == SHA256Digest(hashing: bytes[..<end]) else {
      throw TraceError(.checksum, at: .byte(end))
    }
    var reader = TraceReader(bytes: bytes, offset: Self.magic.count + 1, end: end)
    let fileSize = try reader.number()
    let count = try reader.number()
    guard count <= TraceLimits.reads else {
      throw TraceError(.tooManyReads(count), at: .byte(reader.offset))
    }
    var reads: [Read] = []
    var place: Int64 = 0
    var time: UInt64 = 0
    for index in 0..<Int(count) {
      // All of these are below 2^56, and `place` is below 2^57 while it is in the file.
      time += try reader.number()
      let step = try reader.number()
      let length = try reader.number()
      place += Int64(step >> 1) ^ -Int64(step & 1)
      guard let milliseconds = UInt32(exactly: time) else {
        throw TraceError(.time, at: .read(index))
      }
      guard place >= 0, UInt64(place) < fileSize else {
        throw TraceError(.outside, at: .read(index))
      }
      reads.append(
        Read(offset: UInt64(place), length: length, milliseconds: milliseconds))
      place += Int64(length)
    }
    guard reader.offset == end else {
      throw TraceError(.surplus(end - reader.offset), at: .byte(reader.offset))
    }
    try self.init(fileSize: fileSize, reads: reads)
  }

  /// Seven bits a byte, low bits first; the last byte is below 128.
  private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest > 0x7f {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

/// Reads numbers one after the other.
private struct TraceReader {
  let bytes: [UInt8]
  var offset: Int
  let end: Int

  /// Below 2^56.
  mutating func number() throws(TraceError) -> UInt64 {
    var value: UInt64 = 0
    let start = offset
    for shift in stride(from: UInt64(0), to: 56, by: 7) {
      guard offset < end else { throw TraceError(.truncated, at: .byte(offset)) }
      let byte = bytes[offset]
      offset += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 {
        if byte == 0, offset - start > 1 { break }
        return value
      }
    }
    throw TraceError(.number, at: .byte(start))
  }
}
