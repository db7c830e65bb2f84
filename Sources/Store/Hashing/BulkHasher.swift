import CHash
import Metainfo

/// Which library hashes in bulk.
public enum HashEngine: String, Sendable, CaseIterable {
  /// libcrypto, one message at a time: everywhere.
  case portable
  /// libipsec-mb, up to 16 messages at a time: x86-64 with AVX2 or better.
  case multiBuffer = "multi-buffer"

  /// Whether this build and this CPU have it.
  public var isAvailable: Bool { chash_engine_available(raw) }

  /// The fastest one that this CPU has.
  public static let best: HashEngine = multiBuffer.isAvailable ? .multiBuffer : .portable

  var raw: chash_engine { self == .portable ? CHASH_PORTABLE : CHASH_MULTI_BUFFER }
}

/// Hashes many messages of one length at once. Belongs to one thread at a time.
///
/// A pure function in a box: the box holds the lanes of the multi-buffer engine, nothing of what
/// was hashed.
public final class BulkHasher {
  /// The engine in use.
  public let engine: HashEngine
  /// The C context, for code that hashes under a guard in C.
  public let context: OpaquePointer

  /// A hasher with `engine`, or with the portable one when the CPU lacks it.
  public init(engine: HashEngine = .best) {
    if let context = chash_create(engine.raw) {
      self.engine = engine
      self.context = context
    } else {
      guard let context = chash_create(CHASH_PORTABLE) else {
        preconditionFailure("out of memory for a hash context")
      }
      self.engine = .portable
      self.context = context
    }
  }

  deinit { chash_destroy(context) }

  /// SHA-256 of `digests.count` messages of `length` bytes, message i at `i * stride` in `bytes`.
  ///
  /// Precondition: the last message ends within `bytes`.
  public func sha256(
    of bytes: UnsafeRawBufferPointer, stride: Int, length: Int,
    into digests: UnsafeMutableBufferPointer<SHA256Digest>
  ) {
    guard !digests.isEmpty else { return }
    precondition((digests.count - 1) * stride + length <= bytes.count)
    chash_strided(
      context, CHASH_SHA256, bytes.baseAddress, stride, length, digests.count, digests.baseAddress)
  }

  /// SHA-1 of `digests.count` messages of `length` bytes, message i at `i * stride` in `bytes`.
  ///
  /// Precondition: the last message ends within `bytes`.
  public func sha1(
    of bytes: UnsafeRawBufferPointer, stride: Int, length: Int,
    into digests: UnsafeMutableBufferPointer<SHA1Digest>
  ) {
    guard !digests.isEmpty else { return }
    precondition((digests.count - 1) * stride + length <= bytes.count)
    chash_strided(
      context, CHASH_SHA1, bytes.baseAddress, stride, length, digests.count, digests.baseAddress)
  }

  /// The layer above `layer`: the parents of its pairs. BEP 52.
  ///
  /// Precondition: `layer.count` is even.
  public func parents(of layer: [SHA256Digest]) -> [SHA256Digest] {
    precondition(layer.count.isMultiple(of: 2))
    return [SHA256Digest](unsafeUninitializedCapacity: layer.count / 2) { output, count in
      count = layer.count / 2
      let digests = UnsafeMutableBufferPointer(rebasing: output[..<count])
      layer.withUnsafeBytes { sha256(of: $0, stride: 64, length: 64, into: digests) }
    }
  }
}
