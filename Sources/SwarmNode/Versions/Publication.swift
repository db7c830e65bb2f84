import Glibc
import Metainfo
import Store

/// The making of a dataset's next version of what is at a path: look at what changed (`init`), hash it
/// if `import` says so, put all of it on disk (`finish`).
///
/// The signed head is written after everything that it leads to, and nothing counts as a version of the
/// dataset before. Stopped at any moment before, the dataset is at its former version, and the next attempt
/// continues with what was hashed.
public final class Publication {
  /// What is published.
  public let source: PublishedSource
  /// What there is about the dataset.
  public let dataset: KeyedDataset
  /// The number that the version will have.
  public let number: UInt64
  /// The newest version until now; nil for none.
  public let head: Head?
  /// What is to be hashed; nil when nothing is: `finish` takes nothing then.
  public let `import`: ContentImport?

  private let state: StateFolder
  private let secret: DatasetSecret
  private let items: [ContentRecord.Item]
  private let shipped: [ContentRecord.Shipped]
  /// The newest version, as it was published from this path.
  private let newest: KeptVersion?
  /// The next version, if an attempt that was stopped has left it whole.
  private let prepared: KeptVersion?
  /// Held until this value is gone.
  private let lock: KeyedDataset.PublishingLock

  /// The points at which tests stop.
  enum Step: CaseIterable {
    case keepTorrent, keepLeaves, keepContent, keepPrepared, keepHead, forgetPrepared
  }
  var onStep: (Step) throws -> Void = { _ in }

  /// Looks at what is at the source's path, and holds the dataset against others who would publish.
  ///
  /// - Parameters:
  ///   - message: what the publisher says of the version.
  ///   - created: the time of publishing, in seconds since 1970.
  ///   - traces: what becomes of boot traces.
  public init(
    _ source: PublishedSource, message: String, created: Int64, traces: TraceChanges = .init(),
    state: StateFolder
  ) throws(PublicationError) {
    self.source = source
    self.state = state
    dataset = state.dataset(source.key)
    lock = try PublicationError.wrap { [dataset] () throws(StateError) in
      try dataset.lockForPublishing()
    }
    secret = try Self.secret(of: source.key, state)
    head = try PublicationError.wrap { [dataset] () throws(SystemError) in try dataset.head() }
    // Publishing may have been stopped between the head and the version that it leads to.
    if let head {
      _ = try PublicationError.wrap { [dataset] () throws(SystemError) in
        try dataset.keep(head: head)
      }
    }
    number = UInt64(head?.version ?? 0) + 1
    if number > VersionInfo.mostVersions { throw .noMoreNumbers(source.key) }
    guard
      let version = VersionInfo(
        number: number, previous: head?.infohashV2, created: created, message: message)
    else { throw .message(message.utf8.count) }
    let scan = try PublicationError.wrap { () throws(SystemError) in try Self.scan(source.path) }
    items = ContentRecord.items(of: scan)
    newest = head?.infohashV2.flatMap { state.keptVersion($0, content: source.path) }
    shipped = try traces.files(
      besides: items, before: newest?.record?.shipped ?? [], of: dataset)
    let left = dataset.prepared.flatMap { state.keptVersion($0, content: source.path) }
    if newest?.isUnchanged(items, shipped) == true {
      (prepared, self.import) = (nil, nil)
      return
    }
    if let left, left.isUnchanged(items, shipped), let said = left.torrent.info.version,
      said.number == number, said.previous == version.previous, said.message == message
    {
      (prepared, self.import) = (left, nil)
      return
    }
    prepared = nil
    let earlier = left?.record == nil ? newest : left
    let options = ImportOptions(
      kind: source.kind,
      pieceLength: source.pieceLength ?? Self.pieceLength(scan, earlier, source.kind),
      version: version)
    let whole = try PublicationError.wrap { [shipped, dataset] () throws(SystemError) in
      try scan.adding(
        shipped.map {
          (
            $0.path.split(separator: UInt8(ascii: "/")).map(Array.init),
            dataset.shippedPath($0.digest)
          )
        })
    }
    self.import = try PublicationError.wrap { () throws(ContentImportError) in
      try ContentImport(whole, name: source.name, options: options, earlier: earlier)
    }
  }

  /// What came of publishing.
  public enum Outcome {
    /// The content is what the newest version says.
    case unchanged(KnownTorrent)
    /// It is published. The folder holds the version against other processes.
    case published(KnownTorrent, DatasetFolder, Head)
  }

  /// Puts the version on disk, and its signed head last.
  ///
  /// - Parameter description: what `import` gave.
  public func finish(_ description: TorrentDescription?) throws -> Outcome {
    if let newest, self.import == nil, prepared == nil { return .unchanged(newest.torrent) }
    var torrent = prepared?.torrent
    if let description {
      let info = try description.infoDictionary()
      // Touched, or only what a torrent cannot hold is different.
      if let newest, newest.torrent.info.hasSameContent(as: info) {
        try keepRecord(of: newest)
        return .unchanged(newest.torrent)
      }
      torrent = KnownTorrent(info: info, pieceLayers: description.pieceLayers)
    }
    guard let torrent, let infohash = torrent.info.infohashV2 else {
      preconditionFailure("what is to be published has been hashed, with hash trees")
    }
    try checkUnchanged(torrent.info)
    let folder = try state.open(DatasetName(torrent.info), content: source.path)
    if prepared == nil {
      if folder.content?.path != source.path { try folder.forgetMaps() }
      try onStep(.keepTorrent)
      try folder.keep(torrent)
      try onStep(.keepLeaves)
      try folder.keep(leaves: self.import?.leaves ?? [])
      try onStep(.keepContent)
      try folder.keep(record)
    }
    try onStep(.keepPrepared)
    try dataset.keep(prepared: infohash)
    try onStep(.keepHead)
    let next = try Head(version: Int64(number), infohash: infohash, signedBy: secret)
    guard case .kept = try dataset.keep(head: next) else {
      throw PublicationError.overtaken(source.key, number)
    }
    try onStep(.forgetPrepared)
    // Of no use any more, and no harm: its number is taken.
    try? dataset.keep(prepared: nil)
    return .published(torrent, folder, next)
  }

  /// Remembers how the content looks that is the newest version's, also where that was published from elsewhere: it
  /// can be shared from here then.
  private func keepRecord(of newest: KeptVersion) throws {
    if newest.record != nil { return try newest.keep(record) }
    let folder = try state.open(DatasetName(newest.torrent.info), content: source.path)
    if folder.content?.path != source.path { try folder.forgetMaps() }
    try folder.keep(record)
  }

  /// How the content looked when it was hashed.
  public var record: ContentRecord {
    var record = ContentRecord(path: source.path, owner: .user, isWhole: true, items: items)
    record.shipped = shipped
    return record
  }

  private func checkUnchanged(_ info: InfoDictionary) throws(PublicationError) {
    let names = Set(info.files.map(\.path.bytes))
    let before = ContentRecord(
      path: source.path, owner: .user, isWhole: true,
      items: items.filter { $0.path.isEmpty || names.contains($0.path) })
    if let path = before.firstDifference(from: ContentRecord.items(of: info, at: source.path)) {
      throw .changed(path.isEmpty ? source.path : source.path.appending(path: path))
    }
  }

  private static func secret(
    of key: DatasetKey, _ state: StateFolder
  ) throws(PublicationError) -> DatasetSecret {
    let secret = try PublicationError.wrap { () throws(KeyError) in
      try state.keys.secret(of: key)
    }
    guard let secret else { throw .noSecret(state.keys.file(of: key)) }
    return secret
  }

  /// A scan whose evidence can be relied on: two changes within a tick of the kernel's clock look the
  /// same, so that what has just changed is looked at again a moment later, before it is hashed.
  private static func scan(_ path: [UInt8]) throws(SystemError) -> Scan {
    let scan = try FolderScanner.scan(path)
    let tick = 20_000_000
    var now = timespec()
    guard clock_gettime(CLOCK_REALTIME, &now) == 0 else { return scan }
    let isFresh = scan.stamps.contains { stamp in
      guard let changed = stamp?.changed else { return false }
      return (now.tv_sec - changed.seconds) * 1_000_000_000 + now.tv_nsec - changed.nanoseconds
        < tick
    }
    guard isFresh else { return scan }
    usleep(UInt32(tick / 1_000))
    return try FolderScanner.scan(path)
  }

  /// That of the version before, so that its hashes serve again; larger only where the content has
  /// outgrown it.
  private static func pieceLength(
    _ scan: Scan, _ earlier: KeptVersion?, _ kind: TorrentKind
  ) -> UInt64? {
    guard let earlier else { return nil }
    let total = scan.stamps.reduce(UInt64(0)) { $0 &+ ($1?.length ?? 0) }
    return max(
      UInt64(earlier.torrent.info.pieceLength),
      PieceLengthPolicy.choose(kind: kind, totalLength: total))
  }
}

extension KeptVersion {
  /// Whether the content looks as it did when this version was made of it.
  public func isUnchanged(
    _ items: [ContentRecord.Item], _ shipped: [ContentRecord.Shipped]
  ) -> Bool {
    guard let record, record.owner == .user, record.isWhole, record.shipped == shipped else {
      return false
    }
    return record.firstDifference(from: items) == nil
  }
}

extension InfoDictionary {
  /// Whether the two describe the same files by the same name, whichever versions they are.
  func hasSameContent(as other: InfoDictionary) -> Bool {
    kind == other.kind && name == other.name && isSingleFile == other.isSingleFile
      && files == other.files && v1Pieces == other.v1Pieces && pieceLength == other.pieceLength
  }
}
