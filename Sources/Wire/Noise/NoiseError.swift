/// Why a step of a Noise handshake or of a Noise transport failed. Tells nothing of keys or contents.
public enum NoiseError: Error, Hashable, Sendable {
  /// A message has so many bytes, more than 65,535. Noise, section 3.
  case tooLong(Int)
  /// Message `message` of the handshake, from 0, ends inside of what its pattern wants: after `count` bytes.
  case truncated(message: Int, count: Int)
  /// Whoever sealed it has another key, or another idea of what was said before, or it was changed on its
  /// way; nil in transport messages.
  case notAuthentic(message: Int?)
  /// The other side's key is a point that makes every shared secret zero. RFC 7748, section 6.1.
  case weakKey(message: Int)
  /// All numbers of one direction are used up: 2^64 - 1 is reserved. Noise, section 5.1.
  case nonceExhausted
  /// What a pattern needs was not given: a static key, the other's key, an ephemeral key, a pre-shared key of
  /// 32 bytes for each token.
  case missingKey(NoiseToken)
  /// It is the other side's turn, or the handshake is over.
  case outOfTurn
  /// An earlier step failed; nothing follows.
  case failedBefore
}

extension NoiseError: CustomStringConvertible {
  /// One line: place and reason.
  public var description: String {
    switch self {
    case .tooLong(let count):
      "a Noise message of \(count) bytes, more than \(NoiseLimits.messageBytes) (Noise, 3)"
    case .truncated(let message, let count):
      "Noise handshake message \(message) ends after \(count) bytes"
    case .notAuthentic(let message?): "Noise handshake message \(message) does not open"
    case .notAuthentic(nil): "a Noise message does not open"
    case .weakKey(let message):
      "Noise handshake message \(message) has a key of low order (RFC 7748, 6.1)"
    case .nonceExhausted: "all numbers for Noise messages are used up (Noise, 5.1)"
    case .missingKey(let token): "the Noise pattern has the token \(token), and its key is missing"
    case .outOfTurn: "it is not this side's turn in the Noise handshake"
    case .failedBefore: "the Noise handshake has failed before"
    }
  }
}
