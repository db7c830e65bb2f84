import Metainfo
import Testing

@testable import Wire

@Suite struct NoiseVectorTests {
  @Test(arguments: NoiseVector.cacophony + NoiseVector.snow)
  func vectorHolds(vector: NoiseVector) throws {
    let pattern = try #require(NoisePattern.named(vector.pattern))
    #expect(pattern.name == vector.pattern)
    let prologue = try #require([UInt8](hex: vector.prologue))
    let preSharedKeys = try vector.preSharedKeys.map { try secret($0) }
    let initiatorStatic = try vector.initiatorStatic.map { try pair($0) }
    let responderStatic = try vector.responderStatic.map { try pair($0) }
    let knowsInitiator = pattern.initiatorPremessage.contains(.s)
    let knowsResponder = pattern.responderPremessage.contains(.s)
    var sides = [
      try NoiseHandshake(
        pattern, .initiator, prologue: prologue, preSharedKeys: preSharedKeys,
        staticKey: initiatorStatic,
        remoteStaticKey: knowsResponder ? responderStatic?.publicKey : nil),
      try NoiseHandshake(
        pattern, .responder, prologue: prologue, preSharedKeys: preSharedKeys,
        staticKey: responderStatic,
        remoteStaticKey: knowsInitiator ? initiatorStatic?.publicKey : nil),
    ]
    let ephemerals = [
      try vector.initiatorEphemeral.map { try pair($0) },
      try vector.responderEphemeral.map { try pair($0) },
    ]
    let turns = pattern.messages.count
    for (number, row) in vector.messages.prefix(turns).enumerated() {
      let sender = number % 2
      let payload = try #require([UInt8](hex: row.payload))
      let message = try sides[sender].write(payload, ephemeral: ephemerals[sender])
      #expect(message.hex == row.message)
      #expect(try sides[1 - sender].read(message) == payload)
    }
    #expect(sides[0].isFinished && sides[1].isFinished && sides[0].hash == sides[1].hash)
    if let hash = vector.hash { #expect(sides[0].hash.hex == hash) }

    var ends = try sides.map { try $0.split() }
    for (number, row) in vector.messages.enumerated().dropFirst(turns) {
      let sender = turns == 1 ? 0 : number % 2
      let payload = try #require([UInt8](hex: row.payload))
      let message = try ends[sender].sending.seal(payload, vouchingFor: [])
      #expect(message.hex == row.message)
      #expect(try ends[1 - sender].receiving.open(message, vouchingFor: []) == payload)
    }
    #expect(vector.messages.count > turns)
  }

  /// HMAC and HKDF, and so the construction around BLAKE2b, are what the vectors rest on; that both patterns the
  /// project promises are among them is said here.
  @Test func promisedPatternsAreThere() {
    let names = Set(NoiseVector.cacophony.map(\.pattern))
    #expect(names.isSuperset(of: ["NNpsk0", "XXpsk3", "NN", "XX"]))
  }

  private func secret(_ hex: String) throws -> SecretBytes {
    SecretBytes(try #require([UInt8](hex: hex)))
  }

  private func pair(_ hex: String) throws -> NoiseKeyPair {
    try #require(NoiseKeyPair(secret: try secret(hex)))
  }
}
