/// What one message of a handshake does, step by step. Noise, section 7.
public enum NoiseToken: String, Hashable, Sendable {
  /// The sender's ephemeral key goes along.
  case e
  /// The sender's static key goes along, sealed if there is a key by then.
  case s
  /// The two ephemeral keys make a secret.
  case ee
  /// The initiator's ephemeral key and the responder's static key make a secret.
  case es
  /// The initiator's static key and the responder's ephemeral key make a secret.
  case se
  /// The two static keys make a secret.
  case ss
  /// A key that both had before is mixed in. Noise, section 9.
  case psk
}

/// Which messages a handshake has. Noise, section 7.
///
/// Invariant: the initiator writes the first message, and the sides take turns.
public struct NoisePattern: Hashable, Sendable {
  /// Its name as protocol names have it, modifiers included: `NNpsk0`.
  public let name: String
  /// Keys of the initiator that the responder knows before.
  public let initiatorPremessage: [NoiseToken]
  /// Keys of the responder that the initiator knows before.
  public let responderPremessage: [NoiseToken]
  /// The tokens of each message, in turn.
  public let messages: [[NoiseToken]]

  /// A pattern from its parts.
  public init(
    _ name: String, initiatorPremessage: [NoiseToken] = [], responderPremessage: [NoiseToken] = [],
    _ messages: [[NoiseToken]]
  ) {
    self.name = name
    self.initiatorPremessage = initiatorPremessage
    self.responderPremessage = responderPremessage
    self.messages = messages
  }

  /// Nobody has a static key.
  public static let nn = NoisePattern("NN", [[.e], [.e, .ee]])
  /// Both send a static key.
  public static let xx = NoisePattern("XX", [[.e], [.e, .ee, .s, .es], [.s, .se]])

  /// The pattern with pre-shared keys: `psk0` at the beginning of the first message, `pskN` at the end of
  /// message N, from 1. Noise, section 9.
  ///
  /// - Precondition: each place is that of a message, and they ascend.
  public func withPreSharedKeys(at places: [Int]) -> NoisePattern {
    var messages = messages
    for place in places {
      precondition((0...messages.count).contains(place), "no message for the modifier")
      if place == 0 {
        messages[0].insert(.psk, at: 0)
      } else {
        messages[place - 1].append(.psk)
      }
    }
    return NoisePattern(
      name + places.map { "psk\($0)" }.joined(separator: "+"),
      initiatorPremessage: initiatorPremessage, responderPremessage: responderPremessage, messages)
  }

  /// How many pre-shared keys it needs.
  public var preSharedKeyCount: Int {
    messages.reduce(0) { $0 + $1.count { $0 == .psk } }
  }

  /// The name of the whole protocol, which both sides hash first. Noise, section 8.
  public var protocolName: String { "Noise_\(name)_25519_ChaChaPoly_BLAKE2b" }
}
