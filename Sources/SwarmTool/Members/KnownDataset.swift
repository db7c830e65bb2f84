import Glibc
import Metainfo
import SwarmNode

/// A dataset as a person names it, and its versions that the state folder knows.
struct KnownDataset {
  /// Its key.
  let key: DatasetKey
  /// What there is about it.
  let dataset: KeyedDataset
  /// Under which its head is found; empty for none.
  let salt: [UInt8]
  /// Its read key; nil for a public one.
  let readKey: ReadKey?
  /// Peers that the link names.
  let peers: [PeerAddress]
  /// The newest head; nil where none was ever seen.
  private(set) var head: Head?

  private let state: StateFolder

  /// The dataset of a key, of a link that has one, or of a path that is published.
  init(_ subject: [UInt8], state: StateFolder) throws(Failure) {
    let subject = try LinkInput.resolve(subject)
    let argument = try LinkAdvice.parse(subject)
    switch argument {
    case .link(var link):
      try link.unlock(in: state)
      guard let key = link.datasetKey else {
        throw Failure("the link has no dataset's key (xs=urn:btpk:), and so no versions")
      }
      if link.version != nil {
        throw Failure("name the dataset without the number of a version")
      }
      self.key = key
      (salt, peers, readKey) = (link.salt, link.peers, link.readKey)
    case .path(let path):
      if access(path.map { CChar(bitPattern: $0) } + [0], F_OK) != 0, errno == ENOENT {
        throw Failure(LinkAdvice.missing(path))
      }
      let real = try Failure.wrap { try RealPath.resolve(path) }
      guard let source = state.publishedSource(at: real) else {
        throw Failure(
          "\(printable(path)) is not published by key here; name the key, or a link that has it")
      }
      key = source.key
      (salt, peers) = ([], [])
      readKey = try state.readKey(of: source.key)
    }
    self.state = state
    dataset = state.dataset(key)
    head = try Failure.wrap { [dataset] in
      try dataset.followedHead { Console.warn($0) }
    }
  }

  /// The dataset of a key.
  init(_ key: DatasetKey, state: StateFolder) throws(Failure) {
    (self.key, self.state) = (key, state)
    (salt, peers) = ([], [])
    readKey = try state.readKey(of: key)
    dataset = state.dataset(key)
    head = try Failure.wrap { [dataset] in
      try dataset.followedHead { Console.warn($0) }
    }
  }

  /// Looks again what the newest head is.
  mutating func update() throws(Failure) {
    head = try Failure.wrap { [dataset] in
      try dataset.followedHead { Console.warn($0) }
    }
  }

  /// A version, if its torrent is here.
  func version(_ number: UInt64) -> KeptVersion? {
    infohash(number).flatMap { state.keptVersion($0) }
  }

  /// The infohash of a version. That of the newest is what its head says.
  func infohash(_ number: UInt64) -> SHA256Digest? {
    guard let head, number <= UInt64(head.version) else { return nil }
    return number == UInt64(head.version)
      ? head.infohashV2 ?? dataset.version(number) : dataset.version(number)
  }

  /// The versions from the newest down, one after the other by what each says of the one before, as
  /// far as their torrents are here; then those that are known by their numbers alone.
  ///
  /// - Parameter limit: how many at the most.
  func history(limit: Int) throws(Failure) -> [Entry] {
    guard let head else { return [] }
    var entries: [Entry] = []
    let known = try Failure.wrap { try dataset.versions() }.filter { $0 < UInt64(head.version) }
    var next: (number: UInt64, infohash: SHA256Digest?)? = (
      UInt64(head.version), infohash(UInt64(head.version))
    )
    while let (number, infohash) = next, entries.count < limit {
      let kept = infohash.flatMap { state.keptVersion($0) }
      entries.append(Entry(number: number, infohash: infohash, kept: kept))
      if let previous = kept?.torrent.info.version?.previous, number > 1 {
        // Numbers may have gaps; one that does not go down would have no end.
        let said = state.keptVersion(previous)?.torrent.info.version?.number
        next = (said.map { min($0, number - 1) } ?? number - 1, previous)
      } else {
        next = known.last { $0 < number }.map { ($0, dataset.version($0)) }
      }
    }
    return entries
  }

  /// A version in the list.
  struct Entry {
    let number: UInt64
    /// nil where only its beginning is known.
    let infohash: SHA256Digest?
    /// nil where its torrent is not here.
    let kept: KeptVersion?
  }
}
