/// Why a private connection cannot begin, or ends. docs/private.md.
public enum PrivateError: Error, Hashable, Sendable {
  /// The handshake failed.
  case noise(NoiseError)
  /// The other side's padding has so many bytes.
  case padding(Int)
  /// A frame of content and padding of so many bytes.
  case frameTooLong(Int)
  /// Frame number `frame`, from 0, does not open: changed on its way, or out of its turn.
  case frame(UInt64)
}

extension PrivateError: CustomStringConvertible {
  /// One line: place and reason.
  public var description: String {
    switch self {
    case .noise(let error): "\(error)"
    case .padding(let count):
      "\(count) bytes of padding, more than \(PrivateLimits.paddingBytes)"
    case .frameTooLong(let count):
      "a frame of \(count) bytes, more than \(PrivateLimits.frameBytes)"
    case .frame(let number): "private frame \(number) does not open"
    }
  }
}
