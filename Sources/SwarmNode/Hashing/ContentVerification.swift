import Glibc
import Metainfo
import Store

/// Compares content on disk with its torrent, hashing on all cores.
///
/// Make it, `start` it on a loop, run the loop. Belongs to the loop's thread.
public final class ContentVerification {
  /// The folder or file that is compared.
  public let path: [UInt8]
  /// Bytes that the torrent's files should have.
  public let totalLength: UInt64

  private let content: ContentSource
  private var kept: KeptLeaves
  private(set) var verifier: Verifier
  private var run: HashRun?

  /// A comparison of `torrent` with the content at `folder`: the content itself, or the folder that
  /// contains it by its name.
  public init(_ torrent: Torrent, folder: [UInt8]) throws(SystemError) {
    let info = torrent.info
    path = try Self.locate(info, at: folder)
    totalLength = info.contentLength
    kept = KeptLeaves(lengths: info.files.map(\.length), kind: info.kind)
    let path = path
    let found = info.files.map { entry in
      Self.look(
        at: info.isSingleFile ? path : path.appending(path: entry.path.bytes), entry,
        followsLinks: info.isSingleFile && entry.symlinkTarget == nil)
    }
    content = ContentSource(files: found.map(\.file), followsLinks: info.isSingleFile)
    verifier = Verifier(torrent, presence: found.map(\.presence), laneBytes: HashRun.laneBytes)
  }

  /// Bytes that have been compared so far.
  public var bytesHashed: UInt64 { run?.bytesHashed ?? 0 }

  /// The leaf hashes of what was compared, all files in order; they are those of the torrent only if
  /// nothing differs. Empty in v1 torrents, and where they are too many to be kept.
  public var leaves: [SHA256Digest] { kept.digests }

  /// Compares, and calls `completion` once with the verdicts.
  public func start(on loop: EventLoop, completion: @escaping (VerifyReport) -> Void) {
    let run = HashRun(
      on: loop, schedule: verifier.schedule, content: content, keepsLeaves: kept.areWanted
    ) { [self] segment, result in
      kept.add(result)
      verifier.add(result, of: segment)
      return true
    } onEnd: { [self] in
      completion(verifier.report)
    }
    self.run = run
    run.start()
  }

  /// Where the content is: at `folder` itself or below it under the torrent's name, whichever has
  /// more of the names that the torrent has at its top.
  private static func locate(_ info: InfoDictionary, at folder: [UInt8]) throws(SystemError)
    -> [UInt8]
  {
    var status = stat()
    guard folder.withCPath({ stat($0, &status) }) == 0 else { throw SystemError("read", folder) }
    let below = folder.appending(path: info.name.bytes)
    if info.isSingleFile {
      if fileType(status) != S_IFDIR { return folder }
      // In v2 the name of the file is not always that of the torrent. BEP 52, "Interpreting paths".
      let file = info.files[0].path.bytes
      let places = [folder.appending(path: file), below.appending(path: file), below]
      return places.first(where: lstatSucceeds) ?? places[0]
    }
    guard fileType(status) == S_IFDIR else { throw SystemError("read", folder, ENOTDIR) }
    let top = Set(info.files.map(\.path.elements[0]))
    func count(in place: [UInt8]) -> Int {
      top.count { name in
        var status = stat()
        return place.appending(path: name.bytes).withCPath { lstat($0, &status) } == 0
      }
    }
    return count(in: below) >= count(in: folder) && lstatSucceeds(below) ? below : folder
  }

  private static func lstatSucceeds(_ path: [UInt8]) -> Bool {
    var status = stat()
    return path.withCPath { lstat($0, &status) } == 0
  }

  /// What is at the place of a file. A file that the user named may be a link to it.
  private static func look(at path: [UInt8], _ entry: FileEntry, followsLinks: Bool) -> (
    file: ContentSource.File, presence: ContentPresence
  ) {
    func absent(_ presence: ContentPresence) -> (ContentSource.File, ContentPresence) {
      (ContentSource.File(path: path, stamp: nil), presence)
    }
    var status = stat()
    guard path.withCPath({ followsLinks ? stat($0, &status) : lstat($0, &status) }) == 0 else {
      // A folder above that may not be entered hides whether it is there.
      return errno == ENOENT || errno == ENOTDIR
        ? absent(.missing) : absent(.unreadable(SystemError("read", path).description))
    }
    switch fileType(status) {
    case S_IFREG:
      let stamp = FileStamp(status)
      let presence = ContentPresence.file(
        length: stamp.length, isExecutable: status.st_mode & S_IXUSR != 0,
        holes: stamp.isSparse ? holes(in: path, length: stamp.length) : [])
      return (ContentSource.File(path: path, stamp: stamp), presence)
    case S_IFLNK:
      return absent(.symlink(target: symlinkTarget(of: path, entry)))
    case S_IFDIR: return absent(.other("folder"))
    case S_IFBLK:
      guard let device = Descriptor(path: path, flags: O_RDONLY),
        let length = blockDeviceLength(device.number)
      else { return absent(.other("block device that cannot be read")) }
      return (
        ContentSource.File(path: path, stamp: FileStamp(status, deviceLength: length)),
        .file(length: length, isExecutable: false)
      )
    default: return absent(.other("special file"))
    }
  }

  private static func holes(in path: [UInt8], length: UInt64) -> [Range<UInt64>] {
    guard let file = Descriptor(path: path, flags: O_RDONLY) else { return [] }
    return FolderScanner.holes(in: file.number, length: length)
  }

  /// The target of the link at `path` as a path from the content's root.
  private static func symlinkTarget(of path: [UInt8], _ entry: FileEntry) -> ContentPath? {
    var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = path.withCPath { path in
      target.withUnsafeMutableBytes { target in
        readlink(path, target.baseAddress!, target.count)
      }
    }
    guard count >= 0 else { return nil }
    return SymlinkTarget.resolve(target[..<count], from: entry.path)
  }
}
