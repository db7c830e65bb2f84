import TestSupport
import Testing

@testable import Metainfo

@Suite struct PieceLayersTests {
  /// The root of a layer is that of the whole tree, for all numbers of blocks.
  @Test(arguments: [16_384, 32_768, 131_072])
  func rootOfALayer(pieceLength: Int) {
    var generator = SplitMix64(seed: UInt64(pieceLength))
    let leaves = (0..<70).map { _ in generator.sha256() }
    for count in (pieceLength / 16_384 + 1)...70 {
      let (root, layer) = SlowReference.tree(
        Array(leaves.prefix(count)), pieceLength: pieceLength)
      #expect(PieceLayer.root(of: layer, pieceLength: UInt32(pieceLength)) == root)
      #expect(
        PieceLayer.count(fileLength: UInt64(count) * 16_384, pieceLength: UInt32(pieceLength))
          == UInt64(layer.count))
    }
  }

  @Test func countsPieces() {
    for (length, count) in [(0, 0), (1, 1), (32_768, 1), (32_769, 2), (65_536, 2)]
      as [(UInt64, UInt64)]
    {
      #expect(PieceLayer.count(fileLength: length, pieceLength: 32_768) == count)
    }
  }

  /// Two files of three pieces each, and one of a piece.
  struct Case {
    var info = Samples.v2()
    var layers: [[UInt8]: BencodeValue] = [:]
    let roots: [SHA256Digest]

    init() {
      var generator = SplitMix64(seed: 1)
      var roots: [SHA256Digest] = []
      var tree: BencodeValue = ["small": Samples.leaf(16_384)]
      for name in ["x", "y"] {
        let (root, layer) = SlowReference.tree(
          (0..<3).map { _ in generator.sha256() }, pieceLength: 16_384)
        roots.append(root)
        layers[root.bytes] = .string(layer.flatMap(\.bytes))
        tree[name] = ["": ["length": .integer(49_000), "pieces root": .string(root.bytes)]]
      }
      self.roots = roots
      info["file tree"] = tree
    }

    var torrent: BencodeValue { ["info": info, "piece layers": .dictionary(layers)] }
  }

  static let y = (try? ContentPath([PathElement(Array("y".utf8))]))!

  /// What is done to the layer of `y`, and the fault.
  static let faults: [(String, LayerFault, @Sendable (inout Case) -> Void)] = [
    ("missing", .missing(y), { $0.layers[$0.roots[1].bytes] = nil }),
    (
      "short", .wrongLength(y, expected: 96, actual: 64),
      { $0.layers[$0.roots[1].bytes] = .string([UInt8](repeating: 1, count: 64)) }
    ),
    (
      "long", .wrongLength(y, expected: 96, actual: 128),
      { $0.layers[$0.roots[1].bytes] = .string([UInt8](repeating: 1, count: 128)) }
    ),
    (
      "a byte too long", .wrongLength(y, expected: 96, actual: 97),
      { $0.layers[$0.roots[1].bytes] = .string([UInt8](repeating: 1, count: 97)) }
    ),
    (
      "forged", .forged(y),
      { $0.layers[$0.roots[1].bytes] = $0.layers[$0.roots[0].bytes] }
    ),
    (
      "surplus", .surplus([UInt8](repeating: 3, count: 32)),
      { $0.layers[[UInt8](repeating: 3, count: 32)] = .string([]) }
    ),
    (
      "of a file of one piece", .surplus([UInt8](repeating: 7, count: 32)),
      { $0.layers[[UInt8](repeating: 7, count: 32)] = .string([UInt8](repeating: 7, count: 32)) }
    ),
    ("key of no root", .surplus([1, 2]), { $0.layers[[1, 2]] = .string([]) }),
  ]

  @Test(arguments: faults.indices)
  func names(index: Int) throws {
    let (_, fault, change) = Self.faults[index]
    var example = Case()
    #expect(try Torrent(parsing: example.torrent.encoded).pieceLayers.count == 2)
    change(&example)
    let bytes = example.torrent.encoded
    #expect(throws: MetainfoError(.torrent, .layer(fault))) { try Torrent(parsing: bytes) }
    let inspection = try Torrent.inspect(bytes)
    #expect(inspection.layerFaults == [fault])
    // What is right is still there.
    #expect(inspection.torrent.pieceLayers[example.roots[0]]?.count == 3)
    let isRight = if case .surplus = fault { true } else { false }
    #expect((inspection.torrent.pieceLayers[example.roots[1]] != nil) == isRight)
  }

  @Test func noticesEveryFlippedBit() throws {
    let example = Case()
    guard case .string(let layer)? = example.layers[example.roots[1].bytes] else { return }
    for bit in 0..<layer.count * 8 {
      var changed = example
      var bytes = layer
      bytes[bit / 8] ^= 1 << (bit % 8)
      changed.layers[example.roots[1].bytes] = .string(bytes)
      #expect(try Torrent.inspect(changed.torrent.encoded).layerFaults == [.forged(Self.y)])
    }
  }

  @Test func allLayersMissing() throws {
    var torrent = Case().torrent
    torrent["piece layers"] = nil
    #expect(try Torrent.inspect(torrent.encoded).layerFaults.count == 2)
    torrent["piece layers"] = .list([])
    #expect(throws: MetainfoError(.torrent, .wrongKind("piece layers", expected: .dictionary))) {
      try Torrent.inspect(torrent.encoded)
    }
    torrent["piece layers"] = .dictionary([[UInt8](repeating: 7, count: 32): .integer(1)])
    #expect(throws: MetainfoError(.torrent, .wrongKind("piece layers", expected: .string))) {
      try Torrent.inspect(torrent.encoded)
    }
  }

  /// The same contents twice share a layer; a false length beside them does not slip through.
  @Test func filesWithOneRoot() throws {
    var example = Case()
    let entry = example.info["file tree"]?["y"]
    example.info["file tree"]?["z"] = entry
    #expect(try Torrent(parsing: example.torrent.encoded).pieceLayers.count == 2)
    example.info["file tree"]?["z"]?[""]?["length"] = .integer(70_000)
    let z = try ContentPath([PathElement(Array("z".utf8))])
    #expect(
      try Torrent.inspect(example.torrent.encoded).layerFaults
        == [.wrongLength(z, expected: 160, actual: 96)])
  }

  /// The forged layer of many files with one root is hashed once: 1 MiB could cost 2^24 hashes.
  @Test func oneForgedLayerOfManyFiles() throws {
    var info = Samples.v2()
    var tree: [[UInt8]: BencodeValue] = [:]
    for number in 0..<512 { tree[Array("\(number)".utf8)] = Samples.leaf(32_768 * 16_384) }
    info["file tree"] = .dictionary(tree)
    let key = [UInt8](repeating: 7, count: 32)
    let torrent: BencodeValue = [
      "info": info,
      "piece layers": .dictionary([key: .string([UInt8](repeating: 1, count: 32_768 * 32))]),
    ]
    let faults = try Torrent.inspect(torrent.encoded).layerFaults
    #expect(faults.count == 512)
    #expect(Set(faults).count == 512)
  }

  /// No more surplus layers are told than anyone wants to read, nor keys of any length.
  @Test func manySurplusLayers() throws {
    var example = Case()
    for number in 0..<2_000 { example.layers[Array("\(number)".utf8)] = .string([]) }
    example.layers[[UInt8](repeating: 0x2f, count: 5_000)] = .string([])
    let faults = try Torrent.inspect(example.torrent.encoded).layerFaults
    #expect(faults.count == MetainfoLimits.surplusLayers)
    #expect(faults.first == .surplus([UInt8](repeating: 0x2f, count: 32)))
    #expect(faults.dropFirst().first == .surplus(Array("0".utf8)))
  }

  @Test func describesFaults() {
    #expect("\(LayerFault.missing(Self.y))" == "the piece layer of \"y\" is missing")
    #expect(
      "\(LayerFault.surplus([1, 2]))" == "there is a piece layer for 0102, which is no file's root")
  }
}
