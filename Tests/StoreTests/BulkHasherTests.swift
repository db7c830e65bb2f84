import Metainfo
import TestSupport
import Testing

@testable import Store

@Suite struct BulkHasherTests {
  /// Lengths on both sides of where one or two SHA blocks end and where an engine may change.
  private static let lengths = [
    0, 1, 55, 56, 63, 64, 65, 119, 127, 128, 129, 1001, 16_383, 16_384, 16_385,
  ]

  /// Every count, because the lanes of several engines divide it: pairs, eights, sixteens, rests.
  @Test(arguments: Array(1...40) + [128])
  func enginesAgree(count: Int) {
    var generator = SplitMix64(seed: UInt64(count))
    let pool = words(20_000, &generator)
    for length in Self.lengths {
      // A pool of random bytes under a stride that repeats no message: filling them all is slow.
      let stride = length < 1001 ? length + 3 : 101
      let bytes = Array(pool[0..<((count - 1) * stride + length)])
      let one = digests(bytes, stride: stride, length: length, count: count, engine: .portable)
      let many = digests(bytes, stride: stride, length: length, count: count, engine: .best)
      #expect(one.0 == many.0, "\(length) bytes")
      #expect(one.1 == many.1, "\(length) bytes")
      for index in 0..<count {
        let message = bytes[(index * stride)..<(index * stride + length)]
        #expect(one.0[index] == SHA256Digest(hashing: message))
        #expect(one.1[index] == SHA1Digest(hashing: message))
      }
    }
  }

  @Test(arguments: Array(1...40))
  func scatteredMessagesOfAnyLength(count: Int) {
    var generator = SplitMix64(seed: UInt64(count))
    let pool = words(4_096, &generator)
    let ranges = (0..<count).map { _ in
      let start = Int.random(in: 0..<16_000, using: &generator)
      let length = generator.oneIn(4) ? 0 : Int.random(in: 0...16_384, using: &generator)
      return start..<(start + length)
    }
    for engine in HashEngine.allCases where engine.isAvailable {
      var digests = [SHA256Digest](repeating: .zero, count: count)
      pool.withUnsafeBytes { pool in
        digests.withUnsafeMutableBufferPointer {
          BulkHasher(engine: engine).sha256(into: $0) {
            UnsafeRawBufferPointer(rebasing: pool[ranges[$0]])
          }
        }
      }
      #expect(digests == ranges.map { SHA256Digest(hashing: pool[$0]) }, "\(engine)")
    }
  }

  private func words(_ count: Int, _ generator: inout SplitMix64) -> [UInt8] {
    let words = (0..<count).map { _ in generator.next() }
    return words.withUnsafeBytes { Array($0) }
  }

  private func digests(
    _ bytes: [UInt8], stride: Int, length: Int, count: Int, engine: HashEngine
  ) -> ([SHA256Digest], [SHA1Digest]) {
    let hasher = BulkHasher(engine: engine)
    var sha256 = [SHA256Digest](repeating: .zero, count: count)
    var sha1 = [SHA1Digest](repeating: SHA1Digest([UInt8](repeating: 0, count: 20))!, count: count)
    bytes.withUnsafeBytes { bytes in
      sha256.withUnsafeMutableBufferPointer {
        hasher.sha256(of: bytes, stride: stride, length: length, into: $0)
      }
      sha1.withUnsafeMutableBufferPointer {
        hasher.sha1(of: bytes, stride: stride, length: length, into: $0)
      }
    }
    return (sha256, sha1)
  }
}
