import Glibc
import Metainfo
import Store
import Swarm
import SwarmNode

/// Where `swarm join` puts content, and which of it is wanted.
///
/// Belongs to the loop's thread; made before the torrent's files are known.
final class JoinPlace {
  /// Where people find the content; nil while its name is not known.
  private(set) var content: [UInt8]?
  /// The files, once they are known.
  private(set) var torrent: KnownTorrent?

  private let directory: [UInt8]
  private let globs: [Glob]
  private let selection: FileSelection?
  private let dataset: KeyedDataset?
  /// Which version it is, where its head or a newer version says so; what a torrent says of itself is
  /// believed of nobody else's dataset.
  private let number: UInt64?
  /// Whether somebody asked for this very version.
  private let isPinned: Bool
  private let state: StateFolder
  private let teller: any Teller
  /// Where versions are, and which one this is; nil for what is no version.
  private var version: (links: VersionLinks, number: UInt64)?
  /// The places of versions that were there before; nil while none are known.
  private var usedLinks: VersionLinks?
  /// Whether an earlier run had all of it, as far as is remembered.
  private(set) var wasWhole = false
  /// Held until the program ends.
  private var folder: DatasetFolder?

  /// A place in a folder, which is made when it is not there.
  init(
    in directory: [UInt8], globs: [Glob], selection: FileSelection?, torrent: KnownTorrent?,
    dataset: DatasetKey? = nil, number: UInt64? = nil, isPinned: Bool = false, state: StateFolder,
    teller: any Teller
  ) throws(Failure) {
    try Failure.wrap { try StateFolder.make(directory) }
    let real = try Failure.wrap { try RealPath.resolve(directory) }
    guard access(real.map { CChar(bitPattern: $0) } + [0], W_OK | X_OK) == 0 else {
      throw Failure(
        "cannot write to \(printable(directory)): \(String(cString: strerror(errno))); name another "
          + "folder after the link")
    }
    self.directory = real
    self.globs = globs
    self.selection = selection
    self.torrent = torrent
    self.dataset = dataset.map { state.dataset($0) }
    self.number = number
    self.isPinned = isPinned
    self.state = state
    self.teller = teller
  }

  /// Whether a file is wanted, by its place in the torrent; nil for all.
  ///
  /// A link's numbers count padding files, so that they mean nothing before the files are known.
  var wanted: (@Sendable (Int, FileEntry) -> Bool)? {
    if globs.isEmpty && selection == nil { return nil }
    let numbers = torrent.map { FileChoice.numbers(in: $0.info) }
    return { [globs, selection] index, entry in
      let isNumbered =
        selection.map { selection in
          numbers.map { index < $0.count && selection.contains($0[index]) } ?? false
        } ?? true
      return isNumbered && (globs.isEmpty || globs.contains { $0.matches(entry.path) })
    }
  }

  /// The files are known: looks at what is at their places, and keeps what will be needed after a
  /// restart. Throws what is in the way.
  func prepare(_ info: InfoDictionary, _ layers: PieceLayers) throws -> TorrentFolders {
    let isNew = torrent == nil
    torrent = KnownTorrent(info: info, pieceLayers: layers)
    try refusePublished(info)
    let name = try place(of: info)
    let content =
      name.map { directory.appending(name: $0.bytes) }
      ?? JoinTarget.content(of: info, in: directory)
    self.content = content
    let folder = try self.folder ?? state.open(DatasetName(info), content: content)
    self.folder = folder
    try folder.keep(
      KnownTorrent(
        info: info,
        pieceLayers: layers.merging(folder.torrent?.pieceLayers ?? [:]) { new, _ in new }
      ))
    if isNew, selection != nil { throw Member.NeedsRestart() }
    let choice = info.files.enumerated().map { wanted?($0.offset, $0.element) ?? true }
    guard choice.contains(true) else {
      throw Failure(
        "no file of \"\(info.name)\" matches "
          + (globs.isEmpty
            ? "what the link selects"
            : "--only \(globs.map(\.description).joined(separator: " "))")
          + ": it has " + info.files.prefix(5).map { "\($0.path)" }.joined(separator: ", ")
          + (info.files.count > 5 ? " and more" : ""))
    }
    let written = FileChoice.written(choice, in: info)
    let target = try JoinTarget(info, in: directory, as: name) { index, _ in written[index] }
    let former = try settle(target, info, folder)
    wasWhole = former?.isWhole ?? false
    var record =
      former
      ?? ContentRecord(path: target.content, owner: .program, isWhole: false, items: [])
    if former == nil { record.isDisposable = version != nil && target.present.isEmpty }
    if isPinned { record.isDisposable = false }
    let reuses = former == nil ? target.present.isEmpty : record.isReusing
    record.isReusing = reuses && dataset != nil
    try folder.keep(record)
    var folders = TorrentFolders(
      content: target.folder, maps: folder.mapsPath, fileName: target.fileName)
    if reuses {
      folders.preparation = reuse(info, folders, written, folder)
    }
    return folders
  }

  // MARK: Versions

  /// What the content is called where it is a version of a dataset: its name and number. The symlink
  /// with the name alone leads to the newest that is whole, and until there is one to the first.
  private func place(of info: InfoDictionary) throws -> PathElement? {
    guard let dataset else { return nil }
    let number = self.number ?? info.version?.number ?? 1
    let links = try links(for: info)
    version = (links, number)
    if self.number != nil, let infohash = info.infohashV2 {
      try dataset.keep(version: number, infohash: infohash)
    }
    // 64 digits may be an infohash or a key: that of the torrent itself is no dataset's.
    if info.infohashV2?.hex != dataset.key.hex {
      try state.claim(link: links.link, for: dataset.key)
    }
    if try links.current() == nil { try links.point(to: number) }
    return try links.placeName(of: number)
  }

  /// The places in the folder: under the name by which there are versions already, whatever a later one is
  /// called, so that one path always leads to the newest; else under the name that this one has.
  private func links(for info: InfoDictionary) throws -> VersionLinks {
    if let usedLinks { return usedLinks }
    for number in (try? dataset?.versions()) ?? [] {
      guard let infohash = dataset?.version(number), let kept = state.keptVersion(infohash) else {
        continue
      }
      let links = VersionLinks(directory: directory, name: kept.torrent.info.name)
      // Other things may be there under the same name.
      let isPointed = ((try? links.current()) ?? nil) != nil
      if try isPointed || isThere(links.placeName(of: number)) {
        usedLinks = links
        return links
      }
    }
    return VersionLinks(directory: directory, name: info.name)
  }

  /// The newest versions beside this one that are whole and of which nobody else takes part: to be
  /// shared, since others may ask for them. None while it is not known what the dataset is called.
  ///
  /// - Parameter needed: versions that come first, and need not be whole: somebody reads them.
  func older(
    atMost count: Int, needed: Set<UInt64> = [], reading: ReadingPolicy = ReadingPolicy()
  ) -> [Member.Other] {
    guard let dataset, let info = torrent?.info ?? anyInfo(of: dataset),
      let links = try? links(for: info), let numbers = try? links.versions()
    else { return [] }
    let own = number ?? torrent?.info.version?.number
    let (first, rest) = (
      numbers.filter { needed.contains($0) }, numbers.filter { !needed.contains($0) }
    )
    let read = first.filter { $0 != own }.compactMap { number in
      other(number, of: dataset, at: links, reading: reading)
    }
    return read
      + rest.reversed().lazy.filter { $0 != own }.compactMap { number in
        self.other(number, of: dataset, at: links, reading: nil)
      }.prefix(count)
  }

  /// What is in some version that is known: all are called the same.
  private func anyInfo(of dataset: KeyedDataset) -> InfoDictionary? {
    let numbers = ((try? dataset.versions()) ?? []).reversed()
    return numbers.lazy.compactMap { number in
      dataset.version(number).flatMap { self.state.keptVersion($0)?.torrent.info }
    }.first
  }

  /// - Parameter reading: how it is read where it need not be whole; nil where it must be.
  private func other(
    _ number: UInt64, of dataset: KeyedDataset, at links: VersionLinks, reading: ReadingPolicy?
  ) -> Member.Other? {
    guard let infohash = dataset.version(number), let name = DatasetName(v1: nil, v2: infohash),
      let element = try? links.placeName(of: number), let place = try? links.place(of: number),
      let kept = state.keptVersion(infohash, content: place), kept.record?.owner == .program,
      reading != nil || kept.record?.isWhole == true,
      let folder = try? state.open(name, content: place)
    else { return nil }
    let info = kept.torrent.info
    var request = TorrentRequest(
      source: .torrent(info, kept.torrent.pieceLayers), content: .owned)
    request.wanted = { _, _ in false }
    if let reading { request.reading = reading }
    request.dataset = dataset.key
    return Member.Other(
      request: request,
      folders: TorrentFolders(
        content: info.isOneNamedFile ? directory : place, maps: folder.mapsPath,
        fileName: info.isOneNamedFile ? element : nil),
      version: number, holder: folder)
  }

  /// Which version it is, once that is known; nil for what is none.
  var versionNumber: UInt64? { version?.number }

  /// What removes old versions beside this one; nil where it is none.
  var removal: VersionRemoval? {
    guard let dataset, let version else { return nil }
    return VersionRemoval(version.links, of: dataset, state: state)
  }

  private func isThere(_ name: PathElement) -> Bool {
    access(directory.appending(name: name.bytes).map { CChar(bitPattern: $0) } + [0], F_OK) == 0
  }

  /// All that was asked for is here: the name alone leads to it.
  func finish() throws {
    guard let version else { return }
    try rememberLooks()
    guard try version.links.current() ?? 0 < version.number else { return }
    try version.links.point(to: version.number)
  }

  /// Keeps how the files look now that nobody but us has written to them, so that it can be seen later
  /// whether somebody has.
  private func rememberLooks() throws {
    guard let info = torrent?.info, let content, let folder, var record = folder.content else {
      return
    }
    let known = Set(record.items.map(\.path))
    let new = ContentRecord.items(of: info, at: content).filter { !known.contains($0.path) }
    if record.isWhole, new.isEmpty { return }
    record.items = (record.items + new).sorted { $0.path.lexicographicallyPrecedes($1.path) }
    record.isWhole = true
    try folder.keep(record)
  }

  /// Takes from older versions what they have; nil where there are none.
  private func reuse(
    _ info: InfoDictionary, _ folders: TorrentFolders, _ written: [Bool], _ folder: DatasetFolder
  ) -> (@Sendable () -> Void)? {
    let ended: @Sendable () -> Void = {
      guard var record = folder.content, record.isReusing else { return }
      record.isReusing = false
      try? folder.keep(record)
    }
    guard let keyed = dataset, let version else { return nil }
    let numbers = ((try? keyed.versions()) ?? []).filter { $0 != version.number }
    let older = numbers.reversed().compactMap { number -> VersionReuse.Older? in
      guard let infohash = keyed.version(number), let name = DatasetName(v1: nil, v2: infohash),
        let known = (try? state.knownTorrent(name)) ?? nil,
        let place = try? links(for: known.info).placeName(of: number),
        isThere(place)
      else { return nil }
      let isFile = known.info.isOneNamedFile
      return VersionReuse.Older(
        info: known.info,
        folders: TorrentFolders(
          content: isFile ? directory : directory.appending(name: place.bytes), maps: [],
          fileName: isFile ? place : nil))
    }
    if older.isEmpty { return ended }
    let reuse = VersionReuse(info, into: folders, wanted: { written[$0] }, from: older)
    return {
      let outcome = reuse.run()
      // What cannot be claimed is fetched.
      if !outcome.files.isEmpty { try? folder.claim(filesAt: outcome.files, of: info) }
      if !outcome.isPartial { ended() }
    }
  }

  /// Keeps piece layers that came from peers.
  func keep(_ layers: PieceLayers) {
    guard let torrent, let folder else { return }
    let all = KnownTorrent(
      info: torrent.info,
      pieceLayers: layers.merging(folder.torrent?.pieceLayers ?? [:]) { new, _ in new })
    self.torrent = all
    do throws(SystemError) {
      try folder.keep(all)
    } catch {
      teller.warn("what peers sent of the torrent cannot be kept: \(error)")
    }
  }

  /// Whether an earlier run of this dataset's own join left what is there.
  private func isOurs(_ record: ContentRecord, _ target: JoinTarget) -> Bool {
    record.path == target.content && record.owner == .program
  }

  /// Nothing new is put into a folder that is published from here: the next version would contain it, a copy of the
  /// dataset itself at worst.
  private func refusePublished(_ info: InfoDictionary) throws {
    // What programs keep in the state folder is theirs.
    if directory.starts(with: state.path + [UInt8(ascii: "/")]) { return }
    guard let source = try state.publishedSource(around: directory),
      !state.hasFetched(into: directory, dataset?.key, DatasetName(info))
    else { return }
    throw Failure(
      "\(printable(source.path)) is what you publish as \(source.key): name another folder after the link"
    )
  }

  /// Decides what becomes of what is there. What this dataset's own join left is continued; other
  /// files of the right size are checked before they are used; anything else is in the way.
  ///
  /// Returns what is remembered of what an earlier run has left; nil where this is the first.
  private func settle(
    _ target: JoinTarget, _ info: InfoDictionary, _ folder: DatasetFolder
  ) throws -> ContentRecord? {
    if let record = folder.content, isOurs(record, target) {
      // Somebody removed all of it: what the maps say is of no use.
      let name = try version.map { try $0.links.placeName(of: $0.number) }
      let all = try JoinTarget(info, in: directory, as: name) { _, _ in true }
      try state.claim(target.content, for: DatasetName(info))
      if !all.present.isEmpty { return record }
      try folder.forgetMaps()
      var empty = ContentRecord(path: record.path, owner: .program, isWhole: false, items: [])
      empty.isDisposable = record.isDisposable
      empty.isReusing = true
      return empty
    }
    if !target.obstacles.isEmpty {
      let shown = target.obstacles.prefix(5).map(\.description)
      let more = target.obstacles.count - shown.count
      throw Failure(
        "there are things in the way, and nothing is overwritten: " + shown.joined(separator: "; ")
          + (more > 0 ? "; and \(more) more" : "")
          + ". Move them away, or name another folder after the link")
    }
    // What is there would be shared by this torrent, too.
    if try dataset.flatMap({ try state.readKey(of: $0.key) }) == nil {
      try state.refusePrivate(contentAt: target.content)
    }
    if let source = state.publishedSource(at: target.content) {
      throw Failure(
        "\(printable(target.content)) is what you share by the key \(source.key), and would be overwritten; "
          + "name another folder after the link")
    }
    try state.claim(target.content, for: DatasetName(info))
    try folder.claim(filesAt: target.present, of: info)
    if !target.present.isEmpty {
      teller.warn(
        "\(Quantity.count(target.present.count, "file")) (\(Quantity.bytes(target.presentBytes))) "
          + "\(target.present.count == 1 ? "is" : "are") there already in \(printable(target.content)): "
          + "what is wrong there is replaced")
    }
    return nil
  }
}
