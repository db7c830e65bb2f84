import Metainfo
import Testing

@testable import Store

/// Trees that libtorrent made.
@Suite struct MerkleVectorTests {
  struct Vector: Sendable {
    /// Bytes in the file; byte i is i mod 251.
    var length: Int
    var pieceLength: UInt64
    var root: String
    /// SHA-256 of the file's entry in "piece layers"; nil where it has none.
    var pieceLayer: String?
  }

  /// python3-libtorrent 2.0.8, for each row:
  /// `fs = lt.file_storage(); lt.add_files(fs, FILE);
  /// c = lt.create_torrent(fs, piece_size=PIECE_LENGTH, flags=lt.create_torrent.v2_only);
  /// lt.set_piece_hashes(c, FOLDER); c.generate()`,
  /// then "pieces root" of the file, and `hashlib.sha256` over its string in "piece layers".
  static let vectors = [
    Vector(
      length: 1, pieceLength: 16_384,
      root: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    Vector(
      length: 16_384, pieceLength: 16_384,
      root: "4348e3b98e8a327b34ced39c1da9e67cdb4cd5e48e4d7960607a3ae403d35f0c"),
    Vector(
      length: 16_385, pieceLength: 16_384,
      root: "9d7887c65d577a0237fb3c0998b87b3a62762d03796889a2caea01db914ccbb8",
      pieceLayer: "9d7887c65d577a0237fb3c0998b87b3a62762d03796889a2caea01db914ccbb8"),
    Vector(
      length: 65_536, pieceLength: 65_536,
      root: "2d6b546231225a7132a38ab354f03e9132e4b9141da89f1784b71ab2fb34fae3"),
    Vector(
      length: 65_537, pieceLength: 65_536,
      root: "27e4ccf8e3d554bfce504235da1292c2c8beb24ba5b3e1cd62f41bd692517fbe",
      pieceLayer: "27e4ccf8e3d554bfce504235da1292c2c8beb24ba5b3e1cd62f41bd692517fbe"),
    Vector(
      length: 81_920, pieceLength: 16_384,
      root: "ecc31c9c67d9c7b8c7f2540df72208ac59a0dc2f7b2477b26638db313a245ca4",
      pieceLayer: "1da18b9d812d0808d43125e98638e48bfd619d595f35173b557414c86129243b"),
    Vector(
      length: 100_000, pieceLength: 32_768,
      root: "505fc9a922f60ae071450b07256a4ba760612bffc38c27584ed03fd96c69841b",
      pieceLayer: "228007fefaccfc876dc58ff72bfa6f6995aa2272b220480669b6a88d4e5ab791"),
    Vector(
      length: 524_288, pieceLength: 65_536,
      root: "bfd2b632259b435b3ff25be1a2ce0462a783d9afe7873b3d6f797cfbddca8002",
      pieceLayer: "f830a429bbc5eac7929e8ad8f4f463c7b28a0cd1d5dc91cba6c0fafd1dd3a046"),
    Vector(
      length: 1_000_000, pieceLength: 65_536,
      root: "c6ba179eeb6d3fa33dd2f92a78d90d91d8230efcfb2c565375c85bf9e1e674cd",
      pieceLayer: "8b1210f4d89c24d0be6f578eab6f22d76c765b8a3663962f5140df141554b873"),
    Vector(
      length: 1_000_000, pieceLength: 262_144,
      root: "c6ba179eeb6d3fa33dd2f92a78d90d91d8230efcfb2c565375c85bf9e1e674cd",
      pieceLayer: "5449f5a620c6e630f20e25de3e1fe5b5683c3bb159cba709d5138bbbaca4f74e"),
    Vector(
      length: 3_000_000, pieceLength: 16_384,
      root: "3151ec5d3ea256f2d88600fe4453bf2bde7e465d10454ff8dbc8836e274bebcf",
      pieceLayer: "1359e6583779ea7ed3bc3d6bab3eea4b5d79c34591b200abb4b5c6045668e7b5"),
    Vector(
      length: 3_000_000, pieceLength: 131_072,
      root: "3151ec5d3ea256f2d88600fe4453bf2bde7e465d10454ff8dbc8836e274bebcf",
      pieceLayer: "ab7418047f181ded1a6c2ac31e0e2a01e64c535ae29052988fcd226c3db6226a"),
  ]

  @Test func rootsAndPieceLayersAreLibtorrents() throws {
    let hasher = LayerHasher()
    let cycle = (0..<251).map { UInt8($0) }
    let content = Array(repeatElement(cycle, count: 3_000_000 / 251 + 1).joined())
    for vector in Self.vectors {
      let shape = try MerkleShape(
        fileLength: UInt64(vector.length), pieceLength: vector.pieceLength)
      let leaves = (0..<shape.leafCount).map { leaf in
        let end = min((leaf + 1) * blockLength, vector.length)
        return SHA256Digest(hashing: content[(leaf * blockLength)..<end])
      }
      let tree = MerkleTree(shape: shape, leaves: leaves, using: hasher)
      #expect(tree.root.hex == vector.root)
      var builder = MerkleBuilder(shape: shape, height: 0)
      builder.append(leaves, using: hasher)
      let built = builder.finish(using: hasher)
      #expect(built == FileHashes(root: tree.root, pieceLayer: tree.pieceLayer ?? []))
      let string = built.pieceLayer.flatMap(\.bytes)
      let digest = string.isEmpty ? nil : SHA256Digest(hashing: string).hex
      #expect(digest == vector.pieceLayer)
    }
  }

  /// libtorrent (RC_2_0), test/test_merkle.cpp, `merkle_root` and `merkle_root_scratch`: whole and
  /// short layers, padded to their own width and to more.
  @Test func subtreesAreLibtorrents() throws {
    let digests = try "1bcdefgi".utf8.map {
      try #require(SHA256Digest(Array(repeating: $0, count: 32)))
    }
    func parent(_ left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
      .parent(of: left, right)
    }
    let (a, b, c, d) = (digests[0], digests[1], digests[2], digests[3])
    let (e, f, g, h) = (digests[4], digests[5], digests[6], digests[7])
    let zeros = parent(.zero, .zero)
    let left = parent(parent(a, b), parent(c, d))
    let hasher = LayerHasher()
    #expect(
      hasher.root(of: digests, to: 3) == parent(left, parent(parent(e, f), parent(g, h))))
    #expect(
      hasher.root(of: Array(digests.prefix(6)), to: 3) == parent(left, parent(parent(e, f), zeros)))
    #expect(hasher.root(of: [a, b], to: 1) == parent(a, b))
    #expect(hasher.root(of: [a], to: 0) == a)
    #expect(
      hasher.root(of: [a, b, c], to: 3)
        == parent(parent(parent(a, b), parent(c, .zero)), parent(zeros, zeros)))
  }
}
