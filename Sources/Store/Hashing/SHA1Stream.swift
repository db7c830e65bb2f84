import CHash
import Metainfo

/// SHA-1 of bytes that come in parts: v1 pieces that do not fit in memory at once. BEP 3.
///
/// Belongs to one thread at a time: whoever hands it over does not touch it until it comes back.
public final class SHA1Stream: @unchecked Sendable {
  private let context: OpaquePointer
  private var isFinished = false

  /// The hash of nothing yet.
  public init() {
    guard let context = chash_sha1_stream_create() else {
      preconditionFailure("out of memory for a hash stream")
    }
    self.context = context
  }

  deinit { chash_sha1_stream_destroy(context) }

  /// Takes the next bytes. Precondition: not finished.
  public func update(_ bytes: UnsafeRawBufferPointer) {
    precondition(!isFinished)
    chash_sha1_stream_update(context, bytes.baseAddress, bytes.count)
  }

  /// Takes so many zeros. Precondition: not finished.
  public func update(zeros count: Int) {
    let zeros = [UInt8](repeating: 0, count: min(count, blockLength))
    var rest = count
    while rest > 0 {
      zeros.withUnsafeBytes { update(UnsafeRawBufferPointer(rebasing: $0.prefix(rest))) }
      rest -= min(rest, zeros.count)
    }
  }

  /// The hash of all that was taken. Precondition: not finished.
  public func finish() -> SHA1Digest {
    precondition(!isFinished)
    isFinished = true
    var digest = [UInt8](repeating: 0, count: SHA1Digest.byteCount)
    chash_sha1_stream_finish(context, &digest)
    guard let result = SHA1Digest(digest) else { preconditionFailure("20 bytes are a digest") }
    return result
  }
}
