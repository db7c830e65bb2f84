import Glibc
import Metainfo

/// Where a torrent's content and its block maps lie.
public struct TorrentFolders: Sendable {
  /// The folder under which the paths of the torrent's entries lie.
  public var content: [UInt8]
  /// The folder of the block maps, which is the node's own.
  public var maps: [UInt8]
  /// What the only file of a torrent is called in the content's folder, if not as the torrent says.
  public var fileName: PathElement?
  /// Files of content in place that lie elsewhere: by their joined path in the torrent the path on disk.
  public var elsewhere: [[UInt8]: [UInt8]] = [:]
  /// Work on a thread of the pool before the content is looked at: what is put there is found.
  public var preparation: (@Sendable () -> Void)?

  /// Folders by their paths.
  public init(content: [UInt8], maps: [UInt8], fileName: PathElement? = nil) {
    self.content = content
    self.maps = maps
    self.fileName = fileName
  }

  /// Content that is to be downloaded into `target`: a file there, or a folder with the torrent's
  /// name.
  public static func owned(
    _ info: InfoDictionary, in target: [UInt8], maps: [UInt8]
  ) -> TorrentFolders {
    TorrentFolders(
      content: info.isSingleFile ? target : target.appending(path: info.name.bytes), maps: maps)
  }

  /// Content that is there, in the file or folder that the user named, whatever it is called and
  /// whichever symlinks lead to it.
  public static func inPlace(
    _ info: InfoDictionary, at path: [UInt8], maps: [UInt8]
  ) throws(SystemError) -> TorrentFolders {
    let real = try RealPath.resolve(path)
    var status = stat()
    guard real.withCPath({ stat($0, &status) }) == 0 else { throw SystemError("find", path) }
    guard info.files.count == 1, fileType(status) != S_IFDIR else {
      return TorrentFolders(content: real, maps: maps)
    }
    let last = real.lastIndex(of: UInt8(ascii: "/")) ?? 0
    let name: PathElement
    do {
      name = try PathElement(real[(last + 1)...])
    } catch {
      throw SystemError("share", path, EINVAL, detail: "\(error)")
    }
    return TorrentFolders(
      content: last == 0 ? Array("/".utf8) : Array(real[..<last]), maps: maps, fileName: name)
  }

  /// Opens both for the disk's driver; makes the one of the maps, and that of content which is ours.
  func open(
    _ info: InfoDictionary, isOwned: Bool, buffers: any DiskBuffers
  ) throws -> DiskDriver {
    if isOwned { try Self.make(content) }
    try Self.make(maps)
    var entries = info.files
    if let fileName, entries.count == 1 { entries[0].path = try ContentPath([fileName]) }
    let maps = try ConfinedFolder(self.maps)
    guard isOwned else {
      var paths: [Int: [UInt8]] = [:]
      if !elsewhere.isEmpty {
        for (number, entry) in entries.enumerated() { paths[number] = elsewhere[entry.path.bytes] }
      }
      return DiskDriver(
        contentInPlace: content, elsewhere: paths, maps: maps, entries: entries, buffers: buffers)
    }
    return DiskDriver(
      content: try ConfinedFolder(content), maps: maps, entries: entries, buffers: buffers)
  }

  /// Makes a folder and those above it, where they are not there.
  private static func make(_ path: [UInt8]) throws(DiskError) {
    for end in path.indices where end > 0 && path[end] == UInt8(ascii: "/") {
      _ = Array(path[..<end]).withCPath { mkdir($0, 0o777) }
    }
    let made = path.withCPath { mkdir($0, 0o777) }
    guard made == 0 || errno == EEXIST else { throw DiskError(.create, path, errno) }
  }
}
