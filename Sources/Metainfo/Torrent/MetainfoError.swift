/// What is wrong with a torrent, and where.
public struct MetainfoError: Error, Hashable, Sendable {
  /// The part of the torrent that is wrong.
  public let place: MetainfoPlace
  /// What is wrong there.
  public let reason: MetainfoFault

  init(_ place: MetainfoPlace, _ reason: MetainfoFault) {
    self.place = place
    self.reason = reason
  }
}

/// A part of a torrent.
public enum MetainfoPlace: Hashable, Sendable {
  /// The outermost dictionary.
  case torrent
  /// The info dictionary.
  case info
  /// An entry of the v1 file list, counted from 0, padding files too. BEP 3, "files".
  case file(Int)
  /// A name in the path of an entry of the v1 file list, both counted from 0. BEP 3, "path".
  case filePart(Int, part: Int)
  /// The entry of the v2 file tree under these names. BEP 52, "file tree".
  case tree([[UInt8]])
  /// An entry of the list under this key of the outermost dictionary, counted from 0.
  case entry(String, Int)
}

/// What can be wrong with a torrent.
public enum MetainfoFault: Hashable, Sendable {
  /// It is not canonical bencoding.
  case bencode(BencodeError)
  /// A key is missing.
  case missing(String)
  /// What is under a key, or the whole place if the key is empty, should be of this kind.
  case wrongKind(String, expected: BencodeKind)
  /// Text that has to be UTF-8 is not.
  case notUTF8(String)
  /// A number below zero.
  case negative(String, Int64)
  /// A string of digests whose length, in bytes, is not that of one or of many digests.
  case digestLength(String, Int)
  /// A name or path that cannot be.
  case path(ContentPathError)
  /// Not 2. BEP 52.
  case metaVersion(Int64)
  /// A file tree, but no `meta version`. BEP 52.
  case treeWithoutMetaVersion
  /// Below 1, in v2 below 16 KiB. BEP 52.
  case pieceLengthTooSmall(Int64)
  /// Above what we take.
  case pieceLengthTooLarge(Int64)
  /// Not a power of two. BEP 52.
  case pieceLengthNotPowerOfTwo(Int64)
  /// Both `length` and `files`. BEP 3.
  case lengthAndFiles
  /// Not one file.
  case noFiles
  /// More bytes in all files together than we count.
  case contentTooLong
  /// More pieces or blocks than we count.
  case tooManyPieces
  /// More bytes in all paths together than we keep, which is this.
  case pathsTooLong(Int)
  /// More bytes of text than we keep.
  case textTooLong(String, Int)
  /// More entries in the list under this key than we keep.
  case tooManyEntries(String)
  /// `pieces` holds another number of hashes than the lengths ask for. BEP 3.
  case pieceCount(expected: UInt64, actual: UInt64)
  /// A `pieces root` that is all zeros, which no file has. BEP 52.
  case zeroRoot
  /// A padding file in the file tree, where there cannot be any. BEP 47, 52.
  case paddingInTree
  /// An entry that is a file and a folder.
  case fileAndFolder([UInt8])
  /// A path twice.
  case duplicatePath([UInt8])
  /// A symlink with a length. BEP 47.
  case symlinkWithLength
  /// A symlink whose target is outside the torrent. BEP 47.
  case symlinkOutside
  /// A port that is not between 1 and 65535. BEP 5.
  case port(Int64)
  /// The v1 and v2 descriptions of a hybrid differ. BEP 52, "upgrade path".
  case halvesDisagree(HybridFault)
  /// A piece layer is wrong. BEP 52.
  case layer(LayerFault)
  /// Values that cannot be written as a torrent: a field of `TorrentDescription`, and why.
  case description(String, String)
}

extension MetainfoError: CustomStringConvertible {
  /// "file 3, part 2: the name is ".."".
  public var description: String { "\(place): \(reason)" }
}

extension MetainfoPlace: CustomStringConvertible {
  /// The place, as the start of a sentence.
  public var description: String {
    switch self {
    case .torrent: "torrent"
    case .info: "info dictionary"
    case .file(let index): "file \(index)"
    case .filePart(let index, let part): "file \(index), part \(part)"
    case .tree(let names): "file tree \"\(printable(Array(names.joined(separator: [0x2f]))))\""
    case .entry(let key, let index): "\(key) \(index)"
    }
  }
}

extension MetainfoFault: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .bencode(let error): "\(error)"
    case .missing(let key): "\"\(key)\" is missing"
    case .wrongKind("", let kind): "is not of kind \(kind)"
    case .wrongKind(let key, let kind): "\"\(key)\" is not of kind \(kind)"
    case .notUTF8(let key): "\"\(key)\" is not UTF-8"
    case .negative(let key, let value): "\"\(key)\" is \(value), below zero"
    case .digestLength(let key, let count): "\"\(key)\" has \(count) bytes, which are no hashes"
    case .path(let error): "\(error)"
    case .metaVersion(let version): "\"meta version\" is \(version), not 2 (BEP 52)"
    case .treeWithoutMetaVersion: "\"file tree\" without \"meta version\" (BEP 52)"
    case .pieceLengthTooSmall(let length): "the piece length \(length) is too small"
    case .pieceLengthTooLarge(let length):
      "the piece length \(length) is more than \(MetainfoLimits.largestPieceLength)"
    case .pieceLengthNotPowerOfTwo(let length):
      "the piece length \(length) is not a power of two (BEP 52)"
    case .lengthAndFiles: "both \"length\" and \"files\" (BEP 3)"
    case .noFiles: "there are no files"
    case .contentTooLong: "the files have more than \(MetainfoLimits.contentBytes) bytes"
    case .tooManyPieces:
      "more than \(MetainfoLimits.pieces) pieces or \(MetainfoLimits.blocks) blocks"
    case .pathsTooLong(let limit): "the paths together have more than \(limit) bytes"
    case .textTooLong(let key, let count):
      "\"\(key)\" has \(count) bytes, more than \(MetainfoLimits.textBytes)"
    case .tooManyEntries(let key):
      "\"\(key)\" has more than \(MetainfoLimits.listEntries) entries"
    case .pieceCount(let expected, let actual):
      "\"pieces\" has \(actual) hashes, the files need \(expected)"
    case .zeroRoot: "\"pieces root\" is all zeros (BEP 52)"
    case .paddingInTree: "a padding file in the file tree"
    case .fileAndFolder(let path): "\"\(printable(path))\" is both a file and a folder"
    case .duplicatePath(let path): "\"\(printable(path))\" comes twice"
    case .symlinkWithLength: "a symlink with a length (BEP 47)"
    case .symlinkOutside: "the symlink leads outside (BEP 47)"
    case .port(let port): "the port is \(port)"
    case .halvesDisagree(let fault): "the v1 and v2 descriptions disagree: \(fault)"
    case .layer(let fault): "\(fault)"
    case .description(let field, let fault): "\(field): \(fault)"
    }
  }
}
