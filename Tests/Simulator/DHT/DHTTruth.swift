import Metainfo
import TestSupport
import Wire

/// A dataset whose heads are put into the DHT, and what is true of it.
final class DHTDataset {
  let number: Int
  let secret: DatasetSecret
  /// The host that publishes; it stays.
  let publisher: Int
  /// Hostile hosts sit next to its head.
  let isBesieged: Bool
  /// All heads, from number 1.
  private(set) var items: [MutableItem] = []
  /// Heads whose put has ended with somebody who took it, and on which side alone, if the network was
  /// in two parts.
  private(set) var kept: [(number: Int64, side: Int?)] = []

  init(number: Int, publisher: Int, isBesieged: Bool, random: inout SplitMix64) {
    guard let secret = DatasetSecret(seed: random.bytes(DatasetSecret.seedByteCount)) else {
      preconditionFailure("a seed has 32 bytes")
    }
    (self.number, self.publisher, self.isBesieged) = (number, publisher, isBesieged)
    self.secret = secret
  }

  var key: DatasetKey { secret.key }

  func item(_ number: Int64) -> MutableItem? {
    number >= 1 && number <= items.count ? items[Int(number) - 1] : nil
  }

  /// Signs the next head: of the usual size, or as large as there may be.
  func publish(random: inout SplitMix64) -> MutableItem {
    let size = random.chance(of: 200) ? 996 : 60
    do {
      let item = try MutableItem(
        signedBy: secret, sequence: Int64(items.count) + 1,
        value: Array("\(size):".utf8) + random.bytes(size))
      items.append(item)
      return item
    } catch { preconditionFailure("a head that cannot be: \(error)") }
  }

  func keep(_ number: Int64, side: Int?) { kept.append((number, side)) }

  /// The newest head that somebody on a side can be expected to find.
  func newest(for side: Int?) -> Int64? {
    kept.lazy.filter { side == nil || $0.side == nil || $0.side == side }.map(\.number).max()
  }

  /// A side on which its newest head is and the others are not.
  var newestSide: Int? { kept.max { $0.number < $1.number }?.side }
}

/// A torrent with peers, or a value by its hash: what honest hosts have stored of it.
struct DHTThing {
  let infohash: SHA1Digest
  var value: ImmutableItem?
  /// Peers that somebody has taken, or the one that put the value, with the side as above and the time
  /// in microseconds.
  var stored: [(place: PeerEndpoint, side: Int?, time: Int64)] = []

  /// Nobody puts it again, so after so long many of those who kept it have left.
  static let life: Int64 = 900_000_000

  func isStored(for side: Int?, now: Int64) -> Bool {
    stored.contains {
      (side == nil || $0.side == nil || $0.side == side) && now - $0.time < Self.life
    }
  }

  /// A side on which it was stored last, and not long ago.
  func newestSide(now: Int64) -> Int? {
    stored.last.flatMap { now - $0.time < Self.life ? $0.side : nil }
  }
}

/// A lookup of an honest host, and what is to come of it.
struct DHTErrand {
  enum Kind: String, CaseIterable {
    case get, put, peers, announce, value, putValue
  }

  let kind: Kind
  let phase: DHTPhase
  /// Which dataset, torrent or value.
  let subject: Int
  /// When it began, in microseconds.
  let began: Int64
  /// The head to be found at least, or that is put; 0 where nothing is known to be there.
  var floor: Int64 = 0
  /// Nothing up to this number may be reported.
  var newest: Int64?
  /// When the first thing that is right was found.
  var foundAt: Int64?
}

/// What the network goes through.
enum DHTPhase: String, CaseIterable {
  /// Churn, loss and the hostile, and no more.
  case steady
  /// In two parts.
  case divided
  /// One again, for so short a time that the parts may not have met.
  case healing
  /// One again: what was stored on one side is looked for on the other.
  case healed
  /// A third of all hosts has just left.
  case deserted
}
