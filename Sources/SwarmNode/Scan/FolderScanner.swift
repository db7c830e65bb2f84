import Glibc
import Store

/// What a scan of a path gave: the items, and beside each its stamp.
public struct Scan: Sendable {
  /// The scanned path, as it was given.
  public let path: [UInt8]
  /// One item without names for a file; else everything below the folder, in no order.
  public let items: [ScannedItem]
  /// For each item, how to know it again; nil for what is not a file.
  let stamps: [FileStamp?]
  /// The paths of items that do not lie below `path`, by their place in `items`.
  let elsewhere: [Int: [UInt8]]
}

extension Scan {
  /// The scan with files besides that lie elsewhere: for each the names under which it counts as being
  /// below the folder, and its path.
  func adding(_ files: [(names: [[UInt8]], path: [UInt8])]) throws(SystemError) -> Scan {
    var (items, stamps, elsewhere) = (items, stamps, elsewhere)
    for file in files {
      guard let open = Descriptor(path: file.path, flags: O_RDONLY | O_NOFOLLOW),
        let status = open.status()
      else { throw SystemError("read", file.path) }
      let stamp = FileStamp(status)
      elsewhere[items.count] = file.path
      items.append(
        ScannedItem(
          names: file.names, kind: .file(length: stamp.length, isExecutable: false, holes: [])))
      stamps.append(stamp)
    }
    return Scan(path: path, items: items, stamps: stamps, elsewhere: elsewhere)
  }
}

/// Lists everything below a path with one look at each thing. Follows no symlink but the path
/// itself, and opens no file unless it is sparse.
public struct FolderScanner {
  private var items: [ScannedItem] = []
  private var stamps: [FileStamp?] = []

  /// Scans the file or folder at `path`.
  public static func scan(_ path: [UInt8]) throws(SystemError) -> Scan {
    var scanner = FolderScanner()
    guard let top = Descriptor(path: path, flags: O_RDONLY), let status = top.status() else {
      throw SystemError("read", path)
    }
    switch fileType(status) {
    case S_IFDIR: try scanner.walk(path)
    case S_IFREG: scanner.addFile(names: [], status, open: top.number)
    case S_IFBLK:
      guard let length = blockDeviceLength(top.number) else { throw SystemError("read", path) }
      scanner.items.append(
        ScannedItem(names: [], kind: .file(length: length, isExecutable: false, holes: [])))
      scanner.stamps.append(FileStamp(status, deviceLength: length))
    default:
      throw SystemError("share", path, EINVAL, detail: "it is neither a file nor a folder")
    }
    return Scan(path: path, items: scanner.items, stamps: scanner.stamps, elsewhere: [:])
  }

  private mutating func walk(_ top: [UInt8]) throws(SystemError) {
    var folders: [[[UInt8]]] = [[]]
    while let names = folders.popLast() {
      let path = names.reduce(top) { $0.appending(path: $1) }
      // Below the top a folder that has become a link since it was listed is not followed.
      let flags = O_RDONLY | O_DIRECTORY | (names.isEmpty ? 0 : O_NOFOLLOW)
      guard let folder = Descriptor(path: path, flags: flags) else {
        throw SystemError("read", path)
      }
      for name in try list(folder.number, path: path) {
        if let below = try add(names + [name], in: folder.number, path: path) {
          folders.append(below)
        }
      }
    }
  }

  /// The names in an open folder, without "." and "..".
  private func list(_ folder: CInt, path: [UInt8]) throws(SystemError) -> [[UInt8]] {
    // The stream owns the descriptor that it is given.
    guard let stream = fdopendir(dup(folder)) else { throw SystemError("read", path) }
    defer { closedir(stream) }
    var names: [[UInt8]] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw SystemError("read", path) }
        return names
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
    }
  }

  /// Adds what `names` names; returns the names if it is a folder to walk.
  private mutating func add(_ names: [[UInt8]], in folder: CInt, path: [UInt8]) throws(SystemError)
    -> [[UInt8]]?
  {
    let name = names[names.count - 1]
    let full = path.appending(path: name)
    var status = stat()
    guard name.withCPath({ fstatat(folder, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else {
      throw SystemError("read", full)
    }
    switch fileType(status) {
    case S_IFREG:
      let isSparse = FileStamp(status).isSparse
      let opened =
        isSparse ? Descriptor(name: name, below: folder, flags: O_RDONLY | O_NOFOLLOW) : nil
      if let opened {
        addFile(names: names, status, open: opened.number)
      } else {
        addFile(names: names, status, open: nil)
      }
      return nil
    case S_IFDIR:
      add(names, .folder)
      return names
    case S_IFLNK: add(names, .symlink(target: try target(of: name, in: folder, path: full)))
    case S_IFSOCK: add(names, .other("socket"))
    case S_IFIFO: add(names, .other("FIFO"))
    default: add(names, .other("device"))
    }
    return nil
  }

  private mutating func add(_ names: [[UInt8]], _ kind: ScannedItem.Kind) {
    items.append(ScannedItem(names: names, kind: kind))
    stamps.append(nil)
  }

  private mutating func addFile(names: [[UInt8]], _ status: stat, open descriptor: CInt?) {
    let stamp = FileStamp(status)
    let holes = descriptor.map { stamp.isSparse ? Self.holes(in: $0, length: stamp.length) : [] }
    items.append(
      ScannedItem(
        names: names,
        kind: .file(
          length: stamp.length, isExecutable: status.st_mode & S_IXUSR != 0, holes: holes ?? [])))
    stamps.append(stamp)
  }

  private func target(of name: [UInt8], in folder: CInt, path: [UInt8]) throws(SystemError)
    -> [UInt8]
  {
    var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = name.withCPath { name in
      target.withUnsafeMutableBytes { target in
        readlinkat(folder, name, target.baseAddress!, target.count)
      }
    }
    guard count >= 0 else { throw SystemError("read", path) }
    return Array(target[..<count])
  }

  /// The ranges that the file system holds no data for. What is not listed is read, so that a file
  /// in very many fragments costs time, not memory.
  static func holes(in descriptor: CInt, length: UInt64) -> [Range<UInt64>] {
    // linux/fs.h; the C library hides them behind a feature macro.
    let seekData: CInt = 3
    let seekHole: CInt = 4
    let mostHoles = 65_536
    var holes: [Range<UInt64>] = []
    var position: UInt64 = 0
    while position < length, holes.count < mostHoles {
      let hole = lseek(descriptor, off_t(position), seekHole)
      guard hole >= 0, UInt64(hole) < length else { break }
      let data = lseek(descriptor, hole, seekData)
      // No data after it: the hole reaches to the end.
      let end = data < 0 ? length : min(UInt64(data), length)
      guard end > UInt64(hole) else { break }
      holes.append(UInt64(hole)..<end)
      position = end
    }
    return holes
  }
}
