import Metainfo

/// The blocks of one info dictionary of a claimed size, as they come from several peers.
struct MetadataCollection: Sendable {
  /// A block that came.
  struct Block: Sendable {
    let bytes: [UInt8]
    /// Who sent it; nil once that peer is gone.
    var sender: UInt32?
  }

  /// A block of a whole that was wrong: who sent it, and what, by its hash.
  struct Suspicion: Sendable {
    var sender: UInt32?
    let digest: SHA256Digest
  }

  /// One peer that is asked for everything, after a whole from several was wrong.
  struct Alone: Sendable {
    let slot: UInt32
    let until: Duration
  }

  /// Size of the dictionary, in bytes.
  let size: Int
  /// By number; nil is missing. Made with the first block.
  private(set) var blocks: [Block?] = []
  /// How many are here.
  private(set) var held = 0
  /// Of the whole that was wrong and came from several: at most one, for then one at a time is asked.
  private(set) var suspicions: [Suspicion] = []
  /// Whether only one peer is asked, for everything.
  private(set) var isStrict = false
  /// Who is asked alone, while there is one.
  private(set) var alone: Alone?
  /// Who had its turn alone, and is behind the others for the next.
  private var turns: [UInt32: Int] = [:]

  /// Nothing is here.
  init(size: Int) { self.size = size }

  /// How many blocks it has.
  var count: Int { (size - 1) / WireBlock.byteCount + 1 }

  /// How many bytes a block has.
  func length(of piece: UInt32) -> Int {
    min(WireBlock.byteCount, size - Int(piece) * WireBlock.byteCount)
  }

  /// Whether the block is here.
  func has(_ piece: UInt32) -> Bool {
    blocks.indices.contains(Int(piece)) && blocks[Int(piece)] != nil
  }

  /// A block came that was missing.
  mutating func insert(_ bytes: [UInt8], _ piece: UInt32, from slot: UInt32) {
    if blocks.isEmpty { blocks = Array(repeating: nil, count: count) }
    if blocks[Int(piece)] == nil { held += 1 }
    blocks[Int(piece)] = Block(bytes: bytes, sender: slot)
  }

  /// All bytes. Whole only.
  func joined() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    for block in blocks { bytes += block?.bytes ?? [] }
    return bytes
  }

  /// Drops all blocks.
  mutating func clear() {
    blocks = []
    held = 0
  }

  /// The whole was wrong. The one who sent all of it, if it was one; else all are suspected, and from
  /// now on one is asked at a time.
  mutating func wasWrong() -> UInt32? {
    let senders = Set(blocks.map { $0?.sender })
    defer { clear() }
    if senders.count == 1, let only = senders.first, let sender = only { return sender }
    isStrict = true
    suspicions = blocks.compactMap { block in
      block.map { Suspicion(sender: $0.sender, digest: SHA256Digest(hashing: $0.bytes)) }
    }
    return nil
  }

  /// Who sent a block that differs from the right one; in order of slots.
  func culprits(right: [UInt8]) -> [UInt32] {
    if suspicions.isEmpty { return [] }
    let digests = stride(from: 0, to: right.count, by: WireBlock.byteCount).map {
      SHA256Digest(hashing: right[$0..<min($0 + WireBlock.byteCount, right.count)])
    }
    var liars: Set<UInt32> = []
    for (found, digest) in zip(suspicions, digests) where found.digest != digest {
      if let sender = found.sender { liars.insert(sender) }
    }
    return liars.sorted()
  }

  /// The peer is gone, and its slot will be another's.
  mutating func forget(_ slot: UInt32) {
    for index in blocks.indices where blocks[index]?.sender == slot { blocks[index]?.sender = nil }
    for index in suspicions.indices where suspicions[index].sender == slot {
      suspicions[index].sender = nil
    }
    turns[slot] = nil
    if alone?.slot == slot { endTurn() }
  }

  /// Gives the turn to who had the fewest of `slots`.
  mutating func beginTurn(of slots: [UInt32], now: Duration) {
    guard isStrict, alone == nil else { return }
    guard let slot = slots.min(by: { (turns[$0, default: 0], $0) < (turns[$1, default: 0], $1) })
    else { return }
    turns[slot, default: 0] += 1
    let time = Duration.seconds(size / PolicyLimits.metadataAloneRate)
    alone = Alone(slot: slot, until: now + PolicyLimits.metadataAloneTime + time)
  }

  /// Whoever has the turn has it no more; what it gave is dropped.
  mutating func endTurn() {
    alone = nil
    clear()
  }
}

/// The unit of BEP 9.
enum WireBlock {
  /// All blocks but the last have so many bytes.
  static let byteCount = 16_384
}
