import Metainfo
import Testing

@testable import Wire

/// Messages by their bytes, the body left out, as BEP 3, 5, 6, 10 and 52 have them.
let messageVectors: [(message: PeerMessage, hex: String)] = [
  (.keepAlive, "00000000"),
  (.choke, "0000000100"),
  (.unchoke, "0000000101"),
  (.interested, "0000000102"),
  (.notInterested, "0000000103"),
  (.have(piece: 0x0102_0304), "000000050401020304"),
  (.have(piece: .max), "0000000504ffffffff"),
  (.bitfield(byteCount: 0), "0000000105"),
  (.bitfield(byteCount: 3), "0000000405"),
  (
    .request(BlockRequest(piece: 1, begin: 0x4000, length: 0x4000)),
    "0000000d06000000010000400000004000"
  ),
  (
    .piece(BlockRequest(piece: 0x0a0b_0c0d, begin: 0x8000, length: 0x4000)),
    "00004009070a0b0c0d00008000"
  ),
  (.piece(BlockRequest(piece: 1, begin: 2, length: 1)), "0000000a070000000100000002"),
  (
    .cancel(BlockRequest(piece: .max, begin: .max, length: .max)),
    "0000000d08ffffffffffffffffffffffff"
  ),
  (.port(0x1ae1), "00000003091ae1"),
  (.suggest(piece: 7), "000000050d00000007"),
  (.haveAll, "000000010e"),
  (.haveNone, "000000010f"),
  (.reject(BlockRequest(piece: 1, begin: 2, length: 3)), "0000000d10000000010000000200000003"),
  (.allowedFast(piece: 9), "000000051100000009"),
  (.extended(id: 0, byteCount: 2), "000000041400"),
  (.extended(id: 255, byteCount: 0), "0000000214ff"),
  (.unknown(id: 10, byteCount: 0), "000000010a"),
  (.unknown(id: 255, byteCount: 0x0002_0304), "00020305ff"),
]

@Suite struct PeerMessageTests {
  @Test(arguments: messageVectors.indices)
  func writesTheBytesOfItsBEP(row: Int) throws {
    let (message, hex) = messageVectors[row]
    #expect(head(of: message).hex == hex)
    // A piece and an unknown message are handed out before their bodies come.
    let isWhole = message.id == .bitfield || message.id == .extended
    let body = [UInt8](repeating: 7, count: isWhole ? message.bodyByteCount : 0)
    #expect(try first(in: head(of: message) + body) == message)
    if !body.isEmpty { #expect(try first(in: head(of: message) + body.dropLast()) == nil) }
  }

  @Test(arguments: capturedPeerMessages.indices)
  func readsAndWritesWhatOthersWrite(row: Int) throws {
    let (_, message, hex) = capturedPeerMessages[row]
    let bytes = try #require([UInt8](hex: hex))
    #expect(try first(in: bytes) == message)
    #expect(bytes.starts(with: head(of: message)))
  }

  @Test(arguments: capturedMessages.indices)
  func hashMessagesAreMessages(row: Int) throws {
    let bytes = try #require([UInt8](hex: capturedMessages[row].hex))
    let message = try #require(try first(in: bytes))
    guard case .hash = message else {
      Issue.record("\(message)")
      return
    }
    #expect(message.id?.rawValue == bytes[4] && message.bodyByteCount == 0)
    #expect(head(of: message) == bytes)
  }

  /// Length and kind, and what is wrong. Nothing more of the message needs to come.
  @Test(
    arguments: [
      ("ffffffff", "message at byte 0: 4294967295 bytes, more than 2097153"),
      ("00200002", "message at byte 0: 2097154 bytes, more than 2097153"),
      ("0000000200", "choke at byte 0: 2 bytes, 1 expected (BEP 3)"),
      ("0000000501", "unchoke at byte 0: 5 bytes, 1 expected (BEP 3)"),
      ("0000000202", "interested at byte 0: 2 bytes, 1 expected (BEP 3)"),
      ("0000000203", "not interested at byte 0: 2 bytes, 1 expected (BEP 3)"),
      ("0000000404", "have at byte 0: 4 bytes, 5 expected (BEP 3)"),
      ("0000000c06", "request at byte 0: 12 bytes, 13 expected (BEP 3)"),
      ("0000000807", "piece at byte 0: 8 bytes, 10 expected (BEP 3)"),
      ("0000000907", "piece at byte 9: there is no data (BEP 3)"),
      ("0000400a07", "piece at byte 0: 16394 bytes, more than 16393"),
      ("0000000e08", "cancel at byte 0: 14 bytes, 13 expected (BEP 3)"),
      ("0000000209", "port at byte 0: 2 bytes, 3 expected (BEP 5)"),
      ("000000010d", "suggest piece at byte 0: 1 bytes, 5 expected (BEP 6)"),
      ("000000020e", "have all at byte 0: 2 bytes, 1 expected (BEP 6)"),
      ("000000050f", "have none at byte 0: 5 bytes, 1 expected (BEP 6)"),
      ("0000000510", "reject at byte 0: 5 bytes, 13 expected (BEP 6)"),
      ("0000000111", "allowed fast at byte 0: 1 bytes, 5 expected (BEP 6)"),
      ("0000000114", "extended at byte 0: 1 bytes, 2 expected (BEP 10)"),
      ("0001000214", "extended at byte 0: 65538 bytes, more than 65537"),
      ("0000003215", "hash request at byte 0: 50 bytes, 49 expected (BEP 52)"),
      ("0004041216", "hashes at byte 0: 263186 bytes, more than 263185"),
      ("0000003017", "hash reject at byte 0: 48 bytes, 49 expected (BEP 52)"),
      ("0010000218", "message at byte 0: 1048578 bytes, more than 1048577"),
    ])
  func lengthsAreJudgedBeforeAnythingElse(hex: String, message: String) throws {
    let bytes = try #require([UInt8](hex: hex))
    let error = #expect(throws: PeerProtocolError.self) { try first(in: bytes) }
    #expect(error?.description == message)
    // One byte at a time, and the byte before the last is still innocent.
    var framer = PeerFramer()
    for byte in bytes.dropLast() {
      var offset = 0
      #expect(try framer.next(in: [byte].span.bytes, at: &offset) == nil)
    }
    for _ in 0..<3 {
      let late = #expect(throws: PeerProtocolError.self) {
        var offset = 0
        return try framer.next(in: [bytes[bytes.count - 1]].span.bytes, at: &offset)
      }
      #expect(late == error)
    }
  }

  @Test func lengthsAtTheLimitPass() throws {
    for (id, length) in [
      (5, 1 + WireLimits.bitfieldBytes), (20, 1 + WireLimits.extendedBytes), (22, 263_185),
    ] as [(UInt8, Int)] {
      var framer = PeerFramer()
      var offset = 0
      let head = big(UInt32(length)) + [id]
      #expect(try framer.next(in: head.span.bytes, at: &offset) == nil)
      #expect(framer.demand == .messages(beforeData: length - 1))
    }
    #expect(
      try first(in: [0, 0, 0x40, 9, 7] + [UInt8](repeating: 0, count: 8))
        == .piece(BlockRequest(piece: 0, begin: 0, length: 16_384)))
    #expect(try first(in: [0, 0x10, 0, 1, 24]) == .unknown(id: 24, byteCount: 1 << 20))
  }

  @Test func theBitfieldsLimitIsTheTorrents() throws {
    var framer = PeerFramer(bitfieldLimit: 3)
    var offset = 0
    let bytes: [UInt8] = [0, 0, 0, 4, 5, 1, 2, 3]
    let element = try framer.next(in: bytes.span.bytes, at: &offset)
    #expect(element == .message(.bitfield(byteCount: 3)))
    framer.bitfieldLimit = 2
    let error = #expect(throws: PeerProtocolError.self) {
      var offset = 0
      return try framer.next(in: bytes.span.bytes, at: &offset)
    }
    #expect(error?.description == "bitfield at byte 0: 4 bytes, more than 3")
  }

  @Test func writesNoByteBeyondTheMessage() {
    for (message, _) in messageVectors {
      var room = [UInt8](repeating: 0xee, count: message.encodedByteCount + 8)
      let count = room.withUnsafeMutableBytes { message.encode(into: $0) }
      #expect(count == message.encodedByteCount)
      #expect(room[count...].allSatisfy { $0 == 0xee })
    }
  }

  private func first(in bytes: [UInt8]) throws -> PeerMessage? {
    var framer = PeerFramer()
    var offset = 0
    guard case .message(let message) = try framer.next(in: bytes.span.bytes, at: &offset) else {
      return nil
    }
    return message
  }
}

/// What a message writes.
func head(of message: PeerMessage) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
  bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
  return bytes
}

/// The number's four bytes, the highest first.
func big(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
