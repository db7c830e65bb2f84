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
  private let state: StateFolder
  private let display: StatusDisplay
  /// Held until the program ends.
  private var folder: DatasetFolder?

  /// A place in a folder, which is made when it is not there.
  init(
    in directory: [UInt8], globs: [Glob], selection: FileSelection?, torrent: KnownTorrent?,
    state: StateFolder, display: StatusDisplay
  ) throws(Failure) {
    try Failure.wrap { try StateFolder.make(directory) }
    let real = try Failure.wrap { try RealPath.resolve(directory) }
    guard access(real.map { CChar(bitPattern: $0) } + [0], W_OK | X_OK) == 0 else {
      throw Failure(
        "cannot write to \(printable(directory)): \(String(cString: strerror(errno))); name another "
          + "folder behind the link")
    }
    self.directory = real
    self.globs = globs
    self.selection = selection
    self.torrent = torrent
    self.state = state
    self.display = display
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
    let content = JoinTarget.content(of: info, in: directory)
    self.content = content
    let folder = try self.folder ?? state.open(DatasetName(info), content: content)
    self.folder = folder
    try folder.keep(
      KnownTorrent(
        info: info,
        pieceLayers: layers.merging(folder.torrent?.pieceLayers ?? [:]) { new, _ in new }
      ))
    if isNew, selection != nil { throw TransferSession.NeedsRestart() }
    let choice = info.files.enumerated().map { wanted?($0.offset, $0.element) ?? true }
    guard choice.contains(true) else {
      throw Failure(
        "no file of \"\(info.name)\" is "
          + (globs.isEmpty
            ? "one of those that the link selects"
            : "named by --only \(globs.map(\.description).joined(separator: " "))")
          + "; swarm inspect --files lists them")
    }
    let written = FileChoice.written(choice, in: info)
    let target = try JoinTarget(info, in: directory) { index, _ in written[index] }
    try settle(target, info, folder)
    try folder.keep(
      ContentRecord(path: target.content, owner: .program, isWhole: false, items: []))
    return TorrentFolders(content: target.folder, maps: folder.mapsPath)
  }

  /// Decides what becomes of what is there. What this dataset's own join left is continued; other
  /// files of the right size are checked before they are used; anything else is in the way.
  private func settle(_ target: JoinTarget, _ info: InfoDictionary, _ folder: DatasetFolder) throws
  {
    let record = folder.content
    let isOurs = record?.path == target.content && record?.owner == .program
    if isOurs {
      // Somebody removed all of it: what the maps say is of no use.
      let all = try JoinTarget(info, in: directory) { _, _ in true }
      if all.present.isEmpty { try folder.forgetMaps() }
      return
    }
    if !target.obstacles.isEmpty {
      let shown = target.obstacles.prefix(5).map(\.description)
      let more = target.obstacles.count - shown.count
      throw Failure(
        "there are things in the way, and nothing is overwritten: " + shown.joined(separator: "; ")
          + (more > 0 ? "; and \(more) more" : "")
          + ". Move them away, or name another folder behind the link")
    }
    try folder.claim(filesAt: target.present, of: info)
    if !target.present.isEmpty {
      display.warn(
        "\(Quantity.count(target.present.count, "file")) (\(Quantity.bytes(target.presentBytes))) "
          + "in \(printable(target.content)) are there already: they are checked, and what is "
          + "not right in them is replaced")
    }
  }
}
