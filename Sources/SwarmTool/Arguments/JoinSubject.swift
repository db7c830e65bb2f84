import Metainfo

/// What `swarm join` is told to join.
enum JoinSubject: Hashable {
  /// A link with an infohash.
  case link(MagnetLink)
  /// The path of a .torrent.
  case torrent([UInt8])

  /// Reads any of the forms. Besides those of `LinkArgument`, the bare digits of an infohash.
  init(parsing argument: [UInt8]) throws(Failure) {
    if let link = Self.bareInfohash(argument) {
      self = .link(link)
      return
    }
    let parsed = try Failure.wrap { try LinkArgument(parsing: argument) }
    switch parsed {
    case .path(let path): self = .torrent(path)
    case .link(let link):
      guard link.v1Infohash != nil || link.v2Infohash != nil else {
        throw Failure(
          "the link has no infohash, only a dataset's key: joining by key is not there yet; ask for "
            + "a link with xt=urn:btmh: or xt=urn:btih:, or for the .torrent")
      }
      self = .link(link)
    }
  }

  /// 40 digits are a v1 infohash, 64 a v2 one. As a dataset's key 64 digits will be tried when there
  /// is joining by key.
  private static func bareInfohash(_ text: [UInt8]) -> MagnetLink? {
    guard let bytes = [UInt8](hex: String(decoding: text, as: UTF8.self)) else { return nil }
    if let digest = SHA1Digest(bytes) { return MagnetLink(v1Infohash: digest) }
    return SHA256Digest(bytes).map { MagnetLink(v2Infohash: $0) }
  }
}
