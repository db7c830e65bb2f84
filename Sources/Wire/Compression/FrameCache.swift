/// Frames of blocks that were asked for lately, so that a popular block is compressed once. Remembers as well of
/// which blocks none is worth sending. Bounded by bytes; what was not asked for since it was last passed over makes room
/// ("clock").
public struct FrameCache<Key: Hashable & Sendable, Frame: Sendable>: Sendable {
  /// What is known of a block.
  public enum Entry: Sendable {
    /// Its frame.
    case frame(Frame)
    /// It is not worth compressing.
    case plain
  }

  private struct Slot {
    let key: Key
    let entry: Entry
    let cost: Int
    var wasUsed: Bool
  }

  /// What an entry costs besides its frame, about.
  private static var overhead: Int { 128 }

  /// Bytes that it may take.
  public let capacity: Int
  /// Bytes that it takes.
  public private(set) var cost = 0
  private var slots: [Slot] = []
  private var places: [Key: Int] = [:]
  private var hand = 0

  /// A cache of at most `capacity` bytes; with 0 it keeps nothing.
  public init(capacity: Int) { self.capacity = capacity }

  /// How many blocks it knows of.
  public var count: Int { slots.count }

  /// What is known of a block.
  public mutating func entry(of key: Key) -> Entry? {
    guard let place = places[key] else { return nil }
    slots[place].wasUsed = true
    return slots[place].entry
  }

  /// Keeps what is known of a block. One that does not fit at all is not kept.
  ///
  /// - Parameter byteCount: memory that the frame takes.
  public mutating func insert(_ entry: Entry, byteCount: Int, for key: Key) {
    if let place = places[key] { remove(at: place) }
    let needed = byteCount + Self.overhead
    guard needed <= capacity else { return }
    while cost + needed > capacity {
      if hand >= slots.count { hand = 0 }
      if slots[hand].wasUsed {
        slots[hand].wasUsed = false
        hand += 1
      } else {
        remove(at: hand)
      }
    }
    places[key] = slots.count
    slots.append(Slot(key: key, entry: entry, cost: needed, wasUsed: false))
    cost += needed
  }

  /// Forgets blocks that will not be asked for any more, or whose bytes have changed.
  public mutating func forget(where isGone: (Key) -> Bool) {
    for place in slots.indices.reversed() where isGone(slots[place].key) { remove(at: place) }
  }

  /// The last slot takes its place.
  private mutating func remove(at place: Int) {
    let slot = slots[place]
    cost -= slot.cost
    places[slot.key] = nil
    let last = slots.removeLast()
    if place < slots.count {
      slots[place] = last
      places[last.key] = place
    }
  }
}
