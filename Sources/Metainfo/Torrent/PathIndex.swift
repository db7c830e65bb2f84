/// The paths of a torrent in order: finds what clashes, and what a symlink means.
struct PathIndex {
  /// Ascending. A path sorts directly before all that would be inside it.
  private let paths: [ContentPath]

  /// Throws when a path comes twice, or is a file and a folder.
  init(_ files: [RawFile]) throws(MetainfoError) {
    var paths = files.map(\.entry.path)
    // The usual case, which a file tree always is.
    let isSorted = zip(paths, paths.dropFirst()).allSatisfy { $0 < $1 }
    if !isSorted { paths.sort() }
    for (path, next) in zip(paths, paths.dropFirst()) where next.starts(with: path.bytes) {
      throw MetainfoError(
        .info,
        path == next ? .duplicatePath(path.bytes) : .fileAndFolder(path.bytes))
    }
    self.paths = paths
  }

  /// Whether `joined` is the path of a file, a symlink or a folder, the top one too.
  private func contains(_ joined: [UInt8]) -> Bool {
    var low = 0
    var high = paths.count
    while low < high {
      let middle = (low + high) / 2
      if ContentPath.precedes(paths[middle].bytes, joined) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low < paths.count && paths[low].starts(with: joined)
  }

  /// Files with their symlinks resolved.
  func resolveSymlinks(
    _ files: [RawFile], place: (Int) -> MetainfoPlace
  ) throws(MetainfoError) -> [FileEntry] {
    var entries: [FileEntry] = []
    entries.reserveCapacity(files.count)
    for (index, file) in files.enumerated() {
      var entry = file.entry
      if !file.target.isEmpty {
        do throws(MetainfoFaultError) {
          entry.symlinkTarget = try target(of: file)
        } catch {
          throw MetainfoError(place(index), error.fault)
        }
      }
      entries.append(entry)
    }
    return entries
  }

  /// The path below the torrent's folder that a symlink leads to, which need not exist.
  ///
  /// BEP 47 says that `symlink path` starts at the torrent's folder. libtorrent before 2.1 wrote
  /// the link's text as it was, which starts at the folder of the link and may go up by "..". As
  /// libtorrent does when it reads, the first reading is tried first, then the second. Neither can
  /// lead outside: ".." beyond the torrent's folder is an error.
  private func target(of file: RawFile) throws(MetainfoFaultError) -> ContentPath {
    let folder = file.entry.path.folder
    let fromTop = try? walk(file.target, from: [])
    if let fromTop, contains(fromTop) { return try path(fromTop) }
    let fromFolder = try? walk(file.target, from: folder)
    if let fromFolder, contains(fromFolder) { return try path(fromFolder) }
    // It leads to nothing that is in the torrent.
    if let fromTop { return try path(fromTop) }
    return try path(try walk(file.target, from: folder))
  }

  /// Where `target` leads from `folder`. All names are joined by "/".
  private func walk(
    _ target: [UInt8], from folder: ArraySlice<UInt8>
  ) throws(MetainfoFaultError) -> [UInt8] {
    var joined = Array(folder)
    for name in target.split(separator: ContentPath.separator) {
      if name.elementsEqual(".".utf8) { continue }
      if name.elementsEqual("..".utf8) {
        if joined.isEmpty { throw MetainfoFaultError(fault: .symlinkOutside) }
        joined.removeSubrange((joined.lastIndex(of: ContentPath.separator) ?? 0)...)
        continue
      }
      if !joined.isEmpty { joined.append(ContentPath.separator) }
      joined += name
    }
    return joined
  }

  private func path(_ joined: [UInt8]) throws(MetainfoFaultError) -> ContentPath {
    do throws(ContentPathError) {
      return try ContentPath(joined: joined)
    } catch {
      // Empty: the link leads to the torrent's folder itself, and so into itself.
      throw MetainfoFaultError(fault: error == .empty ? .symlinkOutside : .path(error))
    }
  }
}

/// A fault whose place the caller knows.
private struct MetainfoFaultError: Error {
  let fault: MetainfoFault
}
