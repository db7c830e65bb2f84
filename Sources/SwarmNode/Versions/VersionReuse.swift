import CGuard
import Glibc
import Metainfo
import Synchronization

/// Puts what older versions of a dataset have of a new one where the new one goes, so that it need not
/// be fetched: a file with the same content wherever it was, else the file of the same name, cut or
/// grown to its new length. What is right in them shows when they are hashed: nothing is trusted.
///
/// The old versions are only read. New files appear whole or not at all, nothing that is there is
/// replaced, and no symlink is followed, on either side. Stopped at any moment, another run continues.
///
/// Made on any thread; `run` blocks and belongs on one of the pool.
public final class VersionReuse: Sendable {
  /// A version that is here, wholly or partly.
  public struct Older: Sendable {
    /// Its files.
    public let info: InfoDictionary
    /// Where they are.
    public let folders: TorrentFolders

    /// A version by its files and where they are.
    public init(info: InfoDictionary, folders: TorrentFolders) {
      self.info = info
      self.folders = folders
    }
  }

  /// What a run has done.
  public struct Outcome: Sendable {
    /// The files that are there now and have the right length, by their place in the torrent,
    /// ascending: to be claimed (`DatasetFolder.claim`), which has them examined.
    public internal(set) var files: [Int] = []
    /// Bytes in them that come from older versions.
    public internal(set) var bytes: UInt64 = 0
    /// How many of these files share their bytes with the old ones, and take no room.
    public internal(set) var sharedFiles = 0
    /// The first thing that went wrong; nil when nothing did. The files that it concerns are fetched.
    public internal(set) var failure: DiskError?
    /// Whether the run ended before it had looked at all files.
    public internal(set) var isPartial = false
  }

  /// Bytes that a run may have to deal with.
  public let totalBytes: UInt64

  private let info: InfoDictionary
  private let folders: TorrentFolders
  private let older: [Older]
  private let plan: [(file: Int, sources: [Source])]
  private let ways: [FileClone.Way]
  private let cancelled = Atomic<Bool>(false)
  private let done = Atomic<UInt64>(0)

  /// A file of an older version.
  private struct Source {
    let version: Int
    let file: Int
  }

  /// The file that is written before it gets its name. Fixed, so that the next run finds what a killed
  /// one has left.
  private static let temporaryName = Array(".swarm-reuse.tmp".utf8)

  /// - Parameters:
  ///   - info: the new version.
  ///   - folders: where its files go; the folder is made.
  ///   - wanted: whether the file at a place of the torrent is wanted.
  ///   - older: versions that are here, the best one first: usually the newest.
  public convenience init(
    _ info: InfoDictionary, into folders: TorrentFolders, wanted: (Int) -> Bool = { _ in true },
    from older: [Older]
  ) {
    self.init(info, into: folders, wanted: wanted, from: older, ways: FileClone.Way.allCases)
  }

  init(
    _ info: InfoDictionary, into folders: TorrentFolders, wanted: (Int) -> Bool,
    from older: [Older], ways: [FileClone.Way]
  ) {
    self.info = info
    self.folders = folders
    self.older = older
    self.ways = ways
    var byRoot: [SHA256Digest: [Source]] = [:]
    var byPath: [ContentPath: [Source]] = [:]
    for (version, old) in older.enumerated() {
      for (file, entry) in old.info.files.enumerated()
      where entry.length > 0 && entry.symlinkTarget == nil {
        let source = Source(version: version, file: file)
        if let root = entry.piecesRoot { byRoot[root, default: []].append(source) }
        // What the only file of a dataset is called does not matter: it is the same file.
        byPath[
          old.info.isSingleFile && info.isSingleFile ? info.files[0].path : entry.path, default: []
        ].append(source)
      }
    }
    plan = info.files.enumerated().compactMap { index, entry in
      guard entry.length > 0, entry.symlinkTarget == nil, wanted(index) else { return nil }
      let same = entry.piecesRoot.flatMap { byRoot[$0] } ?? []
      let sources = same + (byPath[entry.path] ?? [])
      return sources.isEmpty ? nil : (index, sources)
    }
    totalBytes = plan.reduce(0) { total, item in
      let first = item.sources[0]
      return total
        + min(
          info.files[item.file].length, older[first.version].info.files[first.file].length)
    }
  }

  /// Bytes dealt with so far; at most `totalBytes` once `run` has ended.
  public var bytesDone: UInt64 { done.load(ordering: .relaxed) }

  /// Ends `run` soon: what is done is kept.
  public func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Does it, file by file.
  public func run() -> Outcome {
    var outcome = Outcome()
    do throws(DiskError) {
      if plan.isEmpty { return outcome }
      try Self.make(folders.content)
      let target = try ConfinedFolder(folders.content)
      let temporary = try Self.element(Self.temporaryName)
      target.remove(temporary)
      let sources = older.map { Opened($0) }
      for (file, candidates) in plan {
        if cancelled.load(ordering: .relaxed) {
          outcome.isPartial = true
          break
        }
        do throws(DiskError) {
          try put(file, candidates, sources, into: target, temporary, &outcome)
        } catch {
          target.remove(temporary)
          if outcome.failure == nil { outcome.failure = error }
          if error.errno == ENOSPC || error.errno == EDQUOT {
            outcome.isPartial = true
            break
          }
        }
      }
      // One call for all of them: what is claimed must not be gone after a power cut.
      if !outcome.files.isEmpty { try target.syncFileSystem() }
    } catch {
      if outcome.failure == nil { outcome.failure = error }
      outcome.isPartial = true
      outcome.files = []
    }
    return outcome
  }

  private func put(
    _ file: Int, _ candidates: [Source], _ sources: [Opened],
    into target: borrowing ConfinedFolder, _ temporary: PathElement, _ outcome: inout Outcome
  ) throws(DiskError) {
    let entry = info.files[file]
    let names = Self.names(of: file, info, folders)
    switch try target.regularFile(names) {
    case .some(let length):
      if length == entry.length { outcome.files.append(file) }
      return
    case nil: break
    }
    guard let found = open(candidates, sources) else { return }
    try target.makeFolders(above: names)
    let isExecutable = entry.attributes.contains(.executable)
    let made = try target.open(
      [temporary], flags: O_RDWR | O_CREAT | O_EXCL, mode: isExecutable ? 0o777 : 0o666)
    let clone = FileClone(
      ways: ways, isCancelled: { self.cancelled.load(ordering: .relaxed) },
      progress: { self.done.wrappingAdd($0, ordering: .relaxed) })
    guard let way = try clone.make(made, length: entry.length, from: found.file) else {
      target.remove(temporary)
      outcome.isPartial = true
      return
    }
    try made.close()
    try target.name(temporary, names)
    outcome.files.append(file)
    outcome.bytes += min(found.length, entry.length)
    if way == .reflink { outcome.sharedFiles += 1 }
  }

  /// The first of the candidates that looks as its version says, else the first that is there at all.
  private func open(_ candidates: [Source], _ sources: [Opened]) -> FoundFile? {
    for isExact in [true, false] {
      for candidate in candidates {
        let old = older[candidate.version]
        let names = Self.names(of: candidate.file, old.info, old.folders)
        guard let found = sources[candidate.version].open(names) else { continue }
        if isExact && found.length != old.info.files[candidate.file].length { continue }
        return found
      }
    }
    return nil
  }

  private static func names(
    of file: Int, _ info: InfoDictionary, _ folders: TorrentFolders
  ) -> [PathElement] {
    if let name = folders.fileName, info.files.count == 1 { return [name] }
    return info.files[file].path.elements
  }

  private static func make(_ folder: [UInt8]) throws(DiskError) {
    do throws(SystemError) {
      try StateFolder.make(folder)
    } catch {
      throw DiskError(.create, folder, error.number)
    }
  }

  private static func element(_ name: [UInt8]) throws(DiskError) -> PathElement {
    do throws(ContentPathError) {
      return try PathElement(name)
    } catch {
      throw DiskError(.create, name, EINVAL)
    }
  }
}

/// A regular file with bytes, and how many.
private struct FoundFile: ~Copyable {
  let file: OpenFile
  let length: UInt64
}

/// The folder of an older version; one that cannot be opened has no files.
private final class Opened {
  private let folder: ContentFolder.Opened?

  init(_ older: VersionReuse.Older) {
    do throws(DiskError) {
      folder = ContentFolder.Opened(try ConfinedFolder(older.folders.content))
    } catch {
      folder = nil
    }
  }

  func open(_ names: [PathElement]) -> FoundFile? {
    guard let folder else { return nil }
    do throws(DiskError) {
      let file = try folder.folder.open(names, flags: O_RDONLY)
      let status = try file.status()
      guard fileType(status) == S_IFREG, status.st_size > 0 else { return nil }
      return FoundFile(file: file, length: UInt64(status.st_size))
    } catch {
      return nil
    }
  }
}

extension ConfinedFolder {
  /// The length of the regular file at a path; nil when nothing is there. Anything else is an error.
  fileprivate func regularFile(_ names: [PathElement]) throws(DiskError) -> UInt64? {
    let status: stat
    do throws(DiskError) {
      status = try open(names, flags: O_RDONLY).status()
    } catch {
      if error.errno == ENOENT { return nil }
      throw error
    }
    guard fileType(status) == S_IFREG else {
      throw DiskError(.create, Self.joined(names), EEXIST)
    }
    return UInt64(max(status.st_size, 0))
  }

  /// Puts everything of the folder's file system on the medium.
  fileprivate func syncFileSystem() throws(DiskError) {
    let folder = try openItself()
    guard cclone_sync(folder.descriptor) == 0 else { throw DiskError(.sync, path, errno) }
  }
}
