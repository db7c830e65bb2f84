import Metainfo

/// A block that may be read and handed out: its bytes were hashed, and are where they belong. Only
/// the block map can make one.
public struct VerifiedBlock: Hashable, Sendable {
  /// The block.
  public let block: BlockIndex
  fileprivate init(_ block: BlockIndex) { self.block = block }
}

/// What is known of a block's bytes on disk.
public enum BlockState: Hashable, Sendable {
  /// Nothing: they are to be fetched.
  case missing
  /// They are there; nobody hashed them since they were last known to be safe.
  case claimed
  /// They were hashed.
  case verified
}

/// Which blocks of one file, or of a whole v1 torrent, are on disk and verified.
///
/// In v2 and hybrid torrents every file with bytes has its own map. Pieces of v1 torrents run over
/// file boundaries, so there one map covers the stream, blocks counted as in the torrent.
struct BlockMap: Sendable {
  /// The blocks that the map is about.
  let blocks: BlockRange
  /// Invariant: a member's bytes were hashed since they were last known to be safe.
  private(set) var verified: BlockSet
  /// Invariant: disjoint from `verified`; a member's bytes were hashed by an earlier run, or by this
  /// one before the file changed.
  private(set) var claimed: BlockSet
  /// Said to be there but never hashed: blocks of v1 pieces that are not complete, content that the
  /// user brought. Never in a slot. Invariant: disjoint from both others.
  private(set) var unproven: BlockSet
  /// Invariant: a member is in the newest durable slot, and neither lost nor found wrong since.
  private(set) var durable: BlockSet

  init(blocks: BlockRange) {
    self.blocks = blocks
    verified = BlockSet(capacity: blocks.count)
    claimed = verified
    unproven = verified
    durable = verified
  }

  /// The proof that a block may be read, nil when there is none.
  func verified(_ block: BlockIndex) -> VerifiedBlock? {
    verified.contains(local(block)) ? VerifiedBlock(block) : nil
  }

  func state(of block: BlockIndex) -> BlockState {
    let number = local(block)
    if verified.contains(number) { return .verified }
    return claimed.contains(number) || unproven.contains(number) ? .claimed : .missing
  }

  func isAcknowledged(_ block: BlockIndex) -> Bool {
    durable.contains(local(block)) && verified.contains(local(block))
  }

  /// Takes what a slot says: verified only where the stop was clean and the evidence still holds.
  mutating func load(_ slot: BlockMapSlot, trusted: BlockSet) {
    verified = slot.isClean ? slot.verified.intersection(trusted) : BlockSet(capacity: blocks.count)
    claimed = slot.verified.union(slot.claimed).subtracting(verified)
    durable = verified.union(claimed)
  }

  /// These blocks are said to be there; returns those of which that was not known.
  mutating func claim(_ members: BlockSet) -> BlockSet {
    let new = members.subtracting(verified).subtracting(claimed).subtracting(unproven)
    unproven.formUnion(new)
    return new
  }

  /// These blocks were hashed and are right, and no others are there; false when that was known.
  mutating func prove(_ members: BlockSet) -> Bool {
    guard verified != members else { return false }
    verified = members
    claimed.removeAll()
    unproven.removeAll()
    return true
  }

  /// Whether nothing is known of one of these blocks.
  func isMissingAny(of range: Range<Int>) -> Bool {
    !BlockSet.covers(range, verified, claimed, unproven)
  }

  /// Nothing is known of these blocks any more; returns those that were verified.
  mutating func forget(_ members: BlockSet) -> BlockSet {
    let lost = verified.intersection(members)
    verified.subtract(members)
    claimed.subtract(members)
    unproven.subtract(members)
    durable.subtract(members)
    return lost
  }

  /// Nothing is known of the block's bytes any more.
  mutating func forget(_ block: BlockIndex) {
    let number = local(block)
    verified.remove(number)
    claimed.remove(number)
    unproven.remove(number)
    durable.remove(number)
  }

  /// The block's bytes are in the file, and were hashed before they went there or not yet.
  mutating func wrote(_ block: BlockIndex, hashed: Bool) {
    if hashed { verified.insert(local(block)) } else { unproven.insert(local(block)) }
  }

  /// The bytes of a claimed block were hashed and are right.
  mutating func prove(_ block: BlockIndex) {
    guard state(of: block) == .claimed else { return }
    let number = local(block)
    claimed.remove(number)
    unproven.remove(number)
    verified.insert(number)
  }

  /// The files changed under these blocks: what was verified is a claim again.
  mutating func distrust(_ blocks: BlockSet) {
    let doubtful = verified.intersection(blocks)
    verified.subtract(doubtful)
    claimed.formUnion(doubtful)
  }

  /// A failed fsync: whatever is not in the durable slot may be gone from the medium, and from the
  /// page cache without a further error. Returns what is lost.
  mutating func loseUnsafe() -> BlockSet {
    let lost = verified.union(claimed).union(unproven).subtracting(durable)
    verified.formIntersection(durable)
    claimed.formIntersection(durable)
    unproven.removeAll()
    return lost
  }

  /// A slot with these members is on the medium.
  mutating func becameDurable(_ members: BlockSet) {
    durable = members.intersection(verified.union(claimed))
  }

  /// The block's number in the map.
  func local(_ block: BlockIndex) -> Int {
    guard let number = blocks.position(of: block) else {
      preconditionFailure("block \(block) belongs to another map")
    }
    return number
  }
}
