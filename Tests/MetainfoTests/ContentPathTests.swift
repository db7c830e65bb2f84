import TestSupport
import Testing

@testable import Metainfo

@Suite struct ContentPathTests {
  /// Paths of up to three names, many of which start alike.
  private static func paths(count: Int) -> [ContentPath] {
    var generator = SplitMix64(seed: 11)
    // Bytes that sort before and behind "/".
    let alphabet: [UInt8] = [0x01, 0x2d, 0x2e, 0x30, 0x61, 0xff]
    return (0..<count).map { _ in
      let names = (0...Int.random(in: 0...2, using: &generator)).map { _ in
        [0x61]
          + (0..<Int.random(in: 0...2, using: &generator)).map { _ in
            alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
          }
      }
      return (try? ContentPath(names.map { try PathElement($0) }))!
    }
  }

  @Test func sortsByElements() {
    let paths = Self.paths(count: 150)
    for a in paths {
      for b in paths {
        let (left, right) = (a.elements, b.elements)
        #expect((a < b) == left.lexicographicallyPrecedes(right), "\(a), \(b)")
        #expect((a == b) == (left == right), "\(a), \(b)")
        #expect(a.starts(with: b.bytes) == left.starts(with: right), "\(a), \(b)")
      }
    }
  }

  @Test func keepsElements() throws {
    for path in Self.paths(count: 50) {
      #expect(try ContentPath(path.elements) == path)
      #expect(
        path.bytes == Array(path.elements.map(\.bytes).joined(separator: [0x2f])))
      #expect(
        Array(path.folder)
          == Array(path.elements.dropLast().map(\.bytes).joined(separator: [0x2f])))
      #expect(path.starts(with: []))
    }
    #expect(throws: ContentPathError.empty) { try ContentPath([]) }
  }
}
