import Metainfo
import TestSupport
import Wire

/// What is true of the dataset that all follow: its key, and what was published.
final class HeadTruth {
  /// Bytes that may wait for one peer: heads have 1,300, and peer exchange comes once a minute.
  static let mostQueuedBytes = 64 << 10
  /// Peers where only heads travel: 20, and 8 that are told and go.
  static let mostPeers = 28

  let secret: DatasetSecret
  /// What was published under each number: more than one where the key was used twice.
  private(set) var published: [Int64: [MutableItem]] = [:]
  /// Hosts that may be banned.
  var liars: Set<IPAddress> = []

  init(random: inout SplitMix64) {
    guard let secret = DatasetSecret(seed: random.bytes(DatasetSecret.seedByteCount)) else {
      preconditionFailure("a seed has 32 bytes")
    }
    self.secret = secret
  }

  var key: DatasetKey { secret.key }

  /// Publishes a version; under a number that there is already, another one.
  func publish(_ version: Int64) throws -> MutableItem {
    let variant = published[version, default: []].count
    let infohash = SHA256Digest(hashing: Array("version \(version) variant \(variant)".utf8))
    let item = try Head(version: version, infohash: infohash, signedBy: secret).item
    published[version, default: []].append(item)
    return item
  }

  func isGenuine(_ item: MutableItem) -> Bool {
    published[item.sequence]?.contains(item) ?? false
  }

  func isTwice(_ version: Int64) -> Bool { (published[version]?.count ?? 0) > 1 }
}
