/// One name in a path: 1 to 255 bytes, neither "." nor "..", with no "/" and no NUL. The bytes are
/// kept as they came; they need not be UTF-8.
///
/// Invariant: joined to a folder, an element names an entry of that folder and nothing else.
public struct PathElement: Hashable, Comparable, Sendable {
  /// The name, as the file system has it.
  public let bytes: [UInt8]

  /// A checked name.
  public init(_ bytes: some Collection<UInt8>) throws(ContentPathError) {
    if bytes.isEmpty { throw .empty }
    if bytes.count > MetainfoLimits.pathElementBytes { throw .elementTooLong(bytes.count) }
    if bytes.contains(0) { throw .nul }
    if bytes.contains(UInt8(ascii: "/")) { throw .slash }
    if bytes.elementsEqual(".".utf8) || bytes.elementsEqual("..".utf8) { throw .dots }
    self.bytes = Array(bytes)
  }

  /// Byte order, which is the order of dictionary keys (BEP 3) and of a file tree (BEP 52).
  public static func < (a: PathElement, b: PathElement) -> Bool {
    a.bytes.lexicographicallyPrecedes(b.bytes)
  }
}

/// A path inside a torrent: at least one element, never absolute, never leading out. Byte for byte
/// as in the torrent.
public struct ContentPath: Hashable, Comparable, Sendable {
  /// The names from the top folder down to the file.
  public let elements: [PathElement]

  /// A checked path.
  public init(_ elements: [PathElement]) throws(ContentPathError) {
    if elements.isEmpty { throw .empty }
    if elements.count > MetainfoLimits.pathDepth { throw .tooDeep(elements.count) }
    let length = elements.reduce(elements.count - 1) { $0 + $1.bytes.count }
    if length > MetainfoLimits.pathBytes { throw .tooLong(length) }
    self.elements = elements
  }

  /// The elements joined by "/".
  public var bytes: [UInt8] { Array(elements.map(\.bytes).joined(separator: [UInt8(ascii: "/")])) }

  /// Element by element in byte order: the order of a file tree. BEP 52.
  public static func < (a: ContentPath, b: ContentPath) -> Bool {
    a.elements.lexicographicallyPrecedes(b.elements)
  }
}

/// Why bytes are not a path inside a torrent.
public enum ContentPathError: Error, Hashable, Sendable {
  /// A name, or the path itself, is empty.
  case empty
  /// A name has more bytes than any file system takes.
  case elementTooLong(Int)
  /// The path has more bytes than the system takes.
  case tooLong(Int)
  /// More folders inside each other than we follow.
  case tooDeep(Int)
  /// A name contains a NUL byte.
  case nul
  /// A name contains "/".
  case slash
  /// A name is "." or "..".
  case dots
}

extension ContentPathError: CustomStringConvertible {
  /// What is wrong with the name, as the end of a sentence.
  public var description: String {
    switch self {
    case .empty: "the name is empty"
    case .elementTooLong(let count):
      "the name has \(count) bytes, more than \(MetainfoLimits.pathElementBytes)"
    case .tooLong(let count): "the path has \(count) bytes, more than \(MetainfoLimits.pathBytes)"
    case .tooDeep(let count): "the path has \(count) parts, more than \(MetainfoLimits.pathDepth)"
    case .nul: "the name contains a NUL byte"
    case .slash: "the name contains \"/\""
    case .dots: "the name is \".\" or \"..\""
    }
  }
}

extension PathElement: CustomStringConvertible {
  /// The name for people: bytes that are not UTF-8, and control characters, as `\xNN`.
  public var description: String { printable(bytes) }
}

extension ContentPath: CustomStringConvertible {
  /// The path for people: bytes that are not UTF-8, and control characters, as `\xNN`.
  public var description: String { printable(bytes) }
}

/// Text that is safe on a terminal and shows every byte: valid UTF-8 as it is, a backslash
/// doubled, everything else (control characters too) as `\xNN`.
public func printable(_ bytes: some Collection<UInt8>) -> String {
  var text = ""
  var rest = Array(bytes)[...]
  while let first = rest.first {
    var decoder = UTF8()
    var source = rest.makeIterator()
    if case .scalarValue(let scalar) = decoder.decode(&source) {
      let length = UTF8.width(scalar)
      let isControl =
        scalar.properties.generalCategory == .control
        || scalar.properties.generalCategory == .format
      if scalar == "\\" {
        text += "\\\\"
      } else if isControl {
        for byte in rest.prefix(length) { text += "\\x" + [byte].hex }
      } else {
        text.unicodeScalars.append(scalar)
      }
      rest = rest.dropFirst(length)
    } else {
      text += "\\x" + [first].hex
      rest = rest.dropFirst()
    }
  }
  return text
}
