/// Reads a v2 file tree into a list, in the order of the tree. BEP 52, "file tree".
struct FileTreeReader {
  private(set) var files: [RawFile] = []
  /// The names from the root of the tree down to where the reader is, joined by "/".
  private var path: [UInt8] = []
  /// How many names `path` has.
  private var depth = 0
  /// How many bytes there may be in all paths together, and how many of them are left.
  private let pathBytes: Int
  private var pathBytesLeft: Int

  init(_ tree: BencodeDictionary, pathBytes limit: Int) throws(MetainfoError) {
    pathBytes = limit
    pathBytesLeft = limit
    try readFolder(tree)
    if files.isEmpty { throw MetainfoError(.info, .noFiles) }
  }

  /// Whether the tree is one file at its top, which makes a single-file torrent.
  static func isSingleFile(_ tree: BencodeDictionary) -> Bool {
    var pairs = tree
    guard pairs.count == 1, let (_, entry) = pairs.next() else { return false }
    return entry[""] != nil
  }

  /// Recursive, and no deeper than `MetainfoLimits.pathDepth`.
  private mutating func readFolder(_ folder: BencodeDictionary) throws(MetainfoError) {
    let folderBytes = path.count
    for (key, entry) in folder {
      do throws(ContentPathError) {
        try PathElement.check(key)
        if depth == MetainfoLimits.pathDepth { throw .tooDeep(depth + 1) }
      } catch {
        // A name that is too long is told by its beginning.
        let name = Array(key.prefix(MetainfoLimits.pathElementBytes + 1))
        throw MetainfoError(.tree(names + [name]), .path(error))
      }
      if depth > 0 { path.append(ContentPath.separator) }
      path.append(contentsOf: key)
      depth += 1
      guard let entries = entry.dictionary else {
        throw fault(.wrongKind("", expected: .dictionary))
      }
      if let leaf = entry[""] {
        if entries.count > 1 { throw fault(.fileAndFolder(path)) }
        try readFile(leaf)
      } else {
        try readFolder(entries)
      }
      path.removeSubrange(folderBytes...)
      depth -= 1
    }
  }

  private mutating func readFile(_ leaf: BencodeNode) throws(MetainfoError) {
    do throws(MetainfoError) {
      files.append(try Self.file(leaf, path: path))
    } catch {
      // The place is made only now: there may be a million files, and all may be right.
      throw fault(error.reason)
    }
    pathBytesLeft -= path.count
    if pathBytesLeft < 0 { throw MetainfoError(.info, .pathsTooLong(pathBytes)) }
  }

  /// The file; the place in errors means nothing.
  private static func file(
    _ leaf: BencodeNode, path: [UInt8]
  ) throws(MetainfoError) -> RawFile {
    let fields = try Fields(leaf, .info)
    let letters = try fields.string("attr") ?? []
    if letters.contains(UInt8(ascii: "p")) { throw fields.fault(.paddingInTree) }
    let target = try RawFile.symlinkTarget(fields, letters: letters)
    let length = target.isEmpty ? try fields.count("length") : 0
    let contentPath: ContentPath
    do throws(ContentPathError) {
      contentPath = try ContentPath(joined: path)
    } catch {
      throw fields.fault(.path(error))
    }
    return RawFile(
      entry: FileEntry(
        path: contentPath, length: length, attributes: FileAttributes(letters: letters),
        piecesRoot: try piecesRoot(fields, length: length)),
      target: target)
  }

  /// The root, which must be there if there are bytes. Of an empty file none is kept: the
  /// first libtorrent 2.0 wrote 32 zeros.
  private static func piecesRoot(
    _ fields: Fields, length: UInt64
  ) throws(MetainfoError) -> SHA256Digest? {
    guard let bytes = try fields.string("pieces root") else {
      if length > 0 { throw fields.missing("pieces root") }
      return nil
    }
    if length == 0 { return nil }
    guard let root = SHA256Digest(bytes) else {
      throw fields.fault(.digestLength("pieces root", bytes.count))
    }
    if root == .zero { throw fields.fault(.zeroRoot) }
    return root
  }

  private var names: [[UInt8]] { path.split(separator: ContentPath.separator).map(Array.init) }

  private func fault(_ reason: MetainfoFault) -> MetainfoError {
    MetainfoError(.tree(names), reason)
  }
}
