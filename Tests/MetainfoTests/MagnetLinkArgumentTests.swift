import Metainfo
import Testing

private let v1Hex = "000102030405060708090a0b0c0d0e0f10111213"
private let v2Hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

@Suite struct MagnetLinkArgumentTests {
  @Test func takesEveryFormOfLink() throws {
    let key = DatasetKey(hex: v2Hex)
    #expect(key?.hex == v2Hex)
    #expect(try parse("magnet:?xt=urn:btih:\(v1Hex)") == link(MagnetLink(v1Infohash: v1)))
    #expect(try parse("urn:btih:\(v1Hex)") == link(MagnetLink(v1Infohash: v1)))
    #expect(try parse("URN:BTMH:1220\(v2Hex)") == link(MagnetLink(v2Infohash: v2)))
    #expect(try parse("urn:btpk:\(v2Hex)") == link(MagnetLink(datasetKey: key)))
    #expect(try parse(v2Hex) == link(MagnetLink(datasetKey: key)))
    #expect(try parse(v2Hex.uppercased()) == link(MagnetLink(datasetKey: key)))
  }

  @Test(arguments: [
    "a.torrent", "", "./\(v2Hex)", "magnet", "urn", "0011", "dir/xt=urn", "C:\\x", "🧲.torrent",
    "\(v2Hex).torrent", "http://x/y.torrent",
  ])
  func takesTheRestForPaths(text: String) throws {
    #expect(try parse(text) == .path(Array(text.utf8)))
  }

  @Test func pathsAreBytes() throws {
    #expect(try LinkArgument(parsing: [0xff, 0xfe]) == .path([0xff, 0xfe]))
  }

  @Test(arguments: [
    "magnet:", "magnet:xt=urn:btih:\(v1Hex)", "Magnet:?xt=urn:btih:\(v1Hex.dropLast())",
    "magent:?xt=urn:btih:\(v1Hex)", "magnet?xs=urn:btpk:\(v2Hex)", "?XT=URN:btih:\(v1Hex)",
    "urn:btih:\(v1Hex)0", "urn:bith:\(v1Hex)", "urn:", "urn:btmh:\(v2Hex)", "urn:btpk:\(v1Hex)",
    " magnet:?xt=urn:btih:\(v1Hex)", "\(v2Hex.dropLast())", "\(v2Hex)0", v1Hex,
  ])
  func neverTakesAMistypedLinkForAPath(text: String) {
    #expect(throws: MagnetError.self) { try parse(text) }
  }

  private let v1 = SHA1Digest(UInt8(0)..<20)
  private let v2 = SHA256Digest(UInt8(0)..<32)
  private func link(_ link: MagnetLink) -> LinkArgument { .link(link) }
  private func parse(_ text: String) throws -> LinkArgument { try LinkArgument(parsing: text.utf8) }
}
