import Metainfo

/// What `swarm join` is told to join.
enum JoinSubject: Hashable {
  /// A link with an infohash, a dataset's key, or both.
  case link(MagnetLink)
  /// The path of a .torrent.
  case torrent([UInt8])

  /// Reads any of the forms. Besides those of `LinkArgument`, the bare digits of an infohash.
  ///
  /// - Parameter argument: also where the link stands (`LinkInput`).
  init(parsing argument: [UInt8]) throws(Failure) {
    let argument = try LinkInput.resolve(argument)
    if let link = Self.bareInfohash(argument) {
      self = .link(link)
      return
    }
    let parsed = try LinkAdvice.parse(argument)
    switch parsed {
    case .path(let path): self = .torrent(path)
    case .link(let link): self = .link(link)
    }
  }

  /// 40 digits are a v1 infohash. 64 are a v2 one or a dataset's key: nobody can tell, and both are
  /// looked for.
  static func bareInfohash(_ text: [UInt8]) -> MagnetLink? {
    guard let bytes = [UInt8](hex: String(decoding: text, as: UTF8.self)) else { return nil }
    if let digest = SHA1Digest(bytes) { return MagnetLink(v1Infohash: digest) }
    guard let digest = SHA256Digest(bytes) else { return nil }
    return MagnetLink(v2Infohash: digest, datasetKey: DatasetKey(bytes))
  }
}
