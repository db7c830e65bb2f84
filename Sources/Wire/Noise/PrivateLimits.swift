/// Sizes and bounds of private connections, each with its reason. docs/private.md.
public enum PrivateLimits {
  /// Random bytes that a connection begins with: a nonce of XChaCha20, long enough to be drawn blindly.
  public static let nonceBytes = 24
  /// Bytes that the first message tells: time, address, padding, room.
  public static let helloPayloadBytes = 32
  /// Bytes of the first message, its padding left out.
  public static let helloBytes =
    nonceBytes + NoiseLimits.keyBytes + helloPayloadBytes + NoiseLimits.tagBytes
  /// Bytes that the answer tells: padding, room.
  public static let answerPayloadBytes = 8
  /// Bytes of the answer, its padding left out.
  public static let answerBytes =
    NoiseLimits.keyBytes + answerPayloadBytes + NoiseLimits.tagBytes
  /// Bytes of padding behind either: enough that lengths tell nothing, few enough for one packet.
  public static let paddingBytes = 512

  /// Bytes of a frame that stand before its body: two lengths, and a tag.
  public static let frameHeadBytes = 4 + NoiseLimits.tagBytes
  /// Bytes of content and padding in a frame: what a Noise message holds.
  public static let frameBytes = NoiseLimits.messageBytes - NoiseLimits.tagBytes

  /// Seconds that a first message's time may be off: clocks of machines that nobody sets.
  public static let clockSeconds: UInt64 = 300
  /// First messages that are remembered, so that none is answered twice: one each 37 milliseconds for the ten
  /// minutes that count. Only who has a read key can fill it.
  public static let rememberedHellos = 16_384
  /// Those of one read key among them: its members keep out nobody but each other. Seven a second are more than
  /// begin at once in any swarm that one node serves.
  public static let hellosOfGroup = rememberedHellos / 4
  /// Read keys that a node tries on a first message: about 4 milliseconds of work.
  public static let readKeys = 1_024
  /// Seconds after which a connection is closed that never began with anything known, whatever it sent.
  public static let silenceSeconds = 30
}
