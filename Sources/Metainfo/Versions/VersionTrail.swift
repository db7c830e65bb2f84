/// The way from a version of a dataset down to older ones, by what each says of the one before.
///
/// It is told of one torrent after the other, and says which is next. Numbers go down with each, so that it
/// ends whatever torrents say.
public struct VersionTrail: Hashable, Sendable {
  /// A version on the way.
  public struct Stop: Hashable, Sendable {
    /// Which version it is.
    public let number: UInt64
    /// Its infohash.
    public let infohash: SHA256Digest

    /// A version by its number and infohash.
    public init(number: UInt64, infohash: SHA256Digest) {
      self.number = number
      self.infohash = infohash
    }
  }

  /// The torrent that must be known to go on; nil where the way has ended.
  public private(set) var next: SHA256Digest?
  /// The last version that was reached; nil before the first.
  public private(set) var last: Stop?
  /// The number that `next` has where that is vouched for: by a head, or by an earlier walk.
  private var expected: UInt64?

  /// The way down from a version, whose number is known.
  public init(from start: Stop) {
    next = start.infohash
    expected = start.number
  }

  /// The number of the torrent that is next, as far as it can be told: where numbers have gaps it is
  /// less. 0 where the way has ended.
  public var nextNumber: UInt64 {
    if next == nil { return 0 }
    return expected ?? (last.map { $0.number - 1 } ?? 0)
  }

  /// The next torrent is known: says which version it is, and goes on to the one before.
  ///
  /// - Precondition: the way has not ended.
  public mutating func arrive(at info: InfoDictionary) throws(VersionTrailError) -> Stop {
    try arrive(at: info.version)
  }

  /// As `arrive(at:)`, by what the torrent says of itself as a version; nil for nothing.
  mutating func arrive(at version: VersionInfo?) throws(VersionTrailError) -> Stop {
    guard let infohash = next else { preconditionFailure("the way has ended") }
    if let expected {
      // A stock publisher of heads (BEP 46) counts and says nothing in the torrent.
      if let version, version.number != expected {
        throw .wrongNumber(version.number, expected: expected)
      }
    } else if let newer = last?.number {
      guard let version else { throw .notAVersion(before: newer) }
      guard version.number < newer else { throw .goesUp(from: newer, to: version.number) }
    }
    let number = version?.number ?? expected ?? 1
    let stop = Stop(number: number, infohash: infohash)
    (last, expected, next) = (stop, nil, version?.previous)
    return stop
  }
}

/// Why the way to older versions cannot be gone.
public enum VersionTrailError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The torrent says that it is another version than the one that was signed.
  case wrongNumber(UInt64, expected: UInt64)
  /// What a version names as the one before says nothing of being a version.
  case notAVersion(before: UInt64)
  /// What a version names as the one before is not older.
  case goesUp(from: UInt64, to: UInt64)

  /// What is wrong.
  public var description: String {
    switch self {
    case .wrongNumber(let number, let expected):
      "the torrent of version \(expected) says that it is version \(number)"
    case .notAVersion(let number):
      "what version \(number) names as the one before it is no version of a dataset"
    case .goesUp(let newer, let number):
      "what version \(newer) names as the one before it says that it is version \(number)"
    }
  }
}
