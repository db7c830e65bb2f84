/// What a torrent says of itself as one version of a dataset: the dictionary under `swarm` in its
/// info dictionary, so that the infohash covers it.
///
/// Invariants: the number is at least 1, and version 1 has none before it. The message has at most
/// `messageBytes` bytes.
public struct VersionInfo: Hashable, Sendable {
  /// Bytes in a message at the most: a page of text, which everyone who joins fetches.
  public static let messageBytes = 4_096
  /// The largest number: what a head can count to. BEP 44, "seq".
  public static let mostVersions = UInt64(Int64.max)

  /// What a dataset was made from, which somebody else published.
  public struct Parent: Hashable, Sendable {
    /// The dataset.
    public let key: DatasetKey
    /// The infohash of its version.
    public let infohash: SHA256Digest

    /// A version of another dataset.
    public init(key: DatasetKey, infohash: SHA256Digest) {
      self.key = key
      self.infohash = infohash
    }
  }

  /// Which version of the dataset, counted from 1.
  public let number: UInt64
  /// Infohash of the version before; nil for the first, and where it is not known any more.
  public let previous: SHA256Digest?
  /// What the dataset was made from; nil if it is nobody's copy.
  public let parent: Parent?
  /// When it was published, in seconds since 1970; nil when that is not said.
  public let created: Int64?
  /// What the publisher says of it; empty for nothing.
  public let message: String

  /// A version from its parts; nil where an invariant does not hold.
  public init?(
    number: UInt64, previous: SHA256Digest? = nil, parent: Parent? = nil, created: Int64? = nil,
    message: String = ""
  ) {
    guard (1...Self.mostVersions).contains(number), number > 1 || previous == nil,
      message.utf8.count <= Self.messageBytes
    else { return nil }
    self.number = number
    self.previous = previous
    self.parent = parent
    self.created = created
    self.message = message
  }

  /// What stands under `swarm`; nil when that is not of this form. Other programs may use the key for
  /// something else, so that it is no fault of a torrent. Keys that are not known are skipped.
  init?(_ node: BencodeNode) {
    guard let number = node["version"]?.integer.flatMap({ UInt64(exactly: $0) }) else { return nil }
    var previous: SHA256Digest?
    if let value = node["previous"] {
      guard let digest = value.string.flatMap({ SHA256Digest($0) }) else { return nil }
      previous = digest
    }
    var parent: Parent?
    if let value = node["parent"] {
      guard let key = value["key"]?.string.flatMap({ DatasetKey($0) }),
        let infohash = value["infohash"]?.string.flatMap({ SHA256Digest($0) })
      else { return nil }
      parent = Parent(key: key, infohash: infohash)
    }
    var created: Int64?
    if let value = node["created"] {
      guard let seconds = value.integer else { return nil }
      created = seconds
    }
    var message = ""
    if let value = node["message"] {
      guard let bytes = value.string, bytes.count <= Self.messageBytes,
        let text = String(validating: bytes, as: UTF8.self)
      else { return nil }
      message = text
    }
    self.init(
      number: number, previous: previous, parent: parent, created: created, message: message)
  }

  /// What is written under `swarm`.
  var value: BencodeValue {
    var pairs: [[UInt8]: BencodeValue] = [Array("version".utf8): .integer(Int64(number))]
    if let previous { pairs[Array("previous".utf8)] = .string(previous.bytes) }
    if let parent {
      pairs[Array("parent".utf8)] = .dictionary([
        Array("key".utf8): .string(parent.key.bytes),
        Array("infohash".utf8): .string(parent.infohash.bytes),
      ])
    }
    if let created { pairs[Array("created".utf8)] = .integer(created) }
    if !message.isEmpty { pairs[Array("message".utf8)] = .text(message) }
    return .dictionary(pairs)
  }
}
