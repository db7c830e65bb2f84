/// Piece layers by the pieces root they hash up to: for each file longer than a piece, one hash a
/// piece. BEP 52, "piece layers".
public typealias PieceLayers = [SHA256Digest: [SHA256Digest]]

/// What is wrong with the piece layers of a torrent. BEP 52.
public enum LayerFault: Hashable, Sendable {
  /// There is none for this file, which is longer than a piece.
  case missing(ContentPath)
  /// The one for this file has another number of bytes than 32 a piece.
  case wrongLength(ContentPath, expected: UInt64, actual: UInt64)
  /// The one for this file does not hash up to the file's root: it is forged or damaged.
  case forged(ContentPath)
  /// There is one under this key (its first 32 bytes), which is the root of no file longer than a
  /// piece.
  case surplus([UInt8])
}

extension LayerFault: CustomStringConvertible {
  /// The fault as a sentence that names the file.
  public var description: String {
    switch self {
    case .missing(let path): "the piece layer of \"\(path)\" is missing"
    case .wrongLength(let path, let expected, let actual):
      "the piece layer of \"\(path)\" has \(actual) bytes, not \(expected)"
    case .forged(let path): "the piece layer of \"\(path)\" does not match the file's root"
    case .surplus(let key): "there is a piece layer for \(key.hex), which is no file's root"
    }
  }
}

/// The piece layers of one torrent, held against its files.
struct LayerCheck {
  /// The layers that are right.
  private(set) var layers: PieceLayers = [:]
  /// By file in the torrent's order, then surplus layers by key, as many as are told.
  private(set) var faults: [LayerFault] = []
  /// Roots whose layer is not right.
  private var forged: Set<SHA256Digest> = []
  private let pieceLength: UInt32

  /// Checks the dictionary `piece layers`, which may be absent when no file needs it.
  init(_ dictionary: BencodeDictionary?, of info: InfoDictionary) throws(MetainfoError) {
    pieceLength = info.pieceLength
    let length = UInt64(pieceLength)
    let roots = Set(info.files.lazy.filter { $0.length > length }.compactMap(\.piecesRoot))
    var given: [SHA256Digest: ArraySlice<UInt8>] = [:]
    var surplus: [LayerFault] = []
    if let dictionary {
      for (key, value) in dictionary {
        guard let bytes = value.string else {
          throw MetainfoError(.torrent, .wrongKind("piece layers", expected: .string))
        }
        if let root = SHA256Digest(key), roots.contains(root) {
          given[root] = bytes
        } else if surplus.count < MetainfoLimits.surplusLayers {
          surplus.append(.surplus(Array(key.prefix(SHA256Digest.byteCount))))
        }
      }
    }
    for file in info.files where file.length > length {
      guard let root = file.piecesRoot else { continue }
      check(given[root], of: file, root: root)
    }
    faults += surplus
  }

  private mutating func check(_ bytes: ArraySlice<UInt8>?, of file: FileEntry, root: SHA256Digest) {
    guard let bytes else {
      faults.append(.missing(file.path))
      return
    }
    let expected = PieceLayer.count(fileLength: file.length, pieceLength: pieceLength) * 32
    guard UInt64(bytes.count) == expected else {
      faults.append(
        .wrongLength(file.path, expected: expected, actual: UInt64(bytes.count)))
      return
    }
    // Files with the same contents share a layer, which is hashed once.
    if layers[root] != nil { return }
    if !forged.contains(root), let layer = [SHA256Digest](concatenated: bytes),
      PieceLayer.root(of: layer, pieceLength: pieceLength) == root
    {
      layers[root] = layer
    } else {
      forged.insert(root)
      faults.append(.forged(file.path))
    }
  }
}

/// Arithmetic of one file's piece layer. BEP 52, "piece layers".
public enum PieceLayer {
  /// Pieces in a file of `fileLength` bytes.
  public static func count(fileLength: UInt64, pieceLength: UInt32) -> UInt64 {
    let length = UInt64(pieceLength)
    return fileLength / length + (fileLength.isMultiple(of: length) ? 0 : 1)
  }

  /// The pieces root that a layer of at least two pieces hashes up to. Nodes beyond the end are the
  /// roots of trees whose leaves are all zero.
  ///
  /// Precondition: `pieceLength` is a power of two and at least 16 KiB.
  public static func root(of layer: [SHA256Digest], pieceLength: UInt32) -> SHA256Digest {
    precondition(
      pieceLength.nonzeroBitCount == 1 && pieceLength >= MetainfoLimits.smallestPieceLength)
    var padding = SHA256Digest.zero
    for _ in 0..<(pieceLength.trailingZeroBitCount - blockLength.trailingZeroBitCount) {
      padding = .parent(of: padding, padding)
    }
    var nodes = layer
    var count = nodes.count
    // Halves the layer in place: node i is written after nodes 2i and 2i + 1 have been read.
    nodes.withUnsafeMutableBufferPointer { nodes in
      while count > 1 {
        for index in 0..<count / 2 {
          nodes[index] = .parent(of: nodes[2 * index], nodes[2 * index + 1])
        }
        if !count.isMultiple(of: 2) {
          nodes[count / 2] = .parent(of: nodes[count - 1], padding)
        }
        count = (count + 1) / 2
        padding = .parent(of: padding, padding)
      }
    }
    return nodes.first ?? padding
  }
}
