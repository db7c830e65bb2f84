import Metainfo

/// Where a node is in the space of the DHT: 20 bytes. Infohashes and the targets of items are in the
/// same space. BEP 5.
public struct NodeID: Hashable, Sendable {
  /// Size of an id, in bytes.
  public static let byteCount = 20

  /// Bytes 0 to 7, the first of them highest.
  let high: UInt64
  /// Bytes 8 to 15.
  let middle: UInt64
  /// Bytes 16 to 19.
  let low: UInt32

  init(high: UInt64, middle: UInt64, low: UInt32) {
    self.high = high
    self.middle = middle
    self.low = low
  }

  /// An id from its 20 bytes; nil for another length.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    var high: UInt64 = 0
    var middle: UInt64 = 0
    var low: UInt32 = 0
    for (index, byte) in bytes.enumerated() {
      switch index {
      case ..<8: high = high << 8 | UInt64(byte)
      case ..<16: middle = middle << 8 | UInt64(byte)
      default: low = low << 8 | UInt32(byte)
      }
    }
    self.init(high: high, middle: middle, low: low)
  }

  /// The place of an infohash, or of an item.
  public init(_ digest: SHA1Digest) {
    self = digest.withUnsafeBytes { bytes in
      NodeID(
        high: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self).bigEndian,
        middle: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self).bigEndian,
        low: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self).bigEndian)
    }
  }

  /// The first of all ids.
  public static let zero = NodeID(high: 0, middle: 0, low: 0)

  /// Any id.
  public static func random(using generator: inout some RandomNumberGenerator) -> NodeID {
    NodeID(
      high: generator.next(), middle: generator.next(),
      low: UInt32(truncatingIfNeeded: generator.next()))
  }

  /// Any id whose first `bits` bits are those of `id`, 0 to 160.
  public static func random(
    near id: NodeID, bits: Int, using generator: inout some RandomNumberGenerator
  ) -> NodeID {
    let other = random(using: &generator)
    func mask<Word: FixedWidthInteger>(_ bits: Int, _: Word.Type) -> Word {
      bits <= 0 ? 0 : bits >= Word.bitWidth ? ~0 : ~(~0 >> Word(bits))
    }
    func mix<Word: FixedWidthInteger & UnsignedInteger>(_ a: Word, _ b: Word, _ bits: Int) -> Word {
      let mask = mask(bits, Word.self)
      return a & mask | b & ~mask
    }
    return NodeID(
      high: mix(id.high, other.high, bits), middle: mix(id.middle, other.middle, bits - 64),
      low: mix(id.low, other.low, bits - 128))
  }

  /// The id that differs in one bit, counted from the first, 0 to 159.
  public func turned(bit: Int) -> NodeID {
    NodeID(
      high: bit < 64 ? high ^ 1 << UInt64(63 - bit) : high,
      middle: (64..<128).contains(bit) ? middle ^ 1 << UInt64(127 - bit) : middle,
      low: bit >= 128 ? low ^ 1 << UInt32(159 - bit) : low)
  }

  /// The 20 bytes.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount)
    append(to: &bytes)
    return bytes
  }

  /// Writes the 20 bytes behind `bytes`.
  func append(to bytes: inout [UInt8]) {
    withUnsafeBytes(of: high.bigEndian) { bytes.append(contentsOf: $0) }
    withUnsafeBytes(of: middle.bigEndian) { bytes.append(contentsOf: $0) }
    withUnsafeBytes(of: low.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// The same place as an infohash.
  public var digest: SHA1Digest {
    guard let digest = SHA1Digest(bytes) else { preconditionFailure("both have 20 bytes") }
    return digest
  }

  /// How far apart two ids are. BEP 5: the exclusive or, as a number.
  @inline(__always)
  public func distance(to other: NodeID) -> NodeDistance {
    NodeDistance(
      high: high ^ other.high, middle: middle ^ other.middle, low: low ^ other.low)
  }

  /// How many leading bits two ids share, 0 to 160.
  public func sharedBits(with other: NodeID) -> Int {
    distance(to: other).leadingZeroBits
  }
}

extension NodeID: CustomStringConvertible {
  /// 40 lower-case hexadecimal digits.
  public var description: String { bytes.hex }
}

/// The distance of two ids. BEP 5.
public struct NodeDistance: Comparable, Hashable, Sendable {
  let high: UInt64
  let middle: UInt64
  let low: UInt32

  /// Whether one distance is the shorter.
  @inline(__always)
  public static func < (a: NodeDistance, b: NodeDistance) -> Bool {
    if a.high != b.high { return a.high < b.high }
    if a.middle != b.middle { return a.middle < b.middle }
    return a.low < b.low
  }

  /// 0 to 160: the larger, the nearer.
  public var leadingZeroBits: Int {
    if high != 0 { return high.leadingZeroBitCount }
    if middle != 0 { return 64 + middle.leadingZeroBitCount }
    return 128 + low.leadingZeroBitCount
  }
}

/// A node and where it is reached. On the wire 26 or 38 bytes: BEP 5, "Compact node info"; BEP 32.
public struct NodeContact: Hashable, Sendable {
  /// Which node.
  public var id: NodeID
  /// Where it listens, UDP.
  public var endpoint: PeerEndpoint

  /// A contact from its parts.
  public init(id: NodeID, endpoint: PeerEndpoint) {
    self.id = id
    self.endpoint = endpoint
  }

  /// A contact from its 26 or 38 bytes; nil for another length.
  public init?(compact bytes: some Collection<UInt8>) {
    guard let id = NodeID(bytes.prefix(NodeID.byteCount)),
      let endpoint = PeerEndpoint(compact: bytes.dropFirst(NodeID.byteCount))
    else { return nil }
    self.init(id: id, endpoint: endpoint)
  }

  /// Writes the 26 or 38 bytes behind `bytes`.
  public func append(to bytes: inout [UInt8]) {
    id.append(to: &bytes)
    bytes.append(contentsOf: endpoint.compact)
  }
}
