import CSodium
import Metainfo

/// All that follows from a read key. docs/private.md, "Keys".
public struct PrivateKeys: Sendable {
  /// What stands for the dataset wherever peers are sought. Names nothing to those without the read key.
  public let discoveryID: [UInt8]
  /// What both sides of a connection must have. Noise, section 9.
  let preSharedKey: SecretBytes
  /// Hides the ephemeral keys of a handshake.
  let maskKey: SecretBytes
  /// A responder's handshake, as far as it goes before anything was said.
  let responder: NoiseHandshake

  /// How connections begin.
  private static let pattern = NoisePattern.nn.withPreSharedKeys(at: [0])

  /// What follows from `readKey`.
  public init(_ readKey: ReadKey) {
    discoveryID = readKey.derived("discovery").withUnsafeBytes { Array($0) }
    preSharedKey = readKey.derived("psk")
    maskKey = readKey.derived("mask")
    responder = Self.handshake(.responder, discoveryID, preSharedKey)
  }

  /// The discovery id as the DHT, local discovery and multicast DNS are asked for it: its first 20 bytes, as of
  /// an infohash.
  public var discoveryInfohash: SHA1Digest {
    guard let digest = SHA1Digest(discoveryID.prefix(SHA1Digest.byteCount)) else {
      preconditionFailure("an id has 32 bytes")
    }
    return digest
  }

  /// An initiator's handshake before its first message.
  func initiator() -> NoiseHandshake { Self.handshake(.initiator, discoveryID, preSharedKey) }

  /// Combines the ephemeral key of message `number` (0 or 1) of a connection with what only those can compute
  /// who have the read key; done twice, it is as before.
  func mask(_ key: [UInt8], message number: Int, nonce: [UInt8]) -> [UInt8] {
    precondition(
      key.count == NoiseLimits.keyBytes && nonce.count == PrivateLimits.nonceBytes
        && (0...1).contains(number))
    let stream = SecretBytes(count: 2 * NoiseLimits.keyBytes) { stream in
      maskKey.withUnsafeBytes { mask in
        guard let stream = stream.bindMemory(to: UInt8.self).baseAddress,
          let mask = mask.bindMemory(to: UInt8.self).baseAddress
        else { return }
        crypto_stream_xchacha20(stream, UInt64(2 * NoiseLimits.keyBytes), nonce, mask)
      }
    }
    return stream.withUnsafeBytes { stream in
      key.indices.map { key[$0] ^ stream[number * NoiseLimits.keyBytes + $0] }
    }
  }

  private static func handshake(
    _ role: NoiseHandshake.Role, _ discoveryID: [UInt8], _ preSharedKey: SecretBytes
  ) -> NoiseHandshake {
    do {
      return try NoiseHandshake(
        pattern, role, prologue: Array(ReadKey.protocolVersion.utf8) + discoveryID,
        preSharedKeys: [preSharedKey])
    } catch {
      preconditionFailure("a pattern and its key: \(error)")
    }
  }
}
