import Metainfo
import Testing

private let v1Hex = "000102030405060708090a0b0c0d0e0f10111213"
private let v2Hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
private let start = "magnet:?xt=urn:btih:\(v1Hex)&"

/// Bad links and the whole message.
private let rows: [(uri: String, message: String)] = [
  ("", "link: a magnet link begins with \"magnet:?\" (BEP 9)"),
  ("magnet:xt=urn:btih:\(v1Hex)", "link: a magnet link begins with \"magnet:?\" (BEP 9)"),
  (
    "magnet:?dn=x",
    "link: nothing is named: xt=urn:btih:, xt=urn:btmh: or xs=urn:btpk: expected (BEP 9, 52, 46)"
  ),
  (
    "magnet:?xt=urn:btih:\(v1Hex.dropLast())",
    "xt at byte 8: 39 digits, 40 hexadecimal or 32 base32 digits expected (BEP 9)"
  ),
  (
    "magnet:?dn=x&xt=urn:btih:",
    "xt at byte 13: 0 digits, 40 hexadecimal or 32 base32 digits expected (BEP 9)"
  ),
  // libtorrent 2.0.8 takes this for forty zeros.
  (
    "magnet:?xt=urn:btih:g\(v1Hex.dropLast())", "xt at byte 8: 'g' is not a hexadecimal digit"
  ),
  (
    "magnet:?xt=urn:btih:%00\(v1Hex.dropLast())",
    "xt at byte 8: byte 0x00 is not a hexadecimal digit"
  ),
  (
    "magnet:?xt=urn:btih:MFRGCYTBMJQWEYLCMFRGCYTBMJQWEYL1",
    "xt at byte 8: '1' is not a base32 digit (RFC 4648)"
  ),
  (
    "magnet:?xt=urn:btmh:1120\(v2Hex)",
    "xt at byte 8: the multihash does not begin with 1220, SHA-256 (BEP 52)"
  ),
  (
    "magnet:?xt=urn:btmh:1220\(v2Hex)0",
    "xt at byte 8: 65 hex digits after 1220, 64 expected (BEP 52)"
  ),
  (
    "magnet:?xt=urn:btmh:1220\(v2Hex.dropLast())\u{7f}",
    "xt at byte 8: byte 0x7f is not a hexadecimal digit"
  ),
  (
    "magnet:?xt=urn:btpk:\(v2Hex)",
    "xt at byte 8: a dataset key belongs in xs, not in xt (BEP 46)"
  ),
  ("magnet:?xs=urn:btpk:00", "xs at byte 8: 2 hex digits, 64 expected (BEP 46)"),
  (
    start + "xt=urn:btih:\(String(v1Hex.reversed()))",
    "xt at byte 61: the link already has a different one"
  ),
  (start + "s=123", "s at byte 61: 3 hex digits, an even number up to 128 expected (BEP 44)"),
  (
    start + "s=" + String(repeating: "00", count: 65),
    "s at byte 61: 130 hex digits, an even number up to 128 expected (BEP 44)"
  ),
  (start + "s=0x", "s at byte 61: 'x' is not a hexadecimal digit"),
  (start + "s=00&s=01", "s at byte 66: the link already has a different one"),
  (start + "dn=50%", "dn at byte 66: \"%\" without two hexadecimal digits (RFC 3986)"),
  (start + "dn=50%2&x", "dn at byte 66: \"%\" without two hexadecimal digits (RFC 3986)"),
  (start + "dn=50%2g", "dn at byte 66: \"%\" without two hexadecimal digits (RFC 3986)"),
  (start + "tr=%ff", "tr at byte 61: not UTF-8"),
  (start + "xl=-1", "xl at byte 61: not a number of bytes"),
  (start + "xl=18446744073709551616", "xl at byte 61: not a number of bytes"),
  (start + "so=1,2-", "so at byte 61: item 2 is not a file number or an ascending range (BEP 53)"),
  (start + "so=1,,2", "so at byte 61: item 2 is not a file number or an ascending range (BEP 53)"),
  (start + "so=-1", "so at byte 61: item 1 is not a file number or an ascending range (BEP 53)"),
  (start + "so=4-2", "so at byte 61: item 1 is not a file number or an ascending range (BEP 53)"),
  (start + "so=1-2-3", "so at byte 61: item 1 is not a file number or an ascending range (BEP 53)"),
  (
    start + "so=4294967296",
    "so at byte 61: item 1 is not a file number or an ascending range (BEP 53)"
  ),
  (start + "x.pe=h", "x.pe at byte 61: the port is missing, host:port expected (BEP 9)"),
]

@Suite struct MagnetErrorTests {
  @Test(arguments: rows.indices)
  func saysWhereAndWhy(row: Int) {
    let (uri, message) = rows[row]
    #expect(message == describe { () throws(MagnetError) in _ = try MagnetLink(parsing: uri.utf8) })
  }

  @Test func everyTruncationIsAnErrorOrAShorterLink() throws {
    let whole = Array(
      (start + "dn=a%20b&tr=http%3A%2F%2Ft%2F&x.pe=[::1]:80&so=0-12&xl=99").utf8)
    var errors = 0
    for count in whole.indices {
      do {
        #expect(try MagnetLink(parsing: whole[..<count]).v1Infohash != nil)
      } catch {
        errors += 1
        #expect(error.offset <= count)
      }
    }
    // All within the infohash, in the middle of escapes, of the address, and of the range.
    #expect(errors > 60)
  }

  @Test func boundsAreKept() throws {
    let most = start + String(repeating: "a&", count: MagnetLimits.parameters - 1)
    #expect(try MagnetLink(parsing: most.utf8).v1Infohash != nil)
    #expect(
      describe { () throws(MagnetError) in _ = try MagnetLink(parsing: (most + "a").utf8) }
        == "link at byte \(most.utf8.count): more than 1024 parameters")
    let long = start + "dn=" + String(repeating: "a", count: MagnetLimits.uriBytes - 64)
    #expect(try MagnetLink(parsing: long.utf8).name.count == MagnetLimits.uriBytes - 64)
    #expect(
      describe { () throws(MagnetError) in _ = try MagnetLink(parsing: (long + "a").utf8) }
        == "link: 131073 bytes, more than 131072")
  }

  @Test func neverRepeatsASecret() {
    for rest in [
      "x.rk=secret", "x.rk=%secret", "x.zz=secret&xl=secret", "x.zz=%secret&so=secret",
      "x.zz=secret&x.pe=secret",
    ] {
      let message = describe { () throws(MagnetError) in
        _ = try MagnetLink(parsing: (start + rest).utf8)
      }
      #expect(message != nil)
      #expect(message?.contains("secret") == false)
    }
  }
}

private func describe(_ body: () throws(MagnetError) -> Void) -> String? {
  do {
    try body()
    return nil
  } catch {
    return error.description
  }
}
