import Metainfo
import Testing

@testable import Store

@Suite struct BulkHasherTests {
  @Test(arguments: [1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 128])
  func enginesAgree(count: Int) {
    var generator = SystemRandomNumberGenerator()
    for length in [0, 1, 55, 56, 63, 64, 65, 119, 128, 1000, 16_384] {
      let stride = length + 3
      let bytes = (0..<(count * stride)).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let one = digests(bytes, stride: stride, length: length, count: count, engine: .portable)
      let many = digests(bytes, stride: stride, length: length, count: count, engine: .best)
      #expect(one.0 == many.0)
      #expect(one.1 == many.1)
      for index in 0..<count {
        let message = bytes[(index * stride)..<(index * stride + length)]
        #expect(one.0[index] == SHA256Digest(hashing: message))
        #expect(one.1[index] == SHA1Digest(hashing: message))
      }
    }
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
