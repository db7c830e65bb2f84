import Glibc
import Metainfo

/// What is already where a dataset's content is to go.
public struct JoinTarget: Sendable {
  /// Something that is in the way.
  public struct Obstacle: Hashable, Sendable, CustomStringConvertible {
    /// Its path.
    public let path: [UInt8]
    /// What is wrong with it.
    public let reason: String

    /// Path and reason.
    public var description: String { "\(printable(path)): \(reason)" }
  }

  /// The content's folder: `DIR/<name>`; for content that is a file `DIR` itself.
  public let folder: [UInt8]
  /// Where people find the content: `DIR/<name>`, or the file.
  public let content: [UInt8]
  /// Files with bytes that are there and have the right size, by their place in the torrent.
  public private(set) var present: [Int] = []
  /// Bytes in those files.
  public private(set) var presentBytes: UInt64 = 0
  /// What is in the way.
  public private(set) var obstacles: [Obstacle] = []

  /// What the content is called in `folder`, if it is one file under another name than the torrent's.
  public let fileName: PathElement?

  /// Looks at the places of the files that are wanted; reads nothing and writes nothing.
  ///
  /// - Parameters:
  ///   - directory: the folder that the user named.
  ///   - name: what the content is called in it, if not as the torrent says: what was a folder is one then,
  ///     even with a single file (`InfoDictionary.isOneNamedFile`).
  ///   - wanted: whether the file at this place in the torrent is.
  public init(
    _ info: InfoDictionary, in directory: [UInt8], as name: PathElement? = nil,
    wanted: (Int, FileEntry) -> Bool
  ) throws(DiskError) {
    content =
      name.map { directory.appending(path: $0.bytes) } ?? Self.content(of: info, in: directory)
    // A folder stays a folder by its name when but one file is left in it. Without another name a torrent
    // goes where every client puts it.
    let isFile = name == nil ? info.isSingleFile : info.isOneNamedFile
    folder = isFile ? directory : content
    fileName = isFile ? name : nil
    guard let confined = try Self.open(folder) else { return }
    for (index, entry) in info.files.enumerated() where wanted(index, entry) {
      do throws(DiskError) {
        let names = fileName.map { [$0] } ?? entry.path.elements
        let file = try confined.open(names, flags: O_RDONLY)
        try note(try file.status(), of: entry, at: index)
      } catch {
        note(error.errno, of: entry)
      }
    }
  }

  /// Where people find the content that is put into `directory`.
  public static func content(of info: InfoDictionary, in directory: [UInt8]) -> [UInt8] {
    directory.appending(path: info.isSingleFile ? info.files[0].path.bytes : info.name.bytes)
  }

  private static func open(_ folder: [UInt8]) throws(DiskError) -> ConfinedFolder? {
    do throws(DiskError) {
      return try ConfinedFolder(folder)
    } catch {
      if error.errno == ENOENT { return nil }
      throw error
    }
  }

  private mutating func note(_ status: stat, of entry: FileEntry, at index: Int) throws(DiskError) {
    guard entry.symlinkTarget == nil else {
      obstruct(entry, "something is there where a symlink is to be")
      return
    }
    guard fileType(status) == S_IFREG else {
      obstruct(entry, "something is there that is not a file")
      return
    }
    let length = UInt64(max(status.st_size, 0))
    if length != entry.length {
      obstruct(entry, "a file is there that has \(length) bytes, \(entry.length) expected")
    } else if length > 0 {
      present.append(index)
      presentBytes += length
    }
  }

  private mutating func note(_ number: CInt, of entry: FileEntry) {
    switch number {
    case ENOENT: break
    case ELOOP, EXDEV:
      // A symlink where one is to be: the one that makes it looks at what it holds.
      if entry.symlinkTarget == nil { obstruct(entry, "a symlink is there or on the way") }
    case ENOTDIR: obstruct(entry, "a file is there where a folder is to be")
    default: obstruct(entry, String(cString: strerror(number)))
    }
  }

  private mutating func obstruct(_ entry: FileEntry, _ reason: String) {
    obstacles.append(Obstacle(path: folder.appending(path: entry.path.bytes), reason: reason))
  }
}
