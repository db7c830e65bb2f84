import Metainfo

/// A dataset whose newest version is followed by its key. Belongs to one `Swarm`.
final class FollowedDataset {
  let key: DatasetKey
  /// Which of the key's items is the head; empty for the one without salt.
  let salt: [UInt8]
  /// Those who alone are told of it; nil for everybody.
  let group: PrivateGroup?
  /// The newest head that was seen. Invariant: it is only ever replaced by one with a larger number.
  private(set) var head: Head?
  /// The largest number of which it was told that the key was used twice.
  private(set) var toldTwice: Int64?

  init(key: DatasetKey, salt: [UInt8], group: PrivateGroup?) {
    (self.key, self.salt, self.group) = (key, salt, group)
  }

  /// Takes the item if it is a newer head.
  func judge(_ item: MutableItem) -> HeadVerdict {
    guard item.key == key, item.salt == salt else { return .notFollowed }
    if let known = head?.item {
      if item.sequence < known.sequence { return .older }
      if item.sequence == known.sequence {
        return item.value == known.value ? .known : .keyUsedTwice
      }
    }
    do throws(HeadError) {
      head = try Head(item)
      return .newer
    } catch {
      return .unreadable(error)
    }
  }

  /// Whether it is news that there are two heads of this number.
  func isNewlyTwice(_ sequence: Int64) -> Bool {
    if let toldTwice, toldTwice >= sequence { return false }
    toldTwice = sequence
    return true
  }
}

/// What an item is to a dataset that is followed.
public enum HeadVerdict: Hashable, Sendable {
  /// The newest head: it counts from now on, and peers are told.
  case newer
  /// What is known already.
  case known
  /// Of an earlier version than the newest one known: never followed.
  case older
  /// Another one of the same number is known. Both are signed, so the key was used twice; the one that
  /// came first stays.
  case keyUsedTwice
  /// It is no head.
  case unreadable(HeadError)
  /// It is of no dataset that is followed.
  case notFollowed
}

/// How a dataset is doing that is followed.
public struct DatasetStatus: Sendable {
  /// The newest head known.
  public var head: Head?
  /// Whether another head of the same number was seen.
  public var isKeyUsedTwice = false
  /// Peers that are connected and that exchange heads, each once.
  public var peers = 0
  /// Of those, peers known to have the newest head.
  public var peersWithHead = 0
  /// Known peers that were reached last and do not share any torrent of the dataset that they were asked for, as many as
  /// in the torrent that has most of them. `TorrentStatus.refusingPeers`.
  public var refusingPeers = 0

  init() {}
}
