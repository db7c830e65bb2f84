import Glibc
import Metainfo
import Store
import Swarm
import SwarmNode

/// What `swarm seed` shares: the torrent, where its content is, and how sure that is.
struct SeedSource {
  let torrent: KnownTorrent
  /// Held until the program ends.
  let folder: DatasetFolder
  /// The real path of the content.
  let content: [UInt8]
  /// How sure it is.
  let trust: TorrentRequest.Content
  /// How the content's files looked when they were hashed.
  let items: [ContentRecord.Item]
  /// Whether the torrent was made of it just now.
  let isNew: Bool
  /// Whether all of it was right when it was last looked at.
  var isWhole: Bool
  /// The signed head of the dataset whose newest version it is; nil for a plain torrent.
  var head: Head?
  /// What has changed first since the version was published; nil when nothing has.
  var ahead: String?
  /// How it differs from that version.
  var changes = FolderChanges()
  /// Earlier versions of it, of which there is what did not change since.
  var older: [SeedSource] = []
  /// Files of it that are not in the user's folder: by their path in the torrent that on disk.
  var elsewhere: [[UInt8]: [UInt8]] = [:]

  /// As the node takes it.
  var request: TorrentRequest {
    var request = TorrentRequest(
      source: .torrent(torrent.info, torrent.pieceLayers), content: trust)
    request.dataset = head?.key
    // Nothing may be fetched into what is not ours; what is wrong in it is just not there.
    if !isWhole { request.wanted = { _, _ in false } }
    return request
  }

  /// Where the node finds it.
  func folders() throws(Failure) -> TorrentFolders {
    var folders = try Failure.wrap {
      try TorrentFolders.inPlace(torrent.info, at: content, maps: folder.mapsPath)
    }
    folders.elsewhere = elsewhere
    return folders
  }

  /// Looks, on any thread, whether files were written to since they were hashed; says which. A link
  /// to what a file was for a moment is of no use to anybody. One that is gone may come back.
  var recheck: @Sendable () -> String? {
    let names = Set(torrent.info.files.map(\.path.bytes))
    let files = items.filter { $0.path.isEmpty || names.contains($0.path) }
    return { [content, info = torrent.info] in
      let now = ContentRecord.items(of: info, at: content)
      let there = Set(now.map(\.path))
      let before = ContentRecord(
        path: content, owner: .user, isWhole: true,
        items: files.filter { there.contains($0.path) })
      return before.firstDifference(from: now).map {
        "\(printable(content.appending(name: $0))) changed while it was hashed; start again when "
          + "nothing writes to it"
      }
    }
  }

  // MARK: A folder or file

  /// A folder or file that becomes a torrent. It is hashed, unless it was before and nobody has
  /// written to it since.
  static func ofContent(
    _ path: [UInt8], name: [UInt8], options: ImportOptions, state: StateFolder,
    teller: any Teller
  ) throws(Failure) -> SeedSource {
    let real = try Failure.wrap { try RealPath.resolve(path) }
    try refuseDevice(real)
    try state.refuseKeys(at: real)
    try state.refusePrivate(contentAt: real)
    let scan = try Failure.wrap { try FolderScanner.scan(real) }
    let items = ContentRecord.items(of: scan)
    let key = SourceKey(
      path: real, name: name, kind: options.kind, pieceLength: options.pieceLength)
    if let known = try unchanged(key, items, state, teller) { return known }
    let source = try Failure.wrap { try ContentImport(scan, name: name, options: options) }
    for warning in source.warnings { teller.warn("\(warning)") }
    let description = try source.hash()
    let info = try Failure.wrap { try description.infoDictionary() }
    let folder = try Failure.wrap { try state.open(DatasetName(info), content: real) }
    let torrent = KnownTorrent(info: info, pieceLayers: description.pieceLayers)
    try Failure.wrap {
      if folder.content?.path != real { try folder.forgetMaps() }
      try folder.keep(torrent)
      try folder.keep(leaves: source.leaves)
      try folder.keep(ContentRecord(path: real, owner: .user, isWhole: true, items: items))
      try state.remember(key, as: DatasetName(info))
    }
    return SeedSource(
      torrent: torrent, folder: folder, content: real,
      trust: proven(source.leaves, items, info), items: items, isNew: true, isWhole: true)
  }

  private static func unchanged(
    _ key: SourceKey, _ items: [ContentRecord.Item], _ state: StateFolder, _ teller: any Teller
  ) throws(Failure) -> SeedSource? {
    guard let name = state.source(key) else { return nil }
    let folder = try Failure.wrap { try state.open(name, content: key.path) }
    guard let torrent = folder.torrent, let record = folder.content, record.path == key.path,
      record.owner == .user, record.isWhole
    else { return nil }
    if let path = record.firstDifference(from: items) {
      teller.note("\(printable(key.path.appending(name: path))) changed: hashing again")
      return nil
    }
    teller.note("nothing changed since it was hashed")
    return SeedSource(
      torrent: torrent, folder: folder, content: key.path,
      trust: proven(folder.leaves, items, torrent.info), items: items, isNew: false, isWhole: true)
  }

  static func refuseDevice(_ path: [UInt8]) throws(Failure) {
    var status = stat()
    let text = path.map { CChar(bitPattern: $0) } + [0]
    guard stat(text, &status) == 0, status.st_mode & S_IFMT == S_IFBLK else { return }
    throw Failure(
      "\(printable(path)) is a block device, which can be made a torrent of but not seeded; seed a "
        + "copy of it in a file")
  }

  // MARK: A torrent

  /// Content that a torrent describes, in the folder `place` or below it by its name. It is compared
  /// with the torrent, unless it was before and nobody has written to it since.
  static func ofTorrent(
    _ torrent: Torrent, place: [UInt8], state: StateFolder, teller: any Teller
  ) throws(Failure) -> SeedSource {
    let verification = try Failure.wrap { try ContentVerification(torrent, folder: place) }
    guard let real = try? RealPath.resolve(verification.path) else {
      throw Failure(missing(torrent.info, in: place))
    }
    try refuseDevice(real)
    try state.refuseKeys(at: real)
    try state.refusePrivate(contentAt: real)
    let items = ContentRecord.items(of: torrent.info, at: real)
    let folder = try Failure.wrap { try state.open(DatasetName(torrent.info), content: real) }
    let known = KnownTorrent(info: torrent.info, pieceLayers: torrent.pieceLayers)
    func source(_ trust: TorrentRequest.Content, isWhole: Bool) -> SeedSource {
      SeedSource(
        torrent: known, folder: folder, content: real, trust: trust, items: items, isNew: false,
        isWhole: isWhole)
    }
    let record = folder.content
    if let record, record.path == real, record.owner == .user,
      record.firstDifference(from: items) == nil
    {
      if record.isWhole {
        return source(proven(folder.leaves, items, torrent.info), isWhole: true)
      }
      teller.warn("part of the content is not what the torrent says, as last time")
      return source(.inPlace(claimsAll: true), isWhole: false)
    }
    let report = verification.compare()
    let right = report.rightBytes
    if right == 0 {
      throw Failure(
        "\(printable(real)): nothing in it is what the torrent says; --data names the folder that "
          + "contains \"\(torrent.info.name)\"")
    }
    if !report.isRight {
      for line in VerifyView(report, info: torrent.info, path: real).firstLines(20) {
        teller.note(line)
      }
      teller.warn(
        "only \(Quantity.bytes(right)) of \(Quantity.bytes(torrent.info.contentLength)) are what the "
          + "torrent says: the rest is not shared")
    }
    try Failure.wrap {
      if record?.path != real { try folder.forgetMaps() }
      try folder.keep(known)
      if report.isRight { try folder.keep(leaves: verification.leaves) }
      try folder.keep(
        ContentRecord(path: real, owner: .user, isWhole: report.isRight, items: items))
    }
    return source(
      report.isRight
        ? proven(verification.leaves, items, torrent.info) : .inPlace(claimsAll: true),
      isWhole: report.isRight)
  }

  /// All of it was right when its files looked like `items`.
  static func proven(
    _ leaves: [SHA256Digest], _ items: [ContentRecord.Item], _ info: InfoDictionary
  ) -> TorrentRequest.Content {
    let evidence = Dictionary(items.map { ($0.path, $0.evidence) }) { first, _ in first }
    return .proven(
      leaves: leaves,
      // Content that is a file has the one item without a path.
      evidence: info.files.map { evidence[$0.path.bytes] ?? evidence[[]] ?? nil })
  }

  private static func missing(_ info: InfoDictionary, in place: [UInt8]) -> String {
    "\"\(info.name)\" is not in \(printable(place)); --data names the folder that contains it"
  }
}

extension VerifyReport {
  /// Bytes that are what the torrent says.
  var rightBytes: UInt64 {
    files.reduce(0) { sum, file in
      sum + file.entry.length
        - min(file.differingByteCount + file.unreadByteCount, file.entry.length)
    }
  }
}

extension [UInt8] {
  /// The path with a name below it; itself where there is none.
  func appending(name: [UInt8]) -> [UInt8] {
    name.isEmpty ? self : self + [UInt8(ascii: "/")] + name
  }
}
