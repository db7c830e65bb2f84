import CSodium

/// Bytes that nobody but their user should see: held once, however often the value is copied, and wiped
/// when the last copy is gone. What prints it prints its length.
///
/// Swift may have made copies of what it was made from; those are the maker's.
public final class SecretBytes: @unchecked Sendable {
  // Unchecked: the bytes are written before the initializer returns and never after.
  private let bytes: UnsafeMutableRawBufferPointer

  /// How many bytes.
  public var count: Int { bytes.count }

  /// A copy of `bytes`.
  public convenience init(_ bytes: some Collection<UInt8>) {
    self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
  }

  /// `count` bytes that `fill` writes; zero where it writes nothing.
  public init(count: Int, filling fill: (UnsafeMutableRawBufferPointer) -> Void) {
    bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    fill(bytes)
  }

  deinit {
    if let start = bytes.baseAddress { sodium_memzero(start, bytes.count) }
    bytes.deallocate()
  }

  /// Calls `body` with the bytes.
  public func withUnsafeBytes<Result, Failure>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(bytes))
  }

  /// The first `count` bytes, held by themselves.
  public func prefix(_ count: Int) -> SecretBytes {
    SecretBytes(bytes.prefix(count))
  }

  /// The last `count` bytes, held by themselves.
  public func suffix(_ count: Int) -> SecretBytes {
    SecretBytes(bytes.suffix(count))
  }
}

extension SecretBytes: Equatable {
  /// Whether all bytes agree, in a time that does not tell which do not.
  public static func == (a: SecretBytes, b: SecretBytes) -> Bool {
    guard a.count == b.count, let left = a.bytes.baseAddress, let right = b.bytes.baseAddress else {
      return a.count == b.count
    }
    return sodium_memcmp(left, right, a.count) == 0
  }
}

extension SecretBytes: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Not the bytes.
  public var description: String { "\(count) secret bytes" }
  /// Not the bytes either.
  public var debugDescription: String { description }
  /// Nor here.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
