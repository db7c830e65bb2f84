import Metainfo
import Testing

@testable import Wire

@Suite struct HandshakeTests {
  /// From libtorrent's and other programs' own words: see CapturedHandshakes.swift.
  @Test(arguments: capturedHandshakes.indices)
  func readsAndWritesWhatOthersWrite(row: Int) throws {
    let captured = capturedHandshakes[row]
    let bytes = try #require([UInt8](hex: captured.hex))
    var reader = HandshakeReader()
    #expect(try reader.append(bytes.span.bytes) == 68)
    let handshake = try #require(reader.handshake)
    #expect(handshake.features == captured.features)
    #expect(handshake.infohash.hex == captured.infohash)
    #expect(handshake.peerID.description.hasPrefix(captured.peerID))
    #expect(encoded(handshake) == bytes)
  }

  @Test func everySplitReadsTheSame() throws {
    let bytes = sample()
    for first in 0...bytes.count {
      for second in first...bytes.count {
        var reader = HandshakeReader()
        var taken = 0
        for range in [0..<first, first..<second, second..<bytes.count] {
          taken += try reader.append(Array(bytes[range]).span.bytes)
          #expect((reader.infohash != nil) == (taken >= 48))
          #expect((reader.features != nil) == (taken >= 48))
          #expect((reader.handshake != nil) == (taken == 68))
        }
        #expect(taken == 68 && reader.missingByteCount == 0)
        #expect(reader.handshake.map(encoded) == bytes)
      }
    }
  }

  @Test func whatFollowsIsLeft() throws {
    let bytes = sample()
    var reader = HandshakeReader()
    #expect(try reader.append((bytes + [0, 0, 0, 1, 1]).span.bytes) == 68)
    #expect(try reader.append([UInt8](repeating: 0, count: 4).span.bytes) == 0)
    #expect(reader.handshake.map(encoded) == bytes)
  }

  @Test func everyWrongByteIsNamed() throws {
    for offset in 0..<20 {
      for byte in UInt8.min...UInt8.max where byte != sample()[offset] {
        var bytes = sample()
        bytes[offset] = byte
        var whole = HandshakeReader()
        let error = #expect(throws: HandshakeError.self) { try whole.append(bytes.span.bytes) }
        #expect(error?.offset == offset && error?.byte == byte)
        var slow = HandshakeReader()
        for index in 0..<offset { #expect(try slow.append([bytes[index]].span.bytes) == 1) }
        #expect(throws: HandshakeError.self) { try slow.append([byte].span.bytes) }
      }
    }
  }

  @Test(
    arguments: [
      ([0x16, 0x03, 0x01, 0x02, 0x00, 0x01], "at byte 0: 22", "TLS"),
      ([0x16], "at byte 0: 22", "TLS"),
      (Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), "at byte 0: 71", "HTTP"),
      (Array("P".utf8), "at byte 0: 80", "HTTP"),
      (Array("PRI * HTTP/2.0\r\n".utf8), "at byte 0: 80", "HTTP"),
      (Array("SSH-2.0-OpenSSH_9.2".utf8), "at byte 0: 83", "SSH"),
      ([0x05, 0x01, 0x00], "at byte 0: 5", "SOCKS"),
      ([0x03, 0x00, 0x00, 0x13, 0x0e], "at byte 0: 3", "RDP"),
      (Array("GIT ".utf8), "at byte 0: 71", nil),
      ([0x9a, 0x22, 0x10], "at byte 0: 154", nil),
      ([19] + Array("BitTorrent Protocol".utf8), "at byte 12: 80", nil),
    ] as [([UInt8], String, String?)])
  func strangersAreNamed(bytes: [UInt8], place: String, name: String?) throws {
    var reader = HandshakeReader()
    let error = #expect(throws: HandshakeError.self) { try reader.append(bytes.span.bytes) }
    let guess = name.map { ": this looks like \($0)" } ?? ""
    #expect(error?.description == "handshake \(place) is not in BitTorrent's (BEP 3)\(guess)")
  }

  @Test func featuresAreTheBitsOfTheirBEPs() throws {
    let rows: [(PeerFeatures, Int, UInt8)] = [
      (.dht, 7, 0x01), (.fast, 7, 0x04), (.v2Upgrade, 7, 0x10), (.extensions, 5, 0x10),
    ]
    for (feature, byte, bit) in rows {
      let infohash = try #require(SHA1Digest([UInt8](repeating: 1, count: 20)))
      let id = try #require(PeerID([UInt8](repeating: 2, count: 20)))
      let bytes = encoded(Handshake(features: feature, infohash: infohash, peerID: id))
      var reserved = [UInt8](repeating: 0, count: 8)
      reserved[byte] = bit
      #expect(Array(bytes[20..<28]) == reserved)
    }
  }

  @Test func peerIDsAreTwentyBytes() throws {
    for count in 0..<40 {
      let bytes = (0..<count).map { UInt8($0) }
      #expect(PeerID(bytes)?.bytes == (count == 20 ? bytes : nil))
    }
    var names: Set<PeerID> = []
    for index in 0..<20 {
      var bytes = [UInt8](repeating: 0x2d, count: 20)
      bytes[index] = 1
      names.insert(try #require(PeerID(bytes)))
    }
    #expect(names.count == 20)
  }

  /// All bytes behind the protocol's name differ.
  private func sample() -> [UInt8] {
    [19] + Array("BitTorrent protocol".utf8) + (20..<68).map { UInt8($0) }
  }

  private func encoded(_ handshake: Handshake) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Handshake.byteCount)
    let count = bytes.withUnsafeMutableBytes { handshake.encode(into: $0) }
    #expect(count == bytes.count)
    return bytes
  }
}
