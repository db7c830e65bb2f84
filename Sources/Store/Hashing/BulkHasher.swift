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
  private let context: OpaquePointer
  private let perform: Perform

  /// Calls a C function with its argument; false when it was cut short. The node passes one that
  /// survives the loss of a mapped page; the default just calls.
  public typealias Perform = (
    _ function: @convention(c) (UnsafeMutableRawPointer?) -> Void,
    _ argument: UnsafeMutableRawPointer
  ) -> Bool

  /// A hasher with `engine`, or with the portable one when the CPU lacks it.
  public init(
    engine: HashEngine = .best,
    perform: @escaping Perform = {
      $0($1); return true
    }
  ) {
    self.perform = perform
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

  /// SHA-256 of `digests.count` messages of any lengths, wherever they lie: `message(i)` is the i-th.
  public func sha256(
    into digests: UnsafeMutableBufferPointer<SHA256Digest>,
    message: (Int) -> UnsafeRawBufferPointer
  ) {
    withUnsafeTemporaryAllocation(of: chash_message.self, capacity: digests.count) { messages in
      for index in digests.indices {
        let bytes = message(index)
        messages.initializeElement(
          at: index, to: chash_message(bytes: bytes.baseAddress, length: bytes.count))
      }
      chash_scattered(
        context, CHASH_SHA256, messages.baseAddress, digests.count, digests.baseAddress)
    }
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

  /// SHA-256 of the blocks that fill `bytes`, the last perhaps short, into `digests`. False when
  /// `perform` was cut short: the digests are then unknown.
  ///
  /// Precondition: `digests` has room for all of them.
  public func sha256(
    ofBlocksIn bytes: UnsafeRawBufferPointer, into digests: UnsafeMutableBufferPointer<SHA256Digest>
  ) -> Bool {
    precondition((bytes.count + blockLength - 1) / blockLength <= digests.count)
    return run(CHASH_SHA256, bytes, messageLength: blockLength, into: digests.baseAddress)
  }

  /// SHA-1 of the pieces that fill `bytes`, the last perhaps short, into `digests`. False when
  /// `perform` was cut short: the digests are then unknown.
  ///
  /// Precondition: `digests` has room for all of them.
  public func sha1(
    ofPiecesIn bytes: UnsafeRawBufferPointer, pieceLength: Int,
    into digests: UnsafeMutableBufferPointer<SHA1Digest>
  ) -> Bool {
    precondition((bytes.count + pieceLength - 1) / pieceLength <= digests.count)
    return run(CHASH_SHA1, bytes, messageLength: pieceLength, into: digests.baseAddress)
  }

  private func run(
    _ algorithm: chash_algorithm, _ bytes: UnsafeRawBufferPointer, messageLength: Int,
    into digests: UnsafeMutableRawPointer?
  ) -> Bool {
    guard !bytes.isEmpty else { return true }
    var run = chash_run(
      context: context, algorithm: algorithm, bytes: bytes.baseAddress, byte_count: bytes.count,
      message_length: messageLength, digests: digests)
    let finished = withUnsafeMutablePointer(to: &run) {
      perform(chash_run_perform, UnsafeMutableRawPointer($0))
    }
    if !finished { chash_reset(context) }
    return finished
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
