import Glibc
import Metainfo
import Store
import Swarm
import SwarmNode

extension SeedSource {
  /// A folder or file that is published by key. The first time it gets a key and becomes version 1;
  /// later its newest version is shared, or what is left of it in the folder.
  static func ofDataset(
    _ source: PublishedSource, sharesOlder: Bool = true, state: StateFolder,
    teller: any Teller
  ) throws(Failure) -> SeedSource {
    let dataset = state.dataset(source.key)
    let newest = try Failure.wrap { try dataset.head() }
    guard let head = newest else {
      return try ofFirstVersion(source, state: state, teller: teller)
    }
    guard let (number, kept, record) = newestHere(head, source, state) else {
      throw Failure(
        "version \(head.version) of \(source.key) was not published from \(printable(source.path)): run "
          + "swarm publish first, which makes a new version only if something differs")
    }
    if number < UInt64(head.version) {
      teller.warn(
        "version \(head.version) of the dataset was published elsewhere; shared here is version "
          + "\(number), which was published from \(printable(source.path))")
    }
    let folder = try Failure.wrap {
      try state.open(DatasetName(kept.torrent.info), content: source.path)
    }
    let scan = try Failure.wrap { try FolderScanner.scan(source.path) }
    let now = ContentRecord.items(of: scan)
    var shared = SeedSource(
      torrent: kept.torrent, folder: folder, content: source.path,
      trust: proven(
        folder.leaves, record.items + dataset.items(of: record.shipped), kept.torrent.info),
      items: record.items, isNew: false, isWhole: true)
    shared.elsewhere = dataset.places(of: record.shipped)
    shared.head = head
    if sharesOlder { shared.older = older(than: number, source, state) }
    shared.changes = FolderChanges(from: record.items, to: now)
    if let path = record.firstDifference(from: now) {
      shared.isWhole = false
      shared.ahead = printable(source.path.appending(name: path))
      teller.warn(
        "the content is ahead of its published version \(number): "
          + "\(printable(source.path.appending(name: path))) changed first; what is as published is "
          + "shared, and swarm publish \(printable(source.path)) publishes the rest")
    } else {
      teller.note("nothing changed since version \(number) was published")
    }
    return shared
  }

  /// How many earlier versions a seed shares: at the start it hashes of each the files that have
  /// changed since, to find what is left of them.
  private static let mostOlder = 4

  /// The newest version that was published from the path.
  private static func newestHere(
    _ head: Head, _ source: PublishedSource, _ state: StateFolder
  ) -> (UInt64, KeptVersion, ContentRecord)? {
    let dataset = state.dataset(source.key)
    func kept(_ number: UInt64, _ infohash: SHA256Digest?) -> (UInt64, KeptVersion, ContentRecord)?
    {
      guard let infohash, let kept = state.keptVersion(infohash, content: source.path),
        let record = kept.record, record.owner == .user, record.isWhole
      else { return nil }
      return (number, kept, record)
    }
    if let newest = kept(UInt64(head.version), head.infohashV2) { return newest }
    let numbers = ((try? dataset.versions()) ?? []).filter { $0 < UInt64(head.version) }
    return numbers.reversed().lazy.compactMap { kept($0, dataset.version($0)) }.first
  }

  /// The versions before, as far as they were published from the path.
  private static func older(
    than newest: UInt64, _ source: PublishedSource, _ state: StateFolder
  ) -> [SeedSource] {
    let dataset = state.dataset(source.key)
    let numbers = ((try? dataset.versions()) ?? []).filter { $0 < newest }
    return numbers.suffix(mostOlder).reversed().compactMap { number in
      guard let infohash = dataset.version(number),
        let kept = state.keptVersion(infohash, content: source.path), let record = kept.record,
        record.owner == .user, record.isWhole,
        let folder = try? state.open(DatasetName(kept.torrent.info), content: source.path)
      else { return nil }
      var shared = SeedSource(
        torrent: kept.torrent, folder: folder, content: source.path,
        trust: proven(
          [], record.items + dataset.items(of: record.shipped), kept.torrent.info),
        items: record.items, isNew: false, isWhole: false)
      shared.elsewhere = dataset.places(of: record.shipped)
      return shared
    }
  }

  private static func ofFirstVersion(
    _ source: PublishedSource, state: StateFolder, teller: any Teller
  ) throws(Failure) -> SeedSource {
    let published = try state.publishing(source) { () throws(Failure) in
      try PublicationRun(source, message: "", state: state) { teller.warn($0) }
    }
    guard case .published(let torrent, let head) = published.outcome, let folder = published.folder
    else {
      throw Failure("\(printable(source.path)): nothing was published")
    }
    teller.note(NewDataset.note(source.key, in: state))
    let items = published.items
    var shared = SeedSource(
      torrent: torrent, folder: folder, content: source.path,
      trust: proven(folder.leaves, items, torrent.info), items: items, isNew: true, isWhole: true)
    shared.head = head
    return shared
  }
}

/// One publishing from start to end, with its progress shown.
struct PublicationRun {
  /// What came of it.
  enum Outcome {
    case unchanged(KnownTorrent)
    case published(KnownTorrent, Head)
  }

  let outcome: Outcome
  /// Holds the version against other processes; nil where nothing is new.
  var folder: DatasetFolder?
  /// How the content looked when it was hashed.
  let items: [ContentRecord.Item]
  /// The newest version before; nil for none.
  let previous: Head?
  /// Bytes of the content that were hashed, since they were not known from the version before.
  let hashed: UInt64

  /// - Parameters:
  ///   - traces: what becomes of boot traces.
  ///   - warn: told what a torrent cannot hold.
  init(
    _ source: PublishedSource, message: String, traces: TraceChanges = TraceChanges(),
    state: StateFolder, warn: (String) -> Void
  ) throws(Failure) {
    let publication = try Failure.wrap {
      try Publication(
        source, message: message, created: Int64(time(nil)), traces: traces, state: state)
    }
    previous = publication.head
    items = publication.record.items
    var description: TorrentDescription?
    if let content = publication.import {
      for warning in content.warnings { warn("\(warning)") }
      description = try content.hash()
      hashed = content.totalLength - content.knownLength
    } else {
      hashed = 0
    }
    let result = try Failure.wrap { [description] in try publication.finish(description) }
    switch result {
    case .unchanged(let torrent): outcome = .unchanged(torrent)
    case .published(let torrent, let folder, let head):
      outcome = .published(torrent, head)
      self.folder = folder
    }
  }
}

extension MagnetLink {
  /// The link of a version of a dataset: the key is what lasts, the infohashes let clients that know
  /// nothing of keys fetch this version. BEP 46. That of a private dataset has none: such a client would ask
  /// everybody for them.
  init(_ info: InfoDictionary, key: DatasetKey?, readKey: ReadKey? = nil) {
    self.init(
      v1Infohash: readKey == nil ? info.infohashV1 : nil,
      v2Infohash: readKey == nil ? info.infohashV2 : nil, datasetKey: key, readKey: readKey,
      name: info.name.bytes)
  }
}
