/// A peer's question for a run of hashes of one layer, and the uncle hashes that prove them.
/// BEP 52, "hash request". A plain value as it came: whether it makes sense for a file is for
/// `MerkleShape` to say.
public struct HashRequest: Hashable, Sendable {
  /// Which file: the root of its hash tree.
  public var piecesRoot: SHA256Digest
  /// Layer of the hashes asked for; 0 is the leaf layer.
  public var baseLayer: UInt32
  /// First hash, counted in the base layer; a multiple of `length`.
  public var index: UInt32
  /// How many hashes of the base layer; a power of two, at least 2.
  public var length: UInt32
  /// How many layers of uncle hashes above the base layer the asker wants.
  public var proofLayers: UInt32

  /// A question as it is asked.
  public init(
    piecesRoot: SHA256Digest, baseLayer: UInt32, index: UInt32, length: UInt32, proofLayers: UInt32
  ) {
    self.piecesRoot = piecesRoot
    self.baseLayer = baseLayer
    self.index = index
    self.length = length
    self.proofLayers = proofLayers
  }
}

/// The answer to a `HashRequest`: `length` hashes of the base layer, then uncle hashes from low to
/// high. BEP 52, "hashes".
public struct HashResponse: Hashable, Sendable {
  /// The question, repeated in the answer.
  public var request: HashRequest
  /// Base-layer hashes, then uncles.
  public var hashes: [SHA256Digest]

  /// An answer to `request`.
  public init(request: HashRequest, hashes: [SHA256Digest]) {
    self.request = request
    self.hashes = hashes
  }
}
