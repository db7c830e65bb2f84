import Metainfo
import Testing

@testable import Wire

@Suite struct HashMessageTests {
  @Test(arguments: capturedMessages.indices)
  func readsAndWritesWhatLibtorrentWrites(row: Int) throws {
    let (_, number, numbers, hashes, hex) = capturedMessages[row]
    let bytes = try #require([UInt8](hex: hex))
    let id = try kind(bytes[4])
    #expect(bytes[4] == number)
    let message = try decode(id, Array(bytes[5...]))
    let request = HashRequest(
      piecesRoot: try #require(SHA256Digest(bytes[5..<37])), baseLayer: numbers[0],
      index: numbers[1], length: numbers[2], proofLayers: numbers[3])
    switch message {
    case .request(let read): #expect(read == request && number == 21)
    case .reject(let read): #expect(read == request && number == 23)
    case .hashes(let response):
      #expect(response.request == request && number == 22)
      #expect(response.hashes.count == hashes)
      #expect(response.hashes.map(\.hex).joined() == String(hex.dropFirst(2 * 53)))
    }
    #expect(message.kind == id)
    #expect(encoded(message) == bytes)
  }

  @Test(arguments: capturedMessages.indices)
  func everyOtherLengthIsAnError(row: Int) throws {
    let bytes = try #require([UInt8](hex: capturedMessages[row].hex))
    let id = try kind(bytes[4])
    let payload = Array(bytes[5...])
    for count in payload.indices {
      #expect(throws: PeerProtocolError.self) {
        try decode(id, Array(payload[..<count]))
      }
    }
    for surplus in [1, 31, 32] {
      #expect(throws: PeerProtocolError.self) {
        try decode(id, payload + [UInt8](repeating: 0, count: surplus))
      }
    }
  }

  /// Numbers of a `hashes` message with `surplus` hashes more than BEP 52 wants, and the message.
  static let faults: [(numbers: [UInt32], hashes: Int, message: String)] = [
    ([0, 0, 0, 0], 0, "hashes at byte 41: 0 hashes answer nothing (BEP 52)"),
    ([0, 2, 3, 0], 3, "hashes at byte 37: index 2 is not a multiple of length 3 (BEP 52)"),
    ([0, 0, 1, 0], 1, "hashes at byte 49: 81 bytes, 113 expected (BEP 52)"),
    (
      [0, 0, 1 << 31, 0], 0, "hashes at byte 41: length 2147483648 is more than 8192"
    ),
    ([0, 7, 4, 0], 4, "hashes at byte 37: index 7 is not a multiple of length 4 (BEP 52)"),
    ([0, 0, 2, 32], 34, "hashes at byte 45: 32 proof layers, more than 31"),
    ([0, 0, 2, .max], 1, "hashes at byte 45: 4294967295 proof layers, more than 31"),
    ([0, 0, 4, 2], 4, "hashes at byte 49: 177 bytes, 209 expected (BEP 52)"),
    ([0, 0, 4, 2], 6, "hashes at byte 49: 241 bytes, 209 expected (BEP 52)"),
  ]

  @Test(arguments: faults.indices)
  func saysWhatIsWrong(row: Int) throws {
    let (numbers, hashes, message) = Self.faults[row]
    let payload = payload(numbers, hashes: hashes)
    let error = #expect(throws: PeerProtocolError.self) {
      try decode(.hashes, payload)
    }
    #expect(error?.description == message)
  }

  @Test func requestsHaveOneLength() throws {
    for id in [HashMessage.Kind.request, .reject] {
      let error = #expect(throws: PeerProtocolError.self) {
        try decode(id, payload([0, 0, 2, 0], hashes: 1))
      }
      #expect(error?.description == "\(id.id) at byte 0: 81 bytes, 49 expected (BEP 52)")
    }
    let error = #expect(throws: PeerProtocolError.self) {
      try decode(.hashes, [UInt8](repeating: 0, count: 47))
    }
    #expect(error?.description == "hashes at byte 48: the message ends after 48 bytes (BEP 52)")
  }

  /// log2(length) − 1 proof layers follow from the hashes themselves. BEP 52.
  @Test(
    arguments: [
      ([0, 0, 2, 0], 2), ([0, 0, 2, 1], 3), ([0, 0, 2, 31], 33), ([5, 8, 4, 1], 4),
      ([0, 8, 4, 2], 5),
      ([1, 512, 512, 8], 512), ([1, 512, 512, 9], 513), ([0, 8192, 8192, 31], 8192 + 19),
      ([UInt32.max, 1 << 31, 2, 0], 2),
    ] as [([UInt32], Int)])
  func takesExactlyTheHashesThatBelong(numbers: [UInt32], count: Int) throws {
    let bytes = payload(numbers, hashes: count)
    let message = try decode(.hashes, bytes)
    guard case .hashes(let response) = message else {
      Issue.record("\(message)")
      return
    }
    #expect(response.hashes.count == count)
    #expect(response.hashes.count <= WireLimits.hashes)
    #expect(encoded(message).dropFirst(5) == bytes[...])
    for wrong in [count - 1, count + 1] {
      #expect(throws: PeerProtocolError.self) {
        try decode(.hashes, payload(numbers, hashes: wrong))
      }
    }
  }

  @Test func writesNoByteBeyondTheMessage() throws {
    let request = HashRequest(
      piecesRoot: .zero, baseLayer: 1, index: 2, length: 2, proofLayers: 0)
    let message = HashMessage.request(request)
    var room = [UInt8](repeating: 0xee, count: message.encodedByteCount + 8)
    let count = room.withUnsafeMutableBytes { message.encode(into: $0) }
    #expect(count == 53)
    #expect(room[53...].allSatisfy { $0 == 0xee })
  }

  private func kind(_ byte: UInt8) throws -> HashMessage.Kind {
    try #require(PeerMessageID(rawValue: byte).flatMap(HashMessage.Kind.init))
  }

  private func decode(_ id: HashMessage.Kind, _ payload: [UInt8]) throws -> HashMessage {
    try HashMessage(id, payload: payload.span.bytes)
  }

  private func encoded(_ message: HashMessage) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
    bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
    return bytes
  }

  /// A root of sevens, the four numbers, and hashes that count up.
  private func payload(_ numbers: [UInt32], hashes: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 7, count: 32)
    for number in numbers { withUnsafeBytes(of: number.bigEndian) { bytes += $0 } }
    for hash in 0..<max(0, hashes) {
      bytes += [UInt8](repeating: UInt8(truncatingIfNeeded: hash), count: 32)
    }
    return bytes
  }
}
