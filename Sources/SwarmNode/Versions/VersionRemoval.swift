import Glibc
import Metainfo
import Store
import Swarm

/// Removes old versions from the folder that a dataset was joined into.
///
/// Only versions go that the program made to follow the dataset and still knows of (`ContentRecord`), of
/// those only the files that their torrents list, and of these only what looks as it did when the version
/// was whole. Whatever else is in such a folder stays, and the folder with it. Who has a file open keeps it.
public struct VersionRemoval: Sendable {
  private let links: VersionLinks
  private let dataset: KeyedDataset
  private let state: StateFolder

  /// Of the versions of a dataset in a folder.
  public init(_ links: VersionLinks, of dataset: KeyedDataset, state: StateFolder) {
    self.links = links
    self.dataset = dataset
    self.state = state
  }

  /// What became of a version.
  public struct Outcome: Hashable, Sendable {
    /// Files and symlinks that were removed.
    public var removed = 0
    /// Paths of those that were left, since they are not what they were.
    public var left: [[UInt8]] = []
  }

  /// The versions that may go, ascending: those that are older than the one that the symlink leads to,
  /// but for the `count` newest of them.
  public func superfluous(keeping count: Int) -> [UInt64] {
    guard let current = (try? links.current()) ?? nil, let numbers = try? links.versions() else {
      return []
    }
    let old = numbers.filter { number in
      number < current && record(of: number)?.isDisposable == true
    }
    return Array(old.dropLast(count))
  }

  private func record(of number: UInt64) -> ContentRecord? {
    guard let infohash = dataset.version(number), let place = try? links.place(of: number),
      let record = state.keptVersion(infohash, content: place)?.record, record.owner == .program
    else { return nil }
    return record
  }

  /// Removes a version; takes as long as the disk. Throws what is in the way, another process that
  /// has it for example.
  public func remove(_ number: UInt64) throws -> Outcome {
    var outcome = Outcome()
    guard let infohash = dataset.version(number), let name = DatasetName(v1: nil, v2: infohash),
      record(of: number)?.isDisposable == true
    else { return outcome }
    let place = try links.place(of: number)
    let folder = try state.open(name, content: place)
    // Looked at again: nobody else has it from here on.
    guard let record = folder.content, record.path == place, record.owner == .program,
      record.isDisposable, let info = folder.torrent?.info
    else { return outcome }
    try folder.forgetMaps()
    do throws(DiskError) {
      try removeFiles(of: info, at: number, record, &outcome)
    } catch {
      // Somebody else removed all of it.
      if error.errno != ENOENT { throw error }
    }
    try folder.forgetContent()
    return outcome
  }

  private func removeFiles(
    of info: InfoDictionary, at number: UInt64, _ record: ContentRecord, _ outcome: inout Outcome
  ) throws(DiskError) {
    let directory = try ConfinedFolder(links.directory)
    guard let name = try? links.placeName(of: number) else { return }
    let items = Dictionary(record.items.map { ($0.path, $0) }) { first, _ in first }
    var folders: Set<[PathElement]> = []
    for entry in info.files {
      let below = info.isOneNamedFile ? [] : entry.path.elements
      for depth in 0..<below.count { folders.insert([name] + below.prefix(depth)) }
      let item = items[info.isOneNamedFile ? [] : entry.path.bytes]
      var isThere = false
      let isGone: Bool
      do throws(DiskError) {
        isGone = try directory.remove([name] + below) { status in
          isThere = true
          return Self.isUntouched(status, item, record, entry)
        }
      } catch {
        // Something else is where a folder was.
        guard [ENOENT, ENOTDIR, ELOOP].contains(error.errno) else { throw error }
        continue
      }
      if isGone { outcome.removed += 1 }
      if isThere, !isGone {
        outcome.left.append(links.directory.appending(path: ConfinedFolder.joined([name] + below)))
      }
    }
    for folder in folders.sorted(by: { $0.count > $1.count }) { directory.removeFolder(folder) }
  }

  /// Whether a file is as the program left it: its size, the time of its last change and its inode. One
  /// of a version that was never whole has nothing to be compared with but its kind.
  private static func isUntouched(
    _ status: stat, _ item: ContentRecord.Item?, _ record: ContentRecord, _ entry: FileEntry
  ) -> Bool {
    if entry.symlinkTarget != nil { return fileType(status) == S_IFLNK }
    guard fileType(status) == S_IFREG else { return false }
    guard record.isWhole else { return true }
    guard let evidence = item?.evidence else { return false }
    let now = ContentRecord.evidence(FileStamp(status))
    return evidence.size == now.size && evidence.modified == now.modified
      && evidence.inode == now.inode
  }
}
