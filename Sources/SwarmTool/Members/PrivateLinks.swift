import Metainfo
import Swarm
import SwarmNode

/// How links of private datasets are used (docs/private.md): the read key goes to the state folder, and from
/// there to all that is done with the dataset.
extension MagnetLink {
  /// Whether it is of a private dataset, as far as is known.
  var isPrivate: Bool { readKey != nil }

  /// Makes it one that can be used: the read key is kept, or taken from the state folder where the link
  /// has none, so that a private dataset is never taken for a public one.
  mutating func unlock(in state: StateFolder) throws(Failure) {
    guard let key = datasetKey else {
      if readKey != nil {
        throw Failure(
          "the link has a read key (x.rk=), but not the private dataset's own key (xs=urn:btpk:): ask for "
            + "the whole link")
      }
      return try state.refusePrivate(v1: v1Infohash, v2: v2Infohash)
    }
    if readKey != nil, try !state.isPrivate(key) {
      let isKnown = try Failure.wrap { [dataset = state.dataset(key)] in
        try dataset.head() != nil || !dataset.versions().isEmpty
      }
      if isKnown {
        throw Failure(
          "the dataset \(key) is known here as a public one, and the link says that it is private: it "
            + "cannot be both; use another --state")
      }
    }
    if let readKey { try Failure.wrap { try state.keep(readKey, of: key) } }
    readKey = try state.readKey(of: key)
    guard isPrivate else { return }
    // 64 digits alone may have been either, and a key stands nowhere in the open.
    if v2Infohash?.bytes == key.bytes { v2Infohash = nil }
    // Nobody but peers that have the link is asked.
    (trackers, webSeeds) = ([], [])
  }
}

extension JoinSubject {
  /// The same, as it can be used (`MagnetLink.unlock`).
  func unlocked(in state: StateFolder) throws(Failure) -> JoinSubject {
    guard case .link(var link) = self else { return self }
    try link.unlock(in: state)
    return .link(link)
  }
}

extension StateFolder {
  /// Throws where an infohash is that of a version of a private dataset that is known here: to take part in it
  /// by that would tell everybody.
  func refusePrivate(v1: SHA1Digest?, v2: SHA256Digest?) throws(Failure) {
    var v2 = v2
    if v2 == nil, let v1, let name = DatasetName(v1: v1, v2: nil) {
      v2 = (try? knownTorrent(name))??.info.infohashV2
    }
    let keys = try Failure.wrap { try privateDatasets() }
    for key in keys {
      let dataset = dataset(key)
      let numbers = try Failure.wrap { try dataset.versions() }
      // A v2 infohash is known by its beginning, too. BEP 52.
      func isMeant(_ number: UInt64) -> Bool {
        guard let infohash = dataset.version(number) else { return false }
        return infohash == v2 || infohash.truncated == v1
      }
      if let number = numbers.first(where: isMeant) {
        throw Failure(
          "that is version \(number) of the private dataset \(key): its infohash would announce it to "
            + "everyone, so name it by its key, \(key)@\(number)")
      }
    }
  }

  /// As `refusePrivate`, of what is about to be taken part in where everybody may.
  func refusePrivate(_ request: TorrentRequest) throws(Failure) {
    switch request.source {
    case .infohash(let v1, let v2): try refusePrivate(v1: v1, v2: v2)
    case .torrent(let info, _): try refusePrivate(v1: info.infohashV1, v2: info.infohashV2)
    case .dataset: break
    }
  }

  /// Throws where what is about to be shared with everybody is content of a private dataset, contains some, or lies
  /// in some. `path` is real.
  func refusePrivate(contentAt path: [UInt8]) throws(Failure) {
    let found = try Failure.wrap { try privateContent(around: path) }
    if let found { throw Failure("\(found)") }
  }

  /// Throws where what is about to be shared has the keys of a state folder in it. `path` is real.
  func refuseKeys(at path: [UInt8]) throws(Failure) {
    if holdsKeys(path) { throw Failure("\(PublicationError.holdsKeys(path))") }
  }

  /// The read key of a dataset; nil for a public one. That of a private one which is lost is an error.
  func readKey(of key: DatasetKey) throws(Failure) -> ReadKey? {
    try Failure.wrap { try keptReadKey(of: key) }
  }

  /// Whether the dataset is known here as private, be its read key there or lost.
  fileprivate func isPrivate(_ key: DatasetKey) throws(Failure) -> Bool {
    try Failure.wrap { try privateDatasets() }.contains(key)
  }
}
