import Metainfo
import TestSupport
import Testing

private let digits = "f0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff"
private let key = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"

@Suite struct ReadKeyTests {
  @Test func linkCarriesReadKey() throws {
    let uri = "magnet:?xs=urn:btpk:\(key)&x.rk=\(digits)&dn=records"
    let link = try MagnetLink(parsing: uri.utf8)
    #expect(link.readKey == ReadKey(hex: digits))
    #expect(link.secretURI == uri)
    #expect(try MagnetLink(parsing: link.secretURI.utf8) == link)
    let upper = "magnet:?X.RK=\(digits.uppercased())&xs=urn:btpk:\(key)&x.rk=\(digits)"
    #expect(try MagnetLink(parsing: upper.utf8).readKey == link.readKey)
    guard case .link(let argument) = try LinkArgument(parsing: uri.utf8) else {
      Issue.record("no link")
      return
    }
    #expect(argument == link)
  }

  /// Whatever shows a link by chance shows the read key in none of its forms.
  @Test func readKeyIsNotShown() throws {
    let link = MagnetLink(datasetKey: DatasetKey(hex: key), readKey: ReadKey(hex: digits))
    var dumped = ""
    dump(link, to: &dumped)
    dump(try #require(link.readKey), to: &dumped)
    let shown = [
      link.uri, "\(link)", String(reflecting: link), String(describing: link.readKey), dumped,
    ]
    for text in shown {
      #expect(!text.contains(digits.prefix(8)) && !text.contains("240, 225"), "\(text)")
    }
    #expect(link.secretURI.contains(digits))
    #expect(MagnetLink(datasetKey: DatasetKey(hex: key)).secretURI == "magnet:?xs=urn:btpk:\(key)")
  }

  @Test(arguments: [
    (String(digits.dropLast()), MagnetError.Reason.readKeyLength(63)),
    (digits + "00", .readKeyLength(66)), ("zz" + digits.dropFirst(2), .readKeyDigits),
    ("%ff%ff" + digits.dropFirst(2), .readKeyDigits), ("a", .readKeyLength(1)),
  ])
  func badReadKeyIsRefusedWithoutBeingTold(text: String, reason: MagnetError.Reason) {
    let uri = "magnet:?xs=urn:btpk:\(key)&x.rk=\(text)"
    let error = #expect(throws: MagnetError.self) { try MagnetLink(parsing: uri.utf8) }
    #expect(error?.parameter == .readKey && error?.reason == reason)
    #expect(error.map { "\($0)".contains(digits.suffix(8)) } == false)
  }

  @Test func twoReadKeysAreAmbiguous() {
    let other = String(digits.reversed())
    let uri = "magnet:?xs=urn:btpk:\(key)&x.rk=\(digits)&x.rk=\(other)"
    let error = #expect(throws: MagnetError.self) { try MagnetLink(parsing: uri.utf8) }
    #expect(error?.reason == .ambiguous)
  }

  /// A read key opens something; it names nothing.
  @Test func readKeyAloneIsNoLink() {
    let error = #expect(throws: MagnetError.self) {
      try MagnetLink(parsing: "magnet:?x.rk=\(digits)".utf8)
    }
    #expect(error?.reason == .namesNothing)
  }

  @Test func keysAreMadeByTheGeneratorPassedIn() {
    var random = SplitMix64(seed: 1)
    var again = SplitMix64(seed: 1)
    let first = ReadKey(using: &random)
    #expect(first == ReadKey(using: &again) && first != ReadKey(using: &random))
    #expect(first.hex.utf8.count == 64 && ReadKey([1, 2]) == nil && ReadKey(hex: "12") == nil)
  }
}
