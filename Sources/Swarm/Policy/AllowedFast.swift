import Metainfo
import Wire

/// The pieces that a peer may request while it is choked. BEP 6, "Allowed Fast Set Generation".
struct AllowedFast {
  /// The first `count` pieces of the set of the peer at `address`, as every client finds them; none for
  /// IPv6, for which BEP 6 has no rule. At most `PolicyLimits.longestAllowedFast`, and no more than
  /// there are.
  static func pieces(
    for address: IPAddress, infohash: SHA1Digest, pieceCount: Int, count: Int
  ) -> [UInt32] {
    guard case .v4(let address) = address.unmapped, pieceCount > 0,
      let size = UInt32(exactly: pieceCount)
    else { return [] }
    let count = min(count, pieceCount, PolicyLimits.longestAllowedFast)
    // Machines of one /24 share a set: else whoever has a network has all pieces.
    let network = IPAddress.v4(IPv4Address(rawValue: address.rawValue & 0xffff_ff00))
    var seed = network.compact + infohash.bytes
    var pieces: [UInt32] = []
    for _ in 0..<PolicyLimits.allowedFastRounds where pieces.count < count {
      seed = SHA1Digest(hashing: seed).bytes
      for word in stride(from: 0, to: seed.count, by: 4) where pieces.count < count {
        let number = seed[word..<(word + 4)].reduce(0) { $0 << 8 | UInt32($1) }
        let piece = number % size
        if !pieces.contains(piece) { pieces.append(piece) }
      }
    }
    return pieces
  }
}
