import Metainfo
import TestSupport
import Testing

@Suite struct PrintableTests {
  static let rows: [(bytes: [UInt8], text: String)] = [
    ([], ""),
    (Array("a b~".utf8), "a b~"),
    (Array("a\\b".utf8), "a\\\\b"),
    ([0, 0x1b, 0x7f, 0x0a], "\\x00\\x1b\\x7f\\x0a"),
    (Array("é€😀\u{fffd}".utf8), "é€😀\u{fffd}"),
    // C1 controls, and marks that turn the direction of writing.
    (Array("\u{85}\u{202e}".utf8), "\\xc2\\x85\\xe2\\x80\\xae"),
    // Overlong, surrogates, beyond Unicode, cut short, stray.
    ([0xc0, 0xaf], "\\xc0\\xaf"),
    ([0xe0, 0x80, 0xaf], "\\xe0\\x80\\xaf"),
    ([0xf0, 0x80, 0x80, 0xaf], "\\xf0\\x80\\x80\\xaf"),
    ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"),
    ([0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"),
    ([0xe2, 0x82], "\\xe2\\x82"),
    ([0xe2, 0x82, 0x41], "\\xe2\\x82A"),
    ([0xff, 0xc3, 0xa9, 0x80], "\\xffé\\x80"),
  ]

  @Test(arguments: rows.indices)
  func shows(index: Int) {
    #expect(Array(printable(Self.rows[index].bytes).utf8) == Array(Self.rows[index].text.utf8))
  }

  /// Against the standard library: what it holds to be UTF-8 is shown as it is, less controls.
  @Test func agreesOnUTF8() {
    for lead in UInt8.min...UInt8.max {
      for second in [0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff] as [UInt8] {
        for rest in [[], [0x80], [0xbf], [0x80, 0x80], [0xbf, 0xbf], [0x41, 0x80]] as [[UInt8]] {
          let bytes = [lead, second] + rest
          let isText =
            String(validating: bytes, as: UTF8.self)?.unicodeScalars.allSatisfy {
              let category = $0.properties.generalCategory
              return category != .control && category != .format && $0 != "\\"
            } ?? false
          #expect(Array(printable(bytes).utf8).elementsEqual(bytes) == isText, "\(bytes)")
        }
      }
    }
  }

  /// A comment of a torrent can be as long as the torrent.
  @Test func aMillionBytes() {
    var generator = SplitMix64(seed: 1)
    let bytes = (0..<1_000_000).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    #expect(printable(bytes).utf8.count > 2_000_000)
  }
}
