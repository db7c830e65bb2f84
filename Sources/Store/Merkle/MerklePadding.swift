import Metainfo

/// The hashes beyond the end of a file: "The remaining leaf hashes beyond the end of the file
/// required to construct upper layers of the merkle tree are set to zero." BEP 52, "pieces root".
public enum MerklePadding {
  private static let hashes: [SHA256Digest] = {
    var hashes = [SHA256Digest.zero]
    for layer in 0..<MerkleLimits.height {
      hashes.append(.parent(of: hashes[layer], hashes[layer]))
    }
    return hashes
  }()

  /// The hash of a node in `layer` (0 is the leaf layer) that has only padding below.
  ///
  /// Precondition: `layer` is in 0...`MerkleLimits.height`.
  public static func hash(layer: Int) -> SHA256Digest { hashes[layer] }
}
