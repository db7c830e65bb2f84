import Metainfo

/// What a request is about: a path and a query. RFC 9112, section 3.2.
public struct RequestTarget: Hashable, Sendable {
  /// The names between the slashes, unescaped; they may hold a slash themselves, and any other byte but
  /// NUL. Empty for "/".
  public let path: [[UInt8]]
  /// Names and values in order, unescaped.
  public let query: [Parameter]

  /// `name=value` in a query.
  public struct Parameter: Hashable, Sendable {
    /// Before the "=".
    public let name: [UInt8]
    /// Behind it; empty where there is none.
    public let value: [UInt8]
  }

  /// Why a target is none.
  public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Longer than is taken, or more parameters.
    case tooLong
    /// It does not begin with "/", and is no `http` address either.
    case noPath
    /// A "%" without two hexadecimal digits behind it.
    case escape
    /// A byte that must be escaped: a control character, a space, something that is not ASCII, "#".
    case character(UInt8)
    /// A NUL, escaped or not.
    case nul
    /// A name that is empty, "." or "..": no two ways should lead to the same resource.
    case dots

    /// For people.
    public var description: String {
      switch self {
      case .tooLong: "the request's target is too long"
      case .noPath: "the request's target does not begin with a slash"
      case .escape: "a \"%\" has no two hexadecimal digits behind it"
      case .character(let byte): "byte \(byte) must be escaped"
      case .nul: "a name contains NUL"
      case .dots: "a name in the path is empty, \".\" or \"..\""
      }
    }
  }

  /// A target as a request line has it.
  public init(_ bytes: [UInt8]) throws(Failure) {
    guard bytes.count <= HTTPLimits.targetBytes else { throw .tooLong }
    for byte in bytes where byte <= 0x20 || byte >= 0x7f || byte == UInt8(ascii: "#") {
      throw byte == 0 ? .nul : .character(byte)
    }
    let parts = try Self.origin(bytes).split(
      separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
    path = try Self.names(parts[0])
    query = parts.count > 1 ? try Self.parameters(parts[1]) : []
  }

  /// The first value of a parameter of a query; nil where there is none.
  public func value(of name: String) -> [UInt8]? {
    query.first { $0.name.elementsEqual(name.utf8) }?.value
  }

  /// Names joined again and cut at every slash, for paths of files: in them an escaped slash is a slash,
  /// since no name of a file can hold one.
  public static func fileNames(_ names: some Sequence<[UInt8]>) throws(Failure) -> [[UInt8]] {
    let all = names.flatMap {
      $0.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
    }
    for name in all { try check(name) }
    return all
  }

  /// Without scheme and host, which a client of a proxy sends and a server must take. RFC 9112, section
  /// 3.2.2.
  private static func origin(_ bytes: [UInt8]) throws(Failure) -> ArraySlice<UInt8> {
    if bytes.first == UInt8(ascii: "/") { return bytes[...] }
    let scheme = Array("http://".utf8)
    guard bytes.count > scheme.count,
      String(decoding: bytes.prefix(scheme.count), as: UTF8.self).lowercased().utf8.elementsEqual(
        scheme)
    else { throw .noPath }
    let rest = bytes[scheme.count...]
    guard let end = rest.firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") })
    else { return [UInt8(ascii: "/")] }
    return rest[end] == UInt8(ascii: "/") ? rest[end...] : ([UInt8(ascii: "/")] + rest[end...])[...]
  }

  private static func names(_ path: ArraySlice<UInt8>) throws(Failure) -> [[UInt8]] {
    let names = path.dropFirst()
    if names.isEmpty { return [] }
    var found: [[UInt8]] = []
    for part in names.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      let name = try unescaped(part, plusIsSpace: false)
      try check(name)
      found.append(name)
    }
    return found
  }

  private static func check(_ name: [UInt8]) throws(Failure) {
    if name.isEmpty || name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8) { throw .dots }
  }

  private static func parameters(_ query: ArraySlice<UInt8>) throws(Failure) -> [Parameter] {
    let parts = query.split(separator: UInt8(ascii: "&"))
    guard parts.count <= HTTPLimits.parameters else { throw .tooLong }
    var found: [Parameter] = []
    for part in parts {
      let halves = part.split(
        separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      found.append(
        Parameter(
          name: try unescaped(halves[0], plusIsSpace: true),
          value: halves.count > 1 ? try unescaped(halves[1], plusIsSpace: true) : []))
    }
    return found
  }

  private static func unescaped(
    _ part: ArraySlice<UInt8>, plusIsSpace: Bool
  ) throws(Failure) -> [UInt8] {
    let bytes: [UInt8]
    do { bytes = try PercentCoding.decode(part, plusIsSpace: plusIsSpace) } catch { throw .escape }
    if bytes.contains(0) { throw .nul }
    return bytes
  }
}
