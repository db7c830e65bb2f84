import Metainfo

/// Which content a block map is about, so that a map is never taken for another file's.
public struct BlockMapIdentity: Hashable, Sendable {
  /// The file's pieces root (BEP 52); in v1 torrents the infohash and 12 zero bytes (BEP 3).
  public var content: SHA256Digest
  /// SHA-256 of the paths of the files, joined by NUL: two files of equal content have two maps.
  public var place: SHA256Digest
  /// Bytes of content.
  public var length: UInt64
  /// Number of blocks, each with a bit.
  public var blockCount: UInt32

  /// An identity from its parts.
  public init(content: SHA256Digest, place: SHA256Digest, length: UInt64, blockCount: UInt32) {
    self.content = content
    self.place = place
    self.length = length
    self.blockCount = blockCount
  }
}

/// One of the two checksummed copies of a block map on disk.
///
/// Numbers are little-endian. 8 bytes "swarmmap", 4 format version (1), 4 flags (bit 0: clean stop),
/// 8 generation, 32 content, 32 place, 8 length, 4 block count, 4 number of files; for each file 1
/// byte (0: no such file, 1: evidence follows) and 8 bytes each of size, modified, changed, inode;
/// the set of verified blocks, the set of claimed blocks (`BlockSet`); 32 bytes SHA-256 of all
/// before. Whatever stands behind is an older, longer slot's and means nothing.
struct BlockMapSlot: Hashable, Sendable {
  static let magic = Array("swarmmap".utf8)
  static let formatVersion: UInt32 = 1
  private static let fixedBytes = 8 + 4 + 4 + 8 + 32 + 32 + 8 + 4 + 4
  private static let evidenceBytes = 1 + 4 * 8

  /// Higher is newer.
  var generation: UInt64
  /// Whether nothing was written after this slot: `verified` holds as long as the evidence does.
  var isClean: Bool
  /// For each file that holds content, in order; nil for a file that was not there. Empty unless the
  /// slot is clean.
  var evidence: [FileEvidence?]
  /// Blocks whose bytes were hashed, and were on the medium before this slot was.
  var verified: BlockSet
  /// Blocks that an earlier slot had as verified and nobody hashed since.
  var claimed: BlockSet

  /// Room for any slot of a map, in bytes: the second one starts here. A multiple of 4,096.
  static func capacity(blockCount: UInt32, fileCount: Int) -> UInt64 {
    let bytes =
      fixedBytes + fileCount * evidenceBytes
      + 2 * BlockSet.maximumEncodedBytes(capacity: Int(blockCount)) + SHA256Digest.byteCount
    return UInt64((bytes + 4095) / 4096 * 4096)
  }

  func encoded(_ identity: BlockMapIdentity) -> [UInt8] {
    var bytes = Self.magic
    func append(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    append(Self.formatVersion)
    append(UInt32(isClean ? 1 : 0))
    append(generation)
    bytes.append(contentsOf: identity.content.bytes)
    bytes.append(contentsOf: identity.place.bytes)
    append(identity.length)
    append(identity.blockCount)
    append(UInt32(evidence.count))
    for evidence in evidence {
      append(UInt8(evidence == nil ? 0 : 1))
      append(evidence?.size ?? 0)
      append(evidence?.modified ?? 0)
      append(evidence?.changed ?? 0)
      append(evidence?.inode ?? 0)
    }
    verified.encode(into: &bytes)
    claimed.encode(into: &bytes)
    bytes.append(contentsOf: SHA256Digest(hashing: bytes).bytes)
    return bytes
  }

  /// The slot at the start of `bytes`, nil unless it is whole, of this format, and about `identity`.
  init?(_ bytes: [UInt8], identity: BlockMapIdentity) {
    var reader = SlotReader(bytes[...])
    guard reader.bytes(8).map({ $0.elementsEqual(Self.magic) }) == true,
      reader.integer(UInt32.self) == Self.formatVersion,
      let flags = reader.integer(UInt32.self), flags <= 1,
      let generation = reader.integer(UInt64.self),
      reader.bytes(32).flatMap({ SHA256Digest($0) }) == identity.content,
      reader.bytes(32).flatMap({ SHA256Digest($0) }) == identity.place,
      reader.integer(UInt64.self) == identity.length,
      reader.integer(UInt32.self) == identity.blockCount,
      let evidence = Self.readEvidence(&reader),
      let verified = BlockSet(capacity: Int(identity.blockCount), reading: &reader),
      let claimed = BlockSet(capacity: Int(identity.blockCount), reading: &reader),
      case let end = bytes.count - reader.remaining,
      let checksum = reader.bytes(32).flatMap({ SHA256Digest($0) }),
      checksum == SHA256Digest(hashing: bytes[..<end])
    else { return nil }
    self.init(
      generation: generation, isClean: flags == 1, evidence: evidence, verified: verified,
      claimed: claimed)
  }

  init(
    generation: UInt64, isClean: Bool, evidence: [FileEvidence?], verified: BlockSet,
    claimed: BlockSet
  ) {
    self.generation = generation
    self.isClean = isClean
    self.evidence = evidence
    self.verified = verified
    self.claimed = claimed
  }

  /// The newer of the valid ones, and which it is: 0 or 1.
  static func newest(
    _ slots: [[UInt8]], identity: BlockMapIdentity
  ) -> (slot: BlockMapSlot, index: Int)? {
    var newest: (slot: BlockMapSlot, index: Int)?
    for (index, bytes) in slots.enumerated() {
      guard let slot = BlockMapSlot(bytes, identity: identity) else { continue }
      if slot.generation >= newest?.slot.generation ?? 0 { newest = (slot, index) }
    }
    return newest
  }

  private static func readEvidence(_ reader: inout SlotReader) -> [FileEvidence?]? {
    guard let count = reader.integer(UInt32.self) else { return nil }
    var evidence: [FileEvidence?] = []
    for _ in 0..<count {
      guard let flag = reader.integer(UInt8.self), flag <= 1,
        let size = reader.integer(UInt64.self), let modified = reader.integer(Int64.self),
        let changed = reader.integer(Int64.self), let inode = reader.integer(UInt64.self)
      else { return nil }
      evidence.append(
        flag == 0
          ? nil : FileEvidence(size: size, modified: modified, changed: changed, inode: inode))
    }
    return evidence
  }
}
