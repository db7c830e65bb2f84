import Metainfo
import TestSupport
import Testing

@testable import Wire

/// `sw_head`, our own extension: the vectors are items of BEP 44's text.
@Suite struct HeadMessageTests {
  static let key = DatasetKey(
    hex: "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548")!
  static let signature = [UInt8](
    hex: "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d"
      + "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08")!

  /// BEP 44, test 2, as a message.
  static var vector: [UInt8] {
    Array("d1:k32:".utf8) + key.bytes + Array("4:salt6:foobar3:seqi1e3:sig64:".utf8)
      + signature + Array("1:v12:Hello World!e".utf8)
  }

  private func read(_ bytes: [UInt8]) throws -> HeadMessage {
    try HeadMessage(payload: bytes.span.bytes)
  }

  @Test func bringsAnItem() throws {
    let message = try read(Self.vector)
    let item = try message.item
    #expect(item.key == Self.key && item.salt == Array("foobar".utf8) && item.sequence == 1)
    #expect(item.value == Array("12:Hello World!".utf8))
    #expect(HeadMessage(item) == message)
    #expect(message.encoded == Self.vector)
  }

  @Test func withoutSaltTheKeyIsLeftOut() throws {
    let secret = try #require(DatasetSecret(seed: [UInt8](repeating: 1, count: 32)))
    let item = try MutableItem(signedBy: secret, sequence: .max, value: Array("de".utf8))
    let bytes = HeadMessage(item).encoded
    #expect(!String(decoding: bytes, as: Unicode.ASCII.self).contains("salt"))
    #expect(try read(bytes).item == item)
  }

  /// Each part counts: what is changed is read, and is not the owner's.
  @Test func forgeriesAreRead() throws {
    for (from, to) in [("i1e", "i2e"), ("World!", "World?"), ("foobar", "foobaz")] {
      let bytes = Self.vector.replacing(Array(from.utf8), with: Array(to.utf8))
      let message = try read(bytes)
      #expect(throws: ItemError.wrongSignature) { try message.item }
    }
  }

  @Test func theLargestItemFits() throws {
    let secret = try #require(DatasetSecret(seed: [UInt8](repeating: 1, count: 32)))
    let item = try MutableItem(
      signedBy: secret, salt: [UInt8](repeating: 9, count: 64), sequence: .max,
      value: Array("996:".utf8) + [UInt8](repeating: 0, count: 996))
    let bytes = HeadMessage(item).encoded
    #expect(bytes.count <= WireLimits.headBytes)
    #expect(try read(bytes).item == item)
  }

  @Test func saysWhatIsWrong() throws {
    let k = Array("1:k32:".utf8) + Self.key.bytes
    let sig = Array("3:sig64:".utf8) + Self.signature
    let rows: [([UInt8], String)] = [
      ([], "sw_head at byte 0: the data ends in the middle of a value (BEP 44)"),
      (Array("i3e".utf8), "sw_head at byte 0: the payload is no dictionary (BEP 44)"),
      (Array("de".utf8), "sw_head at byte 0: \"k\" is missing (BEP 44)"),
      (Array("d1:ki3ee".utf8), "sw_head at byte 4: \"k\" is no string (BEP 44)"),
      (Array("d1:k2:abe".utf8), "sw_head at byte 4: 2 bytes, 32 expected (BEP 44)"),
      (Array("d".utf8) + k + Array("e".utf8), "sw_head at byte 0: \"seq\" is missing (BEP 44)"),
      (
        Array("d".utf8) + k + Array("3:seqi-1ee".utf8),
        "sw_head at byte 44: \"seq\" is -1 (BEP 44)"
      ),
      (
        Array("d".utf8) + k + Array("3:seqi1ee".utf8),
        "sw_head at byte 0: \"sig\" is missing (BEP 44)"
      ),
      (
        Array("d".utf8) + k + Array("3:seqi1e".utf8) + sig + Array("e".utf8),
        "sw_head at byte 0: \"v\" is missing (BEP 44)"
      ),
      (
        Array("d".utf8) + k + Array("4:salt65:".utf8) + [UInt8](repeating: 0, count: 65)
          + Array("3:seqi1e".utf8) + sig + Array("1:v0:e".utf8),
        "sw_head at byte 45: \"salt\" has 65 bytes, which are too many (BEP 44)"
      ),
      (
        Array("d".utf8) + k + Array("3:seqi1e".utf8) + sig + Array("1:v997:".utf8)
          + [UInt8](repeating: 0, count: 997) + Array("e".utf8),
        "sw_head at byte 122: \"v\" has 1001 bytes, which are too many (BEP 44)"
      ),
      (
        Self.vector + Array("x".utf8),
        "sw_head at byte \(Self.vector.count): there is more behind the end (BEP 44)"
      ),
      (
        [UInt8](repeating: 0x6c, count: 1_301),
        "sw_head at byte 0: 1301 bytes are too many (BEP 44)"
      ),
    ]
    for (bytes, description) in rows {
      let error = #expect(throws: ExtensionError.self) { try read(bytes) }
      #expect(error?.description == description)
    }
  }

  @Test(arguments: UInt64(0)..<10)
  func damageIsAnErrorOrNoItem(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for _ in 0..<50 {
      var bytes = Self.vector
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let byte = UInt8.random(in: 0...255, using: &random)
      if bytes[place] == byte { continue }
      bytes[place] = byte
      do {
        let message = try read(bytes)
        #expect(throws: ItemError.self, "seed \(seed)") { try message.item }
      } catch let error as ExtensionError {
        #expect((0...bytes.count).contains(error.offset), "seed \(seed)")
      }
    }
  }
}
