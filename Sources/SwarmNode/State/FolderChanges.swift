import Glibc
import Metainfo

/// How content in the user's folder differs from what was published of it.
public struct FolderChanges: Hashable, Sendable {
  /// Files and symlinks that were changed, added or removed.
  public var count = 0
  /// The first of them, ascending: names from the content's folder down, joined by "/"; empty for
  /// content that is a file.
  public var first: [[UInt8]] = []
  /// Why the folder cannot be looked at; nil when it can.
  public var fault: String?

  /// How many are named.
  public static let named = 10

  /// No difference.
  public init() {}

  /// What differs between how it looked, and how it looks now: both ascending by path. Folders do not
  /// count, for no version has them.
  public init(from old: [ContentRecord.Item], to new: [ContentRecord.Item]) {
    var (before, after) = (old[...], new[...])
    while let path = [before.first?.path, after.first?.path].compactMap({ $0 })
      .min(by: { $0.lexicographicallyPrecedes($1) })
    {
      let was = before.first?.path == path ? before.popFirst() : nil
      let item = after.first?.path == path ? after.popFirst() : nil
      if was == item || [was, item].allSatisfy({ $0.map { $0.kind == "folder" } ?? true }) {
        continue
      }
      count += 1
      if first.count < Self.named { first.append(path) }
    }
  }

  /// How the content at `path` differs now from how it looked when it was published.
  public static func look(at path: [UInt8], since items: [ContentRecord.Item]) -> FolderChanges {
    do throws(SystemError) {
      return FolderChanges(from: items, to: ContentRecord.items(of: try FolderScanner.scan(path)))
    } catch {
      var changes = FolderChanges()
      changes.fault = "\(error)"
      return changes
    }
  }

  /// Which of a torrent's files that have bytes are not at their places in the content at `path` any more. Nothing
  /// is said of what is in them.
  ///
  /// - Parameter wanted: whether the file at this place in the torrent was to be there.
  public static func missing(
    of info: InfoDictionary, at path: [UInt8], wanted: (Int, FileEntry) -> Bool
  ) -> FolderChanges {
    var top = stat()
    let isThere = path.withCPath { stat($0, &top) } == 0
    // In v2 a folder with one file cannot be told from that file by the torrent. BEP 52.
    let isFile = info.isSingleFile && (!isThere || fileType(top) != S_IFDIR)
    var changes = FolderChanges()
    for (index, entry) in info.files.enumerated() where entry.length > 0 && wanted(index, entry) {
      let place = isFile ? path : path.appending(path: entry.path.bytes)
      var found = stat()
      if isThere, place.withCPath({ stat($0, &found) }) == 0, fileType(found) == S_IFREG,
        UInt64(clamping: found.st_size) >= entry.length
      {
        continue
      }
      changes.count += 1
      if changes.first.count < Self.named { changes.first.append(isFile ? [] : entry.path.bytes) }
    }
    // One name for all of it.
    if !isThere, changes.count > 0 { changes.first = [[]] }
    return changes
  }
}
