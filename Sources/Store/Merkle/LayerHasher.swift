import Metainfo

/// Climbs hash trees in bulk: from a run of nodes of one layer to the nodes above them, with the
/// padding of BEP 52 after the last. Belongs to one thread at a time.
///
/// A pure function in a box: the box holds a `BulkHasher` and room for two layers, so that after
/// the first calls nothing is allocated.
public final class LayerHasher {
  /// What hashes.
  public let hasher: BulkHasher
  private var even = UnsafeMutableBufferPointer<SHA256Digest>(start: nil, count: 0)
  private var odd = UnsafeMutableBufferPointer<SHA256Digest>(start: nil, count: 0)

  /// A climber that hashes with `hasher`, which must not be used elsewhere meanwhile.
  public init(_ hasher: BulkHasher = BulkHasher()) { self.hasher = hasher }

  deinit {
    even.deallocate()
    odd.deallocate()
  }

  /// How many nodes of `upper` lie above `count` nodes that start at a multiple of
  /// 2^(`upper` - `layer`) in `layer`.
  public static func nodeCount(above count: Int, at layer: Int, to upper: Int) -> Int {
    ((count - 1) >> (upper - layer)) + 1
  }

  /// The nodes of layer `upper` above `nodes` of layer `layer`. The first node must stand at a
  /// multiple of 2^(`upper` - `layer`) in its layer; what the last one above lacks is padding.
  ///
  /// Precondition: `nodes` is not empty, `layer <= upper <= MerkleLimits.height`, `output` has
  /// exactly `nodeCount(above:at:to:)` places and does not overlap `nodes`.
  public func climb(
    _ nodes: UnsafeBufferPointer<SHA256Digest>, at layer: Int = 0, to upper: Int,
    into output: UnsafeMutableBufferPointer<SHA256Digest>
  ) {
    precondition(!nodes.isEmpty && 0 <= layer && layer <= upper)
    precondition(output.count == Self.nodeCount(above: nodes.count, at: layer, to: upper))
    guard layer < upper else {
      _ = output.update(from: nodes)
      return
    }
    reserve((nodes.count + 1) / 2)
    var source = nodes
    for current in layer..<upper {
      let room = current + 1 == upper ? output : (current & 1 == 0 ? even : odd)
      let target = UnsafeMutableBufferPointer(rebasing: room[..<((source.count + 1) / 2)])
      step(source, padding: MerklePadding.hash(layer: current), into: target)
      source = UnsafeBufferPointer(target)
    }
  }

  /// The nodes of layer `upper` above `nodes` of layer `layer`, as an array.
  ///
  /// Precondition: as for `climb(_:at:to:into:)`.
  public func climb(_ nodes: [SHA256Digest], at layer: Int = 0, to upper: Int) -> [SHA256Digest] {
    let count = Self.nodeCount(above: nodes.count, at: layer, to: upper)
    var output = [SHA256Digest](repeating: .zero, count: count)
    nodes.withUnsafeBufferPointer { nodes in
      output.withUnsafeMutableBufferPointer { climb(nodes, at: layer, to: upper, into: $0) }
    }
    return output
  }

  /// The one node of layer `upper` above `nodes` of layer `layer`.
  ///
  /// Precondition: as for `climb(_:at:to:into:)`, and there are at most 2^(`upper` - `layer`).
  public func root(
    of nodes: UnsafeBufferPointer<SHA256Digest>, at layer: Int = 0, to upper: Int
  ) -> SHA256Digest {
    var root = SHA256Digest.zero
    withUnsafeMutablePointer(to: &root) {
      climb(nodes, at: layer, to: upper, into: UnsafeMutableBufferPointer(start: $0, count: 1))
    }
    return root
  }

  /// The one node of layer `upper` above `nodes` of layer `layer`.
  ///
  /// Precondition: as for `climb(_:at:to:into:)`, and there are at most 2^(`upper` - `layer`).
  public func root(of nodes: [SHA256Digest], at layer: Int = 0, to upper: Int) -> SHA256Digest {
    nodes.withUnsafeBufferPointer { root(of: $0, at: layer, to: upper) }
  }

  private func step(
    _ source: UnsafeBufferPointer<SHA256Digest>, padding: SHA256Digest,
    into target: UnsafeMutableBufferPointer<SHA256Digest>
  ) {
    let pairs = source.count / 2
    hasher.sha256(
      of: UnsafeRawBufferPointer(source), stride: 2 * SHA256Digest.byteCount,
      length: 2 * SHA256Digest.byteCount,
      into: UnsafeMutableBufferPointer(rebasing: target[..<pairs]))
    if target.count > pairs { target[pairs] = .parent(of: source[source.count - 1], padding) }
  }

  /// Two rooms, because a layer must not be halved in place while several messages are in flight.
  private func reserve(_ count: Int) {
    guard even.count < count else { return }
    even.deallocate()
    odd.deallocate()
    even = .allocate(capacity: count)
    odd = .allocate(capacity: count)
    even.initialize(repeating: .zero)
    odd.initialize(repeating: .zero)
  }
}
