/// Reads a v2 file tree into a list, in the order of the tree. BEP 52, "file tree".
struct FileTreeReader {
  private(set) var files: [RawFile] = []
  /// The names from the root of the tree down to where the reader is.
  private var path: [PathElement] = []
  /// How many names in paths there may be yet.
  private var pathPartsLeft: Int

  init(
    _ tree: BencodeDictionary, pathParts limit: Int = MetainfoLimits.pathParts
  ) throws(MetainfoError) {
    pathPartsLeft = limit
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
    for (key, entry) in folder {
      let name: PathElement
      do throws(ContentPathError) {
        name = try PathElement(key)
        if path.count == MetainfoLimits.pathDepth { throw .tooDeep(path.count + 1) }
      } catch {
        throw MetainfoError(.tree(path.map(\.bytes) + [Array(key)]), .path(error))
      }
      path.append(name)
      guard let entries = entry.dictionary else {
        throw fault(.wrongKind("", expected: .dictionary))
      }
      if let leaf = entry[""] {
        if entries.count > 1 { throw fault(.fileAndFolder(joinedPath)) }
        try readFile(leaf)
      } else {
        try readFolder(entries)
      }
      path.removeLast()
    }
  }

  private mutating func readFile(_ leaf: BencodeNode) throws(MetainfoError) {
    let place = MetainfoPlace.tree(path.map(\.bytes))
    let fields = try Fields(leaf, place)
    let letters = try fields.string("attr") ?? []
    if letters.contains(UInt8(ascii: "p")) { throw fields.fault(.paddingInTree) }
    let target = try RawFile.symlinkTarget(fields, letters: letters)
    let length = target.isEmpty ? try fields.count("length") : 0
    let contentPath: ContentPath
    do throws(ContentPathError) {
      contentPath = try ContentPath(path)
    } catch {
      throw fields.fault(.path(error))
    }
    pathPartsLeft -= path.count
    if pathPartsLeft < 0 { throw MetainfoError(.info, .tooManyPathParts) }
    files.append(
      RawFile(
        entry: FileEntry(
          path: contentPath, length: length, attributes: FileAttributes(letters: letters),
          piecesRoot: try Self.piecesRoot(fields, length: length)),
        target: target))
  }

  /// The root, which is there exactly if there are bytes.
  private static func piecesRoot(
    _ fields: Fields, length: UInt64
  ) throws(MetainfoError) -> SHA256Digest? {
    guard let bytes = try fields.string("pieces root") else {
      if length > 0 { throw fields.missing("pieces root") }
      return nil
    }
    guard let root = SHA256Digest(bytes) else {
      throw fields.fault(.digestLength("pieces root", bytes.count))
    }
    if length == 0 || root == .zero { throw fields.fault(.senselessRoot) }
    return root
  }

  private var joinedPath: [UInt8] { Array(path.map(\.bytes).joined(separator: [0x2f])) }

  private func fault(_ reason: MetainfoFault) -> MetainfoError {
    MetainfoError(.tree(path.map(\.bytes)), reason)
  }
}
