import Metainfo
import TestSupport
import Testing

@testable import Wire

/// Payloads of extension handshakes and what they say. The first four are those of
/// CapturedPeerMessages.swift; the others are written by hand after BEP 10 and 21.
private let handshakes: [(text: String, fields: ExtensionHandshake, isCanonical: Bool)] = [
  (
    "d12:complete_agoi-1e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e"
      + "12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei164e4:reqqi2000e"
      + "11:upload_onlyi1e1:v18:libtorrent/2.0.8.06:yourip4:\u{7f}\u{0}\u{0}\u{1}e",
    made {
      $0.extensions = [.dontHave: 7, .uploadOnly: 3, .metadata: 2, .pex: 1]
      $0.metadataSize = 164
      $0.requestQueue = 2000
      $0.isUploadOnly = true
      $0.client = Array("libtorrent/2.0.8.0".utf8)
      $0.yourAddress = IPAddress(compact: [127, 0, 0, 1])
    }, false
  ),
  (
    "d1:md11:ut_metadatai9e6:ut_pexi8ee13:metadata_sizei164e1:pi43569e1:v12:aria2/1.36.0e",
    made {
      $0.extensions = [.metadata: 9, .pex: 8]
      $0.metadataSize = 164
      $0.port = 43569
      $0.client = Array("aria2/1.36.0".utf8)
    }, true
  ),
  (
    "d1:ei0e1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei164e1:pi45225e4:reqqi512e"
      + "11:upload_onlyi0e1:v17:Transmission 3.00e",
    made {
      $0.extensions = [.metadata: 3, .pex: 1]
      $0.metadataSize = 164
      $0.port = 45225
      $0.requestQueue = 512
      $0.isUploadOnly = false
      $0.client = Array("Transmission 3.00".utf8)
    }, false
  ),
  ("de", ExtensionHandshake(), false),
  ("d1:mdee", ExtensionHandshake(), true),
  ("d1:md6:ut_pexi0eee", made { $0.extensions = [.pex: 0] }, true),
  ("d1:mde13:metadata_sizei0e1:pi0e4:reqqi-1ee", ExtensionHandshake(), false),
  ("d1:mde4:reqqi99999999ee", made { $0.requestQueue = 16_384 }, false),
  ("d4:ipv43:abc4:ipv64:abcd1:mde1:vi3e6:yourip0:e", ExtensionHandshake(), false),
  (
    "d4:ipv44:abcd4:ipv616:abcdefghijklmnop1:mde6:yourip16:ABCDEFGHIJKLMNOPe",
    made {
      $0.ipv4 = IPv4Address(rawValue: 0x6162_6364)
      $0.ipv6 = IPv6Address(high: 0x6162_6364_6566_6768, low: 0x696a_6b6c_6d6e_6f70)
      $0.yourAddress = IPAddress(compact: Array("ABCDEFGHIJKLMNOP".utf8))
    }, true
  ),
]

private func made(_ change: (inout ExtensionHandshake) -> Void) -> ExtensionHandshake {
  var handshake = ExtensionHandshake()
  change(&handshake)
  return handshake
}

/// A name, the payload, and what reading it throws.
private let faults: [(message: PeerExtension?, text: String, error: String)] = [
  (nil, "", "extension handshake at byte 0: the data ends in the middle of a value (BEP 10)"),
  (nil, "i3e", "extension handshake at byte 0: the payload is no dictionary (BEP 10)"),
  (nil, "dexx", "extension handshake at byte 2: there is more behind the end (BEP 10)"),
  (nil, "d1:mi3ee", "extension handshake at byte 4: \"m\" is no dictionary (BEP 10)"),
  (nil, "d1:md6:ut_pex1:xee", "extension handshake at byte 13: \"ut_pex\" is no integer (BEP 10)"),
  (nil, "d1:md6:ut_pexi256eee", "extension handshake at byte 13: \"ut_pex\" is 256 (BEP 10)"),
  (nil, "d1:md6:ut_pexi-1eee", "extension handshake at byte 13: \"ut_pex\" is -1 (BEP 10)"),
  (nil, "d1:pi65536ee", "extension handshake at byte 4: \"p\" is 65536 (BEP 10)"),
  (
    nil, "d13:metadata_sizei134217729ee",
    "extension handshake at byte 17: \"metadata_size\" is 134217729 (BEP 10)"
  ),
  (
    nil, "d11:upload_only0:e",
    "extension handshake at byte 15: \"upload_only\" is no integer (BEP 10)"
  ),
  (.metadata, "d5:piecei0ee", "ut_metadata at byte 0: \"msg_type\" is missing (BEP 9)"),
  (.metadata, "d8:msg_typei0ee", "ut_metadata at byte 0: \"piece\" is missing (BEP 9)"),
  (
    .metadata, "d8:msg_typei0e5:piecei8192ee", "ut_metadata at byte 21: \"piece\" is 8192 (BEP 9)"
  ),
  (.metadata, "d8:msg_typei2e5:piecei-1ee", "ut_metadata at byte 21: \"piece\" is -1 (BEP 9)"),
  (
    .metadata, "d8:msg_typei0e5:piecei0eex",
    "ut_metadata at byte 25: there is more behind the end (BEP 9)"
  ),
  (
    .metadata, "d8:msg_typei1e5:piecei0eexx",
    "ut_metadata at byte 0: \"total_size\" is missing (BEP 9)"
  ),
  (
    .metadata, "d8:msg_typei1e5:piecei0e10:total_sizei0eex",
    "ut_metadata at byte 37: \"total_size\" is 0 (BEP 9)"
  ),
  (
    .metadata,
    "d8:msg_typei1e5:piecei0e10:total_sizei9ee" + String(repeating: "x", count: 16_385),
    "ut_metadata at byte 41: a block of 16385 bytes (BEP 9)"
  ),
  (.pex, "d5:added5:abcdee", "ut_pex at byte 8: \"added\" has 5 bytes (BEP 11)"),
  (.pex, "d6:added66:abcdefe", "ut_pex at byte 9: \"added6\" has 6 bytes (BEP 11)"),
  (.pex, "d8:dropped6i3ee", "ut_pex at byte 11: \"dropped6\" is no string (BEP 11)"),
  (.pex, "d7:dropped1:xe", "ut_pex at byte 10: \"dropped\" has 1 bytes (BEP 11)"),
  (.pex, "dex", "ut_pex at byte 2: there is more behind the end (BEP 11)"),
  (.dontHave, "abc", "lt_donthave at byte 0: 3 bytes, 4 expected (BEP 54)"),
  (.dontHave, "abcde", "lt_donthave at byte 0: 5 bytes, 4 expected (BEP 54)"),
  (.reads, "abcdefghijklmn", "sw_reads at byte 12: 14 bytes, 24 expected (docs/reads.md)"),
  (
    .reads, String(repeating: "x", count: 780),
    "sw_reads at byte 0: 780 bytes are too many (docs/reads.md)"
  ),
  (.uploadOnly, "", "upload_only at byte 0: 0 bytes, 1 expected (BEP 21)"),
  (.uploadOnly, "ab", "upload_only at byte 0: 2 bytes, 1 expected (BEP 21)"),
]

@Suite struct ExtensionTests {
  @Test(arguments: handshakes.indices)
  func readsHandshakes(row: Int) throws {
    let (text, fields, isCanonical) = handshakes[row]
    let read = try ExtensionHandshake(payload: Array(text.utf8).span.bytes)
    #expect(read == fields)
    #expect(try ExtensionHandshake(payload: read.encoded.span.bytes) == read)
    #expect((read.encoded == Array(text.utf8)) == isCanonical)
  }

  /// Every extension message of other programs is read, by the numbers that the script offered:
  /// 1 for `ut_pex`, 2 for `ut_metadata`.
  @Test func readsWhatOthersWrite() throws {
    var kinds: [UInt8: Int] = [:]
    for row in capturedPeerMessages {
      guard case .extended(let id, let count) = row.message else { continue }
      let payload = Array(try #require([UInt8](hex: row.hex)).dropFirst(6))
      #expect(payload.count == count)
      kinds[id, default: 0] += 1
      switch id {
      case 0:
        let handshake = try ExtensionHandshake(payload: payload.span.bytes)
        #expect(handshake.extensions[.metadata] != nil && handshake.metadataSize == 164)
      case 1:
        // aria2 has nothing to say; transmission has the script's own address.
        let pex = try PeerExchange(payload: payload.span.bytes)
        #expect(pex.added.map(\.endpoint.description) == (count == 2 ? [] : ["127.0.0.1:6881"]))
        #expect(pex.encoded == payload)
      default:
        let message = try MetadataMessage(payload: payload.span.bytes)
        if case .data(let piece, let totalSize, let range) = message {
          #expect(piece == 0 && totalSize == 164 && range.count == 164)
          #expect(
            SHA1Digest(hashing: payload[range]).hex == "05c61e8b8f56c62cae6d2bb744a455c0ea62a9bf")
          #expect(message.encoded == Array(payload[..<range.lowerBound]))
        } else {
          #expect(message == .reject(piece: 9))
        }
      }
    }
    #expect(kinds.keys.sorted() == [0, 1, 2] && (kinds[0] ?? 0) >= 4)
  }

  @Test(arguments: faults.indices)
  func saysWhatIsWrong(row: Int) throws {
    let (message, text, description) = faults[row]
    let error = #expect(throws: ExtensionError.self) { try read(Array(text.utf8), as: message) }
    #expect(error?.description == description)
  }

  @Test func metadataMessagesAreThoseOfBEP9() throws {
    let rows: [(MetadataMessage, String)] = [
      (.request(piece: 0), "d8:msg_typei0e5:piecei0ee"),
      (.reject(piece: 8191), "d8:msg_typei2e5:piecei8191ee"),
      (
        .data(piece: 1, totalSize: 16_387, range: 46..<49),
        "d8:msg_typei1e5:piecei1e10:total_sizei16387eexyz"
      ),
    ]
    for (message, text) in rows {
      let payload = Array(text.utf8)
      let read = try MetadataMessage(payload: payload.span.bytes)
      if case .data(let piece, let size, let range) = read {
        #expect(piece == 1 && size == 16_387 && Array(payload[range]) == Array("xyz".utf8))
      } else {
        #expect(read == message)
      }
      #expect(payload.starts(with: message.encoded))
    }
    let other = Array("d8:msg_typei3eesomething".utf8)
    #expect(try MetadataMessage(payload: other.span.bytes) == .unknown(type: 3))
  }

  @Test func exchangeKeepsFamiliesAndFlags() throws {
    let four = try #require(PeerEndpoint(compact: [192, 0, 2, 1, 0x1a, 0xe1]))
    let six = try #require(PeerEndpoint(compact: [UInt8](repeating: 0x20, count: 16) + [0, 80]))
    #expect(four.description == "192.0.2.1:6881")
    #expect(six.description == "[2020:2020:2020:2020:2020:2020:2020:2020]:80")
    var pex = PeerExchange()
    pex.added = [
      .init(endpoint: four, flags: [.utp, .reachable]),
      .init(endpoint: six, flags: PeerExchange.Flags(rawValue: 0x80)),
    ]
    pex.dropped = [four, six]
    var expected = Array("d5:added6:".utf8) + four.compact + Array("7:added.f1:".utf8) + [0x14]
    expected += Array("6:added618:".utf8) + six.compact + Array("8:added6.f1:".utf8) + [0x80]
    expected += Array("7:dropped6:".utf8) + four.compact
    expected += Array("8:dropped618:".utf8) + six.compact + Array("e".utf8)
    #expect(pex.encoded == expected)
    #expect(four.compact.hex == "c00002011ae1" && six.compact.suffix(3) == [0x20, 0, 80])
    #expect(try PeerExchange(payload: pex.encoded.span.bytes) == pex)
  }

  @Test func exchangeIsBounded() throws {
    var encoder = BencodeEncoder()
    encoder.beginDictionary()
    let peers: [UInt8] = (0..<300).flatMap { (number: Int) -> [UInt8] in
      [10, 0, UInt8(number / 256), UInt8(number % 256), 0, UInt8(number % 3)]
    }
    encoder.pair("added", peers)
    encoder.pair("added.f", [UInt8](repeating: 1, count: 299))
    encoder.pair("dropped", peers)
    encoder.end()
    let pex = try PeerExchange(payload: encoder.bytes.span.bytes)
    #expect(pex.added.count == 100 && pex.dropped.count == 100)
    #expect(pex.added.allSatisfy { $0.endpoint.port > 0 && $0.flags.isEmpty })
    #expect(pex.added.prefix(3).map(\.endpoint.port) == [1, 2, 1])
  }

  @Test func fixedMessages() throws {
    let bytes: [UInt8] = [1, 2, 3, 4]
    #expect(try DontHaveMessage(payload: bytes.span.bytes) == DontHaveMessage(piece: 0x0102_0304))
    #expect(DontHaveMessage(piece: 0x0102_0304).encoded == bytes)
    for (byte, flag) in [(0, false), (1, true), (255, true)] as [(UInt8, Bool)] {
      #expect(try UploadOnlyMessage(payload: [byte].span.bytes).isUploadOnly == flag)
    }
    #expect(UploadOnlyMessage(isUploadOnly: true).encoded == [1])
    #expect(UploadOnlyMessage(isUploadOnly: false).encoded == [0])
  }

  @Test func runsOfReads() throws {
    let bytes: [UInt8] = [
      0, 0, 1, 2, 0, 0, 0x40, 0, 0, 0, 0x80, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1,
    ]
    let message = ReadingMessage(runs: [
      BlockRequest(piece: 258, begin: 16_384, length: 32_768),
      BlockRequest(piece: .max, begin: 0, length: 1),
    ])
    #expect(try ReadingMessage(payload: bytes.span.bytes) == message)
    #expect(message.encoded == bytes)
    #expect(try ReadingMessage(payload: [UInt8]().span.bytes).runs.isEmpty)
    let most = [UInt8](repeating: 7, count: 12 * WireLimits.readRuns)
    #expect(try ReadingMessage(payload: most.span.bytes).runs.count == WireLimits.readRuns)
  }

  @Test func namesAreCut() throws {
    let handshake = made { $0.client = [UInt8](repeating: 0x61, count: 500) }
    let read = try ExtensionHandshake(payload: handshake.encoded.span.bytes)
    #expect(read.client == [UInt8](repeating: 0x61, count: 128))
  }

  @Test(arguments: UInt64(0)..<40)
  func damageNeverStopsTheProcess(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let samples: [PeerExtension?: [UInt8]] = [
      nil: Array(handshakes[0].text.utf8), .metadata: Array("d8:msg_typei1e5:piecei1ee".utf8),
      .pex: Array("d5:added6:abcdef7:added.f1:x6:added618:abcdefghijklmnopqre".utf8),
    ]
    for (message, sample) in samples {
      for _ in 0..<50 {
        var bytes = sample
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
        bytes.removeLast(Int.random(in: 0...2, using: &random))
        do {
          try read(bytes, as: message)
        } catch let error as ExtensionError {
          #expect((0...bytes.count).contains(error.offset), "seed \(seed)")
        }
      }
    }
  }

  private func read(_ payload: [UInt8], as message: PeerExtension?) throws {
    switch message {
    case nil: _ = try ExtensionHandshake(payload: payload.span.bytes)
    case .metadata: _ = try MetadataMessage(payload: payload.span.bytes)
    case .pex: _ = try PeerExchange(payload: payload.span.bytes)
    case .dontHave: _ = try DontHaveMessage(payload: payload.span.bytes)
    case .uploadOnly: _ = try UploadOnlyMessage(payload: payload.span.bytes)
    case .head: _ = try HeadMessage(payload: payload.span.bytes)
    case .reads: _ = try ReadingMessage(payload: payload.span.bytes)
    case .zstd: _ = try? CompressedBlock(payload: payload.span.bytes)
    }
  }
}
