import CSodium
import Metainfo
import TestSupport
import Testing

@testable import Wire

@Suite struct NoiseTests {
  private let pattern = NoisePattern.nn.withPreSharedKeys(at: [0])

  private func sides(
    _ random: inout SplitMix64, key: SecretBytes? = nil, otherKey: SecretBytes? = nil,
    prologue: [UInt8] = [1], otherPrologue: [UInt8] = [1]
  ) throws -> (NoiseHandshake, NoiseHandshake) {
    let key = key ?? SecretBytes(random.bytes(32))
    return (
      try NoiseHandshake(pattern, .initiator, prologue: prologue, preSharedKeys: [key]),
      try NoiseHandshake(
        pattern, .responder, prologue: otherPrologue, preSharedKeys: [otherKey ?? key])
    )
  }

  private func session(
    _ random: inout SplitMix64
  ) throws -> (sending: NoiseCipher, receiving: NoiseCipher) {
    var (a, b) = try sides(&random)
    _ = try b.read(a.write(ephemeral: NoiseKeyPair(using: &random)))
    _ = try a.read(b.write(ephemeral: NoiseKeyPair(using: &random)))
    return (try a.split().sending, try b.split().receiving)
  }

  /// Of any length, libsodium and libcrypto seal alike, and each opens what the other sealed and nothing else.
  @Test func bothEnginesGiveTheSameBytes() throws {
    var random = SplitMix64(seed: 11)
    var lengths = [0, 1, 15, 16, 17, 63, 64, 65, 2_031, 2_032, 2_033, 16_397, 49_191, 65_519]
    lengths += (0..<40).map { _ in Int(random.next() % 5_000) }
    for length in lengths {
      var (sending, receiving) = try session(&random)
      let tickets = (try sending.ticket(), try receiving.ticket())
      let message = random.bytes(length)
      let sealed = [NoiseTicket.Engine.libsodium, .libcrypto].map { engine in
        var bytes = message + [UInt8](repeating: 0, count: NoiseLimits.tagBytes)
        let isSealed = bytes.withUnsafeMutableBytes {
          tickets.0.seal($0, vouchingFor: [], by: engine)
        }
        #expect(isSealed)
        return bytes
      }
      #expect(sealed[0] == sealed[1], "\(length) bytes")
      for engine in [NoiseTicket.Engine.libsodium, .libcrypto] {
        var bytes = sealed[0]
        let isOpen = bytes.withUnsafeMutableBytes {
          tickets.1.open($0, vouchingFor: [], by: engine)
        }
        #expect(isOpen)
        #expect(bytes.prefix(length).elementsEqual(message))
        bytes = sealed[0]
        bytes[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8)
        let isStillOpen = bytes.withUnsafeMutableBytes {
          tickets.1.open($0, vouchingFor: [], by: engine)
        }
        #expect(!isStillOpen)
        // Nothing of the message is left.
        if length > 16 { #expect(!bytes.prefix(length).elementsEqual(message)) }
      }
    }
  }

  @Test func wrongKeyOrPrologueDoesNotOpen() throws {
    var random = SplitMix64(seed: 1)
    var (a, b) = try sides(&random, otherKey: SecretBytes(random.bytes(32)))
    let message = try a.write(ephemeral: NoiseKeyPair(using: &random))
    #expect(throws: NoiseError.notAuthentic(message: 0)) { try b.read(message) }
    #expect(throws: NoiseError.failedBefore) { try b.read(message) }
    (a, b) = try sides(&random, otherPrologue: [2])
    let other = try a.write(ephemeral: NoiseKeyPair(using: &random))
    #expect(throws: NoiseError.notAuthentic(message: 0)) { try b.read(other) }
  }

  /// Every bit of either message, changed alone, keeps it from opening; so does every end that is missing.
  @Test func changedOrShortenedHandshakeFails() throws {
    var random = SplitMix64(seed: 2)
    let (a, b) = try sides(&random)
    var first = a
    let message = try first.write([1, 2, 3], ephemeral: NoiseKeyPair(using: &random))
    for bit in 0..<(8 * message.count) {
      var changed = message
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      var reader = b
      #expect(throws: NoiseError.notAuthentic(message: 0), "bit \(bit)") {
        try reader.read(changed)
      }
    }
    for count in 0..<message.count {
      var reader = b
      #expect(throws: NoiseError.self) { try reader.read(Array(message.prefix(count))) }
    }
    var reader = b
    #expect(try reader.read(message) == [1, 2, 3])
    let answer = try reader.write([4], ephemeral: NoiseKeyPair(using: &random))
    for index in answer.indices {
      var changed = answer
      changed[index] ^= 0x80
      var waiting = first
      // The highest bit of a key means nothing to X25519, but it is hashed.
      #expect(throws: NoiseError.notAuthentic(message: 1)) { try waiting.read(changed) }
    }
  }

  @Test func keyOfLowOrderIsRefused() throws {
    var random = SplitMix64(seed: 3)
    // A peer that has the pre-shared key, and sends a point of low order as its own.
    let low = NoiseKeyPair.forged(publicKey: [UInt8](repeating: 0, count: 32))
    var (a, b) = try sides(&random)
    _ = try b.read(a.write(ephemeral: low))
    #expect(throws: NoiseError.weakKey(message: 1)) {
      try b.write(ephemeral: NoiseKeyPair(using: &random))
    }
  }

  @Test func lengthsAreBounded() throws {
    var random = SplitMix64(seed: 4)
    let (a, b) = try sides(&random)
    var writer = a
    let payload = [UInt8](repeating: 7, count: NoiseLimits.messageBytes - 48)
    let message = try writer.write(payload, ephemeral: NoiseKeyPair(using: &random))
    #expect(message.count == NoiseLimits.messageBytes)
    var reader = b
    #expect(try reader.read(message) == payload)
    writer = a
    #expect(throws: NoiseError.tooLong(65_536)) {
      try writer.write(payload + [7], ephemeral: NoiseKeyPair(using: &random))
    }
    reader = b
    #expect(throws: NoiseError.tooLong(65_536)) { try reader.read(message + [0]) }
  }

  @Test func turnsAndKeysAreChecked() throws {
    var random = SplitMix64(seed: 5)
    var (a, b) = try sides(&random)
    #expect(throws: NoiseError.outOfTurn) { try b.write() }
    #expect(throws: NoiseError.outOfTurn) { try a.read([]) }
    #expect(throws: NoiseError.outOfTurn) { try a.split() }
    #expect(throws: NoiseError.missingKey(.e)) { try a.write() }
    #expect(throws: NoiseError.missingKey(.psk)) { try NoiseHandshake(pattern, .initiator) }
    #expect(throws: NoiseError.missingKey(.psk)) {
      try NoiseHandshake(pattern, .initiator, preSharedKeys: [SecretBytes([1])])
    }
    let known = NoisePattern(
      "NK", responderPremessage: [.s], [[.e, .es], [.e, .ee]])
    #expect(throws: NoiseError.missingKey(.s)) { try NoiseHandshake(known, .initiator) }
    #expect(throws: NoiseError.missingKey(.s)) {
      try NoiseHandshake(known, .initiator, remoteStaticKey: [1])
    }
  }

  @Test func replayedReorderedAndLostMessagesDoNotOpen() throws {
    var random = SplitMix64(seed: 6)
    var (sending, receiving) = try session(&random)
    let messages = try (0..<4).map { try sending.seal([$0], vouchingFor: []) }
    #expect(try receiving.open(messages[1], vouchingFor: []) == nil)
    #expect(try receiving.open(messages[0], vouchingFor: []) == [0])
    #expect(try receiving.open(messages[0], vouchingFor: []) == nil)
    #expect(try receiving.open(messages[2], vouchingFor: []) == nil)
    #expect(try receiving.open(messages[1], vouchingFor: []) == [1])
    #expect(try receiving.open(messages[2], vouchingFor: [9]) == nil)
    #expect(try receiving.open(messages[2], vouchingFor: []) == [2])
    #expect(try receiving.open([], vouchingFor: []) == nil)
    #expect(receiving.number == 3)
  }

  /// What does not open leaves nothing of the message behind.
  @Test func changedMessageShowsNothing() throws {
    var random = SplitMix64(seed: 7)
    var (sending, receiving) = try session(&random)
    let message = [UInt8](repeating: 0x41, count: 100)
    var sealed = try sending.seal(message, vouchingFor: [])
    sealed[3] ^= 1
    let ticket = try receiving.ticket()
    sealed.withUnsafeMutableBytes { buffer in
      #expect(!ticket.open(buffer))
      #expect(!buffer.contains(0x41) || buffer.filter { $0 == 0x41 }.count < 20)
    }
  }

  /// The rule of the specification, computed by itself: what the cipher makes of 32 zeros with the highest number.
  @Test func rekeyIsAsSpecified() throws {
    var random = SplitMix64(seed: 8)
    let key = random.bytes(32)
    var cipher = NoiseCipher(key: SecretBytes(key), number: 5)
    var zeros = [UInt8](repeating: 0, count: 48)
    let nonce: [UInt8] = [0, 0, 0, 0] + [UInt8](repeating: 255, count: 8)
    crypto_aead_chacha20poly1305_ietf_encrypt(
      &zeros, nil, [UInt8](repeating: 0, count: 32), 32, nil, 0, nil, nonce, key)
    var expected = NoiseCipher(key: SecretBytes(zeros.prefix(32)), number: 5)
    cipher.rekey()
    #expect(cipher.number == 5)
    #expect(
      try cipher.seal([1, 2], vouchingFor: []) == expected.seal([1, 2], vouchingFor: []))
    var old = NoiseCipher(key: SecretBytes(key), number: 6)
    #expect(try old.open(cipher.seal([3], vouchingFor: []), vouchingFor: []) == nil)
  }

  @Test func lastNumberIsReserved() throws {
    var cipher = NoiseCipher(key: SecretBytes([UInt8](repeating: 1, count: 32)), number: .max - 1)
    _ = try cipher.ticket()
    #expect(throws: NoiseError.nonceExhausted) { try cipher.ticket() }
  }

  /// The number stands in the nonce behind four zeros, its lowest byte first. Noise, section 12.3.
  @Test func nonceIsLaidOutAsSpecified() throws {
    let key = [UInt8](repeating: 9, count: 32)
    var cipher = NoiseCipher(key: SecretBytes(key), number: 0x0102_0304_0506_0708)
    var expected = [UInt8](repeating: 0, count: 19)
    crypto_aead_chacha20poly1305_ietf_encrypt(
      &expected, nil, [1, 2, 3], 3, [5], 1, nil, [0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1], key)
    #expect(try cipher.seal([1, 2, 3], vouchingFor: [5]) == expected)
  }

  @Test func secretsAreNotShown() throws {
    let secret = SecretBytes([0x41, 0x42, 0x43])
    var dumped = ""
    dump(secret, to: &dumped)
    for text in ["\(secret)", String(reflecting: secret), dumped] {
      #expect(!text.contains("65") && !text.contains("41") && text.contains("3 secret bytes"))
    }
    #expect(
      secret == SecretBytes([0x41, 0x42, 0x43]) && secret != SecretBytes([0x41, 0x42, 0x44]))
    #expect(SecretBytes([]) == SecretBytes([]) && SecretBytes([]) != secret)
  }
}

extension NoiseKeyPair {
  /// What only a liar has: a public key that does not belong to its secret key.
  static func forged(publicKey: [UInt8]) -> NoiseKeyPair {
    NoiseKeyPair(secret: SecretBytes([UInt8](repeating: 1, count: 32)), publicKey: publicKey)
  }
}
