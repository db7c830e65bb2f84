/// Blocks of one map on disk: small for sparse sets and for full ones.
///
/// The set's chunks of 4,096 numbers in order, as items. An item is a varint (7 bits a byte, low
/// bits first) of `count * 4 + kind`, then by kind:
///
/// | kind | what | follows |
/// |---|---|---|
/// | 0 | `count` chunks without members | nothing |
/// | 1 | `count` chunks with all members | nothing |
/// | 2 | one chunk in runs | `count` pairs of varints: gap before the run, length of the run |
/// | 3 | one chunk bit by bit; `count` is 1 | 512 bytes, low bits first |
extension BlockSet {
  private static let bitmapBytes = chunkBits / 8

  /// No encoding of `capacity` numbers has more bytes than this.
  static func maximumEncodedBytes(capacity: Int) -> Int {
    ((capacity + chunkBits - 1) / chunkBits) * (bitmapBytes + 1) + 8
  }

  func encode(into bytes: inout [UInt8]) {
    var index = 0
    while index < chunks.count {
      switch chunks[index] {
      case .some(let words):
        Self.encode(words, into: &bytes)
        index += 1
      case let same:
        let end = chunks[index...].firstIndex { $0 != same } ?? chunks.count
        Self.append((end - index) * 4 + (same == .all ? 1 : 0), to: &bytes)
        index = end
      }
    }
  }

  /// The set that was encoded, nil when the bytes are no such encoding.
  init?(capacity: Int, reading reader: inout SlotReader) {
    self.init(capacity: capacity)
    var index = 0
    while index < chunks.count {
      guard let item = reader.varint() else { return nil }
      let count = item / 4
      switch item % 4 {
      case 0, 1:
        guard count > 0, count <= chunks.count - index else { return nil }
        if item % 4 == 1 { for chunk in index..<(index + count) { fillChunk(chunk) } }
        index += count
      case 2:
        guard let words = Self.readRuns(count, limit: bits(of: index).count, &reader) else {
          return nil
        }
        setChunk(index, words: words)
        index += 1
      default:
        guard count == 1, let words = Self.readBitmap(limit: bits(of: index).count, &reader) else {
          return nil
        }
        setChunk(index, words: words)
        index += 1
      }
    }
  }

  private static func encode(_ words: [UInt64], into bytes: inout [UInt8]) {
    let start = bytes.count
    var runs = 0
    Self.runs(in: words) { _ in runs += 1 }
    append(runs * 4 + 2, to: &bytes)
    var end = 0
    Self.runs(in: words) { run in
      append(run.lowerBound - end, to: &bytes)
      append(run.count, to: &bytes)
      end = run.upperBound
    }
    guard bytes.count - start > bitmapBytes + 1 else { return }
    bytes.removeSubrange(start...)
    append(1 * 4 + 3, to: &bytes)
    for word in words { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
  }

  private static func readRuns(_ count: Int, limit: Int, _ reader: inout SlotReader) -> [UInt64]? {
    var words = [UInt64](repeating: 0, count: wordsPerChunk)
    var end = 0
    for _ in 0..<count {
      guard let gap = reader.varint(), gap <= limit - end else { return nil }
      let start = end + gap
      guard let length = reader.varint(), length > 0, length <= limit - start else { return nil }
      end = start + length
      for bit in start..<end { words[bit / 64] |= 1 << UInt64(bit % 64) }
    }
    return words
  }

  private static func readBitmap(limit: Int, _ reader: inout SlotReader) -> [UInt64]? {
    var words: [UInt64] = []
    words.reserveCapacity(wordsPerChunk)
    for word in 0..<wordsPerChunk {
      guard let bits = reader.integer(UInt64.self) else { return nil }
      let inWord = min(max(limit - word * 64, 0), 64)
      guard inWord == 64 || bits >> UInt64(inWord) == 0 else { return nil }
      words.append(bits)
    }
    return words
  }

  private static func append(_ value: Int, to bytes: inout [UInt8]) {
    var rest = UInt64(value)
    while rest > 0x7f {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

/// Reads a slot's fields; nil at the end or where a field is no number. Never traps.
struct SlotReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// Bytes not yet read.
  var remaining: Int { rest.count }

  mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, count <= rest.count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  /// A little-endian number.
  mutating func integer<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
    bytes(MemoryLayout<Number>.size).map { field in
      field.reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }
  }

  /// A varint below 2^35, more than any count here.
  mutating func varint() -> Int? {
    var value = 0
    for shift in stride(from: 0, to: 35, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= Int(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }
}
