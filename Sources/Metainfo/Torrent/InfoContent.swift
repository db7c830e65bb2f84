/// The files and v1 pieces that an info dictionary describes, once or twice.
struct InfoContent {
  var isSingleFile: Bool
  var files: [FileEntry]
  var v1Layout: V1Layout?
  var v1Pieces: [SHA1Digest] = []
  /// Bytes in all files together.
  var length: UInt64 = 0

  init(
    _ fields: Fields, kind: TorrentKind, name: PathElement, pieceLength: UInt32
  ) throws(MetainfoError) {
    let list = kind.hasV1 ? try Self.fileList(fields, kind: kind, name: name) : nil
    let tree = kind.hasV2 ? try Self.fileTree(fields) : nil
    let hasFiles = fields.node["files"] != nil
    isSingleFile =
      switch kind {
      case .v1: !hasFiles
      case .v2: fields.node["file tree"]?.dictionary.map(FileTreeReader.isSingleFile) ?? false
      case .hybrid: !hasFiles
      }
    if let tree, let list {
      let difference = HybridFault.firstDifference(
        v1: list.files, layout: list.layout, v2: tree, pieceLength: pieceLength)
      if let difference { throw fields.fault(.halvesDisagree(difference)) }
    }
    // For a hybrid the tree's description is taken: it has the roots.
    let raw = tree ?? list?.files ?? []
    files = try PathIndex(raw).resolveSymlinks(raw) { index in
      tree == nil ? .file(raw[index].number) : .tree(raw[index].entry.path.elements.map(\.bytes))
    }
    v1Layout = list?.layout
    length = try Self.measure(files, kind: kind, pieceLength: pieceLength)
    if let v1Layout {
      try Self.checkCount(of: v1Layout.pieceCount(pieceLength: pieceLength), pieceLength)
      v1Pieces = try Self.v1Pieces(
        fields, count: v1Layout.pieceCount(pieceLength: pieceLength))
    }
  }

  private static func fileList(
    _ fields: Fields, kind: TorrentKind, name: PathElement
  ) throws(MetainfoError) -> FileListReader {
    guard let list = try fields.list("files") else {
      return try FileListReader(single: fields, name: name)
    }
    if fields.node["length"] != nil { throw fields.fault(.lengthAndFiles) }
    return try FileListReader(list: list, takesUTF8Paths: kind == .v1)
  }

  private static func fileTree(_ fields: Fields) throws(MetainfoError) -> [RawFile] {
    guard let tree = try fields.dictionary("file tree") else { throw fields.missing("file tree") }
    let limit = MetainfoLimits.allPathBytes(infoBytes: fields.node.range.count)
    return try FileTreeReader(tree, pathBytes: limit).files
  }

  /// Bytes in all files together, if their bytes, pieces and blocks can be counted.
  private static func measure(
    _ files: [FileEntry], kind: TorrentKind, pieceLength: UInt32
  ) throws(MetainfoError) -> UInt64 {
    var length: UInt64 = 0
    for file in files {
      let (sum, overflow) = length.addingReportingOverflow(file.length)
      if overflow || sum > MetainfoLimits.contentBytes {
        throw MetainfoError(.info, .contentTooLong)
      }
      length = sum
    }
    if kind.hasV2 {
      guard
        let aligned = V1Layout(
          lengths: files.lazy.map(\.length), pieceLength: pieceLength, padding: .afterFiles)
      else { throw MetainfoError(.info, .contentTooLong) }
      try checkCount(of: aligned.pieceCount(pieceLength: pieceLength), pieceLength)
    }
    return length
  }

  private static func checkCount(
    of pieces: UInt64, _ pieceLength: UInt32
  ) throws(MetainfoError) {
    let blocks = (UInt64(pieceLength) + UInt64(blockLength) - 1) / UInt64(blockLength)
    if pieces > MetainfoLimits.pieces || pieces * blocks > MetainfoLimits.blocks {
      throw MetainfoError(.info, .tooManyPieces)
    }
  }

  private static func v1Pieces(
    _ fields: Fields, count: UInt64
  ) throws(MetainfoError) -> [SHA1Digest] {
    guard let bytes = try fields.string("pieces") else { throw fields.missing("pieces") }
    guard let digests = [SHA1Digest](concatenated: bytes) else {
      throw fields.fault(.digestLength("pieces", bytes.count))
    }
    if UInt64(digests.count) != count {
      throw fields.fault(.pieceCount(expected: count, actual: UInt64(digests.count)))
    }
    return digests
  }
}

extension Array where Element == SHA1Digest {
  /// Digests that stand one behind the other; nil when the last is not whole.
  init?(concatenated bytes: ArraySlice<UInt8>) {
    guard bytes.count.isMultiple(of: SHA1Digest.byteCount) else { return nil }
    self = bytes.withUnsafeBytes { raw in
      (0..<raw.count / SHA1Digest.byteCount).map { index in
        raw.loadUnaligned(
          fromByteOffset: index * SHA1Digest.byteCount, as: SHA1Digest.self)
      }
    }
  }
}

extension Array where Element == SHA256Digest {
  /// Digests that stand one behind the other; nil when the last is not whole.
  init?(concatenated bytes: ArraySlice<UInt8>) {
    guard bytes.count.isMultiple(of: SHA256Digest.byteCount) else { return nil }
    self = bytes.withUnsafeBytes { raw in
      (0..<raw.count / SHA256Digest.byteCount).map { index in
        raw.loadUnaligned(
          fromByteOffset: index * SHA256Digest.byteCount, as: SHA256Digest.self)
      }
    }
  }
}
