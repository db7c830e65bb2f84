import Glibc
import Metainfo
import Store

/// Where the bytes of a `BufferHandle` are. Asked from several threads at once.
public protocol DiskBuffers: Sendable {
  /// The buffer's memory. It stays where it is until the operation that names it has ended, and
  /// nobody else touches it meanwhile.
  func memory(of buffer: BufferHandle) -> UnsafeMutableRawBufferPointer
}

/// Carries out the operations of one `PieceStore` with system calls, one after another or on several
/// threads at once. Blocks the thread: it belongs on the thread pool.
public final class DiskDriver: Sendable {
  private let folder: ContentFolder
  /// The paths of files that do not lie in the folder, by their number.
  private let elsewhere: [Int: [UInt8]]
  private let maps: ConfinedFolder
  let entries: [FileEntry]
  let buffers: any DiskBuffers
  let cache = FileCache()

  /// A driver for content that is written by us.
  ///
  /// - Parameters:
  ///   - content: the folder under which the entries' paths lie.
  ///   - maps: the folder of the block maps.
  ///   - entries: those of the store's layout.
  public convenience init(
    content: consuming ConfinedFolder, maps: consuming ConfinedFolder, entries: [FileEntry],
    buffers: any DiskBuffers
  ) {
    self.init(
      folder: ContentFolder(content), elsewhere: [:], maps: maps, entries: entries,
      buffers: buffers)
  }

  /// A driver for content in the user's folder at a path, which may be gone at times, and another one
  /// when it is back.
  ///
  /// - Parameter elsewhere: the paths of files that are not in that folder, by their number.
  public convenience init(
    contentInPlace path: [UInt8], elsewhere: [Int: [UInt8]] = [:],
    maps: consuming ConfinedFolder, entries: [FileEntry], buffers: any DiskBuffers
  ) {
    self.init(
      folder: ContentFolder(at: path), elsewhere: elsewhere, maps: maps, entries: entries,
      buffers: buffers)
  }

  private init(
    folder: ContentFolder, elsewhere: [Int: [UInt8]], maps: consuming ConfinedFolder,
    entries: [FileEntry], buffers: any DiskBuffers
  ) {
    self.folder = folder
    self.elsewhere = elsewhere
    self.maps = maps
    self.entries = entries
    self.buffers = buffers
  }

  /// Carries out an operation and waits for its end.
  public func perform(_ operation: DiskOperation) -> DiskCompletion {
    let result: Result<DiskCompletion.Value, DiskFailure>
    do throws(DiskError) {
      result = .success(try carryOut(operation.action))
    } catch {
      result = .failure(error.failure)
    }
    return DiskCompletion(id: operation.id, result: result)
  }

  func carryOut(_ action: DiskAction) throws(DiskError) -> DiskCompletion.Value {
    switch action {
    case .create(let file, let length, let isExecutable, _):
      try create(file, length: length, isExecutable: isExecutable)
    case .createSymlink(let file, let text, _):
      try folder.opened().folder.makeSymlink(names(of: file), text: text)
    case .write(let parts, _): try write(parts)
    case .read(let parts, let reportsEvidence):
      guard reportsEvidence else {
        _ = try read(parts)
        break
      }
      return .evidence(try readWithEvidence(parts))
    case .sync(let file, let isNew): try sync(file, isNew: isNew)
    case .examine(let file): return .evidence([try examine(file)])
    case .loadMap(let name, let capacity): return .map(try loadMap(name, capacity))
    case .writeMap(let name, let offset, let bytes):
      try openMap(name, O_RDWR | O_CREAT).write(bytes, at: offset)
    case .syncMap(let name, let isNew):
      try openMap(name, O_RDWR).sync(metadata: isNew)
      if isNew { try maps.syncNames() }
    }
    return .done
  }

  func names(of file: FileIndex) -> [PathElement] { entries[Int(file.rawValue)].path.elements }

  // MARK: Files

  private func create(
    _ file: FileIndex, length: UInt64, isExecutable: Bool
  ) throws(DiskError) {
    let names = names(of: file)
    let mode: mode_t = isExecutable ? 0o777 : 0o666
    try folder.opened().folder.makeFolders(above: names)
    let open = try folder.opened().folder.open(names, flags: O_RDWR | O_CREAT, mode: mode)
    let evidence = try open.evidence()
    guard evidence.size <= length else { throw DiskError(.create, open.path, EFBIG) }
    if evidence.size < length {
      guard ftruncate(open.descriptor, off_t(length)) == 0 else {
        throw DiskError(.create, open.path, errno)
      }
    }
    let permissions = try open.status().st_mode & 0o7777
    if isExecutable, permissions & S_IXUSR == 0 {
      guard fchmod(open.descriptor, permissions | S_IXUSR) == 0 else {
        throw DiskError(.write, open.path, errno)
      }
    }
    cache.insert(SharedFile(open, isWritable: true), for: file)
  }

  private func sync(_ file: FileIndex, isNew: Bool) throws(DiskError) {
    try open(file, toWrite: false).file.sync(metadata: isNew)
    if isNew { try folder.opened().folder.syncFolders(above: names(of: file)) }
  }

  /// What the file at the path looks like, whatever was open before; nil when there is none.
  private func examine(_ file: FileIndex) throws(DiskError) -> FileEvidence? {
    cache.remove(file)
    if elsewhere[Int(file.rawValue)] == nil {
      switch folder.follow() {
      case .same: break
      case .replaced: cache.removeAll()
      case .gone: return nil
      }
    }
    do throws(DiskError) {
      return try open(file, toWrite: false).file.evidence()
    } catch {
      guard error.errno == ENOENT else { throw error }
      return nil
    }
  }

  func open(_ file: FileIndex, toWrite: Bool) throws(DiskError) -> SharedFile {
    if let found = cache.find(file, toWrite: toWrite) { return found }
    let opened = try openByPath(file, flags: toWrite ? O_RDWR : O_RDONLY)
    _ = try opened.evidence()
    let shared = SharedFile(opened, isWritable: toWrite)
    cache.insert(shared, for: file)
    return shared
  }

  /// Opens a file in the folder that is at the content's path, which may be another one by now.
  private func openByPath(_ file: FileIndex, flags: Int32) throws(DiskError) -> OpenFile {
    if let path = elsewhere[Int(file.rawValue)] { return try OpenFile(at: path) }
    do throws(DiskError) {
      return try folder.opened().folder.open(names(of: file), flags: flags)
    } catch {
      guard error.errno == ENOENT || error.errno == ESTALE, case .replaced = folder.follow() else {
        throw error
      }
      cache.removeAll()
      return try folder.opened().folder.open(names(of: file), flags: flags)
    }
  }

  // MARK: Block maps

  private func openMap(_ name: BlockMapName, _ flags: Int32) throws(DiskError) -> OpenFile {
    let path = Array(name.text.utf8)
    let element: PathElement
    do { element = try PathElement(path) } catch { throw DiskError(.open, path, EINVAL) }
    let file = try maps.open([element], flags: flags, mode: 0o666)
    _ = try file.evidence()
    return file
  }

  private func loadMap(_ name: BlockMapName, _ capacity: UInt64) throws(DiskError) -> [[UInt8]]? {
    do throws(DiskError) {
      let file = try openMap(name, O_RDONLY)
      let size = try file.evidence().size
      var slots: [[UInt8]] = []
      for start in [0, capacity] {
        let count = size > start ? min(size - start, capacity) : 0
        slots.append(try file.readUpTo(Int(count), at: start))
      }
      return slots
    } catch {
      guard error.errno == ENOENT else { throw error }
      return nil
    }
  }
}
