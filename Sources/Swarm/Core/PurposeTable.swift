import Metainfo
import Wire

/// What something is asked of a content for.
enum Purpose {
  /// For a peer that asked for it.
  case upload(ConnectionID, BlockRequest)
  /// For a reader.
  case read(ReadID)
  /// Hashes, for a peer that asked for them.
  case hashes(ConnectionID)
}

/// Purposes of the reads under way, each by a number that travels with the read.
struct PurposeTable {
  private var entries: [Purpose?] = []
  private var free: [Int] = []

  init() {}

  /// How many there are.
  var count: Int { entries.count - free.count }

  /// Keeps a purpose; the number is unique until it is taken.
  mutating func keep(_ purpose: Purpose) -> UInt64 {
    if let place = free.popLast() {
      entries[place] = purpose
      return UInt64(place)
    }
    entries.append(purpose)
    return UInt64(entries.count - 1)
  }

  /// Takes a purpose out; nil when there is none of that number.
  mutating func take(_ number: UInt64) -> Purpose? {
    let place = Int(number)
    guard entries.indices.contains(place), let purpose = entries[place].take() else { return nil }
    free.append(place)
    return purpose
  }
}
