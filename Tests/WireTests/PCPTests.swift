import Metainfo
import TestSupport
import Testing
import Wire

/// Bytes written by hand from the layouts of RFC 6887, figures 2 to 4, 9 and 10, and RFC 6886,
/// sections 3.2 and 3.5.
@Suite struct PCPTests {
  static let nonce = PCPNonce(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c)
  static let nonceBytes = "010203040506070809" + "0a0b0c"
  static let unwished = PCPMapping(
    nonce: nonce, transport: PCPMapping.tcp, internalPort: 6881, externalPort: 0,
    externalAddress: v4("0.0.0.0"))

  static let requests: [(PCPRequest, String)] = [
    (
      PCPRequest(.map(unwished), lifetime: 7200, client: v4("192.168.1.10")),
      "02010000" + "00001c20" + "00000000000000000000ffffc0a8010a"
        + nonceBytes + "06000000" + "1ae1" + "0000" + "00000000000000000000ffff00000000"
    ),
    (
      PCPRequest(
        .map(
          PCPMapping(
            nonce: nonce, transport: PCPMapping.udp, internalPort: 6881, externalPort: 40000,
            externalAddress: v4("203.0.113.7"))), lifetime: 0, client: v4("192.168.1.10")),
      "02010000" + "00000000" + "00000000000000000000ffffc0a8010a"
        + nonceBytes + "11000000" + "1ae1" + "9c40" + "00000000000000000000ffffcb007107"
    ),
    (
      PCPRequest(
        .map(
          PCPMapping(
            nonce: nonce, transport: PCPMapping.tcp, internalPort: 6881, externalPort: 6881,
            externalAddress: v6("::"))), lifetime: 120, client: v6("2001:db8::10")),
      "02010000" + "00000078" + "20010db8000000000000000000000010"
        + nonceBytes + "06000000" + "1ae1" + "1ae1" + "00000000000000000000000000000000"
    ),
    (
      PCPRequest(.announce, lifetime: 0, client: v4("192.168.1.10")),
      "02000000" + "00000000" + "00000000000000000000ffffc0a8010a"
    ),
  ]

  static let answers: [(PCPAnswer, String)] = [
    (
      .pcp(
        PCPResponse(
          .map(
            PCPMapping(
              nonce: nonce, transport: PCPMapping.tcp, internalPort: 6881, externalPort: 6881,
              externalAddress: v4("203.0.113.7"))),
          result: .success, lifetime: 7200, epoch: 0x0001_0203)),
      "02810000" + "00001c20" + "00010203" + "000000000000000000000000"
        + nonceBytes + "06000000" + "1ae1" + "1ae1" + "00000000000000000000ffffcb007107"
    ),
    (
      .pcp(PCPResponse(.map(unwished), result: .notAuthorized, lifetime: 1800, epoch: 5)),
      "02810002" + "00000708" + "00000005" + "000000000000000000000000"
        + nonceBytes + "06000000" + "1ae1" + "0000" + "00000000000000000000ffff00000000"
    ),
    (
      .pcp(PCPResponse(.map(nil), result: .malformedRequest, lifetime: 30, epoch: 5)),
      "02810003" + "0000001e" + "00000005" + "000000000000000000000000"
    ),
    (
      .pcp(PCPResponse(.announce, result: .success, lifetime: 0, epoch: 1)),
      "02800000" + "00000000" + "00000001" + "000000000000000000000000"
    ),
    (
      .pcp(PCPResponse(.unknown(opcode: 2), result: .unsupportedOpcode, lifetime: 9, epoch: 1)),
      "02820004" + "00000009" + "00000001" + "000000000000000000000000"
    ),
    (.natPMP(NATPMPNotice(result: 1, epoch: 99, externalAddress: nil)), "00810001" + "00000063"),
    (
      .natPMP(NATPMPNotice(result: 0, epoch: 0, externalAddress: IPv4Address("203.0.113.7".utf8))),
      "00800000" + "00000000" + "cb007107"
    ),
  ]

  @Test(arguments: requests.indices) func requestIsWritten(index: Int) {
    let (request, hex) = Self.requests[index]
    #expect(request.encoded == bytes(hex))
  }

  @Test(arguments: answers.indices) func answerIsRead(index: Int) throws {
    let (answer, hex) = Self.answers[index]
    #expect(try PCPAnswer(bytes(hex)) == answer)
  }

  @Test(arguments: answers.indices) func answerIsWritten(index: Int) {
    let (answer, hex) = Self.answers[index]
    switch answer {
    case .pcp(let response): #expect(response.encoded == bytes(hex))
    case .natPMP(let notice): #expect(notice.encoded == bytes(hex))
    }
  }

  /// Options of answers are stepped over, here a FILTER. RFC 6887, section 7.3.
  @Test func optionsAreSteppedOver() throws {
    let (answer, hex) = Self.answers[0]
    let option = "03000014" + "00000000" + String(repeating: "00", count: 16)
    #expect(try PCPAnswer(bytes(hex + option)) == answer)
  }

  static let refused: [(String, PCPError.Reason, offset: Int)] = [
    ("", .tooShort(needed: 2), 0),
    ("0281", .tooShort(needed: 24), 2),
    ("02810000" + "00001c20" + "00010203" + "0000000000000000000000", .tooShort(needed: 24), 23),
    ("02810000" + String(repeating: "00", count: 20), .tooShort(needed: 60), 24),
    ("02810000" + String(repeating: "00", count: 57), .notInWords, 61),
    ("02010000" + String(repeating: "00", count: 56), .isRequest, 1),
    ("02810000" + String(repeating: "00", count: 1_100), .tooLong, 1_100),
    ("03810000" + String(repeating: "00", count: 56), .unknownVersion(3), 0),
    ("00810001" + "000000", .tooShort(needed: 8), 7),
    ("00010001" + "00000000", .isRequest, 1),
    ("00800000" + "00000000" + "cb0071", .tooShort(needed: 12), 11),
  ]

  @Test(arguments: refused.indices) func nonsenseIsRefused(index: Int) {
    let (hex, reason, offset) = Self.refused[index]
    let error = #expect(throws: PCPError.self) { try PCPAnswer(bytes(hex)) }
    #expect(error?.reason == reason && error?.offset == offset)
    #expect(error?.description.contains("byte \(offset)") == true)
  }

  /// However an answer is torn or a byte of it changed: an error with its place, or an answer.
  @Test func tornAndChangedAnswersAreTakenOrRefused() {
    for (seed, (_, hex)) in Self.answers.enumerated() {
      var random = SplitMix64(seed: UInt64(seed))
      for _ in 0..<500 {
        var datagram = bytes(hex)
        datagram[Int.random(in: 0..<datagram.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
        datagram.removeLast(
          random.oneIn(2) ? 0 : Int.random(in: 0..<datagram.count, using: &random))
        do {
          _ = try PCPAnswer(datagram)
        } catch {
          #expect((0...datagram.count).contains(error.offset), "seed \(seed)")
        }
      }
    }
  }

  @Test func resultsAreNamed() {
    #expect(PCPResult.notAuthorized.description == "NOT_AUTHORIZED (2)")
    #expect(PCPResult.excessiveRemotePeers.description == "EXCESSIVE_REMOTE_PEERS (13)")
    #expect(PCPResult(rawValue: 14).description == "result 14")
  }
}

private func v4(_ text: String) -> IPAddress {
  .v4(IPv4Address(text.utf8) ?? IPv4Address(rawValue: 0xffff_ffff))
}

private func v6(_ text: String) -> IPAddress {
  .v6(IPv6Address(text.utf8) ?? IPv6Address(high: 0xffff, low: 0xffff))
}

private func bytes(_ hex: String) -> [UInt8] {
  let digits = Array(hex)
  return stride(from: 0, to: digits.count, by: 2).compactMap {
    UInt8(String(digits[$0...($0 + 1)]), radix: 16)
  }
}
